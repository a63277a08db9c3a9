//! Models generated from fuzzer input, with their reference implementation.
//!
//! Models are any valid ones, not only trained ones: tokens that merging never reaches or that several
//! merges create, ranks and merges in any order, tokens of hundreds of bytes, gaps in the ids, byte
//! tokens in any order, two ids for the same bytes, special and added tokens with any flags that contain
//! each other, and a normalizer.

use std::collections::{HashMap, HashSet};

use tokenizer_core::internals::Tier;
use tokenizer_core::{
    Gaps, Merge, Merges, Merging, Model, Normalizer, Pattern, PatternName, Repeats, SpecialToken,
    SpecialTokens, TokenId, Tokenizer, Vocab,
};

use super::definition::Definition;
use super::entry_points::assert_ids;
use super::input::Input;

/// A small alphabet, for ties and repetitions. Every pattern splits between some of the letters.
const LETTERS: [u8; 10] = *b"abc d1\n'E\xC3";

/// Bytes of multi-byte characters, so that tokens begin and end inside characters.
const FOREIGN: [u8; 10] = *b"\xE4\xB8\xA9\xC3\xA9\xE4 \xB8a\xF0";

/// Text that normalization changes, and white space outside ASCII.
const COMPOSING: [&str; 8] = [
    "e\u{301}",
    "\u{301}",
    "\u{212B}",
    "\u{1100}\u{1161}",
    "\u{958}",
    "\u{3000}",
    "\u{85}",
    "\u{316}\u{344}",
];

const ALL: [u8; 256] = {
    let mut all = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        all[byte] = byte as u8;
        byte += 1;
    }
    all
};

const MAX_TOKENS: usize = 200;
const MAX_TOKEN_LENGTH: usize = 300;
/// The definition takes quadratic time.
const MAX_TEXT_LENGTH: usize = 1500;

/// Generates a model and two texts from an input, and fails unless every entry point returns the ids of
/// the definition. The second text meets a warm cache.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let tiers: Vec<Tier> = Tier::available().collect();
    let tier = tiers[tiers.len() - 1 - input.below(tiers.len())];
    let (allowed, swapped) = (input.below(4), input.below(2) == 1);
    let generated = Generated::read(&mut input);
    let mut texts = [generated.text(&mut input), generated.text(&mut input)];
    if swapped {
        texts.reverse();
    }
    let (model, definition) = (&generated.model, &generated.definition);
    let all = model.specials().iter().map(|token| &*token.content);
    let allowed: Vec<&str> = match allowed {
        0 => vec![],
        1 => all.step_by(2).collect(),
        _ => all.collect(),
    };
    let set = model.special_set(&allowed);
    let options = Tokenizer::builder().small_tasks().tier(tier);
    let tokenizer = options.build(model.clone());
    let context = format!(
        "{tier}, {}, {:?}",
        model.pattern().source(),
        model.specials()
    );
    for text in &texts {
        let want = definition.encode(text, &allowed);
        assert_ids(&tokenizer, &set, text, &want.ids, &context);
        assert_eq!(tokenizer.decode(&want.ids), Ok(want.bytes));
        for piece in model.pattern().split(text) {
            let piece = &text[piece.expect("it split before")];
            assert_eq!(
                tokenizer.encode_single_piece(piece),
                Ok(definition.piece(piece))
            );
        }
    }
    let whole = tokenizer.encode_single_piece(&texts[0]);
    assert_eq!(whole, Ok(definition.piece(&texts[0])));
}

/// A model and its parts.
struct Generated {
    model: Model,
    definition: Definition,
    letters: &'static [u8],
    /// The bytes of all tokens.
    tokens: Vec<Vec<u8>>,
}

/// A token before it has an id.
struct Draft {
    bytes: Vec<u8>,
    /// Sort key for ids and ranks. The sort is stable.
    order: u8,
    /// The indices of the two drafts that it concatenates, if it does.
    parts: Option<(usize, usize)>,
}

