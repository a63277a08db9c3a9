//! What can be typed.

mod models;

use std::path::{Path, PathBuf};

use clap::builder::{RangedU64ValueParser, TypedValueParser};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tokenizer_core::corpus::CountsFormat;
use tokenizer_core::{Count, Pattern};

pub(crate) use self::models::{ModelArguments, ModelsArguments};
use self::models::{model_path, path, read_model_path};
use crate::ids::IdFormat;
use crate::input::InputArguments;

const MODEL_NAMES: &str = "\
A model's name tells its format: .bpe (this program's own, one file with everything), .json \
(Hugging Face's tokenizer.json), .tiktoken (ranks only; then --pattern says how text is split). A \
folder in Hugging Face's layout is read too.";

const EXIT_CODES: &str = "\
Data goes to standard output, messages go to standard error.
Exit codes: 0 done, 1 failed on the data, 2 wrong usage, 130 interrupted (Ctrl-C), 143 terminated; \
in every case an output is written whole or not at all. A reader of standard output that goes away \
(as in `| head`) is no failure.";

/// Train byte-level BPE vocabularies, encode and decode text.
///
/// The merges are those of rustbpe, the ids those of tiktoken, byte for byte.
#[derive(Debug, Parser)]
#[command(name = "tokenizer", version, after_long_help = format!("{MODEL_NAMES}\n\n{EXIT_CODES}"))]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Show no progress and no closing line; warnings and errors are still shown.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Say for each stage of the work how much there was of it, how long it took and how fast it was.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(TrainArguments),
    CountPieces(CountPiecesArguments),
    Encode(EncodeArguments),
    Decode(DecodeArguments),
    Count(CountArguments),
    Convert(ConvertArguments),
    Compare(CompareArguments),
    Inspect(InspectArguments),
    /// Write the completions of a shell to standard output.
    #[command(after_help = "\
Example:
  tokenizer completions bash > ~/.local/share/bash-completion/completions/tokenizer")]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write a manual page to standard output.
    #[command(after_help = "\
Examples:
  tokenizer man | man -l -
  tokenizer man encode > tokenizer-encode.1")]
    Man {
        /// The command whose page is wanted; without it, that of the program.
        command: Option<String>,
    },
}

/// How much of the documents is counted, and in how much memory.
#[derive(Debug, Args)]
pub(crate) struct CountingArguments {
    /// Read no further than the document with which there are more characters than this.
    #[arg(long, value_name = "N")]
    pub(crate) max_chars: Option<u64>,

    /// Use at most so many characters of each document.
    #[arg(long, value_name = "N")]
    pub(crate) doc_cap: Option<u64>,

    /// Count within so much memory, such as 2GB or 512MiB: what does not fit goes to temporary files
    /// (in TMPDIR), and the result is the same. Documents that are read come on top.
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    pub(crate) max_memory: Option<usize>,
}

