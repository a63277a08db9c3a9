//! The steps of a decoder, applied to tokens as they arrive.

use std::borrow::Cow;

use super::state::{Invalid, State, fallback_byte, replaced};
use crate::byte_level::bytes_of;
use crate::normalize::{Replace, Text};

/// A decoder of `tokenizers`, under the same name in a `tokenizer.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeStep {
    /// Puts a space between tokens, as `tokenizers` does without a decoder.
    Spaced,
    /// Replaces matches within each token.
    Replace(Replace),
    /// Removes a character from both ends of each token.
    Strip {
        /// The character.
        character: char,
        /// How often it is removed at the start at most.
        start: u32,
        /// How often it is removed at the end at most.
        stop: u32,
    },
    /// Replaces this character by a space, and removes it from the first token.
    Metaspace(char),
    /// Replaces this suffix by a space, and removes it from the last token. Not empty.
    BpeDecoder(String),
    /// Removes the prefix from each token but the first, or else puts a space before the token.
    WordPiece {
        /// The prefix.
        prefix: String,
        /// Whether to remove spaces before English punctuation and contractions within each token.
        cleanup: bool,
    },
    /// Joins adjacent tokens `<0x00>` to `<0xFF>` to the characters of which they are the bytes.
    ByteFallback,
    /// Joins all tokens to one.
    Fuse,
    /// Joins all tokens to one, and reads the byte-level spelling: `Ġthe` becomes ` the`.
    ByteLevel,
}

/// A chain of steps. Each passes tokens on to the next one, and the last to `out`.
pub(super) struct Chain<'c> {
    pub(super) steps: &'c [DecodeStep],
    pub(super) states: &'c mut [State],
    pub(super) streamed_from: usize,
    pub(super) invalid: Invalid,
    pub(super) out: &'c mut Vec<u8>,
}

/// Returns the state of a step at the start of a text.
pub(super) fn start_of(step: &DecodeStep) -> State {
    let strips = match step {
        DecodeStep::Strip { start, .. } => *start,
        _ => 0,
    };
    State {
        strips,
        ..State::default()
    }
}

/// Returns the index of the first step that joins tokens, if the steps after it change no more than the start
/// of the text; otherwise the number of steps.
pub(super) fn streamed_from(steps: &[DecodeStep]) -> usize {
    let is_streamed = |at: &usize| {
        let is_fuse = matches!(steps[*at], DecodeStep::Fuse);
        (is_fuse || matches!(steps[*at], DecodeStep::ByteLevel))
            && steps[at + 1..].iter().all(|step| match step {
                DecodeStep::Fuse => true,
                DecodeStep::Strip { stop, .. } => is_fuse && *stop == 0,
                _ => false,
            })
    };
    (0..steps.len()).find(is_streamed).unwrap_or(steps.len())
}

