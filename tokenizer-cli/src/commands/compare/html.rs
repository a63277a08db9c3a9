//! The comparison as an HTML page: legend, table, charts.

use super::chart::{self, swatch};
use super::measure::Comparison;
use super::table::{COLUMNS, Section, distinct_names, sections};
use crate::commands::html::{self, escape};
use crate::progress::plural;

pub(super) fn page(comparison: &Comparison) -> String {
    let title = "Tokenizers compared";
    let mut body = format!("<h1>{title}</h1>\n");
    push_legend(comparison, &mut body);
    push_table(comparison, &mut body);
    for chart in chart::all(comparison) {
        body.push_str(&chart);
    }
    html::page(title, include_str!("page.css"), &body)
}

/// Appends the numbered models, each with its line and marker in the charts.
fn push_legend(comparison: &Comparison, page: &mut String) {
    page.push_str("<ol class=\"models\">\n");
    for (index, model) in comparison.models.iter().enumerate() {
        let (key, name) = (swatch(index), escape(&model.name));
        let tokens = plural(model.tokens as u64, "token");
        *page += &format!(
            "<li>{key}<span class=\"name\">{name}</span> <span class=\"dim\">({tokens})</span></li>\n"
        );
    }
    page.push_str("</ol>\n");
}

fn push_table(comparison: &Comparison, page: &mut String) {
    page.push_str("<div class=\"wide\"><table>\n");
    let titles = COLUMNS
        .each_ref()
        .map(|column| format!("<th>{}</th>", column.title));
    *page += &format!(
        "<thead><tr><th>model</th>{}</tr></thead>\n",
        titles.concat()
    );
    let names = distinct_names(comparison);
    for section in sections(comparison) {
        push_section(&section, &names, page);
    }
    page.push_str("</table></div>\n");
    if comparison.models.len() > 1 {
        page.push_str(
            "<p class=\"dim\">★ best of the corpus. Higher is better for bytes per token, characters per \
             token and MB/s; lower is better for tokens and tokens per word.</p>\n",
        );
    }
}

fn push_section(section: &Section, names: &[String], page: &mut String) {
    let (title, columns) = (escape(&section.title), COLUMNS.len() + 1);
    *page += &format!("<tbody>\n<tr><th colspan=\"{columns}\">{title}</th></tr>\n");
    for (index, (name, cells)) in names.iter().zip(&section.rows).enumerate() {
        let (number, name) = (index + 1, escape(name));
        *page +=
            &format!("<tr><th scope=\"row\">{number}. <span class=\"name\">{name}</span></th>");
        for cell in cells {
            let class = if cell.is_best { " class=\"best\"" } else { "" };
            *page += &format!("<td{class}>{}</td>", cell.text);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n");
}
