//! A comparison as a page for a browser: a table and three charts, one file, nothing from elsewhere,
//! for light and for dark.

use std::fmt::Display;

use super::measure::{Compared, Comparison, Corpus, LENGTHS};
use super::table::{HEADS, rows};
use crate::commands::html::escape;
use crate::progress::{number, shortened};

const HEAD: &str = include_str!("head.html");

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
    for chart in [bars(comparison), lengths(comparison), sizes(comparison)] {
        page.push_str(&chart.svg);
        page.push_str("</svg>\n");
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn color(model: usize) -> String {
    format!("var(--c{})", model % 6)
}

/// The rows of each corpus under its name.
fn table(comparison: &Comparison, page: &mut String) {
    let [_, heads @ ..] = HEADS;
    let columns = heads.len();
    page.push_str("<div class=\"wide\"><table>\n");
    row(page, "th", heads);
    for (place, [corpus, cells @ ..]) in rows(comparison).iter().enumerate() {
        if place % comparison.models.len().max(1) == 0 {
            let corpus = escape(corpus);
            *page += &format!(r#"<tr class="corpus"><th colspan="{columns}">{corpus}</th></tr>"#);
            page.push('\n');
        }
        row(page, "td", cells.each_ref().map(String::as_str));
    }
    page.push_str("</table></div>\n");
}

fn row(page: &mut String, tag: &str, cells: [&str; HEADS.len() - 1]) {
    let cells = cells.map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
    *page += &format!("<tr>{}</tr>\n", cells.concat());
}

fn legend(comparison: &Comparison, page: &mut String) {
    page.push_str("<p class=\"legend\">");
    for (number, model) in comparison.models.iter().enumerate() {
        let (color, name) = (color(number), escape(&model.name));
        *page += &format!(r#"<span><b style="color: {color}">■</b> {name}</span> "#);
    }
    page.push_str("</p>\n");
}

/// A chart of values up to some number.
struct Chart {
    svg: String,
    most: f64,
}

impl Chart {
    /// Values from 0 to a tenth above the highest of `values`, with lines at some of them.
    fn new(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(1.0, f64::max) * 1.1;
        let svg = format!("<h2>{title}</h2>\n");
        let mut chart = Chart { svg, most };
        chart.line(format_args!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">"#
        ));
        let step = step(most);
        let digits = if step < 1.0 { 1 } else { 0 };
        for line in 0..=(most / step) as u32 {
            let value = step * f64::from(line);
            let (y, x) = (chart.height(value), LEFT - 6.0);
            let below = y + 4.0;
            chart.line(format_args!(
                r#"<path class="axis" d="M{LEFT} {y:.1}H{WIDTH}"/><text class="dim" x="{x:.1}" y="{below:.1}" text-anchor="end">{value:.digits$}</text>"#
            ));
        }
        chart
    }

    fn line(&mut self, element: impl Display) {
        self.svg += &format!("{element}\n");
    }

    /// A text under the chart.
    fn label(&mut self, x: f64, text: impl Display) {
        let y = HEIGHT - BOTTOM + 18.0;
        self.line(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="middle">{text}</text>"#
        ));
    }

    fn height(&self, value: f64) -> f64 {
        let room = HEIGHT - BOTTOM - TOP;
        HEIGHT - BOTTOM - room * value / self.most.max(1e-9)
    }
}

/// The distance of the lines of a chart whose values go up to `most`: 1, 2 or 5, or ten times as much
/// and so on, so that there are few of them.
fn step(most: f64) -> f64 {
    let least = most.max(1e-9) / 5.0;
    let ten = 10f64.powf(least.log10().floor());
    let mut steps = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * ten);
    steps.find(|&step| step >= least).unwrap_or(least)
}

/// The last part of a path, as much of it as there is room for, in units of the chart.
fn short_name(path: &str, room: f64) -> String {
    let path = path.trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or(path);
    let most = ((room / LETTER) as usize).max(2);
    match name.chars().count() <= most {
        true => name.to_owned(),
        false => shortened(name, most - 1),
    }
}

