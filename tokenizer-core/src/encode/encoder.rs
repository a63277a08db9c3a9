//! The encoder: what all threads share, and a call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::boundaries::Boundaries;
use super::error::{EncodeError, check_stop};
use super::parts::PartSizes;
use super::rules::Rules;
use super::session::{Session, Tables};
use crate::free_list::{FreeList, Taken};
use crate::model::Model;
use crate::segments::{Segment, Segments};
use crate::simd::{Tier, advise_huge_pages};
use crate::special::SpecialSet;
use crate::token::TokenId;

/// Encodes text with a [`Model`]. Made once, used from many threads.
#[derive(Clone)]
pub(crate) struct Encoder {
    shared: Arc<Shared>,
}

/// What all threads encode with.
struct Shared {
    model: Arc<Model>,
    /// The added tokens that are found always.
    added: SpecialSet,
    tables: Tables,
    options: EncoderOptions,
    /// Idle sessions, with the pieces that they have met.
    sessions: FreeList<Box<Session>>,
}

/// How an [`Encoder`] works. Nothing here changes an id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderOptions {
    pub(crate) cache_bytes: usize,
    pub(crate) tier: Tier,
    part_sizes: PartSizes,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        EncoderOptions {
            cache_bytes: 24 << 20,
            tier: Tier::best(),
            part_sizes: PartSizes::DEFAULT,
        }
    }
}

impl EncoderOptions {
    /// With parts of a few bytes for threads, so that short texts reach them.
    #[cfg(any(test, feature = "internals"))]
    pub(crate) fn small_parts(mut self) -> Self {
        self.part_sizes = PartSizes::SMALL;
        self
    }
}

/// An empty vector with capacity for the ids of `bytes` bytes of text.
pub(super) fn room_for(bytes: usize) -> Vec<TokenId> {
    // Prose has four bytes or a little more for each id, other scripts down to two. What is not
    // written to costs nothing; to move what was written because it grows takes as long as a
    // seventh of the encoding.
    let mut ids = Vec::with_capacity(bytes / 2 + 256);
    advise_huge_pages(ids.spare_capacity_mut());
    ids
}

impl Encoder {
    /// An encoder with the default options.
    pub(crate) fn new(model: impl Into<Arc<Model>>) -> Self {
        Self::with_options(model, EncoderOptions::default())
    }

    /// An encoder that works as `options` say.
    ///
    /// Costs a table of 256 KiB and a look at each token or listed merge.
    pub(crate) fn with_options(model: impl Into<Arc<Model>>, options: EncoderOptions) -> Self {
        let model = model.into();
        Encoder {
            shared: Arc::new(Shared {
                tables: Tables {
                    rules: Rules::new(Arc::clone(&model)),
                    boundaries: Boundaries::new(Arc::clone(&model)),
                },
                added: model.special_set(&[] as &[&str]),
                model,
                options,
                sessions: FreeList::new(),
            }),
        }
    }

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

    pub(super) fn tables(&self) -> &Tables {
        &self.shared.tables
    }

    pub(super) fn part_sizes(&self) -> PartSizes {
        self.shared.options.part_sizes
    }

    pub(crate) fn model(&self) -> &Arc<Model> {
        &self.shared.model
    }

    /// A request without special tokens, on one thread.
    pub(crate) fn request(&self) -> Request<'_> {
        Request::new(self)
    }

    /// The segments of a text.
    pub(super) fn segments<'m, 't>(
        &self,
        text: &'t [u8],
        allowed: &'m SpecialSet,
    ) -> Segments<'m, 't> {
        Segments::new(text, allowed, self.model().normalizer())
    }

    /// Appends the ids of segments.
    pub(super) fn encode_segments<'m, 't>(
        &self,
        session: &mut Session,
        segments: impl IntoIterator<Item = Segment<'m, 't>>,
        stop: Option<&AtomicBool>,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        for segment in segments {
            match segment {
                Segment::Special(token, _) => {
                    check_stop(stop)?;
                    ids.push(token.id);
                }
                Segment::Text(text, place) => {
                    let mut runs = session.runs(self.tables(), &text, place.start(), stop);
                    runs.encode_all(ids)?;
                }
            }
        }
        Ok(())
    }

    /// The number of ids of segments, or `None` when there are more than `limit`. No ids are kept.
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
                Segment::Text(text, place) => {
                    let mut runs = session.runs(self.tables(), &text, place.start(), stop);
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

    /// The ids of pieces, one after the other, whatever the pattern would make of them.
    ///
    /// An empty piece, which no pattern gives, is the empty token if there is one and whole pieces
    /// come first.
    pub(crate) fn piece_by_piece(&self) -> impl FnMut(&[u8]) -> Vec<TokenId> {
        let mut session = self.session();
        move |piece| {
            let mut ids = Vec::new();
            session.encode_piece(&self.tables().rules, piece, &mut ids);
            ids
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.model().fmt(f)
    }
}

/// A call of a [`Tokenizer`](crate::Tokenizer). Made by [`Tokenizer::request`](crate::Tokenizer::request);
/// can be used any number of times.
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
#[derive(Clone, Copy)]
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

    /// Recognises the special tokens of `allowed` (none by default). Added tokens that are not special are
    /// always found.
    pub fn allow(mut self, allowed: &'t SpecialSet) -> Self {
        self.allowed = allowed;
        self
    }

    /// Works on up to `threads` threads, the caller's included; 0 and the default mean 1. No answer depends
    /// on it. A thread gets at least 64 KiB of text, which is cut where its pattern certainly splits; a
    /// pattern without a scanner, and a text without such a place (one letter a million times), are left to
    /// one thread.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// When another thread sets `flag`, the call ends with [`EncodeError::Stopped`], mostly within a
    /// hundredth of a second, in a piece without an end too. It must stay set until then.
    pub fn stop(mut self, flag: &'t AtomicBool) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Adds to `counter`, after every 64 KiB or so, how many bytes have been encoded: for a progress bar,
    /// since after normalization they are approximate.
    pub fn progress(mut self, counter: &'t AtomicU64) -> Self {
        self.progress = Some(counter);
        self
    }

    /// Fails when `text` holds a special token of `forbidden`: tiktoken's `disallowed_special`. Added
    /// tokens that are not special cannot be forbidden.
    ///
    /// Offsets are those of the text as it is given, also for a token that is matched in normalized text.
    ///
    /// # Errors
    /// At the first of them in the text.
    pub fn refuse_specials(
        &self,
        text: impl AsRef<[u8]>,
        forbidden: &SpecialSet,
    ) -> Result<(), EncodeError> {
        let text = text.as_ref();
        // Text is normalized only where a token is matched behind the normalizer.
        let normalizer = self.encoder.model().normalizer();
        let normalizer = normalizer.filter(|_| !forbidden.normalized.is_empty());
        let mut segments = Segments::new(text, forbidden, normalizer).aligned();
        let first = segments.find_map(|segment| match segment {
            Segment::Special(token, span) if token.special => Some((token, span.start)),
            Segment::Special(..) | Segment::Text(..) => None,
        });
        first.map_or(Ok(()), |(token, offset)| {
            let content = token.content.clone();
            Err(EncodeError::SpecialNotAllowed { content, offset })
        })
    }
}
