//! Translates a regex in one pass from left to right, construct by construct.

use super::dialect::{Dialect, DialectError};

/// Limit on the length of a regex in bytes. The longest published ones have a few hundred.
const MAX_LENGTH: usize = 1 << 16;

/// Limit on nested groups, so that the parser of `fancy-regex` and `check`, which are recursive,
/// cannot exhaust the stack.
const MAX_DEPTH: usize = 64;

/// Limit on the bounds of an interval.
const MAX_REPEAT: u32 = 1000;

/// The accepted properties: both engines were verified to give them the same characters.
const PROPERTIES: &str = "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So \
    Z Zs Zl Zp C Cc Cf Co Cn Han Hiragana Katakana Hangul Latin Cyrillic Greek Thai Arabic Hebrew \
    Devanagari Armenian Bengali Georgian Tamil Telugu Khmer Lao Tibetan Ethiopic Mongolian Bopomofo \
    Common Inherited Alphabetic Join_Control";

/// The characters that `\w` matches in both engines.
const WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}";

/// The other characters that `\w` matches: in Oniguruma only outside of classes.
const ONLY_ONIGURUMA: &str = "\u{B2}\u{B3}\u{B9}\u{BC}-\u{BE}";
const ONLY_OWN: &str = r"\p{Join_Control}";

/// Besides the capturing `(`, the group openings that mean the same in both dialects.
const GROUPS: [&str; 7] = ["(?:", "(?>", "(?i:", "(?=", "(?!", "(?<=", "(?<!"];

/// Translates a regex from dialect `from` to the other one.
pub(super) fn translate(source: &str, from: Dialect) -> Result<String, DialectError> {
    if source.len() > MAX_LENGTH {
        let construct = format!("a regex of more than {MAX_LENGTH} bytes");
        return Err(DialectError::new(0, construct));
    }
    let translator = Translator {
        source,
        at: 0,
        from,
        output: String::with_capacity(source.len()),
        groups: Vec::new(),
    };
    translator.regex()
}

struct Translator<'s> {
    source: &'s str,
    /// The current byte offset in `source`.
    at: usize,
    from: Dialect,
    /// The translation of `source[..at]`.
    output: String,
    /// The open groups.
    groups: Vec<Group>,
}

#[derive(Clone, Copy)]
struct Group {
    /// The offset of its opening in the source.
    start: usize,
    /// The offset of its opening in the output.
    output_start: usize,
    /// Whether the group is, or is inside, a look-behind.
    looks_behind: bool,
}

impl<'s> Translator<'s> {
    fn rest(&self) -> &'s str {
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

    /// Copies the next character to the output.
    fn copy(&mut self) -> Option<char> {
        let c = self.next()?;
        self.output.push(c);
        Some(c)
    }

    /// An error that refuses the source from `start` to here.
    fn refuse_from(&self, start: usize) -> DialectError {
        DialectError::new(start, &self.source[start..self.at])
    }

    fn regex(mut self) -> Result<String, DialectError> {
        // The output offset of the atom before the next character; `None` if a quantifier cannot follow.
        let mut atom = None;
        while let Some(c) = self.peek() {
            let (start, output_start) = (self.at, self.output.len());
            atom = match c {
                '*' | '+' | '?' | '{' => match atom {
                    Some(atom) => self.quantifier(atom)?,
                    None => {
                        self.next();
                        return Err(self.refuse_from(start));
                    }
                },
                '|' => {
                    self.copy();
                    None
                }
                '(' if !self.is_line_end() => {
                    self.open()?;
                    None
                }
                ')' => {
                    self.copy();
                    let group = self.groups.pop();
                    let unmatched = || DialectError::new(start, "an unmatched )");
                    Some(group.ok_or_else(unmatched)?.output_start)
                }
                _ => {
                    self.atom()?;
                    Some(output_start)
                }
            };
        }
        match self.groups.last() {
            Some(group) => Err(DialectError::new(group.start, "an unclosed group")),
            None => Ok(self.output),
        }
    }

    /// Whether the source continues with `(?m:$)`, which is `$` in Oniguruma.
    fn is_line_end(&self) -> bool {
        self.from == Dialect::Own && self.rest().starts_with("(?m:$)")
    }

