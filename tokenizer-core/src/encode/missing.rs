//! The chunks of a run that were not in the table.
//!
//! They are collected, merged together (`line.rs`), and stored; then their ids are moved into the gaps
//! between those of the other chunks, from the last one backwards, so that each id is moved once. A chunk
//! that recurs before it is stored is merged once: new words come in bursts.
//!
//! A piece of up to 15 bytes with characters above ASCII is cut here, since it was looked up whole: its
//! chunks are looked up, and merged if they are not in the table either.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use super::chunks::Chunks;
use super::line::Job;
use super::merge::Merger;
use super::piece_table::{GROUP, PieceTable, Prepared};
use super::rules::Rules;
use crate::hash::INLINE;
use crate::simd::Tier;
use crate::token::TokenId;

/// Chunks that are merged together. More gain nothing.
const MOST: usize = 32;

/// Memory for a chunk of more bytes is freed after it.
const LARGE: usize = 1 << 20;

/// See the module. Its memory is used again from run to run.
#[derive(Default)]
pub(super) struct Missing {
    chunks: Vec<Chunk>,
    keys: Vec<u128>,
    jobs: Vec<Job>,
    /// For each job, the part of a piece that it is.
    parts: Vec<Option<Prepared>>,
    made: Vec<TokenId>,
}

/// A chunk that was not in the table.
struct Chunk {
    prepared: Prepared,
    start: usize,
    /// Its ids belong before this one.
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
pub(super) struct Tools<'t> {
    pub(super) rules: &'t Rules,
    pub(super) table: &'t mut PieceTable,
    pub(super) merger: &'t mut Merger,
    pub(super) tier: Tier,
    pub(super) stop: Option<&'t AtomicBool>,
}

impl Missing {
    /// Adds a chunk of `text` that begins at `start` and whose ids belong to the end of `ids`. Afterwards,
    /// if it is full, it has to be resolved.
    #[inline(never)]
    pub(super) fn add(&mut self, prepared: Prepared, start: usize, text: &[u8], ids: &[TokenId]) {
        let key = prepared.key();
        let bytes = &text[start..prepared.end.place()];
        let first = (self.keys.iter().position(|&other| other == key))
            .filter(|&first| &text[self.chunks[first].span()] == bytes);
        self.keys.push(key);
        self.chunks.push(Chunk {
            prepared,
            start,
            place: ids.len(),
            first: first.unwrap_or(self.chunks.len()),
            jobs: 0..0,
            ids: 0..0,
        });
    }

    pub(super) fn is_full(&self) -> bool {
        self.chunks.len() >= MOST
    }

    /// Puts the ids of all chunks of `text` into their places in `ids`; `false` if the stop flag was set
    /// before the end.
    pub(super) fn resolve(
        &mut self,
        mut tools: Tools<'_>,
        text: &[u8],
        ids: &mut Vec<TokenId>,
    ) -> bool {
        if self.chunks.is_empty() {
            return true;
        }
        self.keys.clear();
        self.jobs.clear();
        self.parts.clear();
        self.made.clear();
        let mut chunks = std::mem::take(&mut self.chunks);
        for (number, chunk) in chunks.iter_mut().enumerate() {
            let first = self.jobs.len();
            if chunk.first == number {
                self.add_jobs(&tools, text, chunk);
            }
            chunk.jobs = first..self.jobs.len();
        }
        let Tools { rules, stop, .. } = tools;
        if !(tools.merger).merge_jobs(rules, text, &mut self.jobs, &mut self.made, stop) {
            return false;
        }
        for number in 0..chunks.len() {
            let first = chunks[number].first;
            if first == number {
                self.store(&mut tools, text, &mut chunks[number]);
            } else {
                chunks[number].ids = chunks[first].ids.clone();
            }
        }
        self.fill_gaps(&chunks, ids);
        if chunks.iter().any(|chunk| chunk.span().len() > LARGE) {
            tools.merger.forget_memory();
            *self = Missing::default();
        } else {
            chunks.clear();
            self.chunks = chunks;
        }
        true
    }

    /// Finds the ids of a chunk, or what has to be merged for it.
    fn add_jobs(&mut self, tools: &Tools<'_>, text: &[u8], chunk: &Chunk) {
        let Tools { rules, .. } = tools;
        let Range { start, end } = chunk.span();
        let is_part = chunk.prepared.end.is_part();
        if rules.ignore_merges
            && !is_part
            && let Some(id) = rules.vocab().id_at(text, start, end)
        {
            self.made.push(id);
            self.add_job(start, end, 1, None);
        } else if is_part || end - start > INLINE || text[start..end].is_ascii() {
            self.add_job(start, end, 0, None);
        } else {
            let boundaries = || rules.boundaries();
            let (piece, length) = (&text[start..end], end - start);
            let mut group = [Prepared::NONE; GROUP];
            let mut cut = Chunks::of_piece(piece, &length);
            let filled = (tools.table).prepare_cut(tools.tier, &boundaries, &mut cut, &mut group);
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

    /// Adds a job, of which the last `found` ids are the ids, if there are any.
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
