//! The first symbols of a piece, in models in which not every byte is a token.
//!
//! Merging usually starts from the tokens of single bytes. There are two kinds of exceptions, both read from a
//! `tokenizer.json`:
//!
//! - Byte-level models in which a byte is not a token. Each byte of a piece is one symbol.
//! - Models like those of SentencePiece, whose tokens are text. Each character of a piece is one symbol.
//!
//! In models with affixes, such as CLIP's, the symbol at the end of a piece has a suffix in the vocabulary, or the
//! symbols after the first have a prefix: `o` at the end of a piece is the token `o</w>`.
//!
//! A symbol that is not a token is replaced by the tokens `<0x00>` to `<0xFF>` of its bytes (byte fallback) or
//! by the unknown token. No merge applies to these, so they may also be inserted after merging, which is how
//! the encoder does it.

use std::ops::Range;

use crate::merges::Merges;
use crate::token::{MAX_TOKEN_ID, TokenId};
use crate::vocab::Vocab;

/// How a piece becomes the symbols with which merging starts, in a model in which not every byte is a token, or
/// in which a symbol's token depends on its position in the piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    /// Whether each character of a piece is a symbol, rather than each byte. A maximal invalid sequence of
    /// bytes counts as one character.
    pub characters: bool,
    /// Whether a character that is not a token becomes the tokens `<0x00>` to `<0xFF>` of its bytes, if the
    /// vocabulary has all those that it needs. Ignored unless `characters` is set.
    pub byte_fallback: bool,
    /// The token for any other symbol that is not a token. Without it, a text with such a symbol is an
    /// error.
    pub unknown: Option<TokenId>,
    /// Whether adjacent unknown symbols of a piece become one unknown token.
    pub fuse_unknown: bool,
    /// The prefix of the tokens of all symbols of a piece but the first. In a merge, it is removed from the right
    /// token before the two are joined. Empty in most models.
    pub continuing_subword_prefix: Vec<u8>,
    /// The suffix of the token of the last symbol of a piece. Empty in most models.
    pub end_of_word_suffix: Vec<u8>,
}

/// Symbols that contradict the rest of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolsError {
    /// The model merges by rank, in which case every byte must be a token.
    #[error("a model that merges by rank needs a token for each byte")]
    Ranks,
    /// A merge uses the unknown token or a token of byte fallback.
    #[error("merge {rank} uses token {id}, which stands for unknown characters")]
    Merge {
        /// Rank of the merge.
        rank: usize,
        /// The token.
        id: TokenId,
    },
    /// The unknown token is not a token.
    #[error("the unknown token has id {id}, which is not a token")]
    UnknownId {
        /// The id.
        id: TokenId,
    },
    /// The model has byte fallback and a prefix or suffix of tokens.
    #[error("byte fallback is not supported together with a subword prefix or a word suffix")]
    Fallback,
    /// The ids and merges leave no room for those that the encoder adds for incomplete characters.
    #[error("too many ids and merges for a model whose symbols are characters")]
    TooMany,
}

/// The tokens of byte fallback, by byte; `None` for a byte without one.
pub(crate) type ByteFallback = [Option<TokenId>; 256];

impl Symbols {
    /// Returns whether the token of a symbol depends on its position in the piece.
    pub(crate) fn has_affixes(&self) -> bool {
        !self.continuing_subword_prefix.is_empty() || !self.end_of_word_suffix.is_empty()
    }

    /// Returns the token of the symbol `piece[span]`.
    pub(crate) fn id(&self, vocab: &Vocab, piece: &[u8], span: Range<usize>) -> Option<TokenId> {
        if !self.has_affixes() {
            return vocab.id(&piece[span]);
        }
        let (is_first, is_last) = (span.start == 0, span.end == piece.len());
        let prefix = (!is_first).then_some(&self.continuing_subword_prefix[..]);
        let suffix = is_last.then_some(&self.end_of_word_suffix[..]);
        let (prefix, suffix) = (prefix.unwrap_or_default(), suffix.unwrap_or_default());
        vocab.id(&[prefix, &piece[span], suffix].concat())
    }

    /// Returns whether a token can be a first symbol: a byte or character, with or without affixes.
    #[cfg(feature = "huggingface")]
    pub(crate) fn is_symbol(&self, token: &[u8]) -> bool {
        let without_prefix = token.strip_prefix(&self.continuing_subword_prefix[..]);
        [Some(token), without_prefix]
            .into_iter()
            .flatten()
            .any(|token| {
                let without_suffix = token.strip_suffix(&self.end_of_word_suffix[..]);
                let mut forms = [Some(token), without_suffix].into_iter().flatten();
                forms.any(|form| !form.is_empty() && self.symbol_end(form, 0) == form.len())
            })
    }

    /// Returns the tokens of byte fallback, or `None` without byte fallback.
    pub(crate) fn byte_fallback(&self, vocab: &Vocab) -> Option<Box<ByteFallback>> {
        (self.characters && self.byte_fallback).then(|| {
            let mut ids = Box::new([None; 256]);
            for (id, byte) in ids.iter_mut().zip(0..=255_u8) {
                *id = vocab.id(fallback_token(byte).as_bytes());
            }
            ids
        })
    }

