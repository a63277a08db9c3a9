//! Encoding: the models that are measured, texts that a model has not met, and what the ids must be.
//!
//! The right ids come from [`mod@reference`]: the pattern splits, and each distinct piece is merged by
//! the definition. That takes the square of a piece, so it is for texts that people write. They are
//! compared by a hash.

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

/// Ids of a nanochat model, special tokens not counted.
const NANOCHAT_TOKENS: usize = 32_768;

/// Longer pieces are too long for the definition.
const LONGEST_PIECE: usize = 10_000;

/// The first sentence that a model is asked for.
pub const SENTENCE: &str = "The quick brown fox jumps over the lazy dog, and then it's 12:34.";

/// A model to encode with, made when it is first asked for.
pub struct Encoding {
    name: &'static str,
    pattern: PatternName,
    /// The table in the shared data; without one, the model is trained.
    table: Option<&'static str>,
    files: OnceLock<Files>,
    model: OnceLock<Arc<Model>>,
}

/// A model as it lies on a disk.
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

    /// All of them: three of OpenAI's, and one of nanochat's kind, trained here on the first corpus.
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

    /// Whether it was trained here, on [`first_corpus`].
    pub fn is_trained_here(&self) -> bool {
        self.table.is_none()
    }

    /// How text is split.
    pub fn pattern(&self) -> Pattern {
        Pattern::named(self.pattern)
    }

    /// The model, as it comes out of the native file.
    ///
    /// # Panics
    /// When the files are no models.
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

/// One of OpenAI's tables; where the shared data are not at hand, that of `fixtures` with the same
/// pattern, which is small.
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

/// English prose, or the text of the repository.
///
/// # Panics
/// Never: that one is always there.
pub fn first_corpus() -> &'static Corpus {
    let mut natural = corpora::all().iter().filter(|corpus| corpus.is_natural());
    natural.next().expect("there is always one")
}

/// Documents of whole lines, of about 4 KB each.
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

/// The pieces of `text` that `model` has not met: no entries of its vocabulary, not in `before`, and
/// each once. They stand as words behind a space, since some must not touch others.
pub fn novel(model: &Model, before: &[u8], text: &[u8]) -> Vec<u8> {
    let pattern = model.pattern();
    let mut met: HashSet<Vec<u8>> = pieces(pattern, before).map(<[u8]>::to_vec).collect();
    let mut novel = Vec::new();
    for piece in pieces(pattern, text) {
        let word = [b" ", piece.trim_ascii()].concat();
        let is_one_piece = pieces(pattern, &word).count() == 1;
        if is_one_piece && model.vocab().id(&word).is_none() && met.insert(word.clone()) {
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

/// Of ids, in their order.
pub fn hash(ids: &[TokenId]) -> u64 {
    ids.iter().fold(ids.len() as u64, |hash, &id| {
        (hash.rotate_left(5) ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

/// The hash of the right ids, or `None` when a piece is too long for the definition.
///
/// # Panics
/// When the pattern fails, which no scanner does.
pub fn right_hash(model: &Model, text: &[u8]) -> Option<u64> {
    right_hash_of(model, &[text])
}

/// As [`right_hash`], of the ids of several texts, one behind the other.
///
/// # Panics
/// As [`right_hash`].
pub fn right_hash_of(model: &Model, texts: &[&[u8]]) -> Option<u64> {
    let definition = Definition::new(model);
    let mut known: HashMap<&[u8], Vec<TokenId>> = HashMap::new();
    let mut ids = Vec::new();
    for text in texts {
        for piece in pieces(model.pattern(), text) {
            if piece.len() > LONGEST_PIECE {
                return None;
            }
            let of_piece = known.entry(piece).or_insert_with(|| definition.ids(piece));
            ids.extend_from_slice(of_piece);
        }
    }
    Some(hash(&ids))
}

/// A model's rule of merging, as it is written down.
struct Definition<'m> {
    model: &'m Model,
    ignore_merges: bool,
    /// Of listed merges; none under ranks.
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
            .map(|&byte| vocab.byte_ids()[usize::from(byte)]);
        reference::merge_piece(bytes.collect(), |pair| match &self.listed {
            Some(listed) => listed.get(&pair).copied(),
            None => {
                let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
                vocab.id(&joined).map(|id| (id, id))
            }
        })
    }
}
