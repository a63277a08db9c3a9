//! Hidden symbols: how the byte-level encoder encodes models in which not every byte is a token.
//!
//! **Idea.** Each byte that is not a token gets a *hidden id* above all ids of the model. If the symbols are
//! characters, so does each proper prefix of the UTF-8 form of a character that is a token, and *hidden
//! merges* of lower rank than all others build these characters byte by byte. Everything else in `encode` then
//! works as for any other model; only here are hidden ids known. After a run of pieces is encoded, the hidden
//! ids left over are replaced by tokens of byte fallback or by the unknown token (`symbols.rs`).
//!
//! **Proof.** UTF-8 is self-synchronizing: the left side of a hidden merge starts with the first byte of a
//! character, and its right side is a continuation byte. So hidden merges never compete for a byte, all of
//! them precede the other merges, and they build exactly the characters that are tokens. A character that is
//! not a token leaves hidden ids only, to which no other merge applies.
//!
//! **Cost.** One comparison per id; replacing takes time linear in the ids of a run with hidden ids.

use hashbrown::HashMap;

use crate::hash::Seeds;
use crate::merges::{Merge, Merges};
use crate::model::Model;
use crate::symbols::{ByteFallback, Symbols, UnknownSymbols, characters};
use crate::token::TokenId;
use crate::vocab::{HashedToken, Vocab};

/// The hidden symbols of a model.
pub(super) struct HiddenSymbols {
    symbols: Symbols,
    fallback: Option<Box<ByteFallback>>,
    /// The lowest hidden id.
    first: TokenId,
    /// The length in bytes of each hidden symbol.
    lengths: Vec<u8>,
    bytes: [HashedToken; 256],
    /// The hidden merges, followed by those of the model.
    merges: Merges,
}

impl HiddenSymbols {
    /// Returns the hidden symbols of a model; `None` if every byte is a token.
    pub(super) fn new(model: &Model, model_merges: &Merges) -> Option<Self> {
        let symbols = model.symbols()?;
        let vocab = model.vocab();
        let first = model.id_limit() as TokenId;
        let mut lengths = Vec::new();
        let mut hidden = |length: u8| {
            lengths.push(length);
            HashedToken::unhashed(first + lengths.len() as TokenId - 1, length.into())
        };
        let mut bytes = [HashedToken::NONE; 256];
        for (token, byte) in bytes.iter_mut().zip(0..=255_u8) {
            // A byte above ASCII is never a character.
            let known = vocab.byte_ids()[usize::from(byte)];
            let known = known.filter(|_| byte.is_ascii() || !symbols.characters);
            *token = match known {
                Some(id) => vocab.hashed(id),
                None => hidden(1),
            };
        }
        let mut rules = Vec::new();
        if symbols.characters {
            let mut prefixes = HashMap::<(TokenId, u8), TokenId, Seeds>::default();
            for (id, character) in characters(vocab).filter(|(_, text)| text.len() > 1) {
                let text = character.as_bytes();
                let mut left = bytes[usize::from(text[0])].id;
                for (&byte, length) in text[1..].iter().zip(2_u8..) {
                    let right = bytes[usize::from(byte)].id;
                    let is_whole = usize::from(length) == text.len();
                    left = *prefixes.entry((left, byte)).or_insert_with(|| {
                        let token = if is_whole { id } else { hidden(length).id };
                        rules.push(Merge { left, right, token });
                        token
                    });
                }
            }
        }
        rules.extend(model_merges.iter());
        Some(HiddenSymbols {
            fallback: symbols.byte_fallback(vocab),
            symbols,
            first,
            lengths,
            bytes,
            // Hidden pairs are distinct, and use ids that the model's pairs do not.
            merges: Merges::new(rules).unwrap_or_default(),
        })
    }

    /// The tokens or hidden symbols of single bytes.
    pub(super) fn bytes(&self) -> [HashedToken; 256] {
        self.bytes
    }

    /// The hidden merges, followed by those of the model.
    #[inline(always)]
    pub(super) fn merges(&self) -> &Merges {
        &self.merges
    }

    /// The byte of a hidden symbol that is a single byte.
    pub(super) fn byte(&self, id: TokenId) -> Option<u8> {
        let index = id.checked_sub(self.first)?;
        let is_byte = self.lengths.get(index as usize) == Some(&1);
        let same = |byte: &u8| self.bytes[usize::from(*byte)].id == id;
        is_byte.then(|| (0..=255).find(same)).flatten()
    }

    /// The length in bytes of a token or hidden symbol.
    pub(super) fn length(&self, vocab: &Vocab, id: TokenId) -> usize {
        match id.checked_sub(self.first) {
            None => vocab.token(id).map_or(0, <[u8]>::len),
            Some(index) => self.lengths.get(index as usize).map_or(0, |&n| n.into()),
        }
    }

    /// Replaces the hidden ids in `ids[from..]`, which are those of the pieces of `text` that start at `start`
    /// and end at `ends`. If there are any, `lengths` gets the number of bytes that each id then covers;
    /// otherwise it is emptied.
    ///
    /// # Errors
    /// The byte range of the first symbol for which there is no token.
    pub(super) fn replace(
        &self,
        vocab: &Vocab,
        text: &[u8],
        (start, ends): (usize, &[usize]),
        ids: &mut Vec<TokenId>,
        from: usize,
        lengths: &mut Vec<usize>,
    ) -> Result<(), std::ops::Range<usize>> {
        lengths.clear();
        if ids[from..].iter().all(|&id| id < self.first) {
            return Ok(());
        }
        let run = ids.split_off(from);
        let mut run = run.into_iter();
        let mut push = |id, length| {
            ids.push(id);
            lengths.push(length);
        };
        let mut unknown = UnknownSymbols::new(&self.symbols, self.fallback.as_deref());
        let mut at = start;
        for &end in ends {
            while at < end
                && let Some(id) = run.next()
            {
                if id < self.first {
                    if let Some((id, length)) = unknown.take() {
                        push(id, length);
                    }
                    let length = self.length(vocab, id);
                    push(id, length);
                    at += length;
                    continue;
                }
                // The other hidden ids of the same character.
                let symbol = at..self.symbols.symbol_end(&text[..end], at);
                at += self.length(vocab, id);
                while at < symbol.end
                    && let Some(id) = run.next()
                {
                    at += self.length(vocab, id);
                }
                let known = unknown.add(&text[symbol.clone()], &mut push);
                known.ok_or(symbol)?;
            }
            if let Some((id, length)) = unknown.take() {
                push(id, length);
            }
        }
        Ok(())
    }
}
