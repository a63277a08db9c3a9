//! A model of SentencePiece with the components of `tokenizers`.
//!
//! Ids are the same. Decoded text differs: in `tokenizers`, special tokens decode to their own text.

use std::borrow::Cow;

use super::error::HuggingFaceError;
use super::verify::verify_ids;
use crate::model::Model;
use crate::normalize::{Normalizer, Replace, ReplaceError, SPACE_SYMBOL, Spaces};
use crate::text_decoder::{DecodeStep, PieceDecoder, TextDecoder};

/// Returns the model with the normalizer and decoder of `tokenizers` instead of those of SentencePiece.
///
/// # Errors
/// If an added token would match other text.
pub(super) fn in_components(model: &Model) -> Result<Cow<'_, Model>, HuggingFaceError> {
    let mut written = Cow::Borrowed(model);
    if let Some(Normalizer::Spaces(spaces)) = model.normalizer() {
        let normalizer = steps(*spaces).map_err(|error| HuggingFaceError::Unsupported {
            path: "normalizer".into(),
            component: error.to_string(),
        })?;
        let with_steps = model.clone().with_normalizer(normalizer);
        for token in model.specials().iter() {
            let content = |model: &Model| token.normalized_content(model.normalizer()).into_owned();
            if content(&with_steps) != content(model) {
                return Err(HuggingFaceError::SpecialNotTold {
                    content: token.content.clone(),
                    id: token.id,
                    why: "tokenizers would put U+2581, the prefix of texts, before it too",
                });
            }
        }
        written = Cow::Owned(with_steps);
    }
    if let Some(TextDecoder::SentencePiece(decoder)) = model.text_decoder() {
        let decoder = decoder_steps(*decoder).map_err(|error| HuggingFaceError::Unsupported {
            path: "decoder".into(),
            component: error.to_string(),
        })?;
        written = Cow::Owned(written.into_owned().with_text_decoder(Some(decoder)));
    }
    if let Cow::Owned(written) = &written {
        verify_ids(model, written)?;
    }
    Ok(written)
}

/// The decoder as steps of `tokenizers`.
fn decoder_steps(decoder: PieceDecoder) -> Result<TextDecoder, ReplaceError> {
    let mut steps = vec![DecodeStep::Replace(Replace::text(SPACE_SYMBOL, " ")?)];
    if decoder.byte_fallback {
        steps.push(DecodeStep::ByteFallback);
    }
    if decoder.strips > 0 {
        let strip = DecodeStep::Strip {
            character: ' ',
            start: 1,
            stop: 0,
        };
        steps.extend([DecodeStep::Fuse, strip]);
    }
    Ok(TextDecoder::of_steps(steps, false))
}

/// The normalizer as steps of `tokenizers`.
fn steps(spaces: Spaces) -> Result<Option<Normalizer>, ReplaceError> {
    let mut steps = Vec::new();
    if spaces.remove_extra {
        steps.push(Normalizer::Replace(Replace::regex(r"\A +", "")?));
        steps.push(Normalizer::Replace(Replace::regex(" {2,}", " ")?));
    }
    if spaces.dummy_prefix {
        steps.push(Normalizer::Prepend(SPACE_SYMBOL.into()));
    }
    steps.push(Normalizer::Replace(Replace::text(" ", SPACE_SYMBOL)?));
    if spaces.remove_extra {
        let trailing = format!(r"{SPACE_SYMBOL}+\z");
        steps.push(Normalizer::Replace(Replace::regex(&trailing, "")?));
    }
    Ok(Normalizer::sequence(steps))
}
