//! Measurements of each model on each corpus.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokenizer_core::{Request, Tokenizer};

use crate::commands::pipeline;
use crate::error::Result;
use crate::input::{InputText, Inputs};
use crate::progress::{Progress, Stage};

/// The result of the command, which is also its JSON output.
#[derive(Serialize)]
pub(super) struct Comparison {
    pub(super) models: Vec<Compared>,
    pub(super) corpora: Vec<Corpus>,
    /// Each model on all corpora together.
    pub(super) total: Vec<Measured>,
}

/// A model and its vocabulary.
#[derive(Serialize)]
pub(super) struct Compared {
    pub(super) name: String,
    /// Size of the vocabulary, without special tokens.
    pub(super) tokens: usize,
    /// Number of tokens of each length from 1 byte; the last element also counts all longer tokens.
    pub(super) tokens_by_bytes: [u64; LENGTHS],
}

/// A corpus, with a measurement for each model, in the order of the models.
#[derive(Serialize)]
pub(super) struct Corpus {
    pub(super) corpus: String,
    pub(super) models: Vec<Measured>,
}

/// Number of classes of token lengths: 1 to 16 bytes, and 17 bytes or more.
pub(super) const LENGTHS: usize = 17;

impl Compared {
    pub(super) fn new(path: &Path, tokenizer: &Tokenizer) -> Self {
        let vocab = tokenizer.model().vocab();
        let mut tokens_by_bytes = [0; LENGTHS];
        // A vocabulary may contain the empty token.
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

/// A model on a corpus.
#[derive(Serialize)]
pub(super) struct Measured {
    model: String,
    pub(super) bytes: u64,
    /// Code points; each maximal invalid sequence counts as one.
    characters: u64,
    /// Runs of characters that are not white space.
    words: u64,
    pub(super) tokens: u64,
    pub(super) bytes_per_token: f64,
    pub(super) characters_per_token: f64,
    pub(super) tokens_per_word: f64,
    /// Number of tokens of the vocabulary that occur; special tokens are not counted.
    pub(super) used_tokens: usize,
    unused_tokens: usize,
    /// Time of encoding alone, on average per thread.
    seconds: f64,
    pub(super) mb_per_second: f64,
}

impl Measured {
    pub(super) fn new(model: &Compared, tally: &Tally) -> Self {
        let &Tally { bytes, tokens, .. } = tally;
        let TextCounts {
            characters, words, ..
        } = tally.text;
        let ratio = |numerator: u64, denominator: u64| numerator as f64 / denominator.max(1) as f64;
        let used_tokens = tally.is_used.iter().filter(|&&used| used).count();
        let seconds = tally.encoding.as_secs_f64();
        Measured {
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
        }
    }
}

/// Sums over the documents of one or several corpora.
#[derive(Default)]
pub(super) struct Tally {
    bytes: u64,
    tokens: u64,
    text: TextCounts,
    /// For each id, whether it occurs.
    is_used: Vec<bool>,
    encoding: Duration,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.bytes += other.bytes;
        self.tokens += other.tokens;
        self.text.characters += other.text.characters;
        self.text.words += other.text.words;
        self.encoding += other.encoding;
        let limit = self.is_used.len().max(other.is_used.len());
        self.is_used.resize(limit, false);
        for (used, &other) in self.is_used.iter_mut().zip(&other.is_used) {
            *used |= other;
        }
    }
}

/// Encodes a corpus.
pub(super) fn measure(
    tokenizer: &Tokenizer,
    inputs: &Inputs,
    stage: Stage,
    progress: &Progress,
) -> Result<Tally> {
    let mut tally = Tally {
        is_used: vec![false; tokenizer.model().id_limit()],
        ..Tally::default()
    };
    let encode = |request: Request<'_>, texts: &[InputText]| request.encode_batch(texts);
    let request = tokenizer.request();
    let cut = pipeline::cut_for(tokenizer);
    let spent = pipeline::run(inputs, cut, 0, &stage, request, encode, |texts, batch| {
        tally.tokens += batch.ids.len() as u64;
        for &id in &batch.ids {
            if let Some(used) = tally.is_used.get_mut(id as usize) {
                *used = true;
            }
        }
        for text in texts {
            tally.text.add(text.as_ref(), text.stretch.ends_document);
        }
        Ok(())
    })?;
    (tally.bytes, tally.encoding) = (stage.bytes(), spent.encoding);
    spent.end(progress, stage, tally.tokens);
    Ok(tally)
}

/// Characters and words of documents that arrive in several parts.
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
    fn words_may_span_parts() {
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