/// Train a vocabulary on text and write it as a model.
///
/// A corpus too small for the vocabulary is trained as far as it goes, with a warning.
#[derive(Debug, Args)]
#[command(mut_arg("inputs", |inputs| inputs.required(false).required_unless_present("from_counts")))]
#[command(after_help = "\
Examples:
  tokenizer train corpus.txt -o model.bpe
  tokenizer train a.txt b.txt -o model.bpe --vocab-size 65536 --special '<|endoftext|>'
  tokenizer train --recursive corpus/ --field content -o model.bpe
  tokenizer train corpus.txt -o ranks.tiktoken --pattern nanochat
  tokenizer train --from-counts counts/*.parquet -o model.bpe
  tokenizer train corpus.txt -o model.bpe --checkpoint-sizes 4096,8192,16384 --report report.json
  tokenizer train medicine.txt --extend model.bpe -o larger.bpe --vocab-size 40000")]
pub(crate) struct TrainArguments {
    #[command(flatten)]
    pub(crate) documents: InputArguments,

    /// Train on pieces that were counted before (see count-pieces), in the place of text: .tsv or
    /// .parquet, all split by one pattern.
    #[arg(long, value_name = "FILE", num_args = 1.., value_parser = counts_path())]
    #[arg(conflicts_with_all = [
        "inputs", "errors", "max_chars", "doc_cap", "recursive", "per_line", "document_separator",
        "json_lines", "text", "include", "exclude", "field", "column",
    ])]
    pub(crate) from_counts: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) counting: CountingArguments,

    /// Where to write the model: .bpe, .json or .tiktoken.
    #[arg(short, long, value_name = "MODEL", value_parser = model_path())]
    pub(crate) output: PathBuf,

    /// How many ids there are to be: 256 bytes, merges and special tokens.
    #[arg(long, value_name = "N", default_value_t = 32768)]
    pub(crate) vocab_size: usize,

    /// How text is split: gpt2 (also r50k, p50k), cl100k, o200k, nanochat, or a regex [default: that
    /// of the counts or of the model to extend, else cl100k].
    #[arg(long, value_name = "NAME|REGEX", allow_hyphen_values = true)]
    pub(crate) pattern: Option<Pattern>,

    /// A special token; may be given again. They take the ids after the merges, in their order;
    /// with --tie-break huggingface they take the first ones.
    #[arg(long = "special", value_name = "TOKEN", allow_hyphen_values = true)]
    pub(crate) specials: Vec<String>,

    /// Do not merge pairs that occur fewer times than this.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) min_frequency: Count,

    /// Make no token longer than this [default: no limit].
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) max_token_bytes: Option<usize>,

    /// Which of two pairs goes first that occur equally often, and with that how ids are given out.
    #[arg(long, value_enum, value_name = "RULE", default_value_t = TieBreakRule::Raw)]
    pub(crate) tie_break: TieBreakRule,

    /// Start from this model and learn more merges. Tokens keep their ids, special tokens behind
    /// them get new ids behind the new tokens; --vocab-size is the new total.
    #[arg(long, value_name = "MODEL", value_parser = read_model_path())]
    #[arg(conflicts_with_all = ["specials", "tie_break"])]
    pub(crate) extend: Option<PathBuf>,

    /// Write how often the pair of each new token occurred when it was merged: a line for each with
    /// id, count and the token in base64, between tabs; `-` is standard output.
    #[arg(long, value_name = "FILE.tsv")]
    pub(crate) frequencies: Option<PathBuf>,

    /// Write what was done as JSON: inputs, options, counts and hashes of counts, merges and model, by
    /// which it can be done again and proved; seconds of each stage; memory. `-` is standard output.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) report: Option<PathBuf>,

    /// Write models of these sizes too, smaller than --vocab-size, from the same training: each is what
    /// training to that size gives. Their names are that of MODEL with the size before its ending.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    #[arg(conflicts_with = "extend")]
    pub(crate) checkpoint_sizes: Vec<usize>,

    /// Has no effect. Models held a list of pieces once.
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) known_pieces: Option<usize>,
}

/// Which pair goes first. Always the one with the smaller ids; they differ in what these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TieBreakRule {
    /// As rustbpe: a byte is its own id, merges and special tokens follow.
    Raw,
    /// As the trainer of Hugging Face's tokenizers with the byte-level alphabet: special tokens,
    /// then the bytes in the order of its characters, then merges. Its max_token_length is
    /// --max-token-bytes plus one.
    Huggingface,
}

/// Split text and count its pieces, to train on them later or elsewhere.
///
/// An INPUT named .tsv, or .parquet with the columns piece and count, holds pieces that were counted
/// before, and is summed with the rest; it must have been split by the same pattern. All other INPUTs
/// are text. The same counts give the same file, whatever was counted where and on how many threads.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer count-pieces shard1.txt -o shard1.parquet
  tokenizer count-pieces shard1.parquet shard2.parquet -o all.parquet
  tokenizer train --from-counts all.parquet -o model.bpe")]
pub(crate) struct CountPiecesArguments {
    #[command(flatten)]
    pub(crate) documents: InputArguments,

    #[command(flatten)]
    pub(crate) counting: CountingArguments,

    /// Where to write the counts: .parquet (columns piece and count) or .tsv (base64, tab, count).
    #[arg(short, long, value_name = "COUNTS", value_parser = counts_path())]
    pub(crate) output: PathBuf,

    /// How text is split: gpt2 (also r50k, p50k), cl100k, o200k, nanochat, or a regex [default: that
    /// of the counts among the INPUTs, else cl100k].
    #[arg(long, value_name = "NAME|REGEX", allow_hyphen_values = true)]
    pub(crate) pattern: Option<Pattern>,
}

/// Encode text to ids.
///
/// The text of special tokens is text like any other, unless it is allowed. Beside a file of joined
/// ids (.bin, .u16, .u32, .npy) are OUT.json, its header, which names format and model, and OUT.index,
/// with the number of ids up to the end of each document (numbers of eight bytes).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer encode book.txt -m model.bpe
  echo 'hello world' | tokenizer encode - -m ranks.tiktoken --pattern cl100k
  tokenizer encode shards/*.txt -m model.bpe -o ids.npy
  tokenizer encode dump.jsonl.zst --field content -m model.bpe -o ids.bin
  tokenizer encode -r corpus/ -m model.bpe --append-special '<|endoftext|>' \\
      --shard-tokens 100000000 -o train.bin --resume")]
pub(crate) struct EncodeArguments {
    #[command(flatten)]
    pub(crate) documents: InputArguments,

    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Where to write the ids; `-` is standard output, which is the default.
    #[arg(short, long, value_name = "OUT")]
    #[arg(default_value = "-", hide_default_value = true)]
    pub(crate) output: PathBuf,

    /// How to write the ids [default: by the name of OUT (.jsonl, .npy, .parquet, .u16, .u32; .bin is
    /// u16 if all ids of the model fit, else u32), else text].
    #[arg(long, value_enum)]
    pub(crate) format: Option<IdFormat>,

    /// Recognise the special tokens of the model in the text. Documents are then held in memory whole.
    #[arg(long)]
    pub(crate) allow_special: bool,

    /// Put this special token before each document; may be given again.
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub(crate) prepend_special: Vec<String>,

    /// Put this special token behind each document; may be given again.
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub(crate) append_special: Vec<String>,

    /// Write several files, OUT-00000, OUT-00001 and so on (before the ending of OUT): each ends with
    /// the document with which it has so many ids.
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    pub(crate) shard_tokens: Option<u64>,

    /// Continue after the last shard of an interrupted run of the same command.
    #[arg(long, requires = "shard_tokens")]
    pub(crate) resume: bool,
}

/// Decode ids to text: the bytes that were encoded, exactly.
///
/// Reads what `encode` writes. The texts of several documents follow each other with nothing
/// between them. A header beside INPUT (INPUT.json) decides the format, and a model that decodes
/// otherwise than the one of the header is refused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer decode ids.npy -m model.bpe -o book.txt
  echo '104 105' | tokenizer decode - -m model.bpe")]
pub(crate) struct DecodeArguments {
    /// The ids; `-` is standard input.
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,

    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Where to write the text; `-` is standard output, which is the default.
    #[arg(short, long, value_name = "OUT")]
    #[arg(default_value = "-", hide_default_value = true)]
    pub(crate) output: PathBuf,

    /// How the ids are written [default: by the header, else by the name of INPUT, as for encode].
    #[arg(long, value_enum)]
    pub(crate) format: Option<IdFormat>,

    /// Leave out special tokens. Added tokens that are not special are kept.
    #[arg(long)]
    pub(crate) skip_special: bool,
}

/// Count tokens: a line for each input with tokens, bytes and the name, between tabs.
///
/// A last line holds the total when there are several inputs.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tokenizer count shards/*.txt -m model.bpe")]
pub(crate) struct CountArguments {
    #[command(flatten)]
    pub(crate) documents: InputArguments,

    #[command(flatten)]
    pub(crate) model: ModelArguments,
}

/// Write a model in another format.
#[derive(Debug, Args)]
#[command(mut_args(|arg| match arg.get_id().as_str() {
    "model" => arg.short(None).long(None),
    "output" | "pattern" => arg,
    "inputs" => arg.long("warm").value_name("CORPUS").num_args(1..).required(false).hide(true),
    _ => arg.requires("inputs").hide(true),
}))]
#[command(after_help = "\
Examples:
  tokenizer convert ranks.tiktoken --pattern o200k -o model.bpe
  tokenizer convert tokenizer.json -o model.bpe")]
pub(crate) struct ConvertArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Where to write it: .bpe, .json or .tiktoken.
    #[arg(short, long, value_name = "MODEL", value_parser = model_path())]
    pub(crate) output: PathBuf,

    /// The corpus of `--warm`, which has no effect, and how it would be read.
    #[command(flatten)]
    pub(crate) warm: InputArguments,

    #[command(flatten)]
    _counting: CountingArguments,

    #[arg(long = "known-pieces", value_name = "N")]
    _known_pieces: Option<usize>,
}

/// Compare models on corpora: a table with a line for each corpus and model.
///
/// Every INPUT is a corpus, a folder too. A word is what stands between white space. The time is that
/// of encoding alone, without reading; it depends on --threads.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer compare english.txt code/ -r -m a.bpe -m b.bpe
  tokenizer compare english.txt -m a.tiktoken --pattern cl100k -m b.tiktoken --pattern o200k
  tokenizer compare corpus.txt -m model-4096.bpe -m model-8192.bpe -m model.bpe --html sizes.html")]
pub(crate) struct CompareArguments {
    #[command(flatten)]
    pub(crate) documents: InputArguments,

    #[command(flatten)]
    pub(crate) models: ModelsArguments,

    /// Write the comparison as JSON.
    #[arg(long, conflicts_with = "html")]
    pub(crate) json: bool,

    /// Write the comparison as a page for a browser, with charts, whole in one file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// Show what a tokenizer does: a text token by token, how a piece is merged, what the vocabulary holds.
///
/// On a terminal a text is shown in colours, and elsewhere as a line for each token with its id, the
/// byte where it begins and the token. What is not printed, and what would move the cursor, is
/// escaped: \n, \xff, \u{202e}. NO_COLOR in the environment means --color never.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer inspect -m model.bpe 'I do not tokenize 12345'
  tokenizer inspect -m model.bpe --html tokens.html < book.txt
  tokenizer inspect -m model.bpe --merges ' tokenizer'
  tokenizer inspect -m model.bpe --vocab")]
pub(crate) struct InspectArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// The text; without it, standard input.
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) text: Option<String>,

    /// Write the text as a page for a browser, whole in one file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Show step by step how each piece of this text is merged.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with_all = ["text", "html"])]
    pub(crate) merges: Option<String>,

    /// Say what the vocabulary holds: tokens by their length and by script, those that merging never
    /// reaches, and those that differ by white space alone.
    #[arg(long, conflicts_with_all = ["text", "html", "merges"])]
    pub(crate) vocab: bool,

    /// List all tokens where --vocab lists the first ones.
    #[arg(long, requires = "vocab")]
    pub(crate) all: bool,

    /// Recognise the special tokens of the model in the text.
    #[arg(long, conflicts_with_all = ["merges", "vocab"])]
    pub(crate) allow_special: bool,

    /// Whether to use colours; auto: on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,
}

/// A number of bytes with a unit: powers of 1000, or of 1024 with an `i`.
fn memory_size(text: &str) -> Result<usize, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit: usize = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1000 * 1000,
        "g" | "gb" => 1000 * 1000 * 1000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err("a size is a whole number with B, KB, MB, GB, KiB, MiB or GiB".to_owned()),
    };
    let number = number.parse::<usize>().ok();
    let size = number.and_then(|number| number.checked_mul(unit));
    size.ok_or_else(|| "no size that a machine has".to_owned())
}

fn counts_path() -> impl TypedValueParser<Value = PathBuf> {
    let is_counts = |path: &Path| CountsFormat::of_path(path).is_some();
    path(
        is_counts,
        "a name of counted pieces ends in .tsv or .parquet",
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, size) in [
            ("1", 1),
            ("512MB", 512_000_000),
            ("2g", 2_000_000_000),
            ("3 KiB", 0),
            ("3KiB", 3072),
            ("1GiB", 1 << 30),
            ("99999999999GB", 0),
            ("-1", 0),
            ("GB", 0),
            ("1.5GB", 0),
        ] {
            assert_eq!(memory_size(text).unwrap_or(0), size, "{text}");
        }
    }

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}