impl Generated {
    /// Generates a model.
    fn read(input: &mut Input) -> Self {
        let (kind, numbering, pattern) = (input.below(4), input.below(4), input.below(8));
        let letters: &[u8] = match input.below(32) {
            few @ 0..10 => &LETTERS[..=few],
            few @ 10..20 => &FOREIGN[..=few - 10],
            _ => &ALL,
        };
        let by_ranks = kind < 2;
        let drafts = drafts(input, letters, !by_ranks);
        let numbers = numbers(&drafts, numbering);
        let tokens: HashMap<TokenId, Vec<u8>> = numbers
            .iter()
            .zip(&drafts)
            .map(|(&id, draft)| (id, draft.bytes.clone()))
            .collect();
        let (merging, repeats) = match by_ranks {
            true => (Merging::Ranks, Repeats::Refuse),
            false => {
                let merging = Merging::Merges {
                    merges: Merges::new(rules(input, &drafts, &numbers))
                        .expect("no duplicate pair"),
                    ignore_merges: kind == 3,
                };
                (merging, Repeats::LowestId)
            }
        };
        let entries = tokens.iter().map(|(&id, bytes)| (id, bytes.as_slice()));
        let vocab = Vocab::new(entries, repeats).expect("the tokens are valid");
        let first = numbers.iter().max().map_or(0, |id| id + 1);
        let specials = specials(input, letters, &drafts, first);
        let normalizer = (input.below(4) == 3).then_some(Normalizer::Nfc);
        let model = Model::new(self::pattern(pattern), vocab, merging.clone(), specials);
        let model = model
            .expect("the merges fit the tokens")
            .with_normalizer(normalizer);
        let merges: Option<Vec<Merge>> = match merging {
            Merging::Ranks => None,
            Merging::Merges { merges, .. } => Some(merges.iter().copied().collect()),
        };
        Generated {
            definition: Definition::new(&model, tokens, merges.as_deref()),
            model,
            letters,
            tokens: drafts.into_iter().rev().map(|draft| draft.bytes).collect(),
        }
    }

    /// Generates a text from bytes, tokens of the model, runs, special tokens, characters that
    /// normalization changes, and copies of earlier parts, which repeat pieces.
    fn text(&self, input: &mut Input) -> Vec<u8> {
        let specials: Vec<&SpecialToken> = self.model.specials().iter().collect();
        let mut text: Vec<u8> = Vec::new();
        for _ in 0..1 + input.below(40) {
            match input.below(10) {
                0..3 => {
                    let length = input.below(24);
                    let bytes = input.take(length).iter();
                    text.extend(bytes.map(|&byte| letter(self.letters, byte)));
                }
                3..5 => {
                    let token = &self.tokens[input.below(self.tokens.len())];
                    let times = 1 + input.below(3);
                    text.extend(token.repeat(times));
                }
                5 => {
                    let byte = letter(self.letters, input.byte());
                    let times = input.below(256) * 3;
                    text.extend(std::iter::repeat_n(byte, times));
                }
                6 if !text.is_empty() => {
                    let start = input.below(text.len());
                    let end = start + input.below(text.len() - start + 1);
                    text.extend_from_within(start..end);
                }
                7 if !specials.is_empty() => {
                    let token = specials[input.below(specials.len())];
                    text.extend_from_slice(token.content.as_bytes());
                }
                8 => text.extend_from_slice(COMPOSING[input.below(8)].as_bytes()),
                _ => text.push(b' '),
            }
            if text.len() > MAX_TEXT_LENGTH || input.is_empty() {
                break;
            }
        }
        text.truncate(MAX_TEXT_LENGTH);
        text
    }
}

/// Generates special and added tokens. Each begins with `<`, a token, composing characters or the previous
/// special token.
fn specials(input: &mut Input, letters: &[u8], drafts: &[Draft], first: TokenId) -> SpecialTokens {
    let mut specials: Vec<SpecialToken> = Vec::new();
    for id in (first..).take(input.below(6)) {
        let mut content = match input.below(4) {
            0 => drafts[input.below(drafts.len())].bytes.clone(),
            1 => COMPOSING[input.below(8)].as_bytes().to_vec(),
            2 => specials
                .last()
                .map_or(vec![], |token| token.content.clone().into_bytes()),
            _ => b"<".to_vec(),
        };
        let length = input.below(4);
        content.extend(input.take(length).iter().map(|&byte| letter(letters, byte)));
        let content = String::from_utf8_lossy(&content).into_owned();
        let flags = input.byte();
        if content.is_empty() || specials.iter().any(|token| token.content == content) {
            continue;
        }
        let mut token = SpecialToken::new(content, id);
        token.special = flags & 1 == 0;
        token.normalized = flags & 2 != 0;
        token.lstrip = flags & 4 != 0;
        token.rstrip = flags & 8 != 0;
        token.single_word = flags & 48 == 48;
        specials.push(token);
    }
    SpecialTokens::new(specials).expect("no two are the same")
}

