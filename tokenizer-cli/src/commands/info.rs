//! `tokenizer info`: describes a model, for people or as JSON.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use tokenizer_core::corpus::ModelFormat;
use tokenizer_core::{
    Gaps, Merging, Model, Pattern, PostProcessor, RewriteStep, SpecialToken, TokenId,
};

use super::models::load;
use crate::args::InfoArguments;
use crate::error::Result;
use crate::ids::{decoding_sha256, model_sha256, special_tokens};
use crate::output::Output;
use crate::progress::{Progress, number, shortened};
use crate::terminal::escape;

pub(crate) fn run(arguments: &InfoArguments, progress: &Progress) -> Result<()> {
    let path = &arguments.model.path;
    let model = load(&arguments.model, progress)?;
    Output::STANDARD.write_all(match arguments.json {
        true => format!("{:#}\n", json(&model, path)),
        false => text(&model, path),
    })
}

/// Width of a line, in columns.
const WIDTH: usize = 80;
/// Width of the labels, in columns.
const LABEL: usize = 13;

fn text(model: &Model, path: &Path) -> String {
    let mut text = String::new();
    let mut field = |label: &str, value: &str| line(&mut text, label, value);
    field("model", &path.to_string_lossy());
    field("format", format_name(path));
    pattern(model.pattern(), &mut field);
    for step in model.rewrites() {
        field("first", &rewrite(step));
    }
    field("normalizer", &normalizer(model).unwrap_or("none".into()));
    field("ids", &count(model.id_limit()));
    field("tokens", &count(model.vocab().len()));
    match model.merging() {
        Merging::Ranks => field("merges", "by rank"),
        Merging::Merges { merges, .. } => field("merges", &count(merges.len())),
    }
    let (special, added) = (added_tokens(model, true), added_tokens(model, false));
    field("special", &count(special.len()));
    field("added", &count(added.len()));
    template(model.post_processor(), &mut field);
    field("model hash", &model_sha256(model));
    field(
        "decoding hash",
        &decoding_sha256(model, &special_tokens(model)),
    );
    tokens(&mut text, "special tokens", &special);
    tokens(&mut text, "added tokens", &added);
    text
}

/// Adds the stages of a pattern.
fn pattern(pattern: &Pattern, field: &mut impl FnMut(&str, &str)) {
    for (stage, (regex, gaps)) in pattern.stages().enumerate() {
        let label = if stage == 0 { "pattern" } else { "then" };
        let name = pattern.name().map(|name| name.as_str());
        field(label, name.unwrap_or(regex));
        let rule = match gaps {
            Gaps::Keep => None,
            Gaps::Drop => Some("(text between matches is dropped)"),
            Gaps::Only => Some("(matches are dropped)"),
            Gaps::WithNext => Some("(text between matches is joined with the match after it)"),
            Gaps::WithPrevious => Some("(text between matches is joined with the match before it)"),
            Gaps::Contiguous => Some("(adjacent matches are joined)"),
        };
        if let Some(rule) = rule {
            field("", rule);
        }
        if pattern.spelled_from().is_some_and(|from| from <= stage) {
            field("", "(on the byte-to-unicode spelling)");
        }
    }
    if pattern.stages().len() == 0 {
        field("pattern", "none");
    }
}

/// Adds the ids that a post-processor puts around a text.
fn template(post_processor: &PostProcessor, field: &mut impl FnMut(&str, &str)) {
    let affixes = post_processor.affixes();
    if affixes.is_none() {
        field("template", "repeats the text");
    }
    let affixes = affixes.unwrap_or_default();
    for (label, ids) in [
        ("before text", &affixes.before),
        ("after text", &affixes.after),
    ] {
        if !ids.is_empty() {
            let ids: Vec<String> = ids.iter().map(TokenId::to_string).collect();
            field(label, &ids.join(" "));
        }
    }
}

/// Appends a label and its value, which is wrapped at the width of a terminal.
fn line(text: &mut String, label: &str, value: &str) {
    let value: Vec<char> = escape(value).chars().collect();
    for (row, chunk) in value.chunks(WIDTH - LABEL - 2).enumerate() {
        let label = if row == 0 { label } else { "" };
        let chunk: String = chunk.iter().collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{label:LABEL$}  {chunk}");
    }
}