    fn atom(&mut self) -> Result<(), DialectError> {
        let start = self.at;
        let translated = match (self.peek(), self.from) {
            (Some('['), _) => return self.class(0),
            (Some('\\'), _) => return self.escape(false).map(|_| ()),
            (Some('$'), Dialect::Oniguruma) => "(?m:$)",
            (Some('$'), Dialect::Own) => r"\z",
            (Some('^'), Dialect::Own) => r"\A",
            // `(?m:$)`: the caller handles all other groups.
            (Some('('), _) => {
                self.at += "(?m:$)".len() - 1;
                "$"
            }
            (Some('^' | '}' | ']'), _) => {
                self.next();
                return Err(self.refuse_from(start));
            }
            _ => {
                self.copy();
                return Ok(());
            }
        };
        self.next();
        self.output.push_str(translated);
        Ok(())
    }

    fn open(&mut self) -> Result<(), DialectError> {
        let start = self.at;
        if self.groups.len() == MAX_DEPTH {
            let construct = format!("a group nested more than {MAX_DEPTH} levels deep");
            return Err(DialectError::new(start, construct));
        }
        let within = self.groups.last().is_some_and(|group| group.looks_behind);
        let known = GROUPS.iter().find(|open| self.rest().starts_with(**open));
        let group = Group {
            start,
            output_start: self.output.len(),
            looks_behind: within || known.is_some_and(|open| open.starts_with("(?<")),
        };
        let opening = match known {
            Some(open) => *open,
            None if self.rest().starts_with("(?") || self.rest().starts_with("(*") => {
                let end = self.rest().find([':', ')', '>']).map(|end| end + 1);
                self.at += end.unwrap_or(self.rest().len());
                return Err(self.refuse_from(start));
            }
            None if within && self.from == Dialect::Oniguruma => {
                let construct = "a capturing group in a look-behind";
                return Err(DialectError::new(start, construct));
            }
            None if within => "(?:",
            None => "(",
        };
        self.at += known.map_or(1, |open| open.len());
        self.output.push_str(opening);
        self.groups.push(group);
        Ok(())
    }

    /// Translates a quantifier. The atom that it repeats begins at `atom` in the output. Returns `None`,
    /// since no second quantifier may follow.
    fn quantifier(&mut self, atom: usize) -> Result<Option<usize>, DialectError> {
        let start = self.at;
        let is_interval = self.peek() == Some('{');
        let exact = is_interval && self.interval()?;
        if !is_interval {
            self.next();
        }
        let quantifier = self.source[start..self.at].replace("{,", "{0,");
        self.output.push_str(&quantifier);
        match (self.peek(), self.from) {
            // In Oniguruma, `x{2}?` is `(?:x{2})?`.
            (Some('?'), Dialect::Oniguruma) if exact => {
                self.next();
                return Err(self.refuse_from(start));
            }
            // Laziness has no effect on a fixed count.
            (Some('?'), Dialect::Own) if exact => self.at += 1,
            (Some('+'), Dialect::Oniguruma) if is_interval => {
                self.at += 1;
                self.output.insert_str(atom, "(?:");
                self.output.push_str(")+");
            }
            (Some('+'), Dialect::Own) if is_interval => {
                self.at += 1;
                let is_end = matches!(self.peek(), None | Some('|')) && self.groups.is_empty();
                if !is_end {
                    self.output.insert_str(atom, "(?>");
                    self.output.push(')');
                }
            }
            (Some('?' | '+'), _) => {
                self.copy();
            }
            _ => {}
        }
        Ok(None)
    }

