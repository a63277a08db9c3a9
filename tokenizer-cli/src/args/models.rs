//! Options that choose one model, or several models, each with the --pattern that follows its -m.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{ArgMatches, Args};
use tokenizer_core::Pattern;
use tokenizer_core::corpus::ModelFormat;

use super::heading;
use super::values::PatternParser;
use crate::error::{Result, usage};

/// The model that a command reads.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelArguments {
    /// Load this model file, or Hugging Face folder
    ///
    /// A file is .bpe, .json (Hugging Face's tokenizer.json) or .tiktoken.
    #[arg(id = "model", short = 'm', long = "model", value_name = "MODEL")]
    #[arg(value_parser = read_model_path(), help_heading = heading::MODEL)]
    pub(crate) path: PathBuf,

    /// Set the pattern of a .tiktoken model
    ///
    /// Required for .tiktoken, which does not store its pattern, and refused for other models. A
    /// pattern is a name (gpt2, cl100k, o200k or nanochat; also r50k and p50k) or a regex.
    #[arg(long, value_name = "NAME|REGEX", value_parser = PatternParser, allow_hyphen_values = true)]
    #[arg(hide_possible_values = true, help_heading = heading::MODEL)]
    pub(crate) pattern: Option<Pattern>,
}

/// The models of a command, in the order of the command line.
#[derive(Debug, Args)]
pub(crate) struct ModelsArguments {
    /// Load this model file, or Hugging Face folder
    ///
    /// Repeatable. A file is .bpe, .json (Hugging Face's tokenizer.json) or .tiktoken.
    #[arg(short, long = "model", value_name = "MODEL", value_parser = read_model_path())]
    #[arg(required = true, help_heading = heading::MODEL)]
    models: Vec<PathBuf>,

    /// Set the pattern of the preceding -m
    ///
    /// Required for each .tiktoken model, and refused for other models. A pattern is a name (gpt2,
    /// cl100k, o200k or nanochat; also r50k and p50k) or a regex.
    #[arg(long = "pattern", value_name = "NAME|REGEX", value_parser = PatternParser)]
    #[arg(allow_hyphen_values = true, hide_possible_values = true, help_heading = heading::MODEL)]
    patterns: Vec<Pattern>,
}

impl ModelsArguments {
    /// Returns each model with its pattern. A --pattern belongs to the -m before it; with a single model,
    /// it may also precede the -m. `matches` are those of the command, and have the order of the options.
    ///
    /// # Errors
    /// If a model has two patterns, or if there are several models and a --pattern precedes every -m.
    pub(crate) fn choices(&self, matches: &ArgMatches) -> Result<Vec<ModelArguments>> {
        let indices = |id| matches.indices_of(id).into_iter().flatten();
        let misplaced =
            |message: String| usage(message).hint("give it once, after the -m of its model");
        let paths = self.models.iter().cloned();
        let models = paths.map(|path| ModelArguments {
            path,
            pattern: None,
        });
        let mut models: Vec<_> = models.collect();
        for (index, pattern) in indices("patterns").zip(&self.patterns) {
            let preceding = indices("models").filter(|&model| model < index).count();
            let owner = if models.len() == 1 {
                Some(0)
            } else {
                preceding.checked_sub(1)
            };
            let owner = owner.ok_or_else(|| misplaced("--pattern precedes every -m".to_owned()))?;
            let model = &mut models[owner];
            if model.pattern.replace(pattern.clone()).is_some() {
                let path = model.path.display();
                return Err(misplaced(format!(
                    "{path}: --pattern is given twice for this model"
                )));
            }
        }
        Ok(models)
    }
}

const MODEL_EXTENSIONS: &str = "a model ends in .bpe, .json or .tiktoken";

fn is_model_name(path: &Path) -> bool {
    ModelFormat::of_path(path).is_some()
}

/// Parses the path of a model to write.
pub(super) fn model_path() -> impl TypedValueParser<Value = PathBuf> {
    path(is_model_name, MODEL_EXTENSIONS)
}

/// Parses the path of a model to read: a file, or a folder in Hugging Face's layout.
pub(super) fn read_model_path() -> impl TypedValueParser<Value = PathBuf> {
    path(
        |path| is_model_name(path) || path.is_dir(),
        MODEL_EXTENSIONS,
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
