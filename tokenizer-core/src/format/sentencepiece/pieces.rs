//! The pieces of a SentencePiece model, checked.

use hashbrown::HashMap;
use prost::Message;
use prost::bytes::Bytes;

use super::error::{MAX_PIECE_BYTES, PieceFault, SentencePieceError};
use super::proto::PieceProto;
use crate::hash::Seeds;
use crate::symbols::fallback_token;
use crate::text_decoder::fallback_byte;

/// The type of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Byte,
}

#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: Kind,
}

impl Piece {
    /// Returns an error about the piece with this number.
    pub(super) fn fault(&self, number: usize, fault: PieceFault) -> SentencePieceError {
        SentencePieceError::Piece {
            number,
            piece: shortened(&self.text),
            fault,
        }
    }
}

/// The pieces by id, each text once.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) list: Vec<Piece>,
    ids: HashMap<String, usize, Seeds>,
}

impl Pieces {
    pub(super) fn read(protos: &[Bytes], byte_fallback: bool) -> Result<Self, SentencePieceError> {
        let mut pieces = Pieces {
            list: Vec::with_capacity(protos.len()),
            ids: HashMap::default(),
        };
        for (number, bytes) in protos.iter().enumerate() {
            let proto = PieceProto::decode(bytes.clone());
            let proto = proto.map_err(|error| SentencePieceError::Protobuf {
                place: format!("in piece {number}"),
                fault: error.to_string(),
            })?;
            pieces.push(proto, byte_fallback)?;
        }
        pieces.check_bytes_and_unknown(byte_fallback)?;
        pieces.check_prefixes()?;
        Ok(pieces)
    }

    /// Returns the id of the piece with this text.
    pub(super) fn id(&self, text: &str) -> Option<usize> {
        self.ids.get(text).copied()
    }

    fn push(&mut self, proto: PieceProto, byte_fallback: bool) -> Result<(), SentencePieceError> {
        let number = self.list.len();
        let (kind, unsupported) = match kind(proto.kind) {
            Ok(kind) => (kind, None),
            Err(name) => (Kind::Normal, Some(PieceFault::Type { name })),
        };
        let piece = Piece {
            text: proto.piece,
            score: proto.score,
            kind,
        };
        let fault = unsupported.or_else(|| piece.own_fault(byte_fallback));
        let first = self.id(&piece.text);
        let fault = fault.or_else(|| first.map(|first| PieceFault::Repeated { first }));
        if let Some(fault) = fault {
            return Err(piece.fault(number, fault));
        }
        self.ids.insert(piece.text.clone(), number);
        self.list.push(piece);
        Ok(())
    }

    fn check_bytes_and_unknown(&self, byte_fallback: bool) -> Result<(), SentencePieceError> {
        let pieces = self.list.iter().enumerate();
        let mut unknown = pieces.filter(|(_, piece)| piece.kind == Kind::Unknown);
        match (unknown.next(), unknown.next()) {
            (_, Some((number, piece))) => {
                return Err(piece.fault(number, PieceFault::SecondUnknown));
            }
            (None, None) if !byte_fallback => return Err(SentencePieceError::NoUnknown),
            _ => {}
        }
        let is_missing = |byte: &u8| self.id(&fallback_token(*byte)).is_none();
        match (0..=255).find(is_missing).filter(|_| byte_fallback) {
            Some(byte) => Err(SentencePieceError::MissingByte { byte }),
            None => Ok(()),
        }
    }

    /// Checks that no user-defined piece has more than 64 others as prefixes, above which `sentencepiece` does
    /// not find the longest one.
    fn check_prefixes(&self) -> Result<(), SentencePieceError> {
        let pieces = self.list.iter().enumerate();
        let defined = pieces.filter(|(_, piece)| piece.kind == Kind::UserDefined);
        let mut defined: Vec<(usize, &Piece)> = defined.collect();
        defined.sort_unstable_by_key(|(_, piece)| piece.text.as_str());
        let mut prefixes: Vec<&str> = Vec::new();
        for (number, piece) in defined {
            while prefixes
                .last()
                .is_some_and(|last| !piece.text.starts_with(last))
            {
                prefixes.pop();
            }
            prefixes.push(&piece.text);
            if prefixes.len() > 64 {
                return Err(piece.fault(number, PieceFault::Prefixes));
            }
        }
        Ok(())
    }
}

impl Piece {
    /// The fault of the piece by itself.
    fn own_fault(&self, byte_fallback: bool) -> Option<PieceFault> {
        let text = self.text.as_str();
        let byte = fallback_byte(text.as_bytes());
        let is_byte = byte.is_some_and(|byte| fallback_token(byte) == text);
        match self.kind {
            _ if text.is_empty() => Some(PieceFault::Empty),
            _ if text.len() > MAX_PIECE_BYTES => Some(PieceFault::TooLong { bytes: text.len() }),
            _ if text.contains('\0') => Some(PieceFault::Null),
            _ if self.score.is_nan() => Some(PieceFault::Score),
            Kind::Byte if !byte_fallback => Some(PieceFault::ByteWithoutFallback),
            Kind::Byte if !is_byte => Some(PieceFault::ByteSpelling),
            Kind::Byte => None,
            // The decoder would take it for a byte.
            _ if byte_fallback && byte.is_some() => Some(PieceFault::ByteSpelling),
            Kind::UserDefined if text.contains(' ') => Some(PieceFault::Space),
            _ => None,
        }
    }
}

/// The type with this number, or the name of one that is not supported.
fn kind(number: Option<i32>) -> Result<Kind, String> {
    Ok(match number.unwrap_or(1) {
        1 => Kind::Normal,
        2 => Kind::Unknown,
        3 => Kind::Control,
        4 => Kind::UserDefined,
        5 => return Err("UNUSED".into()),
        6 => Kind::Byte,
        other => return Err(other.to_string()),
    })
}

/// The first 40 characters.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
