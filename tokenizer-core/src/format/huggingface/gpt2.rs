//! GPT-2's pair of files: `vocab.json` maps spellings to ids, `merges.txt` has one merge per line.

use hashbrown::HashSet;

use super::error::{HuggingFaceError, MAX_BYTES};
use super::json::{At, Json};
use super::vocabulary::{Spellings, pair};
use crate::add_tokens::with_decoded;
use crate::hash::Seeds;
use crate::merges::Merge;
use crate::model::Model;
use crate::pattern::{Pattern, PatternName};
use crate::special::SpecialToken;
use crate::symbols::Symbols;
use crate::token::TokenId;

/// Whether the bytes start like a `vocab.json`: with an object whose first value is a number.
#[must_use]
pub fn is_vocab(bytes: &[u8]) -> bool {
    let inside = bytes.trim_ascii_start().strip_prefix(b"{");
    let Some(key) = inside.and_then(|inside| inside.trim_ascii_start().strip_prefix(b"\"")) else {
        return false;
    };
    let mut escaped = false;
    let end = key.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.and_then(|end| key[end + 1..].trim_ascii_start().strip_prefix(b":"))
        .and_then(|value| value.trim_ascii_start().first())
        .is_some_and(|first| first.is_ascii_digit() || *first == b'-')
}

/// Reads `vocab.json` and `merges.txt`. The model splits by GPT-2's pattern, since the files name none.
///
/// The first line of the merges is a comment if it begins with `#version`; any later line that begins
/// with `#` is a merge. A token of the form `<|...|>` that no merge creates is a special token.
///
/// # Errors
/// If a file is invalid or the two contradict each other. An invalid line of the merges is named by its number.
pub fn read_gpt2(vocab: &[u8], merges: &[u8]) -> Result<Model, HuggingFaceError> {
    read_gpt2_with(vocab, merges, bracketed)
}

/// Like [`read_gpt2`], but the added tokens are those that `added_tokens` returns for the vocabulary and
/// the merges.
pub(super) fn read_gpt2_with(
    vocab: &[u8],
    merges: &[u8],
    added_tokens: impl FnOnce(&Spellings<'_>, &[Merge]) -> Result<Vec<SpecialToken>, HuggingFaceError>,
) -> Result<Model, HuggingFaceError> {
    let bytes = vocab.len().max(merges.len());
    if bytes > MAX_BYTES {
        return Err(HuggingFaceError::TooLarge { bytes });
    }
    let vocab = Json::parse(vocab)?;
    let spellings = Spellings::read(&At::root(&vocab))?;

    let mut rules = Vec::new();
    let lines: Vec<&[u8]> = merges.split(|&byte| byte == b'\n').collect();
    for (line, number) in lines.iter().zip(1..) {
        let fail = |fault| HuggingFaceError::MergeLine {
            line: number,
            fault,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_comment = number == 1 && line.starts_with(b"#version");
        let is_end = number == lines.len() && line.is_empty();
        if is_comment || is_end {
            continue;
        }
        let pair = std::str::from_utf8(line).ok().and_then(pair);
        rules.push(spellings.merge(pair, "").map_err(fail)?);
    }

    let added = with_decoded(added_tokens(&spellings, &rules)?, None, false);
    let pattern = Pattern::named(PatternName::Gpt2);
    spellings.model(pattern, rules, false, &added, Symbols::default())
}

/// The tokens of the form `<|...|>` that no merge creates.
pub(super) fn bracketed(
    spellings: &Spellings<'_>,
    rules: &[Merge],
) -> Result<Vec<SpecialToken>, HuggingFaceError> {
    let created: HashSet<TokenId, Seeds> = rules.iter().map(|rule| rule.token).collect();
    let is_special = |&(spelling, id): &(&str, TokenId)| {
        let is_bracketed =
            spelling.len() > 4 && spelling.starts_with("<|") && spelling.ends_with("|>");
        is_bracketed && !created.contains(&id)
    };
    let special = spellings.iter().filter(is_special);
    Ok(special
        .map(|(spelling, id)| SpecialToken::new(spelling, id))
        .collect())
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
        assert!(
            read(&["a b"], "").is_err(),
            "a space is not byte-level text"
        );
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
