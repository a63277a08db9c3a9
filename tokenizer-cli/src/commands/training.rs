//! What `train` starts from, the bytes or a model, and what it ends with.

use std::ops::ControlFlow;
use std::path::Path;

use tokenizer_core::Normalizer;
use tokenizer_core::corpus::{CountsFiles, ModelFormat, SaveError};
use tokenizer_core::format::huggingface;
use tokenizer_core::{Count, Model, Pattern, PieceCounts, TieBreak, TokenId, TrainOptions};
use tokenizer_core::{Learned, TrainError, Trained, estimate_memory, train, train_with_progress};
use tokenizer_core::{MovedSpecial, extend_with_progress, size_to_extend};

use crate::args::{MAX_VOCAB_SIZE, TieBreakRule, TrainArguments};
use crate::commands::{counts, load};
use crate::error::{CommandError, UsageError};
use crate::progress::Progress;

/// What is to be learned, and from where on.
pub(super) struct Training {
    start: Start,
    options: TrainOptions,
    /// Ids that there are without a new merge.
    initial_ids: usize,
}

enum Start {
    Bytes(Pattern),
    Model(Box<Model>),
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
    pub(super) fn checkpoint(&self, size: usize) -> Result<Model, CommandError> {
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
    ) -> Result<Self, CommandError> {
        let options = TrainOptions::new(arguments.vocab_size)
            .min_frequency(arguments.min_frequency)
            .max_token_bytes(arguments.max_token_bytes.unwrap_or(usize::MAX))
            .tie_break(match arguments.tie_break {
                TieBreakRule::Raw => TieBreak::Raw,
                TieBreakRule::Huggingface => TieBreak::HuggingFace,
            })
            .threads(arguments.documents.threads())
            .specials(&arguments.specials);
        if arguments.vocab_size > MAX_VOCAB_SIZE {
            let size = arguments.vocab_size;
            return Err(UsageError::VocabTooLarge { size }.into());
        }
        let training = match &arguments.extend {
            Some(path) => Self::from_model(path, arguments, options, progress)?,
            None => Self::from_bytes(arguments, counts, options)?,
        };
        if let Some(counts) = counts
            && counts.pattern() != training.pattern()
        {
            return Err(UsageError::CountsOfOtherPattern {
                counts: counts.pattern().source().to_owned(),
                model: training.pattern().source().to_owned(),
            }
            .into());
        }
        Ok(training)
    }

    fn from_bytes(
        arguments: &TrainArguments,
        counts: Option<&CountsFiles>,
        options: TrainOptions,
    ) -> Result<Self, CommandError> {
        let pattern = counts::pattern(counts, arguments.pattern.as_ref());
        options.check().map_err(|error| match error {
            TrainError::Specials(error) => UsageError::Specials(error).into(),
            TrainError::VocabTooSmall {
                vocab_size,
                initial,
            } => UsageError::VocabTooSmall {
                size: vocab_size,
                specials: arguments.specials.len(),
                first: initial,
            }
            .into(),
            other => CommandError::from(other),
        })?;
        if writes_hugging_face(&arguments.output) {
            let untrained = train(&PieceCounts::new(), &options)?;
            check_written(
                &Model::from_trained(pattern.clone(), untrained)?,
                &arguments.output,
            )?;
        }
        Ok(Training {
            start: Start::Bytes(pattern),
            initial_ids: options.initial_ids(),
            options,
        })
    }

    fn from_model(
        path: &Path,
        arguments: &TrainArguments,
        options: TrainOptions,
        progress: &Progress,
    ) -> Result<Self, CommandError> {
        // Where the model holds its pattern, the same one may be given once more.
        let is_told = ModelFormat::of_path(path) == Some(ModelFormat::Tiktoken);
        let given = arguments.pattern.as_ref();
        let model = load(path, given.filter(|_| is_told), progress)?;
        if given.is_some_and(|pattern| pattern != model.pattern()) {
            return Err(UsageError::OtherPattern {
                model: path.to_owned(),
                pattern: model.pattern().source().to_owned(),
            }
            .into());
        }
        let (size, present) = (arguments.vocab_size, model.id_limit());
        if size <= present {
            return Err(UsageError::NotLarger {
                size,
                present,
                model: path.to_owned(),
            }
            .into());
        }
        check_written(&model, &arguments.output)?;
        Ok(Training {
            initial_ids: size_to_extend(&model),
            start: Start::Model(Box::new(model)),
            options,
        })
    }

    pub(super) fn pattern(&self) -> &Pattern {
        match &self.start {
            Start::Bytes(pattern) => pattern,
            Start::Model(model) => model.pattern(),
        }
    }

    /// What is to be done to text before it is split.
    pub(super) fn normalizer(&self) -> Option<Normalizer> {
        match &self.start {
            Start::Bytes(_) => None,
            Start::Model(model) => model.normalizer(),
        }
    }

    /// How many merges are wanted.
    pub(super) fn merges(&self) -> usize {
        self.options.vocab_size() - self.initial_ids
    }

    /// Refuses sizes that training does not pass.
    pub(super) fn check_checkpoints(&self, sizes: &[usize]) -> Result<(), UsageError> {
        let (first, vocab_size) = (self.initial_ids, self.options.vocab_size());
        let wrong = sizes
            .iter()
            .find(|&&size| size < first || size >= vocab_size);
        match wrong {
            Some(&size) => Err(UsageError::CheckpointSize {
                size,
                first,
                vocab_size,
            }),
            None => Ok(()),
        }
    }

    /// About how many bytes learning takes.
    pub(super) fn memory(&self, words: &PieceCounts) -> u64 {
        estimate_memory(words, self.merges())
    }

    pub(super) fn run(
        &self,
        words: &PieceCounts,
        mut each: impl FnMut(Learned),
    ) -> Result<Outcome, CommandError> {
        let progress = |learned| {
            each(learned);
            ControlFlow::Continue(())
        };
        match &self.start {
            Start::Bytes(pattern) => {
                let trained = train_with_progress(words, &self.options, progress)?;
                let tokens = trained.merges().iter().map(|merge| merge.token);
                Ok(Outcome {
                    learned: tokens.zip(trained.counts().iter().copied()).collect(),
                    model: Model::from_trained(pattern.clone(), trained.clone())?,
                    moved: Vec::new(),
                    trained: Some(trained),
                })
            }
            Start::Model(model) => {
                let extended = extend_with_progress(model, words, &self.options, progress)?;
                Ok(Outcome {
                    model: extended.model,
                    learned: extended.learned,
                    moved: extended.moved,
                    trained: None,
                })
            }
        }
    }
}

/// Whether the output can hold a model of this pattern and these special tokens.
fn check_written(model: &Model, output: &Path) -> Result<(), CommandError> {
    if writes_hugging_face(output) {
        huggingface::write(model)
            .map_err(|error| SaveError::HuggingFace(output.to_owned(), error))?;
    }
    Ok(())
}

fn writes_hugging_face(output: &Path) -> bool {
    ModelFormat::of_path(output) == Some(ModelFormat::HuggingFace)
}
