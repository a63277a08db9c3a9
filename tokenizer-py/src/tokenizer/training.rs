//! Training a model.

use std::ops::ControlFlow;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use tokenizer_core::format::counts::CountedPieces;
use tokenizer_core::{
    Count, Learned, MAX_TOKEN_ID, Model, Pattern, PatternName, TieBreak, TrainError, TrainOptions,
    extend_with_progress, size_to_extend, train_with_progress,
};

use super::Tokenizer;
use super::stand_in::dropping_pattern;
use crate::corpus::{FileArguments, Source, checked_threads};
use crate::counts::{PieceCounts, pattern_of};
use crate::documents::Puller;
use crate::errors::{guard, value_error};
use crate::interruptible::{Caller, interruptible};
use crate::progress::Progress;
use crate::text::{refuse_single_text, strings};

#[pymethods]
impl Tokenizer {
    /// Trains a model on files, documents or counted pieces.
    ///
    /// Threads count documents while the next ones are read, so only a few megabytes of text are in
    /// memory. The result is the same for any number of threads and any order of documents. Ctrl-C
    /// stops training. Messages go to the logger "tokenizer_py".
    ///
    /// Args:
    ///     files (Iterable[str | os.PathLike]): files, as in `count_pieces`.
    ///     iterator (Iterable[str | bytes] | Arrow): alternatively, documents, as in `count_pieces`.
    ///     counts (PieceCounts | Arrow): alternatively, counted pieces, or a table of them as in
    ///         `PieceCounts.from_arrow`.
    ///     vocab_size (int): the number of ids: 256 bytes, merges and special tokens. If the text has
    ///         too few pairs, the vocabulary is smaller and a warning is logged.
    ///     pattern (str | None): the pattern that splits text into pieces: a name (gpt2, cl100k, o200k,
    ///         nanochat), or a regex. Text that the regex does not match becomes pieces too. The default
    ///         is cl100k, or the pattern of the counts.
    ///     special_tokens (Iterable[str]): special tokens. Their ids follow those of the merges. With
    ///         tie_break "huggingface", their ids come first, and a special token of a single byte shares
    ///         the id of that byte.
    ///     min_frequency (int): pairs that occur less often are not merged.
    ///     max_token_bytes (int | None): the maximum length of a token in bytes. With tie_break
    ///         "huggingface", values below 2 mean 2. For Hugging Face's `max_token_length` 17, pass 16.
    ///     tie_break ("raw" | "huggingface"): how pairs with equal counts are ordered and ids are
    ///         assigned: "raw" as in rustbpe, "huggingface" as in Hugging Face's trainer.
    ///     column (str | None): the column or field with the documents, as in `count_pieces`.
    ///     text, json_lines, recursive, include, exclude: options for files, as in `count_pieces`.
    ///     threads (int | None): the number of threads; by default, one per processor.
    ///     progress (bool | Callable): True shows a bar; a callable receives the stage ("counting" or
    ///         "merging"), the bytes or merges done, and their total (None if it is unknown).
    ///
    /// Raises:
    ///     TypeError: wrong type, or not exactly one of files, iterator and counts is given.
    ///     ValueError: vocab_size is too large, or too small for the bytes and special tokens; the
    ///         pattern is invalid or fails on a document; a special token is empty or a duplicate; a
    ///         file is corrupt, is not text, or has no such column or field.
    ///     UnicodeEncodeError: a document contains a lone surrogate.
    ///     OSError: a file cannot be read.
    ///     Exception: any exception of the iterator or of `progress`.
    ///
    ///     >>> trained = Tokenizer.train(iterator=["low lower lowest"] * 3, vocab_size=260)
    ///     >>> trained.merges
    ///     [(b'l', b'o'), (b'lo', b'w'), (b' ', b'low'), (b' low', b'e')]
    #[staticmethod]
    #[pyo3(signature = (
        *, files = None, iterator = None, counts = None, vocab_size = 32768, pattern = None,
        special_tokens = None, min_frequency = 1, max_token_bytes = None, tie_break = "raw",
        column = None, text = false, json_lines = false, recursive = false, include = None,
        exclude = None, threads = None, progress = None
    ), text_signature = "(*, files=None, iterator=None, counts=None, vocab_size=32768, pattern=None, special_tokens=(), min_frequency=1, max_token_bytes=None, tie_break='raw', column=None, text=False, json_lines=False, recursive=False, include=None, exclude=None, threads=None, progress=None)")]
    #[allow(clippy::too_many_arguments)]
    fn train(
        py: Python<'_>,
        files: Option<&Bound<'_, PyAny>>,
        iterator: Option<&Bound<'_, PyAny>>,
        counts: Option<&Bound<'_, PyAny>>,
        vocab_size: usize,
        pattern: Option<&str>,
        special_tokens: Option<&Bound<'_, PyAny>>,
        min_frequency: Count,
        max_token_bytes: Option<usize>,
        tie_break: &str,
        column: Option<&str>,
        text: bool,
        json_lines: bool,
        recursive: bool,
        include: Option<&Bound<'_, PyAny>>,
        exclude: Option<&Bound<'_, PyAny>>,
        threads: Option<usize>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        guard(|| {
            let specials = strings(special_tokens, "special_tokens")?;
            let tie_break = tie_break_of(tie_break)?;
            let pattern = pattern_of(pattern)?;
            let mut options = TrainOptions::new(vocab_size)
                .min_frequency(min_frequency)
                .max_token_bytes(max_token_bytes.unwrap_or(usize::MAX))
                .tie_break(tie_break)
                .specials(specials);
            check(&options)?;
            if let Some(threads) = checked_threads(threads)? {
                options = options.threads(threads);
            }
            let arguments = FileArguments {
                text,
                json_lines,
                recursive,
                include,
                exclude,
            };
            let source = Source::new(iterator, "iterator", files, column, &arguments)?;
            let progress = Progress::new(py, progress)?;
            let counted = match (source, counts) {
                (None, Some(counts)) => PieceCounts::of_argument(counts, pattern.as_ref())?,
                (Some(source), None) => {
                    let named = || Pattern::named(PatternName::Cl100k);
                    let pattern = pattern.unwrap_or_else(named);
                    source.count(py, pattern, None, threads, &progress)?
                }
                _ => return Err(PyTypeError::new_err(ONE_SOURCE)),
            };
            learn(py, &counted, &options, "tokenizer_py", &progress).map(Self::of)
        })
    }

    /// Returns a new tokenizer with more merges, learned from files, documents or counted pieces. This one
    /// does not change, because tokenizers are immutable.
    ///
    /// The new merges are those that `train` would have learned next. Ordinary tokens keep their ids.
    /// Special tokens after the ordinary ones are renumbered to follow the new tokens, unless
    /// keep_special_ids is set. Messages go to the logger "tokenizer_py".
    ///
    /// Args:
    ///     files, iterator, counts, column, text, json_lines, recursive, include, exclude, threads,
    ///         progress: as in `train`. Documents are normalized as the model does; counts must come
    ///         from the model's pattern and, if it has a normalizer, from normalized text.
    ///     vocab_size (int): the number of ids of the new tokenizer. If the text has too few pairs, the
    ///         vocabulary is smaller and a warning is logged.
    ///     min_frequency (int): pairs that occur less often are not merged.
    ///     max_token_bytes (int | None): the maximum length of a new token in bytes.
    ///     keep_special_ids (bool): no id changes: new tokens take the ids after the highest one, since
    ///         the rows of a trained model's embedding must not move.
    ///
    /// Raises:
    ///     TypeError: wrong type, or not exactly one of files, iterator and counts is given.
    ///     ValueError: vocab_size leaves no new ids; the model cannot be extended, because not every byte
    ///         is a token or its pre-tokenizer changes text; or as in `train`.
    ///     UnicodeEncodeError: a document contains a lone surrogate.
    ///     OSError: a file cannot be read.
    ///     Exception: any exception of the iterator or of `progress`.
    ///
    ///     >>> size = tokenizer.vocab_size + 1
    ///     >>> larger = tokenizer.extend(iterator=["tokenizers"] * 9, vocab_size=size, keep_special_ids=True)
    ///     >>> larger.vocab_size == size
    ///     True
    #[pyo3(signature = (
        *, files = None, iterator = None, counts = None, vocab_size, min_frequency = 1,
        max_token_bytes = None, keep_special_ids = false, column = None, text = false,
        json_lines = false, recursive = false, include = None, exclude = None, threads = None,
        progress = None
    ))]
    #[allow(clippy::too_many_arguments)]
    fn extend(
        &self,
        py: Python<'_>,
        files: Option<&Bound<'_, PyAny>>,
        iterator: Option<&Bound<'_, PyAny>>,
        counts: Option<&Bound<'_, PyAny>>,
        vocab_size: usize,
        min_frequency: Count,
        max_token_bytes: Option<usize>,
        keep_special_ids: bool,
        column: Option<&str>,
        text: bool,
        json_lines: bool,
        recursive: bool,
        include: Option<&Bound<'_, PyAny>>,
        exclude: Option<&Bound<'_, PyAny>>,
        threads: Option<usize>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        guard(|| {
            let mut options = TrainOptions::new(vocab_size)
                .min_frequency(min_frequency)
                .max_token_bytes(max_token_bytes.unwrap_or(usize::MAX))
                .keep_special_ids(keep_special_ids);
            let (present, limit) = (self.model().id_limit(), MAX_TOKEN_ID as usize + 1);
            if !(present + 1..=limit).contains(&vocab_size) {
                return Err(value_error(format_args!(
                    "vocab_size must be from {} (one more than the model has) to {limit}, not {vocab_size}",
                    present + 1
                )));
            }
            if let Some(threads) = checked_threads(threads)? {
                options = options.threads(threads);
            }
            let arguments = FileArguments {
                text,
                json_lines,
                recursive,
                include,
                exclude,
            };
            let source = Source::new(iterator, "iterator", files, column, &arguments)?;
            let progress = Progress::new(py, progress)?;
            let (pattern, normalizer) = (self.model().pattern(), self.model().normalizer());
            let counted = match (source, counts) {
                (None, Some(counts)) => PieceCounts::of_argument(counts, Some(pattern))?,
                (Some(source), None) => {
                    source.count(py, pattern.clone(), normalizer, threads, &progress)?
                }
                _ => return Err(PyTypeError::new_err(ONE_SOURCE)),
            };
            let model = self.model();
            let initial = match keep_special_ids {
                true => present,
                false => size_to_extend(model),
            };
            let wanted = vocab_size - initial;
            learn_more(py, model, &counted, &options, wanted, &progress).map(Self::of)
        })
    }

    /// Trains on an iterator of `str` as `rustbpe` does, in batches of at most `buffer_size` documents.
    #[staticmethod]
    fn _train_from_iterator(
        py: Python<'_>,
        iterator: &Bound<'_, PyAny>,
        vocab_size: u32,
        buffer_size: usize,
        pattern: &str,
        progress: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        guard(|| {
            refuse_single_text(iterator, "iterator")?;
            let options = TrainOptions::new(vocab_size as usize);
            check(&options)?;
            if buffer_size == 0 {
                return Err(value_error("buffer_size must be at least 1, not 0"));
            }
            let pattern = dropping_pattern(pattern)
                .map_err(|error| value_error(format_args!("Invalid regex pattern: {error}")))?;
            let puller = Puller::new(iterator.try_iter()?, buffer_size, false);
            let progress = Progress::new(py, Some(progress))?;
            let counted = Source::Iterator(puller).count(py, pattern, None, None, &progress)?;
            learn(py, &counted, &options, "rustbpe", &progress).map(Self::of)
        })
    }
}

