//! Encoding by its definition, the oracle: special tokens are searched at every offset, and all pairs of a
//! piece are searched again after every merge. Only the pattern and the normalizer, which have their own
//! oracles, are shared with the encoder.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use tokenizer_core::internals::reference;
use tokenizer_core::{
    Gaps, Merge, Merging, Model, Normalizer, Pair, Pattern, SpecialToken, TokenId,
};

/// The rank of a pair and the resulting token.
type Rule = (u32, TokenId);

/// The reference implementation. It uses the parts of a model, but none of its lookup structures.
pub struct Definition {
    pattern: Pattern,
    normalizer: Option<Normalizer>,
    /// In order of their ids.
    specials: Vec<SpecialToken>,
    tokens: HashMap<TokenId, Vec<u8>>,
    /// The lowest id for each byte string.
    ids: HashMap<Vec<u8>, TokenId>,
    /// `None` if a pair merges whenever its joined bytes are a token, ranked by that token's id.
    rules: Option<HashMap<Pair, Rule>>,
    ignore_merges: bool,
    pair_cache: RefCell<HashMap<Pair, Option<Rule>>>,
    piece_cache: RefCell<HashMap<Vec<u8>, Vec<TokenId>>>,
}

/// The ids of a text.
pub struct Encoded {
    pub ids: Vec<TokenId>,
    /// The decoded bytes.
    pub bytes: Vec<u8>,
}

enum Segment<'d> {
    Text(Range<usize>),
    Special(&'d SpecialToken),
}

impl Definition {
    /// The definition of a model with these tokens and merges; without merges, it merges by rank.
    pub fn new(model: &Model, tokens: HashMap<TokenId, Vec<u8>>, merges: Option<&[Merge]>) -> Self {
        let mut ids: HashMap<Vec<u8>, TokenId> = HashMap::new();
        for (&id, bytes) in &tokens {
            let lowest = ids.entry(bytes.clone()).or_insert(id);
            *lowest = id.min(*lowest);
        }
        let ranked = |merges: &[Merge]| {
            let ranked = merges.iter().zip(0..);
            ranked
                .map(|(rule, rank)| (rule.pair(), (rank, rule.token)))
                .collect()
        };
        Definition {
            pattern: model.pattern().clone(),
            normalizer: model.normalizer().cloned(),
            specials: model.specials().iter().cloned().collect(),
            tokens,
            ids,
            rules: merges.map(ranked),
            ignore_merges: match model.merging() {
                Merging::Ranks => true,
                Merging::Merges { ignore_merges, .. } => *ignore_merges,
            },
            pair_cache: RefCell::default(),
            piece_cache: RefCell::default(),
        }
    }

    /// Encodes `text`. `allowed` are the contents of special tokens to recognise.
    pub fn encode(&self, text: &[u8], allowed: &[&str]) -> Encoded {
        let mut encoded = Encoded {
            ids: Vec::new(),
            bytes: Vec::new(),
        };
        for segment in self.segments(text, false, allowed) {
            match segment {
                Segment::Special(token) => encoded.special(token),
                Segment::Text(range) => {
                    let normal = match &self.normalizer {
                        Some(normalizer) => normalizer.apply(&text[range]),
                        None => text[range].into(),
                    };
                    for segment in self.segments(&normal, true, allowed) {
                        match segment {
                            Segment::Special(token) => encoded.special(token),
                            Segment::Text(range) => self.pieces(&normal[range], &mut encoded),
                        }
                    }
                }
            }
        }
        encoded
    }

    fn pieces(&self, text: &[u8], encoded: &mut Encoded) {
        for piece in self.pattern.split(text) {
            let piece = &text[piece.expect("these patterns do not fail")];
            encoded.bytes.extend_from_slice(piece);
            encoded.ids.extend(self.piece(piece));
        }
    }

    /// Encodes one piece.
    pub fn piece(&self, piece: &[u8]) -> Vec<TokenId> {
        if let Some(ids) = self.piece_cache.borrow().get(piece) {
            return ids.clone();
        }
        let whole = self.ids.get(piece).filter(|_| self.ignore_merges);
        let ids = match whole {
            Some(&id) => vec![id],
            None => {
                let symbols = piece.iter().map(|byte| self.ids[&[*byte][..]]).collect();
                reference::merge_piece(symbols, |pair| {
                    let mut cache = self.pair_cache.borrow_mut();
                    *cache.entry(pair).or_insert_with(|| self.rule(pair))
                })
            }
        };
        let mut cache = self.piece_cache.borrow_mut();
        cache.insert(piece.to_vec(), ids.clone());
        ids
    }