    /// Checks the symbols against the merges, which are `None` for a model of ranks. `id_limit` is one more
    /// than the highest id.
    pub(crate) fn check(
        &self,
        vocab: &Vocab,
        merges: Option<&Merges>,
        id_limit: usize,
    ) -> Result<(), SymbolsError> {
        let merges = merges.ok_or(SymbolsError::Ranks)?;
        if self.byte_fallback && self.has_affixes() {
            return Err(SymbolsError::Fallback);
        }
        let fallback = self.byte_fallback(vocab);
        let fallback = fallback.iter().flat_map(|ids| ids.iter().copied());
        let mut special: Vec<TokenId> = fallback.chain([self.unknown]).flatten().collect();
        special.sort_unstable();
        for (rank, merge) in merges.iter().enumerate() {
            for id in [merge.left, merge.right] {
                if special.binary_search(&id).is_ok() {
                    return Err(SymbolsError::Merge { rank, id });
                }
            }
        }
        // The encoder adds an id for each byte, and at most two ids and three merges for each character.
        let characters = match self.characters {
            true => characters(vocab).count(),
            false => 0,
        };
        let (ids, rules) = (
            id_limit + 256 + 2 * characters,
            merges.len() + 3 * characters,
        );
        match ids.max(rules) > MAX_TOKEN_ID as usize {
            true => Err(SymbolsError::TooMany),
            false => Ok(()),
        }
    }

    /// Returns the first symbols of a piece in order, each with its length in bytes, by definition: the order
    /// is that of `tokenizers`, which emits an unknown token only before the next symbol that is a token.
    ///
    /// # Errors
    /// The byte offset of the first symbol for which there is no token.
    pub(crate) fn of_piece(
        &self,
        vocab: &Vocab,
        piece: &[u8],
    ) -> Result<Vec<(TokenId, usize)>, usize> {
        let fallback = self.byte_fallback(vocab);
        let mut symbols = Vec::new();
        let mut unknown = UnknownSymbols::new(self, fallback.as_deref());
        let mut at = 0;
        while at < piece.len() {
            let end = self.symbol_end(piece, at);
            match self.id(vocab, piece, at..end) {
                Some(id) => {
                    symbols.extend(unknown.take());
                    symbols.push((id, end - at));
                }
                None => {
                    let known =
                        unknown.add(&piece[at..end], |id, length| symbols.push((id, length)));
                    known.ok_or(at)?;
                }
            }
            at = end;
        }
        symbols.extend(unknown.take());
        Ok(symbols)
    }

    /// Returns the end of the symbol that starts at `text[at]`.
    pub(crate) fn symbol_end(&self, text: &[u8], at: usize) -> usize {
        if !self.characters {
            return at + 1;
        }
        let next = &text[at..text.len().min(at + 4)];
        let length = next.utf8_chunks().next().map_or(1, |chunk| {
            let first = chunk.valid().chars().next();
            first.map_or(chunk.invalid().len(), char::len_utf8)
        });
        at + length
    }
}

/// Replaces the symbols of a piece that are not tokens.
pub(crate) struct UnknownSymbols<'s> {
    symbols: &'s Symbols,
    fallback: Option<&'s ByteFallback>,
    /// The unknown token that was not emitted yet, with its length in bytes.
    pending: Option<(TokenId, usize)>,
}

impl<'s> UnknownSymbols<'s> {
    pub(crate) fn new(symbols: &'s Symbols, fallback: Option<&'s ByteFallback>) -> Self {
        UnknownSymbols {
            symbols,
            fallback,
            pending: None,
        }
    }

    /// Returns the pending unknown token. To be called before each token and at the end of each piece.
    pub(crate) fn take(&mut self) -> Option<(TokenId, usize)> {
        self.pending.take()
    }

    /// Adds a symbol that is not a token, and calls `emit` with the tokens that precede the next symbol.
    /// Returns `None` if there is no token for the symbol.
    pub(crate) fn add(
        &mut self,
        symbol: &[u8],
        mut emit: impl FnMut(TokenId, usize),
    ) -> Option<()> {
        let fallback = |byte: &u8| self.fallback.and_then(|ids| ids[usize::from(*byte)]);
        if symbol.iter().all(|byte| fallback(byte).is_some()) {
            // As in `tokenizers`, these overtake a pending unknown token.
            symbol
                .iter()
                .filter_map(fallback)
                .for_each(|id| emit(id, 1));
            return Some(());
        }
        let unknown = self.symbols.unknown?;
        let fused = match self.pending.take() {
            Some((_, length)) if self.symbols.fuse_unknown => length,
            Some((id, length)) => {
                emit(id, length);
                0
            }
            None => 0,
        };
        self.pending = Some((unknown, fused + symbol.len()));
        Some(())
    }
}

/// The spelling of the token of byte fallback for a byte.
pub(crate) fn fallback_token(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// Returns the tokens that are one character, with their ids.
pub(crate) fn characters(vocab: &Vocab) -> impl Iterator<Item = (TokenId, &str)> {
    vocab.iter().filter_map(|(id, token)| {
        let text = (token.len() <= 4).then(|| std::str::from_utf8(token).ok())??;
        let mut characters = text.chars();
        (characters.next().is_some() && characters.next().is_none()).then_some((id, text))
    })
}
