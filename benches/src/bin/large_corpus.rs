//! Generates a corpus of any size, deterministically.
//!
//!     cargo run --release -p benches --bin large_corpus -- KIND OUT BYTES SEED [INPUT...]
//!
//! `KIND` is one of:
//!
//! - `text`: recombined lines and words of the inputs with a long tail of new words, so that the number
//!   of distinct words grows as in real text;
//! - `word`: one word of random letters;
//! - `letter`: one repeated letter;
//! - `chinese`: Chinese without spaces, imitating the Chinese in the inputs.
//!
//! Without inputs, `text` and `chinese` use the corpora in `../shared/data` or `fixtures`. A gigabyte of
//! text takes about 15 s.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use benches::corpora;
use benches::generated::{self, Recombined};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match make(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("large_corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [kind, out, bytes, seed, inputs @ ..] = arguments else {
        return Err(
            "usage: large_corpus text|word|letter|chinese OUT BYTES SEED [INPUT...]".into(),
        );
    };
    let (bytes, seed) = (bytes.parse()?, seed.parse()?);
    let read = || -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        if inputs.is_empty() {
            let all = corpora::all().iter().filter(|corpus| corpus.is_natural());
            return Ok(all.map(|corpus| corpus.text().to_vec()).collect());
        }
        let read = |path| fs::read(path).map_err(|error| format!("{path}: {error}").into());
        inputs.iter().map(read).collect()
    };
    let file = File::create(out).map_err(|error| format!("{out}: {error}"))?;
    let mut output = BufWriter::with_capacity(1 << 20, file);
    match kind.as_str() {
        "text" => {
            let sources = read()?;
            let sources = sources.iter().map(Vec::as_slice);
            Recombined::new(sources, seed).write(&mut output, bytes)?;
        }
        "word" => generated::one_word(&mut output, bytes, seed)?,
        "letter" => generated::one_letter(&mut output, bytes)?,
        "chinese" => generated::chinese(&mut output, bytes, seed, &read()?.concat())?,
        other => {
            return Err(
                format!("unknown kind {other:?} (expected text, word, letter or chinese)").into(),
            );
        }
    }
    Ok(output.flush()?)
}
