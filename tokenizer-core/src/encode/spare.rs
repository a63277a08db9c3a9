//! Memory for the ids of parts that waits for the next text.
//!
//! An allocator gives so large a thing back to the system at once, mostly; then its pages are fresh
//! in the next call, and each costs a microsecond when it is first written to. On two threads that
//! took a seventh of the time of a megabyte.

use std::sync::Mutex;

use super::parts::MOST_BYTES;
use super::worker;
use crate::token::TokenId;

/// Scripts with less than two bytes an id are few.
const ROOM: usize = (MOST_BYTES + MOST_BYTES / 4) / 2 + worker::ROOM;

/// How many there are at most: those of a few threads, 160 to 320 KiB each.
const MOST: usize = 24;

/// See the module.
pub(super) struct Spare {
    lists: Mutex<Vec<Vec<TokenId>>>,
}

impl Spare {
    pub(super) fn new() -> Self {
        Spare {
            lists: Mutex::new(Vec::new()),
        }
    }

    /// An empty list, with room for the ids of a part. Never waits: a process that was forked at any
    /// moment goes on.
    pub(super) fn take(&self) -> Vec<TokenId> {
        let waiting = self.lists.try_lock().ok().and_then(|mut lists| lists.pop());
        waiting.unwrap_or_else(|| Vec::with_capacity(ROOM))
    }

    /// Gives lists back.
    pub(super) fn give(&self, given: impl IntoIterator<Item = Vec<TokenId>>) {
        if let Ok(mut lists) = self.lists.try_lock() {
            // A part that could not be cut may have had any number of ids.
            let usual = |list: &Vec<_>| (ROOM..=2 * ROOM).contains(&list.capacity());
            let places = MOST - lists.len();
            lists.extend(given.into_iter().filter(usual).take(places));
            lists.iter_mut().for_each(Vec::clear);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_taken_again_but_not_without_bound() {
        let spare = Spare::new();
        let list = spare.take();
        let place = list.as_ptr();
        spare.give([list]);
        let again = spare.take();
        assert_eq!(again.as_ptr(), place);
        assert_ne!(spare.take().capacity(), 0);

        spare.give([0, 1, ROOM - 1, 2 * ROOM + 1].map(Vec::with_capacity));
        spare.give((0..MOST + 1).map(|_| Vec::with_capacity(ROOM)));
        spare.give([Vec::with_capacity(ROOM)]);
        let lists = spare.lists.into_inner().unwrap();
        assert_eq!(lists.len(), MOST);
        assert!(lists.iter().all(|list| list.capacity() <= 2 * ROOM));
    }
}
