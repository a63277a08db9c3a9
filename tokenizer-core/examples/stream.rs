//! Encodes a text that arrives in chunks and decodes the ids one by one, as a chat server does.
//!
//! The ids are those of the whole text, wherever the chunks end. The encoder holds back only the text after
//! the last position where the pattern certainly splits.
//!
//! ```sh
//! cargo run -p byte-level-bpe --example stream [FILE]
//! ```

use std::error::Error;
use std::io::Write;

use tokenizer_core::{CountOptions, Pattern, Tokenizer, TrainOptions, count_pieces, train};

const TEXT: &str = "Characters like 東京 and 🙂 may be cut by a chunk, and so may words.";

/// Number of bytes in a chunk: few, so that some chunks end within a character.
const CHUNK: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => TEXT.into(),
    };
    let pattern: Pattern = "o200k".parse()?;
    let counts = count_pieces([&text], &pattern, &CountOptions::default())?;
    let trained = train(&counts, &TrainOptions::new(270))?;
    let tokenizer = Tokenizer::from_trained(pattern, trained)?;

    let mut encoder = tokenizer.request().stream();
    let mut ids = Vec::new();
    for chunk in text.chunks(CHUNK) {
        encoder.push(chunk, &mut ids)?;
    }
    encoder.finish(&mut ids)?;
    assert_eq!(ids, tokenizer.encode(&text)?);

    // Each character is printed as soon as the id with its last byte is decoded.
    let mut decoder = tokenizer.model().decode_stream();
    let mut output = std::io::stdout().lock();
    let mut ready = String::new();
    for &id in &ids {
        decoder.push(id, &mut ready)?;
        output.write_all(ready.as_bytes())?;
        ready.clear();
    }
    decoder.finish(&mut ready);
    writeln!(output, "{ready}")?;
    writeln!(output, "{} ids", ids.len())?;
    Ok(())
}
