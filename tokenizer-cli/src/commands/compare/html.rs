//! A comparison as a page for a browser: a table and three charts, one file, nothing from elsewhere,
//! for light and for dark.

use std::fmt::Write;

use super::table::{heads, rows};
use super::{Comparison, LENGTHS};
use crate::commands::escape_html;
use crate::progress::number;

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tokenizers compared</title>
<style>
:root { color-scheme: light dark; --back: #fff; --fore: #1b1b1b; --dim: #6a6a6a; --line: #d0d0d0;
  --c0: #2f6fb7; --c1: #d9822b; --c2: #2e9e5b; --c3: #c23b4b; --c4: #7b55c7; --c5: #7d7d7d; }
@media (prefers-color-scheme: dark) { :root { --back: #16181b; --fore: #ececec; --dim: #9a9a9a;
  --line: #3a3d42; --c0: #6aa7ea; --c1: #f0a860; --c2: #62cf8f; --c3: #ef7a87; --c4: #b095f0;
  --c5: #b0b0b0; } }
body { background: var(--back); color: var(--fore); margin: 2em auto; max-width: 62em;
  padding: 0 1em; font: 15px/1.5 system-ui, sans-serif; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3em .6em; text-align: right;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; min-width: 8em; white-space: normal;
  overflow-wrap: anywhere; }
.corpus th { padding-top: 1.2em; } .legend span { margin-right: 1.5em; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; } text { fill: var(--fore); font-size: 12px; }
@media (max-width: 40em) { text { font-size: 18px; } }
.axis { stroke: var(--line); fill: none; } .dim { fill: var(--dim); }
</style>
</head>
<body>
"#;

/// The size of a chart, and how much of it is around what is drawn.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 50.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 20.0;

/// About as wide is a letter.
const LETTER: f64 = 7.5;

pub(super) fn page(comparison: &Comparison) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("<h1>Tokenizers compared</h1>\n");
    table(comparison, &mut page);
    legend(comparison, &mut page);
    bars(comparison, &mut page);
    lengths(comparison, &mut page);
    sizes(comparison, &mut page);
    page.push_str("</body>\n</html>\n");
    page
}

fn color(model: usize) -> String {
    format!("var(--c{})", model % 6)
}

/// The rows of each corpus under its name.
fn table(comparison: &Comparison, page: &mut String) {
    let [_, heads @ ..] = heads();
    page.push_str("<div class=\"wide\"><table>\n<tr>");
    // Writing to a string cannot fail, here and below.
    for head in heads {
        let _ = write!(page, "<th>{head}</th>");
    }
    page.push_str("</tr>\n");
    for (place, [corpus, cells @ ..]) in rows(comparison).iter().enumerate() {
        if place % comparison.models.len().max(1) == 0 {
            let (columns, corpus) = (heads.len(), escape_html(corpus));
            let _ = writeln!(
                page,
                "<tr class=\"corpus\"><th colspan=\"{columns}\">{corpus}</th></tr>"
            );
        }
        page.push_str("<tr>");
        for cell in cells {
            let _ = write!(page, "<td>{}</td>", escape_html(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

fn legend(comparison: &Comparison, page: &mut String) {
    page.push_str("<p class=\"legend\">");
    for (number, model) in comparison.models.iter().enumerate() {
        let (color, name) = (color(number), escape_html(&model.name));
        let _ = write!(
            page,
            "<span><b style=\"color: {color}\">■</b> {name}</span> "
        );
    }
    page.push_str("</p>\n");
}

/// The distance of the lines of a chart whose values go up to `most`: 1, 2 or 5, or ten times as much
/// and so on, so that there are few of them.
fn step(most: f64) -> f64 {
    let least = most.max(1e-9) / 5.0;
    let ten = 10f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * ten);
    steps
        .into_iter()
        .find(|&step| step >= least)
        .unwrap_or(least)
}

/// Begins a chart whose values go up to `most`, with lines at some of them.
fn begin(page: &mut String, title: &str, most: f64) {
    let _ = write!(
        page,
        "<h2>{title}</h2>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n"
    );
    let step = step(most);
    let digits = if step < 1.0 { 1 } else { 0 };
    for line in 0..=(most / step) as u32 {
        let value = step * f64::from(line);
        let y = height(value, most);
        let _ = writeln!(
            page,
            "<path class=\"axis\" d=\"M{LEFT} {y:.1}H{WIDTH}\"/>\
             <text class=\"dim\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.digits$}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
}

/// The last part of a path, as much of it as there is room for, in units of the chart.
fn short_name(path: &str, room: f64) -> String {
    let name = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(path);
    let most = ((room / LETTER) as usize).max(2);
    if name.chars().count() <= most {
        return name.to_owned();
    }
    let beginning: String = name.chars().take(most - 1).collect();
    beginning + "…"
}

fn height(value: f64, most: f64) -> f64 {
    let room = HEIGHT - BOTTOM - TOP;
    HEIGHT - BOTTOM - room * value / most.max(1e-9)
}

/// Bytes per token of each model on each corpus.
fn bars(comparison: &Comparison, page: &mut String) {
    let all = comparison.corpora.iter().flat_map(|(_, row)| row);
    let most = all.map(|m| m.bytes_per_token()).fold(1.0, f64::max) * 1.1;
    begin(page, "Bytes per token, by corpus", most);
    let group = (WIDTH - LEFT) / comparison.corpora.len().max(1) as f64;
    let bar = group * 0.8 / comparison.models.len().max(1) as f64;
    for (place, (corpus, row)) in comparison.corpora.iter().enumerate() {
        let start = LEFT + group * (place as f64 + 0.1);
        for (model, measured) in row.iter().enumerate() {
            let value = measured.bytes_per_token();
            let (x, y) = (start + bar * model as f64, height(value, most));
            let _ = writeln!(
                page,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\">\
                 <title>{}: {value:.3}</title></rect>",
                bar * 0.9,
                HEIGHT - BOTTOM - y,
                color(model),
                escape_html(&comparison.models[model].name),
            );
        }
        let _ = writeln!(
            page,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}<title>{}</title></text>",
            start + group * 0.4,
            HEIGHT - BOTTOM + 18.0,
            escape_html(&short_name(corpus, group)),
            escape_html(corpus)
        );
    }
    page.push_str("</svg>\n");
}

/// Which share of each vocabulary has tokens of so many bytes.
fn lengths(comparison: &Comparison, page: &mut String) {
    let share = |count: u64, tokens: usize| 100.0 * count as f64 / tokens.max(1) as f64;
    let all = comparison.models.iter();
    let all = all.flat_map(|model| model.lengths.iter().map(|&n| share(n, model.tokens)));
    let most = all.fold(1.0, f64::max) * 1.1;
    begin(
        page,
        "Tokens by their bytes, in percent of the vocabulary",
        most,
    );
    let step = (WIDTH - LEFT) / LENGTHS as f64;
    let x = |length: usize| LEFT + step * (length as f64 + 0.5);
    for (number, model) in comparison.models.iter().enumerate() {
        let points: Vec<String> = (model.lengths.iter().enumerate())
            .map(|(length, &count)| {
                let y = height(share(count, model.tokens), most);
                format!("{:.1},{y:.1}", x(length))
            })
            .collect();
        let _ = writeln!(
            page,
            "<polyline points=\"{}\" fill=\"none\" stroke-width=\"2\" stroke=\"{}\"/>",
            points.join(" "),
            color(number)
        );
    }
    for length in 0..LENGTHS {
        let more = if length + 1 == LENGTHS { "+" } else { "" };
        let _ = writeln!(
            page,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}{more}</text>",
            x(length),
            HEIGHT - BOTTOM + 18.0,
            length + 1
        );
    }
    page.push_str("</svg>\n");
}

/// Bytes per token of all corpora together against the size of the vocabulary.
fn sizes(comparison: &Comparison, page: &mut String) {
    let compression = |model: usize| {
        let sum = |of: fn(&super::Measured) -> u64| -> u64 {
            comparison
                .corpora
                .iter()
                .map(|(_, row)| of(&row[model]))
                .sum()
        };
        sum(|m| m.bytes) as f64 / sum(|m| m.tokens).max(1) as f64
    };
    let values: Vec<f64> = (0..comparison.models.len()).map(compression).collect();
    let most = values.iter().copied().fold(1.0, f64::max) * 1.1;
    begin(
        page,
        "Bytes per token, all corpora, by size of the vocabulary",
        most,
    );
    let size = |model: usize| (comparison.models[model].tokens.max(1) as f64).log2();
    let sizes = (0..values.len()).map(size);
    let (least, largest) = sizes.fold((f64::MAX, 0.0f64), |(a, b), s| (a.min(s), b.max(s)));
    let span = (largest - least).max(1e-9);
    // Labels of sizes that are nearly the same would stand in each other.
    let mut labels: Vec<f64> = Vec::new();
    for (place, &value) in values.iter().enumerate() {
        let share = if largest > least {
            (size(place) - least) / span
        } else {
            0.5
        };
        let (x, y) = (
            LEFT + 60.0 + share * (WIDTH - LEFT - 120.0),
            height(value, most),
        );
        let model = &comparison.models[place];
        let tokens = number(model.tokens as u64);
        let _ = writeln!(
            page,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{}\">\
             <title>{}, {tokens} tokens: {value:.3}</title></circle>",
            color(place),
            escape_html(&model.name),
        );
        if labels.iter().all(|label| (label - x).abs() > 8.0 * LETTER) {
            labels.push(x);
            let _ = writeln!(
                page,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tokens}</text>",
                HEIGHT - BOTTOM + 18.0
            );
        }
    }
    page.push_str("</svg>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_at_round_values() {
        for (most, distance) in [
            (4.1, 1.0),
            (55.0, 20.0),
            (1.1, 0.5),
            (24.0, 5.0),
            (2.3, 0.5),
        ] {
            assert!(
                (step(most) - distance).abs() < 1e-9,
                "{most}: {}",
                step(most)
            );
        }
        assert!(step(0.0) > 0.0);
    }

    #[test]
    fn names_are_cut_to_the_room_there_is() {
        assert_eq!(short_name("a/b/corpus.txt", 200.0), "corpus.txt");
        assert_eq!(short_name("a/b/", 200.0), "b");
        assert_eq!(short_name("東京の電車.txt", 40.0), "東京の電…");
        assert_eq!(short_name("corpus", 0.0), "c…");
    }
}