    fn rule(&self, pair: Pair) -> Option<Rule> {
        match &self.rules {
            Some(rules) => rules.get(&pair).copied(),
            None => {
                let joined = [&self.tokens[&pair.left()][..], &self.tokens[&pair.right()]].concat();
                self.ids.get(&joined).map(|&id| (id, id))
            }
        }
    }

    /// Divides a text at the special tokens that are matched before the normalizer or, if `normalized`,
    /// after it.
    fn segments(&self, text: &[u8], normalized: bool, allowed: &[&str]) -> Vec<Segment<'_>> {
        let candidates = self.candidates(normalized, allowed);
        let (mut segments, mut done, mut at) = (Vec::new(), 0, 0);
        while at < text.len() && !candidates.is_empty() {
            let matching = candidates
                .iter()
                .filter(|(_, content, _)| text[at..].starts_with(content));
            // The first among equal contents, which normalization can produce.
            let longest = matching.rev().max_by_key(|(_, content, _)| content.len());
            let Some((token, content, is_allowed)) = longest else {
                at += 1;
                continue;
            };
            let span = at..at + content.len();
            at = span.end;
            if !is_allowed || token.single_word && !is_single_word(text, &span) {
                continue;
            }
            let Range { mut start, mut end } = span;
            if token.lstrip {
                // White space stripped by the previous token is not stripped again.
                let space = last_chars(&text[done.min(start)..start]);
                start -= length_of_space(space);
                start = start.max(done);
            }
            if token.rstrip {
                end += length_of_space(first_chars(&text[end..]));
            }
            if start < end {
                segments.extend((done < start).then_some(Segment::Text(done..start)));
                segments.push(Segment::Special(token));
                done = end;
            }
        }
        segments.extend((done < text.len()).then_some(Segment::Text(done..text.len())));
        segments
    }

    /// The special tokens to match before or after the normalizer, with their (normalized) contents.
    /// The flag tells whether a match is recognised or only hides overlapping tokens: special tokens that
    /// are not allowed do so if there are any added tokens, which are always matched.
    fn candidates(
        &self,
        normalized: bool,
        allowed: &[&str],
    ) -> Vec<(&SpecialToken, Vec<u8>, bool)> {
        let tokens = || {
            self.specials
                .iter()
                .filter(|token| token.normalized == normalized)
        };
        let hides = tokens().any(|token| !token.special);
        let candidates = tokens().map(|token| {
            let content = token.content.as_bytes();
            let content = match self.normalizer.as_ref().filter(|_| normalized) {
                Some(normalizer) => normalizer.apply(content).into_owned(),
                None => content.to_vec(),
            };
            let is_allowed = !token.special || allowed.contains(&&*token.content);
            (token, content, is_allowed)
        });
        candidates
            .filter(|(.., is_allowed)| *is_allowed || hides)
            .collect()
    }
}

impl Encoded {
    fn special(&mut self, token: &SpecialToken) {
        self.ids.push(token.id);
        self.bytes.extend_from_slice(token.bytes());
    }
}

/// Whether the characters next to `span` are not word characters.
fn is_single_word(text: &[u8], span: &Range<usize>) -> bool {
    static WORD: LazyLock<Pattern> =
        LazyLock::new(|| Pattern::regex(r"\w", Gaps::Drop).expect("a valid class"));
    let before = last_chars(&text[..span.start]).next();
    let after = first_chars(&text[span.end..]).next();
    let is_word = |c: char| {
        WORD.split(c.encode_utf8(&mut [0; 4]).as_bytes())
            .next()
            .is_some()
    };
    !before.is_some_and(is_word) && !after.is_some_and(is_word)
}

fn length_of_space(chars: impl Iterator<Item = char>) -> usize {
    chars
        .take_while(|c| c.is_whitespace())
        .map(char::len_utf8)
        .sum()
}

/// The characters of a text, up to the first invalid UTF-8.
fn first_chars(text: &[u8]) -> impl Iterator<Item = char> {
    let chunk = text.utf8_chunks().next();
    chunk.map_or("", |chunk| chunk.valid()).chars()
}

/// The characters of a text in reverse, up to the last invalid UTF-8.
fn last_chars(text: &[u8]) -> impl Iterator<Item = char> {
    let chunk = text.utf8_chunks().last();
    let valid = chunk.filter(|chunk| chunk.invalid().is_empty());
    valid.map_or("", |chunk| chunk.valid()).chars().rev()
}
