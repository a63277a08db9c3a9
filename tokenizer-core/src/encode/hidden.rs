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
//! **Affixes.** If symbols depend on their position in the piece, they are looked up one by one, and merging
//! starts from these instead of bytes (`merge.rs`). A symbol that is not a token becomes a hidden id of its
//! length. A token is then longer than the text it covers: by the prefix unless it starts the piece, and by
//! the suffix if it ends the piece.
//!
//! **Cost.** One comparison per id; replacing takes time linear in the ids of a run with hidden ids, or of any
//! run with affixes.

use std::ops::Range;

use hashbrown::HashMap;

use crate::hash::Seeds;
use crate::merges::{Merge, Merges};
use crate::model::Model;
use crate::symbols::{ByteFallback, Symbols, UnknownSymbols, characters};
use crate::token::TokenId;
use crate::vocab::{HashedToken, Vocab};

/// Maximum length in bytes of a first symbol.
const MAX_SYMBOL_BYTES: u8 = 4;

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
    /// Returns the hidden symbols of a model; `None` if every byte is a token and a first symbol.
    pub(super) fn new(model: &Model, model_merges: &Merges) -> Option<Self> {
        let symbols = model.symbols()?.clone();
        let vocab = model.vocab();
        let first = model.id_limit() as TokenId;
        if symbols.has_affixes() {
            return Some(HiddenSymbols {
                symbols,
                fallback: None,
                first,
                lengths: (1..=MAX_SYMBOL_BYTES).collect(),
                bytes: [HashedToken::NONE; 256],
                merges: model_merges.clone(),
            });
        }
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

    /// Whether merging starts from [`HiddenSymbols::symbols`] instead of bytes.
    pub(super) fn has_affixes(&self) -> bool {
        self.symbols.has_affixes()
    }

    /// The first symbols of a piece of a model with affixes.
    pub(super) fn symbols(&self, vocab: &Vocab, piece: &[u8]) -> impl Iterator<Item = HashedToken> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let end = (at < piece.len()).then(|| self.symbols.symbol_end(piece, at))?;
            let length = (end - at) as u32;
            let id = self.symbols.id(vocab, piece, at..end);
            at = end;
            Some(HashedToken::unhashed(
                id.unwrap_or(self.first + length - 1),
                length,
            ))
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

    /// The number of bytes that a token of `length` bytes covers from `at` in a piece. A token that does not end
    /// the piece has no suffix, so it cannot reach beyond the end.
    fn covered(&self, length: usize, at: usize, piece: Range<usize>) -> usize {
        let prefix = &self.symbols.continuing_subword_prefix;
        let length = match at > piece.start {
            true => length - prefix.len(),
            false => length,
        };
        length.min(piece.end - at)
    }

    /// Replaces the hidden ids in `ids[from..]`, which are those of the pieces of `text` that start at `start`
    /// and end at `ends`. If there are any, or tokens have affixes, `lengths` gets the number of bytes that each
    /// id then covers; otherwise it is emptied.
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
    ) -> Result<(), Range<usize>> {
        lengths.clear();
        if !self.has_affixes() && ids[from..].iter().all(|&id| id < self.first) {
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
            let start = at;
            while at < end
                && let Some(id) = run.next()
            {
                if id < self.first {
                    if let Some((id, length)) = unknown.take() {
                        push(id, length);
                    }
                    let mut length = self.length(vocab, id);
                    if self.has_affixes() {
                        length = self.covered(length, at, start..end);
                    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::EncodeError;
    use crate::merge_steps::MergeRule;
    use crate::model::Merging;
    use crate::normalize::Normalizer;
    use crate::pattern::{Gaps, Pattern};
    use crate::reference;
    use crate::rewrite::{Metaspace, PrependScheme, RewriteStep};
    use crate::simd::Tier;
    use crate::special::{SpecialToken, SpecialTokens};
    use crate::symbols::fallback_token;
    use crate::token::Pair;
    use crate::tokenizer::Tokenizer;
    use crate::vocab::Repeats;
    use hashbrown::HashSet;
    use proptest::prelude::*;

    /// Characters of one to four bytes, some of which share prefixes.
    const LETTERS: [&str; 10] = [
        "a",
        "b",
        "\u{e9}",
        "\u{f1}",
        "\u{2581}",
        "\u{2582}",
        "\u{4e2d}",
        "\u{1f600}",
        "\u{1f601}",
        "\n",
    ];

    /// Text and invalid UTF-8 that is a token in no generated model, except for `<unk>`.
    const OTHERS: [&[u8]; 8] = [
        b"x",
        b"<unk>",
        b"\xE4",
        b"\xE2\x96",
        b"\x81",
        b"\xFF",
        b"\xF0\x9F\x98",
        b"\xCD\xB8",
    ];

    /// The parts of a model from which the reference encodes.
    #[derive(Clone, Debug)]
    struct Parts {
        tokens: Vec<Vec<u8>>,
        merges: Vec<Merge>,
        symbols: Symbols,
        ignore_merges: bool,
        splits: bool,
    }

    impl Parts {
        fn model(&self) -> Model {
            let tokens = self.tokens.iter().zip(0..);
            let vocab = Vocab::new(tokens.map(|(token, id)| (id, &token[..])), Repeats::Refuse);
            let merging = Merging::Merges {
                merges: Merges::new(self.merges.clone()).unwrap(),
                ignore_merges: self.ignore_merges,
            };
            let pattern = match self.splits {
                true => Pattern::regex("\n", Gaps::Keep).unwrap(),
                false => Pattern::sequence([]),
            };
            let (vocab, specials) = (vocab.unwrap(), SpecialTokens::default());
            let symbols = self.symbols.clone();
            Model::with_symbols(pattern, vocab, merging, specials, symbols).unwrap()
        }

        /// Ids with their lengths in bytes, or `None` for a symbol without a token.
        fn reference(&self, piece: &[u8]) -> Option<Vec<(TokenId, usize)>> {
            let id = |bytes: &[u8]| {
                let at = self.tokens.iter().position(|token| token == bytes)?;
                TokenId::try_from(at).ok()
            };
            if let Some(id) = id(piece).filter(|_| self.ignore_merges) {
                return Some(vec![(id, piece.len())]);
            }
            let Symbols {
                characters,
                byte_fallback,
                unknown,
                fuse_unknown,
                ref continuing_subword_prefix,
                ref end_of_word_suffix,
            } = self.symbols;
            let units: Vec<&[u8]> = match characters {
                true => piece
                    .utf8_chunks()
                    .flat_map(|chunk| {
                        let valid = chunk.valid().split_inclusive(|_| true).map(str::as_bytes);
                        valid.chain((!chunk.invalid().is_empty()).then_some(chunk.invalid()))
                    })
                    .collect(),
                false => piece.chunks(1).collect(),
            };
            let fallback = |byte| match characters && byte_fallback {
                true => id(fallback_token(byte).as_bytes()),
                false => None,
            };
            let symbol = |index, unit: &[u8]| {
                let (is_first, is_last) = (index == 0, index + 1 == units.len());
                let prefix = (!is_first).then_some(&continuing_subword_prefix[..]);
                let suffix = is_last.then_some(&end_of_word_suffix[..]);
                id(&[prefix.unwrap_or_default(), unit, suffix.unwrap_or_default()].concat())
            };
            let symbols =
                reference::first_symbols(&units, symbol, fallback, unknown, fuse_unknown)?;
            // The reference merges ids; lengths are summed over the symbols that a token replaced.
            let mut merged = symbols;
            loop {
                let best = merged.windows(2).enumerate().filter_map(|(at, two)| {
                    let rank = self
                        .merges
                        .iter()
                        .position(|merge| merge.pair() == Pair::new(two[0].0, two[1].0))?;
                    Some((rank, at))
                });
                let Some((rank, at)) = best.min() else {
                    return Some(merged);
                };
                merged[at] = (self.merges[rank].token, merged[at].1 + merged[at + 1].1);
                merged.remove(at + 1);
            }
        }
    }

    /// Prefixes and suffixes, some of which occur in texts.
    const AFFIXES: [(&str, &str); 7] = [
        ("", ""),
        ("", ""),
        ("", "</w>"),
        ("##", ""),
        ("##", "</w>"),
        ("", "a"),
        ("b", "ab"),
    ];

    /// Models of characters or bytes, with and without affixes, unknown tokens and (incomplete) byte fallback.
    fn any_parts() -> impl Strategy<Value = Parts> {
        let words = prop::collection::vec(
            prop::collection::vec(prop::sample::select(&LETTERS[..]), 1..5),
            0..20,
        );
        let splits = prop::collection::vec(any::<prop::sample::Index>(), 40);
        let present = prop::collection::vec(prop::bool::weighted(0.7), 256);
        let affixes = prop::sample::select(&AFFIXES[..]);
        let ends = prop::collection::vec(any::<[bool; 2]>(), 20);
        (
            words,
            ends,
            affixes,
            splits,
            present,
            any::<[bool; 5]>(),
            0..3_u8,
        )
            .prop_map(
                |(
                    words,
                    ends,
                    (prefix, suffix),
                    splits,
                    present,
                    [
                        characters,
                        has_unknown,
                        fuse_unknown,
                        ignore_merges,
                        splits_lines,
                    ],
                    fallback,
                )| {
                    let mut tokens: Vec<Vec<u8>> = vec![b"<unk>".to_vec()];
                    let mut units: Vec<Vec<u8>> = match characters {
                        true => LETTERS
                            .iter()
                            .map(|letter| letter.as_bytes().to_vec())
                            .collect(),
                        false => (0..=255).map(|byte| vec![byte]).collect(),
                    };
                    let (prefix, suffix) = (prefix.as_bytes(), suffix.as_bytes());
                    let has_affixes = !prefix.is_empty() || !suffix.is_empty();
                    let fallback = if has_affixes { 0 } else { fallback };
                    let letters = LETTERS.concat();
                    for unit in units.clone().iter().filter(|unit| {
                        has_affixes && (characters || letters.as_bytes().contains(&unit[0]))
                    }) {
                        units.push([prefix, unit].concat());
                        units.push([unit, suffix].concat());
                        units.push([prefix, unit, suffix].concat());
                    }
                    let mut seen = HashSet::<Vec<u8>, Seeds>::default();
                    let mut kept = present.iter().cycle();
                    units.retain(|unit| *kept.next().unwrap() && seen.insert(unit.clone()));
                    tokens.extend(units);
                    if fallback > 0 {
                        let bytes = (0..=255_u8)
                            .filter(|&byte| fallback == 1 || present[255 - usize::from(byte)]);
                        tokens.extend(bytes.map(|byte| fallback_token(byte).into_bytes()));
                    }
                    // Every prefix of a word, as far as its symbols are tokens.
                    let mut merges = Vec::new();
                    let mut pairs = HashSet::<(usize, usize), Seeds>::default();
                    for ((word, split), [starts, stops]) in words.iter().zip(&splits).zip(&ends) {
                        let mut symbols: Vec<Vec<u8>> = match characters {
                            true => word
                                .iter()
                                .map(|letter| letter.as_bytes().to_vec())
                                .collect(),
                            false => word.concat().bytes().map(|byte| vec![byte]).collect(),
                        };
                        let last = symbols.len() - 1;
                        for (index, symbol) in symbols.iter_mut().enumerate() {
                            if index > 0 || !starts {
                                symbol.splice(..0, prefix.iter().copied());
                            }
                            if index == last && *stops {
                                symbol.extend_from_slice(suffix);
                            }
                        }
                        let mut left = symbols[0].clone();
                        for right in &symbols[1..] {
                            let find = |tokens: &[Vec<u8>], bytes: &[u8]| {
                                tokens.iter().position(|token| token == bytes)
                            };
                            let joined = [&left[..], &right[prefix.len()..]].concat();
                            let (Some(l), Some(r)) = (find(&tokens, &left), find(&tokens, right))
                            else {
                                break;
                            };
                            let token = find(&tokens, &joined).unwrap_or_else(|| {
                                tokens.push(joined.clone());
                                tokens.len() - 1
                            });
                            if pairs.insert((l, r)) {
                                let merge = Merge {
                                    left: l as u32,
                                    right: r as u32,
                                    token: token as u32,
                                };
                                merges.insert(split.index(merges.len() + 1), merge);
                            }
                            left = joined;
                        }
                    }
                    let symbols = Symbols {
                        characters,
                        byte_fallback: fallback > 0,
                        unknown: has_unknown.then_some(0),
                        fuse_unknown,
                        continuing_subword_prefix: prefix.to_vec(),
                        end_of_word_suffix: suffix.to_vec(),
                    };
                    Parts {
                        tokens,
                        merges,
                        symbols,
                        ignore_merges,
                        splits: splits_lines,
                    }
                },
            )
    }

    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let letter =
            prop::sample::select(&LETTERS[..]).prop_map(|letter| letter.as_bytes().to_vec());
        let other = prop::sample::select(&OTHERS[..]);
        let other = other.prop_map(<[u8]>::to_vec);
        let one = prop_oneof![8 => letter, 1 => other];
        let run = (one, prop_oneof![9 => 1..3_usize, 1 => 1..90_usize])
            .prop_map(|(one, times)| one.repeat(times));
        prop::collection::vec(run, 0..30).prop_map(|runs| runs.concat())
    }

    proptest! {
        #[test]
        fn hidden_symbols_equal_the_reference(parts in any_parts(), texts in prop::collection::vec(any_text(), 1..6)) {
            let model = parts.model();
            let rule = MergeRule::new(&model);
            for tier in Tier::available() {
                let tokenizer = Tokenizer::builder().tier(tier).build(model.clone());
                for text in &texts {
                    let pieces: Vec<_> = model.pattern().split(text).map(Result::unwrap).collect();
                    let mut want = Some(Vec::new());
                    for piece in pieces {
                        let merged = parts.reference(&text[piece.clone()]);
                        match (want.as_mut(), &merged) {
                            (Some(want), Some(merged)) => {
                                let mut start = piece.start;
                                for &(id, length) in merged {
                                    want.push((id, start..start + length));
                                    start += length;
                                }
                            }
                            _ => want = None,
                        }
                        let single = tokenizer.encode_single_piece(&text[piece.clone()]).ok();
                        let ids = |merged: &Vec<(TokenId, usize)>| merged.iter().map(|one| one.0).collect::<Vec<_>>();
                        prop_assert_eq!(single, merged.as_ref().map(ids));
                        if !parts.ignore_merges {
                            let steps = rule.merge(&text[piece], |_| {}).ok();
                            prop_assert_eq!(steps, merged.as_ref().map(ids));
                        }
                    }
                    let got = tokenizer.request().offsets(text);
                    prop_assert_eq!(got.is_ok(), want.is_some());
                    if let (Ok(got), Some(want)) = (got, want) {
                        let ids: Vec<TokenId> = want.iter().map(|(id, _)| *id).collect();
                        prop_assert_eq!(&got.ids, &ids);
                        prop_assert!(got.ranges.iter().eq(want.iter().map(|(_, range)| range)));
                        prop_assert_eq!(tokenizer.encode(text), Ok(ids.clone()));
                        prop_assert_eq!(tokenizer.count(text), Ok(ids.len()));
                        match tokenizer.request().truncate(text, 3) {
                            Ok(truncated) => {
                                prop_assert!(truncated.tokens <= 3);
                                prop_assert_eq!(tokenizer.count(truncated.text), Ok(truncated.tokens));
                            }
                            // The last character of a prefix may lack a token with the suffix.
                            Err(error) => prop_assert!(!parts.symbols.end_of_word_suffix.is_empty(), "{error}"),
                        }
                    }
                }
            }
            let file = crate::format::native::write(&model);
            prop_assert!(crate::format::native::read(&file).unwrap() == model);
        }
    }

    #[test]
    fn a_symbol_without_a_token_is_named_with_its_offset() {
        let parts = Parts {
            tokens: vec![b"<unk>".to_vec(), b"a".to_vec(), "\u{4e2d}".into()],
            merges: Vec::new(),
            symbols: Symbols {
                characters: true,
                ..Symbols::default()
            },
            ignore_merges: false,
            splits: false,
        };
        let tokenizer = Tokenizer::builder().build(parts.model());
        let text = "a\u{4e2d}\u{4e2e}";
        let error = EncodeError::UnknownSymbol {
            symbol: "\u{4e2e}".into(),
            offset: 4,
        };
        assert_eq!(tokenizer.encode(text), Err(error.clone()));
        assert_eq!(tokenizer.count(text), Err(error.clone()));
        assert_eq!(
            tokenizer.request().threads(2).encode(text),
            Err(error.clone())
        );
        assert_eq!(tokenizer.request().offsets(text), Err(error.clone()));
        let message = "no token for \"\u{4e2e}\" at byte 4, and the model has no unknown token";
        assert_eq!(error.to_string(), message);
    }

    /// A model of characters without an unknown token, which splits after `a`.
    fn of_characters(tokens: &[&str]) -> Model {
        let parts = Parts {
            tokens: tokens
                .iter()
                .map(|token| token.as_bytes().to_vec())
                .collect(),
            merges: Vec::new(),
            symbols: Symbols {
                characters: true,
                ..Symbols::default()
            },
            ignore_merges: false,
            splits: false,
        };
        let pattern = Pattern::regex("[^a]*a|[^a]+", Gaps::Keep).unwrap();
        parts.model().with_pattern(pattern)
    }

    #[test]
    fn offsets_in_errors_count_bytes_of_the_original_text() {
        let model = of_characters(&["a", "b", "i", "\u{2581}"]);
        let prepends = [
            Normalizer::Lowercase,
            Normalizer::Prepend("\u{2581}\u{2581}".into()),
        ];
        let spaces = RewriteStep::Metaspace(Metaspace::new('\u{2581}', PrependScheme::Always));
        let raw = SpecialTokens::new([SpecialToken::new("<s>", 9)]).unwrap();
        let models = [
            model.clone(),
            model
                .clone()
                .with_normalizer(Normalizer::sequence(prepends)),
            model.clone().with_normalizer(Some(Normalizer::Nfkd)),
            model.with_rewrites([spaces]),
        ];
        // The third character of the lower case of U+0130 is a combining dot.
        let cases = ["bax", "aababa<s>x", "ba<s>bab\u{e9}", "x", "a\u{e9}<s>"];
        for (model, text) in models
            .iter()
            .flat_map(|model| cases.map(|text| (model, text)))
        {
            let model = model.with_specials(raw.clone()).unwrap();
            let tokenizer = Tokenizer::builder().small_tasks().build(model);
            let all = tokenizer.model().all_specials();
            let request = tokenizer.request().allow(&all);
            let want = text.find(['x', '\u{e9}']).unwrap();
            let at = |error: EncodeError| match error {
                EncodeError::UnknownSymbol { offset, .. } => offset,
                other => panic!("{other}"),
            };
            // The decomposed mark has the offset of its letter.
            assert_eq!(request.encode(text).map_err(at), Err(want), "{text}");
            assert_eq!(request.count(text).map_err(at), Err(want));
            assert_eq!(request.count_till_limit(text, 99).map_err(at), Err(want));
            assert_eq!(request.offsets(text).map(drop).map_err(at), Err(want));
            let threads = request.threads(3);
            assert_eq!(threads.encode(text).map_err(at), Err(want), "{text}");
            let batch = threads.encode_batch(&["a", text]).map(drop);
            assert_eq!(
                batch.map_err(|error| (error.text, at(error.error))),
                Err((1, want))
            );
            for size in 1..4 {
                let mut stream = request.stream();
                let mut ids = Vec::new();
                let pushed = text
                    .as_bytes()
                    .chunks(size)
                    .try_for_each(|chunk| stream.push(chunk, &mut ids));
                let ended = pushed.and_then(|()| stream.finish(&mut ids));
                assert_eq!(ended.map_err(at), Err(want), "{text} by {size}");
            }
        }
    }

    #[test]
    fn a_prefix_that_cannot_be_encoded_is_not_the_result_of_truncation() {
        let model = of_characters(&["a", "b", "c"]);
        let mut added = SpecialToken::new("xyz", 9);
        added.special = false;
        let model = model
            .with_specials(SpecialTokens::new([added]).unwrap())
            .unwrap();
        let tokenizer = Tokenizer::new(model);
        let text = "abxyzxyzabxyz";
        for (limit, want) in [
            (0, ""),
            (1, "a"),
            (2, "ab"),
            (3, "abxyz"),
            (5, "abxyzxyza"),
            (9, text),
        ] {
            let truncated = tokenizer
                .request()
                .truncate(text.as_bytes(), limit)
                .unwrap();
            assert_eq!(std::str::from_utf8(truncated.text), Ok(want), "{limit}");
        }
    }

    #[test]
    fn a_megabyte_of_one_piece_takes_linear_time() {
        let tokens = ["<unk>", "a", "b", "ab", "\u{2581}", "\u{2581}a"];
        let merge = |left, right, token| Merge { left, right, token };
        let parts = Parts {
            tokens: tokens.map(|token| token.as_bytes().to_vec()).to_vec(),
            merges: vec![merge(1, 2, 3), merge(4, 1, 5)],
            symbols: Symbols {
                characters: true,
                unknown: Some(0),
                fuse_unknown: true,
                ..Symbols::default()
            },
            ignore_merges: false,
            splits: false,
        };
        let tokenizer = Tokenizer::builder().build(parts.model());
        let known = "ab\u{2581}aab".repeat(125_000);
        let ids = tokenizer.encode(&known).unwrap();
        assert_eq!(ids, [3, 5, 3].repeat(125_000));
        let unknown = format!(
            "{}a{}",
            "\u{2582}".repeat(500_000),
            "x\u{4e2d}".repeat(250_000)
        );
        let got = tokenizer.request().offsets(&unknown).unwrap();
        assert_eq!(got.ids, [0, 1, 0]);
        assert_eq!(
            got.ranges,
            [0..1_500_000, 1_500_000..1_500_001, 1_500_001..2_500_001]
        );
    }
}
