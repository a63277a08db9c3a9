//! What a vocabulary holds.

use std::collections::BTreeMap;
use std::fmt::Write;

use tokenizer_core::{MergeRule, Model, TokenId};
use unicode_script::{Script, UnicodeScript};

use super::visible::visible;
use crate::progress::number;

/// A text of several tables; lists of tokens have at most `most` lines.
pub(super) fn report(model: &Model, most: usize) -> String {
    let vocab = model.vocab();
    let mut report = String::new();
    let special = model.specials().iter().filter(|token| token.special);
    let special = special.count();
    let added = match model.specials().len() - special {
        0 => String::new(),
        added => format!(", {} other added tokens", number(added as u64)),
    };
    let counts = [vocab.len(), special, model.id_limit()];
    let [tokens, special, limit] = counts.map(|count| number(count as u64));
    // Writing to a string cannot fail.
    let _ = writeln!(
        report,
        "{tokens} tokens, {special} special tokens{added}, ids below {limit}\n"
    );

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

    let mut list = |what, groups| list(&mut report, what, groups, most, model);
    list("never reached by merging", unreached(model));
    list("the same but for white space", same_when_trimmed(model));
    report
}

/// A line for each group of tokens.
fn list(report: &mut String, what: &str, groups: Vec<Vec<TokenId>>, most: usize, model: &Model) {
    let _ = writeln!(report, "\n{what}: {}", number(groups.len() as u64));
    let more = groups.len().saturating_sub(most);
    for group in groups.into_iter().take(most) {
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

/// Tokens that merging their own bytes does not give.
fn unreached(model: &Model) -> Vec<Vec<TokenId>> {
    let rule = MergeRule::new(model);
    let tokens = model.vocab().iter();
    let unreached = tokens.filter(|&(id, token)| rule.merge(token, |_| {}) != [id]);
    unreached.map(|(id, _)| vec![id]).collect()
}

/// Tokens that are the same without white space at their ends, in groups.
fn same_when_trimmed(model: &Model) -> Vec<Vec<TokenId>> {
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

/// The script of a token: that of its letters, if they have one.
fn script(token: &[u8]) -> &'static str {
    let Ok(text) = std::str::from_utf8(token) else {
        return "parts of characters";
    };
    let mut found = None;
    for character in text.chars() {
        match character.script() {
            Script::Common | Script::Inherited | Script::Unknown => {}
            script => match found {
                Some(other) if other != script => return "several",
                _ => found = Some(script),
            },
        }
    }
    match found {
        Some(script) => script.full_name(),
        None if text.is_empty() => "none, empty",
        None if text.chars().any(char::is_numeric) => "none, numbers",
        None if text.chars().all(char::is_whitespace) => "none, white space",
        None => "none, signs",
    }
}
