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
use crate::arch::{Kernel, Simd, Tier, advise_huge_pages};
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

/// Takes ids, in order.
pub(super) trait Sink {
    /// Whether it is to be told where pieces end.
    const ENDS: bool = false;

    /// More ids: those of one or several pieces.
    fn take(&mut self, ids: &[TokenId]);

    /// The ids taken since the last call were those of a piece that ends at `end`. Whether the sink
    /// wants more. Called only if it asks to be.
    fn piece_ends(&mut self, _end: usize) -> bool {
        true
    }
}

/// Pieces whose lines are asked for together.
const GROUP: usize = 32;

/// Ids of the known pieces of a group, and some that no one asked for.
const ROOM: usize = (GROUP * INLINE_IDS).next_power_of_two();

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
        self.tier.run(EncodeRun {
            worker: self,
            shared,
            text,
            spans,
            sink,
        })
    }

    /// Gives the ids of a piece that is long or not known to `sink`. `key` and `hash` are those of
    /// its head.
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
        let bytes = &text[piece.clone()];
        let mut whole = hash;
        if key.is_head() {
            let known = &mut self.known;
            for find in [PieceTable::find, PieceTable::find_second] {
                if let Some(ids) = find(known, key, hash)
                    && PieceTable::spell(ids, bytes, vocab)
                {
                    return sink.take(&ids.ids()[..ids.count()]);
                }
            }
            let seeds = vocab.seeds();
            whole = seeds.hash(seeds.key(text, piece.start, piece.end));
        } else if let Some(ids) = self.known.find_second(key, hash) {
            return sink.take(&ids.ids()[..ids.count()]);
        }
        self.ids.clear();
        if shared.rules.whole_piece_first
            && let Some(id) = vocab.id_of_hash(whole, bytes)
        {
            self.ids.push(id);
        } else {
            self.merger
                .merge(&shared.rules, &shared.model, text, piece, &mut self.ids);
        }
        self.known.insert(vocab.seeds(), key, hash, &self.ids);
        sink.take(&self.ids);
    }

    /// Gives the ids of one piece to `sink`, without splitting it.
    pub(super) fn encode_piece<S: Sink>(&mut self, shared: &Shared, piece: &[u8], sink: &mut S) {
        if !piece.is_empty() {
            let seeds = shared.model.vocab().seeds();
            let key = seeds.head_key(piece, 0, piece.len());
            self.encode_rare(shared, key, seeds.hash(key), piece, 0..piece.len(), sink);
        }
    }
}

/// The loop over a run of pieces, with the instructions of a tier: they save a third of it.
struct EncodeRun<'r, S> {
    worker: &'r mut Worker,
    shared: &'r Shared,
    text: &'r [u8],
    spans: &'r Spans,
    sink: &'r mut S,
}

impl<S: Sink> Kernel for EncodeRun<'_, S> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Simd>(self, _: I) -> bool {
        let EncodeRun {
            worker,
            shared,
            text,
            spans,
            sink,
        } = self;
        let seeds = shared.model.vocab().seeds();
        let mut start = spans.start();
        let mut group = [(Key(0), 0u64); GROUP];
        let mut ids = [0; ROOM + INLINE_IDS];
        for ends in spans.ends().chunks(GROUP) {
            let mut begin = start;
            for (entry, &end) in group.iter_mut().zip(ends) {
                let key = seeds.head_key(text, begin, end);
                let hash = seeds.hash(key);
                worker.known.prefetch(hash);
                *entry = (key, hash);
                begin = end;
            }
            let mut filled = 0;
            for (&(key, hash), &end) in group.iter().zip(ends) {
                if !key.is_head()
                    && let Some(known) = worker.known.find(key, hash)
                {
                    // Four ids are written, whatever their number: there is room behind the last.
                    let at = filled % ROOM;
                    ids[at..at + INLINE_IDS].copy_from_slice(&known.ids());
                    filled += known.count();
                } else {
                    sink.take(&ids[..filled]);
                    filled = 0;
                    worker.encode_rare(shared, key, hash, text, start..end, sink);
                }
                start = end;
                if S::ENDS {
                    sink.take(&ids[..filled]);
                    filled = 0;
                    if !sink.piece_ends(end) {
                        return false;
                    }
                }
            }
            sink.take(&ids[..filled]);
        }
        true
    }
}

/// Ids are written to the end of a vector that may become large.
impl Sink for Vec<TokenId> {
    #[inline(always)]
    fn take(&mut self, ids: &[TokenId]) {
        if ids.len() > self.capacity() - self.len() {
            grow(self, ids.len());
        }
        self.extend_from_slice(ids);
    }
}

#[cold]
fn grow(ids: &mut Vec<TokenId>, more: usize) {
    ids.reserve(more.max(ids.len() / 4));
    advise_huge_pages(ids.spare_capacity_mut());
}

/// Counts ids.
#[derive(Default)]
pub(super) struct CountIds(pub(super) usize);

impl Sink for CountIds {
    #[inline(always)]
    fn take(&mut self, ids: &[TokenId]) {
        self.0 += ids.len();
    }
}
