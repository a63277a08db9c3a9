//! Decoding: texts encoded with published vocabularies. Decoding must restore the text.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokenizer_core::format::tiktoken;
use tokenizer_core::{Model, Pattern, PatternName, TokenId, Tokenizer};

use crate::corpora;

/// A corpus as ids.
pub struct Encoded {
    /// The name of the corpus.
    pub corpus: &'static str,
    /// The name of the vocabulary.
    pub vocabulary: &'static str,
    /// The text.
    pub bytes: &'static [u8],
    /// The model of the vocabulary.
    pub model: Arc<Model>,
    /// The text as ids.
    pub ids: Vec<TokenId>,
}

/// Published vocabularies outside the repository, and the fallback in `fixtures`.
const VOCABULARIES: [(&str, &str, PatternName); 3] = [
    (
        "cl100k",
        "../shared/data/vocabs/cl100k_base.tiktoken",
        PatternName::Cl100k,
    ),
    (
        "o200k",
        "../shared/data/vocabs/o200k_base.tiktoken",
        PatternName::O200k,
    ),
    (
        "fixture",
        "fixtures/golden/cl100k.tiktoken",
        PatternName::Cl100k,
    ),
];

/// Encodes each natural corpus with each published vocabulary, or with the fallback if there is none.
///
/// # Panics
/// If a file is not a valid vocabulary.
pub fn texts() -> Vec<Encoded> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut texts = Vec::new();
    for (vocabulary, path, pattern) in VOCABULARIES {
        if vocabulary == "fixture" && !texts.is_empty() {
            break;
        }
        let Ok(file) = fs::read(root.join(path)) else {
            continue;
        };
        let model = tiktoken::read(&file, Pattern::named(pattern)).expect("a published vocabulary");
        let tokenizer = Tokenizer::new(model);
        for corpus in corpora::all().iter().filter(|corpus| corpus.is_natural()) {
            let bytes = corpus.text();
            texts.push(Encoded {
                corpus: corpus.name(),
                vocabulary,
                bytes,
                model: tokenizer.model().clone(),
                ids: tokenizer.encode(bytes).expect("scanners never fail"),
            });
        }
    }
    texts
}