fn letter(letters: &[u8], byte: u8) -> u8 {
    letters[usize::from(byte) % letters.len()]
}

/// Generates the 256 byte tokens, then tokens from letters, from two others, or by repeating another.
fn drafts(input: &mut Input, letters: &[u8], may_repeat: bool) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = (0..=255)
        .map(|byte| Draft {
            bytes: vec![byte],
            order: 0,
            parts: None,
        })
        .collect();
    let mut seen: HashSet<Vec<u8>> = drafts.iter().map(|draft| draft.bytes.clone()).collect();
    // A letter, or a token of several bytes.
    let singles = letters.len().min(32);
    let part = |input: &mut Input, count: usize| match input.below(singles + count - 256) {
        token if token < singles => usize::from(letter(letters, token as u8)),
        token => token - singles + 256,
    };
    for _ in 0..input.below(MAX_TOKENS + 1) {
        if input.is_empty() {
            break;
        }
        let (bytes, parts) = match input.below(8) {
            0 | 1 => {
                let length = 1 + input.below(12);
                let bytes = input.take(length).iter();
                (bytes.map(|&byte| letter(letters, byte)).collect(), None)
            }
            2 => {
                let repeated = part(input, drafts.len());
                (drafts[repeated].bytes.repeat(2 + input.below(70)), None)
            }
            _ => {
                let parts = [0; 2].map(|_| part(input, drafts.len()));
                let bytes = parts.map(|part| drafts[part].bytes.as_slice()).concat();
                (bytes, Some((parts[0], parts[1])))
            }
        };
        let order = input.byte();
        let fits = (1..=MAX_TOKEN_LENGTH).contains(&bytes.len());
        let is_new = seen.insert(bytes.clone());
        if fits && (is_new || may_repeat) {
            drafts.push(Draft {
                bytes,
                order,
                parts,
            });
        }
    }
    drafts
}

/// The id of each draft. Byte tokens come first, first in reverse, or last, or ids have gaps.
fn numbers(drafts: &[Draft], numbering: usize) -> Vec<TokenId> {
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    order.sort_by_key(|&draft| match (draft < 256, numbering) {
        (true, 1) => (0, 255 - draft as u8),
        (true, 2) => (2, 0),
        (true, _) => (0, 0),
        (false, _) => (1, drafts[draft].order),
    });
    let step = if numbering == 3 { 3 } else { 1 };
    let mut numbers = vec![0; drafts.len()];
    for (index, draft) in order.into_iter().enumerate() {
        numbers[draft] = index as TokenId * step;
    }
    numbers
}

/// Generates merges in any order: for tokens that concatenate two others and, optionally, for every
/// split of a token into two others. Several may create the same token.
fn rules(input: &mut Input, drafts: &[Draft], numbers: &[TokenId]) -> Vec<Merge> {
    let mut ids: HashMap<&[u8], TokenId> = HashMap::new();
    for (draft, &id) in drafts.iter().zip(numbers) {
        let lowest = ids.entry(&draft.bytes).or_insert(id);
        *lowest = id.min(*lowest);
    }
    let all_cuts = input.below(3) == 0;
    let mut rules: Vec<(u8, Merge)> = Vec::new();
    for (draft, &token) in drafts.iter().zip(numbers) {
        if let Some((left, right)) = draft.parts {
            let (left, right) = (numbers[left], numbers[right]);
            rules.push((draft.order, Merge { left, right, token }));
        }
        for cut in 1..draft.bytes.len() {
            if !all_cuts {
                break;
            }
            let (left, right) = draft.bytes.split_at(cut);
            if let (Some(&left), Some(&right)) = (ids.get(left), ids.get(right)) {
                rules.push((input.byte(), Merge { left, right, token }));
            }
        }
    }
    rules.sort_by_key(|(order, _)| *order);
    let mut seen = HashSet::new();
    let rules = rules.into_iter().map(|(_, rule)| rule);
    rules.filter(|rule| seen.insert(rule.pair())).collect()
}

/// A pattern that never fails on short texts.
fn pattern(choice: usize) -> Pattern {
    let regex = |source, gaps| Pattern::regex(source, gaps).expect("it compiles");
    match choice {
        0 => Pattern::sequence([]),
        1 => regex("[a-z]+|[0-9 ]", Gaps::Drop),
        2 => regex("[ab]+| ", Gaps::Keep),
        choice => Pattern::named(PatternName::ALL[(choice - 3) % 4]),
    }
}
