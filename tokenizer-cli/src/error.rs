//! Why a command failed, and what the exit code says about it.

use std::io;
use std::path::PathBuf;

use tokenizer_core::CountError;
use tokenizer_core::EncodeError;
use tokenizer_core::ExtendError;
use tokenizer_core::ModelError;
use tokenizer_core::SpecialTokensError;
use tokenizer_core::TrainError;
use tokenizer_core::corpus::{
    DocumentError, FileError, GlobError, LoadCountsError, LoadError, Refused, SaveCountsError,
    SaveError,
};
use tokenizer_core::format::counts::CountsError;

use crate::args::MAX_VOCAB_SIZE;
use crate::ids::{HeaderFault, IdFault};
use crate::input::{InputName, TextName};

/// A command failed. The message names the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0}: {1}")]
    Standard(InputName, io::Error),
    #[error("no thread can be started: {0}")]
    Thread(io::Error),
    #[error("the inputs could not be read to their end")]
    Reader,
    #[error("standard output: {0}")]
    StandardOutput(io::Error),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Save(#[from] SaveError),
    #[error(transparent)]
    LoadCounts(#[from] LoadCountsError),
    #[error(transparent)]
    SaveCounts(#[from] SaveCountsError),
    #[error("{0}: {1}")]
    Document(InputName, DocumentError),
    #[error("{}: is a directory", .0.display())]
    Folder(PathBuf),
    #[error("{}", refused(.0))]
    Refused(Vec<(PathBuf, Refused)>),
    #[error("{}: no file matches --include and --exclude", .0.display())]
    NoFileChosen(PathBuf),
    #[error("{text}: byte {offset} is not UTF-8{}", if *.is_surrogate { ": a lone surrogate" } else { "" })]
    NotUtf8 {
        text: TextName,
        offset: u64,
        is_surrogate: bool,
    },
    #[error("{text}: {error}")]
    Encode { text: TextName, error: EncodeError },
    #[error(transparent)]
    Count(#[from] CountError),
    #[error("merging takes about {estimate} bytes of memory, and --max-memory allows {max_memory}")]
    MergeMemory { estimate: u64, max_memory: usize },
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Extend(#[from] ExtendError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(
        "{output}: ids of the model go up to {highest}, and u16 holds them up to {}",
        u16::MAX
    )]
    IdsTooHigh { output: String, highest: usize },
    #[error("{}: shards are there already", .0.display())]
    ShardsAreThere(PathBuf),
    #[error("{}: this shard is of another run: of another model, other inputs or options", .0.display())]
    OtherShards(PathBuf),
    #[error("{input}: is not what it was when {} was written", .shard.display())]
    InputChanged { input: InputName, shard: PathBuf },
    #[error(
        "{}: this shard was encoded with a model that decodes otherwise: {difference}",
        .shard.display()
    )]
    ShardOfOtherModel { shard: PathBuf, difference: String },
    #[error("{}: {fault}", .path.display())]
    Header { path: PathBuf, fault: HeaderFault },
    #[error("{input}: {fault}")]
    Ids { input: InputName, fault: IdFault },
}

