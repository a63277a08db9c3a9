//! `tokenizer decode`: ids to bytes.

use tokenizer_core::Model;

use super::models::load;
use crate::args::DecodeArguments;
use crate::error::Result;
use crate::ids::{Header, IdFormat, IdReader};
use crate::input_name::InputName;
use crate::output::{Output, beside};
use crate::progress::{Progress, plural};

pub(crate) fn run(arguments: &DecodeArguments, progress: &Progress) -> Result<()> {
    let input = InputName::new(&arguments.input);
    let output = Output::new(&arguments.output);
    let header = input.path().map(|path| beside(path, ".json"));
    let read = input.path().into_iter().chain(header.as_deref());
    output.check(read.chain([arguments.model.path.as_path()]))?;
    let model = load(&arguments.model, progress)?;
    let skipped = match arguments.skip_special {
        true => model.skipped_ids(),
        false => Vec::new(),
    };
    let stage = progress.bytes("reading ids");
    let mut ids = IdReader::open(&input)?;
    stage.advance(ids.left);
    drop(stage);

    choose_format(arguments, &input, &model, &mut ids, progress)?;
    let mut decoded = 0;
    output.write(|writer| {
        let stage = progress.bytes("decoding");
        while ids.read_chunk()? {
            let text = model.decode_without(&ids.ids, &skipped);
            let text = text.map_err(|unknown| ids.unknown_token(unknown))?;
            writer.write_all(&text)?;
            stage.advance(text.len() as u64);
        }
        stage.tokens(ids.tokens);
        decoded = stage.bytes();
        Ok(())
    })?;
    let tokens = ids.tokens;
    let (from, text) = (plural(tokens, "token"), plural(decoded, "byte"));
    progress.close_coding(&format!("decoded {from} into {text}"), decoded, tokens);
    progress.wrote(output.path().as_slice());
    Ok(())
}

/// Sets the format of the input, from its header, else from `--format`, else from the file name.
fn choose_format(
    arguments: &DecodeArguments,
    input: &InputName,
    model: &Model,
    ids: &mut IdReader,
    progress: &Progress,
) -> Result<()> {
    let (model_path, id_limit) = (&arguments.model.path, model.id_limit());
    let by_name = IdFormat::of_path(input.path(), id_limit);
    let format = arguments.format.unwrap_or(by_name);
    if let Some(header) = Header::of_input(input, model_path, format.is_binary())? {
        header.check(input, arguments.format, model, model_path)?;
        return ids.set_format(header.format, Some(header), id_limit);
    }
    // Without header and option, the width of the ids in a .bin file is guessed from the size of the model.
    if arguments.format.is_none() && IdFormat::is_width_ambiguous(input.path()) {
        if format == IdFormat::U16 && ids.looks_like_u32()? {
            let fault = "every second id would be 0 as u16: these look like u32";
            let hint = "use --format u32, or --format u16 if the zeros are ids";
            return Err(input.fail(fault).hint(hint));
        }
        progress.note(&format!("{input}: reading ids as {format}"));
    }
    ids.set_format(format, None, id_limit)
}
