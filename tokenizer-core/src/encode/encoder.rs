//! The encoder, shared by all threads, and requests to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::boundaries::Boundaries;
use super::error::{EncodeError, check_stop};
use super::merge_rules::MergeRules;
use super::session::{Session, SharedTables};
use super::tasks::TaskSizes;
use crate::free_list::{FreeList, Taken};
use crate::model::Model;
use crate::segments::{Changes, Segment, Segments};
use crate::simd::{Tier, advise_huge_pages};
use crate::special::SpecialSet;
use crate::token::TokenId;

/// Encodes text with a [`Model`]. Clones share all state; threads may use it concurrently.
#[derive(Clone)]
pub(crate) struct Encoder {
    shared: Arc<Shared>,
}

/// The state shared by all clones of an [`Encoder`].
struct Shared {
    model: Arc<Model>,
    /// The added tokens that are always recognized.
    added: SpecialSet,
    tables: SharedTables,
    options: EncoderOptions,
    /// Idle sessions, with warm piece tables.
    sessions: FreeList<Box<Session>>,
}

/// Performance options for an [`Encoder`]. They do not change ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderOptions {
    pub(crate) cache_bytes: usize,
    pub(crate) tier: Tier,
    task_sizes: TaskSizes,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        EncoderOptions {
            cache_bytes: 24 << 20,
            tier: Tier::best(),
            task_sizes: TaskSizes::DEFAULT,
        }
    }
}

impl EncoderOptions {
    /// Uses tasks of a few bytes, so that short texts are spread over threads.
    #[cfg(any(test, feature = "internals"))]
    pub(crate) fn small_tasks(mut self) -> Self {
        self.task_sizes = TaskSizes::SMALL;
        self
    }
}

/// Returns an empty vector with capacity for the ids of `bytes` bytes of text.
pub(super) fn with_capacity_for(bytes: usize) -> Vec<TokenId> {
    // Text usually has two to five bytes per id. Unused capacity costs nothing, because its pages are never
    // touched; growing the vector costs a seventh of the encoding time.
    let mut ids = Vec::with_capacity(bytes / 2 + 256);
    advise_huge_pages(ids.spare_capacity_mut());
    ids
}

impl Encoder {
    /// Creates an encoder with the default options.
    pub(crate) fn new(model: impl Into<Arc<Model>>) -> Self {
        Self::with_options(model, EncoderOptions::default())
    }

    /// Creates an encoder with `options`.
    ///
    /// Allocates a table of 256 KiB and reads each token or listed merge once.
    pub(crate) fn with_options(model: impl Into<Arc<Model>>, options: EncoderOptions) -> Self {
        let model = model.into();
        Encoder {
            shared: Arc::new(Shared {
                tables: SharedTables {
                    rules: MergeRules::new(Arc::clone(&model)),
                    boundaries: Boundaries::new(Arc::clone(&model)),
                },
                added: model.special_set(&[] as &[&str]),
                model,
                options,
                sessions: FreeList::new(),
            }),
        }
    }

    /// Takes an idle session, or creates one. Dropping the session returns it to the free list.
    pub(super) fn session(&self) -> Taken<'_, Box<Session>> {
        let Shared {
            sessions, options, ..
        } = &*self.shared;
        let EncoderOptions {
            tier, cache_bytes, ..
        } = *options;
        let new = || sessions.hold(Box::new(Session::new(tier, cache_bytes)));
        sessions.take().unwrap_or_else(new)
    }

    pub(super) fn tables(&self) -> &SharedTables {
        &self.shared.tables
    }

    pub(super) fn task_sizes(&self) -> TaskSizes {
        self.shared.options.task_sizes
    }

    pub(crate) fn model(&self) -> &Arc<Model> {
        &self.shared.model
    }

    /// Creates a request that allows no special tokens and uses one thread.
    pub(crate) fn request(&self) -> Request<'_> {
        Request::new(self)
    }

    /// Returns the segments of a text.
    pub(super) fn segments<'m, 't>(
        &'m self,
        text: &'t [u8],
        allowed: &'m SpecialSet,
    ) -> Segments<'m, 't> {
        Segments::new(text, allowed, self.model().changes())
    }

    /// Appends the ids of `segments` to `ids`.
    pub(super) fn encode_segments<'m, 't>(
        &self,
        session: &mut Session,
        segments: impl IntoIterator<Item = Segment<'m, 't>>,
        stop: Option<&AtomicBool>,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        for segment in segments {
            match segment {
                Segment::Special(token, ..) => {
                    check_stop(stop)?;
                    ids.push(token.id);
                }
                Segment::Text(text, origin) => {
                    let mut runs = session.runs(self.tables(), &text, origin.start(), stop);
                    runs.encode_all(ids)?;
                }
            }
        }
        Ok(())
    }

    /// Returns an error in a changed text with its offset in the original text. `segments` are those of the
    /// text, with alignments. They are encoded again, up to the error.
    pub(super) fn located<'m, 't>(
        &self,
        segments: impl IntoIterator<Item = Segment<'m, 't>>,
        error: EncodeError,
    ) -> EncodeError {
        if self.model().changes().is_empty() || error == EncodeError::Stopped {
            return error;
        }
        let mut session = self.session();
        let mut ids = Vec::new();
        for segment in segments {
            if let Segment::Text(text, origin) = segment {
                let mut runs = session.runs(self.tables(), &text, 0, None);
                if let Err(error) = runs.encode_all(&mut ids) {
                    return error.moved(|at| origin.original(at..at).start);
                }
                ids.clear();
            }
        }
        error
    }

    /// Returns the number of ids of `segments`, or `None` if there are more than `limit`. Ids are not stored.
    pub(super) fn count_segments(
        &self,
        session: &mut Session,
        segments: Segments<'_, '_>,
        stop: Option<&AtomicBool>,
        limit: usize,
    ) -> Result<Option<usize>, EncodeError> {
        let mut count = 0;
        let mut ids = Vec::new();
        for segment in segments {
            match segment {
                Segment::Special(..) => {
                    check_stop(stop)?;
                    count += 1;
                }
                Segment::Text(text, origin) => {
                    let mut runs = session.runs(self.tables(), &text, origin.start(), stop);
                    while count <= limit && runs.encode(&mut ids)? {
                        count += ids.len();
                        ids.clear();
                    }
                }
            }
            if count > limit {
                return Ok(None);
            }
        }
        Ok(Some(count))
    }

    /// Returns a function that encodes one piece at a time, without splitting it by the pattern.
    ///
    /// No pattern produces an empty piece. If the model has an empty token, and encodes a piece that equals a
    /// token without merging, an empty piece yields that token; otherwise it yields no ids.
    ///
    /// The function fails if there is no token for a byte or character.
    pub(crate) fn piece_by_piece(&self) -> impl FnMut(&[u8]) -> Result<Vec<TokenId>, EncodeError> {
        let mut session = self.session();
        move |piece| {
            let mut ids = Vec::new();
            session.encode_piece(&self.tables().rules, piece, &mut ids)?;
            Ok(ids)
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.model().fmt(f)
    }
}

