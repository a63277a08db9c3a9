//! Splitting: its implementations and the check of their answers.
//!
//! Pieces are produced in bulk, as for counting and encoding. The answer is the number of pieces and a
//! hash of their ends, compared with that of the regex engine.

use std::collections::HashMap;
use std::fmt;
use std::hint::black_box;
use std::sync::{LazyLock, Mutex};

use tokenizer_core::internals::Spans;
use tokenizer_core::internals::Tier;
use tokenizer_core::{Gaps, Pattern, PatternName, SplitError};

/// An implementation of splitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splitter {
    /// The regex engine, the oracle.
    Regex,
    /// The scanner of the pattern on a SIMD tier.
    Scanner(Tier),
}

impl Splitter {
    /// The regex engine and every tier of this machine, slowest first.
    pub fn all() -> Vec<Splitter> {
        let scanners = Tier::available().map(Splitter::Scanner);
        std::iter::once(Splitter::Regex).chain(scanners).collect()
    }
}

impl fmt::Display for Splitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Splitter::Regex => "regex",
            Splitter::Scanner(tier) => tier.name(),
        })
    }
}

/// The result of splitting a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of pieces.
    pub pieces: usize,
    hash_of_ends: u64,
}

/// A pattern, compiled for one implementation.
pub struct Split {
    name: PatternName,
    splitter: Splitter,
    pattern: Pattern,
}

impl Split {
    /// Compiles a named pattern.
    pub fn new(name: PatternName, splitter: Splitter) -> Self {
        let pattern = match splitter {
            Splitter::Scanner(_) => Pattern::named(name),
            Splitter::Regex => Pattern::through_regex_engine(name.regex(), Gaps::Keep)
                .expect("the named patterns compile"),
        };
        assert_eq!(pattern.uses_regex_engine(), splitter == Splitter::Regex);
        Split {
            name,
            splitter,
            pattern,
        }
    }

    /// Splits `text` and returns the number of pieces. This is the measured operation.
    ///
    /// # Errors
    /// If the regex engine fails.
    pub fn run(&self, text: &[u8]) -> Result<usize, SplitError> {
        let mut pieces = 0;
        self.for_each_run(text, |spans| pieces += black_box(spans).len())?;
        Ok(pieces)
    }

    /// Splits `text` and hashes the ends of all pieces.
    ///
    /// # Errors
    /// If the regex engine fails.
    pub fn answer(&self, text: &[u8]) -> Result<Answer, SplitError> {
        let mut answer = Answer {
            pieces: 0,
            hash_of_ends: 0,
        };
        self.for_each_run(text, |spans| {
            answer.pieces += spans.len();
            for &end in spans.ends() {
                let mixed = answer.hash_of_ends.rotate_left(5) ^ end as u64;
                answer.hash_of_ends = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            }
        })?;
        Ok(answer)
    }

    /// Checks the number of pieces of a measured run, and the ends of all pieces. `corpus` is the name of
    /// `text`.
    ///
    /// # Panics
    /// If either is wrong.
    pub fn check(&self, corpus: &str, text: &[u8], pieces: usize) {
        let expected = expected_answer(self.name, corpus, text);
        let Split { name, splitter, .. } = self;
        assert_eq!(
            pieces, expected.pieces,
            "pieces of {corpus}, {name}, {splitter}"
        );
        assert_eq!(
            self.answer(text),
            Ok(expected),
            "ends in {corpus}, {name}, {splitter}"
        );
    }

    #[inline]
    fn for_each_run(&self, text: &[u8], mut each: impl FnMut(&Spans)) -> Result<(), SplitError> {
        let tier = match self.splitter {
            Splitter::Regex => Tier::Scalar,
            Splitter::Scanner(tier) => tier,
        };
        let mut pieces = self.pattern.split_on(tier, text);
        let mut spans = Spans::new();
        while pieces.fill(&mut spans)? {
            each(&spans);
        }
        Ok(())
    }
}

/// The answer of the regex engine, cached by pattern and text. If the engine fails, as on very long runs of
/// white space, that of the scalar scanner, so that at least the tiers are compared with each other.
fn expected_answer(name: PatternName, corpus: &str, text: &[u8]) -> Answer {
    type Key = (PatternName, String, usize);
    static CACHE: LazyLock<Mutex<HashMap<Key, Answer>>> = LazyLock::new(Mutex::default);

    let mut cache = CACHE.lock().expect("no holder of the lock panics");
    let key = (name, corpus.to_owned(), text.len());
    *cache.entry(key).or_insert_with(|| {
        Split::new(name, Splitter::Regex)
            .answer(text)
            .unwrap_or_else(|error| {
                eprintln!(
                    "\n{corpus}, {name}: the regex engine failed ({error}); \
                     all tiers are compared with the scalar one instead"
                );
                Split::new(name, Splitter::Scanner(Tier::Scalar))
                    .answer(text)
                    .expect("scanners never fail")
            })
    })
}
