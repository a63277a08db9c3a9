//! A `tokenizer.json`, component by component, as a model.

use super::json::{At, Json};
use super::regex_dialect::{from_oniguruma, literal, to_oniguruma};
use super::vocabulary::Spellings;
use super::{HuggingFaceError, MAX_BYTES, MergeFault};
use crate::merges::Merge;
use crate::model::{Affixes, Model};
use crate::normalize::Normalizer;
use crate::special::SpecialToken;
use crate::split::{Gaps, Pattern, PatternName};
use crate::token::TokenId;

/// Reads a `tokenizer.json`.
///
/// # Errors
/// When a component or a field is not supported, or the parts contradict each other; the error names
/// the place. See the text of this module for what is supported.
pub fn read(bytes: &[u8]) -> Result<Model, HuggingFaceError> {
    if bytes.len() > MAX_BYTES {
        return Err(HuggingFaceError::TooLarge { bytes: bytes.len() });
    }
    let json = Json::parse(bytes)?;
    let root = At {
        value: &json,
        path: String::new(),
    };
    root.only(&[
        "version",
        "truncation",
        "padding",
        "added_tokens",
        "normalizer",
        "pre_tokenizer",
        "post_processor",
        "decoder",
        "model",
    ])?;
    let version = root.field("version");
    if !version.is_null() && version.text()? != "1.0" {
        return Err(version.unsupported("only version \"1.0\" is"));
    }
    for name in ["truncation", "padding"] {
        if !root.field(name).is_null() {
            return Err(root.field(name).refused(name));
        }
    }
    let normalizer = read_normalizer(&root.field("normalizer"))?;
    let pattern = read_pre_tokenizer(&root.field("pre_tokenizer"))?;
    let affixes = read_post_processor(&root.field("post_processor"))?.unwrap_or_default();
    check_decoder(&root.field("decoder"))?;
    let added = read_added_tokens(&root.field("added_tokens"))?;
    let model = read_model(&root.field("model"), pattern, added)?;
    Ok(model.with_normalizer(normalizer).with_affixes(affixes)?)
}

fn read_normalizer(at: &At<'_>) -> Result<Option<Normalizer>, HuggingFaceError> {
    if at.is_null() {
        return Ok(None);
    }
    match at.component()? {
        "NFC" => {
            at.only(&["type"])?;
            Ok(Some(Normalizer::Nfc))
        }
        "Sequence" => {
            at.only(&["type", "normalizers"])?;
            let mut found = None;
            for step in at.field("normalizers").list()? {
                // Composing what is composed changes nothing.
                found = read_normalizer(&step)?.or(found);
            }
            Ok(found)
        }
        other => Err(at.refused(other)),
    }
}

/// The pattern, and whether the text was spelled in bytes, behind which nothing else may come.
struct PreTokenizer {
    patterns: Vec<Pattern>,
    byte_level: bool,
}

fn read_pre_tokenizer(at: &At<'_>) -> Result<Pattern, HuggingFaceError> {
    let mut steps = PreTokenizer {
        patterns: Vec::new(),
        byte_level: false,
    };
    steps.add(at)?;
    if !steps.byte_level {
        return Err(at.unsupported("only what ends in ByteLevel is"));
    }
    match <[Pattern; 1]>::try_from(steps.patterns) {
        Ok([pattern]) => Ok(pattern),
        Err(patterns) => Ok(Pattern::sequence(patterns)),
    }
}

impl PreTokenizer {
    fn add(&mut self, at: &At<'_>) -> Result<(), HuggingFaceError> {
        if at.is_null() {
            return Ok(());
        }
        let name = at.component()?;
        if self.byte_level {
            return Err(at.refused(&format!("{name} behind ByteLevel")));
        }
        match name {
            "ByteLevel" => {
                check_byte_level(at)?;
                if at.field("add_prefix_space").flag()? {
                    let space = at.field("add_prefix_space");
                    return Err(
                        space.unsupported("only texts as they are, without a space in front")
                    );
                }
                if at.field("use_regex").flag_or(true)? {
                    // Theirs is GPT-2's own spelling, which matches the same.
                    self.patterns.push(Pattern::named(PatternName::Gpt2));
                }
                self.byte_level = true;
            }
            "Split" => self.patterns.push(read_split(at)?),
            "Sequence" => {
                at.only(&["type", "pretokenizers"])?;
                for step in at.field("pretokenizers").list()? {
                    self.add(&step)?;
                }
            }
            other => return Err(at.refused(other)),
        }
        Ok(())
    }
}

