//! SentencePiece models of type BPE: the protobuf files `tokenizer.model` of Llama 2 and Mistral, and those
//! that `spm_train --model_type=bpe` writes. Ids, offsets and decoded text equal those of `sentencepiece` 0.2.3.
//!
//! | field | read |
//! | --- | --- |
//! | `trainer_spec.model_type` | `BPE`; others are refused by name |
//! | `trainer_spec.byte_fallback`, `unk_surface` | obeyed |
//! | `trainer_spec.treat_whitespace_as_suffix` | `false` |
//! | `normalizer_spec.add_dummy_prefix`, `remove_extra_whitespaces` | obeyed |
//! | `normalizer_spec.escape_whitespaces` | `true` |
//! | `normalizer_spec.precompiled_charsmap` | empty, as for `--normalization_rule_name=identity` |
//! | `denormalizer_spec.precompiled_charsmap` | empty |
//! | `pieces`, of the types `NORMAL`, `UNKNOWN`, `CONTROL`, `USER_DEFINED` and `BYTE` | obeyed; `UNUSED` is refused |
//! | equal scores of pieces that merge | only for repetitions of one character, such as Llama's spaces |
//!
//! All other fields are parameters of training, and are ignored, as `sentencepiece` does.
//!
//! In terms of this crate:
//!
//! - Control pieces and the unknown piece are special tokens, which are plain text unless allowed. Control
//!   pieces decode to nothing, and the unknown piece to `unk_surface`, as in `sentencepiece`.
//! - User-defined pieces are added tokens that are always found.
//! - There is no post-processor: `sentencepiece` adds `<s>` and `</s>` only if a call asks for them.
//! - Each byte of a character that has no piece has an offset of its own; in `sentencepiece`, the last byte has
//!   that of the whole character. Offsets also differ within a run of U+2581 in the original text, if there are
//!   user-defined pieces with U+2581. Bytes of a text that are not UTF-8 are kept; `sentencepiece` replaces each by
//!   U+FFFD.

mod error;
mod merges;
mod pieces;
mod proto;
#[cfg(test)]
mod tests;

pub use error::{MAX_PIECE_BYTES, PieceFault, SentencePieceError};

use pieces::{Kind, Piece, Pieces};
use proto::{ModelProto, NormalizerSpec, TrainerSpec, singular};

use crate::merges::Merges;
use crate::model::{Merging, Model};
use crate::normalize::{Normalizer, Spaces};
use crate::pattern::Pattern;
use crate::special::{SpecialToken, SpecialTokens};
use crate::symbols::Symbols;
use crate::text_decoder::{PieceDecoder, TextDecoder};
use crate::token::TokenId;
use crate::vocab::{Repeats, Vocab, VocabError};

/// Reads a SentencePiece model. Memory is linear in the length of the file, and time in that times the length
/// of the pieces.
///
/// # Errors
/// If the file is invalid or has a setting or piece that is not supported; the error names it.
pub fn read(bytes: &[u8]) -> Result<Model, SentencePieceError> {
    let model = ModelProto::read(bytes)?;
    for (field, occurrences) in [
        ("trainer_spec", &model.trainer_spec),
        ("normalizer_spec", &model.normalizer_spec),
    ] {
        if occurrences.is_empty() {
            return Err(SentencePieceError::Missing { field });
        }
    }
    let trainer: TrainerSpec = singular(&model.trainer_spec, "trainer_spec")?;
    let normalizer: NormalizerSpec = singular(&model.normalizer_spec, "normalizer_spec")?;
    let denormalizer: NormalizerSpec = singular(&model.denormalizer_spec, "denormalizer_spec")?;
    check(&trainer, &normalizer, &denormalizer)?;
    let pieces = Pieces::read(&model.pieces, trainer.byte_fallback)?;
    let spaces = Spaces {
        dummy_prefix: normalizer.add_dummy_prefix.unwrap_or(true),
        remove_extra: normalizer.remove_extra_whitespaces.unwrap_or(true),
    };
    let vocab = vocabulary(&pieces)?;
    let merging = Merging::Merges {
        merges: Merges::new(merges::merges(&pieces)?)?,
        ignore_merges: false,
    };
    let is_unknown = |piece: &Piece| piece.kind == Kind::Unknown;
    let unknown = pieces.list.iter().position(is_unknown);
    let symbols = Symbols {
        characters: true,
        byte_fallback: trainer.byte_fallback,
        unknown: unknown.map(|id| id as TokenId),
        fuse_unknown: true,
        ..Symbols::default()
    };
    let specials = special_tokens(
        &pieces,
        trainer.unk_surface.as_deref().unwrap_or(" \u{2047} "),
    )?;
    let model = Model::with_symbols(Pattern::sequence([]), vocab, merging, specials, symbols)?;
    Ok(model
        .with_normalizer(Some(Normalizer::Spaces(spaces)))
        .with_text_decoder(Some(text_decoder(spaces, trainer.byte_fallback))))
}

