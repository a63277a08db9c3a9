//! Input options, shared by all commands that read documents.

use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, RangedU64ValueParser};
use clap::{Args, ValueEnum};

use super::heading;
use super::values::with_values;

/// Inputs, and how they are divided into documents.
#[derive(Debug, Args)]
#[command(next_help_heading = heading::INPUT)]
pub(crate) struct InputArguments {
    /// Files or folders to read; `-` is standard input
    ///
    /// A text file is one document, unless --per-line or --document-separator divides it. A file
    /// named .jsonl, .ndjson, .json, .jsonlines or .jl holds JSON lines, one document per line. A
    /// Parquet table holds one document per row. gzip and Zstandard files are decompressed.
    ///
    /// Unless --json-lines or --text is given, two kinds of file are refused: files that look like JSON
    /// lines but have none of the extensions above, and .json files that do not look like JSON lines.
    /// Archives, images, models and other formats that are recognised as not text are refused; any
    /// other input that does not look like text is read with a warning. Folders require
    /// --recursive.
    #[arg(value_name = "INPUT", required = true, help_heading = None::<&str>)]
    pub(crate) inputs: Vec<PathBuf>,

    /// Read all files in folders, recursively
    ///
    /// Files are read in the order of their paths. Hidden files and folders, pipes, devices,
    /// and symbolic links to folders are skipped.
    #[arg(short, long)]
    pub(crate) recursive: bool,

    /// In folders, read only files that match GLOB
    ///
    /// Repeatable. A glob with a `/` matches the path relative to INPUT; a glob without `/` matches the file
    /// name: '*.txt', 'data/*.jsonl', '**/en/*'. `*` and `?` do not match `/`.
    #[arg(long, value_name = "GLOB", requires = "recursive")]
    #[arg(allow_hyphen_values = true)]
    pub(crate) include: Vec<String>,

    /// In folders, skip files that match GLOB
    ///
    /// Repeatable. --exclude overrides --include; globs are written as for --include.
    #[arg(long, value_name = "GLOB", requires = "recursive")]
    #[arg(allow_hyphen_values = true)]
    pub(crate) exclude: Vec<String>,

    /// Make each line of a text file a document
    ///
    /// The line feed at its end is not part of the document.
    #[arg(long, conflicts_with = "document_separator")]
    pub(crate) per_line: bool,

    /// Split text files into documents at TEXT
    ///
    /// TEXT, such as '<|endoftext|>', is not part of any document.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) document_separator: Option<String>,

    /// Read text files as JSON lines, whatever their names
    #[arg(long, conflicts_with = "text")]
    pub(crate) json_lines: bool,

    /// Read JSON files as text, whatever their names
    #[arg(long)]
    pub(crate) text: bool,

    /// Use this field of JSON lines
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub(crate) field: String,

    /// Use this Parquet column
    ///
    /// The name of a nested column is its path, joined by dots: `inner.content`.
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub(crate) column: String,

    /// Keep invalid UTF-8, or refuse it (strict)
    #[arg(long, value_enum, value_name = "RULE", default_value_t = InvalidText::Keep)]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    #[arg(long_help = with_values::<InvalidText>("Set the rule for bytes that are not UTF-8:"))]
    pub(crate) errors: InvalidText,

    /// Use N threads [default: one per processor]
    ///
    /// The output does not depend on N.
    // A larger N is most likely a typing mistake, and starting so many threads could fail.
    #[arg(long, value_name = "N", help_heading = heading::PERFORMANCE)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: Option<usize>,
}

/// Handling of bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InvalidText {
    /// Keep them; decoding restores them (default)
    Keep,
    /// Fail with an error that names the file and the byte offset
    Strict,
}
