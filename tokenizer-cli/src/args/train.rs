//! Options of `train` and `count-pieces`.

use std::path::{Path, PathBuf};

use clap::builder::TypedValueParser;
use clap::{Args, ValueEnum};
use tokenizer_core::corpus::CountsFormat;
use tokenizer_core::{Count, Pattern, SpecialToken};

use super::heading;
use super::input::InputArguments;
use super::models::{model_path, path, read_model_path};
use super::values::{PatternParser, model_special, number, positive, size, with_values};

/// Train a vocabulary on text and write it as a model
///
/// If the corpus has too few pairs to merge for --vocab-size, the model has fewer ids, and a warning is
/// printed.
#[derive(Debug, Args)]
#[command(mut_arg("inputs", |inputs| inputs.required(false).required_unless_present("from_counts")))]
#[command(override_usage = "\
tokenizer train [OPTIONS] -o <MODEL> <INPUT>...
       tokenizer train [OPTIONS] -o <MODEL> --from-counts <FILE>...")]
#[command(after_help = "\
Examples:
  tokenizer train corpus.txt -o model.bpe
  tokenizer train a.txt b.txt -o model.bpe --vocab-size 64k \\
      --special '<|endoftext|>'
  tokenizer train --recursive corpus/ --field content -o model.bpe
  tokenizer train corpus.txt -o ranks.tiktoken --pattern nanochat
  tokenizer train --from-counts counts/*.parquet -o model.bpe
  tokenizer train corpus.txt -o model.bpe --checkpoint-sizes 4k,8k,16k
  tokenizer train medicine.txt --extend model.bpe -o larger.bpe --vocab-size 40k")]
pub(crate) struct TrainArguments {
    /// Set the number of ids
    ///
    /// N counts the 256 bytes, the merges and the special tokens. The suffix k multiplies by 1,000 and M
    /// by 1,000,000: `32k` is 32,000.
    #[arg(long, value_name = "N", value_parser = number::<usize>, default_value = "32768")]
    #[arg(help_heading = heading::TRAINING)]
    pub(crate) vocab_size: usize,

    /// Split text by this pattern [default: cl100k]
    ///
    /// A pattern is a name (gpt2, cl100k, o200k or nanochat; also r50k and p50k) or a regex. It splits
    /// text into pieces, and merging never crosses from one piece to the next. With --from-counts, the
    /// default is the pattern of the counts; with --extend, that of MODEL. If MODEL is a .tiktoken file,
    /// which stores no pattern, --pattern is required.
    #[arg(long, value_name = "NAME|REGEX", value_parser = PatternParser, allow_hyphen_values = true)]
    #[arg(hide_possible_values = true, help_heading = heading::TRAINING)]
    pub(crate) pattern: Option<Pattern>,

    /// Add a special token (repeatable)
    ///
    /// Special tokens take the last ids, in the order given; with --tie-break huggingface, they take
    /// the first ids instead.
    #[arg(long = "special", value_name = "TOKEN", allow_hyphen_values = true)]
    #[arg(help_heading = heading::TRAINING)]
    pub(crate) specials: Vec<String>,

    /// Start from MODEL and learn more merges
    ///
    /// Ordinary tokens of MODEL keep their ids, and new tokens follow the highest of these. Special and
    /// added tokens after the ordinary ones are renumbered to follow the new tokens; others keep their
    /// ids. --vocab-size is the number of ids of the new model.
    #[arg(long, value_name = "MODEL", value_parser = read_model_path())]
    #[arg(conflicts_with_all = ["specials", "tie_break"], help_heading = heading::TRAINING)]
    pub(crate) extend: Option<PathBuf>,

    /// Add a special token to the .tiktoken model of --extend
    ///
    /// Repeatable. The last = separates the token from its id.
    #[arg(long = "model-special", value_name = "TOKEN=ID", value_parser = model_special)]
    #[arg(requires = "extend", allow_hyphen_values = true, help_heading = heading::TRAINING)]
    pub(crate) model_specials: Vec<SpecialToken>,

    /// Change no id of MODEL
    ///
    /// New tokens follow the special tokens. The rows of an embedding table that was trained with
    /// MODEL then stay valid.
    #[arg(long, requires = "extend", help_heading = heading::TRAINING)]
    pub(crate) keep_special_ids: bool,

    /// Stop when all pairs are rarer than N
    ///
    /// A pair that occurs fewer than N times is not merged.
    #[arg(long, value_name = "N", value_parser = number::<Count>, default_value = "1")]
    #[arg(help_heading = heading::TRAINING)]
    pub(crate) min_frequency: Count,

    /// Make no token longer than N bytes
    ///
    /// N is inclusive. The max_token_length of Hugging Face's BpeTrainer is exclusive: to match
    /// max_token_length=17, pass 16. With --tie-break huggingface, N = 1 acts as 2,
    /// because BpeTrainer merges two single bytes whatever its limit.
    #[arg(long, value_name = "N", value_parser = positive::<usize>)]
    #[arg(help_heading = heading::TRAINING)]
    pub(crate) max_token_bytes: Option<usize>,

    /// Break ties by this rule
    #[arg(long, value_enum, value_name = "RULE", default_value_t = TieBreakRule::Raw)]
    #[arg(hide_possible_values = true)]
    #[arg(long_help = with_values::<TieBreakRule>("Set the order of ids, which decides ties. Of two pairs \
        with equal counts, the one with the smaller left id is merged first; if the left ids are equal, the \
        one with the smaller right id. RULE is the order in which ids are assigned:"))]
    #[arg(help_heading = heading::TRAINING)]
    pub(crate) tie_break: TieBreakRule,

    /// Write the model here: .bpe, .json or .tiktoken
    ///
    /// The extension decides the format. A .bpe file holds the whole model; .json is Hugging Face's
    /// tokenizer.json; .tiktoken holds neither the pattern nor special tokens.
    #[arg(short, long, value_name = "MODEL", value_parser = model_path())]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,

    /// Also write models of these smaller sizes
    ///
    /// Each equals the model trained with that --vocab-size; all come from one training run.
    /// The size is inserted before the extension: model-4096.bpe.
    #[arg(long, value_name = "N,...", value_parser = number::<usize>, value_delimiter = ',')]
    #[arg(conflicts_with = "extend", help_heading = heading::OUTPUT)]
    pub(crate) checkpoint_sizes: Vec<usize>,

    /// Write the count of each merged pair
    ///
    /// The first line is a comment. Each line after it has the id of a new token, the count of its pair when
    /// it was merged, and the token in base64, separated by tabs. `-` is standard output.
    #[arg(long, value_name = "FILE.tsv", help_heading = heading::OUTPUT)]
    pub(crate) frequencies: Option<PathBuf>,

    /// Write a report of the run
    ///
    /// The report is JSON. It contains the inputs, the training options, the time of each stage and the
    /// peak memory. Its hashes of the counts, the merges and the model show whether another run gave the
    /// same result. `-` is standard output.
    #[arg(long, value_name = "FILE.json", help_heading = heading::OUTPUT)]
    pub(crate) report: Option<PathBuf>,

    /// Train on piece counts instead of text
    ///
    /// The files are .tsv or .parquet, as count-pieces writes them. The pieces of all files must have been
    /// split by the same pattern.
    #[arg(long, value_name = "FILE", num_args = 1.., value_parser = counts_path())]
    #[arg(conflicts_with_all = [
        "inputs", "errors", "max_chars", "doc_cap", "recursive", "per_line", "document_separator",
        "json_lines", "text", "include", "exclude", "field", "column",
    ])]
    #[arg(help_heading = heading::INPUT)]
    pub(crate) from_counts: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) documents: InputArguments,

    #[command(flatten)]
    pub(crate) counting: CountingArguments,

    /// Has no effect; accepted so that old command lines run.
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) known_pieces: Option<usize>,
}

/// The order in which tokens get their ids, which decides between pairs of equal count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TieBreakRule {
    /// Bytes 0 to 255, merges, special tokens (like rustbpe)
    Raw,
    /// Special tokens, bytes in the order of the byte-level alphabet, merges (like Hugging Face's
    /// BpeTrainer)
    Huggingface,
}

/// Limits on the counted text, and on memory.
#[derive(Debug, Args)]
pub(crate) struct CountingArguments {
    /// Stop after N characters in total
    ///
    /// The document that brings the total above N is the last, and is not cut at N. The suffix k multiplies
    /// by 1,000 and M by 1,000,000: `100M`.
    #[arg(long, value_name = "N", value_parser = number::<u64>, help_heading = heading::INPUT)]
    pub(crate) max_chars: Option<u64>,

    /// Use at most N characters of each document
    #[arg(long, value_name = "N", value_parser = number::<u64>, help_heading = heading::INPUT)]
    pub(crate) doc_cap: Option<u64>,

    /// Count pieces within this much memory
    ///
    /// SIZE is a number of bytes, such as 2GB (powers of 1,000) or 512MiB (powers of 1,024). Counts
    /// that do not fit are written to temporary files in TMPDIR; the result is the same. Memory for
    /// reading documents is not included. Learning the merges cannot use temporary files: if the
    /// memory of the distinct pieces plus the estimated memory for learning exceeds SIZE, `train` fails before
    /// learning starts.
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = heading::PERFORMANCE)]
    pub(crate) max_memory: Option<usize>,
}

/// Count pieces, to train on them later or elsewhere
///
/// An INPUT named .tsv, or a .parquet file with the columns `piece` and `count`, is read as the counts
/// of an earlier run, which must have used the same pattern. Every other INPUT holds documents, whose
/// pieces are counted. All counts are added up; it makes no difference how a corpus was divided
/// between runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer count-pieces shard1.txt -o shard1.parquet
  tokenizer count-pieces shard1.parquet shard2.parquet -o all.parquet
  tokenizer train --from-counts all.parquet -o model.bpe")]
pub(crate) struct CountPiecesArguments {
    /// Write the counts here: .parquet or .tsv
    ///
    /// A .parquet file has the columns `piece` and `count`. In a .tsv file, the first line names the
    /// pattern; each other line has a piece in base64, a tab and the count of the piece.
    #[arg(short, long, value_name = "COUNTS", value_parser = counts_path())]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,

    /// Split text by this pattern [default: cl100k]
    ///
    /// A pattern is a name (gpt2, cl100k, o200k or nanochat; also r50k and p50k) or a regex. If any
    /// INPUT holds counts, the default is the pattern of the counts.
    #[arg(long, value_name = "NAME|REGEX", value_parser = PatternParser, allow_hyphen_values = true)]
    #[arg(hide_possible_values = true, help_heading = heading::INPUT)]
    pub(crate) pattern: Option<Pattern>,

    #[command(flatten)]
    pub(crate) documents: InputArguments,

    #[command(flatten)]
    pub(crate) counting: CountingArguments,
}

fn counts_path() -> impl TypedValueParser<Value = PathBuf> {
    let is_counts = |path: &Path| CountsFormat::of_path(path).is_some();
    path(is_counts, "a file of piece counts ends in .tsv or .parquet")
}
