//! A comparison as text and as JSON.

use std::fmt::Write;

use serde_json::json;

use super::measure::{Comparison, Corpus};
use crate::progress::number;

pub(super) const HEADS: [&str; 8] = [
    "corpus",
    "model",
    "tokens",
    "bytes/token",
    "characters/token",
    "tokens/word",
    "vocabulary used",
    "MB/s",
];

/// The cells of all rows, one for each corpus and model.
pub(super) fn rows(comparison: &Comparison) -> Vec<[String; 8]> {
    let mut rows = Vec::new();
    for Corpus { corpus, models } in &comparison.corpora {
        for (model, measured) in comparison.models.iter().zip(models) {
            let (used, all) = (measured.used_tokens, model.tokens);
            let share = 100.0 * used as f64 / all.max(1) as f64;
            let (used, all) = (number(used as u64), number(all as u64));
            rows.push([
                corpus.clone(),
                model.name.clone(),
                number(measured.tokens).to_string(),
                format!("{:.3}", measured.bytes_per_token),
                format!("{:.3}", measured.characters_per_token),
                format!("{:.3}", measured.tokens_per_word),
                format!("{used} of {all}, {share:.1} %"),
                format!("{:.1}", measured.mb_per_second),
            ]);
        }
    }
    rows
}

/// Columns under their heads, names to the left and numbers to the right.
pub(super) fn text(comparison: &Comparison) -> String {
    let rows = rows(comparison);
    let escaped = |cell: &str| -> String {
        let shown = |c: char| if c.is_control() { '?' } else { c };
        cell.chars().map(shown).collect()
    };
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEADS[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: [&str; 8]| {
        let mut line = String::new();
        for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
            let cell = escaped(cell);
            // Writing to a string cannot fail.
            let _ = match column {
                0 | 1 => write!(line, "{cell:width$}  "),
                _ => write!(line, "{cell:>width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(HEADS);
    for row in &rows {
        line(std::array::from_fn(|column| row[column].as_str()));
    }
    text
}

pub(super) fn json(comparison: &Comparison) -> String {
    format!("{:#}\n", json!(comparison))
}
