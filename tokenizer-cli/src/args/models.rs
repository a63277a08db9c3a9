//! Options that choose one model, or several models, each with the --pattern and --model-special that
//! follow its -m.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{ArgMatches, Args};
use tokenizer_core::corpus::{ENCODING_NAMES, ModelFormat, RankOptions, is_hub_name};
use tokenizer_core::{Pattern, SpecialToken};

use super::heading;
use super::values::{PatternParser, model_special};
use crate::error::{Result, usage};

/// The model that a command reads.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelArguments {
    /// Load this model: a file, a Hugging Face folder, or a name
    ///
    /// A file is .bpe, .json (Hugging Face's tokenizer.json), .tiktoken or, with any other name, a
    /// SentencePiece model. A name is one of tiktoken's encodings, such as cl100k_base, which is read from
    /// tiktoken's cache, or OWNER/NAME, which is read from Hugging Face's cache. Nothing is downloaded.
    #[arg(id = "model", short = 'm', long = "model", value_name = "MODEL")]
    #[arg(value_parser = read_model_path(), help_heading = heading::MODEL)]
    pub(crate) path: PathBuf,

    /// Set the pattern of a .tiktoken model
    ///
    /// Required for .tiktoken, which does not store its pattern, except for the published files of
    /// r50k_base, p50k_base, cl100k_base and o200k_base. Refused for other models. A pattern is a
    /// name (gpt2, cl100k, o200k or nanochat; also r50k and p50k) or a regex.
    #[arg(long, value_name = "NAME|REGEX", value_parser = PatternParser, allow_hyphen_values = true)]
    #[arg(hide_possible_values = true, help_heading = heading::MODEL)]
    pub(crate) pattern: Option<Pattern>,

    /// Add a special token to a .tiktoken model
    ///
    /// Repeatable. The last = separates the token from its id. A .tiktoken file stores no special
    /// tokens; the published files of r50k_base, p50k_base, cl100k_base and o200k_base are recognised
    /// and have theirs. A given token replaces those with the same text or id.
    #[arg(long = "model-special", value_name = "TOKEN=ID", value_parser = model_special)]
    #[arg(allow_hyphen_values = true, help_heading = heading::MODEL)]
    pub(crate) specials: Vec<SpecialToken>,
}

impl ModelArguments {
    /// Returns the options of a .tiktoken model.
    pub(crate) fn rank_options(&self) -> RankOptions {
        RankOptions {
            pattern: self.pattern.clone(),
            specials: self.specials.clone(),
        }
    }
}

/// The models of a command, in the order of the command line.
#[derive(Debug, Args)]
pub(crate) struct ModelsArguments {
    /// Load this model: a file, a Hugging Face folder, or a name
    ///
    /// Repeatable. A file is .bpe, .json (Hugging Face's tokenizer.json), .tiktoken or, with any other
    /// name, a SentencePiece model. A name is one of tiktoken's encodings, such as cl100k_base, which is
    /// read from tiktoken's cache, or OWNER/NAME, which is read from Hugging Face's cache. Nothing is
    /// downloaded.
    #[arg(short, long = "model", value_name = "MODEL", value_parser = read_model_path())]
    #[arg(required = true, help_heading = heading::MODEL)]
    models: Vec<PathBuf>,

    /// Set the pattern of the preceding -m
    ///
    /// Required for each .tiktoken model, except for the published files of r50k_base, p50k_base,
    /// cl100k_base and o200k_base. Refused for other models. A pattern is a name (gpt2, cl100k, o200k
    /// or nanochat; also r50k and p50k) or a regex.
    #[arg(long = "pattern", value_name = "NAME|REGEX", value_parser = PatternParser)]
    #[arg(allow_hyphen_values = true, hide_possible_values = true, help_heading = heading::MODEL)]
    patterns: Vec<Pattern>,

