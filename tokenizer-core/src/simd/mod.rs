//! SIMD instruction sets behind a safe interface, and all other `unsafe` code of the crate.
//!
//! A vectorized algorithm is a `Kernel`: a function generic over the trait `Simd`, whose methods are the
//! vector operations. `Tier::run` compiles it once per instruction set, and runs the copy for the tier.
//! `scalar.rs` implements `Simd` without vector instructions; a test compares every tier with it.
//!
//! With the feature `internals`, the environment variable `TOKENIZER_SIMD` (`scalar`, `avx2`, `avx512`,
//! `avx512vbmi2`, `neon`) selects an available tier, for tests and benches.
//!
//! `memory.rs` and `short_tokens.rs` access memory without bounds checks; `huge_pages.rs` calls the system.

mod huge_pages;
mod kernel;
mod memory;
mod scalar;
mod short_tokens;
mod tier;

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod aarch64;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
mod x86_64;

pub use huge_pages::advise_huge_pages;
pub(crate) use kernel::{AsciiTable, BLOCK, FLATTEN, Kernel, Simd};
pub(crate) use memory::{Appender, PREFETCH_DISTANCE, prefetch, sixteen_bytes};
pub(crate) use short_tokens::{SHORT, append_short_tokens};
#[allow(unreachable_pub, reason = "exported with the feature `internals`")]
pub use tier::Tier;
