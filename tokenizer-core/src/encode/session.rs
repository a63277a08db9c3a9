//! Pieces to ids: the core of encoding.
//!
//! [`PieceRuns::encode`] encodes one run of at most 2,048 pieces per call and appends its ids to a vector, so
//! that callers can check a limit, add offsets or count ids between runs.
//!
//! A chunk is a whole piece, or a fragment of one (`chunks.rs`). Chunks are looked up in a table,
//! and misses are processed in batches. A chunk that is not in the table is buffered, with the
//! index in the output at which its ids belong. When the buffer is full, and at the end of a run,
//! its chunks are merged, those of up to 64 bytes in lockstep (`lockstep.rs`), and stored in the
//! table. Their ids are then inserted from the last index backwards, so that each id in the output
//! moves at most once per batch. New words tend to recur soon, so repeats within a batch are
//! detected; a chunk that misses twice in a batch is usually merged only once.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use super::boundaries::Boundaries;
use super::chunks::Chunks;
use super::error::{EncodeError, check_stop};
use super::lockstep::MergeJob;
use super::merge::Merger;
use super::merge_rules::MergeRules;
use super::piece_table::{GROUP, PieceTable, Prepared};
use crate::hash::INLINE;
use crate::pattern::{Spans, Splitter};
use crate::simd::Tier;
use crate::token::TokenId;

/// The merge rules and safe boundaries, read-only and shared by all sessions. The piece table is not among
/// them: each session has its own.
pub(super) struct SharedTables {
    pub(super) rules: MergeRules,
    pub(super) boundaries: Boundaries,
}

/// Per-thread encoding state, reused from text to text.
pub(super) struct Session {
    encoder: RunEncoder,
    spans: Spans,
}

/// The runs of pieces of a text. Created by [`Session::runs`].
pub(super) struct PieceRuns<'s, 't> {
    encoder: &'s mut RunEncoder,
    spans: &'s mut Spans,
    tables: &'s SharedTables,
    splitter: Splitter<'t>,
    text: &'t [u8],
    offset: usize,
    /// The lengths of the last run's ids in bytes, if hidden ids were replaced in it; otherwise empty.
    lengths: Vec<usize>,
    stop: Option<&'s AtomicBool>,
}

impl PieceRuns<'_, '_> {
    /// Appends the ids of the next run to `ids`. Returns `false` at the end of the text.
    ///
    /// # Errors
    /// If the pattern fails, the stop flag is set, or there is no token for a symbol.
    pub(super) fn encode(&mut self, ids: &mut Vec<TokenId>) -> Result<bool, EncodeError> {
        check_stop(self.stop)?;
        let has_run = self.splitter.fill(self.spans);
        if !has_run.map_err(|error| EncodeError::split_failed(error, self.offset))? {
            return Ok(false);
        }
        let from = ids.len();
        let completed =
            (self.encoder).encode_run(self.tables, self.text, self.spans, ids, self.stop);
        if !completed {
            return Err(EncodeError::Stopped);
        }
        if let Some(hidden) = self.tables.rules.hidden() {
            let pieces = (self.spans.start(), self.spans.ends());
            let vocab = self.tables.rules.vocab();
            let replaced = hidden.replace(vocab, self.text, pieces, ids, from, &mut self.lengths);
            replaced.map_err(|symbol| EncodeError::UnknownSymbol {
                offset: self.offset + symbol.start,
                symbol: self.text[symbol].to_vec(),
            })?;
        }
        Ok(true)
    }

    /// Returns the length in bytes of the text that the `index`-th id of the last run covers. The id is `id`.
    pub(super) fn length(&self, index: usize, id: TokenId) -> usize {
        match self.lengths.get(index) {
            Some(&length) => length,
            None => self.tables.rules.length(id),
        }
    }

    /// Appends the ids of all remaining runs to `ids`.
    ///
    /// # Errors
    /// Same as [`PieceRuns::encode`].
    pub(super) fn encode_all(&mut self, ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        while self.encode(ids)? {}
        Ok(())
    }

    /// The pieces of the last encoded run, as byte offsets in the text.
    pub(super) fn spans(&self) -> &Spans {
        self.spans
    }
}

/// Encodes runs of pieces.
struct RunEncoder {
    table: PieceTable,
    merger: Merger,
    misses: MissBuffer,
    tier: Tier,
}

impl Session {
    /// Creates a session whose piece table grows to about `cache_bytes`, or to 24 KiB if that is more.
    pub(super) fn new(tier: Tier, cache_bytes: usize) -> Self {
        Session {
            encoder: RunEncoder::new(tier, cache_bytes),
            spans: Spans::new(),
        }
    }