/// Bytes per token of each model on each corpus.
fn bars(comparison: &Comparison) -> Chart {
    let all = comparison.corpora.iter().flat_map(|corpus| &corpus.models);
    let mut chart = Chart::new(
        "Bytes per token, by corpus",
        all.map(|measured| measured.bytes_per_token),
    );
    let group = (WIDTH - LEFT) / comparison.corpora.len().max(1) as f64;
    let bar = group * 0.8 / comparison.models.len().max(1) as f64;
    let width = bar * 0.9;
    for (place, Corpus { corpus, models }) in comparison.corpora.iter().enumerate() {
        let start = LEFT + group * (place as f64 + 0.1);
        for (number, (measured, model)) in models.iter().zip(&comparison.models).enumerate() {
            let value = measured.bytes_per_token;
            let (x, y) = (start + bar * number as f64, chart.height(value));
            let height = HEIGHT - BOTTOM - y;
            let (color, name) = (color(number), escape(&model.name));
            chart.line(format_args!(
                r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{color}"><title>{name}: {value:.3}</title></rect>"#
            ));
        }
        let (name, corpus) = (escape(&short_name(corpus, group)), escape(corpus));
        let label = format!("{name}<title>{corpus}</title>");
        chart.label(start + group * 0.4, label);
    }
    chart
}

/// Which share of each vocabulary has tokens of so many bytes.
fn lengths(comparison: &Comparison) -> Chart {
    let shares = |model: &Compared| {
        let tokens = model.tokens.max(1) as f64;
        model
            .tokens_by_bytes
            .map(|count| 100.0 * count as f64 / tokens)
    };
    let mut chart = Chart::new(
        "Tokens by their bytes, in percent of the vocabulary",
        comparison.models.iter().flat_map(shares),
    );
    let step = (WIDTH - LEFT) / LENGTHS as f64;
    let x = |length: usize| LEFT + step * (length as f64 + 0.5);
    for (number, model) in comparison.models.iter().enumerate() {
        let points = shares(model).into_iter().enumerate();
        let point = |(length, share)| format!("{:.1},{:.1}", x(length), chart.height(share));
        let points = points.map(point).collect::<Vec<_>>().join(" ");
        let color = color(number);
        chart.line(format_args!(
            r#"<polyline points="{points}" fill="none" stroke-width="2" stroke="{color}"/>"#
        ));
    }
    for length in 1..LENGTHS {
        chart.label(x(length - 1), length);
    }
    chart.label(x(LENGTHS - 1), format_args!("{LENGTHS}+"));
    chart
}

/// Bytes per token of all corpora together against the size of the vocabulary.
fn sizes(comparison: &Comparison) -> Chart {
    let values = (0..comparison.models.len()).map(|model| {
        let measured = || {
            comparison
                .corpora
                .iter()
                .map(|corpus| &corpus.models[model])
        };
        let bytes: u64 = measured().map(|m| m.bytes).sum();
        let tokens: u64 = measured().map(|m| m.tokens).sum();
        bytes as f64 / tokens.max(1) as f64
    });
    let title = "Bytes per token, all corpora, by size of the vocabulary";
    let mut chart = Chart::new(title, values.clone());
    let size = |model: &Compared| (model.tokens.max(1) as f64).log2();
    let sizes = comparison.models.iter().map(size);
    let (least, largest) = sizes.fold((f64::MAX, 0.0f64), |(a, b), s| (a.min(s), b.max(s)));
    // Labels of sizes that are nearly the same would stand in each other.
    let mut labels: Vec<f64> = Vec::new();
    for (place, (model, value)) in comparison.models.iter().zip(values).enumerate() {
        let share = match largest > least {
            true => (size(model) - least) / (largest - least).max(1e-9),
            false => 0.5,
        };
        let x = LEFT + 60.0 + share * (WIDTH - LEFT - 120.0);
        let (y, tokens) = (chart.height(value), number(model.tokens as u64));
        let (color, name) = (color(place), escape(&model.name));
        chart.line(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="5" fill="{color}"><title>{name}, {tokens} tokens: {value:.3}</title></circle>"#
        ));
        if labels.iter().all(|label| (label - x).abs() > 8.0 * LETTER) {
            labels.push(x);
            chart.label(x, tokens);
        }
    }
    chart
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
