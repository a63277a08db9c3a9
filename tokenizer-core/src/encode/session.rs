//! Pieces to ids: the core of encoding.
//!
//! [`PieceRuns::encode`] encodes one run of at most a thousand pieces into a vector and returns. Its
//! caller checks the stop flag, compares a limit, adds offsets or counts, and calls again.

use std::sync::atomic::AtomicBool;

use super::chunks::Chunks;
use super::merge::Merger;
use super::missing::{Missing, Tools};
use super::piece_table::{GROUP, PieceTable, Prepared};
use super::rules::Rules;
use super::{EncodeError, Shared, check_stop};
use crate::pattern::{Spans, Splitter};
use crate::simd::Tier;
use crate::token::TokenId;

/// What a thread encodes with; kept from text to text.
pub(super) struct Session {
    coder: Coder,
    spans: Spans,
}

/// The runs of pieces of a text. Made by [`Session::runs`].
pub(super) struct PieceRuns<'s, 't> {
    coder: &'s mut Coder,
    spans: &'s mut Spans,
    shared: &'s Shared,
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
        let all = (self.coder).encode_run(self.shared, self.text, self.spans, ids, self.stop);
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
    pub(super) fn new(shared: &Shared) -> Self {
        Session {
            coder: Coder::new(shared),
            spans: Spans::new(),
        }
    }

    /// The runs of pieces of a text without special tokens, which begins at `offset` of another, for
    /// errors.
    pub(super) fn runs<'s, 't: 's>(
        &'s mut self,
        shared: &'t Shared,
        text: &'t [u8],
        offset: usize,
        stop: Option<&'s AtomicBool>,
    ) -> PieceRuns<'s, 't> {
        PieceRuns {
            coder: &mut self.coder,
            spans: &mut self.spans,
            shared,
            splitter: shared.model.pattern().split_on(shared.options.tier, text),
            text,
            offset,
            stop,
        }
    }

    /// Appends the ids of one piece, without splitting it.
    pub(super) fn encode_piece(&mut self, shared: &Shared, piece: &[u8], ids: &mut Vec<TokenId>) {
        let rules = &shared.rules;
        match rules.vocab().id(piece).filter(|_| rules.ignore_merges) {
            Some(id) => ids.push(id),
            None if piece.is_empty() => {}
            None => _ = self.coder.merger.merge(rules, piece, ids, None),
        }
    }
}

impl Coder {
    fn new(shared: &Shared) -> Self {
        Coder {
            table: PieceTable::new(shared.options.cache_bytes),
            merger: Merger::new(shared.options.tier),
            missing: Missing::default(),
            tier: shared.options.tier,
        }
    }

    /// Appends the ids of a run of pieces of `text` to `ids`; `false` if `stop` was set before the end.
    /// The flag is checked within long pieces only.
    fn encode_run(
        &mut self,
        shared: &Shared,
        text: &[u8],
        spans: &Spans,
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let mut group = [Prepared::NONE; GROUP];
        let mut chunks = Chunks::new(text, spans);
        let boundaries = || shared.rules.boundaries();
        let mut start = spans.start();
        loop {
            let filled = (self.table).prepare(self.tier, &boundaries, &mut chunks, &mut group);
            let mut done = 0;
            while done < filled {
                done += self.table.look_up(self.tier, &group[done..filled], ids);
                if done > 0 {
                    start = group[done - 1].end.place();
                }
                if let Some(&prepared) = group[..filled].get(done) {
                    let chunk = &text[start..prepared.end.place()];
                    if !self.table.append(prepared, chunk, ids) {
                        self.missing.add(prepared, start, text, ids);
                    }
                    start = prepared.end.place();
                    done += 1;
                }
            }
            if (filled == 0 || self.missing.is_full())
                && !self.resolve_missing(&shared.rules, text, ids, stop)
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
        rules: &Rules,
        text: &[u8],
        ids: &mut Vec<TokenId>,
        stop: Option<&AtomicBool>,
    ) -> bool {
        let tools = Tools {
            rules,
            table: &mut self.table,
            merger: &mut self.merger,
            tier: self.tier,
            stop,
        };
        self.missing.resolve(tools, text, ids)
    }
}
