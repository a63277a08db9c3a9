//! Pieces to ids: the core of encoding.
//!
//! [`PieceRuns::encode`] encodes one run of at most 1,024 pieces into a vector and returns. Its
//! caller compares a limit, adds offsets or counts, and calls again.
//!
//! Chunks that are not in the table are collected, merged together (`line.rs`), and stored; then their ids
//! are moved into the gaps between those of the other chunks, from the last one backwards, so that each id
//! is moved once. A chunk that recurs before it is stored is merged once: new words come in bursts.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use super::boundaries::Boundaries;
use super::chunks::Chunks;
use super::error::{EncodeError, check_stop};
use super::line::Job;
use super::merge::Merger;
use super::piece_table::{GROUP, PieceTable, Prepared};
use super::rules::Rules;
use crate::hash::INLINE;
use crate::pattern::{Spans, Splitter};
use crate::simd::Tier;
use crate::token::TokenId;

/// What all sessions read.
pub(super) struct Tables {
    pub(super) rules: Rules,
    pub(super) boundaries: Boundaries,
}

/// What a thread encodes with; kept from text to text.
pub(super) struct Session {
    coder: Coder,
    spans: Spans,
}

/// The runs of pieces of a text. Made by [`Session::runs`].
pub(super) struct PieceRuns<'s, 't> {
    coder: &'s mut Coder,
    spans: &'s mut Spans,
    tables: &'s Tables,
    splitter: Splitter<'t>,
    text: &'t [u8],
    offset: usize,
    stop: Option<&'s AtomicBool>,
}

impl PieceRuns<'_, '_> {
    /// Appends the ids of the next run to `ids`; `false` at the end of the text.
    ///
    /// # Errors
    /// When the pattern fails, or the stop flag is set.
    pub(super) fn encode(&mut self, ids: &mut Vec<TokenId>) -> Result<bool, EncodeError> {
        check_stop(self.stop)?;
        let more = self.splitter.fill(self.spans);
        if !more.map_err(|error| EncodeError::in_whole(error, self.offset))? {
            return Ok(false);
        }
        let all = (self.coder).encode_run(self.tables, self.text, self.spans, ids, self.stop);
        if all {
            Ok(true)
        } else {
            Err(EncodeError::Stopped)
        }
    }

    /// Appends the ids of all runs to `ids`.
    ///
    /// # Errors
    /// As [`PieceRuns::encode`].
    pub(super) fn encode_all(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        while self.encode(ids)? {}
        Ok(())
    }

    /// The run that was encoded last, as byte offsets in the text of the segment.
    pub(super) fn spans(&self) -> &Spans {
        self.spans
    }
}

/// Encodes runs.
struct Coder {
    table: PieceTable,
    merger: Merger,
    missing: Missing,
    tier: Tier,
}

impl Session {
    /// A session whose table of pieces takes up to `cache_bytes`.
    pub(super) fn new(tier: Tier, cache_bytes: usize) -> Self {
        Session {
            coder: Coder::new(tier, cache_bytes),
            spans: Spans::new(),
        }
    }

    /// The runs of pieces of a text without special tokens, which begins at `offset` of another, for
    /// errors.
    pub(super) fn runs<'s, 't: 's>(
        &'s mut self,
        tables: &'t Tables,
        text: &'t [u8],
        offset: usize,
        stop: Option<&'s AtomicBool>,
    ) -> PieceRuns<'s, 't> {
        PieceRuns {
            splitter: tables.rules.pattern().split_on(self.coder.tier, text),
            coder: &mut self.coder,
            spans: &mut self.spans,
            tables,
            text,
            offset,
            stop,
        }
    }

    /// Appends the ids of one piece, without splitting it.
    pub(super) fn encode_piece(&mut self, rules: &Rules, piece: &[u8], ids: &mut Vec<TokenId>) {
        match rules.vocab().id(piece).filter(|_| rules.ignore_merges) {
            Some(id) => ids.push(id),
            None if piece.is_empty() => {}
            None => {
                self.coder.merger.merge(rules, piece, ids, None);
                if piece.len() > LARGE {
                    self.coder.merger.free_large_buffers();
                }
            }
        }
    }
}

impl Coder {
    fn new(tier: Tier, cache_bytes: usize) -> Self {
        Coder {
            table: PieceTable::new(cache_bytes),
            merger: Merger::new(tier),
            missing: Missing::NEW,
            tier,
        }
    }

