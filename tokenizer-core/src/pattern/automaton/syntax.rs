//! The regular subset of the regex syntax: regexes that a finite automaton can match.
//!
//! The parse tree comes from `fancy-regex`, the engine that defines every pattern, so the automaton and that
//! engine parse a regex alike. Alternation, repetition and assertions about the next character are supported.
//! Back-references, look-behind, word boundaries and longer look-ahead are not.
//!
//! A possessive quantifier is supported if it is equivalent to the greedy one: if backtracking into the
//! repetition never makes the rest of the regex match.

use std::sync::Arc;

use fancy_regex::{Assertion, Expr, LookAround};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// A set of characters.
pub(super) type Set = ClassUnicode;

/// A regex as a tree.
#[derive(Debug)]
pub(super) enum Node {
    /// One character of a set.
    Set(Set),
    /// An assertion: a character of `set` follows or, with `or_end`, the end of the text.
    Before {
        set: Set,
        or_end: bool,
    },
    Concat(Vec<Node>),
    /// In order of preference.
    Alternatives(Vec<Node>),
    Repeat {
        node: Box<Node>,
        min: usize,
        max: Option<usize>,
        greedy: bool,
    },
}

/// Properties of the rest of the regex after a node. They decide whether backtracking into the node can make
/// the rest match.
#[derive(Clone)]
struct Follow {
    /// Characters with which a match of the rest may start.
    first: Set,
    /// Whether the rest matches whatever text follows.
    always: bool,
    /// Whether no assertion precedes the first character.
    plain: bool,
}

/// Parses `source`. Returns `None` if it is not a valid regex or not in the regular subset.
pub(super) fn parse(source: &str) -> Option<Node> {
    let tree = Expr::parse_tree(source).ok()?;
    let end = Follow {
        first: Set::empty(),
        always: true,
        plain: true,
    };
    node(&tree.expr, &end)
}

fn node(expr: &Expr, follow: &Follow) -> Option<Node> {
    Some(match expr {
        Expr::Empty => Node::Concat(Vec::new()),
        Expr::Literal { val, casei } => literal(val, *casei)?,
        Expr::Delegate { inner, casei } => Node::Set(one_of(inner, *casei)?),
        Expr::Any {
            newline,
            crlf: false,
        } => Node::Set(one_of(if *newline { "(?s:.)" } else { "." }, false)?),
        Expr::Concat(parts) => concat(parts, follow)?,
        Expr::Alt(parts) => {
            let nodes = parts.iter().map(|part| node(part, follow));
            Node::Alternatives(nodes.collect::<Option<_>>()?)
        }
        Expr::Group(inner) => node(Arc::as_ref(inner), follow)?,
        Expr::Repeat {
            child,
            lo,
            hi,
            greedy,
        } if lo <= hi => {
            // A repeated node may be followed by itself, so nothing is assumed about the rest.
            let again = Follow {
                plain: false,
                always: false,
                first: Set::empty(),
            };
            Node::Repeat {
                node: Box::new(node(child, if *hi == 1 { follow } else { &again })?),
                min: *lo,
                max: (*hi != usize::MAX).then_some(*hi),
                greedy: *greedy,
            }
        }
        Expr::AtomicGroup(inner) => greedy_as_possessive(node(inner, follow)?, follow)?,
        Expr::LookAround(inner, LookAround::LookAhead) => Node::Before {
            set: single(node(inner, follow)?)?,
            or_end: false,
        },
        Expr::LookAround(inner, LookAround::LookAheadNeg) => {
            let mut set = single(node(inner, follow)?)?;
            set.negate();
            Node::Before { set, or_end: true }
        }
        Expr::Assertion(Assertion::EndText) => Node::Before {
            set: Set::empty(),
            or_end: true,
        },
        _ => return None,
    })
}

fn literal(text: &str, any_case: bool) -> Option<Node> {
    let one = |c| one_of(&regex_syntax::escape(&String::from(c)), any_case).map(Node::Set);
    let mut nodes = text.chars().map(one).collect::<Option<Vec<_>>>()?;
    Some(match nodes.len() {
        1 => nodes.remove(0),
        _ => Node::Concat(nodes),
    })
}

fn concat(parts: &[Expr], follow: &Follow) -> Option<Node> {
    let mut nodes = Vec::new();
    let mut follow = follow.clone();
    for part in parts.iter().rev() {
        let part = node(part, &follow)?;
        follow = first(&part, follow);
        nodes.push(part);
    }
    nodes.reverse();
    Some(Node::Concat(nodes))
}

/// Returns `node`, a greedy repetition of one set, if a possessive one would match the same: if the rest
/// of the regex always matches, or cannot start with a character of the set.
fn greedy_as_possessive(node: Node, follow: &Follow) -> Option<Node> {
    let Node::Repeat {
        node: repeated,
        greedy: true,
        ..
    } = &node
    else {
        return None;
    };
    let Node::Set(set) = &**repeated else {
        return None;
    };
    let mut both = follow.first.clone();
    both.intersect(set);
    (follow.always || follow.plain && both.ranges().is_empty()).then_some(node)
}

/// Returns the set of a node that matches one character.
fn single(node: Node) -> Option<Set> {
    match node {
        Node::Set(set) => Some(set),
        _ => None,
    }
}

/// Returns the set of characters that a regex for a single character matches.
fn one_of(source: &str, any_case: bool) -> Option<Set> {
    let mut parser = ParserBuilder::new().case_insensitive(any_case).build();
    match parser.parse(source).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(set)) => Some(set),
        HirKind::Literal(literal) => {
            let mut chars = std::str::from_utf8(&literal.0).ok()?.chars();
            let (c, None) = (chars.next()?, chars.next()) else {
                return None;
            };
            Some(Set::new([ClassUnicodeRange::new(c, c)]))
        }
        _ => None,
    }
}

/// Returns the properties of `node` followed by a rest with the properties `follow`.
fn first(node: &Node, follow: Follow) -> Follow {
    let of_set = |set: &Set, plain| Follow {
        first: set.clone(),
        always: false,
        plain,
    };
    let either = |mut one: Follow, other: Follow| {
        one.first.union(&other.first);
        one.always |= other.always;
        one.plain &= other.plain;
        one
    };
    match node {
        Node::Set(set) => of_set(set, true),
        // `$` has an empty set: it matches before no character, so backtracking never makes it match.
        Node::Before { set, .. } => of_set(set, set.ranges().is_empty()),
        Node::Concat(parts) => {
            (parts.iter().rev()).fold(follow, |follow, part| first(part, follow))
        }
        Node::Alternatives(parts) => {
            let firsts = parts.iter().map(|part| first(part, follow.clone()));
            firsts.reduce(either).unwrap_or(follow)
        }
        Node::Repeat { node, min: 0, .. } => either(first(node, follow.clone()), follow),
        Node::Repeat { node, .. } => first(node, follow),
    }
}
