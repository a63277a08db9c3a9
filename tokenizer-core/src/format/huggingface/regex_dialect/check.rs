//! What the engines agree on only in parts, which is refused. The regex is one of this side.

use fancy_regex::{Expr, LookAround};
use regex_syntax::hir::{Class, HirKind};

use super::dialect::DialectError;

/// Refuses a regex in which the engines differ.
pub(super) fn check(own: &str) -> Result<(), DialectError> {
    let tree = Expr::parse_tree(own).map_err(|_| refused("this regex as a whole"))?;
    let tree = &tree.expr;
    if may_be_empty(tree) {
        return Err(refused("a regex that can match no characters"));
    }
    // Oniguruma tries a regex that begins with `.*` at the begins of lines only, and does so behind a
    // look-behind too, where it misses matches.
    let runs_along = |node: &Expr| matches!(node, Expr::Repeat { child, hi: usize::MAX, .. } if holds(child, &|n: &Expr| matches!(n, Expr::Any { .. })));
    if holds(tree, &looks_behind) && holds(tree, &runs_along) {
        return Err(refused("the repetition of . in a regex that looks behind"));
    }
    check_within(tree)
}

fn refused(construct: &str) -> DialectError {
    DialectError::new(0, construct)
}

/// Whether an expression or anything in it is of a kind.
fn holds(tree: &Expr, kind: &impl Fn(&Expr) -> bool) -> bool {
    kind(tree) || tree.children_iter().any(|child| holds(child, kind))
}

fn looks_behind(node: &Expr) -> bool {
    use LookAround::{LookBehind, LookBehindNeg};
    matches!(node, Expr::LookAround(_, LookBehind | LookBehindNeg))
}

fn check_within(node: &Expr) -> Result<(), DialectError> {
    let construct = match node {
        Expr::Repeat { child, .. } if may_be_empty(child) => {
            "the repetition of something that can match no characters"
        }
        Expr::Repeat { child, .. } if edges(child).meet(edges(child)) => {
            "the repetition of letters whatever their case"
        }
        Expr::LookAround(body, _) if looks_behind(node) && width(body).is_none() => {
            "looking behind by more than one length"
        }
        Expr::Literal { casei: true, .. } | Expr::Delegate { casei: true, .. }
            if folded(node).is_none() =>
        {
            "(?i:...) around anything but ASCII characters"
        }
        Expr::Concat(parts)
            if parts
                .windows(2)
                .any(|two| edges(&two[0]).meet(edges(&two[1]))) =>
        {
            "letters whatever their case that have a ligature"
        }
        _ => return node.children_iter().try_for_each(check_within),
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

/// How many characters it matches, if that is always the same and nothing in it is special.
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

/// The characters that stand whatever their case at the ends of what a node matches: a bit for each
/// ASCII character in lower case.
#[derive(Clone, Copy, Default)]
struct Edges {
    first: u128,
    last: u128,
}

impl Edges {
    /// Whether an end of this and a begin of the other have a ligature in Unicode (ff, fi, fl, ss,
    /// st), which one of the engines takes for the two. There are no others of ASCII letters only.
    fn meet(self, other: Edges) -> bool {
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
            let bits = folded(node).unwrap_or_default();
            Edges {
                first: bits,
                last: bits,
            }
        }
        _ => Edges::default(),
    }
}

/// The characters of a literal or a class, if they are ASCII.
fn folded(node: &Expr) -> Option<u128> {
    let class = match node {
        Expr::Literal { val, .. } => regex_syntax::escape(val),
        Expr::Delegate { inner, .. } => inner.clone(),
        _ => return None,
    };
    let bit = |byte: u8| 1u128 << byte.to_ascii_lowercase();
    match regex_syntax::parse(&class).ok()?.kind() {
        // A literal has one character: others are a sequence.
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
