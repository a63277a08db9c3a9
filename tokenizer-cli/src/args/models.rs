//! Several models on one command line, each with the options that follow its `-m`.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use tokenizer_core::Pattern;
use tokenizer_core::corpus::{LoadError, ModelFormat};

use super::{pattern, read_model_path};
use crate::error::UsageError;

/// A model and its options.
#[derive(Clone, Debug)]
pub(crate) struct ModelChoice {
    pub(crate) path: PathBuf,
    pub(crate) pattern: Option<Pattern>,
}

/// The models of a command, in the order in which they were typed.
#[derive(Debug)]
pub(crate) struct ModelsArguments {
    models: Vec<Placed<PathBuf>>,
    patterns: Vec<Placed<Pattern>>,
}

/// A value with its place on the command line.
#[derive(Debug)]
struct Placed<T> {
    index: usize,
    value: T,
}

#[derive(Debug, Args)]
struct ModelsOptions {
    /// A model: .bpe, .json, .tiktoken or a folder in Hugging Face's layout; may be given again.
    #[arg(short, long = "model", value_name = "MODEL", value_parser = read_model_path(), required = true)]
    models: Vec<PathBuf>,

    /// How text is split, for the .tiktoken model of the -m before it: gpt2 (also r50k, p50k),
    /// cl100k, o200k, nanochat, or a regex.
    #[arg(
        long = "pattern",
        value_name = "NAME|REGEX",
        value_parser = pattern,
        allow_hyphen_values = true
    )]
    patterns: Vec<Pattern>,
}

impl ModelsArguments {
    /// Each model with its options. With one model, their order does not matter.
    ///
    /// Fails when an option precedes every model, is given twice for one, or does not fit it.
    pub(crate) fn choices(&self) -> Result<Vec<ModelChoice>, UsageError> {
        let mut choices: Vec<ModelChoice> = self
            .models
            .iter()
            .map(|model| ModelChoice {
                path: model.value.clone(),
                pattern: None,
            })
            .collect();
        for pattern in &self.patterns {
            let choice = &mut choices[self.model_before(pattern.index, "--pattern")?];
            if choice.pattern.replace(pattern.value.clone()).is_some() {
                let (option, model) = ("--pattern", choice.path.clone());
                return Err(UsageError::OptionTwice { option, model });
            }
        }
        for ModelChoice { path, pattern } in &choices {
            let is_ranks = ModelFormat::of_path(path) == Some(ModelFormat::Tiktoken);
            let fault = match (is_ranks, pattern) {
                (true, None) => LoadError::PatternMissing(path.clone()),
                (false, Some(_)) => LoadError::PatternGiven(path.clone()),
                _ => continue,
            };
            return Err(UsageError::Pattern(fault));
        }
        Ok(choices)
    }

    /// Which model the value of `option` at `index` belongs to.
    fn model_before(&self, index: usize, option: &'static str) -> Result<usize, UsageError> {
        if self.models.len() == 1 {
            return Ok(0);
        }
        let before = self.models.iter().rposition(|model| model.index < index);
        before.ok_or(UsageError::OptionBeforeModels(option))
    }
}

impl FromArgMatches for ModelsArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let options = ModelsOptions::from_arg_matches(matches)?;
        Ok(ModelsArguments {
            models: placed(matches, "models", options.models),
            patterns: placed(matches, "patterns", options.patterns),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for ModelsArguments {
    fn augment_args(command: Command) -> Command {
        ModelsOptions::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        ModelsOptions::augment_args_for_update(command)
    }
}

/// The values of an argument with their places.
fn placed<T>(matches: &ArgMatches, id: &str, values: Vec<T>) -> Vec<Placed<T>> {
    let indices = matches.indices_of(id).into_iter().flatten();
    indices
        .zip(values)
        .map(|(index, value)| Placed { index, value })
        .collect()
}
