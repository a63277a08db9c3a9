//! Pieces to ids, some hundred at a time.
//!
//! Pieces come in runs from the splitter. The keys of a group of them are made first, and their
//! lines in the table of known pieces asked for from memory; by the time the group is looked up,
//! the lines have come. A piece that is not known is an entry of the vocabulary, where the model
//! takes the whole piece first, or one that the model knows, or it is merged.
//!
//! What becomes of the ids is up to a [`Sink`]: they are written, or counted only.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use super::Shared;
use super::long::Merger;
pub(super) use super::pieces::ROOM;
use super::pieces::{GROUP, LONGEST, PieceTable, Prepared, head_key};
use crate::arch::{Tier, advise_huge_pages};
use crate::piece_key::Key;
use crate::split::{Spans, SplitError};
use crate::token::TokenId;

/// A piece of more bytes is rare.
const LARGE: usize = 1 << 20;

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
    /// Whether it is to be told where pieces end, and asked whether it wants more.
    const ENDS: bool = false;

    /// Room to write ids to; those before stay.
    fn room(&mut self) -> &mut [TokenId; ROOM];

    /// The first `count` ids of the room asked for last are to be taken.
    fn take_room(&mut self, count: usize);

    /// More ids: those of a piece.
    fn take(&mut self, ids: &[TokenId]);

    /// Pieces that touch follow, of which the first begins at `start`.
    fn run_starts(&mut self, _start: usize) {}

    /// When this is set it wants no more, not even of one piece.
    fn stop(&self) -> Option<&AtomicBool> {
        None
    }

    /// Whether it is to be told of each piece now, and not only of groups of them, which have at
    /// most [`ROOM`] ids. Asked only if it wants to be told.
    fn one_by_one(&self) -> bool {
        false
    }

    /// The ids taken since the last call were those of pieces, of which the last ends at `end`.
    /// Whether the sink wants more. Called only if it asks to be.
    fn piece_ends(&mut self, _end: usize) -> bool {
        true
    }
}

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
        let mut group = [Prepared::NONE; GROUP];
        let mut start = spans.start();
        sink.run_starts(start);
        for mut ends in spans.ends().chunks(GROUP) {
            self.known
                .prepare(self.tier, seeds, text, start, ends, &mut group);
            let mut pieces = &group[..ends.len()];
            while !pieces.is_empty() {
                let some = match S::ENDS && sink.one_by_one() {
                    true => 1,
                    false => pieces.len(),
                };
                let found =
                    self.known
                        .look_up(self.tier, seeds, text, ends, &pieces[..some], sink.room());
                sink.take_room(found.ids);
                let mut done = found.pieces;
                if done > 0 {
                    start = ends[done - 1];
                    if S::ENDS && !sink.piece_ends(start) {
                        return false;
                    }
                }
                if done < some && !found.full {
                    let (key, piece) = (pieces[done].key, start..ends[done]);
                    self.encode_rare(shared, key, found.absent, text, piece, sink);
                    start = ends[done];
                    done += 1;
                    if S::ENDS && !sink.piece_ends(start) {
                        return false;
                    }
                }
                (pieces, ends) = (&pieces[done..], &ends[done..]);
            }
        }
        true
    }

    /// Gives the ids of a piece that is long or not known to `sink`. `key` is that of its head;
    /// `absent` as `look_up` says.
    #[inline(never)]
    fn encode_rare<S: Sink>(
        &mut self,
        shared: &Shared,
        key: Key,
        absent: bool,
        text: &[u8],
        piece: Range<usize>,
        sink: &mut S,
    ) {
        let Shared { rules, model, .. } = shared;
        let vocab = model.vocab();
        let bytes = &text[piece.clone()];
        let borders = rules.borders(model, bytes);
        let seeds = vocab.seeds();
        // What is looked at next is asked for together, and waited for once.
        let hash = seeds.hash(key);
        let may_be_token = rules.whole_piece_first && rules.may_be_token(bytes);
        let whole = match key.is_head() && may_be_token {
            true => seeds.hash(seeds.key(text, piece.start, piece.end)),
            false => hash,
        };
        if may_be_token {
            vocab.prefetch(whole);
        }
        let as_a_whole = || {
            may_be_token
                .then(|| vocab.id_of_hash(whole, bytes))
                .flatten()
        };
        let ids = &mut self.ids;
        ids.clear();
        let mut by_characters = |ids: &mut Vec<TokenId>| {
            borders.is_some_and(|borders| {
                self.merger
                    .merge_characters(borders, rules, model, text, piece.clone(), ids)
            })
        };
        // Of a long piece a token is found as quickly each time, and so are its chunks, which come
        // far more often: neither takes the place of another in the table.
        let is_long = bytes.len() >= LONGEST;
        if is_long {
            if let Some(id) = as_a_whole() {
                return sink.take(&[id]);
            }
            if by_characters(ids) {
                return sink.take(ids);
            }
        }
        if (is_long || !absent) && self.known.find(vocab, key, hash, bytes, ids) {
            return sink.take(ids);
        }
        if let Some(id) = if is_long { None } else { as_a_whole() } {
            ids.push(id);
        } else if (is_long || !by_characters(ids))
            && !(self.merger).merge(rules, model, text, piece.clone(), ids, sink.stop())
        {
            // These are not all of its ids.
            self.ids = Vec::new();
            return;
        }
        self.known.insert(seeds, key, bytes, &self.ids);
        sink.take(&self.ids);
        if bytes.len() > LARGE {
            // What so large a piece took is not kept for the next one.
            self.ids = Vec::new();
            self.merger.forget_memory();
        }
    }

    /// Gives the ids of one piece to `sink`, without splitting it.
    pub(super) fn encode_piece<S: Sink>(&mut self, shared: &Shared, piece: &[u8], sink: &mut S) {
        if !piece.is_empty() {
            let key = head_key(piece, 0..piece.len());
            self.encode_rare(shared, key, false, piece, 0..piece.len(), sink);
        }
    }
}

/// Ids are written to the end of a vector that may become large.
impl Sink for Vec<TokenId> {
    #[inline]
    fn room(&mut self) -> &mut [TokenId; ROOM] {
        let filled = self.len();
        if self.capacity() - filled < ROOM {
            grow(self, ROOM);
        }
        // Zeros are written in a few stores; then ids, four at a time, whatever their number.
        self.resize(filled + ROOM, 0);
        self[filled..]
            .first_chunk_mut()
            .expect("so much was just added")
    }

    #[inline]
    fn take_room(&mut self, count: usize) {
        self.truncate((self.len() - ROOM) + count);
    }

    fn take(&mut self, ids: &[TokenId]) {
        if self.capacity() - self.len() < ids.len() {
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
pub(super) struct CountIds {
    pub(super) count: usize,
    room: [TokenId; ROOM],
}

impl Default for CountIds {
    fn default() -> Self {
        CountIds {
            count: 0,
            room: [0; ROOM],
        }
    }
}

impl Sink for CountIds {
    fn room(&mut self) -> &mut [TokenId; ROOM] {
        &mut self.room
    }

    fn take_room(&mut self, count: usize) {
        self.count += count;
    }

    fn take(&mut self, ids: &[TokenId]) {
        self.count += ids.len();
    }
}