    /// Returns the runs of pieces of `text`. Special tokens are not recognised here: callers have already split
    /// off the allowed ones. `offset` is added to the byte offsets in errors.
    pub(super) fn runs<'s, 't: 's>(
        &'s mut self,
        tables: &'t SharedTables,
        text: &'t [u8],
        offset: usize,
        stop: Option<&'s AtomicBool>,
    ) -> PieceRuns<'s, 't> {
        PieceRuns {
            splitter: tables.rules.pattern().split_on(self.encoder.tier, text),
            encoder: &mut self.encoder,
            spans: &mut self.spans,
            tables,
            text,
            offset,
            lengths: Vec::new(),
            stop,
        }
    }

    /// Appends the ids of one piece, without splitting it.
    ///
    /// # Errors
    /// If there is no token for a symbol.
    pub(super) fn encode_piece(
        &mut self,
        rules: &MergeRules,
        piece: &[u8],
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let from = ids.len();
        match rules.vocab().id(piece).filter(|_| rules.ignore_merges) {
            Some(id) => ids.push(id),
            None if piece.is_empty() => {}
            None => {
                self.encoder.merger.merge(rules, piece, ids, None);
                if piece.len() > MAX_RETAINED_BYTES {
                    self.encoder.merger.free_large_buffers();
                }
            }
        }
        let Some(hidden) = rules.hidden() else {
            return Ok(());
        };
        let (vocab, pieces) = (rules.vocab(), (0, &[piece.len()][..]));
        let replaced = hidden.replace(vocab, piece, pieces, ids, from, &mut Vec::new());
        replaced.map_err(|symbol| EncodeError::UnknownSymbol {
            offset: symbol.start,
            symbol: piece[symbol].to_vec(),
        })
    }
}

impl RunEncoder {
    fn new(tier: Tier, cache_bytes: usize) -> Self {
        RunEncoder {
            table: PieceTable::new(cache_bytes),
            merger: Merger::new(tier),
            misses: MissBuffer::EMPTY,
            tier,
        }
    }

    /// Appends the ids of a run of pieces of `text` to `ids`. Returns `false` if `stop` was set before the
    /// end; then only the ids of a prefix of the run have been appended.
    fn encode_run(
        &mut self,
        tables: &SharedTables,
        text: &[u8],
        spans: &Spans,
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let mut group = [Prepared::NONE; GROUP];
        let mut chunks = Chunks::new(text, spans);
        let mut start = spans.start();
        loop {
            // Checked for each group: one piece may have millions of chunks.
            if check_stop(stop).is_err() {
                self.misses.discard(ids);
                return false;
            }
            let filled =
                (self.table).prepare(self.tier, &tables.boundaries, &mut chunks, &mut group);
            let mut done = 0;
            while done < filled {
                done += (self.table).look_up(self.tier, text, start, &group[done..filled], ids);
                if done > 0 {
                    start = group[done - 1].end.offset();
                }
                if let Some(&prepared) = group[..filled].get(done) {
                    let chunk = &text[start..prepared.end.offset()];
                    if !self.table.append_ids_of(prepared, chunk, ids) {
                        (self.misses).add(&tables.rules, prepared, start, text, ids);
                    }
                    start = prepared.end.offset();
                    done += 1;
                }
            }
            if (filled == 0 || self.misses.is_full())
                && !self.resolve_misses(tables, text, ids, stop)
            {
                return false;
            }
            if filled == 0 {
                return true;
            }
        }
    }

    /// Merges the buffered misses and inserts their ids into `ids`. Returns `false` if `stop` was set.
    fn resolve_misses(
        &mut self,
        tables: &SharedTables,
        text: &[u8],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let context = MergeContext {
            tables,
            table: &mut self.table,
            merger: &mut self.merger,
            tier: self.tier,
            stop,
        };
        self.misses.resolve(context, text, ids)
    }
}

/// The number of buffered misses at which they are merged. Larger batches gain nothing.
const MISS_BATCH: usize = 32;

/// If the misses of a batch total more bytes than this, or a single piece has more, the buffers are freed
/// afterwards. Merging with a heap
/// takes up to 80 bytes of memory per byte of text.
const MAX_RETAINED_BYTES: usize = 1 << 16;

/// The chunks of a run that missed the table. Its allocations are reused from run to run.
struct MissBuffer {
    misses: Vec<Miss>,
    /// Direct-mapped cache from table bucket to index of a miss, to find repeats. Entries may be stale, so
    /// key and bytes are compared.
    recent: [u8; 2 * MISS_BATCH],
    jobs: Vec<MergeJob>,
    /// Parallel to `jobs`. For a fragment that `add_jobs` cut and did not find in the table: the
    /// key under which `store` stores its ids. `None` for all other jobs. (`store` also stores the
    /// ids of the whole chunk under the chunk's own key, for every miss that is not a repeat.)
    fragment_keys: Vec<Option<u128>>,
    /// The ids of all jobs.
    merged: Vec<TokenId>,
}