/// Returns whether a file that starts with `head` is a SentencePiece model: a message whose first field is a
/// piece, whose first field is a string. Needs 64 bytes at most.
#[must_use]
pub fn is_model(head: &[u8]) -> bool {
    // The key 0x0A is that of field 1, which has a length.
    let field = |bytes: &[u8]| -> Option<(usize, usize)> {
        let rest = bytes.strip_prefix(&[0x0A])?;
        let end = rest.iter().take(3).position(|byte| byte & 0x80 == 0)?;
        let digits = rest[..=end].iter().rev();
        let length = digits.fold(0, |length, byte| length << 7 | usize::from(byte & 0x7F));
        Some((end + 2, length))
    };
    let found = field(head).and_then(|(start, length)| {
        let (inner, text) = field(head.get(start..)?)?;
        let rest = length.checked_sub(inner + text)?;
        let after = head.get(start + inner + text)?;
        // The score, the type, or the next piece follows.
        let known: &[u8] = if rest == 0 { &[0x0A] } else { &[0x15, 0x18] };
        Some(text > 0 && known.contains(after))
    });
    found == Some(true)
}

/// Refuses settings that are not supported.
fn check(
    trainer: &TrainerSpec,
    normalizer: &NormalizerSpec,
    denormalizer: &NormalizerSpec,
) -> Result<(), SentencePieceError> {
    let model_type = match trainer.model_type.unwrap_or(1) {
        2 => None,
        1 => Some("UNIGRAM".to_owned()),
        3 => Some("WORD".to_owned()),
        4 => Some("CHAR".to_owned()),
        other => Some(other.to_string()),
    };
    if let Some(name) = model_type {
        return Err(SentencePieceError::ModelType { name });
    }
    let unsupported = |field, value: String, expected| {
        Err(SentencePieceError::Unsupported {
            field,
            value,
            expected,
        })
    };
    if trainer.treat_whitespace_as_suffix {
        return unsupported("treat_whitespace_as_suffix", "true".into(), "false");
    }
    if normalizer.escape_whitespaces == Some(false) {
        return unsupported("escape_whitespaces", "false".into(), "true");
    }
    if !normalizer.precompiled_charsmap.is_empty() {
        let name = format!("{:?}", pieces::shortened(&normalizer.name));
        return unsupported("normalizer", name, "\"identity\"");
    }
    if !denormalizer.precompiled_charsmap.is_empty() {
        let name = format!("{:?}", pieces::shortened(&denormalizer.name));
        return unsupported("denormalizer", name, "none");
    }
    Ok(())
}

/// The pieces of which texts are merged, and those of byte fallback.
fn vocabulary(pieces: &Pieces) -> Result<Vocab, VocabError> {
    let pieces = pieces.list.iter().zip(0..);
    let tokens = pieces.filter(|(piece, _)| matches!(piece.kind, Kind::Normal | Kind::Byte));
    Vocab::new(
        tokens.map(|(piece, id)| (id, piece.text.as_bytes())),
        Repeats::Refuse,
    )
}

/// The other pieces.
fn special_tokens(pieces: &Pieces, unk_surface: &str) -> Result<SpecialTokens, SentencePieceError> {
    let tokens = pieces.list.iter().zip(0..).filter_map(|(piece, id)| {
        let mut token = SpecialToken::new(piece.text.as_str(), id);
        match piece.kind {
            Kind::Normal | Kind::Byte => return None,
            Kind::Control => token.decoded = Some(Vec::new()),
            Kind::Unknown => token.decoded = Some(unk_surface.into()),
            Kind::UserDefined => (token.special, token.normalized) = (false, true),
        }
        Some(token)
    });
    Ok(SpecialTokens::new(tokens)?)
}

fn text_decoder(spaces: Spaces, byte_fallback: bool) -> TextDecoder {
    let strips = match spaces {
        Spaces {
            remove_extra: true, ..
        } => u32::MAX,
        Spaces { dummy_prefix, .. } => dummy_prefix.into(),
    };
    TextDecoder::SentencePiece(PieceDecoder {
        byte_fallback,
        strips,
    })
}
