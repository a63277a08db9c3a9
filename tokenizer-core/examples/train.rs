//! Trains a vocabulary and prints the token of each merge, in the order learned, with its count.
//!
//! ```sh
//! cargo run -p byte-level-bpe --example train [FILE]
//! ```

use std::error::Error;

use tokenizer_core::{CountOptions, Pattern, Tokenizer, TrainOptions, count_pieces, train};

const TEXT: &str = "The cat sat on the mat. The dog sat on the log. The cat and the dog sat still.";

fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => TEXT.into(),
    };
    // Split the text into pieces, count the pieces, then merge the most frequent pairs within pieces.
    let pattern: Pattern = "cl100k".parse()?;
    let counts = count_pieces([&text], &pattern, &CountOptions::default())?;
    let options = TrainOptions::new(280).specials(["<|endoftext|>"]);
    let trained = train(&counts, &options)?;

    println!("{} merges", trained.merges().len());
    let occurrences = trained.counts().to_vec();
    let tokenizer = Tokenizer::from_trained(pattern, trained)?;
    for (id, count) in (256..).zip(occurrences) {
        let token = tokenizer.decode(&[id])?;
        println!("{id}\t{:?}\t{count}", String::from_utf8_lossy(&token));
    }
    Ok(())
}