const ONE_SOURCE: &str = "exactly one of files, iterator and counts must be given";

fn tie_break_of(name: &str) -> PyResult<TieBreak> {
    match name {
        "raw" => Ok(TieBreak::Raw),
        "huggingface" => Ok(TieBreak::HuggingFace),
        _ => Err(PyValueError::new_err(format!(
            "tie_break must be \"raw\" or \"huggingface\", not {name:?}"
        ))),
    }
}

/// Checks the options before counting, which may take long.
fn check(options: &TrainOptions) -> PyResult<()> {
    options.check().map_err(|error| match error {
        TrainError::VocabTooLarge { .. } | TrainError::VocabTooSmall { .. } => {
            value_error(format_args!(
                "vocab_size must be from {} (the bytes and the special tokens) to {}, not {}",
                options.initial_ids(),
                MAX_TOKEN_ID as usize + 1,
                options.vocab_size(),
            ))
        }
        other => value_error(other),
    })
}

/// Logs a message with Python's `logging`.
fn log(py: Python<'_>, logger: &str, level: &str, message: String) -> PyResult<()> {
    let logger = py.import("logging")?.call_method1("getLogger", (logger,))?;
    logger.call_method1(level, (message,)).map(drop)
}

/// Runs `train` on a thread that can be interrupted, and calls it with a function to be called after each
/// merge, which reports progress.
fn report_merges<T: Send>(
    py: Python<'_>,
    options: &TrainOptions,
    wanted: usize,
    progress: &Progress,
    train: impl FnOnce(TrainOptions, &mut dyn FnMut(Learned) -> ControlFlow<()>) -> T + Send,
) -> PyResult<T> {
    let work = |caller: &Caller<usize>| {
        let options = options.clone().stop(caller.shared_stop_flag());
        train(options, &mut |learned| {
            let done = learned.merges;
            let percent = |merges: usize| merges * 100 / wanted;
            if percent(done) > percent(done - 1) {
                caller.tell(done);
            }
            ControlFlow::Continue(())
        })
    };
    interruptible(py, work, |py, done| {
        progress.tell(py, "merging", done as u64, Some(wanted as u64))
    })
}

