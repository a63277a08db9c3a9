//! The constructs that mean the same to both engines.

use super::DialectError;

/// A regex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Char(char),
    /// Any character but a newline.
    Any,
    Class(Item),
    Bracket {
        negated: bool,
        items: Vec<Item>,
    },
    Sequence(Vec<Node>),
    /// The first that leads to a match counts.
    Alternatives(Vec<Node>),
    /// Capturing or not: nothing here refers to what was captured.
    Group(Box<Node>),
    /// Once matched it is not come back to.
    Atomic(Box<Node>),
    CaseInsensitive(Box<Node>),
    Look {
        behind: bool,
        negative: bool,
        body: Box<Node>,
    },
    Repeat {
        body: Box<Node>,
        min: u32,
        max: Option<u32>,
        mode: Mode,
    },
    TextStart,
    TextEnd,
    /// Before a newline or at the end of the text.
    LineEnd,
}

/// How a repetition is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Char(char),
    Range(char, char),
    /// `\s`, `\S`, `\d`, `\D` or `\h`.
    Shorthand(char),
    Property {
        name: &'static str,
        negated: bool,
    },
}

/// The properties for which both engines were seen to hold the same characters.
pub(super) const PROPERTIES: [&str; 60] = [
    "L",
    "Lu",
    "Ll",
    "Lt",
    "Lm",
    "Lo",
    "M",
    "Mn",
    "Mc",
    "Me",
    "N",
    "Nd",
    "Nl",
    "No",
    "P",
    "Pc",
    "Pd",
    "Ps",
    "Pe",
    "Pi",
    "Pf",
    "Po",
    "S",
    "Sm",
    "Sc",
    "Sk",
    "So",
    "Z",
    "Zs",
    "Zl",
    "Zp",
    "C",
    "Cc",
    "Cf",
    "Co",
    "Cn",
    "Han",
    "Hiragana",
    "Katakana",
    "Hangul",
    "Latin",
    "Cyrillic",
    "Greek",
    "Thai",
    "Arabic",
    "Hebrew",
    "Devanagari",
    "Armenian",
    "Bengali",
    "Georgian",
    "Tamil",
    "Telugu",
    "Khmer",
    "Lao",
    "Tibetan",
    "Ethiopic",
    "Mongolian",
    "Bopomofo",
    "Common",
    "Inherited",
];

impl Node {
    pub(super) fn children(&self) -> impl Iterator<Item = &Node> {
        match self {
            Node::Sequence(nodes) | Node::Alternatives(nodes) => nodes.as_slice(),
            Node::Group(body)
            | Node::Atomic(body)
            | Node::CaseInsensitive(body)
            | Node::Look { body, .. }
            | Node::Repeat { body, .. } => std::slice::from_ref(&**body),
            _ => &[],
        }
        .iter()
    }

