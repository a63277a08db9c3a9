//! Splitting by a DFA compiled from the regex.
//!
//! A pre-tokenizer is one regex or a chain of them, and nearly all published ones are regular: matching
//! needs bounded state. Such a pattern becomes one deterministic finite automaton (DFA), which splits at half
//! to nearly the full speed of a hand-written scanner.
//!
//! 1. `syntax.rs` parses the regex into a tree over sets of characters, and rejects what is not regular.
//! 2. `classes.rs` partitions all characters into the few classes that these sets distinguish.
//! 3. `nfa.rs` compiles the tree to an NFA over these classes and simulates it (a Pike VM, leftmost-first).
//! 4. `pending.rs` represents the pieces that are still undecided at a position, with offsets relative to
//!    that position. Such a representation for every regex of the chain is a state of the DFA.
//! 5. `determinize.rs` finds all states, a few dozen, and fills the tables (subset construction).
//! 6. `walk.rs` runs the DFA over a text, two bytes per step, in four interleaved lanes.
//! 7. `cut.rs` finds safe cuts of a text.
//!
//! **Invariant.** The DFA is derived from the regex, so its boundaries are those of the regex engine; tests
//! compare the two.
//!
//! **Cost.** Compiling takes 1 to 10 ms. The tables take 200 kB. Splitting reads each character once,
//! whatever the pattern and the text.

mod classes;
mod cut;
mod determinize;
mod nfa;
mod pending;
mod syntax;
mod walk;

use self::classes::Classes;
use self::pending::Decided;
pub(super) use self::walk::Walker;

/// Maximum number of character classes, including [`CONTINUATION`] and [`END`].
const MAX_CLASSES: usize = 32;

/// Maximum number of states.
const MAX_STATES: usize = 64;

/// Length of [`Automaton::next_two`]. An index is a 16-bit number plus an 8-bit state, hence always less than
/// this length, so look-ups need no bounds check.
const PAIRS: usize = MAX_CLASSES * MAX_CLASSES * MAX_STATES + 256;

/// The class of UTF-8 continuation bytes, which do not change the state.
const CONTINUATION: u8 = 0;

/// The class of the end of the text.
const END: u8 = 1;

/// A transition: `state << 2 | flags`, where `state` is the next state and the flags are [`HERE`], [`MORE`],
/// [`REMEMBER`], or 0 if nothing is decided.
type Entry = u8;

/// Flag: a piece ends before the character of the transition, and nothing else is decided.
const HERE: u8 = 1;

/// Flag: [`Automaton::decided`] stores what is decided.
const MORE: u8 = 2;

/// Both flags: a position must be remembered, and nothing is decided.
const REMEMBER: u8 = HERE | MORE;

/// Returns the state after a transition.
#[inline(always)]
fn state_of(entry: Entry) -> u8 {
    entry >> 2
}

/// The DFA of a pattern. State 0 is the start state.
pub(super) struct Automaton {
    classes: Classes,
    class_count: u8,
    state_count: u8,
    /// The transition for a character, indexed by its class, then by the state before it.
    next: Box<[[Entry; MAX_STATES]; MAX_CLASSES]>,
    /// The transitions for two adjacent bytes, indexed by
    /// `(first class * class_count + second class) * state_count + state before them`.
    next_two: Box<[[Entry; 2]; PAIRS]>,
    /// The boundaries that a character decides, indexed like `next`.
    decided: Box<[[Decided; MAX_STATES]; MAX_CLASSES]>,
    /// The state after two characters, indexed by their classes, if it does not depend on the state
    /// before them: a synchronizing word of length two.
    synchronized: Box<[[Option<u8>; MAX_CLASSES]; MAX_CLASSES]>,
    /// Safe cuts: bit `b` of `cuts[a]` is set if every text can be cut wherever a character of class `a` is
    /// followed by one of class `b`.
    cuts: [u32; MAX_CLASSES],
    /// A bit set of the classes whose runs are split into groups, such as numbers.
    groups: u32,
}
