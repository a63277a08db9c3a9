//! Encodes a text with a model file, or with a small vocabulary trained on the text itself.
//!
//! ```sh
//! cargo run -p byte-level-bpe --example encode [FILE [MODEL]]
//! ```
//!
//! MODEL is a `.bpe` file or a `tokenizer.json`.

use std::error::Error;

use tokenizer_core::{CountOptions, Pattern, Tokenizer, TrainOptions, count_pieces, train};

const TEXT: &str = "naïve 東京 🙂, and again: naïve 東京 🙂<|endoftext|>";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let text = match arguments.next() {
        Some(path) => std::fs::read(path)?,
        None => TEXT.into(),
    };
    let tokenizer = match arguments.next() {
        Some(path) => Tokenizer::from_file(path)?,
        None => train_small(&text)?,
    };

    // Special tokens in the text are plain text unless the caller allows them.
    let plain = tokenizer.encode(&text)?;
    let allowed = tokenizer.model().all_specials();
    let ids = tokenizer.request().allow(&allowed).encode(&text)?;
    println!(
        "{} bytes, {} ids ({} if special tokens are plain text)",
        text.len(),
        ids.len(),
        plain.len()
    );

    for &id in ids.iter().take(30) {
        let token = tokenizer.decode(&[id])?;
        println!("{id}\t{:?}", String::from_utf8_lossy(&token));
    }
    assert_eq!(tokenizer.decode(&ids)?, text);
    Ok(())
}

fn train_small(text: &[u8]) -> Result<Tokenizer, Box<dyn Error>> {
    let pattern: Pattern = "o200k".parse()?;
    let counts = count_pieces([text], &pattern, &CountOptions::default())?;
    let options = TrainOptions::new(280).specials(["<|endoftext|>"]);
    Ok(Tokenizer::from_trained(pattern, train(&counts, &options)?)?)
}
