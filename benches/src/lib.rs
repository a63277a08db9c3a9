//! Code shared by the benchmarks: texts to measure on, and answers to check against.
//!
//! **Every benchmark checks its answer** against a slow definition, once per text and outside the
//! measured time.

pub mod corpora;
pub mod decoding;
pub mod encoding;
pub mod generated;
pub mod splitting;
pub mod training;

/// The Rust examples in README.md, run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub mod readme {}
