//! `tokenizer inspect`: what a tokenizer does, for people to look at.

mod html;
mod merging;
mod visible;
mod vocabulary;

use std::io::IsTerminal;

use clap::ColorChoice;
use tokenizer_core::{Model, TokenId, Tokenizer};

use self::visible::{tokens, visible};
use super::models::load;
use crate::args::InspectArguments;
use crate::error::Result;
use crate::input::{InputName, standard_text};
use crate::output::{Output, OutputWriter};
use crate::progress::Progress;

pub(crate) fn run(arguments: &InspectArguments, progress: &Progress) -> Result<()> {
    let html = arguments.html.as_deref().map(Output::new);
    if let Some(html) = &html {
        html.check([arguments.model.path.as_path()])?;
    }
    let model = load(&arguments.model, progress)?;
    if arguments.vocab {
        let most = if arguments.all { usize::MAX } else { 20 };
        return Output::STANDARD.write_all(vocabulary::report(&model, most));
    }
    if let Some(text) = &arguments.merges {
        let steps = merging::steps(&model, text.as_bytes());
        let steps = steps.map_err(|error| InputName::STANDARD.fail(error))?;
        return Output::STANDARD.write_all(steps);
    }

    let text = match &arguments.text {
        Some(text) => text.clone().into_bytes(),
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
    let model = tokenizer.model();
    match html {
        Some(html) => html.write_all(html::page(model, &ids)),
        None => Output::STANDARD.write(|writer| match has_color(arguments.color) {
            true => colored(model, &ids, writer),
            false => lines(model, &ids, writer),
        }),
    }
}

fn has_color(when: ColorChoice) -> bool {
    match when {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            std::io::stdout().is_terminal() && !refused
        }
    }
}

/// A line for each token: id, place, bytes.
fn lines(model: &Model, ids: &[TokenId], writer: &mut OutputWriter<'_>) -> Result<()> {
    for (id, at, token) in tokens(model, ids) {
        writeln!(writer, "{id}\t{at}\t{}", visible(token))?;
    }
    Ok(())
}

/// Backgrounds of tokens beside each other, in the palette of 256 colours, under black letters.
const BACKGROUNDS: [u8; 5] = [153, 222, 157, 217, 183];

fn colored(model: &Model, ids: &[TokenId], writer: &mut OutputWriter<'_>) -> Result<()> {
    for ((_, _, token), color) in tokens(model, ids).zip(BACKGROUNDS.into_iter().cycle()) {
        write!(writer, "\x1b[30;48;5;{color}m{}\x1b[0m", visible(token))?;
        // Where the text has new lines, so has what is shown.
        let lines = token.iter().filter(|&&byte| byte == b'\n').count();
        writer.write_all(&b"\n".repeat(lines))?;
    }
    writer.write_all(b"\n")
}
