//! The answers of `rustbpe` and `tiktoken`: see `fixtures/README.md`.

use serde_json::Value;

use crate::support::{Folder, fixture, fixture_text, sha256};

const PATTERNS: [&str; 4] = ["gpt2", "cl100k", "o200k", "nanochat"];

fn fixture_path(name: &str) -> String {
    fixture(name).to_str().unwrap().to_owned()
}

#[test]
fn training_gives_the_tables_of_rustbpe() {
    let folder = Folder::new();
    let corpus = fixture_path("corpus.txt");
    let sizes: Value = serde_json::from_str(&fixture_text("golden/training.json")).unwrap();
    for pattern in PATTERNS {
        let train = |size: &str, threads: &str| {
            let options = [
                "--vocab-size",
                size,
                "--pattern",
                pattern,
                "--threads",
                threads,
            ];
            let arguments = [&["train", &corpus, "-o", "m.tiktoken", "-q"], &options[..]].concat();
            folder.run(&arguments).succeeds();
            folder.read("m.tiktoken")
        };
        let golden = std::fs::read(fixture(&format!("golden/{pattern}.tiktoken"))).unwrap();
        for threads in ["1", "2", "3", "8"] {
            assert!(
                train("2048", threads) == golden,
                "{pattern}, {threads} threads"
            );
        }
        for entry in sizes[pattern].as_array().unwrap() {
            let size = entry["vocab_size"].to_string();
            let want = entry["sha256"].as_str().unwrap();
            assert_eq!(sha256(&train(&size, "2")), want, "{pattern}, {size} ids");
        }
    }
}

#[test]
fn encoding_gives_the_ids_of_tiktoken() {
    let folder = Folder::new();
    let corpus = fixture_path("corpus.txt");
    let whole: Value = serde_json::from_str(&fixture_text("golden/corpus_ids.json")).unwrap();
    for pattern in PATTERNS {
        let table = fixture_path(&format!("golden/{pattern}.tiktoken"));
        let model = ["-m", &table, "--pattern", pattern, "-q"];

        let arguments = [&["encode", &corpus, "--format", "u32"], &model[..]].concat();
        let ids = folder.run(&arguments).succeeds().stdout;
        assert_eq!(
            ids.len() as u64 / 4,
            whole[pattern]["tokens"].as_u64().unwrap()
        );
        assert_eq!(
            sha256(&ids),
            whole[pattern]["sha256_u32le"].as_str().unwrap(),
            "{pattern}"
        );

        let golden = fixture_text(&format!("golden/{pattern}.jsonl"));
        let cases: Vec<Value> = golden
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let names: Vec<String> = (0..cases.len()).map(|case| format!("{case}.txt")).collect();
        for (case, name) in cases.iter().zip(&names) {
            folder.write(name, case["text"].as_str().unwrap());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let arguments = [&["encode", "--format", "jsonl"], &names[..], &model[..]].concat();
        let run = folder.run(&arguments).succeeds();
        let lines: Vec<&str> = run.text().lines().collect();
        assert_eq!(lines.len(), cases.len());
        for (case, line) in cases.iter().zip(lines) {
            let got: Value = serde_json::from_str(line).unwrap();
            assert_eq!(got["ids"], case["ids"], "{pattern}: {}", case["text"]);
        }

        let decoded = folder.run(
            &[
                &["decode", &fixture_path(&format!("golden/{pattern}.jsonl"))],
                &model[..],
            ]
            .concat(),
        );
        let texts: String = cases
            .iter()
            .map(|case| case["text"].as_str().unwrap())
            .collect();
        assert!(decoded.succeeds().text() == texts, "{pattern}");
    }
}
