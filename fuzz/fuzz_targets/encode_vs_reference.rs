//! Every entry point returns the ids of the definition. An input is a model and two texts.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| tokenizer_fuzz::generated::check(input));