    /// Appends the ids of a run of pieces of `text` to `ids`; `false` if `stop` was set before the end: then
    /// the ids are those of a beginning of the run.
    fn encode_run(
        &mut self,
        tables: &Tables,
        text: &[u8],
        spans: &Spans,
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let mut group = [Prepared::NONE; GROUP];
        let mut chunks = Chunks::new(text, spans);
        let mut start = spans.start();
        loop {
            // A piece may have millions of chunks.
            if check_stop(stop).is_err() {
                self.missing.give_up(ids);
                return false;
            }
            let filled =
                (self.table).prepare(self.tier, &tables.boundaries, &mut chunks, &mut group);
            let mut done = 0;
            while done < filled {
                done += (self.table).look_up(self.tier, text, start, &group[done..filled], ids);
                if done > 0 {
                    start = group[done - 1].end.place();
                }
                if let Some(&prepared) = group[..filled].get(done) {
                    let chunk = &text[start..prepared.end.place()];
                    if !self.table.append(prepared, chunk, ids) {
                        (self.missing).add(&tables.rules, prepared, start, text, ids);
                    }
                    start = prepared.end.place();
                    done += 1;
                }
            }
            if (filled == 0 || self.missing.is_full())
                && !self.resolve_missing(tables, text, ids, stop)
            {
                return false;
            }
            if filled == 0 {
                return true;
            }
        }
    }

    /// Puts the missing ids into their places; `false` if `stop` was set before the end.
    fn resolve_missing(
        &mut self,
        tables: &Tables,
        text: &[u8],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let tools = Tools {
            tables,
            table: &mut self.table,
            merger: &mut self.merger,
            tier: self.tier,
            stop,
        };
        self.missing.resolve(tools, text, ids)
    }
}

/// Chunks that are merged together. More gain nothing.
const MOST: usize = 32;

/// Memory for missing chunks of more bytes is freed after them: on the heap a byte takes up to 80.
const LARGE: usize = 1 << 16;

/// The chunks of a run that were not in the table. Its memory is used again from run to run.
struct Missing {
    chunks: Vec<Chunk>,
    /// Direct-mapped cache: line in the table to the index of a missing chunk. Entries may be stale; the key
    /// and the bytes are compared.
    numbers: [u8; 2 * MOST],
    jobs: Vec<Job>,
    /// For each job, what its ids are stored as, if it is one of several parts of a piece.
    parts: Vec<Option<Prepared>>,
    made: Vec<TokenId>,
}

/// A chunk that was not in the table.
struct Chunk {
    prepared: Prepared,
    start: usize,
    /// The hash with which the vocabulary is searched for it, if it may be a token as a whole.
    hash: Option<u64>,
    /// The index in `ids` at which its ids are inserted.
    place: usize,
    /// The first one of the same bytes.
    first: usize,
    jobs: Range<usize>,
    ids: Range<usize>,
}

impl Chunk {
    fn span(&self) -> Range<usize> {
        self.start..self.prepared.end.place()
    }
}

/// What chunks are merged with.
struct Tools<'t> {
    tables: &'t Tables,
    table: &'t mut PieceTable,
    merger: &'t mut Merger,
    tier: Tier,
    stop: Option<&'t AtomicBool>,
}

impl Missing {
    const NEW: Self = Missing {
        chunks: Vec::new(),
        numbers: [0; 2 * MOST],
        jobs: Vec::new(),
        parts: Vec::new(),
        made: Vec::new(),
    };

    /// Adds a chunk of `text` that begins at `start` and whose ids belong to the end of `ids`, and fetches
    /// what the search for it reads first. Afterwards, if it is full, it has to be resolved.
    #[inline(never)]
    fn add(
        &mut self,
        rules: &Rules,
        prepared: Prepared,
        start: usize,
        text: &[u8],
        ids: &[TokenId],
    ) {
        let bytes = &text[start..prepared.end.place()];
        let number = &mut self.numbers[prepared.line() % (2 * MOST)];
        let is_same = |first: &usize| {
            (self.chunks.get(*first)).is_some_and(|other| {
                other.prepared.key() == prepared.key() && &text[other.span()] == bytes
            })
        };
        let first = Some(usize::from(*number)).filter(is_same);
        let mut hash = None;
        if first.is_none() {
            *number = self.chunks.len() as u8;
            if rules.ignore_merges && !prepared.end.is_part() {
                hash = rules.vocab().seek(text, start, bytes.len());
            }
        }
        self.chunks.push(Chunk {
            prepared,
            start,
            hash,
            place: ids.len(),
            first: first.unwrap_or(self.chunks.len()),
            jobs: 0..0,
            ids: 0..0,
        });
    }

    fn is_full(&self) -> bool {
        self.chunks.len() >= MOST
    }

