//! Which special tokens a call allows or refuses.
//!
//! To prepare a set of them for the search costs more than to encode a short text, and callers ask
//! for the same few sets again and again: the set of all is made with the tokenizer, those asked for
//! lately are kept.

use std::sync::{Arc, Mutex, PoisonError};

use tokenizer_core::{Model, SpecialSet, TokenId};

/// So many sets are kept beside that of all.
const KEPT: usize = 8;

/// The special tokens of a tokenizer, ready to be looked for.
pub(crate) struct Specials {
    all: SpecialSet,
    count: usize,
    /// The sets asked for lately, the last one first.
    ///
    /// The lock is held for moments in which the interpreter is not released and no Python code
    /// runs: no thread waits for another that waits for it, and no fork finds it taken.
    lately: Mutex<Vec<Arc<Chosen>>>,
}

/// Some of the special tokens.
pub(crate) enum Choice<'s> {
    Nothing,
    All(&'s SpecialSet),
    Some(Arc<Chosen>),
}

/// A set of special tokens that was asked for.
pub(crate) struct Chosen {
    /// Ascending.
    ids: Vec<TokenId>,
    set: SpecialSet,
}

impl Choice<'_> {
    /// The set, if there is anything in it.
    pub(crate) fn set(&self) -> Option<&SpecialSet> {
        match self {
            Choice::Nothing => None,
            Choice::All(set) => Some(set),
            Choice::Some(chosen) => Some(&chosen.set),
        }
    }

    /// Their texts. `model` is the one they are of.
    pub(crate) fn contents<'m>(&self, model: &'m Model) -> Vec<&'m str> {
        let all = model.specials().iter();
        let contents = all.filter(|special| match self {
            Choice::Nothing => false,
            Choice::All(_) => true,
            Choice::Some(chosen) => chosen.ids.binary_search(&special.id).is_ok(),
        });
        contents.map(|special| special.content.as_str()).collect()
    }
}

impl Specials {
    /// Those of `model`.
    pub(crate) fn of(model: &Model) -> Self {
        Specials {
            all: model.all_specials(),
            count: model.specials().len(),
            lately: Mutex::default(),
        }
    }

    /// Every one.
    pub(crate) fn all(&self) -> Choice<'_> {
        match self.count {
            0 => Choice::Nothing,
            _ => Choice::All(&self.all),
        }
    }

    /// Those with these ids. `model` is the one they are of.
    pub(crate) fn choose(&self, model: &Model, mut ids: Vec<TokenId>) -> Choice<'_> {
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Choice::Nothing;
        }
        if ids.len() == self.count {
            return Choice::All(&self.all);
        }
        let lock = || self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut lately = lock();
            if let Some(place) = lately.iter().position(|kept| kept.ids == ids) {
                lately[..=place].rotate_right(1);
                return Choice::Some(lately[0].clone());
            }
        }
        let contents: Vec<&str> = ids
            .iter()
            .filter_map(|&id| Some(model.specials().by_id(id)?.content.as_str()))
            .collect();
        let set = model.special_set(&contents);
        let chosen = Arc::new(Chosen { ids, set });
        let mut lately = lock();
        // What is not kept is dropped behind the lock.
        let _oldest = (lately.len() == KEPT).then(|| lately.pop());
        lately.insert(0, chosen.clone());
        drop(lately);
        Choice::Some(chosen)
    }

    /// Those that `choice` leaves.
    pub(crate) fn others(&self, model: &Model, choice: &Choice<'_>) -> Choice<'_> {
        let chosen = match choice {
            Choice::Nothing => return self.all(),
            Choice::All(_) => return Choice::Nothing,
            Choice::Some(chosen) => chosen,
        };
        let ids = model.specials().iter().map(|special| special.id);
        let others = ids.filter(|id| chosen.ids.binary_search(id).is_err());
        self.choose(model, others.collect())
    }
}
