//! `tokenizer count`: how many tokens documents have.

use std::ffi::OsStr;

use tokenizer_core::{EncodeOptions, Encoder};

use crate::args::CountArguments;
use crate::commands::{encode_error, for_documents_together, load};
use crate::error::CommandError;
use crate::input::{InputName, Inputs};
use crate::output::{Output, OutputWriter};
use crate::progress::Progress;

pub(crate) fn run(arguments: &CountArguments, progress: &Progress) -> Result<(), CommandError> {
    let documents = &arguments.documents;
    let inputs = Inputs::open(&documents.inputs, documents.errors)?;
    let model = load(
        &arguments.model.model,
        arguments.model.pattern.pattern.as_ref(),
    )?;
    let encoder = Encoder::new(model);
    let (mut all_tokens, mut all_bytes) = (0, 0);
    let output = Output::Standard;
    output.write(|writer| {
        let stage = progress
            .bytes("counting tokens")
            .unless(output.is_terminal());
        let options = EncodeOptions::new().threads(documents.threads());
        for_documents_together(&inputs, &stage, |names, documents| {
            let counts = encoder.count_batch_with(documents, options);
            let counts = counts.map_err(|failure| encode_error(names, failure))?;
            for ((name, document), tokens) in names.iter().zip(documents).zip(counts) {
                let bytes = document.as_ref().len();
                all_tokens += tokens;
                all_bytes += bytes;
                let name = match name {
                    InputName::Standard => OsStr::new("-"),
                    InputName::File(path) => path.as_os_str(),
                };
                line(writer, tokens, bytes, name)?;
            }
            Ok(())
        })?;
        if inputs.names().len() > 1 {
            line(writer, all_tokens, all_bytes, OsStr::new("total"))?;
        }
        Ok(())
    })
}

/// The name as the bytes it is made of, so that another program finds the file again.
fn line(
    writer: &mut OutputWriter<'_>,
    tokens: usize,
    bytes: usize,
    name: &OsStr,
) -> Result<(), CommandError> {
    writer.write_all(format!("{tokens}\t{bytes}\t").as_bytes())?;
    writer.write_all(name.as_encoded_bytes())?;
    writer.write_all(b"\n")
}