fn check_byte_level(at: &At<'_>) -> Result<(), HuggingFaceError> {
    at.only(&["type", "add_prefix_space", "trim_offsets", "use_regex"])?;
    at.field("add_prefix_space").flag()?;
    at.field("trim_offsets").flag()?;
    at.field("use_regex").flag_or(true)?;
    Ok(())
}

fn read_split(at: &At<'_>) -> Result<Pattern, HuggingFaceError> {
    at.only(&["type", "pattern", "behavior", "invert"])?;
    let (behavior, invert) = (at.field("behavior"), at.field("invert").flag()?);
    let gaps = match (behavior.text()?, invert) {
        // With two kinds of piece that both stay, it matters not which of them is called the match.
        ("Isolated", _) => Gaps::Keep,
        ("Removed", true) => Gaps::Drop,
        ("Removed", false) => return Err(behavior.unsupported("only with invert is it")),
        _ => return Err(behavior.unsupported("\"Isolated\" is, and \"Removed\" with invert")),
    };
    let pattern = at.field("pattern");
    let [(kind, text)] = pattern.entries()? else {
        return Err(pattern.expected("an object with Regex or String"));
    };
    let text = At {
        value: text,
        path: format!("{}.{kind}", pattern.path),
    }
    .text()?;
    let source = match kind.as_str() {
        "Regex" => text.to_owned(),
        "String" => literal(text),
        other => return Err(pattern.refused(other)),
    };
    // A named pattern as it is written: it comes back by its name.
    let is_named = |name: &PatternName| to_oniguruma(name.regex()).is_ok_and(|told| told == source);
    if let (Gaps::Keep, Some(name)) = (gaps, PatternName::ALL.into_iter().find(is_named)) {
        return Ok(Pattern::named(name));
    }
    let own = from_oniguruma(&source).map_err(|error| HuggingFaceError::Regex {
        source_text: source.clone(),
        error,
    })?;
    Ok(Pattern::regex(&own, gaps)?)
}

/// The ids around a text; `None` when there is no template.
fn read_post_processor(at: &At<'_>) -> Result<Option<Affixes>, HuggingFaceError> {
    if at.is_null() {
        return Ok(None);
    }
    match at.component()? {
        "ByteLevel" => {
            // It concerns offsets only.
            check_byte_level(at)?;
            Ok(None)
        }
        "TemplateProcessing" => read_template(at).map(Some),
        "Sequence" => {
            at.only(&["type", "processors"])?;
            let mut found = None;
            for step in at.field("processors").list()? {
                match read_post_processor(&step)? {
                    Some(_) if found.is_some() => {
                        return Err(step.refused("a second TemplateProcessing"));
                    }
                    Some(affixes) => found = Some(affixes),
                    None => {}
                }
            }
            Ok(found)
        }
        other => Err(at.refused(other)),
    }
}

fn read_template(at: &At<'_>) -> Result<Affixes, HuggingFaceError> {
    // The template for pairs of texts is not used here.
    at.only(&["type", "single", "pair", "special_tokens"])?;
    let mut affixes = Affixes::default();
    let mut text_seen = false;
    for piece in at.field("single").list()? {
        let [(kind, _)] = piece.entries()? else {
            return Err(piece.expected("an object with Sequence or SpecialToken"));
        };
        let inside = piece.field(kind);
        inside.only(&["id", "type_id"])?;
        let id = inside.field("id");
        match kind.as_str() {
            "Sequence" if id.text()? == "A" && !text_seen => text_seen = true,
            "Sequence" => return Err(id.unsupported("only the text \"A\" is, once")),
            "SpecialToken" => {
                let token = at.field("special_tokens").field(id.text()?);
                token.only(&["id", "ids", "tokens"])?;
                for id in token.field("ids").list()? {
                    let number = TokenId::try_from(id.integer()?);
                    let number = number.map_err(|_| id.expected("an id"))?;
                    if text_seen {
                        affixes.after.push(number);
                    } else {
                        affixes.before.push(number);
                    }
                }
            }
            other => return Err(piece.refused(other)),
        }
    }
    if !text_seen {
        return Err(at
            .field("single")
            .unsupported("the text \"A\" is missing in it"));
    }
    Ok(affixes)
}

