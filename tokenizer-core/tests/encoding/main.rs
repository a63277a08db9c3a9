//! Ids are those of the definition, and the same however they are asked for.
//!
//! `made.rs` reads models and texts off random bytes, with the definition of their ids; the fuzz
//! target `encode_vs_reference` runs the same check. `ways.rs` has every way to encode: a new one is
//! added there. `sameness.rs` holds for trained models and real text what the definition is too slow
//! for.

// These modules are part of the fuzz targets too, for which they must be public.
#![allow(unreachable_pub)]

mod input;
mod made;
mod sameness;
mod texts;
mod ways;

use std::path::Path;

use proptest::prelude::*;

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
}

#[test]
fn what_once_failed_does_not_fail_again() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/regressions");
    let regressions = std::fs::read_dir(fuzz.join("encode_vs_reference")).unwrap();
    for entry in regressions {
        made::check(&std::fs::read(entry.unwrap().path()).unwrap());
    }
}
