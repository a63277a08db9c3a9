//! What `train` starts from, the bytes or a model, and what it ends with.

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
use crate::progress::Progress;

/// How many ids there can be.
const MAX_VOCAB_SIZE: usize = MAX_TOKEN_ID as usize + 1;

/// What is to be learned, and from where on.
pub(super) struct Training {
    pub(super) pattern: Pattern,
    /// The model to extend; without it, training starts from the bytes.
    extended: Option<Model>,
    options: TrainOptions,
    /// Ids that there are without a new merge.
    initial_ids: usize,
}

/// What was learned.
pub(super) struct Outcome {
    pub(super) model: Model,
    /// The new tokens, and how often the pair of each occurred when it was merged.
    pub(super) learned: Vec<(TokenId, Count)>,
    pub(super) moved: Vec<MovedSpecial>,
    /// Unless a model was extended.
    trained: Option<Trained>,
}

impl Outcome {
    /// The model with the first `size` ids of the trained one.
    pub(super) fn checkpoint(&self, size: usize) -> Result<Model> {
        match &self.trained {
            Some(trained) => {
                let pattern = self.model.pattern().clone();
                Ok(Model::from_trained(pattern, trained.truncated(size)?)?)
            }
            // The arguments refuse checkpoints of a model that is extended.
            None => Ok(self.model.clone()),
        }
    }
}

impl Training {
    /// Fails when a model as is asked for cannot be, or cannot be written, which must not show only
    /// after training.
    pub(super) fn new(
        arguments: &TrainArguments,
        counts: Option<&CountsFiles>,
        progress: &Progress,
    ) -> Result<Self> {
        let size = arguments.vocab_size;
        if size > MAX_VOCAB_SIZE {
            return Err(usage(format!(
                "--vocab-size {size} is above {MAX_VOCAB_SIZE}, the highest there can be"
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
        let initial_ids = extended.as_ref().map(size_to_extend);
        let training = Training {
            initial_ids: initial_ids.unwrap_or_else(|| options.initial_ids()),
            pattern,
            extended,
            options,
        };
        match counts.map(CountsFiles::pattern) {
            Some(counts) if *counts != training.pattern => Err(usage(format!(
                "the counts are of pieces split by {:?}, and the model splits by {:?}",
                counts.source(),
                training.pattern.source()
            ))),
            _ => Ok(training),
        }
    }

    /// What is to be done to text before it is split.
    pub(super) fn normalizer(&self) -> Option<Normalizer> {
        self.extended.as_ref().and_then(Model::normalizer)
    }

    /// How many merges are wanted.
    pub(super) fn merges(&self) -> usize {
        self.options.vocab_size() - self.initial_ids
    }

    /// Refuses sizes that training does not pass.
    pub(super) fn check_checkpoints(&self, sizes: &[usize]) -> Result<()> {
        let (first, vocab_size) = (self.initial_ids, self.options.vocab_size());
        let mut wrong = sizes
            .iter()
            .filter(|&size| !(first..vocab_size).contains(size));
        wrong.next().map_or(Ok(()), |size| {
            Err(usage(format!(
                "--checkpoint-sizes: {size} is not between {first}, which is what there is without \
                 merges, and the {vocab_size} of --vocab-size"
            )))
        })
    }

    pub(super) fn run(
        &self,
        words: &PieceCounts,
        mut each: impl FnMut(Learned),
    ) -> Result<Outcome> {
        let progress = |learned| {
            each(learned);
            ControlFlow::Continue(())
        };
        if let Some(model) = &self.extended {
            let extended = extend_with_progress(model, words, &self.options, progress)?;
            return Ok(Outcome {
                model: extended.model,
                learned: extended.learned,
                moved: extended.moved,
                trained: None,
            });
        }
        let trained = train_with_progress(words, &self.options, progress)?;
        let tokens = trained.merges().iter().map(|merge| merge.token);
        Ok(Outcome {
            learned: tokens.zip(trained.counts().iter().copied()).collect(),
            model: Model::from_trained(self.pattern.clone(), trained.clone())?,
            moved: Vec::new(),
            trained: Some(trained),
        })
    }
}

/// Checks that a model of these options can be trained and written.
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
            "--vocab-size {vocab_size} is too small: 256 bytes and {} special tokens need {initial}",
            arguments.specials.len()
        )),
        other => other.into(),
    })?;
    let untrained = train(&PieceCounts::new(), options)?;
    let untrained = Model::from_trained(pattern.clone(), untrained)?;
    check_written(&untrained, &arguments.output)
}

fn model_to_extend(path: &Path, arguments: &TrainArguments, progress: &Progress) -> Result<Model> {
    // Where the model holds its pattern, the same one may be given once more.
    let is_told = ModelFormat::of_path(path) == Some(ModelFormat::Tiktoken);
    let given = arguments.pattern.as_ref();
    let model = ModelArguments {
        path: path.to_owned(),
        pattern: given.filter(|_| is_told).cloned(),
    };
    let (model, path) = (load(&model, progress)?, path.display());
    if given.is_some_and(|pattern| pattern != model.pattern()) {
        let pattern = model.pattern().source();
        let error = usage(format!(
            "{path}: the model holds its own pattern, {pattern:?}, and --pattern is another"
        ));
        return Err(error.hint("leave --pattern out"));
    }
    let (size, present) = (arguments.vocab_size, model.id_limit());
    if size <= present {
        return Err(usage(format!(
            "--vocab-size {size} is not more than the {present} ids of {path}, which is to be extended"
        )));
    }
    check_written(&model, &arguments.output)?;
    Ok(model)
}

/// Whether the output can hold a model of this pattern and these special tokens.
fn check_written(model: &Model, output: &Path) -> Result<()> {
    if ModelFormat::of_path(output) == Some(ModelFormat::HuggingFace) {
        huggingface::write(model)
            .map_err(|error| SaveError::HuggingFace(output.to_owned(), error))?;
    }
    Ok(())
}
