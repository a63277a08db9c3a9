//! A training run, which starts from the 256 bytes or from a model to extend, and its result.

use std::ops::ControlFlow;
use std::path::Path;

use tokenizer_core::corpus::{CountsFiles, ModelFormat, SaveError};
use tokenizer_core::format::huggingface;
use tokenizer_core::{
    Count, Learned, MAX_TOKEN_ID, Model, MovedSpecial, Normalizer, Pattern, PieceCounts, TieBreak,
    TokenId, TrainError, TrainOptions, Trained, extend_with_progress, size_to_extend, train,
    train_with_progress,
};

use super::counts;
use super::models::load;
use crate::args::{ModelArguments, TieBreakRule, TrainArguments};
use crate::error::{Result, usage};
use crate::progress::{Progress, plural};

const MAX_VOCAB_SIZE: usize = MAX_TOKEN_ID as usize + 1;

/// A training run that has not started yet; its options have been checked.
pub(super) struct Training {
    pub(super) pattern: Pattern,
    /// The model to extend; `None` to start from the 256 bytes.
    extended: Option<Model>,
    options: TrainOptions,
    /// The number of ids without the new merges.
    initial_ids: usize,
}

/// The result of a training run.
pub(super) struct Outcome {
    pub(super) model: Model,
    /// The new tokens, each with the count of its pair when it was merged.
    pub(super) learned: Vec<(TokenId, Count)>,
    /// Special tokens whose ids have changed.
    pub(super) moved: Vec<MovedSpecial>,
    /// `None` if a model was extended.
    trained: Option<Trained>,
}

impl Outcome {
    /// Returns the model that training to a vocabulary of `size` ids would give.
    pub(super) fn checkpoint(&self, size: usize) -> Result<Model> {
        match &self.trained {
            Some(trained) => {
                let pattern = self.model.pattern().clone();
                Ok(Model::from_trained(pattern, trained.truncated(size)?)?)
            }
            // `--extend` conflicts with `--checkpoint-sizes`.
            None => Ok(self.model.clone()),
        }
    }
}

impl Training {
    /// Checks the options, and that the output's format can represent the model, before any training.
    pub(super) fn new(
        arguments: &TrainArguments,
        counts: Option<&CountsFiles>,
        progress: &Progress,
    ) -> Result<Self> {
        let size = arguments.vocab_size;
        if size > MAX_VOCAB_SIZE {
            return Err(usage(format!(
                "--vocab-size {size} exceeds the limit of {MAX_VOCAB_SIZE}"
            )));
        }
        let options = TrainOptions::new(size)
            .min_frequency(arguments.min_frequency)
            .max_token_bytes(arguments.max_token_bytes.unwrap_or(usize::MAX))
            .tie_break(match arguments.tie_break {
                TieBreakRule::Raw => TieBreak::Raw,
                TieBreakRule::Huggingface => TieBreak::HuggingFace,
            })
            .threads(arguments.documents.threads())
            .keep_special_ids(arguments.keep_special_ids)
            .specials(&arguments.specials);
        let (pattern, extended) = match &arguments.extend {
            Some(path) => {
                let model = model_to_extend(path, arguments, progress)?;
                (model.pattern().clone(), Some(model))
            }
            None => {
                let pattern = counts::pattern(counts, arguments.pattern.as_ref());
                check_options(&options, &pattern, arguments)?;
                (pattern, None)
            }
        };
        let initial_ids = extended
            .as_ref()
            .map(|model| match arguments.keep_special_ids {
                true => model.id_limit(),
                false => size_to_extend(model),
            });
        let training = Training {
            initial_ids: initial_ids.unwrap_or_else(|| options.initial_ids()),
            pattern,
            extended,
            options,
        };
        match counts.map(CountsFiles::pattern) {
            Some(pattern) if *pattern != training.pattern => Err(usage(format!(
                "the counted pieces were split by {:?}, and the model splits by {:?}",
                pattern.source(),
                training.pattern.source()
            ))),
            _ => Ok(training),
        }
    }

