//! Decoding of models in which text is not the bytes of the tokens, joined: those of a `tokenizer.json` with a
//! decoder other than `ByteLevel` alone, and those of SentencePiece.

mod pieces;
mod state;
mod steps;

pub use pieces::PieceDecoder;
pub(crate) use state::{Invalid, fallback_byte};
pub use steps::DecodeStep;

use state::State;
use steps::{Chain, start_of, streamed_from};

/// The decoder of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextDecoder {
    /// Decodes as `tokenizers`: the steps change a list of tokens, one after another, and the result is joined.
    Steps {
        /// The steps, in order.
        steps: Vec<DecodeStep>,
        /// Whether the steps act on the byte-level spelling of tokens, `Ġthe` for ` the`.
        spelled: bool,
    },
    /// Decodes as `sentencepiece`.
    SentencePiece(PieceDecoder),
}

/// Limit on the number of steps of a decoder.
pub(crate) const MAX_STEPS: usize = 64;

/// Limit on the product of the factors by which `Replace` steps may lengthen tokens.
const MAX_GROWTH: usize = 64;

impl TextDecoder {
    /// A decoder of `tokenizers`. A `Fuse` at the end changes nothing and is left out.
    pub(crate) fn of_steps(mut steps: Vec<DecodeStep>, spelled: bool) -> Self {
        while steps.last() == Some(&DecodeStep::Fuse) {
            steps.pop();
        }
        TextDecoder::Steps { steps, spelled }
    }

    /// Refuses a decoder that costs much more than a text and a file are long, or whose result is undefined.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let TextDecoder::Steps { steps, .. } = self else {
            return Ok(());
        };
        if steps.len() > MAX_STEPS {
            return Err("a decoder of more than 64 steps");
        }
        let growth = steps.iter().map(|step| match step {
            DecodeStep::Replace(replace) => replace.growth(),
            _ => 1,
        });
        if growth.fold(1, usize::saturating_mul) > MAX_GROWTH {
            return Err("a decoder that may lengthen tokens more than 64 times");
        }
        let is_empty =
            |step: &DecodeStep| matches!(step, DecodeStep::BpeDecoder(suffix) if suffix.is_empty());
        match steps.iter().any(is_empty) {
            true => Err("an empty suffix"),
            false => Ok(()),
        }
    }

    /// Returns whether the decoder reads the byte-level spelling of tokens.
    pub(crate) fn is_spelled(&self) -> bool {
        matches!(self, TextDecoder::Steps { spelled: true, .. })
    }

    /// Returns the state at the start of a text.
    pub(crate) fn start(&self) -> DecodedText {
        match self {
            TextDecoder::Steps { steps, .. } => DecodedText {
                state: State::default(),
                steps: steps.iter().map(start_of).collect(),
                streamed_from: streamed_from(steps),
            },
            TextDecoder::SentencePiece(pieces) => DecodedText {
                state: State {
                    strips: pieces.strips,
                    ..State::default()
                },
                ..DecodedText::default()
            },
        }
    }
}

/// The state of decoding between two tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct DecodedText {
    /// The state of a decoder without steps.
    state: State,
    /// The states of the steps.
    steps: Vec<State>,
    /// Index of the first step that joins all tokens and passes them on one by one nevertheless, since no later
    /// step needs the whole text.
    streamed_from: usize,
}

impl DecodedText {
    /// Appends the text of the next token to `out`, except what depends on later tokens. `is_surface` states
    /// whether the token is the text that a special token of SentencePiece decodes to.
    pub(crate) fn push(
        &mut self,
        decoder: &TextDecoder,
        token: &[u8],
        is_surface: bool,
        invalid: Invalid,
        out: &mut Vec<u8>,
    ) {
        match decoder {
            TextDecoder::Steps { steps, .. } => self.chain(steps, invalid, out).push(0, token),
            TextDecoder::SentencePiece(pieces) => {
                pieces.push(&mut self.state, token, is_surface, invalid, out);
            }
        }
    }

    /// Appends the rest of the text to `out`.
    pub(crate) fn finish(&mut self, decoder: &TextDecoder, invalid: Invalid, out: &mut Vec<u8>) {
        match decoder {
            TextDecoder::Steps { steps, .. } => self.chain(steps, invalid, out).finish(),
            TextDecoder::SentencePiece(pieces) => pieces.end_run(&mut self.state, invalid, out),
        }
    }

    fn chain<'c>(
        &'c mut self,
        steps: &'c [DecodeStep],
        invalid: Invalid,
        out: &'c mut Vec<u8>,
    ) -> Chain<'c> {
        Chain {
            steps,
            states: &mut self.steps,
            streamed_from: self.streamed_from,
            invalid,
            out,
        }
    }
}

#[cfg(test)]
mod tests;
