//! `tokenizer count`: how many tokens documents have.

use std::ffi::OsStr;

use tokenizer_core::Tokenizer;

use super::models::load;
use super::pipeline;
use crate::args::CountArguments;
use crate::error::Result;
use crate::input::{InputName, InputText};
use crate::output::{Output, OutputWriter};
use crate::progress::Progress;

pub(crate) fn run(arguments: &CountArguments, progress: &Progress) -> Result<()> {
    let documents = &arguments.documents;
    let inputs = documents.open()?;
    let tokenizer = Tokenizer::new(load(&arguments.model, progress)?);
    let output = Output::STANDARD;
    output.write(|writer| {
        let stage = progress.bytes_of("counting tokens", inputs.total_bytes);
        let stage = stage.unless(output.is_terminal());
        let count =
            |texts: &[InputText], threads| tokenizer.request().threads(threads).count_batch(texts);
        let (cut, threads) = (pipeline::cut_for(&tokenizer), documents.threads());
        let mut sums = vec![Sum::default(); inputs.names.len()];
        let mut pending = 0..sums.len();
        let spent = pipeline::run(&inputs, cut, 0, threads, count, |texts, counts| {
            for (text, tokens) in texts.iter().zip(counts) {
                while pending.start < text.input {
                    let input = pending.start;
                    sums[input].write(writer, name(&inputs.names[input]))?;
                    pending.start += 1;
                }
                let bytes = text.as_ref().len() as u64;
                sums[text.input].tokens += tokens as u64;
                sums[text.input].bytes += bytes;
                stage.advance(bytes);
            }
            Ok(())
        })?;
        for input in pending {
            sums[input].write(writer, name(&inputs.names[input]))?;
        }
        let total = Sum {
            tokens: sums.iter().map(|sum| sum.tokens).sum(),
            bytes: sums.iter().map(|sum| sum.bytes).sum(),
        };
        if sums.len() != 1 {
            total.write(writer, OsStr::new("total"))?;
        }
        spent.say(progress, total.bytes, total.tokens);
        stage.tokens(total.tokens);
        Ok(())
    })
}

#[derive(Clone, Default)]
struct Sum {
    tokens: u64,
    bytes: u64,
}

impl Sum {
    /// The name as the bytes it is made of, so that another program finds the file again.
    fn write(&self, writer: &mut OutputWriter<'_>, name: &OsStr) -> Result<()> {
        write!(writer, "{}\t{}\t", self.tokens, self.bytes)?;
        writer.write_all(name.as_encoded_bytes())?;
        writer.write_all(b"\n")
    }
}

fn name(input: &InputName) -> &OsStr {
    input
        .path()
        .map_or(OsStr::new("-"), |path| path.as_os_str())
}
