//! Every entry point for encoding returns the ids of the definition (`definition.rs`).
//!
//! `entry_points::assert_ids` calls them all; new entry points are added there. It runs on texts and
//! models generated from random bytes (`generated.rs`, also used by the fuzz target
//! `encode_vs_reference`), on edge cases (`edge_cases.rs`), and on real and long texts
//! (`invariance.rs`).

// The fuzz targets include these modules, for which they must be public.
#![allow(unreachable_pub)]

#[path = "../absent/mod.rs"]
mod absent;
mod definition;
mod edge_cases;
mod entry_points;
mod generated;
mod input;
mod invariance;
mod streams;
mod texts;

use std::path::Path;

use proptest::prelude::*;
use tokenizer_core::internals::Tier;
use tokenizer_core::{Normalizer, Tokenizer};

use entry_points::assert_ids;

/// The number of cases is `PROPTEST_CASES`, or more than proptest's default.
fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(1500),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn ids_equal_the_definition(input in prop::collection::vec(any::<u8>(), 0..1200)) {
        generated::check(&input);
    }

    #[test]
    fn ids_of_edge_cases_equal_the_definition(
        text in edge_cases::text(),
        specials in edge_cases::special_tokens(),
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
        let context = format!("{}, {:?}", model.pattern().source(), model.specials());
        for tier in Tier::available() {
            let tokenizer = Tokenizer::builder().small_tasks().tier(tier).build(model.clone());
            assert_ids(&tokenizer, &set, &text, &want.ids, format_args!("{tier}, {context}"));
        }
        prop_assert_eq!(model.decode(&want.ids), Ok(want.bytes));
    }
}

#[test]
fn fuzzing_regressions_pass() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    let regressions = std::fs::read_dir(fuzz.join("encode_vs_reference")).unwrap();
    for entry in regressions {
        generated::check(&std::fs::read(entry.unwrap().path()).unwrap());
    }
}
