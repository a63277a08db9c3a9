//! Splitting by a finite automaton that is made from the regex.
//!
//! A published pre-tokenizer is one regex or several in a row, and nearly all are regular: matching
//! needs bounded state. Such a pattern is compiled to a deterministic automaton (DFA), so that a pattern
//! that was never seen before is split as fast as a known one.
//!
//! 1. `syntax.rs`: the regex as a tree over sets of characters. What is not regular goes to the regex engine.
//! 2. `classes.rs`: the sets divide all characters into a few classes.
//! 3. `nfa.rs`: leftmost-first matching, as ordered lists of threads that read classes.
//! 4. `pending.rs`: the undecided pieces at a place, with positions relative to the last character: a
//!    state of the DFA. There are a few dozen; `determinize.rs` finds them all (subset construction).
//! 5. `walk.rs`: runs the automaton over a text, two characters a step, four places at once.
//! 6. `cut.rs`: where a text may be cut.
//!
//! **Invariant.** The automaton is derived, not written: its boundaries are those of the regex
//! engine by construction, and the tests compare the two.
//!
//! **Cost.** Compiling takes 1 to 10 ms, and 200 kB of memory. Splitting reads each character once,
//! whatever the pattern: no text is slow.

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

/// Classes of characters, at most, with [`CONTINUATION`] and [`END`].
const MAX_CLASSES: usize = 32;

/// States, at most.
const MAX_STATES: usize = 64;

/// Numbers of pairs of characters, each with a state added: any 16 bits and any 8.
const PAIRS: usize = MAX_CLASSES * MAX_CLASSES * MAX_STATES + 256;

/// The class of bytes that go on with a character: they change no state.
const CONTINUATION: u8 = 0;

/// The class of the end of the text.
const END: u8 = 1;

/// A state and what was decided on the way to it: `state << 2 | HERE, REMEMBER, MORE or 0`.
type Entry = u8;

/// Of an entry: a piece ends before the character that led to it, and nothing else is decided.
const HERE: u8 = 1;

/// Of an entry: [`Automaton::decided`] has what is decided.
const MORE: u8 = 2;

/// Of an entry: only a place is to be remembered.
const REMEMBER: u8 = HERE | MORE;

/// The state of an entry.
#[inline(always)]
fn state_of(entry: Entry) -> u8 {
    entry >> 2
}

/// The automaton of a pattern. State 0 is that at the beginning of a text.
pub(super) struct Automaton {
    classes: Classes,
    class_count: u8,
    state_count: u8,
    /// The entry after a character, by its class and the state before it.
    next: Box<[[Entry; MAX_STATES]; MAX_CLASSES]>,
    /// The same for two characters at once. The place is
    /// `(class * class_count + next class) * state_count + state`.
    next_two: Box<[[Entry; 2]; PAIRS]>,
    /// The boundaries that a character decides, by its class and the state before it.
    decided: Box<[[Decided; MAX_STATES]; MAX_CLASSES]>,
    /// The state after two characters, by their classes, if it does not depend on the state before
    /// them.
    synchronized: Box<[[Option<u8>; MAX_CLASSES]; MAX_CLASSES]>,
    /// Whether a text may be cut between two characters of these classes, as bits by the second.
    cuts: [u32; MAX_CLASSES],
    /// The classes whose runs are cut into groups, as bits.
    groups: u32,
}
