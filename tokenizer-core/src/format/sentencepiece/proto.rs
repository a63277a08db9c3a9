//! The protobuf messages of a SentencePiece model, as far as they decide ids and text.
//!
//! All other fields are skipped: they are parameters of training, or unknown to `sentencepiece` too, which
//! skips those.

use prost::Message;
use prost::bytes::Bytes;

use super::error::SentencePieceError;

/// The whole file. Inner messages are decoded one by one, so that an error names the piece; a singular message
/// that occurs several times is the concatenation of its occurrences.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelProto {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) pieces: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(super) trainer_spec: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(super) normalizer_spec: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub(super) denormalizer_spec: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PieceProto {
    #[prost(string, tag = "1")]
    pub(super) piece: String,
    #[prost(float, tag = "2")]
    pub(super) score: f32,
    #[prost(int32, optional, tag = "3")]
    pub(super) kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TrainerSpec {
    #[prost(int32, optional, tag = "3")]
    pub(super) model_type: Option<i32>,
    #[prost(bool, tag = "24")]
    pub(super) treat_whitespace_as_suffix: bool,
    #[prost(bool, tag = "35")]
    pub(super) byte_fallback: bool,
    #[prost(string, optional, tag = "44")]
    pub(super) unk_surface: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NormalizerSpec {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) precompiled_charsmap: Bytes,
    #[prost(bool, optional, tag = "3")]
    pub(super) add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub(super) remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub(super) escape_whitespaces: Option<bool>,
}

impl ModelProto {
    /// Decodes the outer message.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, SentencePieceError> {
        let mut model = Self::default();
        match model.merge(Bytes::copy_from_slice(bytes)) {
            Ok(()) => Ok(model),
            // The pieces before the fault were decoded.
            Err(error) => Err(SentencePieceError::Protobuf {
                place: format!("after {} pieces", model.pieces.len()),
                fault: error.to_string(),
            }),
        }
    }
}

/// Decodes the occurrences of a singular message.
pub(super) fn singular<M: Message + Default>(
    occurrences: &[Bytes],
    name: &str,
) -> Result<M, SentencePieceError> {
    let mut message = M::default();
    for bytes in occurrences {
        let merged = message.merge(bytes.clone());
        merged.map_err(|error| SentencePieceError::Protobuf {
            place: format!("in {name}"),
            fault: error.to_string(),
        })?;
    }
    Ok(message)
}
