//! Sets of special tokens, with a small cache.
//!
//! To find special tokens in a text, their set must first be compiled, which costs more than encoding a short
//! text. Callers use the same few sets repeatedly, so the last few compiled sets are cached. The set of all
//! special tokens is compiled when the tokenizer is created.

use std::sync::{Arc, Mutex, PoisonError};

use tokenizer_core::{Model, SpecialSet, TokenId};

/// Number of sets in the cache.
const CACHED_SETS: usize = 8;

/// A compiled set of special tokens; `None` if empty.
pub(crate) type Choice = Option<Arc<Chosen>>;

/// A set of special tokens.
pub(crate) struct Chosen {
    /// Ascending.
    ids: Vec<TokenId>,
    pub(crate) set: SpecialSet,
}

/// The special tokens of a tokenizer.
pub(crate) struct Specials {
    all: Choice,
    /// The sets compiled last, the newest first.
    ///
    /// Locked only by threads that hold the GIL, which neither release it nor run Python code until they
    /// unlock. So the lock cannot deadlock with the GIL or stay locked in a forked child.
    recent: Mutex<Vec<Arc<Chosen>>>,
}

fn chosen(model: &Model, ids: Vec<TokenId>) -> Arc<Chosen> {
    let content = |&id| Some(model.specials().by_id(id)?.content.as_str());
    let contents: Vec<&str> = ids.iter().filter_map(content).collect();
    let set = model.special_set(&contents);
    Arc::new(Chosen { ids, set })
}

impl Specials {
    /// Compiles the set of all special tokens of `model`.
    pub(crate) fn of(model: &Model) -> Self {
        let mut ids: Vec<TokenId> = model.specials().iter().map(|token| token.id).collect();
        ids.sort_unstable();
        Specials {
            all: (!ids.is_empty()).then(|| chosen(model, ids)),
            recent: Mutex::default(),
        }
    }

    /// Returns the set of all special tokens.
    pub(crate) fn all(&self) -> Choice {
        self.all.clone()
    }

    /// Returns the set of the special tokens of `model` with these ids, from the cache if it is there.
    pub(crate) fn choose(&self, model: &Model, mut ids: Vec<TokenId>) -> Choice {
        if ids.is_empty() {
            return None;
        }
        ids.sort_unstable();
        ids.dedup();
        let lock = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |kept: &Arc<Chosen>| kept.ids == ids;
        if self.all.as_ref().is_some_and(is_wanted) {
            return self.all();
        }
        if let Some(kept) = lock().iter().find(|kept| is_wanted(kept)) {
            return Some(Arc::clone(kept));
        }
        let made = chosen(model, ids);
        let mut recent = lock();
        recent.insert(0, Arc::clone(&made));
        recent.truncate(CACHED_SETS);
        Some(made)
    }

    /// Returns the set of all special tokens that are not in `choice`.
    pub(crate) fn others(&self, model: &Model, choice: &Choice) -> Choice {
        let (Some(all), Some(some)) = (&self.all, choice) else {
            return self.all();
        };
        let is_other = |id: &&TokenId| some.ids.binary_search(id).is_err();
        self.choose(model, all.ids.iter().filter(is_other).copied().collect())
    }
}
