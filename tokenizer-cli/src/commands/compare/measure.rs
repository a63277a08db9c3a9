//! Models, and each of them on one corpus.

use std::path::Path;
use std::time::Duration;

use tokenizer_core::Tokenizer;

use crate::commands::pipeline;
use crate::error::Result;
use crate::input::{InputText, Inputs};
use crate::progress::Progress;

/// All that was measured: for each corpus a row of models.
pub(super) struct Comparison {
    pub(super) models: Vec<Compared>,
    pub(super) corpora: Vec<(String, Vec<Measured>)>,
}

/// A model that is compared.
pub(super) struct Compared {
    pub(super) name: String,
    /// How many tokens it has, special ones not counted.
    pub(super) tokens: usize,
    /// How many tokens have so many bytes; the last number is of those that have more.
    pub(super) lengths: [u64; LENGTHS],
}

/// Lengths of tokens that are told apart.
pub(super) const LENGTHS: usize = 17;

impl Compared {
    pub(super) fn new(path: &Path, tokenizer: &Tokenizer) -> Self {
        let vocab = tokenizer.model().vocab();
        let mut lengths = [0; LENGTHS];
        // One token may be empty: it has no length that is counted.
        for (_, token) in vocab.iter().filter(|(_, token)| !token.is_empty()) {
            lengths[token.len().min(LENGTHS) - 1] += 1;
        }
        Compared {
            name: path.display().to_string(),
            tokens: vocab.len(),
            lengths,
        }
    }
}

/// What there is in a corpus, and what a model makes of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measured {
    pub(super) bytes: u64,
    /// Code points; of bytes that are not UTF-8, each maximal invalid sequence is one.
    pub(super) characters: u64,
    /// What stands between white space.
    pub(super) words: u64,
    pub(super) tokens: u64,
    /// How many tokens of the vocabulary occur, special ones not counted.
    pub(super) used: usize,
    /// How long encoding took.
    pub(super) took: Duration,
}

impl Measured {
    pub(super) fn bytes_per_token(&self) -> f64 {
        ratio(self.bytes, self.tokens)
    }

    pub(super) fn characters_per_token(&self) -> f64 {
        ratio(self.characters, self.tokens)
    }

    pub(super) fn tokens_per_word(&self) -> f64 {
        ratio(self.tokens, self.words)
    }

    pub(super) fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.took.as_secs_f64().max(1e-9)
    }
}

fn ratio(number: u64, of: u64) -> f64 {
    number as f64 / of.max(1) as f64
}

pub(super) fn measure(
    tokenizer: &Tokenizer,
    inputs: &Inputs,
    threads: usize,
    progress: &Progress,
) -> Result<Measured> {
    let mut measured = Measured::default();
    let mut is_used = vec![false; tokenizer.model().id_limit()];
    let mut text_counts = TextCounts::default();
    let encode =
        |texts: &[InputText], threads| tokenizer.request().threads(threads).encode_batch(texts);
    let stage = progress.bytes_of("comparing", inputs.total_bytes);
    let cut = pipeline::cut_for(tokenizer);
    let spent = pipeline::run(inputs, cut, 0, threads, encode, |texts, batch| {
        measured.tokens += batch.ids.len() as u64;
        for &id in &batch.ids {
            if let Some(used) = is_used.get_mut(id as usize) {
                *used = true;
            }
        }
        for text in texts {
            text_counts.add(text.as_ref(), text.stretch.ends_document);
            measured.bytes += text.as_ref().len() as u64;
            stage.advance(text.as_ref().len() as u64);
        }
        Ok(())
    })?;
    measured.took = spent.encoding;
    spent.say(progress, measured.bytes, measured.tokens);
    stage.tokens(measured.tokens);
    measured.characters = text_counts.characters;
    measured.words = text_counts.words;
    measured.used = is_used.iter().filter(|&&used| used).count();
    Ok(measured)
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
