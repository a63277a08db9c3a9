//! Merging a piece character by character.
//!
//! **The idea.** In scripts without spaces a piece is a whole sentence: long, hardly ever the same
//! one twice, yet made of a few thousand characters. It is cut into *chunks* at borders that no token
//! reaches across (`borders.rs`); most are one or two characters. The tokens of a chunk are merged
//! once and kept. The tokens of the piece are those of its chunks: no merge ever crosses a border.
//!
//! **Cost.** For each character three bits, and for each chunk the half line in which its tokens
//! stand, found by its bytes; none waits for another. A chunk of more than 15 bytes or four tokens is
//! merged in a line (`line.rs`) each time.

use std::ops::Range;

use super::borders::Borders;
use super::line::{LINE, Line};
use super::rules::Rules;
use crate::arch::sixteen_bytes;
use crate::model::Model;
use crate::token::{MAX_TOKEN_ID, TokenId};

/// The chunks that a thread met lately. It takes no memory before it is used.
#[derive(Default)]
pub(super) struct Characters {
    chunks: Vec<Chunk>,
}

#[derive(Clone, Copy, Default)]
#[repr(align(32))]
struct Chunk {
    /// The bytes, and above them how many there are. 0 where there is no chunk yet.
    bytes: u128,
    /// Above the first id stands how many there are.
    ids: [TokenId; IDS],
}

const IDS: usize = 4;
const BYTES: usize = 15;

const COUNT: u32 = MAX_TOKEN_ID.trailing_ones();

const _: () = assert!(MAX_TOKEN_ID.leading_zeros() + COUNT == 32 && IDS < 1 << (32 - COUNT));

/// 256 KiB.
const CHUNKS: usize = 1 << 13;

impl Characters {
    /// Appends the ids of `text[piece]`, and says whether it did: not if a chunk has more than
    /// `longest` bytes, up to 64.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn merge(
        &mut self,
        borders: &Borders,
        longest: usize,
        line: &mut Line,
        rules: &Rules,
        model: &Model,
        text: &[u8],
        piece: Range<usize>,
        ids: &mut Vec<TokenId>,
    ) -> bool {
        if self.chunks.is_empty() {
            self.chunks = vec![Chunk::default(); CHUNKS];
        }
        let longest = longest.min(LINE);
        let first = ids.len();
        let mut start = piece.start;
        while start < piece.end {
            let mut end = start + 1;
            while end < piece.end && !borders.is_certain(text, end) {
                end += 1;
            }
            if end - start > longest {
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
        if chunk.len() > BYTES {
            let begins = line.merge(rules, model, text, chunk);
            return line.append(begins, ids);
        }
        let mask = (1 << (8 * chunk.len())) - 1;
        let bytes = sixteen_bytes(text, chunk.start) & mask | (chunk.len() as u128) << 120;
        let kept = &mut self.chunks[hash(bytes) % CHUNKS];
        let filled = ids.len();
        if kept.bytes == bytes {
            let [first, second, third, fourth] = kept.ids;
            ids.extend_from_slice(&[first & MAX_TOKEN_ID, second, third, fourth]);
            return ids.truncate(filled + (first >> COUNT) as usize);
        }
        let begins = line.merge(rules, model, text, chunk);
        line.append(begins, ids);
        let made = &ids[filled..];
        if made.len() <= IDS {
            kept.bytes = bytes;
            kept.ids[..made.len()].copy_from_slice(made);
            kept.ids[0] |= (made.len() as u32) << COUNT;
        }
    }
}

/// The halves multiplied by the fraction of the golden ratio, as Knuth has it, and by another odd
/// number.
#[inline(always)]
fn hash(bytes: u128) -> usize {
    let low = (bytes as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let high = ((bytes >> 64) as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    ((low ^ high) >> 40) as usize
}