/// Appends a titled list of tokens: id, content and flags.
fn tokens(text: &mut String, title: &str, tokens: &[&SpecialToken]) {
    if !tokens.is_empty() {
        let _ = writeln!(text, "\n{title}");
    }
    for token in tokens {
        let flags = flags(token).join(", ");
        // The content gets the room that id, ellipsis and flags leave.
        let room = WIDTH - "       257  ".len() - "…  ".chars().count() - flags.len();
        let content = shortened(&escape(&token.content), room);
        let line = format!("{:>10}  {content}  {flags}", token.id);
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn count(n: usize) -> String {
    number(n as u64).to_string()
}

fn format_name(path: &Path) -> &'static str {
    match ModelFormat::of_path_to_read(path) {
        Some(ModelFormat::Native) => ".bpe (native)",
        Some(ModelFormat::Tiktoken) => ".tiktoken (ranks)",
        Some(ModelFormat::SentencePiece) => "SentencePiece",
        Some(_) => ".json (Hugging Face)",
        None => "folder (Hugging Face)",
    }
}

/// The names of the steps of the normalizer.
fn normalizer(model: &Model) -> Option<String> {
    model.normalizer().map(ToString::to_string)
}

/// A step of the pre-tokenizer before the pattern.
fn rewrite(step: &RewriteStep) -> String {
    match step {
        RewriteStep::Split(pattern) => format!("split by {}", pattern.source()),
        RewriteStep::PrefixSpace => "a space is put in front".into(),
        RewriteStep::Metaspace(metaspace) => {
            format!("spaces become {:?}", metaspace.replacement())
        }
        _ => "another change of text".into(),
    }
}

/// Returns the special tokens, or the added tokens that are not special, by ascending id.
fn added_tokens(model: &Model, special: bool) -> Vec<&SpecialToken> {
    let tokens = model.specials().iter();
    tokens.filter(|token| token.special == special).collect()
}

/// The names of the flags that are set, as in a `tokenizer.json`.
fn flags(token: &SpecialToken) -> Vec<&'static str> {
    let flags = [
        ("normalized", token.normalized),
        ("lstrip", token.lstrip),
        ("rstrip", token.rstrip),
        ("single_word", token.single_word),
    ];
    let set = flags.into_iter().filter(|(_, is_set)| *is_set);
    set.map(|(name, _)| name).collect()
}

fn json(model: &Model, path: &Path) -> Value {
    let spelled_from = model.pattern().spelled_from();
    let stages = model.pattern().stages().enumerate();
    let stages = stages.map(|(stage, (regex, gaps))| match spelled_from {
        Some(from) if from <= stage => {
            json!({ "regex": regex, "gaps": gaps.name(), "on_spelling": true })
        }
        _ => json!({ "regex": regex, "gaps": gaps.name() }),
    });
    let tokens = |special| -> Value {
        let token = |token: &SpecialToken| json!({ "id": token.id, "content": token.content, "flags": flags(token) });
        added_tokens(model, special)
            .into_iter()
            .map(token)
            .collect()
    };
    let merges = match model.merging() {
        Merging::Ranks => None,
        Merging::Merges { merges, .. } => Some(merges.len()),
    };
    let affixes = model.post_processor().affixes();
    json!({
        "model": path.to_string_lossy(),
        "format": match ModelFormat::of_path_to_read(path) {
            Some(ModelFormat::Native) => "bpe",
            Some(ModelFormat::Tiktoken) => "tiktoken",
            Some(ModelFormat::SentencePiece) => "sentencepiece",
            _ => "huggingface",
        },
        "pattern": {
            "name": model.pattern().name().map(|name| name.as_str()),
            "stages": stages.collect::<Value>(),
        },
        "normalizer": normalizer(model),
        "rewrites": model.rewrites().iter().map(rewrite).collect::<Vec<_>>(),
        "vocab_size": model.id_limit(),
        "tokens": model.vocab().len(),
        "merges": merges,
        "before_text": affixes.as_ref().map(|affixes| &affixes.before),
        "after_text": affixes.as_ref().map(|affixes| &affixes.after),
        "special_tokens": tokens(true),
        "added_tokens": tokens(false),
        "model_sha256": model_sha256(model),
        "decoding_sha256": decoding_sha256(model, &special_tokens(model)),
    })
}
