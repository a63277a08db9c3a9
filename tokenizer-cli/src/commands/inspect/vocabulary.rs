//! Tables of the contents of a vocabulary.

use std::collections::BTreeMap;
use std::fmt::Write;

use tokenizer_core::{MergeRule, Model, TokenId};
use unicode_script::{Script, UnicodeScript};

use super::visible::visible;
use crate::progress::{number, plural};

/// Returns counts of tokens by length and by script, and two lists of suspect tokens, each of at
/// most `limit` lines.
pub(super) fn report(model: &Model, limit: usize) -> String {
    let vocab = model.vocab();
    let mut report = String::new();
    let special = model.specials().iter().filter(|token| token.special);
    let special = special.count();
    let added = match model.specials().len() - special {
        0 => String::new(),
        added => format!(", {}", plural(added as u64, "other added token")),
    };
    let tokens = plural(vocab.len() as u64, "token");
    let special = plural(special as u64, "special token");
    let id_limit = number(model.id_limit() as u64);
    // Writing to a string cannot fail.
    let _ = writeln!(report, "{tokens}, {special}{added}, ids below {id_limit}\n");

    let mut lengths: BTreeMap<usize, u64> = BTreeMap::new();
    let mut scripts: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, token) in vocab.iter() {
        *lengths.entry(token.len()).or_default() += 1;
        *scripts.entry(script(token)).or_default() += 1;
    }
    let _ = writeln!(report, "bytes\ttokens");
    for (length, tokens) in &lengths {
        let _ = writeln!(report, "{length}\t{tokens}");
    }
    let mut scripts: Vec<(&str, u64)> = scripts.into_iter().collect();
    scripts.sort_by_key(|&(name, tokens)| (std::cmp::Reverse(tokens), name));
    let _ = writeln!(report, "\nscript\ttokens");
    for (script, tokens) in scripts {
        let _ = writeln!(report, "{script}\t{tokens}");
    }

    let mut list = |title, groups| list(&mut report, title, groups, limit, model);
    list("never produced by merging", unreachable(model));
    list("equal except for white space", equal_when_trimmed(model));
    report
}

/// Appends the number of groups, and a line for each of the first `limit` groups.
fn list(report: &mut String, title: &str, groups: Vec<Vec<TokenId>>, limit: usize, model: &Model) {
    let _ = writeln!(report, "\n{title}: {}", number(groups.len() as u64));
    let more = groups.len().saturating_sub(limit);
    for group in groups.into_iter().take(limit) {
        let token = |id: &TokenId| {
            let token = model.token(*id).unwrap_or_default();
            format!("{id}\t\"{}\"", visible(token))
        };
        let tokens: Vec<String> = group.iter().map(token).collect();
        let _ = writeln!(report, "{}", tokens.join("\t"));
    }
    if more > 0 {
        let _ = writeln!(report, "and {} more: --all lists them", number(more as u64));
    }
}

/// Returns the tokens whose bytes do not merge into the token itself, each as a group of one.
fn unreachable(model: &Model) -> Vec<Vec<TokenId>> {
    let rule = MergeRule::new(model);
    let tokens = model.vocab().iter();
    let unreachable = tokens.filter(|&(id, token)| rule.merge(token, |_| {}) != Ok(vec![id]));
    unreachable.map(|(id, _)| vec![id]).collect()
}

/// Returns groups of tokens that differ only in white space at their ends. Tokens of only white space are
/// left out.
fn equal_when_trimmed(model: &Model) -> Vec<Vec<TokenId>> {
    let mut groups: BTreeMap<&[u8], Vec<TokenId>> = BTreeMap::new();
    for (id, token) in model.vocab().iter() {
        let trimmed = match std::str::from_utf8(token) {
            Ok(text) => text.trim().as_bytes(),
            Err(_) => token.trim_ascii(),
        };
        groups.entry(trimmed).or_default().push(id);
    }
    groups.remove(&b""[..]);
    let mut groups: Vec<_> = groups.into_values().filter(|ids| ids.len() > 1).collect();
    groups.sort();
    groups
}

/// Returns the script of the letters of a token, `mixed` if they have several, or a description of a token
/// without letters or with partial characters.
fn script(token: &[u8]) -> &'static str {
    let Ok(text) = std::str::from_utf8(token) else {
        return "partial characters";
    };
    let mut found = None;
    for character in text.chars() {
        match character.script() {
            Script::Common | Script::Inherited | Script::Unknown => {}
            script => match found {
                Some(other) if other != script => return "mixed",
                _ => found = Some(script),
            },
        }
    }
    match found {
        Some(script) => script.full_name(),
        None if text.is_empty() => "none (empty)",
        None if text.chars().any(char::is_numeric) => "none (numbers)",
        None if text.chars().all(char::is_whitespace) => "none (white space)",
        None => "none (symbols)",
    }
}
