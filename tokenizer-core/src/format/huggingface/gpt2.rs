//! GPT-2's pair of files: `vocab.json` maps spellings to ids, `merges.txt` has one merge per line.

use hashbrown::HashSet;

use super::class::Class;
use super::error::{HuggingFaceError, MAX_BYTES, MergeFault};
use super::json::{At, Json, object};
use super::read::{Components, read_with};
use super::vocabulary::{Spellings, pair};
use crate::hash::Seeds;
use crate::model::Model;
use crate::special::SpecialToken;
use crate::token::TokenId;

/// Whether the bytes start like a `vocab.json`: with an object whose first value is a number.
#[must_use]
pub fn is_vocab(bytes: &[u8]) -> bool {
    first_field(bytes).is_some_and(|(_, value)| {
        let first = value.first();
        first.is_some_and(|first| first.is_ascii_digit() || *first == b'-')
    })
}

/// The first key of an object, with its escapes, and the text from its value on.
pub(in crate::format) fn first_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = bytes.trim_ascii_start().strip_prefix(b"{")?;
    let key = inside.trim_ascii_start().strip_prefix(b"\"")?;
    let mut escaped = false;
    let end = key.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    let value = key[end + 1..].trim_ascii_start().strip_prefix(b":")?;
    Some((&key[..end], value.trim_ascii_start()))
}

/// Reads `vocab.json` and `merges.txt`. The model splits by GPT-2's pattern, since the files name none.
///
/// The first line of the merges is a comment if it begins with `#version`; any later line that begins
/// with `#` is a merge. A token of the form `<|...|>` that no merge creates is a special token.
///
/// # Errors
/// If a file is invalid or the two contradict each other. An invalid line of the merges is named by its number.
pub fn read_gpt2(vocab: &[u8], merges: &[u8]) -> Result<Model, HuggingFaceError> {
    let mut json = pair_json(vocab, merges)?;
    Class::Gpt2.set_pipeline(&mut json, &At::root(&Json::Null))?;
    read_pair(&json, (vocab, merges), |components| {
        Ok(bracketed(components.spellings, merges))
    })
}

/// The lines of `merges.txt` that have a merge, with their numbers.
fn merge_lines(merges: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let end = merges.strip_suffix(b"\n").unwrap_or(merges);
    let lines = end.split(|&byte| byte == b'\n');
    let lines = (1..)
        .zip(lines)
        .map(|(number, line)| (number, line.strip_suffix(b"\r").unwrap_or(line)));
    let is_comment = |number, line: &[u8]| number == 1 && line.starts_with(b"#version");
    lines.filter(move |&(number, line)| !is_comment(number, line) && !end.is_empty())
}

/// The pair of files in the form of a `tokenizer.json` that only has a model.
pub(super) fn pair_json(vocab: &[u8], merges: &[u8]) -> Result<Json, HuggingFaceError> {
    let bytes = vocab.len().max(merges.len());
    if bytes > MAX_BYTES {
        return Err(HuggingFaceError::TooLarge { bytes });
    }
    let rule = |(line, text): (usize, &[u8])| match std::str::from_utf8(text) {
        Ok(text) => Ok(Json::from(text)),
        Err(_) => Err(HuggingFaceError::MergeLine {
            line,
            fault: MergeFault::Form,
        }),
    };
    let rules: Result<Vec<Json>, HuggingFaceError> = merge_lines(merges).map(rule).collect();
    let model = object([
        ("vocab", Json::parse(vocab)?),
        ("merges", Json::List(rules?)),
    ]);
    Ok(object([("model", model)]))
}

