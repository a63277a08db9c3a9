//! Where a text may be cut, so that both parts split on their own as they do together.
//!
//! Between two characters of certain classes every text may be cut: whatever the state before them,
//! a piece ends there, the characters after it decide nothing before it, and the state is that after the
//! second character alone ([`Automaton`]'s `cuts`).

use super::pending::Decided;
use super::{Automaton, END, HERE, MAX_STATES, state_of};
use crate::pattern::cut::first_cut_between;
use crate::unicode;

impl Automaton {
    /// The first cut of `text` after the character at `at`; `None` if there is none up to the end of
    /// the character after `last`. Linear in the distance.
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

    /// The last cut of `text` at or after `from` that holds whatever bytes are appended; `None` if
    /// there is none. A piece must begin at byte 0.
    ///
    /// Appended bytes never add a cut before `text.len() - 3`. Linear in the distance from the end to
    /// the cut, or to `from`, and in the length of a run at the end that is cut into groups.
    pub(in crate::pattern) fn last_settled_cut(&self, text: &[u8], from: usize) -> Option<usize> {
        let from = from.max(1);
        let mut end = text.len();
        if end > 0 {
            // The last character may be cut short.
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

    /// Where the last group begins, if the text ends in a run of one class that is cut into groups: of
    /// numbers, for instance.
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
                // That after the first of the run.
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

    /// Whether a group of one class begins with its next character: as in `cuts`.
    fn is_new_group(&self, class: u8, state: usize) -> bool {
        let next = &self.next[usize::from(class)];
        let at_end = self.decided[usize::from(END)][state].without(Decided::HERE);
        next[state] & 3 == HERE
            && at_end == Decided::NOTHING
            && state_of(next[state]) == state_of(next[0])
    }

    /// The classes whose runs are cut into groups, as bits.
    pub(super) fn with_groups(mut self) -> Self {
        for class in END + 1..self.class_count {
            let states = std::iter::successors(Some(0), |&state: &usize| {
                Some(usize::from(state_of(self.next[usize::from(class)][state])))
            });
            // After as many steps as there are states, states recur.
            let mut recurring = states.skip(MAX_STATES).take(MAX_STATES);
            let is_cut = recurring.any(|state| self.is_new_group(class, state));
            self.groups |= u32::from(is_cut) << class;
        }
        self
    }

    /// Where the last character of a text begins, and its class.
    fn before(&self, text: &[u8]) -> Option<(usize, u8)> {
        let start = (!text.is_empty()).then(|| unicode::start_before(text, text.len()))?;
        Some((start, self.classes.at(text, start)?.0))
    }

    fn may_cut(&self, before: u8, after: u8) -> bool {
        self.cuts[usize::from(before)] >> after & 1 == 1
    }
}