/// Nothing is kept of a decoder: the one that is supported gives the bytes of the tokens.
fn check_decoder(at: &At<'_>) -> Result<(), HuggingFaceError> {
    if at.is_null() {
        return Ok(());
    }
    match at.component()? {
        "ByteLevel" => check_byte_level(at),
        "Sequence" => {
            at.only(&["type", "decoders"])?;
            match at.field("decoders").list()?.as_slice() {
                [only] => check_decoder(only),
                _ => Err(at.refused("a Sequence of several decoders")),
            }
        }
        other => Err(at.refused(other)),
    }
}

fn read_added_tokens(at: &At<'_>) -> Result<Vec<SpecialToken>, HuggingFaceError> {
    if at.is_null() {
        return Ok(Vec::new());
    }
    let mut tokens = Vec::new();
    for token in at.list()? {
        token.only(&[
            "id",
            "content",
            "single_word",
            "lstrip",
            "rstrip",
            "normalized",
            "special",
        ])?;
        let id = token.field("id");
        tokens.push(SpecialToken {
            content: token.field("content").text()?.to_owned(),
            id: TokenId::try_from(id.integer()?).map_err(|_| id.expected("an id"))?,
            control: token.field("special").flag()?,
            normalized: token.field("normalized").flag()?,
            left_strip: token.field("lstrip").flag()?,
            right_strip: token.field("rstrip").flag()?,
            single_word: token.field("single_word").flag()?,
        });
    }
    Ok(tokens)
}

fn read_model(
    at: &At<'_>,
    pattern: Pattern,
    added: Vec<SpecialToken>,
) -> Result<Model, HuggingFaceError> {
    let name = at.field("type");
    at.entries()?;
    if !name.is_null() && name.text()? != "BPE" {
        return Err(at.refused(name.text()?));
    }
    at.only(&[
        "type",
        "dropout",
        "unk_token",
        "continuing_subword_prefix",
        "end_of_word_suffix",
        "fuse_unk",
        "byte_fallback",
        "ignore_merges",
        "vocab",
        "merges",
    ])?;
    let dropout = at.field("dropout");
    match dropout.value {
        Json::Null | Json::Integer(0) => {}
        Json::Float(rate) if *rate == 0.0 => {}
        _ => return Err(dropout.unsupported("only models without dropout are")),
    }
    // Every byte is a token, so nothing is ever unknown.
    let unknown = at.field("unk_token");
    if !unknown.is_null() {
        unknown.text()?;
    }
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
        let affix = at.field(name);
        if !affix.is_null() && !affix.text()?.is_empty() {
            return Err(affix.unsupported("only models without it are"));
        }
    }
    for name in ["fuse_unk", "byte_fallback"] {
        if at.field(name).flag_or(false)? {
            return Err(at.field(name).unsupported("only models without it are"));
        }
    }
    let whole_piece_first = at.field("ignore_merges").flag_or(false)?;

    let vocab = at.field("vocab");
    let mut entries = Vec::new();
    for (spelling, id) in vocab.entries()? {
        match id {
            Json::Integer(id) => entries.push((spelling.as_str(), *id)),
            _ => return Err(vocab.field(spelling).expected("an id")),
        }
    }
    let spellings = Spellings::new(entries)?;
    spellings.check_numbering(&added)?;
    let merges = at.field("merges");
    let Json::List(list) = merges.value else {
        return Err(merges.expected("a list"));
    };
    let rules: Result<Vec<Merge>, HuggingFaceError> = list
        .iter()
        .enumerate()
        .map(|(rank, merge)| {
            let merge = pair(merge)
                .ok_or(MergeFault::Form)
                .and_then(|(left, right)| spellings.merge(left, right));
            merge.map_err(|fault| HuggingFaceError::Merge { rank, fault })
        })
        .collect();
    spellings.model(pattern, rules?, whole_piece_first, &added)
}

/// The two tokens of a merge, `"a b"` or `["a", "b"]`.
fn pair(merge: &Json) -> Option<(&str, &str)> {
    match merge {
        Json::Text(text) => text
            .split_once(' ')
            .filter(|(_, right)| !right.contains(' ')),
        Json::List(pair) => match pair.as_slice() {
            [Json::Text(left), Json::Text(right)] => Some((left, right)),
            _ => None,
        },
        _ => None,
    }
}
