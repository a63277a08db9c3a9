//! Builds a model from spelled tokens, merges and added tokens.

use hashbrown::{HashMap, HashSet};

use super::error::{HuggingFaceError, MergeFault};
use super::json::{At, Json};
use crate::byte_level::bytes_of;
use crate::hash::Seeds;
use crate::merges::{Merge, Merges};
use crate::model::{Merging, Model, ModelError};
use crate::pattern::Pattern;
use crate::special::{SpecialToken, SpecialTokens};
use crate::token::{MAX_TOKEN_ID, TokenId};
use crate::vocab::{Repeats, Vocab, VocabError};

/// Token ids by spelling (`Ġthe` for ` the`).
pub(super) struct Spellings<'s> {
    ids: HashMap<&'s str, TokenId, Seeds>,
}

/// Splits a merge that is written as `left right`.
pub(super) fn pair(text: &str) -> Option<(&str, &str)> {
    let pair = text.split_once(' ');
    pair.filter(|(_, right)| !right.contains(' '))
}

impl<'s> Spellings<'s> {
    /// Reads an object that maps spellings to ids.
    pub(super) fn read(at: &At<'s>) -> Result<Self, HuggingFaceError> {
        let mut ids = HashMap::default();
        for (spelling, id) in at.entries()? {
            let Json::Integer(id) = *id else {
                return Err(at.field(spelling).expected("an id"));
            };
            let checked = TokenId::try_from(id).ok().filter(|&id| id <= MAX_TOKEN_ID);
            let checked = checked.ok_or_else(|| ModelError::from(VocabError::IdTooHigh { id }))?;
            ids.insert(spelling.as_str(), checked);
        }
        Ok(Spellings { ids })
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn id(&self, spelling: &str) -> Option<TokenId> {
        self.ids.get(spelling).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'s str, TokenId)> {
        self.ids.iter().map(|(&spelling, &id)| (spelling, id))
    }

    /// The merge of a pair of spellings; `None` for a merge that could not be read as a pair.
    pub(super) fn merge(&self, pair: Option<(&str, &str)>) -> Result<Merge, MergeFault> {
        let (left, right) = pair.ok_or(MergeFault::Form)?;
        let known = |token: &str| {
            self.id(token)
                .ok_or_else(|| MergeFault::UnknownToken(token.into()))
        };
        let joined = [left, right].concat();
        Ok(Merge {
            left: known(left)?,
            right: known(right)?,
            token: self.id(&joined).ok_or(MergeFault::UnknownResult(joined))?,
        })
    }

    /// Fails if `tokenizers` would give an added token another id. `tokenizers` gives an added token whose
    /// text is in the vocabulary its id there, and numbers the other added tokens consecutively from the
    /// size of the vocabulary on.
    pub(super) fn check_numbering(&self, added: &[SpecialToken]) -> Result<(), HuggingFaceError> {
        let mut next = self.ids.len() as TokenId;
        for token in added {
            let numbered = self.id(&token.content).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            if numbered != token.id {
                return Err(HuggingFaceError::AddedTokenId {
                    content: token.content.clone(),
                    id: token.id,
                    numbered,
                });
            }
        }
        Ok(())
    }

    /// Builds the model.
    ///
    /// An added token that is also in the vocabulary becomes an ordinary token too only if it may be needed:
    /// it is a single byte, a merge uses or creates it, or `ignore_merges` is on.
    pub(super) fn model(
        &self,
        pattern: Pattern,
        merges: Vec<Merge>,
        ignore_merges: bool,
        added: &[SpecialToken],
    ) -> Result<Model, HuggingFaceError> {
        let merged: HashSet<TokenId, Seeds> = merges
            .iter()
            .flat_map(|merge| [merge.left, merge.right, merge.token])
            .collect();
        let contents: HashSet<&str, Seeds> =
            added.iter().map(|token| token.content.as_str()).collect();
        let mut tokens: Vec<(TokenId, Vec<u8>)> = Vec::with_capacity(self.ids.len());
        for (spelling, id) in self.iter() {
            let is_added = contents.contains(spelling);
            match bytes_of(spelling) {
                Some(bytes) => {
                    let is_needed = ignore_merges || merged.contains(&id) || bytes.len() == 1;
                    if !is_added || is_needed {
                        tokens.push((id, bytes));
                    }
                }
                None if is_added => {}
                None => {
                    let token = spelling.to_owned();
                    return Err(HuggingFaceError::NotByteLevel { token });
                }
            }
        }
        let tokens = tokens.iter().map(|(id, bytes)| (*id, bytes.as_slice()));
        let vocab = Vocab::new(tokens, Repeats::Refuse).map_err(ModelError::from)?;
        let merging = Merging::Merges {
            merges: Merges::new(merges)?,
            ignore_merges,
        };
        let specials = SpecialTokens::new(added.iter().cloned()).map_err(ModelError::from)?;
        Ok(Model::new(pattern, vocab, merging, specials)?)
    }
}
