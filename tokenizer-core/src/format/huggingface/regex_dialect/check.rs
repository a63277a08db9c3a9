//! Refuses regexes on which the two engines differ. Works on the syntax tree of `fancy-regex`.

use fancy_regex::{Expr, LookAround};
use regex_syntax::hir::{Class, HirKind};

use super::dialect::DialectError;

/// Checks a regex in the dialect of `fancy-regex`.
pub(super) fn check(own: &str) -> Result<(), DialectError> {
    let tree = Expr::parse_tree(own).map_err(|_| refused("invalid syntax"))?;
    let tree = &tree.expr;
    if may_be_empty(tree) {
        return Err(refused("a regex that can match the empty string"));
    }
    // Oniguruma tries a regex that begins with `.*` at the starts of lines only. It does so even if a
    // look-behind precedes the `.*`, and then misses matches.
    let repeats_any = |node: &Expr| matches!(node, Expr::Repeat { child, hi: usize::MAX, .. } if contains(child, &|n: &Expr| matches!(n, Expr::Any { .. })));
    if contains(tree, &looks_behind) && contains(tree, &repeats_any) {
        return Err(refused("a repeated . in a regex with a look-behind"));
    }
    check_node(tree)
}

fn refused(construct: &str) -> DialectError {
    DialectError::new(0, construct)
}

/// Whether any node of the tree satisfies the predicate.
fn contains(tree: &Expr, predicate: &impl Fn(&Expr) -> bool) -> bool {
    predicate(tree) || (tree.children_iter()).any(|child| contains(child, predicate))
}

fn looks_behind(node: &Expr) -> bool {
    use LookAround::{LookBehind, LookBehindNeg};
    matches!(node, Expr::LookAround(_, LookBehind | LookBehindNeg))
}

fn check_node(node: &Expr) -> Result<(), DialectError> {
    let construct = match node {
        Expr::Repeat { child, .. } if may_be_empty(child) => {
            "the repetition of an expression that can match the empty string"
        }
        Expr::Repeat { child, .. } if edges(child).form_ligature(edges(child)) => {
            "the repetition of case-insensitive letters that have a ligature"
        }
        Expr::LookAround(body, _) if looks_behind(node) && width(body).is_none() => {
            "a look-behind whose length varies or is not known"
        }
        Expr::Literal { casei: true, .. } | Expr::Delegate { casei: true, .. }
            if ascii_bits(node).is_none() =>
        {
            "(?i:...) with characters outside ASCII"
        }
        Expr::Concat(parts)
            if parts
                .windows(2)
                .any(|two| edges(&two[0]).form_ligature(edges(&two[1]))) =>
        {
            "adjacent case-insensitive letters that have a ligature"
        }
        _ => return node.children_iter().try_for_each(check_node),
    };
    Err(refused(construct))
}

fn may_be_empty(node: &Expr) -> bool {
    match node {
        Expr::Literal { .. } | Expr::Any { .. } | Expr::Delegate { .. } => false,
        Expr::Concat(parts) => parts.iter().all(may_be_empty),
        Expr::Alt(parts) => parts.iter().any(may_be_empty),
        Expr::Group(body) => may_be_empty(body),
        Expr::AtomicGroup(body) => may_be_empty(body),
        Expr::Repeat { child, lo, .. } => *lo == 0 || may_be_empty(child),
        _ => true,
    }
}

/// The number of characters that a node always matches; `None` if it varies or is not known.
fn width(node: &Expr) -> Option<usize> {
    match node {
        Expr::Empty => Some(0),
        Expr::Literal { val, casei: false } => Some(val.chars().count()),
        Expr::Any { .. } | Expr::Delegate { casei: false, .. } => Some(1),
        Expr::Group(body) => width(body),
        Expr::Concat(parts) => parts.iter().map(width).sum(),
        Expr::Alt(parts) => {
            let mut widths = parts.iter().map(width);
            let first = widths.next()??;
            widths.all(|width| width == Some(first)).then_some(first)
        }
        _ => None,
    }
}

/// The case-insensitive characters of the first and the last part of an expression, in lower case: one bit
/// per ASCII character. It does not matter here that a part may be empty: Oniguruma finds ligatures only
/// in characters that are adjacent in the regex.
#[derive(Clone, Copy, Default)]
struct Edges {
    first: u128,
    last: u128,
}

impl Edges {
    /// Whether a last letter of `self` and a first letter of `other` can form one of the ligatures ff, fi,
    /// fl, ss (`ß`) and st. Ignoring case, Oniguruma also matches two such letters with the single
    /// character of the ligature. Longer ligatures of ASCII letters begin with one of these five.
    fn form_ligature(self, other: Edges) -> bool {
        let has = |bits: u128, letters: &str| letters.bytes().any(|b| bits >> b & 1 == 1);
        has(self.last, "f") && has(other.first, "fil")
            || has(self.last, "s") && has(other.first, "st")
    }
}

fn edges(node: &Expr) -> Edges {
    match node {
        Expr::Group(body) => edges(body),
        Expr::AtomicGroup(body) | Expr::Repeat { child: body, .. } => edges(body),
        Expr::Alt(parts) => parts
            .iter()
            .map(edges)
            .fold(Edges::default(), |a, b| Edges {
                first: a.first | b.first,
                last: a.last | b.last,
            }),
        Expr::Concat(parts) => {
            let edges = |part: Option<&Expr>| part.map(edges).unwrap_or_default();
            Edges {
                first: edges(parts.first()).first,
                last: edges(parts.last()).last,
            }
        }
        Expr::Literal { casei: true, .. } | Expr::Delegate { casei: true, .. } => {
            let bits = ascii_bits(node).unwrap_or_default();
            Edges {
                first: bits,
                last: bits,
            }
        }
        _ => Edges::default(),
    }
}

/// The characters of a literal or class in lower case, as bits; `None` if any is not ASCII.
fn ascii_bits(node: &Expr) -> Option<u128> {
    let class = match node {
        Expr::Literal { val, .. } => regex_syntax::escape(val),
        Expr::Delegate { inner, .. } => inner.clone(),
        _ => return None,
    };
    let bit = |byte: u8| 1u128 << byte.to_ascii_lowercase();
    match regex_syntax::parse(&class).ok()?.kind() {
        // `fancy-regex` splits literals into single characters.
        HirKind::Literal(literal) if literal.0.is_ascii() && literal.0.len() == 1 => {
            Some(bit(literal.0[0]))
        }
        HirKind::Class(Class::Unicode(class)) if class.is_ascii() => {
            let bytes = class
                .ranges()
                .iter()
                .flat_map(|r| r.start() as u8..=r.end() as u8);
            Some(bytes.fold(0, |bits, byte| bits | bit(byte)))
        }
        _ => None,
    }
}
