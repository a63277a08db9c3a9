//! Compares the cost of published pre-tokenizers ("chains"): splitting and encoding with one vocabulary.
//!
//!     cargo run --release -p benches --bin chain_table -- CHAINS VOCABULARY TEXT [ROUNDS]
//!
//! `CHAINS` is a JSON array of objects with `name`, `normalizer` and `pre_tokenizer`, such as
//! `../shared/data/chains.json`; `VOCABULARY` is a folder with `vocab.json` and `merges.txt`. Each round
//! runs all chains in turn on one core; a share is the median over the rounds of the speed relative to
//! the chain `llama3`. The pieces of the first megabyte must equal those of the regex engine, and ids
//! must decode to the text, except after normalization. Unsupported chains are listed with the reason.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};
use tokenizer_core::format::huggingface;
use tokenizer_core::internals::{Spans, Tier};
use tokenizer_core::{Model, Pattern, Tokenizer};

const USAGE: &str = "usage: chain_table CHAINS VOCABULARY TEXT [ROUNDS]";

/// The baseline: the pattern of cl100k.
const BASE: &str = "llama3";

/// Bytes whose pieces are compared with the regex engine.
const CHECKED: usize = 1 << 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chain_table: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A chain and its measurements.
struct Chain {
    name: String,
    model: Model,
    /// The number of pieces of the text, counted outside the measured time.
    pieces: usize,
    /// Seconds of splitting and of the first encoding pass, by round.
    split: Vec<f64>,
    first: Vec<f64>,
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [chains, vocabulary, path, rounds @ ..] = arguments else {
        return Err(USAGE.into());
    };
    let rounds = match rounds {
        [] => 5,
        [rounds] => rounds.parse()?,
        _ => return Err(USAGE.into()),
    };
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut chains = read(Path::new(chains), Path::new(vocabulary))?;
    for chain in &mut chains {
        check(chain, &text);
        chain.pieces = pieces(chain.model.pattern(), text.as_bytes());
    }
    for _ in 0..rounds {
        for chain in &mut chains {
            let start = Instant::now();
            let pieces = pieces(chain.model.pattern(), text.as_bytes());
            chain.split.push(start.elapsed().as_secs_f64());
            assert_eq!(pieces, chain.pieces, "pieces of {}", chain.name);
            // A new tokenizer has empty caches.
            let tokenizer = Tokenizer::new(chain.model.clone());
            let start = Instant::now();
            let ids = tokenizer.encode(&text)?;
            chain.first.push(start.elapsed().as_secs_f64());
            if chain.model.normalizer().is_none() {
                assert!(tokenizer.decode(&ids)? == text.as_bytes(), "{}", chain.name);
            }
        }
    }
    print(&chains, Path::new(path), text.len());
    Ok(())
}

/// Builds a model for every supported chain.
fn read(chains: &Path, vocabulary: &Path) -> Result<Vec<Chain>, Box<dyn Error>> {
    let json = |path: &Path| -> Result<Value, Box<dyn Error>> {
        let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    };
    let vocab = json(&vocabulary.join("vocab.json"))?;
    let merges = fs::read_to_string(vocabulary.join("merges.txt"))?;
    let merges = merges.lines().filter(|line| !line.starts_with("#version"));
    let mut file = json!({
        "version": "1.0",
        "added_tokens": [],
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges.collect::<Vec<_>>()},
    });
    let mut read = Vec::new();
    for chain in json(chains)?.as_array().into_iter().flatten() {
        let name = chain["name"].as_str().unwrap_or_default().to_owned();
        file["pre_tokenizer"] = chain["pre_tokenizer"].clone();
        // A chain with a normalizer is also measured without it.
        let normalizer = &chain["normalizer"];
        let plain = (!normalizer.is_null()).then(|| (format!("{name}, plain"), Value::Null));
        for (name, normalizer) in [(name, normalizer.clone())].into_iter().chain(plain) {
            file["normalizer"] = normalizer;
            match huggingface::read(&serde_json::to_vec(&file)?) {
                Ok(model) => read.push(Chain {
                    name,
                    model,
                    pieces: 0,
                    split: Vec::new(),
                    first: Vec::new(),
                }),
                Err(error) => eprintln!("{name} skipped: {error}"),
            }
        }
    }
    Ok(read)
}

fn pieces(pattern: &Pattern, text: &[u8]) -> usize {
    let mut splitter = pattern.split(text);
    let (mut spans, mut pieces) = (Spans::new(), 0);
    while splitter.fill(&mut spans).is_ok_and(|any| any) {
        pieces += spans.len();
    }
    pieces
}

/// Compares the pieces of a chain with those of the regex engine.
///
/// # Panics
/// If they differ.
fn check(chain: &Chain, text: &str) {
    let text = &text.as_bytes()[..text.len().min(CHECKED)];
    let pattern = chain.model.pattern();
    let stages = pattern
        .stages()
        .map(|(source, gaps)| Pattern::through_regex_engine(source, gaps));
    let spelled_from = pattern.spelled_from().unwrap_or(usize::MAX);
    let stages = stages.enumerate().map(|(index, stage)| {
        let stage = stage.expect("it compiled before");
        match index < spelled_from {
            true => stage,
            false => stage.on_spelling(),
        }
    });
    let oracle = Pattern::sequence(stages);
    let ends = |pattern: &Pattern| {
        let pieces = pattern.split_on(Tier::best(), text);
        pieces
            .map(|piece| piece.expect("no stage fails"))
            .collect::<Vec<_>>()
    };
    assert!(ends(pattern) == ends(&oracle), "pieces of {}", chain.name);
}

fn print(chains: &[Chain], text: &Path, bytes: usize) {
    let base = chains.iter().find(|chain| chain.name == BASE);
    let Some(base) = base else {
        return eprintln!("no chain {BASE} to compare with");
    };
    println!("| text | chain | splitting, MB/s | relative to {BASE} | first pass, MB/s | share |");
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    for chain in chains {
        let speed = |times: &[f64]| bytes as f64 / 1e6 / median(times.iter().copied());
        let share =
            |own: &[f64], base: &[f64]| median(own.iter().zip(base).map(|(own, base)| base / own));
        println!(
            "| {} | {} | {:.0} | {:.2} | {:.0} | {:.2} |",
            text.file_stem().unwrap_or_default().display(),
            chain.name,
            speed(&chain.split),
            share(&chain.split, &base.split),
            speed(&chain.first),
            share(&chain.first, &base.first),
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