/// The options for a call of a [`Tokenizer`](crate::Tokenizer): allowed special tokens, the number of
/// threads, a stop flag, a progress counter. Its methods make the call.
///
/// Created by [`Tokenizer::request`](crate::Tokenizer::request); can be used any number of times.
///
/// ```
/// use tokenizer_core::{Merges, Model, Tokenizer};
///
/// let tokenizer = Tokenizer::new(Model::from_merges("gpt2".parse()?, Merges::default(), &["<|end|>"])?);
/// let allowed = tokenizer.model().all_specials();
/// let request = tokenizer.request().allow(&allowed).threads(2);
/// assert_eq!(request.encode("a<|end|>")?, [97, 256]);
/// assert_eq!(request.count("a<|end|>")?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Request<'t> {
    pub(super) encoder: &'t Encoder,
    pub(super) allowed: &'t SpecialSet,
    pub(super) threads: usize,
    pub(super) stop: Option<&'t AtomicBool>,
    pub(super) progress: Option<&'t AtomicU64>,
}

impl<'t> Request<'t> {
    fn new(encoder: &'t Encoder) -> Self {
        Request {
            encoder,
            allowed: &encoder.shared.added,
            threads: 1,
            stop: None,
            progress: None,
        }
    }

    /// Recognizes the special tokens in `allowed` (none by default). Added tokens that are not special are
    /// always recognized.
    pub fn allow(mut self, allowed: &'t SpecialSet) -> Self {
        self.allowed = allowed;
        self
    }

    /// Uses up to `threads` threads, including the caller's (1 by default; 0 means 1). Results do not depend
    /// on the number.
    ///
    /// Uses at most one thread per 64 KiB of text. A text is divided between threads only at
    /// allowed special tokens and where the pattern is known to split. A text without such a
    /// position (one letter, a million times) is encoded by one thread. If the pattern [uses the
    /// regex engine](crate::Pattern::uses_regex_engine), no split position is known in advance.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Makes the call return [`EncodeError::Stopped`] after another thread sets `flag`, usually within 10 ms,
    /// even inside one long piece, unless the tokens have [affixes](crate::Symbols::end_of_word_suffix). The flag
    /// must stay set until the call returns.
    pub fn stop(mut self, flag: &'t AtomicBool) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Adds the number of encoded bytes to `counter`, about every 64 KiB: for a progress bar. The total is
    /// approximate: a special token and the end of a text count as one byte each, and if the model has a
    /// normalizer, long texts are counted after normalization.
    pub fn progress(mut self, counter: &'t AtomicU64) -> Self {
        self.progress = Some(counter);
        self
    }

    /// Returns an error in `text` with its offset in the original text.
    pub(super) fn located(&self, text: &[u8], error: EncodeError) -> EncodeError {
        let segments = self.encoder.segments(text, self.allowed).aligned();
        self.encoder.located(segments, error)
    }

    /// Returns an error if `text` contains a special token of `forbidden`, like tiktoken's
    /// `disallowed_special`. Added tokens that are not special cannot be forbidden.
    ///
    /// # Errors
    /// [`EncodeError::SpecialNotAllowed`] with the first such token. Its offset counts bytes of `text`, even
    /// if the token was matched after normalization.
    pub fn refuse_specials(
        &self,
        text: impl AsRef<[u8]>,
        forbidden: &SpecialSet,
    ) -> Result<(), EncodeError> {
        let text = text.as_ref();
        // Normalize only if some token is matched in normalized text.
        let normalizer = self.encoder.model().normalizer();
        let normalizer = normalizer.filter(|_| !forbidden.normalized.is_empty());
        let changes = Changes {
            normalizer,
            rewrites: &[],
        };
        let mut segments = Segments::new(text, forbidden, changes).aligned();
        let first = segments.find_map(|segment| match segment {
            Segment::Special(token, span, _) if token.special => Some((token, span.start)),
            Segment::Special(..) | Segment::Text(..) => None,
        });
        first.map_or(Ok(()), |(token, offset)| {
            let content = token.content.clone();
            Err(EncodeError::SpecialNotAllowed { content, offset })
        })
    }
}