/// Logs that training ended early, if it did, and that it has ended.
fn log_end(
    py: Python<'_>,
    logger: &str,
    learned: usize,
    wanted: usize,
    model: &Model,
) -> PyResult<()> {
    if learned < wanted {
        let fewer = format!(
            "learned only {learned} of {wanted} merges, because no pair is left to merge; \
             vocab_size is {}",
            model.id_limit()
        );
        log(py, logger, "warning", fewer)?;
    }
    let finished = format!("finished training: {learned} merges");
    log(py, logger, "info", finished)
}

/// Learns `wanted` more merges.
fn learn_more(
    py: Python<'_>,
    model: &Model,
    counted: &CountedPieces,
    options: &TrainOptions,
    wanted: usize,
    progress: &Progress,
) -> PyResult<Model> {
    let pieces = counted.words.len();
    let started = format!("training {wanted} merges on {pieces} distinct pieces");
    log(py, "tokenizer_py", "info", started)?;
    let extended = report_merges(py, options, wanted, progress, |options, each| {
        extend_with_progress(model, &counted.words, &options, each)
    })?;
    let extended = extended.map_err(value_error)?;
    for token in &extended.moved {
        let (content, from, to) = (&token.content, token.from, token.to);
        let moved = format!("special token {content:?} has the new id {to} (before: {from})");
        log(py, "tokenizer_py", "info", moved)?;
    }
    log_end(
        py,
        "tokenizer_py",
        extended.learned.len(),
        wanted,
        &extended.model,
    )?;
    Ok(extended.model)
}

fn learn(
    py: Python<'_>,
    counted: &CountedPieces,
    options: &TrainOptions,
    logger: &str,
    progress: &Progress,
) -> PyResult<Model> {
    let CountedPieces { pattern, words, .. } = counted;
    let (wanted, pieces) = (options.merges(), words.len());
    let started = format!("training {wanted} merges on {pieces} distinct pieces");
    log(py, logger, "info", started)?;
    let trained = report_merges(py, options, wanted, progress, |options, each| {
        train_with_progress(words, &options, each)
    })?;
    let trained = trained.map_err(value_error)?;
    let learned = trained.merges().len();
    let model = py.detach(|| Model::from_trained(pattern.clone(), trained));
    let model = model.map_err(value_error)?;
    log_end(py, logger, learned, wanted, &model)?;
    Ok(model)
}
