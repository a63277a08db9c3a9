//! Charts of a comparison, in SVG.
//!
//! Models differ in colour, marker and dash pattern, and are labelled with their number in the legend: a
//! reader who does not see the colours can tell them apart.

use std::fmt::Display;

use super::measure::{Compared, Comparison, LENGTHS, Measured};
use super::names;
use crate::commands::html::escape;
use crate::progress::number;
use crate::terminal::fit;

/// Width of a chart in its own units. A unit is 1.4 pixels on a wide screen and 0.7 pixels on a narrow one.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 48.0;

/// Width of a letter and height of a line, in the largest font of a chart.
const LETTER: f64 = 9.0;
const LINE: f64 = 18.0;

/// Number of colours that the style of the page defines.
const COLORS: usize = 12;

/// Paths around a marker's centre: circle, square, triangle, diamond, inverted triangle, plus, cross.
const MARKERS: [&str; 7] = [
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "m-3.6-3.6h7.2v7.2h-7.2z",
    "m0-4.8l4.6 8h-9.2z",
    "m0-5l5 5l-5 5l-5-5z",
    "m0 4.8l4.6-8h-9.2z",
    "m-1.6-4.8h3.2v3.2h3.2v3.2h-3.2v3.2h-3.2v-3.2h-3.2v-3.2h3.2z",
    "m0-2.3l2.4-2.4l2.3 2.3l-2.4 2.4l2.4 2.4l-2.3 2.3l-2.4-2.4l-2.4 2.4l-2.3-2.3l2.4-2.4l-2.4-2.4l2.3-2.3z",
];

const DASHES: [&str; 5] = ["none", "7 3", "2 3", "9 3 2 3", "14 4"];

fn color(model: usize) -> String {
    format!("var(--c{})", model % COLORS)
}

