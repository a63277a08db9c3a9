//! Pieces to ids, some hundred at a time.
//!
//! Pieces come in runs from the splitter. The keys of a group of them are made first, and their
//! lines in the table of known pieces asked for from memory; by the time the group is looked up,
//! the lines have come. A piece that is not known is an entry of the vocabulary, where the model
//! takes the whole piece first, or it is merged.
//!
//! What becomes of the ids is up to a [`Sink`]: they are written, or counted only.

use std::ops::Range;

use super::Shared;
use super::long::Merger;
use super::pieces::{INLINE_IDS, PieceTable};
use crate::arch::Tier;
use crate::piece_key::Key;
use crate::split::{Spans, SplitError};
use crate::token::TokenId;

/// What a thread encodes with; kept from text to text.
pub(super) struct Worker {
    known: PieceTable,
    merger: Merger,
    /// The ids of a piece that was not known.
    ids: Vec<TokenId>,
    spans: Spans,
    tier: Tier,
}

/// Takes the ids of pieces, in order.
pub(super) trait Sink {
    /// The ids of a piece: the first `count` of these, one at least.
    fn few(&mut self, ids: [TokenId; INLINE_IDS], count: usize);

    /// The ids of a piece.
    fn any(&mut self, ids: &[TokenId]);

    /// Called behind each piece with its end in the text. Encoding ends there when this says so.
    #[inline(always)]
    fn piece_ends(&mut self, _end: usize) -> bool {
        false
    }
}

/// Pieces whose lines are asked for together.
const GROUP: usize = 32;

impl Worker {
    pub(super) fn new(tier: Tier, cache_bytes: usize) -> Self {
        Worker {
            known: PieceTable::new(cache_bytes),
            merger: Merger::new(tier),
            ids: Vec::new(),
            spans: Spans::new(),
            tier,
        }
    }

    /// Gives the ids of all pieces of `text` to `sink`, until it has enough.
    pub(super) fn encode<S: Sink>(
        &mut self,
        shared: &Shared,
        text: &[u8],
        sink: &mut S,
    ) -> Result<(), SplitError> {
        let mut spans = std::mem::take(&mut self.spans);
        let mut splitter = shared.model.pattern().split_on(self.tier, text);
        let done = loop {
            match splitter.fill(&mut spans) {
                Ok(true) if self.encode_run(shared, text, &spans, sink) => {}
                Ok(_) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.spans = spans;
        done
    }

    /// As [`Worker::encode`], of a run of pieces. Whether the sink wants more.
    fn encode_run<S: Sink>(
        &mut self,
        shared: &Shared,
        text: &[u8],
        spans: &Spans,
        sink: &mut S,
    ) -> bool {
        let seeds = shared.model.vocab().seeds();
        let mut start = spans.start();
        let mut group = [(Key(0), 0u64); GROUP];
        for ends in spans.ends().chunks(GROUP) {
            let mut begin = start;
            for (entry, &end) in group.iter_mut().zip(ends) {
                let key = seeds.key(text, begin, end);
                let hash = seeds.hash(key);
                self.known.prefetch(hash);
                *entry = (key, hash);
                begin = end;
            }
            for (&(key, hash), &end) in group.iter().zip(ends) {
                if !key.is_long()
                    && let Some(slot) = self.known.find_short(key, hash)
                {
                    sink.few(slot.ids(), slot.count());
                } else {
                    self.encode_rare(shared, key, hash, text, start..end, sink);
                }
                start = end;
                if sink.piece_ends(end) {
                    return false;
                }
            }
        }
        true
    }

    /// A piece that is long or not known.
    #[inline(never)]
    fn encode_rare<S: Sink>(
        &mut self,
        shared: &Shared,
        key: Key,
        hash: u64,
        text: &[u8],
        piece: Range<usize>,
        sink: &mut S,
    ) {
        let vocab = shared.model.vocab();
        if key.is_long()
            && let Some(slot) = self.known.find_long(key, hash, &text[piece.clone()], vocab)
        {
            return sink.few(slot.ids(), slot.count());
        }
        self.ids.clear();
        if shared.rules.whole_piece_first
            && let Some(id) = vocab.id_of_hash(hash, &text[piece.clone()])
        {
            self.ids.push(id);
        } else {
            self.merger
                .merge(&shared.rules, &shared.model, text, piece, &mut self.ids);
        }
        self.known.insert(vocab.seeds(), key, hash, &self.ids);
        sink.any(&self.ids);
    }

    /// Gives the ids of one piece to `sink`, without splitting it.
    pub(super) fn encode_piece<S: Sink>(&mut self, shared: &Shared, piece: &[u8], sink: &mut S) {
        if !piece.is_empty() {
            let seeds = shared.model.vocab().seeds();
            let key = seeds.key(piece, 0, piece.len());
            self.encode_rare(shared, key, seeds.hash(key), piece, 0..piece.len(), sink);
        }
    }
}

/// Writes ids to the end of a vector, by way of a small buffer of which any four are written at
/// once, whatever their number.
pub(super) struct Write<'v> {
    ids: &'v mut Vec<TokenId>,
    buffer: [TokenId; BUFFER + INLINE_IDS],
    filled: usize,
}

const BUFFER: usize = 256;

impl<'v> Write<'v> {
    pub(super) fn new(ids: &'v mut Vec<TokenId>) -> Self {
        Write {
            ids,
            buffer: [0; BUFFER + INLINE_IDS],
            filled: 0,
        }
    }

    fn flush(&mut self) {
        self.ids.extend_from_slice(&self.buffer[..self.filled]);
        self.filled = 0;
    }
}

impl Sink for Write<'_> {
    #[inline(always)]
    fn few(&mut self, ids: [TokenId; INLINE_IDS], count: usize) {
        if self.filled >= BUFFER {
            self.flush();
        }
        if let Some(room) = self.buffer[self.filled..].first_chunk_mut() {
            *room = ids;
        }
        self.filled += count;
    }

    fn any(&mut self, ids: &[TokenId]) {
        self.flush();
        self.ids.extend_from_slice(ids);
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Counts ids.
#[derive(Default)]
pub(super) struct CountIds(pub(super) usize);

impl Sink for CountIds {
    #[inline(always)]
    fn few(&mut self, _: [TokenId; INLINE_IDS], count: usize) {
        self.0 += count;
    }

    fn any(&mut self, ids: &[TokenId]) {
        self.0 += ids.len();
    }
}