    /// Skips `{n}`, `{n,}`, `{n,m}` or, in Oniguruma, `{,m}`. Returns whether it is `{n}`.
    fn interval(&mut self) -> Result<bool, DialectError> {
        let start = self.at;
        let Some(length) = self.rest().find('}') else {
            return Err(DialectError::new(
                start,
                "a { that does not begin an interval",
            ));
        };
        self.at += length + 1;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let number: Option<u32> = if digits { text.parse().ok() } else { None };
            number.filter(|&number| number <= MAX_REPEAT)
        };
        let inside = &self.source[start + 1..start + length];
        let bounds = match inside.split_once(',') {
            None => number(inside).map(|n| (n, n)),
            Some((min, "")) => number(min).map(|min| (min, MAX_REPEAT)),
            Some(("", max)) if self.from == Dialect::Oniguruma => number(max).map(|max| (0, max)),
            Some((min, max)) => number(min).zip(number(max)),
        };
        match bounds {
            Some((min, max)) if min <= max && max > 0 => Ok(!inside.contains(',')),
            _ => Err(self.refuse_from(start)),
        }
    }

    /// Translates a class inside of `depth` other classes.
    fn class(&mut self, depth: usize) -> Result<(), DialectError> {
        let start = self.at;
        if depth == MAX_DEPTH {
            let construct = format!("a class nested more than {MAX_DEPTH} levels deep");
            return Err(DialectError::new(start, construct));
        }
        self.copy();
        if self.peek() == Some('^') {
            self.copy();
        }
        let first = self.at;
        // Start of the operand of `&&`.
        let mut operand = first;
        loop {
            let here = self.at;
            match self.peek() {
                Some(']') if here == operand => {
                    return Err(DialectError::new(start, "a class that begins with ]"));
                }
                Some(']') => {
                    self.copy();
                    return Ok(());
                }
                // A hyphen is literal only as the first or last character.
                Some('-') if here != first && !self.rest().starts_with("-]") => {
                    return Err(DialectError::new(here, "a - in the middle of a class"));
                }
                Some('[') if !self.rest().starts_with("[:") => {
                    self.class(depth + 1)?;
                    continue;
                }
                Some('&') if self.rest().starts_with("&&") => {
                    self.copy();
                    self.copy();
                    if here == operand || matches!(self.peek(), Some('&' | '^')) {
                        return Err(self.refuse_from(here));
                    }
                    operand = self.at;
                    continue;
                }
                _ => {}
            }
            let low = self.class_item(start)?;
            if self.rest().starts_with('-') && !self.rest().starts_with("-]") {
                self.copy();
                let high = match self.peek() {
                    Some('-') => None,
                    _ => self.class_item(start)?,
                };
                if low.is_none() || high.is_none() || low > high {
                    return Err(self.refuse_from(here));
                }
            }
        }
    }

    /// Translates one item of a class. Returns its character; `None` for a set such as `\s`.
    fn class_item(&mut self, class: usize) -> Result<Option<char>, DialectError> {
        for (opening, construct) in [
            ("&&", "&& in a range"),
            ("--", "-- in a class"),
            ("~~", "~~ in a class"),
            ("[:", "a POSIX class"),
            ("[", "a class in a range"),
        ] {
            if self.rest().starts_with(opening) {
                return Err(DialectError::new(self.at, construct));
            }
        }
        match self.peek() {
            Some('\\') => self.escape(true),
            Some(_) => Ok(self.copy()),
            None => Err(DialectError::new(class, "an unclosed class")),
        }
    }

    /// Translates an escape. Returns its character; `None` for an assertion or a set.
    fn escape(&mut self, in_class: bool) -> Result<Option<char>, DialectError> {
        let start = self.at;
        self.next();
        let c = match self.next() {
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('f') => Some('\x0C'),
            Some('v') => Some('\x0B'),
            Some('a') => Some('\x07'),
            Some('e') => Some('\x1B'),
            Some('s' | 'S' | 'd' | 'D' | 'h') => None,
            Some('A' | 'z') if !in_class => None,
            Some(sign @ ('w' | 'W')) => {
                let word = self.word(sign == 'w', in_class);
                self.output.push_str(&word);
                return Ok(None);
            }
            Some(sign @ ('b' | 'B')) if !in_class && self.peek() != Some('{') => {
                let boundary = self.boundary(sign == 'b');
                self.output.push_str(&boundary);
                return Ok(None);
            }
            Some(sign @ ('p' | 'P')) => {
                self.property(start, sign)?;
                return Ok(None);
            }
            Some('x') => Some(self.code_point(start, 2)?),
            Some('u') => Some(self.code_point(start, 4)?),
            // `\<` and `\>` are assertions in `fancy-regex`, which does not have the other escapes.
            Some(c) if " <>'`_".contains(c) && self.from == Dialect::Oniguruma => {
                self.output.push(c);
                return Ok(Some(c));
            }
            Some(c) if c.is_ascii_punctuation() && !"<>'`_".contains(c) => Some(c),
            _ => return Err(self.refuse_from(start)),
        };
        let spelling = &self.source[start..self.at];
        match c {
            // Oniguruma has `\x{...}`, but not `\u{...}`.
            Some(c) if spelling.starts_with(r"\u{") => self.output.push_str(&escaped(c, in_class)),
            _ => self.output.push_str(spelling),
        }
        Ok(c)
    }

    /// Returns a class with the characters of `\w`, or of `\W`.
    fn word(&self, is_positive: bool, in_class: bool) -> String {
        let own = match self.from {
            Dialect::Oniguruma if in_class => "",
            Dialect::Oniguruma => ONLY_ONIGURUMA,
            Dialect::Own => ONLY_OWN,
        };
        format!("[{}{WORD}{own}]", if is_positive { "" } else { "^" })
    }

    /// Returns an equivalent of `\b`, or of `\B`.
    fn boundary(&self, is_positive: bool) -> String {
        let word = self.word(true, false);
        let (start, end) = if is_positive { ("=", "!") } else { ("!", "=") };
        format!("(?:(?<={word})(?{end}{word})|(?<!{word})(?{start}{word}))")
    }

    fn property(&mut self, start: usize, sign: char) -> Result<(), DialectError> {
        let name = match self.peek() {
            Some('{') => self.in_braces(),
            // `\pL` is a property in `fancy-regex` only.
            Some(_) if self.from == Dialect::Own => {
                self.next();
                &self.source[start + 2..self.at]
            }
            _ => "",
        };
        if !PROPERTIES.split(' ').any(|known| known == name) {
            return Err(self.refuse_from(start));
        }
        self.output.push_str(&format!(r"\{sign}{{{name}}}"));
        Ok(())
    }

    /// Skips `{...}` and returns its content.
    fn in_braces(&mut self) -> &'s str {
        let start = self.at + 1;
        let length = self.source[start..].find('}');
        let end = length.map_or(self.source.len(), |length| start + length);
        self.at = (end + 1).min(self.source.len());
        &self.source[start..end]
    }

    /// Skips the digits of `\x41` (`digits` is 2) or `\u0041` (4), or of either escape with braces, and
    /// returns the character.
    fn code_point(&mut self, start: usize, digits: usize) -> Result<char, DialectError> {
        // Oniguruma has `\x{...}`, but not `\u{...}`.
        let braces = digits == 2 || self.from == Dialect::Own;
        let hex = if braces && self.peek() == Some('{') {
            self.in_braces()
        } else {
            let hex = self.at;
            for _ in 0..digits {
                self.next();
            }
            match &self.source[hex..self.at] {
                // In Oniguruma, `\xHH` is a byte, so the engines agree on ASCII only.
                byte if digits == 2 && !byte.starts_with(|c: char| ('0'..='7').contains(&c)) => "",
                hex if hex.len() == digits => hex,
                _ => "",
            }
        };
        let valid = (1..=6).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let c = u32::from_str_radix(hex, 16).ok().filter(|_| valid);
        let c = c.and_then(char::from_u32);
        c.ok_or_else(|| self.refuse_from(start))
    }
}

/// Escapes a character so that both dialects read it literally.
pub(in crate::format::huggingface) fn escaped(c: char, in_class: bool) -> String {
    let special = if in_class {
        r"\[]^-&~"
    } else {
        r"\.+*?()|[]{}^$"
    };
    match c {
        '\n' => r"\n".to_owned(),
        '\r' => r"\r".to_owned(),
        '\t' => r"\t".to_owned(),
        ' ' => c.to_string(),
        c if c.is_control() || c.is_whitespace() => format!(r"\x{{{:X}}}", u32::from(c)),
        c if special.contains(c) => format!(r"\{c}"),
        c => c.to_string(),
    }
}
