//! `tokenizer decode`: ids to the bytes they were made of.

use tokenizer_core::Model;

use crate::args::DecodeArguments;
use crate::commands::load;
use crate::error::CommandError;
use crate::ids::{Decoded, Decoding, Header, IdBytes, IdFault, IdFormat, beside, decode_ids};
use crate::input::InputName;
use crate::output::Output;
use crate::progress::{Progress, number};

pub(crate) fn run(arguments: &DecodeArguments, progress: &Progress) -> Result<(), CommandError> {
    let input = InputName::new(&arguments.input);
    let output = Output::new(arguments.output.as_deref());
    let header = input.path().map(|path| beside(path, ".json"));
    output.check(
        input
            .path()
            .into_iter()
            .chain(header.as_deref())
            .chain([arguments.model.model.as_path()]),
    )?;
    let model = load(
        &arguments.model.model,
        arguments.model.pattern.pattern.as_ref(),
        progress,
    )?;
    let skipped = match arguments.skip_special {
        true => model.skipped_ids(),
        false => Vec::new(),
    };
    let decoding = Decoding {
        model: &model,
        skipped: &skipped,
    };
    let stage = progress.bytes("reading ids");
    let mut bytes = IdBytes::open(&input)?;
    stage.advance(bytes.left());
    drop(stage);

    let (format, header) = choose_format(arguments, &input, &model, &mut bytes, progress)?;
    let mut decoded = Decoded::default();
    output.write(|writer| {
        let stage = progress.bytes("decoding").unless(output.is_terminal());
        decoded = decode_ids(decoding, &mut bytes, format, header.as_ref(), |text| {
            stage.advance(text.len() as u64);
            writer.write_all(text)
        })?;
        stage.tokens(decoded.tokens);
        Ok(())
    })?;
    progress.close(
        &format!(
            "decoded {} tokens into {} bytes, {:.2} bytes per token,",
            number(decoded.tokens),
            number(decoded.bytes),
            decoded.bytes as f64 / decoded.tokens.max(1) as f64,
        ),
        decoded.bytes,
    );
    Ok(())
}

/// The format of the input, and the header beside it: by the header, the option or the name.
fn choose_format(
    arguments: &DecodeArguments,
    input: &InputName,
    model: &Model,
    bytes: &mut IdBytes,
    progress: &Progress,
) -> Result<(IdFormat, Option<Header>), CommandError> {
    let model_path = &arguments.model.model;
    let by_name = IdFormat::of_path(input.path(), model.id_limit());
    let is_binary = arguments.format.unwrap_or(by_name).is_binary();
    if let Some(header) = Header::of_input(input, model_path, is_binary)? {
        header.check(input, arguments.format, model, model_path)?;
        return Ok((header.format, Some(header)));
    }
    let Some(format) = arguments.format else {
        check_width(input, by_name, bytes, progress)?;
        return Ok((by_name, None));
    };
    Ok((format, None))
}

/// Reports the width that ids have by the size of the model, where neither name nor header tells it.
fn check_width(
    input: &InputName,
    format: IdFormat,
    bytes: &mut IdBytes,
    progress: &Progress,
) -> Result<(), CommandError> {
    if !IdFormat::is_width_left_open(input.path()) {
        return Ok(());
    }
    if format == IdFormat::U16 && bytes.look_wider()? {
        return Err(CommandError::Ids {
            input: input.clone(),
            fault: IdFault::LooksWider,
        });
    }
    progress.note(&format!("{input}: ids are read as {}", format.as_str()));
    Ok(())
}
