//! Encoding: the models to measure, texts of novel pieces, and the expected ids.
//!
//! Expected ids come from [`mod@reference`], which merges each distinct piece by the definition, in time
//! quadratic in its length: adversarial texts have no such answer. Ids are compared by a hash.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokenizer_core::format::{native, tiktoken};
use tokenizer_core::internals::reference;
use tokenizer_core::{
    CountOptions, Merging, Model, Pair, Pattern, PatternName, TokenId, TrainOptions, count_pieces,
    train,
};

use crate::corpora::{self, Corpus};

/// Vocabulary size of the nanochat model, without special tokens.
const NANOCHAT_TOKENS: usize = 32_768;

/// Limit on the length of a piece for the definition, in bytes.
const MAX_PIECE: usize = 10_000;

/// The sentence that measures the time to the first ids.
pub const SENTENCE: &str = "The quick brown fox jumps over the lazy dog, and then it's 12:34.";

/// A model to measure, built on first use.
pub struct Encoding {
    name: &'static str,
    pattern: PatternName,
    /// The vocabulary in the shared data; `None` for a trained model.
    table: Option<&'static str>,
    files: OnceLock<Files>,
    model: OnceLock<Arc<Model>>,
}

/// The files of a model.
struct Files {
    tiktoken: Vec<u8>,
    native: Vec<u8>,
}

impl Encoding {
    const fn new(
        name: &'static str,
        pattern: PatternName,
        table: Option<&'static str>,
    ) -> Encoding {
        Encoding {
            name,
            pattern,
            table,
            files: OnceLock::new(),
            model: OnceLock::new(),
        }
    }

    /// All models: three of OpenAI's, and one like nanochat's, trained on [`first_corpus`].
    pub fn all() -> &'static [Encoding] {
        use PatternName::{Cl100k, Gpt2, Nanochat, O200k};
        static ALL: [Encoding; 4] = [
            Encoding::new("r50k", Gpt2, Some("r50k_base")),
            Encoding::new("cl100k", Cl100k, Some("cl100k_base")),
            Encoding::new("o200k", O200k, Some("o200k_base")),
            Encoding::new("nanochat", Nanochat, None),
        ];
        &ALL
    }

    /// The name, without `_base`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the model was trained on [`first_corpus`].
    pub fn is_trained_here(&self) -> bool {
        self.table.is_none()
    }

    /// The pattern.
    pub fn pattern(&self) -> Pattern {
        Pattern::named(self.pattern)
    }

    /// The model, read from its native file.
    ///
    /// # Panics
    /// If the files are invalid.
    pub fn model(&self) -> &Arc<Model> {
        self.model.get_or_init(|| {
            let model = native::read(self.native_file()).expect("it was just written");
            Arc::new(model)
        })
    }

    /// The model as a `.bpe` file.
    pub fn native_file(&self) -> &[u8] {
        &self.files().native
    }

    /// The model as a `.tiktoken` file.
    pub fn tiktoken_file(&self) -> &[u8] {
        &self.files().tiktoken
    }

    fn files(&self) -> &Files {
        self.files.get_or_init(|| match self.table {
            Some(table) => {
                let tiktoken = table_of(table, self.pattern);
                let model = tiktoken::read(&tiktoken, self.pattern()).expect("a table of ranks");
                Files {
                    native: native::write(&model),
                    tiktoken,
                }
            }
            None => {
                let model = trained(self.pattern());
                Files {
                    native: native::write(&model),
                    tiktoken: tiktoken::write(&model).expect("trained merges are in order"),
                }
            }
        })
    }
}

/// One of OpenAI's vocabularies, or, without the shared data, the small one in `fixtures` with the same
/// pattern.
fn table_of(name: &str, pattern: PatternName) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = root.join(format!("../shared/data/vocabs/{name}.tiktoken"));
    let fixture = root.join(format!("fixtures/golden/{pattern}.tiktoken"));
    let path = if shared.exists() { shared } else { fixture };
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn trained(pattern: Pattern) -> Model {
    let text = first_corpus().text();
    let words = count_pieces([text], &pattern, &CountOptions::default()).expect("scanners split");
    let options = TrainOptions::new(NANOCHAT_TOKENS);
    let trained = train(&words, &options).expect("this corpus fits");
    Model::from_trained(pattern, trained).expect("trained merges make a model")
}

