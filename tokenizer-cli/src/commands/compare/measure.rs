//! Models, and each of them on one corpus.

use std::path::Path;

use serde::Serialize;
use tokenizer_core::{Request, Tokenizer};

use crate::commands::pipeline;
use crate::error::Result;
use crate::input::{InputText, Inputs};
use crate::progress::Progress;

/// All that was measured.
#[derive(Serialize)]
pub(super) struct Comparison {
    pub(super) models: Vec<Compared>,
    pub(super) corpora: Vec<Corpus>,
}

/// A model that is compared.
#[derive(Serialize)]
pub(super) struct Compared {
    pub(super) name: String,
    /// How many tokens it has, special ones not counted.
    pub(super) tokens: usize,
    /// Tokens by length in bytes; the last number counts all longer ones.
    pub(super) tokens_by_bytes: [u64; LENGTHS],
}

#[derive(Serialize)]
pub(super) struct Corpus {
    pub(super) corpus: String,
    pub(super) models: Vec<Measured>,
}

/// Lengths of tokens that are told apart.
pub(super) const LENGTHS: usize = 17;

impl Compared {
    pub(super) fn new(path: &Path, tokenizer: &Tokenizer) -> Self {
        let vocab = tokenizer.model().vocab();
        let mut tokens_by_bytes = [0; LENGTHS];
        // One token may be empty: it has no length that is counted.
        for (_, token) in vocab.iter().filter(|(_, token)| !token.is_empty()) {
            tokens_by_bytes[token.len().min(LENGTHS) - 1] += 1;
        }
        Compared {
            name: path.display().to_string(),
            tokens: vocab.len(),
            tokens_by_bytes,
        }
    }
}

/// What there is in a corpus, and what a model makes of it.
#[derive(Serialize)]
pub(super) struct Measured {
    model: String,
    pub(super) bytes: u64,
    /// Code points; of bytes that are not UTF-8, each maximal invalid sequence is one.
    characters: u64,
    /// What stands between white space.
    words: u64,
    pub(super) tokens: u64,
    pub(super) bytes_per_token: f64,
    pub(super) characters_per_token: f64,
    pub(super) tokens_per_word: f64,
    /// How many tokens of the vocabulary occur, special ones not counted.
    pub(super) used_tokens: usize,
    unused_tokens: usize,
    /// How long encoding took.
    seconds: f64,
    pub(super) mb_per_second: f64,
}

fn ratio(number: u64, of: u64) -> f64 {
    number as f64 / of.max(1) as f64
}

pub(super) fn measure(
    model: &Compared,
    tokenizer: &Tokenizer,
    inputs: &Inputs,
    progress: &Progress,
) -> Result<Measured> {
    let mut tokens = 0;
    let mut is_used = vec![false; tokenizer.model().id_limit()];
    let mut counts = TextCounts::default();
    let encode = |request: Request<'_>, texts: &[InputText]| request.encode_batch(texts);
    let stage = progress.bytes_of("comparing", inputs.total_bytes);
    let request = tokenizer.request();
    let cut = pipeline::cut_for(tokenizer);
    let spent = pipeline::run(inputs, cut, 0, &stage, request, encode, |texts, batch| {
        tokens += batch.ids.len() as u64;
        for &id in &batch.ids {
            if let Some(used) = is_used.get_mut(id as usize) {
                *used = true;
            }
        }
        for text in texts {
            counts.add(text.as_ref(), text.stretch.ends_document);
        }
        Ok(())
    })?;
    let (bytes, seconds) = (stage.bytes(), spent.encoding.as_secs_f64());
    spent.end(progress, stage, tokens);
    let TextCounts {
        characters, words, ..
    } = counts;
    let used_tokens = is_used.into_iter().filter(|&used| used).count();
    Ok(Measured {
        model: model.name.clone(),
        bytes,
        characters,
        words,
        tokens,
        bytes_per_token: ratio(bytes, tokens),
        characters_per_token: ratio(characters, tokens),
        tokens_per_word: ratio(tokens, words),
        used_tokens,
        unused_tokens: model.tokens.saturating_sub(used_tokens),
        seconds,
        mb_per_second: bytes as f64 / 1e6 / seconds.max(1e-9),
    })
}

/// Characters and words of documents that come in stretches.
#[derive(Debug, Default)]
struct TextCounts {
    characters: u64,
    words: u64,
    in_word: bool,
}

impl TextCounts {
    fn add(&mut self, text: &[u8], ends_document: bool) {
        for chunk in text.utf8_chunks() {
            for character in chunk.valid().chars() {
                self.characters += 1;
                let in_word = !character.is_whitespace();
                self.words += u64::from(in_word && !self.in_word);
                self.in_word = in_word;
            }
            if !chunk.invalid().is_empty() {
                self.characters += 1;
                self.words += u64::from(!self.in_word);
                self.in_word = true;
            }
        }
        self.in_word &= !ends_document;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_change_no_word() {
        let counted = |texts: &[(&[u8], bool)]| {
            let mut counts = TextCounts::default();
            for (text, ends) in texts {
                counts.add(text, *ends);
            }
            (counts.characters, counts.words)
        };
        assert_eq!(counted(&[(" one two\u{a0}été ".as_bytes(), true)]), (13, 3));
        assert_eq!(
            counted(&[(b"on", false), (b"e t", false), (b"wo", true)]),
            (7, 2)
        );
        assert_eq!(counted(&[(b"one", true), (b"two", true)]), (6, 2));
        assert_eq!(counted(&[(b"\xff \xf0\x9f!", true)]), (4, 2));
    }
}
