//! `tokenizer count`: how many tokens documents have.

use std::ffi::OsStr;

use tokenizer_core::Tokenizer;

use crate::args::CountArguments;
use crate::commands::{load, pipeline};
use crate::error::CommandError;
use crate::input::{InputName, InputText, Inputs};
use crate::output::{Output, OutputWriter};
use crate::progress::Progress;

pub(crate) fn run(arguments: &CountArguments, progress: &Progress) -> Result<(), CommandError> {
    let documents = &arguments.documents;
    let inputs = Inputs::open(&documents.inputs, documents)?;
    let model = load(
        &arguments.model.model,
        arguments.model.pattern.pattern.as_ref(),
        progress,
    )?;
    let tokenizer = Tokenizer::new(model);
    let output = Output::Standard;
    output.write(|writer| {
        let stage = progress
            .bytes_of("counting tokens", inputs.total_bytes())
            .unless(output.is_terminal());
        let mut sums = Sums::new(&inputs);
        let count =
            |texts: &[InputText], threads| tokenizer.request().threads(threads).count_batch(texts);
        let cut = pipeline::cut_for(&tokenizer);
        let spent = pipeline::run(
            &inputs,
            cut,
            0,
            documents.threads(),
            count,
            |texts, counts| {
                for (text, tokens) in texts.iter().zip(counts) {
                    let bytes = text.as_ref().len();
                    sums.move_to(text.input, writer)?;
                    sums.add(tokens, bytes);
                    stage.advance(bytes as u64);
                }
                Ok(())
            },
        )?;
        let (tokens, bytes) = sums.finish(writer)?;
        spent.say(progress, bytes, tokens);
        stage.tokens(tokens);
        Ok(())
    })
}

/// Sums for the input under way and for all.
struct Sums<'i> {
    names: &'i [InputName],
    input: usize,
    tokens: u64,
    bytes: u64,
    all: (u64, u64),
}

impl<'i> Sums<'i> {
    fn new(inputs: &'i Inputs) -> Self {
        Sums {
            names: inputs.names(),
            input: 0,
            tokens: 0,
            bytes: 0,
            all: (0, 0),
        }
    }

    fn add(&mut self, tokens: usize, bytes: usize) {
        self.tokens += tokens as u64;
        self.bytes += bytes as u64;
    }

    /// Writes the line of every input before this one.
    fn move_to(&mut self, input: usize, writer: &mut OutputWriter<'_>) -> Result<(), CommandError> {
        while self.input < input {
            let name = match &self.names[self.input] {
                InputName::Standard => OsStr::new("-"),
                InputName::File(path) => path.as_os_str(),
            };
            let (tokens, bytes) = (self.tokens, self.bytes);
            line(writer, tokens, bytes, name)?;
            self.all = (self.all.0 + tokens, self.all.1 + bytes);
            (self.tokens, self.bytes) = (0, 0);
            self.input += 1;
        }
        Ok(())
    }

    /// Writes what is left, and gives the tokens and bytes of all.
    fn finish(mut self, writer: &mut OutputWriter<'_>) -> Result<(u64, u64), CommandError> {
        self.move_to(self.names.len(), writer)?;
        let (tokens, bytes) = self.all;
        if self.names.len() != 1 {
            line(writer, tokens, bytes, OsStr::new("total"))?;
        }
        Ok(self.all)
    }
}

/// The name as the bytes it is made of, so that another program finds the file again.
fn line(
    writer: &mut OutputWriter<'_>,
    tokens: u64,
    bytes: u64,
    name: &OsStr,
) -> Result<(), CommandError> {
    writer.write_all(format!("{tokens}\t{bytes}\t").as_bytes())?;
    writer.write_all(name.as_encoded_bytes())?;
    writer.write_all(b"\n")
}
