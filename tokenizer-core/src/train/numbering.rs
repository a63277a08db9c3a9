//! The ids of the initial tokens, which also determine how ties are broken.
//!
//! Of two pairs with equal counts, training always merges the smaller. Tie-breaking rules differ only in how
//! bytes are numbered. So the trainer works on *symbols*: bytes are 0 to 255 in tie-break order, and merges
//! follow from 256 on. [`Numbering`] maps symbols to ids.

use crate::byte_level::{bytes_in_order, bytes_of};
use crate::merges::{Merge, Merges, MergesError};
use crate::token::{Pair, TokenId};

/// How ids are assigned, and therefore how ties are broken: of two equally frequent pairs, the one with the
/// smaller `(left id, right id)` is merged first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TieBreak {
    /// Like rustbpe: a byte is its own id, merges follow from 256 on, and special tokens come last.
    #[default]
    Raw,
    /// Like `BpeTrainer` of Hugging Face's `tokenizers` with the byte-level initial alphabet: the vocabulary
    /// and the merges are the same. Special tokens come first, then the bytes in the order of their
    /// byte-level characters (`!` to `~`, `¡` to `¬`, `®` to `ÿ`, then the 68 others), then the merges.
    ///
    /// [`max_token_bytes`](super::TrainOptions::max_token_bytes) is inclusive, while `max_token_length` of
    /// `BpeTrainer` is exclusive: for a `max_token_length` of 17, pass 16. `BpeTrainer` merges two
    /// single bytes whatever its limit, so a limit below 2 means 2.
    ///
    /// `BpeTrainer` gives a special token and an ordinary token with the same text one id. Here, learning
    /// such a token is an error. Single bytes are the exception: the special token `a` and the byte `a` share
    /// an id.
    HuggingFace,
}

/// The initial tokens of a vocabulary: the bytes and, with [`TieBreak::HuggingFace`], the special tokens
/// before them.
pub(crate) struct Numbering {
    /// The bytes of each token, by id. For a special token, the bytes that its text spells in the byte-level
    /// alphabet; empty if the text has characters outside this alphabet.
    tokens: Vec<Vec<u8>>,
    /// The number of special tokens, which come first.
    specials: usize,
    symbol_of_byte: [TokenId; 256],
    id_of_symbol: [TokenId; 256],
}

impl Numbering {
    pub(crate) fn new(tie_break: TieBreak, specials: &[String]) -> Self {
        match tie_break {
            TieBreak::Raw => {
                let ids = std::array::from_fn(|byte| byte as TokenId);
                Numbering {
                    tokens: (0..=255u8).map(|byte| vec![byte]).collect(),
                    specials: 0,
                    symbol_of_byte: ids,
                    id_of_symbol: ids,
                }
            }
            TieBreak::HuggingFace => Self::specials_first(specials),
        }
    }

    /// Numbers the special tokens, then the bytes. A special token that spells a single byte shares its id
    /// with that byte.
    fn specials_first(specials: &[String]) -> Self {
        let mut tokens: Vec<Vec<u8>> = specials
            .iter()
            .map(|content| bytes_of(content).unwrap_or_default())
            .collect();
        for byte in bytes_in_order() {
            if !tokens.iter().any(|token| *token == [byte]) {
                tokens.push(vec![byte]);
            }
        }
        let (mut symbol_of_byte, mut id_of_symbol) = ([0; 256], [0; 256]);
        let bytes = tokens
            .iter()
            .zip(0..)
            .filter_map(|(token, id)| match **token {
                [byte] => Some((byte, id)),
                _ => None,
            });
        for ((byte, id), symbol) in bytes.zip(0..256) {
            symbol_of_byte[byte as usize] = symbol as TokenId;
            id_of_symbol[symbol] = id;
        }
        Numbering {
            tokens,
            specials: specials.len(),
            symbol_of_byte,
            id_of_symbol,
        }
    }

    /// The number of initial tokens.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The symbol of each byte, indexed by byte.
    pub(super) fn symbols(&self) -> &[TokenId; 256] {
        &self.symbol_of_byte
    }

    /// Returns the id of a symbol. Merge `k` produces symbol `256 + k`.
    pub(super) fn id(&self, symbol: TokenId) -> TokenId {
        match self.id_of_symbol.get(symbol as usize) {
            Some(&id) => id,
            None => symbol - 256 + self.len() as TokenId,
        }
    }

    /// Converts a pair of symbols to a pair of ids.
    pub(super) fn pair(&self, pair: Pair) -> Pair {
        Pair::new(self.id(pair.left()), self.id(pair.right()))
    }

