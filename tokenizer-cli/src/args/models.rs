//! Models on a command line: one, or several, each with the options that follow its `-m`.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{ArgMatches, Args};
use tokenizer_core::Pattern;
use tokenizer_core::corpus::ModelFormat;

use crate::error::{Result, usage};

/// The model a command reads.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelArguments {
    /// The model: .bpe, .json, .tiktoken or a folder in Hugging Face's layout.
    #[arg(id = "model", short = 'm', long = "model", value_name = "MODEL")]
    #[arg(value_parser = read_model_path())]
    pub(crate) path: PathBuf,

    /// How text is split, for a .tiktoken model, which does not say: gpt2 (also r50k, p50k),
    /// cl100k, o200k, nanochat, or a regex.
    #[arg(long, value_name = "NAME|REGEX", allow_hyphen_values = true)]
    pub(crate) pattern: Option<Pattern>,
}

/// The models of a command, in the order in which they were typed.
#[derive(Debug, Args)]
pub(crate) struct ModelsArguments {
    /// A model: .bpe, .json, .tiktoken or a folder in Hugging Face's layout; may be given again.
    #[arg(short, long = "model", value_name = "MODEL", value_parser = read_model_path())]
    #[arg(required = true)]
    models: Vec<PathBuf>,

    /// How text is split, for the .tiktoken model of the -m before it: gpt2 (also r50k, p50k),
    /// cl100k, o200k, nanochat, or a regex.
    #[arg(
        long = "pattern",
        value_name = "NAME|REGEX",
        allow_hyphen_values = true
    )]
    patterns: Vec<Pattern>,
}

impl ModelsArguments {
    /// Each model with its options, by their places on the command line: `matches` are those of the
    /// command. With one model, their order does not matter.
    ///
    /// Fails when an option precedes every model, or is given twice for one.
    pub(crate) fn choices(&self, matches: &ArgMatches) -> Result<Vec<ModelArguments>> {
        let places = |id| matches.indices_of(id).into_iter().flatten();
        let misplaced =
            |fault: String| usage(fault).hint("give it once, after the -m of its model");
        let paths = self.models.iter().cloned();
        let choices = paths.map(|path| ModelArguments {
            path,
            pattern: None,
        });
        let mut choices: Vec<_> = choices.collect();
        for (place, pattern) in places("patterns").zip(&self.patterns) {
            let behind = places("models").filter(|&model| model < place);
            let before = behind.count().checked_sub(1);
            let model = if choices.len() == 1 { Some(0) } else { before };
            let model = model.ok_or_else(|| {
                misplaced("--pattern precedes every -m, and belongs to the -m before it".to_owned())
            })?;
            let ModelArguments { path, pattern: had } = &mut choices[model];
            if had.replace(pattern.clone()).is_some() {
                let path = path.display();
                return Err(misplaced(format!(
                    "{path}: --pattern is given twice for this model"
                )));
            }
        }
        Ok(choices)
    }
}

const MODEL_ENDS: &str = "a model's name ends in .bpe, .json or .tiktoken";

fn is_model_name(path: &Path) -> bool {
    ModelFormat::of_path(path).is_some()
}

/// A model to write.
pub(super) fn model_path() -> impl TypedValueParser<Value = PathBuf> {
    path(is_model_name, MODEL_ENDS)
}

/// A model to read: a file, or a folder in Hugging Face's layout.
pub(super) fn read_model_path() -> impl TypedValueParser<Value = PathBuf> {
    path(|path| is_model_name(path) || path.is_dir(), MODEL_ENDS)
}

pub(super) fn path(
    is_right: fn(&Path) -> bool,
    rule: &'static str,
) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| match is_right(&path) {
        true => Ok(path),
        false => Err(rule),
    })
}