fn marker(model: usize, x: f64, y: f64) -> String {
    let (color, path) = (color(model), MARKERS[model % MARKERS.len()]);
    format!(r#"<path fill="{color}" d="M{x:.1} {y:.1}{path}"/>"#)
}

fn polyline(model: usize, points: &[(f64, f64)]) -> String {
    let (color, dash) = (color(model), DASHES[model % DASHES.len()]);
    let points: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let points = points.join(" ");
    format!(r#"<polyline stroke="{color}" stroke-dasharray="{dash}" points="{points}"/>"#)
}

/// Returns the line and the marker of a model, for the legend.
pub(super) fn swatch(model: usize) -> String {
    let (line, marker) = (
        polyline(model, &[(0.0, 7.0), (42.0, 7.0)]),
        marker(model, 21.0, 7.0),
    );
    format!(r#"<svg class="key" viewBox="0 0 42 14" aria-hidden="true">{line}{marker}</svg>"#)
}

/// A scale with a line at each multiple of a round step. Its end is above the largest value.
struct Axis {
    least: f64,
    most: f64,
    step: f64,
}

impl Axis {
    fn from_zero(values: impl Iterator<Item = f64>) -> Self {
        Axis::new(0.0, values.fold(0.0, f64::max))
    }

    fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let largest = values.clone().fold(0.0, f64::max);
        let least = values.fold(largest, f64::min);
        Axis::new(least.min(0.9 * largest), largest)
    }

    fn new(least: f64, largest: f64) -> Self {
        let range = if largest > least {
            largest - least
        } else {
            1.0
        };
        let step = round_step(range);
        Axis {
            least: (least / step).floor() * step,
            most: ((largest / step + 1e-9).floor() + 1.0) * step,
            step,
        }
    }

    /// Returns the values of the lines, and their labels.
    fn lines(&self) -> impl Iterator<Item = (f64, String)> {
        let digits = (-self.step.log10().floor()).max(0.0) as usize;
        let count = ((self.most - self.least) / self.step).round() as u32;
        (0..=count).map(move |line| {
            let value = self.least + self.step * f64::from(line);
            (value, format!("{value:.digits$}"))
        })
    }

    /// Returns the position of a value: 0 at the start of the axis, 1 at its end.
    fn position(&self, value: f64) -> f64 {
        (value - self.least) / (self.most - self.least)
    }
}

/// Returns the smallest round step (1, 2 or 5 times a power of ten) that divides `range` into at most five
/// parts.
fn round_step(range: f64) -> f64 {
    let least = range.max(1e-9) / 5.0;
    let power = 10f64.powf(least.log10().floor());
    let mut steps = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power);
    steps.find(|&step| step >= least).unwrap_or(least)
}

/// An SVG image under construction, with its title and its caption.
struct Chart {
    svg: String,
    height: f64,
}

impl Chart {
    fn new(title: &str, caption: &str, height: f64) -> Self {
        Chart {
            svg: format!(
                "<figure>\n<h2>{title}</h2>\n<figcaption>{caption}</figcaption>\n\
                 <svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
                 aria-label=\"{title}\">\n"
            ),
            height,
        }
    }

    fn push(&mut self, element: impl Display) {
        self.svg += &format!("{element}\n");
    }

    fn text(&mut self, [x, y]: [f64; 2], anchor: &str, class: &str, text: impl Display) {
        self.push(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    /// Draws the lines of a vertical axis, with labels at the left.
    fn vertical(&mut self, axis: &Axis) {
        for (value, label) in axis.lines() {
            let y = self.y(axis, value);
            let right = WIDTH - RIGHT;
            self.push(format_args!(
                r#"<path class="axis" d="M{LEFT} {y:.1}H{right}"/>"#
            ));
            self.text([LEFT - 6.0, y + 4.0], "end", "dim", label);
        }
    }

    fn y(&self, axis: &Axis, value: f64) -> f64 {
        let bottom = self.height - BOTTOM;
        bottom - (bottom - TOP) * axis.position(value)
    }

    /// Labels the horizontal axis: each of `marks` below its position, and `title` below them.
    fn horizontal(&mut self, marks: impl Iterator<Item = (f64, String)>, title: &str) {
        let y = self.height - BOTTOM + LINE + 3.0;
        for (x, mark) in marks {
            self.text([x, y], "middle", "dim", mark);
        }
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        self.text([middle, y + LINE], "middle", "", title);
    }

    /// Writes the numbers of the models above their points. Points close to each other share a label.
    fn label_points(&mut self, points: &[(f64, f64)]) {
        let mut labels: Vec<((f64, f64), String)> = Vec::new();
        for (number, &(x, y)) in (1..).zip(points) {
            let mut near = labels.iter_mut().filter(|((other_x, other_y), _)| {
                (x - other_x).abs() < 2.0 * LETTER && (y - other_y).abs() < LINE
            });
            match near.next() {
                Some((_, label)) => *label += &format!(", {number}"),
                None => labels.push(((x, y), number.to_string())),
            }
        }
        for ((x, y), label) in labels {
            let half = LETTER / 2.0 * label.len() as f64;
            let x = x.min(WIDTH - half).max(half);
            self.text([x, y - 8.0], "middle", "halo", label);
        }
    }

    fn end(mut self) -> String {
        self.svg.push_str("</svg>\n</figure>\n");
        self.svg
    }
}

/// Returns all charts of a comparison.
pub(super) fn all(comparison: &Comparison) -> [String; 3] {
    [bars(comparison), lengths(comparison), sizes(comparison)]
}

/// Bytes per token of each model on each corpus, as horizontal bars.
fn bars(comparison: &Comparison) -> String {
    let value = |measured: &Measured| measured.bytes_per_token;
    let all = comparison.corpora.iter().flat_map(|corpus| &corpus.models);
    let axis = Axis::from_zero(all.map(value));
    let group = LINE * (comparison.models.len() as f64 + 1.5);
    let bottom = group * comparison.corpora.len() as f64;
    let mut chart = Chart::new(
        "Bytes per token, by corpus",
        "Higher is better: fewer tokens for the same text. Numbers are those of the models above.",
        bottom + 2.0 * LINE,
    );
    // The value after the longest bar needs room for six letters.
    let room = WIDTH - RIGHT - 6.0 * LETTER - LEFT;
    let x = |value| LEFT + room * axis.position(value);
    for (value, label) in axis.lines() {
        let x = x(value);
        chart.push(format_args!(
            r#"<path class="axis" d="M{x:.1} 0V{bottom:.1}"/>"#
        ));
        chart.text([x, bottom + LINE], "middle", "dim", label);
    }
    for (index, corpus) in comparison.corpora.iter().enumerate() {
        let mut y = group * index as f64 + LINE;
        let name = names::short(&corpus.corpus);
        let name = escape(&fit(name, ((WIDTH - LEFT) / LETTER) as usize));
        chart.text([LEFT, y - 4.0], "start", "halo", name);
        for (model, measured) in corpus.models.iter().enumerate() {
            let (value, color) = (value(measured), color(model));
            let width = x(value) - LEFT;
            let name = escape(&comparison.models[model].name);
            let height = LINE - 3.0;
            chart.push(format_args!(
                r#"<rect x="{LEFT}" y="{y:.1}" width="{width:.1}" height="{height}" fill="{color}"><title>{name}: {value:.3}</title></rect>"#
            ));
            let baseline = y + LINE - 6.0;
            chart.text([LEFT - 6.0, baseline], "end", "", model + 1);
            chart.text(
                [LEFT + width + 5.0, baseline],
                "start",
                "halo",
                format_args!("{value:.3}"),
            );
            y += LINE;
        }
    }
    chart.end()
}

/// The distribution of token lengths of each vocabulary.
fn lengths(comparison: &Comparison) -> String {
    let shares = |model: &Compared| {
        let tokens = model.tokens.max(1) as f64;
        model
            .tokens_by_bytes
            .map(|count| 100.0 * count as f64 / tokens)
    };
    let axis = Axis::from_zero(comparison.models.iter().flat_map(shares));
    let mut chart = Chart::new(
        "Lengths of tokens",
        "Percent of the vocabulary, labelled at the peak. Neither higher nor lower is better.",
        HEIGHT,
    );
    chart.vertical(&axis);
    let step = (WIDTH - RIGHT - LEFT) / LENGTHS as f64;
    let x = |length: usize| LEFT + step * (length as f64 - 0.5);
    let label = |length| match length {
        LENGTHS => format!("{LENGTHS}+"),
        length => length.to_string(),
    };
    chart.horizontal(
        (1..=LENGTHS).map(|length| (x(length), label(length))),
        "bytes",
    );
    let mut peaks = Vec::new();
    for (index, model) in comparison.models.iter().enumerate() {
        let points = (1..).zip(shares(model));
        let points: Vec<(f64, f64)> = points
            .map(|(length, share)| (x(length), chart.y(&axis, share)))
            .collect();
        chart.push(polyline(index, &points));
        for &(x, y) in &points {
            chart.push(marker(index, x, y));
        }
        peaks.extend(points.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)));
    }
    chart.label_points(&peaks);
    chart.end()
}

/// Bytes per token on all corpora, by size of the vocabulary.
fn sizes(comparison: &Comparison) -> String {
    let values = comparison.total.iter().map(|total| total.bytes_per_token);
    let axis = Axis::around(values.clone());
    let mut chart = Chart::new(
        "Bytes per token, by size of the vocabulary",
        "All corpora together. Higher is better. Points close together share a label.",
        HEIGHT,
    );
    chart.vertical(&axis);

    // A logarithmic axis that begins and ends at powers of two.
    let octaves = |model: &Compared| (model.tokens.max(1) as f64).log2();
    let all = || comparison.models.iter().map(octaves);
    let least = all().fold(f64::MAX, f64::min).floor();
    let most = all().fold(least, f64::max).floor() + 1.0;
    let x = |octave: f64| LEFT + (WIDTH - RIGHT - LEFT) * (octave - least) / (most - least);
    // A label has room for seven digits with their separators.
    let labels = (WIDTH - RIGHT - LEFT) / (10.0 * LETTER);
    let step = ((most - least) / labels).ceil().max(1.0);
    let marks = (0..).map(|mark| least + step * f64::from(mark));
    let marks = marks.take_while(|&octave| octave <= most);
    let marks = marks.map(|octave| (x(octave), number(octave.exp2() as u64).to_string()));
    chart.horizontal(marks, "tokens");
    let points = comparison.models.iter().zip(values);
    let points: Vec<(f64, f64)> = points
        .map(|(model, value)| (x(octaves(model)), chart.y(&axis, value)))
        .collect();
    for (index, &(x, y)) in points.iter().enumerate() {
        chart.push(marker(index, x, y));
    }
    chart.label_points(&points);
    chart.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (range, step) in [
            (4.1, 1.0),
            (55.0, 20.0),
            (1.1, 0.5),
            (24.0, 5.0),
            (2.3, 0.5),
        ] {
            let found = round_step(range);
            assert!((found - step).abs() < 1e-9, "{range}: {found}");
        }
        assert!(round_step(0.0) > 0.0);
    }

    #[test]
    fn axes_extend_past_the_largest_value() {
        for values in [
            &[0.0][..],
            &[1.0],
            &[4.0],
            &[5.0, 5.0],
            &[3.91, 4.48],
            &[0.001],
            &[99.9, 0.1],
            &[],
        ] {
            let largest = values.iter().copied().fold(0.0, f64::max);
            for axis in [
                Axis::from_zero(values.iter().copied()),
                Axis::around(values.iter().copied()),
            ] {
                let lines: Vec<_> = axis.lines().collect();
                assert!(axis.most > largest, "{values:?}");
                assert!((lines[lines.len() - 1].0 - axis.most).abs() < 1e-9);
                assert!(values.iter().all(|&value| value >= axis.least - 1e-9));
                assert!((2..=8).contains(&lines.len()), "{values:?}: {lines:?}");
            }
        }
    }

    #[test]
    fn close_points_share_a_label() {
        let mut chart = Chart::new("", "", HEIGHT);
        chart.label_points(&[(100.0, 50.0), (300.0, 50.0), (100.0, 50.0), (104.0, 52.0)]);
        let svg = chart.end();
        assert!(
            svg.contains(">1, 3, 4</text>") && svg.contains(">2</text>"),
            "{svg}"
        );
    }
}
