//! Splitting: the ways to do it, and how the answer of one is checked.
//!
//! What is measured is handing out pieces in bulk, as counting and encoding take them. The answer
//! is the number of pieces and a hash of all their ends; the right one is that of the regex engine.

use std::collections::HashMap;
use std::fmt;
use std::hint::black_box;
use std::sync::{LazyLock, Mutex};

use tokenizer_core::internals::Spans;
use tokenizer_core::internals::Tier;
use tokenizer_core::{Gaps, Pattern, PatternName, SplitError};

/// What splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The regex engine, which is the definition.
    Regex,
    /// The scanner of the pattern, with these instructions.
    Scanner(Tier),
}

impl Way {
    /// The regex engine and every tier of this machine, slowest first.
    pub fn all() -> Vec<Way> {
        let scanners = Tier::available().map(Way::Scanner);
        std::iter::once(Way::Regex).chain(scanners).collect()
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Way::Regex => "regex",
            Way::Scanner(tier) => tier.name(),
        })
    }
}

/// What splitting a text gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How many pieces there are.
    pub pieces: usize,
    hash_of_ends: u64,
}

/// A pattern, compiled for one way of splitting.
pub struct Split {
    name: PatternName,
    way: Way,
    pattern: Pattern,
}

impl Split {
    /// The pattern of that name, split in that way.
    pub fn new(name: PatternName, way: Way) -> Self {
        let pattern = match way {
            Way::Scanner(_) => Pattern::named(name),
            Way::Regex => Pattern::through_regex_engine(name.regex(), Gaps::Keep)
                .expect("the named patterns compile"),
        };
        assert_eq!(pattern.uses_regex_engine(), way == Way::Regex);
        Split { name, way, pattern }
    }

    /// Splits `text` and gives the number of pieces: what is measured.
    ///
    /// # Errors
    /// When the regex engine gives up.
    pub fn run(&self, text: &[u8]) -> Result<usize, SplitError> {
        let mut pieces = 0;
        self.for_each_run(text, |spans| pieces += black_box(spans).len())?;
        Ok(pieces)
    }

    /// Splits `text` with a look at every piece.
    ///
    /// # Errors
    /// When the regex engine gives up.
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

    /// Fails unless a measured run gave `pieces`, the right number, and the same way of splitting
    /// gives the right ends. `corpus` is the name of `text`.
    ///
    /// # Panics
    /// When the answer is wrong.
    pub fn check(&self, corpus: &str, text: &[u8], pieces: usize) {
        let right = right_answer(self.name, corpus, text);
        let Split { name, way, .. } = self;
        assert_eq!(pieces, right.pieces, "pieces of {corpus}, {name}, {way}");
        assert_eq!(
            self.answer(text),
            Ok(right),
            "ends in {corpus}, {name}, {way}"
        );
    }

    #[inline]
    fn for_each_run(&self, text: &[u8], mut each: impl FnMut(&Spans)) -> Result<(), SplitError> {
        let tier = match self.way {
            Way::Regex => Tier::Scalar,
            Way::Scanner(tier) => tier,
        };
        let mut splitter = self.pattern.split_on(tier, text);
        let mut spans = Spans::new();
        while splitter.fill(&mut spans)? {
            each(&spans);
        }
        Ok(())
    }
}

/// The answer of the regex engine, found once for each pattern and text. Where the engine gives
/// up, which it does on very long runs of white space, that of the scanner without instructions,
/// so that the tiers are at least compared with each other.
fn right_answer(name: PatternName, corpus: &str, text: &[u8]) -> Answer {
    type Key = (PatternName, String, usize);
    static KNOWN: LazyLock<Mutex<HashMap<Key, Answer>>> = LazyLock::new(Mutex::default);

    let mut known = KNOWN.lock().expect("no holder of the lock panics");
    let key = (name, corpus.to_owned(), text.len());
    *known.entry(key).or_insert_with(|| {
        Split::new(name, Way::Regex)
            .answer(text)
            .unwrap_or_else(|error| {
                eprintln!(
                    "\n{corpus}, {name}: the regex engine gives up ({error}); \
                     all tiers are compared with the scalar one instead"
                );
                Split::new(name, Way::Scanner(Tier::Scalar))
                    .answer(text)
                    .expect("scanners never fail")
            })
    })
}