    pub(super) fn children_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        match self {
            Node::Sequence(nodes) | Node::Alternatives(nodes) => nodes.as_mut_slice(),
            Node::Group(body)
            | Node::Atomic(body)
            | Node::CaseInsensitive(body)
            | Node::Look { body, .. }
            | Node::Repeat { body, .. } => std::slice::from_mut(&mut **body),
            _ => &mut [],
        }
        .iter_mut()
    }

    /// A possessive repetition that has no sign of its own.
    pub(super) fn is_possessive_interval(&self) -> bool {
        match self {
            Node::Repeat {
                min,
                max,
                mode: Mode::Possessive,
                ..
            } => !matches!((min, max), (0, None) | (1, None) | (0, Some(1))),
            _ => false,
        }
    }

    /// Refuses what the engines agree on only in parts.
    pub(super) fn check(&self) -> Result<(), DialectError> {
        if self.may_be_empty() {
            let construct = "a regex that can match no characters";
            return Err(DialectError::new(0, construct));
        }
        // Oniguruma tries a regex that begins with `.*` at the begins of lines only, and does so
        // behind a look-behind too, where it misses matches.
        let looks_behind = |node: &Node| matches!(node, Node::Look { behind: true, .. });
        let runs_along = |node: &Node| matches!(node, Node::Repeat { body, max: None, .. } if body.holds(&|n| *n == Node::Any));
        if self.holds(&looks_behind) && self.holds(&runs_along) {
            let construct = "the repetition of . in a regex that looks behind";
            return Err(DialectError::new(0, construct));
        }
        self.check_within()
    }

    /// Whether this or anything in it is of a kind.
    fn holds(&self, kind: &impl Fn(&Node) -> bool) -> bool {
        kind(self) || self.children().any(|child| child.holds(kind))
    }

    fn check_within(&self) -> Result<(), DialectError> {
        let refuse = |construct: &str| Err(DialectError::new(0, construct));
        match self {
            Node::Repeat { body, .. } if body.may_be_empty() => {
                return refuse("the repetition of something that can match no characters");
            }
            Node::Repeat { body, .. } if body.edges_of_folded().meet_themselves() => {
                return refuse("the repetition of letters whatever their case");
            }
            Node::Look {
                behind: true, body, ..
            } if body.width().is_none() => {
                return refuse("looking behind by more than one length");
            }
            Node::CaseInsensitive(body) if body.folded_edges().is_none() => {
                return refuse("(?i:...) around anything but ASCII characters");
            }
            Node::Sequence(parts) => {
                let meet =
                    |pair: &[Node]| pair[0].edges_of_folded().meet(pair[1].edges_of_folded());
                if parts.windows(2).any(meet) {
                    return refuse("letters whatever their case that have a ligature");
                }
            }
            _ => {}
        }
        self.children().try_for_each(Node::check_within)
    }

    fn may_be_empty(&self) -> bool {
        match self {
            Node::Char(_) | Node::Any | Node::Class(_) | Node::Bracket { .. } => false,
            Node::Sequence(parts) => parts.iter().all(Node::may_be_empty),
            Node::Alternatives(parts) => parts.iter().any(Node::may_be_empty),
            Node::Group(body) | Node::Atomic(body) | Node::CaseInsensitive(body) => {
                body.may_be_empty()
            }
            Node::Look { .. } | Node::TextStart | Node::TextEnd | Node::LineEnd => true,
            Node::Repeat { body, min, .. } => *min == 0 || body.may_be_empty(),
        }
    }

    /// How many characters it matches, if that is always the same and nothing in it is special.
    fn width(&self) -> Option<usize> {
        match self {
            Node::Char(_) | Node::Any | Node::Class(_) | Node::Bracket { .. } => Some(1),
            Node::Group(body) => body.width(),
            Node::Sequence(parts) => parts.iter().map(Node::width).sum(),
            Node::Alternatives(parts) => {
                let mut widths = parts.iter().map(Node::width);
                let first = widths.next()??;
                widths.all(|width| width == Some(first)).then_some(first)
            }
            _ => None,
        }
    }

    /// The characters that it may begin and end with, when it is made of ASCII characters only and
    /// no two of its letters have a ligature (which one of the engines takes for the two); `None`
    /// otherwise.
    fn folded_edges(&self) -> Option<Edges> {
        match self {
            Node::Char(c) => Edges::of(*c, *c),
            Node::Bracket {
                negated: false,
                items,
            } => items.iter().try_fold(Edges::default(), |all, item| {
                let edges = match item {
                    Item::Char(c) => Edges::of(*c, *c),
                    Item::Range(first, last) => Edges::of(*first, *last),
                    _ => None,
                };
                edges.map(|edges| all.or(edges))
            }),
            Node::Group(body) | Node::CaseInsensitive(body) => body.folded_edges(),
            Node::Alternatives(parts) => parts.iter().try_fold(Edges::default(), |all, part| {
                Some(all.or(part.folded_edges()?))
            }),
            Node::Sequence(parts) => {
                let mut parts = parts.iter().map(Node::folded_edges);
                let mut all = parts.next()??;
                for edges in parts {
                    let edges = edges?;
                    if all.meet(edges) {
                        return None;
                    }
                    all.last = edges.last;
                }
                Some(all)
            }
            _ => None,
        }
    }

    /// The characters that stand whatever their case at its ends.
    fn edges_of_folded(&self) -> Edges {
        match self {
            Node::CaseInsensitive(body) => body.folded_edges().unwrap_or_default(),
            Node::Group(body) | Node::Atomic(body) | Node::Repeat { body, .. } => {
                body.edges_of_folded()
            }
            Node::Alternatives(parts) => {
                let edges = parts.iter().map(Node::edges_of_folded);
                edges.fold(Edges::default(), Edges::or)
            }
            Node::Sequence(parts) => {
                let edges = |part: Option<&Node>| part.map(Node::edges_of_folded);
                Edges {
                    first: edges(parts.first()).unwrap_or_default().first,
                    last: edges(parts.last()).unwrap_or_default().last,
                }
            }
            _ => Edges::default(),
        }
    }
}

/// Which ASCII characters something can begin and end with, a bit for each in lower case.
#[derive(Clone, Copy, Default)]
struct Edges {
    first: u128,
    last: u128,
}

impl Edges {
    /// A character from `first` to `last`; `None` when that leaves ASCII.
    fn of(first: char, last: char) -> Option<Edges> {
        if !last.is_ascii() {
            return None;
        }
        let bit = |c: char| 1u128 << (c.to_ascii_lowercase() as u32);
        let bits = (first..=last).map(bit).fold(0, |all, bit| all | bit);
        Some(Edges {
            first: bits,
            last: bits,
        })
    }

    fn or(self, other: Edges) -> Edges {
        Edges {
            first: self.first | other.first,
            last: self.last | other.last,
        }
    }

    /// Whether an end of this and a begin of the other have a ligature in Unicode: ff, fi, fl, ss,
    /// st. There are no others of ASCII letters only.
    fn meet(self, other: Edges) -> bool {
        let has = |bits: u128, letters: &str| letters.bytes().any(|b| bits >> b & 1 == 1);
        has(self.last, "f") && has(other.first, "fil")
            || has(self.last, "s") && has(other.first, "st")
    }

    fn meet_themselves(self) -> bool {
        self.meet(self)
    }
}
