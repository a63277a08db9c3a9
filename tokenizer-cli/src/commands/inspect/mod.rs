//! `tokenizer inspect`: the tokens of a text, the merges of a piece, the contents of a vocabulary.

mod html;
mod merging;
mod visible;
mod vocabulary;

use std::io::IsTerminal;
use std::path::Path;

use clap::ColorChoice;
use tokenizer_core::Tokenizer;

use self::visible::{Encoded, visible};
use super::models::load;
use crate::args::InspectArguments;
use crate::error::Result;
use crate::input::standard_text;
use crate::input_name::InputName;
use crate::output::{Output, OutputWriter};
use crate::progress::Progress;

pub(crate) fn run(arguments: &InspectArguments, progress: &Progress) -> Result<()> {
    let html = arguments.html.as_deref().map(Output::new);
    if let Some(html) = &html {
        html.check([arguments.model.path.as_path()])?;
    }
    let model = load(&arguments.model, progress)?;
    if arguments.vocab {
        let limit = if arguments.all { usize::MAX } else { 20 };
        return Output::STANDARD.write_all(vocabulary::report(&model, limit));
    }
    if let Some(text) = &arguments.merges {
        let steps = merging::steps(&model, text.as_bytes());
        let steps = steps.map_err(|error| InputName::STANDARD.fail(error))?;
        return Output::STANDARD.write_all(steps);
    }

    let text = match &arguments.text {
        Some(text) => {
            hint_at_file(text, progress);
            text.clone().into_bytes()
        }
        None => standard_text()?,
    };
    let allowed = match arguments.allow_special {
        true => model.all_specials(),
        false => model.special_set(&[""; 0]),
    };
    let tokenizer = Tokenizer::new(model);
    let stage = progress.bytes("encoding");
    let ids = tokenizer.request().allow(&allowed).encode(&text);
    let ids = ids.map_err(|error| InputName::STANDARD.fail(error))?;
    stage.advance(text.len() as u64);
    stage.tokens(ids.len() as u64);
    drop(stage);
    let encoded = Encoded {
        model: tokenizer.model(),
        text: &text,
        ids: &ids,
    };
    match html {
        Some(html) => write_page(encoded, &arguments.model.path, &html, progress),
        None => Output::STANDARD.write(|writer| match has_color(arguments.color) {
            true => colored(encoded, writer),
            false => lines(encoded, writer),
        }),
    }
}

/// If TEXT is the name of a file, prints how to read that file, which was probably meant.
fn hint_at_file(text: &str, progress: &Progress) {
    if Path::new(text).is_file() {
        progress.hint(&format!(
            "a file named {text} exists; to read it: tokenizer inspect -m MODEL < {text}"
        ));
    }
}

fn write_page(
    encoded: Encoded<'_>,
    model: &Path,
    output: &Output,
    progress: &Progress,
) -> Result<()> {
    let (page, notice) = html::page(encoded, &model.display().to_string());
    output.write_all(page)?;
    if let Some(notice) = notice {
        progress.note(&format!("{output} {notice}"));
    }
    if let Some(path) = output.path() {
        progress.wrote(&[path]);
    }
    Ok(())
}

fn has_color(when: ColorChoice) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match when {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            std::io::stdout().is_terminal() && !is_dumb && !is_set("NO_COLOR")
        }
    }
}

/// Writes a line for each token: id, byte offset, visible form, and `special` or `added` where it applies.
/// On a terminal, the summary follows.
fn lines(encoded: Encoded<'_>, writer: &mut OutputWriter<'_>) -> Result<()> {
    for token in encoded.tokens() {
        let (id, start, text) = (token.id, token.start, visible(token.bytes));
        match token.label {
            Some(label) => writeln!(writer, "{id}\t{start}\t{text}\t{label}")?,
            None => writeln!(writer, "{id}\t{start}\t{text}")?,
        }
    }
    if std::io::stdout().is_terminal() {
        writeln!(writer, "\n{}", encoded.summary())?;
    }
    Ok(())
}

/// Backgrounds of consecutive tokens in the 256-colour palette, under black text.
const BACKGROUNDS: [u8; 5] = [153, 222, 157, 217, 183];

/// Special and added tokens: bold white on dark red.
const SPECIAL_STYLE: &str = "1;97;48;5;88";

/// Writes each line of the text, and below it the ids of its tokens in the same colours. The summary follows.
fn colored(encoded: Encoded<'_>, writer: &mut OutputWriter<'_>) -> Result<()> {
    let mut ids = String::new();
    for (token, color) in encoded.tokens().zip(BACKGROUNDS.into_iter().cycle()) {
        let style = match token.label {
            Some(_) => SPECIAL_STYLE.to_owned(),
            None => format!("30;48;5;{color}"),
        };
        write!(writer, "\x1b[{style}m{}\x1b[0m", visible(token.bytes))?;
        ids += &format!("\x1b[{style}m{}\x1b[0m ", token.id);
        let line_feeds = token.bytes.iter().filter(|&&byte| byte == b'\n').count();
        if line_feeds > 0 {
            let blank = "\n".repeat(line_feeds);
            write!(writer, "\n{}{blank}", ids.trim_end())?;
            ids.clear();
        }
    }
    if !ids.is_empty() {
        writeln!(writer, "\n{}", ids.trim_end())?;
    }
    writeln!(writer, "\n{}", encoded.summary())
}
