//! Models made from an input, and the definition of their ids beside them.
//!
//! A model is anything that the rules allow, not only what training makes: entries that merging
//! never reaches, ranks and merges in any order, tokens that several splits make, tokens of hundreds
//! of bytes, ids with holes, single bytes whose ids are not their values, two ids for the same bytes.
//!
//! The definition knows nothing of [`Model`]: it merges by the tokens and rules that the model was
//! made of.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use tokenizer_core::Repeats;
use tokenizer_core::internals::reference;
use tokenizer_core::{
    Gaps, Merge, Merges, Merging, Model, Pair, Pattern, PatternName, SpecialTokens, TokenId,
    Tokenizer, Vocab,
};

use super::input::Input;
use super::ways::assert_ids;

/// Few letters make ties and repetitions; these are such that every pattern cuts between some.
const LETTERS: [u8; 10] = *b"abc d1\n'E\xC3";

/// The bytes of characters of two to four, so that tokens end within them and reach over them.
const FOREIGN: [u8; 10] = *b"\xE4\xB8\xA9\xC3\xA9\xE4 \xB8a\xF0";

const ALL: [u8; 256] = {
    let mut all = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        all[byte] = byte as u8;
        byte += 1;
    }
    all
};

const MOST_TOKENS: usize = 200;
const LONGEST_TOKEN: usize = 300;
/// The definition takes the square of a piece.
const LONGEST_TEXT: usize = 1500;

/// Fails unless the ids of the model and the two texts of an input are those of the definition: for
/// an encoder that knows nothing yet, for one that has met the other text, and in every way that
/// there is.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let made = Made::read(&mut input);
    let texts = [made.text(&mut input), made.text(&mut input)];
    let want = [made.ids(&texts[0]), made.ids(&texts[1])];
    let pattern = made.model.pattern();

    for order in [[0, 1], [1, 0]] {
        // So that short texts reach threads.
        let options = Tokenizer::builder().small_parts();
        let encoder = options.build(made.model.clone());
        for number in order {
            assert_ids(&encoder, &texts[number], &want[number], pattern.source());
        }
        let last = &texts[order[1]];
        for piece in pattern.split(last) {
            let piece = &last[piece.expect("it split before")];
            assert_eq!(encoder.encode_single_piece(piece), made.ids_of_piece(piece));
        }
    }
    let whole = Tokenizer::new(made.model.clone()).encode_single_piece(&texts[0]);
    assert_eq!(whole, made.ids_of_piece(&texts[0]));
    for (text, ids) in texts.iter().zip(&want) {
        assert_eq!(made.model.decode(ids).expect("the ids exist"), *text);
    }
}

/// A model and what it was made of.
struct Made {
    model: Model,
    letters: &'static [u8],
    /// By id.
    tokens: HashMap<TokenId, Vec<u8>>,
    /// Under `Ranks` none, and all joined bytes count.
    rules: Option<HashMap<Pair, (u32, TokenId)>>,
    ignore_merges: bool,
    /// The lowest id of the bytes.
    ids: HashMap<Vec<u8>, TokenId>,
    /// What the definition was asked already.
    known_pairs: RefCell<HashMap<Pair, Option<(u32, TokenId)>>>,
}

/// A token before it has an id.
struct Draft {
    bytes: Vec<u8>,
    /// Tokens are numbered, and merges ranked, by this; equal ones as they come.
    order: u8,
    /// The drafts that it was made of, if it was made of two.
    parts: Option<(usize, usize)>,
}

impl Made {
    /// Reads a model.
    fn read(input: &mut Input) -> Self {
        let (kind, numbering, pattern) = (input.below(4), input.below(4), input.below(7));
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
        let mut ids: HashMap<Vec<u8>, TokenId> = HashMap::new();
        for (&id, bytes) in &tokens {
            let lowest = ids.entry(bytes.clone()).or_insert(id);
            *lowest = id.min(*lowest);
        }

        let listed = tokens.iter().map(|(&id, bytes)| (id, bytes.as_slice()));
        let (merging, repeats) = match by_ranks {
            true => (Merging::Ranks, Repeats::Refuse),
            false => {
                let rules = rules(input, &drafts, &numbers, &ids);
                let merging = Merging::Merges {
                    merges: Merges::new(rules).expect("no pair stands twice"),
                    ignore_merges: kind == 3,
                };
                (merging, Repeats::LowestId)
            }
        };
        let rules = match &merging {
            Merging::Ranks => None,
            Merging::Merges { merges, .. } => {
                let ranked = merges.iter().zip(0..);
                Some(
                    ranked
                        .map(|(rule, rank)| (rule.pair(), (rank, rule.token)))
                        .collect(),
                )
            }
        };
        let vocab = Vocab::new(listed, repeats).expect("the tokens are as they must be");
        let model = Model::new(
            self::pattern(pattern),
            vocab,
            merging,
            SpecialTokens::default(),
        )
        .expect("the rules fit the tokens");
        Made {
            model,
            letters,
            tokens,
            rules,
            ignore_merges: by_ranks || kind == 3,
            ids,
            known_pairs: RefCell::default(),
        }
    }

