//! Ids are those of the definition, whatever the vocabulary: an input is a vocabulary with its rule
//! of merging, and two texts.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| tokenizer_fuzz::made::check(input));