/// Reads the result of [`pair_json`], completed by the components of a class.
pub(super) fn read_pair(
    json: &Json,
    (vocab, merges): (&[u8], &[u8]),
    added_tokens: impl FnOnce(Components<'_>) -> Result<Vec<SpecialToken>, HuggingFaceError>,
) -> Result<Model, HuggingFaceError> {
    read_with(json, vocab.len().max(merges.len()), added_tokens).map_err(|error| match error {
        HuggingFaceError::Merge { rank, fault } => {
            let line = merge_lines(merges).nth(rank).map_or(0, |(line, _)| line);
            HuggingFaceError::MergeLine { line, fault }
        }
        other => other,
    })
}

/// The tokens of the form `<|...|>` that no merge creates.
fn bracketed(spellings: &Spellings<'_>, merges: &[u8]) -> Vec<SpecialToken> {
    let joined = merge_lines(merges).filter_map(|(_, line)| {
        let (left, right) = std::str::from_utf8(line).ok().and_then(pair)?;
        spellings.id(&[left, right].concat())
    });
    let created: HashSet<TokenId, Seeds> = joined.collect();
    let is_special = |&(spelling, id): &(&str, TokenId)| {
        let is_bracketed =
            spelling.len() > 4 && spelling.starts_with("<|") && spelling.ends_with("|>");
        is_bracketed && !created.contains(&id)
    };
    let special = spellings.iter().filter(is_special);
    special
        .map(|(spelling, id)| SpecialToken::new(spelling, id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byte_level::spell;
    use crate::format::huggingface::MergeFault;

    fn vocab(more: &[&str]) -> String {
        let bytes = (0..=255u8).map(|byte| spell(&[byte]));
        let spellings = bytes.chain(more.iter().map(|token| (*token).to_owned()));
        let entries = spellings.zip(0..).map(|(spelling, id)| {
            let key = serde_json::to_string(&spelling).unwrap();
            format!("{key}: {id}")
        });
        format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
    }

    fn read(more: &[&str], merges: &str) -> Result<Model, HuggingFaceError> {
        read_gpt2(vocab(more).as_bytes(), merges.as_bytes())
    }

    #[test]
    fn only_the_first_line_is_a_comment() {
        let more = ["##", "#version", "<|end|>", "unreached"];
        let model = read(&more[..1], "#version: 0.2\n# #\n").unwrap();
        assert_eq!(model.id(b"##"), Some(256));
        let error = read(&more, "# #\n#version: 0.2").unwrap_err();
        assert!(matches!(error, HuggingFaceError::MergeLine { line: 2, .. }));
        let model = read(&more, "# #\r\n").unwrap();
        assert_eq!(model.specials().len(), 1);
        assert_eq!(model.specials().by_content("<|end|>").unwrap().id, 258);
        assert_eq!(model.vocab().token(258), None);
        assert_eq!(model.vocab().id(b"unreached"), Some(259));
    }

    #[test]
    fn errors_name_the_line() {
        let line = |more: &[&str], merges: &str| match read(more, merges) {
            Err(HuggingFaceError::MergeLine { line, fault }) => (line, fault),
            other => panic!("{other:?}"),
        };
        assert_eq!(line(&[], "a b c"), (1, MergeFault::Form));
        assert_eq!(line(&["ab"], "a b\n\n"), (2, MergeFault::Form));
        let unknown = MergeFault::UnknownResult("ab".into());
        assert_eq!(line(&[], "#version\na b"), (2, unknown));
        let unknown = MergeFault::UnknownToken("xy".into());
        assert_eq!(line(&[], "a xy"), (1, unknown));
    }

    #[test]
    fn the_last_of_duplicate_merges_counts() {
        let more = ["ab", "bc"];
        let twice = read(&more, "a b\nb c\na b").unwrap();
        assert_eq!(twice, read(&more, "b c\na b").unwrap());
        assert_ne!(twice, read(&more, "a b\nb c").unwrap());
    }

    #[test]
    fn vocabularies_are_recognized_by_their_first_entry() {
        assert!(is_vocab(vocab(&[]).as_bytes()));
        assert!(is_vocab(b" { \"a\\\"b\" : 1"));
        for other in [
            "",
            "{",
            "{}",
            "[1]",
            "{\"version\": \"1.0\"}",
            "{\"a",
            "{\"a\":",
            "1",
        ] {
            assert!(!is_vocab(other.as_bytes()), "{other}");
        }
        assert!(read_gpt2(b"{\"a\": -1}", b"").is_err());
        assert!(read_gpt2(b"{\"a\": 99999999999}", b"").is_err());
    }
}
