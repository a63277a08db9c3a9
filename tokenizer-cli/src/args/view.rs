//! Options of the commands that show models: `info`, `inspect` and `compare`.

use std::path::PathBuf;

use clap::{Args, ColorChoice};

use super::heading;
use super::input::InputArguments;
use super::models::{ModelArguments, ModelsArguments};

/// Describe a model
///
/// Prints the kind of file, the pattern, the normalizer, sizes, special and added tokens with their
/// ids, and hashes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer info -m model.bpe
  tokenizer info -m ranks.tiktoken --pattern o200k --json")]
pub(crate) struct InfoArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Print JSON
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) json: bool,
}

/// Compare models on one or more corpora
///
/// Prints a table with a row for each corpus and model. Each INPUT is one corpus, even if it is a
/// folder. Words are separated by white space. MB/s is the speed of encoding alone, without reading;
/// it depends on --threads.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer compare english.txt code/ -r -m a.bpe -m b.bpe
  tokenizer compare english.txt -m a.tiktoken --pattern cl100k \\
      -m b.tiktoken --pattern o200k
  tokenizer compare corpus.txt -m small.bpe -m large.bpe --html sizes.html")]
pub(crate) struct CompareArguments {
    #[command(flatten)]
    pub(crate) models: ModelsArguments,

    /// Print JSON instead of a table
    #[arg(long, conflicts_with = "html", help_heading = heading::OUTPUT)]
    pub(crate) json: bool,

    /// Write a page with charts, for a browser
    ///
    /// The page is one file that needs no other. `-` is standard output, instead of the table.
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) html: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) documents: InputArguments,
}

/// Show how text is tokenized, or what a vocabulary holds
///
/// On a terminal, tokens are colored. Elsewhere, a line is printed for each token: its id, the offset of
/// its first byte and its text, separated by tabs. Characters that are invisible or move the cursor, and
/// bytes that are not UTF-8, are escaped: \n, \u{202e}, \xff.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer inspect -m model.bpe 'I do not tokenize 12345'
  tokenizer inspect -m model.bpe --html tokens.html < book.txt
  tokenizer inspect -m model.bpe --merges ' tokenizer'
  tokenizer inspect -m model.bpe --vocab")]
pub(crate) struct InspectArguments {
    /// The text [default: standard input]
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) text: Option<String>,

    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Show each merge of TEXT, step by step
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with_all = ["text", "html"])]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) merges: Option<String>,

    /// Summarize the vocabulary
    ///
    /// Prints the number of tokens of each length and of each script, and lists two kinds of tokens:
    /// those that merging never produces, and those that differ only in white space at their ends.
    #[arg(long, conflicts_with_all = ["text", "html", "merges"], help_heading = heading::OUTPUT)]
    pub(crate) vocab: bool,

    /// With --vocab, list all tokens
    ///
    /// By default, each list ends after 20 lines.
    #[arg(long, requires = "vocab", help_heading = heading::OUTPUT)]
    pub(crate) all: bool,

    /// Write a page with the tokens, for a browser
    ///
    /// The page is one file that needs no other. `-` is standard output.
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) html: Option<PathBuf>,

    /// Use colors
    ///
    /// With auto, colors are used on a terminal, unless NO_COLOR is set or TERM is dumb.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) color: ColorChoice,

    /// Recognize special tokens in the text
    #[arg(long, conflicts_with_all = ["merges", "vocab"], help_heading = heading::INPUT)]
    pub(crate) allow_special: bool,
}
