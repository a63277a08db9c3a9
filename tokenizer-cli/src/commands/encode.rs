//! `tokenizer encode`: documents to ids.

use tokenizer_core::{Encoder, Model};

use crate::args::EncodeArguments;
use crate::commands::{encode_error, for_documents_together, load};
use crate::error::{CommandError, UsageError};
use crate::ids::{IdFormat, IdWriter};
use crate::input::Inputs;
use crate::output::Output;
use crate::progress::{Progress, number};

pub(crate) fn run(arguments: &EncodeArguments, progress: &Progress) -> Result<(), CommandError> {
    let documents = &arguments.documents;
    let output = Output::new(arguments.output.as_deref());
    let inputs = Inputs::open(&documents.inputs, documents.errors)?;
    output.check(inputs.paths().chain([arguments.model.model.as_path()]))?;
    let model = load(
        &arguments.model.model,
        arguments.model.pattern.pattern.as_ref(),
    )?;
    let format = choose_format(arguments.format, &output, &model, progress)?;

    let encoder = Encoder::new(model);
    let (mut bytes, mut tokens) = (0, 0);
    output.write(|writer| {
        let mut writer = IdWriter::new(writer, format);
        let stage = progress.bytes("encoding").unless(output.is_terminal());
        let threads = documents.threads();
        for_documents_together(&inputs, &stage, |names, documents| {
            let batch = encoder.encode_batch(documents, threads);
            let batch = batch.map_err(|failure| encode_error(names, failure))?;
            for (document, ids) in documents.iter().zip(batch.iter()) {
                bytes += document.as_ref().len() as u64;
                tokens += ids.len() as u64;
                writer.document(ids)?;
            }
            Ok(())
        })?;
        writer.finish()
    })?;
    progress.close(
        &format!(
            "encoded {} bytes into {} tokens, {:.2} bytes per token,",
            number(bytes),
            number(tokens),
            bytes as f64 / tokens.max(1) as f64,
        ),
        bytes,
    );
    Ok(())
}

fn choose_format(
    wanted: Option<IdFormat>,
    output: &Output,
    model: &Model,
    progress: &Progress,
) -> Result<IdFormat, CommandError> {
    let format = wanted.unwrap_or_else(|| IdFormat::of_path(output.path(), model.id_limit()));
    if !format.holds(model.id_limit()) {
        return Err(CommandError::IdsTooHigh {
            output: output.to_string(),
            highest: model.id_limit() - 1,
        });
    }
    if format.is_binary() && output.is_terminal() {
        return Err(UsageError::BinaryToTerminal(format.as_str()).into());
    }
    if wanted.is_none() && IdFormat::is_width_left_open(output.path()) {
        progress.note(&format!("{output}: ids are written as {}", format.as_str()));
    }
    Ok(format)
}