    /// Converts learned pairs of symbols to merges of ids.
    pub(super) fn merges(&self, pairs: &[Pair]) -> Result<Merges, MergesError> {
        let merges = pairs.iter().zip(256..).map(|(pair, symbol)| Merge {
            left: self.id(pair.left()),
            right: self.id(pair.right()),
            token: self.id(symbol),
        });
        Merges::new(merges.collect())
    }

    /// Returns the ids and bytes of all ordinary tokens: the bytes, and the tokens that `merges` produce.
    ///
    /// # Errors
    /// If the merges were not learned with this numbering, or the tokens exceed 4 GiB in total.
    pub(crate) fn ordinary(&self, merges: &Merges) -> Result<Vec<(TokenId, Vec<u8>)>, MergesError> {
        let mut tokens = self.tokens.clone();
        let mut bytes = 0;
        for (rank, merge) in merges.iter().enumerate() {
            let token = |id: TokenId| {
                let token = tokens.get(id as usize).map(Vec::as_slice);
                token.ok_or(MergesError::LaterToken { rank, id })
            };
            let (left, right) = (token(merge.left)?, token(merge.right)?);
            if merge.token as usize != tokens.len() {
                return Err(MergesError::NotTrained { rank });
            }
            bytes += left.len() as u64 + right.len() as u64;
            if bytes > u64::from(u32::MAX) {
                return Err(MergesError::TooLong { rank });
            }
            tokens.push([left, right].concat());
        }
        let is_ordinary =
            |(id, token): &(TokenId, Vec<u8>)| *id >= self.len() as TokenId || token.len() == 1;
        Ok((0..).zip(tokens).filter(is_ordinary).collect())
    }
}

/// Detects merges that produce the text of a special token.
pub(super) struct SpecialCollisions<'n> {
    specials: &'n [Vec<u8>],
    /// The bytes of each symbol.
    by_symbol: Vec<Vec<u8>>,
}

impl<'n> SpecialCollisions<'n> {
    pub(super) fn new(numbering: &'n Numbering) -> Self {
        let byte = |symbol| numbering.tokens[numbering.id(symbol) as usize].clone();
        SpecialCollisions {
            specials: &numbering.tokens[..numbering.specials],
            by_symbol: (0..256).map(byte).collect(),
        }
    }

    /// Adds the token that a pair of symbols produces. Returns the index of the special token with the same
    /// text, if there is one.
    pub(super) fn add(&mut self, pair: Pair) -> Option<usize> {
        let bytes = |symbol: TokenId| self.by_symbol[symbol as usize].as_slice();
        let joined = [bytes(pair.left()), bytes(pair.right())].concat();
        let special = self.specials.iter().position(|special| *special == joined);
        self.by_symbol.push(joined);
        special
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbering(specials: &[&str]) -> Numbering {
        let specials: Vec<String> = specials.iter().map(|&s| s.to_owned()).collect();
        Numbering::new(TieBreak::HuggingFace, &specials)
    }

    #[test]
    fn special_tokens_come_first_and_then_bytes_by_byte_level_character() {
        let numbering = numbering(&["<s>", "東"]);
        assert_eq!(numbering.len(), 258);
        assert_eq!(numbering.tokens[..4], [&b"<s>"[..], b"", b"!", b"\""]);
        assert_eq!(numbering.symbols()[usize::from(b'!')], 0);
        assert_eq!(numbering.symbols()[0], 188);
        assert_eq!(
            (numbering.id(0), numbering.id(188), numbering.id(256)),
            (2, 190, 258)
        );
    }

    #[test]
    fn a_special_token_that_is_a_byte_has_one_id() {
        let numbering = numbering(&["<s>", "b", "a"]);
        assert_eq!(numbering.len(), 257);
        let ids: Vec<TokenId> = (0..4).map(|symbol| numbering.id(symbol)).collect();
        assert_eq!(ids, [1, 2, 3, 4], "b, a, !, \"");
        assert_eq!(numbering.symbols()[usize::from(b'b')], 0);
        assert_eq!(numbering.id(256), 257);
    }

    #[test]
    fn merges_of_another_numbering_are_refused() {
        let one = numbering(&["<s>"]).merges(&[Pair::new(3, 4)]).unwrap();
        let tokens = numbering(&["<s>"]).ordinary(&one).unwrap();
        assert_eq!(tokens[0], (1, b"!".to_vec()));
        assert_eq!(tokens.last(), Some(&(257, b"$%".to_vec())));
        assert_eq!(
            numbering(&[]).ordinary(&one),
            Err(MergesError::NotTrained { rank: 0 })
        );
    }
}
