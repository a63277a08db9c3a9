//! Encodes many documents on all cores. Each line of the file is a document.
//!
//! ```sh
//! cargo run --release -p byte-level-bpe --example batch [FILE]
//! ```

use std::error::Error;
use std::time::Instant;

use tokenizer_core::{CountOptions, Pattern, Tokenizer, TrainOptions, count_pieces, train};

const TEXT: &str =
    "A short document.\nAnother one, somewhat longer than the first.\n\nThe last document.";

fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read_to_string(path)?,
        None => TEXT.into(),
    };
    let documents: Vec<&str> = text.lines().collect();
    let pattern: Pattern = "cl100k".parse()?;
    let counts = count_pieces(&documents, &pattern, &CountOptions::default())?;
    let trained = train(&counts, &TrainOptions::new(270))?;
    let tokenizer = Tokenizer::from_trained(pattern, trained)?;

    // The ids are the same for any number of threads.
    let threads = std::thread::available_parallelism()?.get();
    let start = Instant::now();
    let batch = tokenizer
        .request()
        .threads(threads)
        .encode_batch(&documents)?;
    let seconds = start.elapsed().as_secs_f64();

    // One allocation holds the ids of all documents; `iter` yields a slice for each.
    for (document, ids) in documents.iter().zip(batch.iter()).take(10) {
        println!("{} bytes\t{} ids", document.len(), ids.len());
        assert_eq!(tokenizer.decode(ids)?, document.as_bytes());
    }
    println!(
        "{} documents, {} ids, {seconds:.4} s",
        documents.len(),
        batch.ids.len()
    );
    Ok(())
}
