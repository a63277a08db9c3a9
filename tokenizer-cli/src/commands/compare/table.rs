//! The comparison as text and as JSON.

use std::fmt::Write;

use serde_json::json;

use super::measure::{Compared, Comparison, Measured};
use super::names;
use crate::progress::number;
use crate::terminal::{escape, fit, width};

/// Width of a terminal, in columns.
const WIDTH: usize = 80;

/// Least width of the names of models, in columns.
const NAME_WIDTH: usize = 10;

/// Which values of a column are better. A value times this number is its score; the highest score is best.
const MORE: f64 = 1.0;
const FEWER: f64 = -1.0;
const NEITHER: f64 = 0.0;

/// A column of the table.
pub(super) struct Column {
    pub(super) title: &'static str,
    /// The two lines of the title on a terminal.
    lines: [&'static str; 2],
    better: f64,
    value: fn(&Compared, &Measured) -> f64,
    show: fn(f64) -> String,
}

pub(super) const COLUMNS: [Column; 7] = [
    Column {
        title: "tokens",
        lines: ["", "tokens"],
        better: FEWER,
        value: |_, measured| measured.tokens as f64,
        show: whole,
    },
    Column {
        title: "bytes per token",
        lines: ["bytes/", "token"],
        better: MORE,
        value: |_, measured| measured.bytes_per_token,
        show: |value| format!("{value:.3}"),
    },
    Column {
        title: "characters per token",
        lines: ["chars/", "token"],
        better: MORE,
        value: |_, measured| measured.characters_per_token,
        show: |value| format!("{value:.3}"),
    },
    Column {
        title: "tokens per word",
        lines: ["tokens/", "word"],
        better: FEWER,
        value: |_, measured| measured.tokens_per_word,
        show: |value| format!("{value:.3}"),
    },
    Column {
        title: "vocabulary size",
        lines: ["vocab", "size"],
        better: NEITHER,
        value: |model, _| model.tokens as f64,
        show: whole,
    },
    Column {
        title: "vocabulary used",
        lines: ["vocab", "used"],
        better: NEITHER,
        value: |model, measured| 100.0 * measured.used_tokens as f64 / model.tokens.max(1) as f64,
        show: |value| format!("{value:.1} %"),
    },
    Column {
        title: "MB/s",
        lines: ["", "MB/s"],
        better: MORE,
        value: |_, measured| measured.mb_per_second,
        show: |value| format!("{value:.1}"),
    },
];

fn whole(value: f64) -> String {
    number(value as u64).to_string()
}

/// The measurements of all models on one corpus, or on all of them.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) rows: Vec<[Cell; COLUMNS.len()]>,
}

pub(super) struct Cell {
    pub(super) text: String,
    /// Whether this is the best value of several models. If several are best, all of them are marked.
    pub(super) is_best: bool,
}

/// Returns a section for each corpus; the last of several is the total.
pub(super) fn sections(comparison: &Comparison) -> Vec<Section> {
    let mut sections: Vec<(&str, &[Measured])> = Vec::new();
    for corpus in &comparison.corpora {
        sections.push((&corpus.corpus, &corpus.models));
    }
    if sections.len() > 1 {
        sections.push(("all corpora", &comparison.total));
    }
    let section = |(title, measured): (&str, &[Measured])| {
        let value = |column: &Column, index: usize| {
            (column.value)(&comparison.models[index], &measured[index])
        };
        let cell = |column: &Column, index| {
            let score = |index| column.better * value(column, index);
            let mut all = 0..measured.len();
            let is_best = all.all(|other| score(other) <= score(index));
            Cell {
                text: (column.show)(value(column, index)),
                is_best: is_best && column.better != NEITHER && measured.len() > 1,
            }
        };
        let row = |index| COLUMNS.each_ref().map(|column| cell(column, index));
        Section {
            title: title.to_owned(),
            rows: (0..measured.len()).map(row).collect(),
        }
    };
    sections.into_iter().map(section).collect()
}

const LEGEND: &str =
    "* best: fewest tokens, most bytes and chars per token, fewest per word, fastest";

/// Returns the table, with a section for each corpus and in it a row for each model. It is at most [`WIDTH`]
/// columns wide, unless its numbers need more.
pub(super) fn text(comparison: &Comparison) -> String {
    let sections = sections(comparison);
    let all_rows = || sections.iter().flat_map(|section| &section.rows);
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(|column| {
        let title = COLUMNS[column].lines.map(str::len);
        let cells = all_rows().map(|row| row[column].text.len());
        cells.chain(title).max().unwrap_or(0)
    });
    // A column is preceded by a space, and followed by one or by the mark of the best value.
    let used: usize = widths.iter().map(|width| width + 2).sum();
    let name_width = WIDTH.saturating_sub(used).max(NAME_WIDTH);
    let names = row_names(comparison, name_width);

    let mut text = String::new();
    for line in 0..2 {
        let titles = COLUMNS.each_ref().map(|column| (column.lines[line], false));
        let name = ["", "model"][line];
        push_row(&mut text, name, name_width, titles, widths);
    }
    for section in &sections {
        let title = escape(&section.title);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{}", fit(&title, WIDTH));
        for (name, row) in names.iter().zip(&section.rows) {
            let cells = row
                .each_ref()
                .map(|cell| (cell.text.as_str(), cell.is_best));
            push_row(&mut text, name, name_width, cells, widths);
        }
    }
    if comparison.models.len() > 1 {
        let _ = writeln!(text, "\n{LEGEND}");
    }
    text
}

/// Returns the indented names of the models. They are numbered if shortening has made two of them equal.
fn row_names(comparison: &Comparison, limit: usize) -> Vec<String> {
    let names = distinct_names(comparison);
    let indented = |name: String| fit(&format!("  {}", escape(&name)), limit).into_owned();
    let fitted: Vec<String> = names.iter().cloned().map(indented).collect();
    let has_duplicates = (1..fitted.len()).any(|index| fitted[..index].contains(&fitted[index]));
    if !has_duplicates {
        return fitted;
    }
    let numbered = (1..)
        .zip(names)
        .map(|(number, name)| format!("{number} {name}"));
    numbered.map(indented).collect()
}

/// Returns the shortest names that distinguish the models.
pub(super) fn distinct_names(comparison: &Comparison) -> Vec<String> {
    let names = comparison.models.iter().map(|model| model.name.as_str());
    names::distinct(&names.collect::<Vec<_>>())
}

fn push_row(
    text: &mut String,
    name: &str,
    name_width: usize,
    cells: [(&str, bool); COLUMNS.len()],
    widths: [usize; COLUMNS.len()],
) {
    let padding = " ".repeat(name_width - width(name));
    let mut line = format!("{name}{padding}");
    for ((cell, is_best), width) in cells.into_iter().zip(widths) {
        let mark = if is_best { '*' } else { ' ' };
        let _ = write!(line, " {cell:>width$}{mark}");
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

pub(super) fn json(comparison: &Comparison) -> String {
    format!("{:#}\n", json!(comparison))
}
