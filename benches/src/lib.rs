//! What the benchmarks share: texts to run on, and answers to check against.
//!
//! A figure counts only when the answer is right, so **every benchmark checks its answer** against
//! the slow definition of what it measures: once for each text, outside the measured time.

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