    /// Puts the ids of all chunks of `text` into their places in `ids`; `false` if the stop flag was set
    /// before the end.
    fn resolve(&mut self, mut tools: Tools<'_>, text: &[u8], ids: &mut Vec<TokenId>) -> bool {
        if self.chunks.is_empty() {
            return true;
        }
        self.jobs.clear();
        self.parts.clear();
        self.made.clear();
        let mut chunks = std::mem::take(&mut self.chunks);
        let vocab = tools.tables.rules.vocab();
        for hash in chunks.iter().filter_map(|chunk| chunk.hash) {
            if let Some(id) = vocab.lowest_id(hash) {
                vocab.prefetch_end(id);
            }
        }
        for (number, chunk) in chunks.iter_mut().enumerate() {
            let first = self.jobs.len();
            if chunk.first == number {
                self.add_jobs(&tools, text, chunk);
            }
            chunk.jobs = first..self.jobs.len();
        }
        let Tools { tables, stop, .. } = tools;
        let all =
            (tools.merger).merge_jobs(&tables.rules, text, &mut self.jobs, &mut self.made, stop);
        if all {
            for number in 0..chunks.len() {
                let first = chunks[number].first;
                if first == number {
                    self.store(&mut tools, text, &mut chunks[number]);
                } else {
                    chunks[number].ids = chunks[first].ids.clone();
                }
            }
            self.fill_gaps(&chunks, ids);
        } else {
            ids.truncate(chunks[0].place);
        }
        if chunks.iter().map(|chunk| chunk.span().len()).sum::<usize>() > LARGE {
            tools.merger.free_large_buffers();
            *self = Missing::NEW;
        } else {
            chunks.clear();
            self.chunks = chunks;
        }
        all
    }

    /// Drops all chunks, and the ids behind the first of them: those before it are a beginning of all ids.
    fn give_up(&mut self, ids: &mut Vec<TokenId>) {
        if let Some(first) = self.chunks.first() {
            ids.truncate(first.place);
        }
        self.chunks.clear();
    }

    /// Finds the ids of a chunk, or what has to be merged for it.
    ///
    /// A piece of up to 15 bytes with characters above ASCII is cut here, since it was looked up whole: its
    /// chunks are looked up, and merged if they are not in the table either.
    fn add_jobs(&mut self, tools: &Tools<'_>, text: &[u8], chunk: &Chunk) {
        let Tables { rules, boundaries } = tools.tables;
        let Range { start, end } = chunk.span();
        let is_part = chunk.prepared.end.is_part();
        let length = end - start;
        let id = |hash| rules.vocab().id_of_hash(hash, text, start, length);
        if let Some(id) = chunk.hash.and_then(id) {
            self.made.push(id);
            self.add_job(start, end, 1, None);
        } else if is_part || length > INLINE || text[start..end].is_ascii() {
            self.add_job(start, end, 0, None);
        } else {
            let piece = &text[start..end];
            let mut group = [Prepared::NONE; GROUP];
            let mut cut = Chunks::of_piece(piece, &length);
            let filled = (tools.table).prepare_cut(tools.tier, boundaries, &mut cut, &mut group);
            let mut from = 0;
            for &part in &group[..filled] {
                let to = part.end.place();
                let before = self.made.len();
                if filled > 1 {
                    tools.table.append(part, &piece[from..to], &mut self.made);
                }
                let found = self.made.len() - before;
                self.add_job(
                    start + from,
                    start + to,
                    found,
                    (filled > 1).then_some(part),
                );
                from = to;
            }
        }
    }

    /// Adds a job. If `found` > 0, its ids are known: the last `found` of `made`.
    fn add_job(&mut self, start: usize, end: usize, found: usize, part: Option<Prepared>) {
        let made = self.made.len();
        let mut job = Job::new(start, end);
        job.ids = (found > 0).then_some(made - found..made);
        self.jobs.push(job);
        self.parts.push(part.filter(|_| found == 0));
    }

    /// Stores the ids of a chunk and of its parts.
    fn store(&mut self, tools: &mut Tools<'_>, text: &[u8], chunk: &mut Chunk) {
        let first = self.made.len();
        let jobs = &self.jobs[chunk.jobs.clone()];
        for (job, part) in jobs.iter().zip(&self.parts[chunk.jobs.clone()]) {
            let ids = job.ids.clone().unwrap_or_default();
            if let Some(part) = part {
                let bytes = &text[job.start..job.end];
                tools
                    .table
                    .insert(part.key(), bytes, &self.made[ids.clone()]);
            }
            match jobs.len() {
                1 => chunk.ids = ids,
                _ => self.made.extend_from_within(ids),
            }
        }
        if jobs.len() > 1 {
            chunk.ids = first..self.made.len();
        }
        let bytes = &text[chunk.span()];
        tools
            .table
            .insert(chunk.prepared.key(), bytes, &self.made[chunk.ids.clone()]);
    }

    /// Moves the ids of all chunks to their places.
    fn fill_gaps(&self, chunks: &[Chunk], ids: &mut Vec<TokenId>) {
        let mut from = ids.len();
        let more: usize = chunks.iter().map(|chunk| chunk.ids.len()).sum();
        ids.resize(from + more, 0);
        let mut to = ids.len();
        for chunk in chunks.iter().rev() {
            let moved = from - chunk.place;
            ids.copy_within(chunk.place..from, to - moved);
            to -= moved + chunk.ids.len();
            ids[to..to + chunk.ids.len()].copy_from_slice(&self.made[chunk.ids.clone()]);
            from = chunk.place;
        }
    }
}