/// A chunk that missed the table.
struct Miss {
    prepared: Prepared,
    start: usize,
    /// With `ignore_merges`, the hash with which to look up a whole piece in the vocabulary: if the piece is a
    /// token, it is not merged. `None` for fragments, for repeats, and if the piece is longer than every token.
    hash: Option<u64>,
    /// The index in the output at which its ids are inserted.
    insert_at: usize,
    /// The index of an earlier miss with the same bytes, if one was found, otherwise its own index.
    first: usize,
    /// Its range of `MissBuffer::jobs`, empty for a repeat.
    jobs: Range<usize>,
    /// Its range of `MissBuffer::merged`.
    ids: Range<usize>,
}

impl Miss {
    fn span(&self) -> Range<usize> {
        self.start..self.prepared.end.offset()
    }
}

/// What [`MissBuffer::resolve`] uses: parts of [`RunEncoder`], the shared tables and the stop flag.
struct MergeContext<'t> {
    tables: &'t SharedTables,
    table: &'t mut PieceTable,
    merger: &'t mut Merger,
    tier: Tier,
    stop: Option<&'t AtomicBool>,
}

impl MissBuffer {
    const EMPTY: Self = MissBuffer {
        misses: Vec::new(),
        recent: [0; 2 * MISS_BATCH],
        jobs: Vec::new(),
        fragment_keys: Vec::new(),
        merged: Vec::new(),
    };

    /// Adds the chunk that starts at `text[start]`, whose ids belong at the current end of `ids`. The caller
    /// checks only after each group of up to `GROUP` chunks whether the buffer is full, so up to `GROUP - 1`
    /// chunks may follow the one that fills it. With `ignore_merges`, prefetches the vocabulary entry of a
    /// whole piece.
    #[inline(never)]
    fn add(
        &mut self,
        rules: &MergeRules,
        prepared: Prepared,
        start: usize,
        text: &[u8],
        ids: &[TokenId],
    ) {
        let bytes = &text[start..prepared.end.offset()];
        let recent = &mut self.recent[prepared.bucket() % (2 * MISS_BATCH)];
        let is_same = |first: &usize| {
            (self.misses.get(*first)).is_some_and(|other| {
                other.prepared.key() == prepared.key() && &text[other.span()] == bytes
            })
        };
        let first = Some(usize::from(*recent)).filter(is_same);
        let mut hash = None;
        if first.is_none() {
            *recent = self.misses.len() as u8;
            if rules.ignore_merges && !prepared.end.is_fragment() {
                hash = rules.vocab().hash_and_prefetch(text, start, bytes.len());
            }
        }
        self.misses.push(Miss {
            prepared,
            start,
            hash,
            insert_at: ids.len(),
            first: first.unwrap_or(self.misses.len()),
            jobs: 0..0,
            ids: 0..0,
        });
    }

    fn is_full(&self) -> bool {
        self.misses.len() >= MISS_BATCH
    }

    /// Merges all misses and inserts their ids into `ids`. Returns `false` if the stop flag was set; then
    /// `ids` is truncated to the ids before the first miss.
    fn resolve(
        &mut self,
        mut context: MergeContext<'_>,
        text: &[u8],
        ids: &mut Vec<TokenId>,
    ) -> bool {
        if self.misses.is_empty() {
            return true;
        }
        self.jobs.clear();
        self.fragment_keys.clear();
        self.merged.clear();
        let mut misses = std::mem::take(&mut self.misses);
        let vocab = context.tables.rules.vocab();
        for hash in misses.iter().filter_map(|miss| miss.hash) {
            if let Some(id) = vocab.lowest_id(hash) {
                vocab.prefetch_end(id);
            }
        }
        for (index, miss) in misses.iter_mut().enumerate() {
            let first_job = self.jobs.len();
            if miss.first == index {
                self.add_jobs(&context, text, miss);
            }
            miss.jobs = first_job..self.jobs.len();
        }
        let MergeContext { tables, stop, .. } = context;
        let completed = (context.merger).merge_jobs(
            &tables.rules,
            text,
            &mut self.jobs,
            &mut self.merged,
            stop,
        );
        if completed {
            for index in 0..misses.len() {
                let first = misses[index].first;
                if first == index {
                    self.store(&mut context, text, &mut misses[index]);
                } else {
                    misses[index].ids = misses[first].ids.clone();
                }
            }
            self.insert_ids(&misses, ids);
        } else {
            ids.truncate(misses[0].insert_at);
        }
        if misses.iter().map(|miss| miss.span().len()).sum::<usize>() > MAX_RETAINED_BYTES {
            context.merger.free_large_buffers();
            *self = MissBuffer::EMPTY;
        } else {
            misses.clear();
            self.misses = misses;
        }
        completed
    }