/// The first natural corpus: English prose, or the text in `fixtures`.
///
/// # Panics
/// Never: the text in `fixtures` always exists.
pub fn first_corpus() -> &'static Corpus {
    let mut natural = corpora::all().iter().filter(|corpus| corpus.is_natural());
    natural.next().expect("the fixture exists")
}

/// Divides a text into documents of whole lines, of about 4 KB each.
pub fn documents(text: &[u8]) -> Vec<&[u8]> {
    let mut documents = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        end += line.len();
        if end - start >= 4096 {
            documents.push(&text[start..end]);
            start = end;
        }
    }
    if start < end {
        documents.push(&text[start..end]);
    }
    documents
}

/// The distinct pieces of `text` that are neither tokens of `model` nor pieces of `before`. Each is
/// preceded by a space, so that adjacent pieces do not join.
pub fn novel(model: &Model, before: &[u8], text: &[u8]) -> Vec<u8> {
    let pattern = model.pattern();
    let mut seen: HashSet<Vec<u8>> = pieces(pattern, before).map(<[u8]>::to_vec).collect();
    let mut novel = Vec::new();
    for piece in pieces(pattern, text) {
        let word = [b" ", piece.trim_ascii()].concat();
        let is_one_piece = pieces(pattern, &word).count() == 1;
        if is_one_piece && model.vocab().id(&word).is_none() && seen.insert(word.clone()) {
            novel.extend(word);
        }
    }
    novel
}

fn pieces<'t, 'p: 't>(
    pattern: &'p Pattern,
    text: &'t [u8],
) -> impl Iterator<Item = &'t [u8]> + use<'t, 'p> {
    pattern
        .split(text)
        .map(|piece| &text[piece.expect("scanners split")])
}

/// A hash of ids that depends on their order.
pub fn hash(ids: &[TokenId]) -> u64 {
    ids.iter().fold(ids.len() as u64, |hash, &id| {
        (hash.rotate_left(5) ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

/// The hash of the expected ids; `None` if a piece is too long for the definition.
///
/// # Panics
/// If the pattern fails, which scanners never do.
pub fn expected_hash(model: &Model, text: &[u8]) -> Option<u64> {
    expected_hash_of(model, &[text])
}

/// As [`expected_hash`], for the concatenated ids of several texts.
///
/// # Panics
/// As [`expected_hash`].
pub fn expected_hash_of(model: &Model, texts: &[&[u8]]) -> Option<u64> {
    let definition = Definition::new(model);
    let mut known: HashMap<&[u8], Vec<TokenId>> = HashMap::new();
    let mut ids = Vec::new();
    for text in texts {
        for piece in pieces(model.pattern(), text) {
            if piece.len() > MAX_PIECE {
                return None;
            }
            let of_piece = known.entry(piece).or_insert_with(|| definition.ids(piece));
            ids.extend_from_slice(of_piece);
        }
    }
    Some(hash(&ids))
}

/// The merge rule of a model, by its definition.
struct Definition<'m> {
    model: &'m Model,
    ignore_merges: bool,
    /// Ranks and results by pair; `None` for a model that merges by token rank.
    listed: Option<HashMap<Pair, (u32, TokenId)>>,
}

impl<'m> Definition<'m> {
    fn new(model: &'m Model) -> Self {
        let (listed, ignore_merges) = match model.merging() {
            Merging::Ranks => (None, true),
            Merging::Merges {
                merges,
                ignore_merges,
            } => {
                let listed = merges.iter().zip(0..);
                let listed = listed.map(|(rule, rank)| (rule.pair(), (rank, rule.token)));
                (Some(listed.collect()), *ignore_merges)
            }
        };
        Definition {
            model,
            ignore_merges,
            listed,
        }
    }

    fn ids(&self, piece: &[u8]) -> Vec<TokenId> {
        let vocab = self.model.vocab();
        if self.ignore_merges
            && let Some(id) = vocab.id(piece)
        {
            return vec![id];
        }
        let bytes = piece
            .iter()
            .map(|&byte| vocab.byte_ids()[usize::from(byte)].expect("every byte is a token"));
        reference::merge_piece(bytes.collect(), |pair| match &self.listed {
            Some(listed) => listed.get(&pair).copied(),
            None => {
                let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
                vocab.id(&joined).map(|id| (id, id))
            }
        })
    }
}
