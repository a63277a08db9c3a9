//! Which special tokens a call allows or refuses.
//!
//! To prepare a set of them for the search costs more than to encode a short text, and callers ask
//! for the same few sets again and again: the set of all is made with the tokenizer, those asked for
//! lately are kept.

use std::sync::{Arc, Mutex, PoisonError};

use tokenizer_core::{Model, SpecialSet, TokenId};

/// Sets that are kept beside that of all.
const KEPT: usize = 8;

/// Some special tokens, ready to be looked for; `None` when there are none.
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
    /// The sets asked for lately, the last one first.
    ///
    /// The lock is held for moments in which the interpreter is not released and no Python code
    /// runs: no thread waits for another that waits for it, and no fork finds it taken.
    lately: Mutex<Vec<Arc<Chosen>>>,
}

fn chosen(model: &Model, ids: Vec<TokenId>) -> Arc<Chosen> {
    let content = |&id| Some(model.specials().by_id(id)?.content.as_str());
    let contents: Vec<&str> = ids.iter().filter_map(content).collect();
    let set = model.special_set(&contents);
    Arc::new(Chosen { ids, set })
}

impl Specials {
    /// Those of `model`.
    pub(crate) fn of(model: &Model) -> Self {
        let mut ids: Vec<TokenId> = model.specials().iter().map(|token| token.id).collect();
        ids.sort_unstable();
        Specials {
            all: (!ids.is_empty()).then(|| chosen(model, ids)),
            lately: Mutex::default(),
        }
    }

    /// Every one.
    pub(crate) fn all(&self) -> Choice {
        self.all.clone()
    }

    /// Those with these ids. `model` is the one they are of.
    pub(crate) fn choose(&self, model: &Model, mut ids: Vec<TokenId>) -> Choice {
        if ids.is_empty() {
            return None;
        }
        ids.sort_unstable();
        ids.dedup();
        let lock = || self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |kept: &Arc<Chosen>| kept.ids == ids;
        if self.all.as_ref().is_some_and(is_it) {
            return self.all();
        }
        if let Some(kept) = lock().iter().find(|kept| is_it(kept)) {
            return Some(Arc::clone(kept));
        }
        let made = chosen(model, ids);
        let mut lately = lock();
        lately.insert(0, Arc::clone(&made));
        lately.truncate(KEPT);
        Some(made)
    }

    /// Those that `choice` leaves.
    pub(crate) fn others(&self, model: &Model, choice: &Choice) -> Choice {
        let (Some(all), Some(some)) = (&self.all, choice) else {
            return self.all();
        };
        let is_other = |id: &&TokenId| some.ids.binary_search(id).is_err();
        self.choose(model, all.ids.iter().filter(is_other).copied().collect())
    }
}
