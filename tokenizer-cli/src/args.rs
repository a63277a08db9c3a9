//! Command line syntax: commands, options and their help.

mod convert;
mod encode;
mod heading;
mod input;
mod models;
mod train;
mod values;
mod view;

use clap::{ArgAction, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use self::convert::ConvertArguments;
pub(crate) use self::encode::{CountArguments, DecodeArguments, EncodeArguments};
pub(crate) use self::input::{InputArguments, InvalidText};
pub(crate) use self::models::{ModelArguments, is_folder};
pub(crate) use self::train::{
    CountPiecesArguments, CountingArguments, TieBreakRule, TrainArguments,
};
pub(crate) use self::view::{CompareArguments, InfoArguments, InspectArguments};

/// Train byte-level BPE vocabularies; encode and decode text
///
/// Training gives the same merges as rustbpe, and encoding the same ids as tiktoken.
#[derive(Debug, Parser)]
#[command(
    name = "tokenizer",
    version,
    disable_help_flag = true,
    disable_version_flag = true
)]
#[command(after_help = "\
Examples:
  tokenizer train corpus.txt -o model.bpe
  tokenizer encode book.txt -m model.bpe -o ids.npy
  tokenizer decode ids.npy -m model.bpe -o book.txt")]
#[command(after_long_help = "\
Examples:
  tokenizer train corpus.txt -o model.bpe
  tokenizer encode book.txt -m model.bpe -o ids.npy
  tokenizer decode ids.npy -m model.bpe -o book.txt

Models:
  .bpe       this program's format: one file with everything
  .json      Hugging Face's tokenizer.json
  .tiktoken  ranks only; --pattern supplies the pattern
  FOLDER     a folder in Hugging Face's layout (read only)

Exit codes:
  0    done
  1    failed on the data
  2    wrong usage
  130  interrupted (Ctrl-C)
  143  terminated

Data goes to standard output, messages to standard error. An output file is
written completely or not at all. If the reader of standard output closes it, as
`head` does, the exit code is 0.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Suppress progress and summary
    ///
    /// Warnings and errors are still printed.
    #[arg(short, long, global = true, help_heading = heading::GENERAL)]
    pub(crate) quiet: bool,

    /// Print size, time and speed of each stage
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = heading::GENERAL)]
    pub(crate) verbose: bool,

    /// Print help: -h for a summary, --help for details
    #[arg(short, long, global = true, action = ArgAction::Help, help_heading = heading::GENERAL)]
    help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = heading::GENERAL)]
    version: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(TrainArguments),
    CountPieces(CountPiecesArguments),
    Encode(EncodeArguments),
    Decode(DecodeArguments),
    Count(CountArguments),
    Info(InfoArguments),
    Inspect(InspectArguments),
    Compare(CompareArguments),
    Convert(ConvertArguments),
    /// Print shell completions
    #[command(after_help = "\
Example:
  tokenizer completions bash \\
      > ~/.local/share/bash-completion/completions/tokenizer")]
    Completions {
        /// Shell that will read the completions
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print a manual page
    ///
    /// If the environment variable SOURCE_DATE_EPOCH (seconds since 1970) is set, it is the date of the
    /// page; otherwise the page has the date of the release.
    #[command(after_help = "\
Examples:
  tokenizer man | man -l -
  tokenizer man encode > tokenizer-encode.1")]
    Man {
        /// Command to describe [default: the program]
        command: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}