    /// Drops all misses and truncates `ids` to the ids before the first one.
    fn discard(&mut self, ids: &mut Vec<TokenId>) {
        if let Some(first) = self.misses.first() {
            ids.truncate(first.insert_at);
        }
        self.misses.clear();
    }

    /// Adds the jobs of a miss: one for each fragment if a short piece is cut here, otherwise one for the whole
    /// chunk. With `ignore_merges`, a whole piece that is a token gets a job with the id from the
    /// vocabulary, so it is not merged.
    ///
    /// Pieces of up to 15 bytes with non-ASCII characters are cut only here, on a miss: the first look-up
    /// takes them whole. Their fragments are looked up, and merged if they are not in the table either.
    fn add_jobs(&mut self, context: &MergeContext<'_>, text: &[u8], miss: &Miss) {
        let SharedTables { rules, boundaries } = context.tables;
        let Range { start, end } = miss.span();
        let is_fragment = miss.prepared.end.is_fragment();
        let length = end - start;
        let id = |hash| rules.vocab().id_of_hash(hash, text, start, length);
        if let Some(id) = miss.hash.and_then(id) {
            self.merged.push(id);
            self.add_job(start, end, 1, None);
        } else if is_fragment || length > INLINE || text[start..end].is_ascii() {
            self.add_job(start, end, 0, None);
        } else {
            let piece = &text[start..end];
            let mut group = [Prepared::NONE; GROUP];
            let mut chunks = Chunks::of_piece(piece, &length);
            let filled =
                (context.table).prepare_cut(context.tier, boundaries, &mut chunks, &mut group);
            let mut from = 0;
            for &chunk in &group[..filled] {
                let to = chunk.end.offset();
                let before = self.merged.len();
                if filled > 1 {
                    (context.table).append_ids_of(chunk, &piece[from..to], &mut self.merged);
                }
                let known_count = self.merged.len() - before;
                let key = (filled > 1).then_some(chunk.key());
                self.add_job(start + from, start + to, known_count, key);
                from = to;
            }
        }
    }

    /// Adds the job for `text[start..end]`. If `known_count` is not 0, the ids are known and are the last
    /// `known_count` of `merged`; the job then needs no merging and stores no fragment.
    fn add_job(
        &mut self,
        start: usize,
        end: usize,
        known_count: usize,
        fragment_key: Option<u128>,
    ) {
        let merged = self.merged.len();
        let mut job = MergeJob::new(start, end);
        job.ids = (known_count > 0).then_some(merged - known_count..merged);
        self.jobs.push(job);
        self.fragment_keys
            .push(fragment_key.filter(|_| known_count == 0));
    }

    /// Stores the ids of a miss and of its new fragments in the table.
    fn store(&mut self, context: &mut MergeContext<'_>, text: &[u8], miss: &mut Miss) {
        let first_id = self.merged.len();
        let jobs = &self.jobs[miss.jobs.clone()];
        for (job, fragment_key) in jobs.iter().zip(&self.fragment_keys[miss.jobs.clone()]) {
            let ids = job.ids.clone().unwrap_or_default();
            if let &Some(key) = fragment_key {
                let bytes = &text[job.start..job.end];
                (context.table).insert(key, bytes, &self.merged[ids.clone()]);
            }
            match jobs.len() {
                1 => miss.ids = ids,
                _ => self.merged.extend_from_within(ids),
            }
        }
        if jobs.len() > 1 {
            miss.ids = first_id..self.merged.len();
        }
        let (key, bytes) = (miss.prepared.key(), &text[miss.span()]);
        (context.table).insert(key, bytes, &self.merged[miss.ids.clone()]);
    }

    /// Inserts the ids of all misses into `ids`, from the last one backwards.
    fn insert_ids(&self, misses: &[Miss], ids: &mut Vec<TokenId>) {
        let mut from = ids.len();
        let inserted: usize = misses.iter().map(|miss| miss.ids.len()).sum();
        ids.resize(from + inserted, 0);
        let mut to = ids.len();
        for miss in misses.iter().rev() {
            let moved = from - miss.insert_at;
            ids.copy_within(miss.insert_at..from, to - moved);
            to -= moved + miss.ids.len();
            ids[to..to + miss.ids.len()].copy_from_slice(&self.merged[miss.ids.clone()]);
            from = miss.insert_at;
        }
    }
}
