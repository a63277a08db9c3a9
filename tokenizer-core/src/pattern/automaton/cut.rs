//! Safe cuts: positions where a text can be split in two without changing any piece.
//!
//! Whether a position is a cut depends only on the classes of the characters directly before and after it
//! ([`Automaton::cuts`]). It is a cut if three conditions hold for every state before the two characters:
//!
//! - a piece ends between them;
//! - the second character decides the same earlier boundaries as the end of the text would;
//! - the second character leads to the same state as from the start state, so that later characters decide
//!   no boundary before it.

use super::pending::Decided;
use super::{Automaton, END, HERE, MAX_STATES, state_of};
use crate::pattern::cut::first_cut_between;
use crate::unicode;

impl Automaton {
    /// Returns the first cut of `text` after the first character that starts at or after `at`. Searches up to
    /// the first character boundary after `last`, in time linear in the distance searched.
    pub(in crate::pattern) fn first_cut(
        &self,
        text: &[u8],
        at: usize,
        last: usize,
    ) -> Option<usize> {
        let character = |at| self.classes.at(text, at);
        let may_cut = |_, before, after| self.may_cut(before, after);
        first_cut_between(text, at, last, character, may_cut)
    }

    /// Returns the last cut of `text` at or after `from` that remains a cut whatever bytes are appended. A
    /// piece must start at byte 0 of `text`.
    ///
    /// Appended bytes never add a cut before `text.len() - 3`. The time is linear in the distance from the
    /// end of the text to the cut (to `from` if there is none), plus the length of a run of groups at the
    /// end.
    pub(in crate::pattern) fn last_settled_cut(&self, text: &[u8], from: usize) -> Option<usize> {
        let from = from.max(1);
        let mut end = text.len();
        if end > 0 {
            // Skip a truncated character.
            let last = unicode::start_before(text, end);
            let error = std::str::from_utf8(&text[last..]).err();
            if error.is_some_and(|error| error.error_len().is_none()) {
                end = last;
            }
        }
        if let Some(cut) = self.last_group(&text[..end]).filter(|&cut| cut >= from) {
            return Some(cut);
        }
        let mut after = None;
        while end >= from {
            let (start, class) = self.before(&text[..end])?;
            if after.is_some_and(|after| self.may_cut(class, after)) {
                return Some(end);
            }
            (after, end) = (Some(class), start);
        }
        None
    }

    /// If the text ends in a run of a class that is split into groups, returns the start of the last group in
    /// that run that is known to be a safe cut.
    fn last_group(&self, text: &[u8]) -> Option<usize> {
        let (mut start, class) = self.before(text)?;
        if self.groups >> class & 1 == 0 {
            return None;
        }
        let mut state = loop {
            match self.before(&text[..start]) {
                None => break 0,
                Some((before, other)) if other == class => start = before,
                Some((_, other)) if self.may_cut(other, class) => break 0,
                // Continue only if the state after the first character of the run is known: if it does not
                // depend on the characters before these two.
                Some((_, other)) => {
                    let known = self.synchronized[usize::from(other)][usize::from(class)]?;
                    start += self.classes.at(text, start)?.1;
                    break usize::from(known);
                }
            }
        };
        let (mut at, mut found) = (start, None);
        while let Some((_, length)) = self.classes.at(text, at) {
            if self.is_new_group(class, state) {
                found = Some(at);
            }
            state = usize::from(state_of(self.next[usize::from(class)][state]));
            at += length;
        }
        found
    }

    /// Returns whether a character of `class` in this state starts a group at a safe cut.
    fn is_new_group(&self, class: u8, state: usize) -> bool {
        let next = &self.next[usize::from(class)];
        let at_end = self.decided[usize::from(END)][state].without(Decided::HERE);
        next[state] & 3 == HERE
            && at_end == Decided::NOTHING
            && state_of(next[state]) == state_of(next[0])
    }

    /// Fills [`Automaton::groups`].
    pub(super) fn with_groups(mut self) -> Self {
        for class in END + 1..self.class_count {
            let states = std::iter::successors(Some(0), |&state: &usize| {
                Some(usize::from(state_of(self.next[usize::from(class)][state])))
            });
            // After MAX_STATES steps the sequence is periodic, with a period of at most MAX_STATES.
            let mut period = states.skip(MAX_STATES).take(MAX_STATES);
            let has_groups = period.any(|state| self.is_new_group(class, state));
            self.groups |= u32::from(has_groups) << class;
        }
        self
    }

    /// Returns the start and the class of the last character of a text.
    fn before(&self, text: &[u8]) -> Option<(usize, u8)> {
        let start = (!text.is_empty()).then(|| unicode::start_before(text, text.len()))?;
        Some((start, self.classes.at(text, start)?.0))
    }

    /// Returns whether every text can be cut between characters of these classes.
    fn may_cut(&self, before: u8, after: u8) -> bool {
        self.cuts[usize::from(before)] >> after & 1 == 1
    }
}
