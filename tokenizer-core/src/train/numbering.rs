//! The tokens that are there before the first merge: their ids, and with them how ties are broken.
//!
//! Training always takes the smallest pair of two that occur equally often. What differs is how the
//! bytes are numbered, so the engine works with *symbols*: the bytes in the order that decides, from
//! 0 on, and the merges behind them, from 256 on. Here is what they are called outside.

use crate::byte_level::{bytes_in_order, bytes_of};
use crate::merges::{Merge, Merges, MergesError};
use crate::token::{Pair, TokenId};

/// How ids are given out, and by that which of two pairs that occur equally often is merged first:
/// always the one with the smaller `(left id, right id)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TieBreak {
    /// As rustbpe has it: a byte is its own id, merges follow from 256 on, special tokens behind
    /// them.
    #[default]
    Raw,
    /// As the `BpeTrainer` of Hugging Face's `tokenizers` has it when its initial alphabet is the
    /// byte-level one: special tokens have the first ids, then come the bytes in the order of the
    /// characters that spell them (`!` to `~`, `¡` to `¬`, `®` to `ÿ`, then the 68 others), then
    /// the merges. The vocabulary and the merges are those of that trainer.
    ///
    /// Its `max_token_length` is exclusive and
    /// [`max_token_bytes`](super::TrainOptions::max_token_bytes) is not: theirs is one more than
    /// ours. That trainer never checks the length of a pair of two bytes, so a limit below two bytes
    /// (theirs below 3) means two.
    ///
    /// A special token and a token of the text that are spelled alike have one id there. Here that
    /// is refused as soon as such a token is learned, except for the single bytes: a special token
    /// `a` is the byte too.
    HuggingFace,
}

/// The first tokens of a vocabulary.
pub(crate) struct Numbering {
    /// By id. A special token is there as the bytes that it spells, or without bytes.
    tokens: Vec<Vec<u8>>,
    /// How many of them are special tokens.
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

    /// A special token that is the spelling of a single byte is that byte too: it stands once.
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

    /// How many ids are taken.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The symbol of each byte, from 0 to 255.
    pub(super) fn symbols(&self) -> &[TokenId; 256] {
        &self.symbol_of_byte
    }

    /// The id of a symbol; merge `k` makes the symbol `256 + k`.
    pub(super) fn id(&self, symbol: TokenId) -> TokenId {
        match self.id_of_symbol.get(symbol as usize) {
            Some(&id) => id,
            None => symbol - 256 + self.len() as TokenId,
        }
    }

    /// A pair of symbols as a pair of ids.
    pub(super) fn pair(&self, pair: Pair) -> Pair {
        Pair::new(self.id(pair.left()), self.id(pair.right()))
    }

    /// Merges whose pairs were learned as symbols.
    pub(super) fn merges(&self, pairs: &[Pair]) -> Result<Merges, MergesError> {
        let rules = pairs.iter().zip(256..).map(|(pair, symbol)| Merge {
            left: self.id(pair.left()),
            right: self.id(pair.right()),
            token: self.id(symbol),
        });
        Merges::new(rules.collect())
    }

    /// The ordinary tokens of a vocabulary of these and of what `merges` make.
    ///
    /// # Errors
    /// When the merges were not learned with this numbering, or the tokens together pass 4 GiB.
    pub(crate) fn ordinary(&self, merges: &Merges) -> Result<Vec<(TokenId, Vec<u8>)>, MergesError> {
        let mut tokens = self.tokens.clone();
        let mut bytes = 0;
        for (rank, rule) in merges.iter().enumerate() {
            let part = |id: TokenId| {
                let token = tokens.get(id as usize).map(Vec::as_slice);
                token.ok_or(MergesError::LaterToken { rank, id })
            };
            let (left, right) = (part(rule.left)?, part(rule.right)?);
            if rule.token as usize != tokens.len() {
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

/// Notices when a merge makes what a special token is spelled like.
pub(super) struct Spelled<'n> {
    specials: &'n [Vec<u8>],
    by_symbol: Vec<Vec<u8>>,
}

impl<'n> Spelled<'n> {
    pub(super) fn new(numbering: &'n Numbering) -> Self {
        let byte = |symbol| numbering.tokens[numbering.id(symbol) as usize].clone();
        Spelled {
            specials: &numbering.tokens[..numbering.specials],
            by_symbol: (0..256).map(byte).collect(),
        }
    }

    /// Adds what a pair makes; gives the number of the special token that is spelled so.
    pub(super) fn add(&mut self, pair: Pair) -> Option<usize> {
        let part = |symbol: TokenId| self.by_symbol[symbol as usize].as_slice();
        let joined = [part(pair.left()), part(pair.right())].concat();
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
    fn special_tokens_come_first_and_then_bytes_by_their_characters() {
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
    fn a_special_token_that_is_a_byte_stands_once() {
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
