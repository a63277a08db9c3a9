//! Parsers of option values: numbers with a suffix, sizes in bytes, patterns.

use std::ffi::OsStr;

use clap::ValueEnum;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use tokenizer_core::{Pattern, PatternName, SpecialToken, TokenId};

/// Parses a whole number, optionally followed by `k` (1,000) or `M` (1,000,000).
pub(super) fn number<N: TryFrom<u64>>(text: &str) -> Result<N, String> {
    const EXPECTED: &str = "expected a whole number, optionally with k (1,000) or M (1,000,000)";
    let factor = |unit: &str| match unit {
        "" => Some(1),
        "k" | "K" => Some(1_000),
        "m" | "M" => Some(1_000_000),
        _ => None,
    };
    parse(text, factor, EXPECTED)
}

/// Like [`number`], but refuses zero.
pub(super) fn positive<N: TryFrom<u64>>(text: &str) -> Result<N, String> {
    match number::<u64>(text)? {
        0 => Err("expected a number above 0".to_owned()),
        _ => number(text),
    }
}

/// Parses `TOKEN=ID`, a special token. The token may contain `=`.
pub(super) fn model_special(text: &str) -> Result<SpecialToken, String> {
    let (token, id) = text.rsplit_once('=').ok_or("expected TOKEN=ID")?;
    if token.is_empty() {
        return Err("empty special token".to_owned());
    }
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let id: Option<TokenId> = id.parse().ok().filter(|_| is_number);
    let id = id.ok_or("expected the token's id, a number, after the last =")?;
    Ok(SpecialToken::new(token, id))
}

/// Parses a size in bytes: `kB`, `MB` and `GB` are powers of 1,000, `KiB`, `MiB` and `GiB` of 1,024.
pub(super) fn size(text: &str) -> Result<usize, String> {
    const EXPECTED: &str = "expected a size such as 512MB, 2GB or 1GiB";
    let factor = |unit: &str| match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" => Some(1_000),
        "m" | "mb" => Some(1_000_000),
        "g" | "gb" => Some(1_000_000_000),
        "kib" => Some(1 << 10),
        "mib" => Some(1 << 20),
        "gib" => Some(1 << 30),
        _ => None,
    };
    parse(text, factor, EXPECTED)
}

fn parse<N: TryFrom<u64>>(
    text: &str,
    factor: impl FnOnce(&str) -> Option<u64>,
    expected: &str,
) -> Result<N, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &text[..text.len() - unit.len()];
    let factor = factor(unit).filter(|_| !digits.is_empty());
    let factor = factor.ok_or_else(|| expected.to_owned())?;
    let number = digits.parse::<u64>().ok();
    let product = number.and_then(|number| number.checked_mul(factor));
    let product = product.and_then(|product| N::try_from(product).ok());
    product.ok_or_else(|| "the number is too large".to_owned())
}

/// Returns a long help: `intro`, then a line for each value of an enum. It replaces clap's own list of
/// values, which would appear in the short help too.
pub(super) fn with_values<E: ValueEnum>(intro: &str) -> String {
    let values = E::value_variants().iter().filter_map(E::to_possible_value);
    let line = |value: PossibleValue| {
        let help = value
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        format!("\n  - {}: {help}", value.get_name())
    };
    intro.to_owned() + "\n" + &values.map(line).collect::<String>()
}

/// Parses the name of a pattern, or a regex. Only the names are possible values, so shells complete them.
#[derive(Clone)]
pub(super) struct PatternParser;

impl TypedValueParser for PatternParser {
    type Value = Pattern;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Pattern, clap::Error> {
        let parser = StringValueParser::new();
        let parser = parser.try_map(|text| text.parse::<Pattern>());
        parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = PatternName::ALL.map(|name| PossibleValue::new(name.as_str()));
        Some(Box::new(names.into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_k_and_m() {
        for (text, expected) in [
            ("0", Some(0)),
            ("32k", Some(32_000)),
            ("32K", Some(32_000)),
            ("100M", Some(100_000_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551615k", None),
            ("18446744073709551616", None),
            ("", None),
            ("k", None),
            ("-1", None),
            ("+1", None),
            ("1.5M", None),
            ("1 k", None),
            ("1G", None),
            ("1kB", None),
        ] {
            assert_eq!(number::<u64>(text).ok(), expected, "{text}");
        }
        assert_eq!(
            number::<u8>("256"),
            Err("the number is too large".to_owned())
        );
        assert!(positive::<usize>("0k").is_err());
        assert_eq!(positive::<usize>("1k"), Ok(1_000));
    }

    #[test]
    fn sizes_have_units() {
        for (text, expected) in [
            ("1", Some(1)),
            ("512MB", Some(512_000_000)),
            ("2g", Some(2_000_000_000)),
            ("3 KiB", None),
            ("3KiB", Some(3_072)),
            ("1GiB", Some(1 << 30)),
            ("99999999999GB", None),
            ("-1", None),
            ("GB", None),
            ("1.5GB", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }
}
