//! `tokenizer inspect`: what a tokenizer does, for people to look at.

mod html;
mod merging;
mod visible;
mod vocabulary;

use std::io::IsTerminal;

use tokenizer_core::{Model, TokenId, Tokenizer};

use self::visible::visible;
use crate::args::{Color, InspectArguments};
use crate::commands::load;
use crate::error::CommandError;
use crate::input::{InputName, TextName, standard_text};
use crate::output::{Output, OutputWriter};
use crate::progress::Progress;

pub(crate) fn run(arguments: &InspectArguments, progress: &Progress) -> Result<(), CommandError> {
    let html = arguments
        .html
        .as_deref()
        .map(|path| Output::new(Some(path)));
    if let Some(html) = &html {
        html.check([arguments.model.model.as_path()])?;
    }
    let model = load(
        &arguments.model.model,
        arguments.model.pattern.pattern.as_ref(),
        progress,
    )?;
    if arguments.vocab {
        let most = if arguments.all { usize::MAX } else { 20 };
        let report = vocabulary::report(&model, most);
        return Output::Standard.write(|writer| writer.write_all(report.as_bytes()));
    }
    let tokenizer = Tokenizer::new(model);
    if let Some(text) = &arguments.merges {
        let steps = merging::steps(&tokenizer, text.as_bytes());
        let steps = steps.map_err(|error| CommandError::Encode {
            text: TextName::whole(InputName::Standard),
            error: error.into(),
        })?;
        return Output::Standard.write(|writer| writer.write_all(steps.as_bytes()));
    }

    let text = match &arguments.text {
        Some(text) => text.clone().into_bytes(),
        None => standard_text()?,
    };
    let allowed = (arguments.allow_special).then(|| tokenizer.model().all_specials());
    let request = match &allowed {
        Some(allowed) => tokenizer.request().allow(allowed),
        None => tokenizer.request(),
    };
    let stage = progress.bytes("encoding");
    let ids = request.encode(&text);
    let ids = ids.map_err(|error| CommandError::Encode {
        text: TextName::whole(InputName::Standard),
        error,
    })?;
    stage.advance(text.len() as u64);
    stage.tokens(ids.len() as u64);
    drop(stage);
    if let Some(html) = html {
        let page = html::page(tokenizer.model(), &ids);
        return html.write(|writer| writer.write_all(page.as_bytes()));
    }
    let output = Output::Standard;
    output.write(|writer| match has_color(arguments.color) {
        true => colored(tokenizer.model(), &ids, writer),
        false => lines(tokenizer.model(), &ids, writer),
    })
}

fn has_color(when: Color) -> bool {
    match when {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            std::io::stdout().is_terminal() && !refused
        }
    }
}

/// Tokens of ids, with the bytes before each.
fn tokens<'m>(
    model: &'m Model,
    ids: &'m [TokenId],
) -> impl Iterator<Item = (TokenId, usize, &'m [u8])> {
    let mut start = 0;
    ids.iter().map(move |&id| {
        // The model gave the id.
        let token = model.token(id).unwrap_or_default();
        let at = start;
        start += token.len();
        (id, at, token)
    })
}

/// A line for each token: id, place, bytes.
fn lines(
    model: &Model,
    ids: &[TokenId],
    writer: &mut OutputWriter<'_>,
) -> Result<(), CommandError> {
    for (id, at, token) in tokens(model, ids) {
        writer.write_all(format!("{id}\t{at}\t{}\n", visible(token)).as_bytes())?;
    }
    Ok(())
}

/// Backgrounds of tokens beside each other, in the palette of 256 colours, under black letters.
const BACKGROUNDS: [u8; 5] = [153, 222, 157, 217, 183];

fn colored(
    model: &Model,
    ids: &[TokenId],
    writer: &mut OutputWriter<'_>,
) -> Result<(), CommandError> {
    for (number, (_, _, token)) in tokens(model, ids).enumerate() {
        let color = BACKGROUNDS[number % BACKGROUNDS.len()];
        let text = visible(token);
        writer.write_all(format!("\x1b[30;48;5;{color}m{text}\x1b[0m").as_bytes())?;
        // Where the text has new lines, so has what is shown.
        let lines = token.iter().filter(|&&byte| byte == b'\n').count();
        writer.write_all(&b"\n".repeat(lines))?;
    }
    writer.write_all(b"\n")
}
