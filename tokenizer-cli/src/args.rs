//! What can be typed.

mod models;

use std::path::PathBuf;

use clap::builder::{
    NonEmptyStringValueParser, PathBufValueParser, RangedU64ValueParser, TypedValueParser,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tokenizer_core::corpus::{CountsFormat, DocumentOptions, Globs, ModelFormat, ReadAs, Units};
use tokenizer_core::{Count, CropOptions, MAX_TOKEN_ID, Pattern};

pub(crate) use self::models::{ModelChoice, ModelsArguments};
use crate::error::UsageError;
use crate::ids::IdFormat;

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
    Completions(CompletionsArguments),
    Man(ManArguments),
}

/// The documents of a command.
#[derive(Debug, Args)]
pub(crate) struct InputArguments {
    /// Files of documents; `-` is standard input. gzip, Zstandard and Parquet are recognised by their
    /// content. Files named .jsonl, .ndjson, .json, .jsonlines or .jl (also before .gz or .zst) are
    /// JSON lines; JSON objects, one a line, under another name are refused unless --json-lines or
    /// --text is given, and so are archives, images, models and other files that are not text. A text
    /// file is one document with every byte of it, unless an option says otherwise; a line of JSON is
    /// one, and so is a row of Parquet.
    #[arg(value_name = "INPUT", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) forms: FormArguments,

    /// What to do with bytes that are not UTF-8.
    #[arg(long, value_enum, default_value_t = InvalidText::Keep)]
    pub(crate) errors: InvalidText,

    /// Threads to work on [default: one for each processor].
    #[arg(long, value_name = "N", value_parser = thread_count())]
    threads: Option<usize>,
}

/// How inputs become documents.
#[derive(Debug, Args)]
pub(crate) struct FormArguments {
    /// Take every file in an INPUT that is a folder, and in the folders below, in the order of their
    /// paths. Hidden files and folders, links to folders, pipes and devices are left out.
    #[arg(short, long)]
    pub(crate) recursive: bool,

    /// Take only files in a folder that match this glob; may be given again. It matches the path
    /// relative to INPUT, or the file name if it has no `/`: '*.txt', 'data/*.jsonl', '**/en/*'. `*`
    /// and `?` do not match `/`.
    #[arg(
        long,
        value_name = "GLOB",
        requires = "recursive",
        allow_hyphen_values = true
    )]
    include: Vec<String>,

    /// Leave out files in a folder that match this glob; may be given again.
    #[arg(
        long,
        value_name = "GLOB",
        requires = "recursive",
        allow_hyphen_values = true
    )]
    exclude: Vec<String>,

    /// Take every line of a text file for a document, without its line feed.
    #[arg(long, conflicts_with = "document_separator")]
    pub(crate) per_line: bool,

    /// Split text files into documents wherever this text stands, such as '<|endoftext|>', which
    /// belongs to none of them.
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub(crate) document_separator: Option<String>,

    /// Read text as JSON lines, whatever its name: also standard input.
    #[arg(long, conflicts_with = "text")]
    pub(crate) json_lines: bool,

    /// Read JSON as text, whatever its name.
    #[arg(long)]
    pub(crate) text: bool,

    /// The field of a line of JSON that holds the text.
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub(crate) field: String,

    /// The column of a Parquet table that holds the text; one within others is written with dots.
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub(crate) column: String,
}

impl FormArguments {
    pub(crate) fn options(&self) -> DocumentOptions {
        let units = match &self.document_separator {
            Some(separator) => Units::Separated(separator.clone().into_bytes()),
            None if self.per_line => Units::Lines,
            None => Units::Whole,
        };
        let read_as = match (self.json_lines, self.text) {
            (true, _) => ReadAs::JsonLines,
            (_, true) => ReadAs::Text,
            _ => ReadAs::Detect,
        };
        DocumentOptions::default()
            .units(units)
            .read_as(read_as)
            .field(&self.field)
            .column(&self.column)
    }

    /// The files of a folder that are taken.
    pub(crate) fn globs(&self) -> Result<Globs, UsageError> {
        Ok(Globs::new(&self.include, &self.exclude)?)
    }
}

impl InputArguments {
    pub(crate) fn threads(&self) -> usize {
        self.threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()))
    }
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

impl CountingArguments {
    pub(crate) fn crop(&self) -> CropOptions {
        CropOptions::default()
            .max_chars(self.max_chars.unwrap_or(u64::MAX))
            .doc_cap(self.doc_cap.unwrap_or(u64::MAX))
    }
}

