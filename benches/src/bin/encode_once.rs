//! Loads a model, encodes a text and prints measurements as JSON.
//!
//!     cargo run --release -p benches --bin encode_once -- MODEL PATTERN TEXT PASSES [THREADS]
//!
//! `MODEL` and `TEXT` are files. `PATTERN` is the pattern of a `.tiktoken` file, or `-` for other models.
//! Times are in seconds:
//!
//! | field | meaning |
//! | --- | --- |
//! | `load` | time from the path to a tokenizer |
//! | `sentence` | time of its first call, on one sentence |
//! | `passes` | times of all passes over the text |
//! | `tokens`, `crc` | the number of ids of the text, and their CRC-32 as little-endian u32 |
//! | `peak` | peak resident size of the process in bytes, including the text (Linux only) |

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use benches::encoding::SENTENCE;
use tokenizer_core::corpus::load_model;
use tokenizer_core::{Pattern, Tokenizer};

const USAGE: &str = "usage: encode_once MODEL PATTERN TEXT PASSES [THREADS]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("encode_once: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [model, pattern, text, passes, threads @ ..] = arguments else {
        return Err(USAGE.into());
    };
    let passes: usize = passes.parse()?;
    let threads = match threads {
        [] => 1,
        [threads] => threads.parse()?,
        _ => return Err(USAGE.into()),
    };
    let text = fs::read(text).map_err(|error| format!("{text}: {error}"))?;

    let start = Instant::now();
    let pattern: Option<Pattern> = match pattern.as_str() {
        "-" => None,
        pattern => Some(pattern.parse()?),
    };
    let tokenizer = Tokenizer::new(load_model(Path::new(model), pattern)?);
    let load = start.elapsed().as_secs_f64();
    let start = Instant::now();
    tokenizer.encode(SENTENCE.as_bytes())?;
    let sentence = start.elapsed().as_secs_f64();

    let mut times = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..passes {
        // Freeing the previous ids is not timed.
        drop(std::mem::take(&mut ids));
        let start = Instant::now();
        ids = tokenizer.request().threads(threads).encode(&text)?;
        times.push(start.elapsed().as_secs_f64());
    }
    let mut crc = crc32fast::Hasher::new();
    ids.iter().for_each(|id| crc.update(&id.to_le_bytes()));
    println!(
        "{{\"load\": {load}, \"sentence\": {sentence}, \"passes\": {times:?}, \
         \"tokens\": {}, \"crc\": {}, \"peak\": {}}}",
        ids.len(),
        crc.finalize(),
        peak().map_or("null".into(), |bytes| bytes.to_string()),
    );
    Ok(())
}

/// The peak resident size of this process in bytes.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
