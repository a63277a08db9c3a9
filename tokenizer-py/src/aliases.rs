//! Special tokens that share an id.
//!
//! tiktoken takes any names for an id, and o200k_harmony has two for one of its own. A model has one
//! token for an id. So the first name is the model's, and the model knows the others by ids that
//! nobody else has, behind all that are used; these never leave the encoding.

use tokenizer_core::{MAX_TOKEN_ID, SpecialToken, TokenId};

/// What the ids of further names stand for.
#[derive(Default)]
pub(crate) struct Aliases {
    /// The lowest of these ids.
    first: TokenId,
    /// By id, from the first: the id that is meant.
    meant: Vec<TokenId>,
}

impl Aliases {
    /// Gives ids of their own to further names of an id. `highest` is the highest id of the ordinary
    /// tokens. Names are left as they are when there is no room for more ids: then they contradict
    /// each other, as the model will say.
    pub(crate) fn separate(specials: &mut [SpecialToken], highest: TokenId) -> Aliases {
        let mut seen: Vec<(TokenId, usize)> = specials
            .iter()
            .enumerate()
            .map(|(place, special)| (special.id, place))
            .collect();
        seen.sort_unstable();
        let mut further: Vec<usize> = seen
            .windows(2)
            .filter(|pair| pair[0].0 == pair[1].0)
            .map(|pair| pair[1].1)
            .collect();
        further.sort_unstable();
        let used = seen.last().map_or(highest, |&(id, _)| id.max(highest));
        let room = MAX_TOKEN_ID.saturating_sub(used) as usize;
        if further.is_empty() || further.len() > room {
            return Aliases::default();
        }
        let first = used + 1;
        let mut meant = Vec::with_capacity(further.len());
        for (place, id) in further.into_iter().zip(first..) {
            meant.push(specials[place].id);
            specials[place].id = id;
        }
        Aliases { first, meant }
    }

    /// Puts the ids that are meant in place of those that must not leave.
    pub(crate) fn resolve(&self, ids: &mut [TokenId]) {
        if !self.meant.is_empty() {
            for id in ids {
                *id = self.meaning(*id);
            }
        }
    }

    /// The id that is meant.
    pub(crate) fn meaning(&self, id: TokenId) -> TokenId {
        self.place(id).map_or(id, |place| self.meant[place])
    }

    /// Whether an id is one of those that must not leave, and so none for who asks from outside.
    pub(crate) fn hold(&self, id: TokenId) -> bool {
        self.place(id).is_some()
    }

    /// Where the first such id stands.
    pub(crate) fn find(&self, ids: &[TokenId]) -> Option<usize> {
        if self.meant.is_empty() {
            return None;
        }
        ids.iter().position(|&id| self.hold(id))
    }

    fn place(&self, id: TokenId) -> Option<usize> {
        let place = id.checked_sub(self.first)? as usize;
        (place < self.meant.len()).then_some(place)
    }
}
