//! The command line: trains vocabularies, encodes and decodes text.
//!
//! stdout is data, stderr is for people. Exit code 0: done; 1: failed on the data; 2: wrong usage;
//! 130 and 143: interrupted and terminated (`interrupt.rs`).
//! A reader of stdout that goes away (`| head`) ends the program quietly, with exit code 0.

mod args;
mod commands;
mod error;
mod ids;
mod input;
mod interrupt;
mod output;
mod progress;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::args::{Arguments, Command};
use crate::error::Result;
use crate::progress::{Progress, say};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let panic = panic.to_string().replace('\n', " ");
        say("error", &format!("a fault of this program: {panic}"));
    }));
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    interrupt::watch();
    // The hook has said all there is to say about a panic.
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| run(&arguments, &matches)));
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            if error.exit_code != 0 {
                say("error", &error.message);
            }
            if !error.hint.is_empty() {
                say("hint", &error.hint);
            }
            ExitCode::from(error.exit_code)
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(arguments: &Arguments, matches: &ArgMatches) -> Result<()> {
    let progress = Progress::new(arguments.quiet, arguments.verbose);
    match &arguments.command {
        Command::Train(arguments) => commands::train::run(arguments, &progress),
        Command::CountPieces(arguments) => commands::count_pieces::run(arguments, &progress),
        Command::Encode(arguments) => commands::encode::run(arguments, &progress),
        Command::Decode(arguments) => commands::decode::run(arguments, &progress),
        Command::Count(arguments) => commands::count::run(arguments, &progress),
        Command::Convert(arguments) => commands::convert::run(arguments, &progress),
        Command::Compare(arguments) => commands::compare::run(arguments, matches, &progress),
        Command::Inspect(arguments) => commands::inspect::run(arguments, &progress),
        Command::Completions { shell } => commands::manual::completions(*shell),
        Command::Man { command } => commands::manual::man(command.as_deref()),
    }
}