    /// The normalizer of the model to extend.
    pub(super) fn normalizer(&self) -> Option<Normalizer> {
        let normalizer = self.extended.as_ref().and_then(Model::normalizer);
        normalizer.cloned()
    }

    /// The number of merges to learn.
    pub(super) fn merges(&self) -> usize {
        self.options.vocab_size() - self.initial_ids
    }

    /// Checks that the vocabulary has each of these sizes at some point of the training.
    pub(super) fn check_checkpoints(&self, sizes: &[usize]) -> Result<()> {
        let (first, vocab_size) = (self.initial_ids, self.options.vocab_size());
        let mut wrong = sizes
            .iter()
            .filter(|&size| !(first..vocab_size).contains(size));
        wrong.next().map_or(Ok(()), |size| {
            Err(usage(format!(
                "--checkpoint-sizes: {size} is not between {first}, the size without merges, and \
                 --vocab-size {vocab_size}"
            )))
        })
    }

    pub(super) fn run(
        &self,
        counts: &PieceCounts,
        mut each: impl FnMut(Learned),
    ) -> Result<Outcome> {
        let progress = |learned| {
            each(learned);
            ControlFlow::Continue(())
        };
        if let Some(model) = &self.extended {
            let extended = extend_with_progress(model, counts, &self.options, progress)?;
            return Ok(Outcome {
                model: extended.model,
                learned: extended.learned,
                moved: extended.moved,
                trained: None,
            });
        }
        let trained = train_with_progress(counts, &self.options, progress)?;
        let tokens = trained.merges().iter().map(|merge| merge.token);
        Ok(Outcome {
            learned: tokens.zip(trained.counts().iter().copied()).collect(),
            model: Model::from_trained(self.pattern.clone(), trained.clone())?,
            moved: Vec::new(),
            trained: Some(trained),
        })
    }
}

/// Checks that a model with these options can be trained and written.
fn check_options(
    options: &TrainOptions,
    pattern: &Pattern,
    arguments: &TrainArguments,
) -> Result<()> {
    options.check().map_err(|error| match error {
        TrainError::Specials(error) => usage(format!("--special: {error}")),
        TrainError::VocabTooSmall {
            vocab_size,
            initial,
        } => usage(format!(
            "--vocab-size {vocab_size} is too small: 256 bytes and {} need {initial}",
            plural(arguments.specials.len() as u64, "special token")
        )),
        other => other.into(),
    })?;
    let untrained = train(&PieceCounts::new(), options)?;
    let untrained = Model::from_trained(pattern.clone(), untrained)?;
    check_written(&untrained, &arguments.output)
}

fn model_to_extend(path: &Path, arguments: &TrainArguments, progress: &Progress) -> Result<Model> {
    // A .tiktoken model is loaded with the given pattern. Any other has its own, which is compared below.
    let needs_pattern = ModelFormat::of_path_to_read(path) == Some(ModelFormat::Tiktoken);
    let given = arguments.pattern.as_ref();
    let model = ModelArguments {
        path: path.to_owned(),
        pattern: given.filter(|_| needs_pattern).cloned(),
        specials: arguments.model_specials.clone(),
    };
    let (model, path) = (load(&model, progress)?, path.display());
    if given.is_some_and(|pattern| pattern != model.pattern()) {
        let pattern = model.pattern().source();
        let error = usage(format!(
            "{path}: the pattern of the model, {pattern:?}, differs from --pattern"
        ));
        return Err(error.hint("leave --pattern out"));
    }
    let (size, present) = (arguments.vocab_size, model.id_limit());
    if size <= present {
        return Err(usage(format!(
            "--vocab-size {size} leaves no new ids: {path} has {present} already"
        )));
    }
    check_written(&model, &arguments.output)?;
    Ok(model)
}

/// Checks that the output's format can represent the pattern and special tokens of `model`.
fn check_written(model: &Model, output: &Path) -> Result<()> {
    if ModelFormat::of_path(output) == Some(ModelFormat::HuggingFace) {
        huggingface::write(model)
            .map_err(|error| SaveError::HuggingFace(output.to_owned(), error))?;
    }
    Ok(())
}
