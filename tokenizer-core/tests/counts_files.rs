//! Reads tables of piece counts written by other programs.
#![cfg(all(feature = "files", feature = "parquet"))]

use std::path::Path;

use tokenizer_core::Pattern;
use tokenizer_core::corpus::{LoadCountsError, load_counts};

fn load(name: &str, pattern: Option<&str>) -> Result<Vec<(Vec<u8>, u64)>, LoadCountsError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/counts");
    let pattern: Option<Pattern> = pattern.map(|name| name.parse().unwrap());
    let words = load_counts(&folder.join(name), pattern.as_ref())?.words;
    let mut rows: Vec<_> = words.iter().map(|(p, c)| (p.to_vec(), c)).collect();
    rows.sort();
    Ok(rows)
}

fn rows(the: u64) -> Vec<(Vec<u8>, u64)> {
    let rows = [(&b" cat"[..], 2), (b"the", the), (b"\xFF\0", 3)];
    rows.map(|(piece, count)| (piece.to_vec(), count)).to_vec()
}

#[test]
fn tables_of_other_programs_are_read() {
    let large = (1 << 40) + 1;
    assert_eq!(load("pyarrow.parquet", None).unwrap(), rows(large));
    assert_eq!(load("polars.parquet", Some("gpt2")).unwrap(), rows(5));
    assert_eq!(load("duckdb.parquet", Some("gpt2")).unwrap(), rows(large));
}

#[test]
fn a_missing_pattern_is_required_and_another_is_refused() {
    let fails = |name, pattern| load(name, pattern).unwrap_err().to_string();
    let error = fails("polars.parquet", None);
    assert!(
        error.contains("polars.parquet: no pattern in the file"),
        "{error}"
    );
    let error = fails("pyarrow.parquet", Some("gpt2"));
    assert!(
        error.ends_with("split by another pattern: cl100k"),
        "{error}"
    );
}

#[test]
fn strings_are_refused() {
    let error = load("strings.parquet", Some("gpt2"))
        .unwrap_err()
        .to_string();
    let want = "strings.parquet: column \"piece\": expected binary, found string";
    assert!(error.ends_with(want), "{error}");
}
