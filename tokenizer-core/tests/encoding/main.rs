//! Ids are those of the definition, and the same however they are asked for.
//!
//! A text, special tokens, a normalizer, threads and an instruction set are combined once, by
//! `ways::assert_ids`, which has every way to encode: a new one is added there. Its texts and models are
//! read off random bytes (`made.rs`; the fuzz target `encode_vs_reference` runs the same check), trained
//! models with hard text (`hard.rs`), and trained models with real and long text (`sameness.rs`).
//! `definition.rs` says what the ids are.

// These modules are part of the fuzz targets too, for which they must be public.
#![allow(unreachable_pub)]

#[path = "../absent/mod.rs"]
mod absent;
mod definition;
mod hard;
mod input;
mod made;
mod sameness;
mod streams;
mod texts;
mod ways;

use std::path::Path;

use proptest::prelude::*;
use tokenizer_core::internals::Tier;
use tokenizer_core::{Normalizer, Tokenizer};

use ways::assert_ids;

/// As many cases as `PROPTEST_CASES` says, otherwise more than usual.
fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(1500),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn ids_are_those_of_the_definition(input in prop::collection::vec(any::<u8>(), 0..1200)) {
        made::check(&input);
    }

    #[test]
    fn ids_of_hard_text_are_those_of_the_definition(
        text in hard::hard_text(),
        specials in hard::special_tokens(),
        allowed in 0..3usize,
        model in 0..texts::models().len(),
        normalizer in prop::option::of(Just(Normalizer::Nfc)),
    ) {
        let model = texts::with(&texts::models()[model], specials, normalizer);
        let definition = texts::definition(&model);
        let all: Vec<&str> = model.specials().iter().map(|token| &*token.content).collect();
        let all = &all[..all.len() * allowed / 2];
        let want = definition.encode(&text, all);
        let set = model.special_set(all);
        let about = format!("{}, {:?}", model.pattern().source(), model.specials());
        for tier in Tier::available() {
            let tokenizer = Tokenizer::builder().small_tasks().tier(tier).build(model.clone());
            assert_ids(&tokenizer, &set, &text, &want.ids, format_args!("{tier}, {about}"));
        }
        prop_assert_eq!(model.decode(&want.ids), Ok(want.bytes));
    }
}

#[test]
fn what_once_failed_does_not_fail_again() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    let regressions = std::fs::read_dir(fuzz.join("encode_vs_reference")).unwrap();
    for entry in regressions {
        made::check(&std::fs::read(entry.unwrap().path()).unwrap());
    }
}
