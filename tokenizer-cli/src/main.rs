//! The command line program `tokenizer`: trains vocabularies, encodes and decodes text.
//!
//! Data goes to stdout, messages to stderr. Exit codes: 0 for success, also if the reader of stdout closes it
//! early (`| head`); 1 for failure; 2 for wrong usage; 130 and 143 for Ctrl-C and SIGTERM (`interrupt.rs`).

mod args;
mod commands;
mod error;
mod ids;
mod input;
mod input_name;
mod interrupt;
mod output;
mod progress;
mod terminal;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::args::{Arguments, Command};
use crate::error::{Result, failed};
use crate::progress::Progress;

fn main() -> ExitCode {
    let mut program = Arguments::command();
    let matches = program.clone().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // Stores the message of a panic instead of printing it: panics of the Parquet reader are caught and
    // reported as errors of the file.
    std::panic::set_hook(Box::new(|panic| *last_panic() = panic.to_string()));
    interrupt::watch();
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| run(&arguments, &matches)));
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            program.build();
            let name = matches.subcommand_name().unwrap_or_default();
            let command = program.find_subcommand(name).cloned();
            error.print(&mut command.unwrap_or(program));
            ExitCode::from(error.exit_code)
        }
        Err(_) => {
            let error = failed(format!("internal error: {}", last_panic()));
            let error =
                error.hint("this is a bug in tokenizer; please report it with the command line");
            error.print(&mut program);
            ExitCode::FAILURE
        }
    }
}

/// The message and location of the last panic.
fn last_panic() -> MutexGuard<'static, String> {
    static LAST: Mutex<String> = Mutex::new(String::new());
    LAST.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(arguments: &Arguments, matches: &ArgMatches) -> Result<()> {
    let progress = Progress::new(arguments.quiet, arguments.verbose);
    match &arguments.command {
        Command::Train(arguments) => commands::train::run(arguments, &progress),
        Command::CountPieces(arguments) => commands::count_pieces::run(arguments, &progress),
        Command::Encode(arguments) => commands::encode::run(arguments, &progress),
        Command::Decode(arguments) => commands::decode::run(arguments, &progress),
        Command::Count(arguments) => commands::count::run(arguments, &progress),
        Command::Info(arguments) => commands::info::run(arguments, &progress),
        Command::Inspect(arguments) => commands::inspect::run(arguments, &progress),
        Command::Compare(arguments) => commands::compare::run(arguments, matches, &progress),
        Command::Convert(arguments) => commands::convert::run(arguments, &progress),
        Command::Completions { shell } => commands::manual::completions(*shell),
        Command::Man { command } => commands::manual::man(command.as_deref()),
    }
}
