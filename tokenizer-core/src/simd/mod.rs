//! The instruction sets: everything that is written for one kind of processor, behind one safe
//! interface.
//!
//! An algorithm that wants to run on whatever the machine has is a `Kernel`: a function over any
//! `Simd`. `Tier::run` compiles it once for each instruction set and enters the copy for the
//! tier that is asked for. The methods of `Simd` are few and plain; `scalar.rs` has each of them
//! in the plainest form, and a test compares every tier with it.
//!
//! With the feature `internals`, the environment variable `TOKENIZER_SIMD` (`scalar`, `avx2`, `avx512`,
//! `avx512vbmi2`, `neon`) forces a tier, if the machine has it: for tests and benches.
//!
//! What is written for one kind of system stands here too (`huge_pages.rs`), and what is written for no
//! kind but takes memory by address (`short_tokens.rs`).

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