impl Chain<'_> {
    /// Passes a token to the step with index `at`. Linear in the length of the token.
    pub(super) fn push(&mut self, at: usize, token: &[u8]) {
        let Some(step) = self.steps.get(at) else {
            self.out.extend_from_slice(token);
            return;
        };
        let is_streamed = at >= self.streamed_from;
        let state = &mut self.states[at];
        let is_first = !std::mem::replace(&mut state.is_started, true);
        match step {
            DecodeStep::Spaced if is_first => self.push(at + 1, token),
            DecodeStep::Spaced => self.push(at + 1, &[b" ", token].concat()),
            DecodeStep::Replace(replace) => {
                self.push(at + 1, &replace.apply(Text::new(token)).bytes);
            }
            DecodeStep::Strip { character, .. } if is_streamed => {
                let rest = strip_start(token, *character, &mut state.strips);
                self.push(at + 1, rest);
            }
            DecodeStep::Strip {
                character,
                start,
                stop,
            } => {
                let rest = strip_start(token, *character, &mut start.clone());
                self.push(at + 1, strip_end(rest, *character, *stop));
            }
            DecodeStep::Metaspace(character) => {
                let space = if is_first { "" } else { " " };
                let mut buffer = [0; 4];
                let symbol = character.encode_utf8(&mut buffer);
                self.push(at + 1, &replaced(token, symbol, space));
            }
            DecodeStep::BpeDecoder(suffix) => {
                let last = std::mem::replace(&mut state.held, token.to_vec());
                if !is_first {
                    self.push(at + 1, &replaced(&last, suffix, " "));
                }
            }
            DecodeStep::WordPiece { prefix, cleanup } => {
                let mut text = word_piece(token, is_first, prefix);
                if *cleanup {
                    text = cleaned(&text).into();
                }
                self.push(at + 1, &text);
            }
            DecodeStep::ByteFallback => match fallback_byte(token) {
                Some(byte) => state.held.push(byte),
                None => {
                    self.end_bytes(at);
                    self.push(at + 1, token);
                }
            },
            DecodeStep::Fuse if is_streamed => self.push(at + 1, token),
            DecodeStep::Fuse => state.held.extend_from_slice(token),
            DecodeStep::ByteLevel => {
                let text = std::str::from_utf8(token).ok();
                let bytes = text.and_then(bytes_of).map_or(token.into(), Cow::from);
                match is_streamed {
                    true => self.push(at + 1, &bytes),
                    false => state.held.extend_from_slice(&bytes),
                }
            }
        }
    }

    /// Passes on all that the steps hold.
    pub(super) fn finish(&mut self) {
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                DecodeStep::BpeDecoder(suffix) if self.states[at].is_started => {
                    let last = std::mem::take(&mut self.states[at].held);
                    self.push(at + 1, &replaced(&last, suffix, ""));
                }
                DecodeStep::ByteFallback => self.end_bytes(at),
                DecodeStep::Fuse | DecodeStep::ByteLevel if at < self.streamed_from => {
                    let text = std::mem::take(&mut self.states[at].held);
                    match self.invalid {
                        Invalid::Keep => self.push(at + 1, &text),
                        Invalid::Replace => {
                            self.push(at + 1, String::from_utf8_lossy(&text).as_bytes());
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Passes on the bytes of the last byte-fallback tokens: as one token, or if they are not UTF-8, as one token
    /// for each.
    fn end_bytes(&mut self, at: usize) {
        let bytes = std::mem::take(&mut self.states[at].held);
        if bytes.is_empty() {
            return;
        }
        if std::str::from_utf8(&bytes).is_ok() {
            return self.push(at + 1, &bytes);
        }
        for byte in &bytes {
            match self.invalid {
                Invalid::Keep => self.push(at + 1, std::slice::from_ref(byte)),
                Invalid::Replace => self.push(at + 1, "\u{FFFD}".as_bytes()),
            }
        }
    }
}

/// Removes a character from the start at most `most` times, which is set to the number of times that are left:
/// 0 if another character follows.
fn strip_start<'t>(mut text: &'t [u8], character: char, most: &mut u32) -> &'t [u8] {
    let mut buffer = [0; 4];
    let stripped = character.encode_utf8(&mut buffer).as_bytes();
    while *most > 0 && !text.is_empty() {
        match text.strip_prefix(stripped) {
            Some(rest) => (text, *most) = (rest, *most - 1),
            None => *most = 0,
        }
    }
    text
}

/// Removes a character from the end at most `most` times.
fn strip_end(mut text: &[u8], character: char, most: u32) -> &[u8] {
    let mut buffer = [0; 4];
    let stripped = character.encode_utf8(&mut buffer).as_bytes();
    for _ in 0..most {
        match text.strip_suffix(stripped) {
            Some(rest) => text = rest,
            None => break,
        }
    }
    text
}

/// Joins a token to those before it.
fn word_piece<'t>(token: &'t [u8], is_first: bool, prefix: &str) -> Cow<'t, [u8]> {
    if is_first {
        return token.into();
    }
    match token.strip_prefix(prefix.as_bytes()) {
        Some(rest) => rest.into(),
        None => [b" ", token].concat().into(),
    }
}

/// Removes spaces in a token as `tokenizers` does.
fn cleaned(token: &[u8]) -> Vec<u8> {
    let changes = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    changes.iter().fold(token.to_vec(), |text, (from, to)| {
        replaced(&text, from, to).into_owned()
    })
}