    /// Reads a text: bytes, tokens of the model, repetitions, and parts of what came before, so that
    /// the same pieces come again.
    fn text(&self, input: &mut Input) -> Vec<u8> {
        let mut ids: Vec<TokenId> = self.tokens.keys().copied().collect();
        ids.sort_unstable_by_key(|&id| std::cmp::Reverse(id));
        let mut text: Vec<u8> = Vec::new();
        for _ in 0..1 + input.below(40) {
            match input.below(8) {
                0..3 => {
                    let length = input.below(24);
                    text.extend(
                        input
                            .take(length)
                            .iter()
                            .map(|&byte| letter(self.letters, byte)),
                    );
                }
                3..5 => {
                    let id = ids[input.below(ids.len())];
                    let times = 1 + input.below(3);
                    text.extend(self.tokens[&id].repeat(times));
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
                _ => text.push(b' '),
            }
            if text.len() > LONGEST_TEXT || input.is_empty() {
                break;
            }
        }
        text.truncate(LONGEST_TEXT);
        text
    }

    /// The ids of `text` by the definition.
    fn ids(&self, text: &[u8]) -> Vec<TokenId> {
        let mut known: HashMap<&[u8], Vec<TokenId>> = HashMap::new();
        let mut ids = Vec::new();
        for piece in self.model.pattern().split(text) {
            let piece = &text[piece.expect("these patterns split everything")];
            let piece = known
                .entry(piece)
                .or_insert_with(|| self.ids_of_piece(piece));
            ids.extend_from_slice(piece);
        }
        ids
    }

    /// The ids of one piece by the definition.
    fn ids_of_piece(&self, piece: &[u8]) -> Vec<TokenId> {
        if self.ignore_merges
            && let Some(&id) = self.ids.get(piece)
        {
            return vec![id];
        }
        let symbols = piece.iter().map(|byte| self.ids[&[*byte][..]]).collect();
        reference::merge_piece(symbols, |pair| {
            let mut known = self.known_pairs.borrow_mut();
            *known.entry(pair).or_insert_with(|| self.rule(pair))
        })
    }

    /// The rank of a pair and what it becomes.
    fn rule(&self, pair: Pair) -> Option<(u32, TokenId)> {
        match &self.rules {
            Some(rules) => rules.get(&pair).copied(),
            None => {
                let joined = [&self.tokens[&pair.left()][..], &self.tokens[&pair.right()]].concat();
                self.ids.get(&joined).map(|&id| (id, id))
            }
        }
    }
}

fn letter(letters: &[u8], byte: u8) -> u8 {
    letters[usize::from(byte) % letters.len()]
}

/// The single bytes, then tokens: of bytes, of two others, of one again and again.
fn drafts(input: &mut Input, letters: &[u8], may_repeat: bool) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = (0..=255)
        .map(|byte| Draft {
            bytes: vec![byte],
            order: 0,
            parts: None,
        })
        .collect();
    let mut seen: HashSet<Vec<u8>> = drafts.iter().map(|draft| draft.bytes.clone()).collect();
    // A single byte that occurs, or a later token.
    let singles = letters.len().min(32);
    let part = |input: &mut Input, made: usize| match input.below(singles + made - 256) {
        token if token < singles => usize::from(letter(letters, token as u8)),
        token => token - singles + 256,
    };
    for _ in 0..input.below(MOST_TOKENS + 1) {
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
                let again = part(input, drafts.len());
                (drafts[again].bytes.repeat(2 + input.below(70)), None)
            }
            _ => {
                let parts = [0; 2].map(|_| part(input, drafts.len()));
                let bytes = parts.map(|part| drafts[part].bytes.as_slice()).concat();
                (bytes, Some((parts[0], parts[1])))
            }
        };
        let order = input.byte();
        let fits = (1..=LONGEST_TOKEN).contains(&bytes.len());
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

/// The id of each draft. The single bytes come first, backwards, or last; or there are holes.
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
    for (place, draft) in order.into_iter().enumerate() {
        numbers[draft] = place as TokenId * step;
    }
    numbers
}

/// Merges in the order that the input wants: of the tokens that were made of two, and of those that
/// can be cut into two others. Several may make one token.
fn rules(
    input: &mut Input,
    drafts: &[Draft],
    numbers: &[TokenId],
    ids: &HashMap<Vec<u8>, TokenId>,
) -> Vec<Merge> {
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

/// None of them leaves gaps or fails on short texts.
fn pattern(choice: usize) -> Pattern {
    let regex = |source| Pattern::regex(source, Gaps::Keep).expect("it compiles");
    match choice {
        0..2 => Pattern::sequence([]),
        2 => regex("[ab]+| "),
        choice => Pattern::named(PatternName::ALL[choice - 3]),
    }
}