    /// Add a special token to the .tiktoken model of the preceding -m
    ///
    /// Repeatable. The last = separates the token from its id. A .tiktoken file stores no special
    /// tokens; the published files of r50k_base, p50k_base, cl100k_base and o200k_base are recognised
    /// and have theirs. A given token replaces those with the same text or id.
    #[arg(long = "model-special", value_name = "TOKEN=ID", value_parser = model_special)]
    #[arg(allow_hyphen_values = true, help_heading = heading::MODEL)]
    specials: Vec<SpecialToken>,
}

impl ModelsArguments {
    /// Returns each model with its options. A --pattern or --model-special belongs to the -m before
    /// it; with a single model, it may also precede the -m. `matches` are those of the command, and
    /// have the order of the options.
    ///
    /// # Errors
    /// If a model has two patterns, or if there are several models and one of these options precedes every -m.
    pub(crate) fn choices(&self, matches: &ArgMatches) -> Result<Vec<ModelArguments>> {
        let indices = |id| matches.indices_of(id).into_iter().flatten();
        let mut models: Vec<ModelArguments> = (self.models.iter().cloned())
            .map(|path| ModelArguments {
                path,
                pattern: None,
                specials: Vec::new(),
            })
            .collect();
        let is_single = models.len() == 1;
        let owner = |option: &str, index: usize| {
            let preceding = indices("models").filter(|&model| model < index).count();
            match preceding.checked_sub(1) {
                _ if is_single => Ok(0),
                Some(owner) => Ok(owner),
                None => Err(usage(format!("{option} precedes every -m"))
                    .hint("give it after the -m of its model")),
            }
        };
        for (index, pattern) in indices("patterns").zip(&self.patterns) {
            let model = &mut models[owner("--pattern", index)?];
            if model.pattern.replace(pattern.clone()).is_some() {
                let path = model.path.display();
                let error = usage(format!("{path}: --pattern is given twice for this model"));
                return Err(error.hint("give it once, after the -m of its model"));
            }
        }
        for (index, special) in indices("specials").zip(&self.specials) {
            models[owner("--model-special", index)?]
                .specials
                .push(special.clone());
        }
        Ok(models)
    }
}

const MODEL_EXTENSIONS: &str = "a model ends in .bpe, .json or .tiktoken";

/// Whether `name` may be that of a cached model.
fn is_name(name: &str) -> bool {
    ENCODING_NAMES.contains(&name) || is_hub_name(name)
}

fn is_model_name(path: &Path) -> bool {
    ModelFormat::of_path(path).is_some()
}

/// Parses the path of a model to write.
pub(super) fn model_path() -> impl TypedValueParser<Value = PathBuf> {
    path(is_model_name, MODEL_EXTENSIONS)
}

/// Parses the path of a model or folder to write.
pub(super) fn model_or_folder_path() -> impl TypedValueParser<Value = PathBuf> {
    path(
        |path| is_folder(path) || is_model_name(path),
        "a model ends in .bpe, .json or .tiktoken, and a new folder in /",
    )
}

/// Whether a path to write is a folder: it exists, or ends in a separator.
pub(crate) fn is_folder(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    path.is_dir() || last.is_some_and(|&byte| std::path::is_separator(byte.into()))
}

/// Parses the path or name of a model to read.
pub(super) fn read_model_path() -> impl TypedValueParser<Value = PathBuf> {
    path(
        |path| {
            ModelFormat::of_path_to_read(path).is_some()
                || path.is_dir()
                || path.to_str().is_some_and(is_name)
        },
        "a model ends in .bpe, .json or .tiktoken, or is a SentencePiece model, a folder or one of \
         tiktoken's encodings",
    )
}

/// Parses a path, and refuses it with the message `rule` unless `is_valid` accepts it.
pub(super) fn path(
    is_valid: fn(&Path) -> bool,
    rule: &'static str,
) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| match is_valid(&path) {
        true => Ok(path),
        false => Err(rule),
    })
}
