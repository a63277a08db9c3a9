//! Builds a model from spelled tokens, merges and added tokens.

use hashbrown::{HashMap, HashSet};

use super::error::{HuggingFaceError, MergeFault};
use super::json::{At, Json};
use crate::byte_level::{bytes_of, spell};
use crate::format::id_limit;
use crate::hash::Seeds;
use crate::merges::{Merge, Merges};
use crate::model::{Merging, Model, ModelError};
use crate::pattern::Pattern;
use crate::special::{SpecialToken, SpecialTokens};
use crate::symbols::{Symbols, fallback_token};
use crate::token::{MAX_TOKEN_ID, Pair, TokenId};
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

/// Whether a text is the spelling of a token of byte fallback.
fn is_fallback_token(text: &str) -> bool {
    let byte = text
        .get(3..5)
        .and_then(|digits| u8::from_str_radix(digits, 16).ok());
    byte.is_some_and(|byte| fallback_token(byte) == text)
}

/// Whether a token may be a first symbol of a piece, or is a token of byte fallback.
pub(super) fn is_symbol(token: &[u8], symbols: &Symbols) -> bool {
    let is_fallback = || std::str::from_utf8(token).is_ok_and(is_fallback_token);
    symbols.is_symbol(token) || symbols.characters && is_fallback()
}

impl<'s> Spellings<'s> {
    /// Reads an object that maps spellings to ids, from a file of this length in bytes.
    pub(super) fn read(at: &At<'s>, bytes: usize) -> Result<Self, HuggingFaceError> {
        let mut ids = HashMap::default();
        for (spelling, id) in at.entries()? {
            let Json::Integer(id) = *id else {
                return Err(at.field(spelling).expected("an id"));
            };
            let checked = TokenId::try_from(id).ok().filter(|&id| id <= MAX_TOKEN_ID);
            let checked = checked.ok_or_else(|| ModelError::from(VocabError::IdTooHigh { id }))?;
            if checked as usize >= id_limit(bytes) {
                return Err(HuggingFaceError::Sparse { id: checked, bytes });
            }
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

    /// Whether a single byte is in the vocabulary, in its byte-level spelling.
    pub(super) fn has_byte(&self, byte: u8) -> bool {
        self.id(&spell(&[byte])).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'s str, TokenId)> {
        self.ids.iter().map(|(&spelling, &id)| (spelling, id))
    }

    /// The merge of a pair of spellings; `None` for a merge that could not be read as a pair. `prefix` is
    /// removed from the right token.
    pub(super) fn merge(
        &self,
        pair: Option<(&str, &str)>,
        prefix: &str,
    ) -> Result<Merge, MergeFault> {
        let (left, right) = pair.ok_or(MergeFault::Form)?;
        let known = |token: &str| {
            self.id(token)
                .ok_or_else(|| MergeFault::UnknownToken(token.into()))
        };
        let (left_id, right_id) = (known(left)?, known(right)?);
        // `tokenizers` removes any bytes, but a token without the prefix never is on the right.
        let rest = right.strip_prefix(prefix);
        let rest = rest.filter(|rest| !rest.is_empty() || prefix.is_empty());
        let rest = rest.ok_or_else(|| MergeFault::NoPrefix(right.into()))?;
        let joined = [left, rest].concat();
        Ok(Merge {
            left: left_id,
            right: right_id,
            token: self.id(&joined).ok_or(MergeFault::UnknownResult(joined))?,
        })
    }

    /// Numbers the added tokens as `tokenizers` does, which ignores the ids in the file: an added token
    /// whose text is in the vocabulary has its id there, and the others follow from the size of the
    /// vocabulary on.
    pub(super) fn number(&self, added: &mut [SpecialToken]) {
        let mut next = self.ids.len() as TokenId;
        for token in added {
            token.id = self.id(&token.content).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
        }
    }

    /// Builds the model. Of a merge listed twice, the last counts.
    ///
    /// An added token that is also in the vocabulary becomes an ordinary token too only if it may be needed:
    /// it can be a first symbol or is a token of byte fallback, a merge uses or creates it, or
    /// `ignore_merges` is on.
    ///
    /// No piece of a byte-level model has a token whose text is not byte-level, as emoji in Command R's files. It
    /// decodes to its text. If that is a single byte or another token has it, its id is left out, and does not
    /// decode. Such tokens are refused if they could matter: with `ignore_merges`, in a merge, or if `is_spelled`,
    /// for then the decoder reads the spelling of tokens.
    pub(super) fn model(
        &self,
        pattern: Pattern,
        mut merges: Vec<Merge>,
        ignore_merges: bool,
        added: &[SpecialToken],
        symbols: Symbols,
        is_spelled: bool,
    ) -> Result<Model, HuggingFaceError> {
        let mut later: HashSet<Pair, Seeds> = HashSet::default();
        merges.reverse();
        merges.retain(|merge| later.insert(merge.pair()));
        merges.reverse();
        let merged: HashSet<TokenId, Seeds> = merges
            .iter()
            .flat_map(|merge| [merge.left, merge.right, merge.token])
            .collect();
        let contents: HashSet<&str, Seeds> =
            added.iter().map(|token| token.content.as_str()).collect();
        let mut tokens: Vec<(TokenId, Vec<u8>)> = Vec::with_capacity(self.ids.len());
        let bytes_of = |spelling: &str| match symbols.characters {
            true => Some(spelling.as_bytes().to_vec()),
            false => bytes_of(spelling),
        };
        for (spelling, id) in self.iter() {
            let is_added = contents.contains(spelling);
            match bytes_of(spelling) {
                Some(bytes) => {
                    let is_needed =
                        ignore_merges || merged.contains(&id) || is_symbol(&bytes, &symbols);
                    if !is_added || is_needed {
                        tokens.push((id, bytes));
                    }
                }
                None if is_added => {}
                None if is_spelled || ignore_merges || merged.contains(&id) => {
                    let token = spelling.to_owned();
                    return Err(HuggingFaceError::NotByteLevel { token });
                }
                None => {
                    let text = spelling.as_bytes();
                    if text.len() > 1 && self.id(&spell(text)).is_none() {
                        tokens.push((id, text.to_vec()));
                    }
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
        Ok(Model::with_symbols(
            pattern, vocab, merging, specials, symbols,
        )?)
    }
}
