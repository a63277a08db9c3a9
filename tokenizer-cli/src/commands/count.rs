//! `tokenizer count`: the number of tokens in documents.

use std::ffi::OsStr;
use std::path::Path;

use tokenizer_core::{Request, Tokenizer};

use super::models::{affixes, load};
use super::pipeline;
use crate::args::CountArguments;
use crate::error::Result;
use crate::input::InputText;
use crate::input_name::InputName;
use crate::output::{Output, OutputWriter};
use crate::progress::Progress;

pub(crate) fn run(arguments: &CountArguments, progress: &Progress) -> Result<()> {
    let inputs = arguments.documents.open()?;
    let tokenizer = Tokenizer::new(load(&arguments.model, progress)?);
    let added = affixes(tokenizer.model(), arguments.post_process)?;
    let added = (added.before.len() + added.after.len()) as u64;
    let output = Output::STANDARD;
    output.write(|writer| {
        let stage = progress.bytes_of("counting tokens", inputs.total_bytes);
        let request = tokenizer.request();
        let count = |request: Request<'_>, texts: &[InputText]| request.count_batch(texts);
        let cut = pipeline::cut_for(&tokenizer);
        let names = &inputs.names;
        let mut sums = vec![[0; 2]; names.len()];
        // The inputs whose lines are not written yet.
        let mut pending = 0..sums.len();
        let spent = pipeline::run(&inputs, cut, 0, &stage, request, count, |texts, counts| {
            for (text, tokens) in texts.iter().zip(counts) {
                while pending.start < text.input {
                    write_line(writer, sums[pending.start], name(&names[pending.start]))?;
                    pending.start += 1;
                }
                let [all_tokens, bytes] = &mut sums[text.input];
                *all_tokens += tokens as u64 + added * u64::from(text.stretch.ends_document);
                *bytes += text.as_ref().len() as u64;
            }
            Ok(())
        })?;
        for input in pending {
            write_line(writer, sums[input], name(&names[input]))?;
        }
        let tokens = sums.iter().map(|[tokens, _]| tokens).sum();
        if sums.len() != 1 {
            write_line(writer, [tokens, stage.bytes()], OsStr::new("total"))?;
        }
        spent.end(progress, stage, tokens);
        Ok(())
    })
}

/// Writes the bytes of `name` unchanged, UTF-8 or not, so that another program can open the file.
fn write_line(
    writer: &mut OutputWriter<'_>,
    [tokens, bytes]: [u64; 2],
    name: &OsStr,
) -> Result<()> {
    write!(writer, "{tokens}\t{bytes}\t")?;
    writer.write_all(name.as_encoded_bytes())?;
    writer.write_all(b"\n")
}

fn name(input: &InputName) -> &OsStr {
    input.path().map_or(OsStr::new("-"), Path::as_os_str)
}
