//! A regex read in a dialect.

use super::syntax::{Item, Mode, Node, PROPERTIES};
use super::{Dialect, DialectError};

/// Longer regexes are refused; the longest published ones have a few hundred bytes.
const MAX_LENGTH: usize = 1 << 16;

/// Groups deeper than this are refused, so that no regex exhausts the stack.
const MAX_DEPTH: usize = 64;

/// Repetitions of more times are refused.
const MAX_REPEAT: u32 = 1000;

/// The tree of a regex.
pub(super) fn parse(source: &str, dialect: Dialect) -> Result<Node, DialectError> {
    if source.len() > MAX_LENGTH {
        let construct = format!("a regex of more than {MAX_LENGTH} bytes");
        return Err(DialectError::new(0, construct));
    }
    let mut parser = Parser {
        source,
        at: 0,
        dialect,
        depth: 0,
        look_behind: false,
    };
    let tree = parser.alternatives()?;
    if parser.at < source.len() {
        return Err(parser.refuse(parser.at, "an unmatched )"));
    }
    Ok(tree)
}

struct Parser<'s> {
    source: &'s str,
    /// In bytes.
    at: usize,
    dialect: Dialect,
    depth: usize,
    look_behind: bool,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Whether `text` comes next, which is then passed.
    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn refuse(&self, offset: usize, construct: impl Into<String>) -> DialectError {
        DialectError::new(offset, construct)
    }

    /// Refuses what stands from `start` to here.
    fn refuse_from(&self, start: usize) -> DialectError {
        DialectError::new(start, &self.source[start..self.at])
    }

    fn alternatives(&mut self) -> Result<Node, DialectError> {
        let mut alternatives = vec![self.sequence()?];
        while self.eat("|") {
            alternatives.push(self.sequence()?);
        }
        Ok(match alternatives.len() {
            1 => alternatives.remove(0),
            _ => Node::Alternatives(alternatives),
        })
    }

    fn sequence(&mut self) -> Result<Node, DialectError> {
        let mut parts = Vec::new();
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            let start = self.at;
            let atom = self.atom()?;
            parts.push(self.repeated(atom, start)?);
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Node::Sequence(parts),
        })
    }

    fn atom(&mut self) -> Result<Node, DialectError> {
        let start = self.at;
        if self.dialect == Dialect::Own && self.eat("(?m:$)") {
            return Ok(Node::LineEnd);
        }
        Ok(match self.next() {
            Some('(') => self.group(start)?,
            Some('[') => self.bracket(start)?,
            Some('\\') => match self.escape(start)? {
                Escape::Item(Item::Char(c)) => Node::Char(c),
                Escape::Item(item) => Node::Class(item),
                Escape::TextStart => Node::TextStart,
                Escape::TextEnd => Node::TextEnd,
            },
            Some('.') => Node::Any,
            Some('$') if self.dialect == Dialect::Oniguruma => Node::LineEnd,
            Some('$') => Node::TextEnd,
            Some('^') if self.dialect == Dialect::Own => Node::TextStart,
            None | Some('^' | '*' | '+' | '?' | '{' | '}' | ']') => {
                return Err(self.refuse_from(start));
            }
            Some(c) => Node::Char(c),
        })
    }

    fn group(&mut self, start: usize) -> Result<Node, DialectError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let construct = format!("more than {MAX_DEPTH} groups within each other");
            return Err(self.refuse(start, construct));
        }
        let looked_behind = self.look_behind;
        let look = |behind, negative| {
            move |body| Node::Look {
                behind,
                negative,
                body,
            }
        };
        let node = if self.eat("?:") {
            Node::Group(self.body(start)?)
        } else if self.eat("?>") {
            Node::Atomic(self.body(start)?)
        } else if self.eat("?i:") {
            Node::CaseInsensitive(self.body(start)?)
        } else if self.eat("?=") {
            look(false, false)(self.body(start)?)
        } else if self.eat("?!") {
            look(false, true)(self.body(start)?)
        } else if self.eat("?<=") {
            self.look_behind = true;
            look(true, false)(self.body(start)?)
        } else if self.eat("?<!") {
            self.look_behind = true;
            look(true, true)(self.body(start)?)
        } else if self.peek() == Some('?') || self.rest().starts_with("*") {
            self.at = self.source[self.at..]
                .find([':', ')', '>'])
                .map_or(self.source.len(), |end| self.at + end + 1);
            return Err(self.refuse_from(start));
        } else if self.look_behind && self.dialect == Dialect::Oniguruma {
            return Err(self.refuse(start, "a capturing group within a look-behind"));
        } else {
            Node::Group(self.body(start)?)
        };
        self.look_behind = looked_behind;
        self.depth -= 1;
        Ok(node)
    }

    /// The inside of a group and the parenthesis behind it.
    fn body(&mut self, start: usize) -> Result<Box<Node>, DialectError> {
        let body = self.alternatives()?;
        if !self.eat(")") {
            return Err(self.refuse(start, "a group without an end"));
        }
        Ok(Box::new(body))
    }

    /// `atom`, which began at `start`, with the quantifiers behind it.
    fn repeated(&mut self, atom: Node, start: usize) -> Result<Node, DialectError> {
        let sign = self.at;
        let (min, max, interval) = match self.peek() {
            Some('*') => (0, None, false),
            Some('+') => (1, None, false),
            Some('?') => (0, Some(1), false),
            Some('{') => {
                let (min, max) = self.interval()?;
                (min, max, true)
            }
            _ => return Ok(atom),
        };
        if !interval {
            self.next();
        }
        if matches!(
            atom,
            Node::Look { .. } | Node::TextStart | Node::TextEnd | Node::LineEnd
        ) {
            return Err(self.refuse(start, "the repetition of a place in the text"));
        }
        let body = Box::new(atom);
        let repeat = |body, min, max, mode| Node::Repeat {
            body,
            min,
            max,
            mode,
        };
        let exact = interval && max == Some(min);
        let node = match (self.dialect, self.peek()) {
            // Oniguruma takes it for a question mark behind the interval.
            (Dialect::Oniguruma, Some('?')) if exact => {
                self.next();
                return Err(self.refuse_from(sign));
            }
            // There is nothing to be lazy about.
            (Dialect::Own, Some('?')) if exact => {
                self.next();
                repeat(body, min, max, Mode::Greedy)
            }
            (_, Some('?')) => {
                self.next();
                repeat(body, min, max, Mode::Lazy)
            }
            (Dialect::Oniguruma, Some('+')) if interval => {
                self.next();
                let inner = repeat(body, min, max, Mode::Greedy);
                repeat(
                    Box::new(Node::Group(Box::new(inner))),
                    1,
                    None,
                    Mode::Greedy,
                )
            }
            (_, Some('+')) => {
                self.next();
                repeat(body, min, max, Mode::Possessive)
            }
            _ => repeat(body, min, max, Mode::Greedy),
        };
        if matches!(self.peek(), Some('*' | '+' | '?' | '{')) {
            self.next();
            return Err(self.refuse_from(sign));
        }
        Ok(node)
    }

    /// `{n}`, `{n,}`, `{n,m}`, and in Oniguruma's dialect `{,m}`.
    fn interval(&mut self) -> Result<(u32, Option<u32>), DialectError> {
        let start = self.at;
        let end = self.rest().find('}').map(|end| start + end);
        let Some(end) = end else {
            return Err(self.refuse(start, "a { that begins no interval"));
        };
        self.at = end + 1;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let number: Option<u32> = if digits { text.parse().ok() } else { None };
            number.filter(|&number| number <= MAX_REPEAT)
        };
        let inside = &self.source[start + 1..end];
        let bounds = match inside.split_once(',') {
            None => number(inside).map(|n| (n, Some(n))),
            Some((min, "")) => number(min).map(|min| (min, None)),
            Some(("", max)) if self.dialect == Dialect::Oniguruma => {
                number(max).map(|max| (0, Some(max)))
            }
            Some((min, max)) => number(min).zip(number(max)).map(|(n, m)| (n, Some(m))),
        };
        match bounds {
            Some((min, max)) if max.is_none_or(|max| min <= max && max > 0) => Ok((min, max)),
            _ => Err(self.refuse_from(start)),
        }
    }

    fn bracket(&mut self, start: usize) -> Result<Node, DialectError> {
        let negated = self.eat("^");
        let mut items: Vec<Item> = Vec::new();
        loop {
            let here = self.at;
            for (sign, construct) in [
                ("&&", "&& in a class"),
                ("--", "-- in a class"),
                ("~~", "~~ in a class"),
                ("[", "a class within a class"),
            ] {
                if self.rest().starts_with(sign) {
                    return Err(self.refuse(here, construct));
                }
            }
            let item = match self.next() {
                None => return Err(self.refuse(start, "a class without an end")),
                Some(']') if items.is_empty() => {
                    return Err(self.refuse(start, "a class that begins with ]"));
                }
                Some(']') => return Ok(Node::Bracket { negated, items }),
                // A hyphen is one only as the first or the last.
                Some('-') if items.is_empty() || self.peek() == Some(']') => Item::Char('-'),
                Some('-') => return Err(self.refuse(here, "a - in the middle of a class")),
                Some('\\') => match self.escape(here)? {
                    Escape::Item(item) => item,
                    Escape::TextStart | Escape::TextEnd => return Err(self.refuse_from(here)),
                },
                Some(c) => Item::Char(c),
            };
            items.push(self.range(item, here)?);
        }
    }

    /// `first`, or the range that it begins.
    fn range(&mut self, first: Item, start: usize) -> Result<Item, DialectError> {
        let rest = self.rest();
        if !rest.starts_with('-') || rest.starts_with("-]") {
            return Ok(first);
        }
        self.next();
        let here = self.at;
        let last = match self.next() {
            Some('\\') => match self.escape(here)? {
                Escape::Item(Item::Char(c)) => Some(c),
                _ => None,
            },
            Some('[' | '-') | None => None,
            last => last,
        };
        match (first, last) {
            (Item::Char(first), Some(last)) if first <= last => Ok(Item::Range(first, last)),
            _ => Err(self.refuse_from(start)),
        }
    }

    /// What follows a backslash, which stood at `start`.
    fn escape(&mut self, start: usize) -> Result<Escape, DialectError> {
        let c = self.next();
        let item = match c {
            Some('n') => Item::Char('\n'),
            Some('r') => Item::Char('\r'),
            Some('t') => Item::Char('\t'),
            Some('f') => Item::Char('\x0C'),
            Some('v') => Item::Char('\x0B'),
            Some('a') => Item::Char('\x07'),
            Some('e') => Item::Char('\x1B'),
            Some(c @ ('s' | 'S' | 'd' | 'D' | 'h')) => Item::Shorthand(c),
            Some('A') => return Ok(Escape::TextStart),
            Some('z') => return Ok(Escape::TextEnd),
            Some(sign @ ('p' | 'P')) => self.property(start, sign == 'P')?,
            Some('x') => Item::Char(self.code_point(start, 2)?),
            Some('u') => Item::Char(self.code_point(start, 4)?),
            Some(' ') if self.dialect == Dialect::Oniguruma => Item::Char(' '),
            // One of the engines gives < and > a meaning of their own.
            Some(c) if c.is_ascii_punctuation() && !"<>'`_".contains(c) => Item::Char(c),
            _ => return Err(self.refuse_from(start)),
        };
        Ok(Escape::Item(item))
    }

    fn property(&mut self, start: usize, negated: bool) -> Result<Item, DialectError> {
        let name = if self.eat("{") {
            let length = self.rest().find('}').unwrap_or(self.rest().len());
            let name = self.at..self.at + length;
            self.at = (name.end + 1).min(self.source.len());
            &self.source[name]
        } else {
            let letter = self.at;
            self.next();
            // One letter without braces is a property here only.
            match self.dialect {
                Dialect::Own => &self.source[letter..self.at],
                Dialect::Oniguruma => "",
            }
        };
        match PROPERTIES.iter().find(|&&known| known == name) {
            Some(name) => Ok(Item::Property { name, negated }),
            None => Err(self.refuse_from(start)),
        }
    }

    /// `\x41`, `\u0041` with a number of digits, or in braces.
    fn code_point(&mut self, start: usize, digits: usize) -> Result<char, DialectError> {
        // Oniguruma knows braces only behind x.
        let braces = digits == 2 || self.dialect == Dialect::Own;
        let hex = if braces && self.eat("{") {
            let length = self.rest().find('}').unwrap_or(self.rest().len());
            let hex = self.at..self.at + length;
            self.at = (hex.end + 1).min(self.source.len());
            &self.source[hex]
        } else {
            let hex = self.at;
            for _ in 0..digits {
                self.next();
            }
            match &self.source[hex..self.at] {
                // Two digits are a byte to Oniguruma.
                byte if digits == 2 && !byte.starts_with(|c: char| ('0'..='7').contains(&c)) => "",
                hex if hex.len() == digits => hex,
                _ => "",
            }
        };
        let valid = (1..=6).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let c = if valid {
            u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
        } else {
            None
        };
        c.ok_or_else(|| self.refuse_from(start))
    }
}

enum Escape {
    Item(Item),
    TextStart,
    TextEnd,
}
