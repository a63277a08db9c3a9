//! Options of `encode`, `decode` and `count`.

use std::path::PathBuf;

use clap::Args;

use super::heading;
use super::input::InputArguments;
use super::models::ModelArguments;
use super::values::{positive, with_values};
use crate::ids::IdFormat;

const ENCODE_FORMAT: &str = "\
Set the format. By default, the name of OUT decides: .jsonl, .npy, .parquet, .u16 and .u32 stand \
for the format of that name; .bin is u16 if every id of the model fits, otherwise u32. Any other \
name, and standard output, means text.";

const DECODE_FORMAT: &str = "\
Set the format. By default, the header of INPUT decides, or without a header the name of INPUT, by \
the rules of encode. A format that contradicts the header is refused, and so is parquet.";

/// Encode text to ids
///
/// Special tokens in the text are encoded as ordinary text, unless --allow-special is given.
///
/// A .bin, .u16, .u32 or .npy file holds the ids of all documents, concatenated. Two files are written
/// next to it. OUT.json is a header that describes the format and the model. OUT.index holds one
/// little-endian u64 per document: the number of ids in OUT up to the end of that document. (With
/// --format megatron, the .idx file replaces OUT.index.)
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer encode book.txt -m model.bpe
  echo 'hello world' | tokenizer encode - -m ranks.tiktoken --pattern cl100k
  tokenizer encode shards/*.txt -m model.bpe -o ids.npy
  tokenizer encode dump.jsonl.zst --field content -m model.bpe -o ids.bin
  tokenizer encode -r corpus/ -m model.bpe --append-special '<|endoftext|>' \\
      --shard-tokens 100M -o train.bin --resume")]
pub(crate) struct EncodeArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Write the ids here [default: standard output]
    ///
    /// `-` is standard output.
    #[arg(
        short,
        long,
        value_name = "OUT",
        default_value = "-",
        hide_default_value = true
    )]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,

    /// Set the format [default: from the name of OUT]
    #[arg(long, value_enum, help_heading = heading::OUTPUT, hide_possible_values = true)]
    #[arg(long_help = with_values::<IdFormat>(ENCODE_FORMAT))]
    pub(crate) format: Option<IdFormat>,

    /// Put a special token after each document
    ///
    /// Repeatable; several tokens keep their order.
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) append_special: Vec<String>,

    /// Put a special token before each document
    ///
    /// Repeatable; several tokens keep their order.
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) prepend_special: Vec<String>,

    /// Add the ids of the model's post-processor
    ///
    /// The tokens of --prepend-special and --append-special come before and after these ids.
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) post_process: bool,

    /// Start a new file once the current one has at least N ids
    ///
    /// For OUT train.bin, the files are train-00000.bin, train-00001.bin and so on. No document is split:
    /// a file ends after the document that brings it to N ids or more. The suffix k multiplies by 1,000
    /// and M by 1,000,000: `100M`.
    #[arg(long, value_name = "N", value_parser = positive::<u64>)]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) shard_tokens: Option<u64>,

    /// Continue an interrupted run
    ///
    /// Requires --shard-tokens. Inputs, model and options must be those of the interrupted run. Its complete
    /// files are kept, and encoding continues after the last of them. If no file is complete, encoding
    /// starts from the beginning.
    #[arg(long, requires = "shard_tokens", help_heading = heading::OUTPUT)]
    pub(crate) resume: bool,

    /// Recognize special tokens in the text
    ///
    /// Each document is then held in memory as a whole.
    #[arg(long, help_heading = heading::INPUT)]
    pub(crate) allow_special: bool,

    #[command(flatten)]
    pub(crate) documents: InputArguments,
}

/// Decode ids to text
///
/// The output is the bytes of the tokens: exactly the text that was encoded, unless the model normalizes
/// text or drops parts of it. Documents follow each other without a separator.
///
/// If INPUT has a header (INPUT.json), the header decides the format, and a model that decodes
/// differently from the model that encoded the ids is refused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer decode ids.npy -m model.bpe -o book.txt
  echo '104 105' | tokenizer decode - -m model.bpe")]
pub(crate) struct DecodeArguments {
    /// File of ids, as written by encode; `-` is standard input
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,

    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Write the text here [default: standard output]
    ///
    /// `-` is standard output.
    #[arg(
        short,
        long,
        value_name = "OUT",
        default_value = "-",
        hide_default_value = true
    )]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,

    /// Omit special tokens
    ///
    /// Added tokens that are not special are kept.
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(crate) skip_special: bool,

    /// Set the format [default: from header or name]
    #[arg(long, value_enum, help_heading = heading::INPUT, hide_possible_values = true)]
    #[arg(long_help = with_values::<IdFormat>(DECODE_FORMAT))]
    pub(crate) format: Option<IdFormat>,
}

/// Count the tokens of text
///
/// Prints a line for each file: the number of tokens, the number of bytes of text and the name,
/// separated by tabs. With several files, a line with the total follows.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tokenizer count shards/*.txt -m model.bpe")]
pub(crate) struct CountArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Count the ids of the model's post-processor
    #[arg(long, help_heading = heading::INPUT)]
    pub(crate) post_process: bool,

    #[command(flatten)]
    pub(crate) documents: InputArguments,
}
