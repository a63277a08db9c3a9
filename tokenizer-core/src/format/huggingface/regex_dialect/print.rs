//! A regex told in a dialect.

use super::Dialect;
use super::syntax::{Item, Mode, Node};

/// The regex as text.
pub(super) fn print(tree: &Node, dialect: Dialect) -> String {
    let mut text = String::new();
    print_node(tree, dialect, &mut text);
    text
}

fn print_node(node: &Node, dialect: Dialect, text: &mut String) {
    let wrapped = |open: &str, body: &Node, text: &mut String| {
        text.push_str(open);
        print_node(body, dialect, text);
        text.push(')');
    };
    match node {
        Node::Char(c) => print_char(*c, r"\.+*?()|[]{}^$", text),
        Node::Any => text.push('.'),
        Node::Class(item) => print_item(item, text),
        Node::Bracket { negated, items } => {
            text.push_str(if *negated { "[^" } else { "[" });
            items.iter().for_each(|item| print_item(item, text));
            text.push(']');
        }
        Node::Sequence(parts) => parts
            .iter()
            .for_each(|part| print_node(part, dialect, text)),
        Node::Alternatives(parts) => {
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    text.push('|');
                }
                print_node(part, dialect, text);
            }
        }
        Node::Group(body) => wrapped("(?:", body, text),
        Node::Atomic(body) => wrapped("(?>", body, text),
        Node::CaseInsensitive(body) => wrapped("(?i:", body, text),
        Node::Look {
            behind,
            negative,
            body,
        } => {
            let open = match (behind, negative) {
                (false, false) => "(?=",
                (false, true) => "(?!",
                (true, false) => "(?<=",
                (true, true) => "(?<!",
            };
            wrapped(open, body, text);
        }
        Node::Repeat {
            body,
            min,
            max,
            mode,
        } => {
            print_node(body, dialect, text);
            text.push_str(&match (min, max) {
                (0, None) => "*".to_owned(),
                (1, None) => "+".to_owned(),
                (0, Some(1)) => "?".to_owned(),
                (min, None) => format!("{{{min},}}"),
                (min, Some(max)) if min == max => format!("{{{min}}}"),
                (min, Some(max)) => format!("{{{min},{max}}}"),
            });
            text.push_str(match mode {
                Mode::Greedy => "",
                Mode::Lazy => "?",
                Mode::Possessive => "+",
            });
        }
        Node::TextStart => text.push_str(r"\A"),
        Node::TextEnd => text.push_str(r"\z"),
        Node::LineEnd => text.push_str(match dialect {
            Dialect::Own => "(?m:$)",
            Dialect::Oniguruma => "$",
        }),
    }
}

fn print_item(item: &Item, text: &mut String) {
    const SPECIAL: &str = r"\[]^-&~";
    match item {
        Item::Char(c) => print_char(*c, SPECIAL, text),
        Item::Range(first, last) => {
            print_char(*first, SPECIAL, text);
            text.push('-');
            print_char(*last, SPECIAL, text);
        }
        Item::Shorthand(c) => text.extend(['\\', *c]),
        Item::Property { name, negated } => {
            let sign = if *negated { 'P' } else { 'p' };
            text.push_str(&format!(r"\{sign}{{{name}}}"));
        }
    }
}

fn print_char(c: char, special: &str, text: &mut String) {
    match c {
        '\n' => text.push_str(r"\n"),
        '\r' => text.push_str(r"\r"),
        '\t' => text.push_str(r"\t"),
        ' ' => text.push(' '),
        c if c.is_control() || c.is_whitespace() => {
            text.push_str(&format!(r"\x{{{:X}}}", u32::from(c)));
        }
        c => {
            if special.contains(c) {
                text.push('\\');
            }
            text.push(c);
        }
    }
}