/// The command does not make sense, whatever the files hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    #[error(
        "--vocab-size {size} is too small: 256 bytes and {specials} special tokens need {first}"
    )]
    VocabTooSmall {
        size: usize,
        specials: usize,
        first: usize,
    },
    #[error("--vocab-size {size} is above {MAX_VOCAB_SIZE}, the highest there can be")]
    VocabTooLarge { size: usize },
    #[error("--vocab-size {size} is not more than the {present} ids of {}, which is to be extended", .model.display())]
    NotLarger {
        size: usize,
        present: usize,
        model: PathBuf,
    },
    #[error("{}: the model holds its own pattern, {pattern:?}, and --pattern is another", .model.display())]
    OtherPattern { model: PathBuf, pattern: String },
    #[error("the counts are of pieces split by {counts:?}, and the model splits by {model:?}")]
    CountsOfOtherPattern { counts: String, model: String },
    #[error("--special: {0}")]
    Specials(#[from] SpecialTokensError),
    #[error("standard input can be read only once, but `-` stands twice")]
    StandardInputTwice,
    #[error("standard input can be read only once, and every model is to have it")]
    StandardInputForEach,
    #[error("{}: the output would take the place of a file that is read", .0.display())]
    OutputIsRead(PathBuf),
    #[error("{}: two outputs cannot be one file", .0.display())]
    OneFileTwice(PathBuf),
    #[error("standard output is a terminal, and {0} is not for reading")]
    BinaryToTerminal(&'static str),
    #[error(
        "--checkpoint-sizes: {size} is not between {first}, which is what there is without merges, and \
         the {vocab_size} of --vocab-size"
    )]
    CheckpointSize {
        size: usize,
        first: usize,
        vocab_size: usize,
    },
    #[error("there is no command {0:?}")]
    NoCommand(String),
    #[error("{0} needs a file")]
    NeedsFile(&'static str),
    #[error("{0}: the name of Megatron's file of ids ends in .bin; its index is named .idx")]
    MegatronName(String),
    #[error("{}: the ids are {format}, and --format is {given}", .header.display())]
    OtherFormat {
        header: PathBuf,
        format: &'static str,
        given: &'static str,
    },
    #[error("{0} precedes every -m, and belongs to the -m before it")]
    OptionBeforeModels(&'static str),
    #[error("{}: {option} is given twice for this model", .model.display())]
    OptionTwice {
        option: &'static str,
        model: PathBuf,
    },
    #[error("shards are files, and standard output is none")]
    ShardsToStandardOutput,
    #[error("the model has no special token {name:?}")]
    NoSpecial { name: String, specials: Vec<String> },
    #[error(transparent)]
    Pattern(LoadError),
    #[error(transparent)]
    CountsPattern(LoadCountsError),
    #[error("{}: these are counted pieces, not text", .0.display())]
    CountsAsText(PathBuf),
    #[error(transparent)]
    Glob(#[from] GlobError),
}

/// Inputs that are refused, and why.
fn refused(inputs: &[(PathBuf, Refused)]) -> String {
    let each = |(path, why): &(PathBuf, Refused)| format!("{}: {why}", path.display());
    let all: Vec<String> = inputs.iter().map(each).collect();
    match all.len() {
        1 => all.concat(),
        count => format!("{count} inputs are refused: {}", all.join("; ")),
    }
}

/// The remedy for a refused input.
fn remedy(refused: Refused) -> Option<&'static str> {
    Some(match refused {
        Refused::UnnamedJsonLines | Refused::OtherJson => {
            "--json-lines reads every line as a record, --text reads all of it as text"
        }
        Refused::JsonArray => {
            "write its elements one a line, as `jq -c '.[]'` does, or read all of it with --text; \
             --json-lines is for objects one a line"
        }
        Refused::Compression(_) => {
            "decompress it, also into a pipe: an INPUT of `-` is standard input"
        }
        Refused::Container(_) | Refused::CompressedContainer { .. } => {
            "give the texts that it holds as files or on standard input"
        }
        Refused::Encoding(_) => "convert it to UTF-8, as with `iconv -t UTF-8`",
        Refused::Ids => "`tokenizer decode` turns ids into text",
        _ => return None,
    })
}

impl CommandError {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CommandError::Usage(_) => 2,
            _ => 1,
        }
    }

    /// Whether whoever read standard output has gone away, which is no failure.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, CommandError::StandardOutput(error)
            if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What to do about it, when that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            CommandError::Folder(_) => "--recursive takes the files in it",
            CommandError::Document(_, DocumentError::Json { .. }) => {
                "--field names the field that holds the text; --text reads all of the input as text"
            }
            CommandError::Document(_, DocumentError::Refused(refused)) => remedy(*refused)?,
            CommandError::Refused(inputs) => match &inputs[..] {
                [(_, refused)] => remedy(*refused)?,
                _ => {
                    "--exclude GLOB leaves files of a folder out; --json-lines and --text decide how \
                     JSON is read"
                }
            },
            CommandError::NoFileChosen(_) => {
                "a glob with `/` matches the path relative to the folder, one without it the name"
            }
            CommandError::Document(_, DocumentError::Table(_)) => {
                "--column names the column that holds the text"
            }
            CommandError::NotUtf8 {
                is_surrogate: true, ..
            } => {
                "--errors keep puts U+FFFD in the place of such an escape of JSON, and takes other \
                 bytes as they are"
            }
            CommandError::NotUtf8 { .. } => {
                "--errors keep takes such bytes as they are, and they come back when decoded"
            }
            CommandError::MergeMemory { .. }
            | CommandError::Count(CountError::MemoryExceeded { .. }) => {
                "--max-memory bounds counting; training holds all distinct pieces in memory"
            }
            CommandError::IdsTooHigh { .. } => "--format u32 holds every id",
            CommandError::Ids { fault, .. } => return fault.hint(),
            CommandError::Usage(
                UsageError::BinaryToTerminal(_)
                | UsageError::NeedsFile(_)
                | UsageError::ShardsToStandardOutput,
            ) => "give a file with -o",
            CommandError::Usage(UsageError::NoSpecial { specials, .. }) => {
                return Some(match specials.is_empty() {
                    true => "it has none at all".to_owned(),
                    false => format!("it has {}", specials.join(", ")),
                });
            }
            CommandError::ShardsAreThere(_) => "--resume goes on behind them; or remove them",
            CommandError::Header { fault, .. } => return Some(fault.hint()),
            CommandError::Usage(UsageError::OtherFormat { .. }) => "leave --format out",
            CommandError::OtherShards(_) | CommandError::ShardOfOtherModel { .. } => {
                "give what they were made with, or remove them"
            }
            CommandError::InputChanged { .. } => {
                "bring back what it was, or remove the shards and begin anew"
            }
            CommandError::Usage(UsageError::Pattern(LoadError::PatternMissing(_))) => {
                "give the one it was made with, such as --pattern cl100k"
            }
            CommandError::Usage(UsageError::CountsPattern(LoadCountsError::Counts(_, error))) => {
                match error {
                    CountsError::PatternMissing => {
                        "give the one they were split by, such as --pattern cl100k"
                    }
                    _ => "leave --pattern out",
                }
            }
            CommandError::Usage(UsageError::CountsAsText(_)) => "give them with --from-counts",
            CommandError::Usage(
                UsageError::Pattern(LoadError::PatternGiven(_)) | UsageError::OtherPattern { .. },
            ) => "leave --pattern out",
            CommandError::Usage(
                UsageError::OptionBeforeModels(_) | UsageError::OptionTwice { .. },
            ) => "give it once, after the -m of its model",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
