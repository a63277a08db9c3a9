//! Merging a piece character by character.
//!
//! **The idea.** In scripts without spaces a piece is a whole sentence: long, hardly ever the same
//! one twice, yet made of a few thousand characters. It is cut into *chunks* at borders that no token
//! reaches across (`borders.rs`); most are one or two characters. The tokens of a chunk are merged
//! once and kept. The tokens of the piece are those of its chunks: no merge ever crosses a border.
//!
//! **Cost.** For each character three bits, and for each chunk the half line in which its tokens
//! stand, found by its bytes; none waits for another. A chunk of more than four tokens is merged in a
//! line (`line.rs`) each time. A piece with a chunk of more than 15 bytes is left to the other ways.

use std::ops::Range;

use super::borders::Borders;
use super::line::Line;
use super::rules::Rules;
use crate::arch::sixteen_bytes;
use crate::model::Model;
use crate::token::{MAX_TOKEN_ID, TokenId};

/// The chunks that a thread met lately. It takes no memory before it is used.
#[derive(Default)]
pub(super) struct Characters {
    /// Of single characters of three bytes, by the sixteen bits that they spell. Memory is taken for
    /// those that are met.
    three_bytes: Vec<Ids>,
    /// Of all others, by a hash.
    chunks: Vec<Chunk>,
}

/// Above the first id stands how many there are. All 0 where there are none yet, or too many.
type Ids = [TokenId; IDS];

#[derive(Clone, Copy, Default)]
#[repr(align(32))]
struct Chunk {
    /// The bytes, and above them how many there are.
    bytes: u128,
    ids: Ids,
}

const IDS: usize = 4;
const BYTES: usize = 15;

const COUNT: u32 = MAX_TOKEN_ID.trailing_ones();

const _: () = assert!(MAX_TOKEN_ID.leading_zeros() + COUNT == 32 && IDS < 1 << (32 - COUNT));

/// 512 KiB.
const CHUNKS: usize = 1 << 14;

impl Characters {
    /// Appends the ids of `text[piece]`, and says whether it did: not if a chunk has more than
    /// 15 bytes.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn merge(
        &mut self,
        borders: &Borders,
        line: &mut Line,
        rules: &Rules,
        model: &Model,
        text: &[u8],
        piece: Range<usize>,
        ids: &mut Vec<TokenId>,
    ) -> bool {
        if self.chunks.is_empty() {
            self.three_bytes = vec![[0; IDS]; 1 << 16];
            self.chunks = vec![Chunk::default(); CHUNKS];
        }
        let first = ids.len();
        let mut start = piece.start;
        while start < piece.end {
            let mut end = start + length(text[start]);
            while end < piece.end && end - start <= BYTES && !borders.is_certain(text, end) {
                end += length(text[end]);
            }
            let end = end.min(piece.end);
            if end - start > BYTES {
                ids.truncate(first);
                return false;
            }
            self.append_chunk(line, rules, model, text, start..end, ids);
            start = end;
        }
        true
    }

    #[inline(always)]
    fn append_chunk(
        &mut self,
        line: &mut Line,
        rules: &Rules,
        model: &Model,
        text: &[u8],
        chunk: Range<usize>,
        ids: &mut Vec<TokenId>,
    ) {
        let length = chunk.len();
        let bytes = sixteen_bytes(text, chunk.start) & ((1 << (8 * length)) - 1);
        let kept = if length == 3 && bytes as u32 & 0xC0_C0_F0 == 0x80_80_E0 {
            let [lead, second, third, ..] = (bytes as u32).to_le_bytes().map(usize::from);
            let at = (lead & 0xF) << 12 | (second & 0x3F) << 6 | third & 0x3F;
            &mut self.three_bytes[at]
        } else {
            let bytes = bytes | (length as u128) << 120;
            let chunk = &mut self.chunks[hash(bytes) % CHUNKS];
            if chunk.bytes != bytes {
                *chunk = Chunk {
                    bytes,
                    ids: [0; IDS],
                };
            }
            &mut chunk.ids
        };
        let filled = ids.len();
        if kept[0] != 0 {
            let [first, second, third, fourth] = *kept;
            ids.extend_from_slice(&[first & MAX_TOKEN_ID, second, third, fourth]);
            return ids.truncate(filled + (first >> COUNT) as usize);
        }
        let begins = line.merge(rules, model, text, chunk);
        line.append(begins, ids);
        let made = &ids[filled..];
        if made.len() <= IDS {
            kept[..made.len()].copy_from_slice(made);
            kept[0] |= (made.len() as u32) << COUNT;
        }
    }
}

/// How many bytes a character has that begins with this one. Of bytes that begin none, anything from
/// 1 to 4: a border that is passed over is no loss.
#[inline(always)]
fn length(lead: u8) -> usize {
    (lead.leading_ones() as usize).clamp(1, 4)
}

/// The halves multiplied by the fraction of the golden ratio, as Knuth has it, and by another odd
/// number.
#[inline(always)]
fn hash(bytes: u128) -> usize {
    let low = (bytes as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let high = ((bytes >> 64) as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    ((low ^ high) >> 40) as usize
}
