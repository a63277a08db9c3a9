//! Leftmost-first matching by a Pike VM.
//!
//! A regex becomes a Thompson NFA, whose threads read one class at a time in order of priority: a match
//! drops all threads of lower priority. Assertions about the next character are threads that wait for
//! it.

use super::classes::Partition;
use super::syntax::{Node, Set};

/// States of a nfa, at most: more would not make an automaton that is small enough.
const MAX_NFA_STATES: usize = 1000;

/// A class, or the end of the text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Class(u8),
    End,
}

impl Symbol {
    fn is_in(self, classes: u64, or_end: bool) -> bool {
        match self {
            Symbol::Class(class) => classes >> class & 1 == 1,
            Symbol::End => or_end,
        }
    }
}

enum State {
    /// Reads a character of one of these classes.
    Read {
        classes: u64,
        next: usize,
    },
    /// Reads nothing, before a character of one of these classes or the end.
    Before {
        classes: u64,
        or_end: bool,
        next: usize,
    },
    /// Goes on with each of these, the first preferred.
    Fork(Vec<usize>),
    Match,
}

/// A thread: the number of the state in which it waits.
pub(super) type Thread = usize;

/// Threads as they are collected: the list, and the states that were entered.
struct Threads {
    list: Vec<Thread>,
    seen: Vec<bool>,
}

/// Threads that read a symbol.
struct Reading {
    symbol: Symbol,
    /// Those that began before it.
    before: Threads,
    /// Those after it.
    left: Threads,
    /// One of these matches for certain.
    is_cut: bool,
}

/// A compiled regex.
pub(super) struct Nfa {
    states: Vec<State>,
    /// The threads before anything has been read.
    pub(super) start: Vec<Thread>,
}

/// All sets of a regex, each once.
pub(super) fn sets<'n>(node: &'n Node, found: &mut Vec<&'n Set>) {
    match node {
        Node::Set(set) | Node::Before { set, .. } => {
            if !found.contains(&set) {
                found.push(set);
            }
        }
        Node::Concat(nodes) | Node::Alternatives(nodes) => {
            nodes.iter().for_each(|node| sets(node, found));
        }
        Node::Repeat { node, .. } => sets(node, found),
    }
}

/// Whether a regex may match without reading anything.
fn may_be_empty(node: &Node) -> bool {
    match node {
        Node::Set(_) => false,
        Node::Before { .. } => true,
        Node::Concat(nodes) => nodes.iter().all(may_be_empty),
        Node::Alternatives(nodes) => nodes.iter().any(may_be_empty),
        Node::Repeat { node, min, .. } => *min == 0 || may_be_empty(node),
    }
}

impl Nfa {
    /// Compiles a regex; `sets` are those of `partition`, in its order. `None` when it may match
    /// nothing, or repeats what may, or needs too many states.
    pub(super) fn new(node: &Node, sets: &[&Set], partition: &Partition) -> Option<Self> {
        if may_be_empty(node) {
            return None;
        }
        let classes = |set: &Set| {
            let number = sets.iter().position(|other| *other == set);
            number.map_or(0, |number| partition.mask(number))
        };
        let mut nfa = Nfa {
            states: vec![State::Match],
            start: Vec::new(),
        };
        let start = nfa.compile(node, 0, &classes)?;
        let mut threads = nfa.no_threads();
        nfa.start(start, &mut threads);
        nfa.start = threads.list;
        Some(nfa)
    }

    fn push(&mut self, state: State) -> Option<usize> {
        if self.states.len() == MAX_NFA_STATES {
            return None;
        }
        self.states.push(state);
        Some(self.states.len() - 1)
    }

    /// The state that matches `node` and goes on with `next`.
    fn compile(
        &mut self,
        node: &Node,
        next: usize,
        classes: &dyn Fn(&Set) -> u64,
    ) -> Option<usize> {
        match node {
            Node::Set(set) => self.push(State::Read {
                classes: classes(set),
                next,
            }),
            Node::Before { set, or_end } => self.push(State::Before {
                classes: classes(set),
                or_end: *or_end,
                next,
            }),
            Node::Concat(nodes) => {
                let mut nodes = nodes.iter().rev();
                nodes.try_fold(next, |next, node| self.compile(node, next, classes))
            }
            Node::Alternatives(nodes) => {
                let starts = nodes.iter().map(|node| self.compile(node, next, classes));
                let starts = starts.collect::<Option<_>>()?;
                self.push(State::Fork(starts))
            }
            Node::Repeat {
                node,
                min,
                max,
                greedy,
            } => {
                // Also, each copy adds a state then: their number is bounded.
                if *max != Some(1) && may_be_empty(node) {
                    return None;
                }
                let fork = |again, next| match greedy {
                    true => State::Fork(vec![again, next]),
                    false => State::Fork(vec![next, again]),
                };
                let mut start = next;
                match max {
                    Some(max) => {
                        for _ in *min..*max {
                            let again = self.compile(node, start, classes)?;
                            start = self.push(fork(again, next))?;
                        }
                    }
                    None => {
                        start = self.push(State::Match)?;
                        let again = self.compile(node, start, classes)?;
                        self.states[start] = fork(again, next);
                    }
                }
                (0..*min).try_fold(start, |next, _| self.compile(node, next, classes))
            }
        }
    }

    /// Adds the threads that begin in `state`, in order, but those that came before. Whether one of
    /// them matches for certain, which cuts off all others.
    fn start(&self, state: usize, threads: &mut Threads) -> bool {
        if std::mem::replace(&mut threads.seen[state], true) {
            return false;
        }
        match &self.states[state] {
            State::Fork(states) => states.iter().any(|&state| self.start(state, threads)),
            other => {
                threads.list.push(state);
                matches!(other, State::Match)
            }
        }
    }

    fn no_threads(&self) -> Threads {
        Threads {
            list: Vec::new(),
            seen: vec![false; self.states.len()],
        }
    }

    /// Lets threads read a symbol. Whether they match before it, and the threads that are left
    /// after it.
    pub(super) fn read(&self, threads: &[Thread], symbol: Symbol) -> (bool, Vec<Thread>) {
        let mut reading = Reading {
            symbol,
            before: self.no_threads(),
            left: self.no_threads(),
            is_cut: false,
        };
        let matches = self.read_each(threads, &mut reading);
        (matches, reading.left.list)
    }

    fn read_each(&self, threads: &[Thread], reading: &mut Reading) -> bool {
        threads.iter().any(|&thread| match &self.states[thread] {
            State::Match => true,
            State::Read { classes, next } => {
                if !reading.is_cut && reading.symbol.is_in(*classes, false) {
                    reading.is_cut = self.start(*next, &mut reading.left);
                }
                false
            }
            State::Before {
                classes,
                or_end,
                next,
            } => {
                if !reading.symbol.is_in(*classes, *or_end) {
                    return false;
                }
                let known = reading.before.list.len();
                self.start(*next, &mut reading.before);
                let new = reading.before.list.split_off(known);
                self.read_each(&new, reading)
            }
            State::Fork(_) => false,
        })
    }

    /// Whether threads match before any symbol whatever.
    pub(super) fn is_certain(&self, threads: &[Thread]) -> bool {
        let is_match = |&thread: &Thread| matches!(self.states[thread], State::Match);
        threads.iter().any(is_match)
    }
}