/// What to do with bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InvalidText {
    /// Keep them as they are: they come back when decoded.
    Keep,
    /// Fail, and name the file and the byte.
    Strict,
}

/// The model a command reads.
#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// The model: .bpe, .json, .tiktoken or a folder in Hugging Face's layout.
    #[arg(short, long, value_name = "MODEL", value_parser = read_model_path())]
    pub(crate) model: PathBuf,

    #[command(flatten)]
    pub(crate) pattern: ModelPatternArguments,
}

/// The pattern of a model that does not hold its own.
#[derive(Debug, Args)]
pub(crate) struct ModelPatternArguments {
    /// How text is split, for a .tiktoken model, which does not say: gpt2 (also r50k, p50k),
    /// cl100k, o200k, nanochat, or a regex.
    #[arg(long, value_name = "NAME|REGEX", value_parser = pattern, allow_hyphen_values = true)]
    pub(crate) pattern: Option<Pattern>,
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
    #[arg(
        long,
        value_name = "FILE",
        num_args = 1..,
        value_parser = counts_path(),
        conflicts_with_all = [
            "inputs", "errors", "max_chars", "doc_cap", "recursive", "per_line",
            "document_separator", "json_lines", "text", "include", "exclude", "field", "column",
        ]
    )]
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
    #[arg(long, value_name = "NAME|REGEX", value_parser = pattern, allow_hyphen_values = true)]
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
    #[arg(
        long,
        value_name = "MODEL",
        value_parser = read_model_path(),
        conflicts_with_all = ["specials", "tie_break"]
    )]
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
    #[arg(
        long,
        value_name = "N,N,...",
        value_delimiter = ',',
        conflicts_with = "extend"
    )]
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
    #[arg(long, value_name = "NAME|REGEX", value_parser = pattern, allow_hyphen_values = true)]
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
    pub(crate) output: Option<PathBuf>,

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

    /// Go on behind the shards that an earlier run of the same command left, which was ended.
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
    pub(crate) output: Option<PathBuf>,

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
#[command(
    mut_args(|arg| match arg.get_id().as_str() {
        "model" | "output" | "pattern" => arg,
        "inputs" => arg.long("warm").value_name("CORPUS").num_args(1..).required(false).hide(true),
        _ => arg.requires("inputs").hide(true),
    })
)]
#[command(after_help = "\
Examples:
  tokenizer convert ranks.tiktoken --pattern o200k -o model.bpe
  tokenizer convert tokenizer.json -o model.bpe")]
pub(crate) struct ConvertArguments {
    /// The model to read: .bpe, .json, .tiktoken or a folder in Hugging Face's layout.
    #[arg(value_name = "MODEL", value_parser = read_model_path())]
    pub(crate) model: PathBuf,

    /// Where to write it: .bpe, .json or .tiktoken.
    #[arg(short, long, value_name = "MODEL", value_parser = model_path())]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) pattern: ModelPatternArguments,

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

    /// Whether to use colours.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Write the completions of a shell to standard output.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tokenizer completions bash > ~/.local/share/bash-completion/completions/tokenizer")]
pub(crate) struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Write a manual page to standard output.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tokenizer man | man -l -
  tokenizer man encode > tokenizer-encode.1")]
pub(crate) struct ManArguments {
    /// The command whose page is wanted; without it, that of the program.
    pub(crate) command: Option<String>,
}

/// More threads than any machine has processors are a slip, and starting them could fail.
fn thread_count() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<usize>::new().range(1..=1024)
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

fn model_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match ModelFormat::of_path(&path) {
        Some(_) => Ok(path),
        None => Err("a model's name ends in .bpe, .json or .tiktoken"),
    })
}

/// A model to read: a file, or a folder in Hugging Face's layout.
fn read_model_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match ModelFormat::of_path(&path) {
        None if !path.is_dir() => Err("a model's name ends in .bpe, .json or .tiktoken"),
        _ => Ok(path),
    })
}

fn counts_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match CountsFormat::of_path(&path) {
        Some(_) => Ok(path),
        None => Err("a name of counted pieces ends in .tsv or .parquet"),
    })
}

fn pattern(text: &str) -> Result<Pattern, String> {
    text.parse::<Pattern>().map_err(|error| error.to_string())
}

/// How many ids there can be.
pub(crate) const MAX_VOCAB_SIZE: usize = MAX_TOKEN_ID as usize + 1;

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
