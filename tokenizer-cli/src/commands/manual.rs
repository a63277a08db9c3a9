//! `tokenizer completions` and `tokenizer man`: generated from the arguments.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::Arguments;
use crate::error::{Result, ensure, failed, usage};
use crate::output::Output;

/// The date of this version, for manual pages. Must be changed with the version.
const RELEASE_DATE: &str = "2026-11-30";

pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(shell, &mut command, "tokenizer", &mut script);
    Output::STANDARD.write_all(script)
}

pub(crate) fn man(name: Option<&str>) -> Result<()> {
    let mut program = Arguments::command();
    program.build();
    let command = match name {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name);
            let command = found.ok_or_else(|| usage(format!("unknown command {name:?}")))?;
            command.clone().display_name(format!("tokenizer-{name}"))
        }
    };
    let date = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => date(&seconds)?,
        Err(_) => RELEASE_DATE.to_owned(),
    };
    Output::STANDARD.write_all(page(command, date)?)
}

fn page(command: clap::Command, date: String) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let has_commands = command.has_subcommands();
    let synopsis = synopsis(&command);
    let after_help = command.get_after_long_help().or(command.get_after_help());
    let after_help = after_help.map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command)
        .date(date)
        .source(concat!("tokenizer ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis.to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    sections(&after_help).to_writer(&mut page)?;
    Ok(page)
}

/// The usage lines of a command.
fn synopsis(command: &clap::Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    let usage = command.clone().render_usage().to_string();
    for line in usage.trim_start_matches("Usage:").lines() {
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
        let line = line.trim();
        let rest = line.strip_prefix(name).unwrap_or(line).to_owned();
        roff.text([bold(name), roman(rest)]);
        roff.control("br", []);
    }
    roff
}

/// Formats the text after the options of a help: a line that ends in a colon is the title of a section,
/// indented lines are set verbatim, and other lines are paragraphs.
fn sections(help: &str) -> Roff {
    let mut roff = Roff::new();
    let mut is_verbatim = false;
    for line in help.lines() {
        let indented = line.strip_prefix("  ");
        if indented.is_some() != is_verbatim {
            is_verbatim = indented.is_some();
            roff.control(if is_verbatim { "nf" } else { "fi" }, []);
        }
        match (indented, line.strip_suffix(':')) {
            (Some(indented), _) => roff.text([roman(indented)]),
            (None, Some(title)) => roff.control("SH", [title.to_uppercase().as_str()]),
            (None, None) if line.is_empty() => roff.control("PP", []),
            (None, None) => roff.text([roman(line)]),
        };
    }
    if is_verbatim {
        roff.control("fi", []);
    }
    roff
}

/// Converts seconds since 1970 to a date, `YYYY-MM-DD`, by Howard Hinnant's `civil_from_days`.
fn date(seconds: &str) -> Result<String> {
    let days = seconds
        .parse::<u64>()
        .map_or(u64::MAX, |seconds| seconds / 86_400);
    ensure(days < 3_000_000, || {
        failed(format!(
            "SOURCE_DATE_EPOCH: {seconds:?} is not a number of seconds since 1970"
        ))
    })?;
    // Days since 0000-03-01; an era has 400 years, a year begins in March.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1_460 + day_of_era / 146_096;
    let year_of_era = (day_of_era + day_of_era / 36_524 - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    Ok(format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        for (seconds, expected) in [
            ("0", "1970-01-01"),
            ("68169599", "1972-02-28"),
            ("68169600", "1972-02-29"),
            ("951868800", "2000-03-01"),
            ("1796083199", "2026-11-30"),
            ("4107542400", "2100-03-01"),
        ] {
            assert_eq!(date(seconds).unwrap(), expected, "{seconds}");
        }
        for seconds in ["", "-1", "now", "18446744073709551615"] {
            assert!(date(seconds).is_err(), "{seconds}");
        }
    }
}
