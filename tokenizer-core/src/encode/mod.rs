//! Encoding: text to ids.
//!
//! A text is a sequence of segments (`segments.rs`): special and added tokens, and the text between
//! them. The pattern splits that text into runs of at most a thousand pieces, and
//! `PieceRuns::encode` appends the ids of a run to a vector. Encoding, counting,
//! offsets, truncation, batches and streams are loops over segments and runs.
//!
//! Within a run (`session.rs`):
//!
//! 1. Long pieces are cut into chunks at boundaries that no token crosses (`chunks.rs`, `boundaries.rs`).
//! 2. Most chunks were met before: their ids are in one table (`piece_table.rs`), which is looked up for
//!    a group of chunks whose cache lines are fetched together.
//! 3. A piece that is a token is that token, if the model says so.
//! 4. All others are merged (`merge.rs`): up to 64 bytes with the ranks in vector registers (`line.rs`),
//!    longer ones window by window, and repeated tokens run-length encoded (`runs.rs`), so that a megabyte
//!    of one letter costs as much as a megabyte of short words.
//!
//! Both kinds of model answer the same question, which two tokens merge and how early (`rules.rs`).

mod batch;
mod boundaries;
mod chunks;
mod heap;
mod limit;
mod line;
mod merge;
mod missing;
mod offsets;
mod parallel;
mod parts;
mod piece_table;
mod rules;
mod runs;
mod session;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use batch::{Batch, BatchError};
pub use limit::Truncated;
pub use offsets::IdsWithOffsets;
pub use stream::EncodeStream;

use self::parallel::Gathered;
use self::parts::PartSizes;
use self::rules::Rules;
use self::session::Session;
use crate::arch::{Tier, advise_huge_pages};
use crate::free_list::{FreeList, Taken};
use crate::model::Model;
use crate::segments::{Segment, Segments};
use crate::special::SpecialSet;
use crate::split::SplitError;
use crate::token::TokenId;

/// Encodes text with a [`Model`]. Made once, used from many threads.
///
/// ```
/// use tokenizer_core::{CountOptions, Encoder, Model, Pattern, TrainOptions, count_pieces, train};
///
/// let pattern: Pattern = "cl100k".parse()?;
/// let words = count_pieces(["low lower lowest"], &pattern, &CountOptions::default())?;
/// let options = TrainOptions::new(261).specials(["<|end|>"]);
/// let encoder = Encoder::new(Model::from_trained(pattern, train(&words, &options)?)?);
/// let ids = encoder.encode(b"slow")?;
/// assert_eq!(encoder.model().decode(&ids)?, b"slow");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Encoder {
    shared: Arc<Shared>,
}

/// What all threads encode with.
struct Shared {
    model: Arc<Model>,
    /// The added tokens that are found always.
    added: SpecialSet,
    rules: Rules,
    options: EncoderOptions,
    /// Sessions with the pieces that they have met: a few dozen are kept.
    sessions: FreeList<Box<Session>>,
}

/// How an [`Encoder`] works. Nothing here changes an id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncoderOptions {
    /// Bytes that the table of known pieces of a thread may take; 24 MiB by default, which only text
    /// of hundreds of thousands of distinct pieces fills. The table starts with 16 KiB and grows with
    /// the pieces met. A thread needs up to 3 MiB beside it.
    pub cache_bytes: usize,
    /// The instructions to use; the fastest by default.
    pub tier: Tier,
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
    /// With so many bytes for the table of known pieces of each thread.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// With the instructions of `tier`, if the machine has it.
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }

    /// With parts of a few bytes for threads, so that short texts reach them.
    #[cfg(any(test, feature = "internals"))]
    #[doc(hidden)]
    pub fn small_parts(mut self) -> Self {
        self.part_sizes = PartSizes::SMALL;
        self
    }
}

/// What one call of an [`Encoder`] is to do.
///
/// ```
/// use tokenizer_core::{EncodeOptions, Encoder, Merges, Model};
///
/// let encoder = Encoder::new(Model::trained("gpt2".parse()?, Merges::default(), &["<|end|>"])?);
/// let allowed = encoder.model().all_specials();
/// let options = EncodeOptions::new().allow(&allowed).threads(2);
/// assert_eq!(encoder.encode_with(b"a<|end|>", options)?, [97, 256]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EncodeOptions<'s> {
    /// The special tokens that are recognised; none by default. Added tokens that are not special
    /// are found always.
    pub allowed: Option<&'s SpecialSet>,
    /// How many threads may work, the caller's included. 0, the default, means 1. No answer depends
    /// on it, and no thread is started for less than 64 KiB of text.
    pub threads: usize,
    /// When another thread sets this, encoding ends with [`EncodeError::Stopped`], mostly within a
    /// hundredth of a second, in a piece without an end too. It must stay set until then.
    pub stop: Option<&'s AtomicBool>,
}

impl<'s> EncodeOptions<'s> {
    /// No special tokens, one thread.
    pub fn new() -> Self {
        Self::default()
    }

    /// With these special tokens recognised.
    pub fn allow(mut self, allowed: &'s SpecialSet) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// On up to so many threads.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Breaks off when another thread sets `flag`.
    pub fn stop(mut self, flag: &'s AtomicBool) -> Self {
        self.stop = Some(flag);
        self
    }
}

/// A text could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The pattern failed on the text. With a normaliser, the offset counts bytes of the normalised
    /// text from the last special token on.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The text holds a special token that the caller forbade.
    #[error(
        "the text holds the special token {content:?} at byte {offset}, which is not allowed there"
    )]
    SpecialNotAllowed {
        /// The special token.
        content: String,
        /// Where it begins, in bytes.
        offset: usize,
    },
    /// [`EncodeOptions::stop`] was set.
    #[error("encoding was stopped")]
    Stopped,
}

impl EncodeError {
    /// The pattern failed on text that begins at `offset` of the whole.
    fn in_whole(error: SplitError, offset: usize) -> Self {
        EncodeError::Split(SplitError {
            offset: offset + error.offset,
            ..error
        })
    }
}

/// Memory for the ids of so many bytes of text.
fn room_for(bytes: usize) -> Vec<TokenId> {
    // Prose has four bytes or a little more for each id, other scripts down to two. What is not
    // written to costs nothing; to move what was written because it grows takes as long as a
    // seventh of the encoding.
    let mut ids = Vec::with_capacity(bytes / 2 + 256);
    advise_huge_pages(ids.spare_capacity_mut());
    ids
}

impl Encoder {
    /// An encoder with the default options.
    ///
    /// Costs a table entry for each listed merge; for tiktoken's kind of model, next to nothing.
    pub fn new(model: impl Into<Arc<Model>>) -> Self {
        Self::with_options(model, EncoderOptions::default())
    }

    /// An encoder that works as `options` say.
    pub fn with_options(model: impl Into<Arc<Model>>, options: EncoderOptions) -> Self {
        let model = model.into();
        Encoder {
            shared: Arc::new(Shared {
                rules: Rules::new(Arc::clone(&model)),
                added: model.special_set(&[] as &[&str]),
                model,
                options,
                sessions: FreeList::new(),
            }),
        }
    }

    fn session(&self) -> Taken<'_, Box<Session>> {
        let sessions = &self.shared.sessions;
        let new = || sessions.hold(Box::new(Session::new(&self.shared)));
        sessions.take().unwrap_or_else(new)
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.shared.model
    }

    /// The ids of `text`, in which the text of special tokens is text like any other.
    ///
    /// # Errors
    /// When the pattern fails on the text; named patterns and most others never do.
    pub fn encode(&self, text: &[u8]) -> Result<Vec<TokenId>, EncodeError> {
        let mut ids = room_for(text.len());
        self.encode_into(text, &mut ids)?;
        Ok(ids)
    }

    /// As [`Encoder::encode`], appending to `ids`. After an error `ids` holds the ids of the pieces
    /// before it.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_into(&self, text: &[u8], ids: &mut Vec<TokenId>) -> Result<(), EncodeError> {
        self.encode_with_specials(text, &self.shared.added, ids)
    }

    /// As [`Encoder::encode`], on up to `threads` threads (0 means 1). The ids are the same for any
    /// number.
    ///
    /// The text is cut where its pattern certainly splits, a few thousand bytes at least for each
    /// part. A pattern without a scanner, and a text without such a place (one letter a million
    /// times), are left to one thread.
    ///
    /// ```
    /// use tokenizer_core::{Encoder, Merges, Model};
    ///
    /// let encoder = Encoder::new(Model::trained("gpt2".parse()?, Merges::default(), &["<|end|>"])?);
    /// let text = "one text of many words ".repeat(20_000);
    /// let ids = encoder.encode_with_threads(text.as_bytes(), 2)?;
    /// assert_eq!(ids, encoder.encode(text.as_bytes())?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Encoder::encode`], and with the same one.
    pub fn encode_with_threads(
        &self,
        text: &[u8],
        threads: usize,
    ) -> Result<Vec<TokenId>, EncodeError> {
        self.encode_with(text, EncodeOptions::new().threads(threads))
    }

    /// The ids of `text`, with the special tokens and on the threads that `options` allow. The text
    /// between two special tokens is split on its own.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_with(
        &self,
        text: &[u8],
        options: EncodeOptions<'_>,
    ) -> Result<Vec<TokenId>, EncodeError> {
        let mut ids = room_for(text.len());
        self.encode_with_into(text, options, &mut ids)?;
        Ok(ids)
    }

    /// As [`Encoder::encode_with`], appending to `ids`. After an error what was in `ids` is still
    /// there, and behind it the ids of some text before the error.
    ///
    /// A vector that is used again for the next text is filled faster than a new one: the pages of
    /// a large one are fresh, and each costs as much as the encoding of a kilobyte.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_with_into(
        &self,
        text: &[u8],
        options: EncodeOptions<'_>,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let mut whole = Gathered::of_ids(std::mem::take(ids));
        let done = self.gather(&[text], options, &mut whole);
        *ids = whole.ids;
        done.map_err(|failure| failure.error)
    }

    /// How many ids `text` has, without special tokens. No ids are kept.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn count(&self, text: &[u8]) -> Result<usize, EncodeError> {
        self.count_with(text, EncodeOptions::new())
    }

    /// How many ids [`Encoder::encode_with`] gives.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn count_with(
        &self,
        text: &[u8],
        options: EncodeOptions<'_>,
    ) -> Result<usize, EncodeError> {
        let mut whole = Gathered::of_counts();
        self.gather(&[text], options, &mut whole)
            .map_err(|failure| failure.error)?;
        Ok(whole.taken())
    }

    /// Appends the ids of `text`, in which the special tokens of `allowed` are recognised. The text
    /// between two of them is split on its own.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_with_specials(
        &self,
        text: &[u8],
        allowed: &SpecialSet,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let segments = self.segments(text, allowed);
        self.encode_segments(&mut self.session(), segments, None, ids)
    }

    /// The segments of a text.
    fn segments<'m, 't>(&self, text: &'t [u8], allowed: &'m SpecialSet) -> Segments<'m, 't> {
        Segments::new(text, allowed, self.model().normalizer())
    }

    /// Appends the ids of segments.
    fn encode_segments<'m, 't>(
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
                    let mut runs = session.runs(&self.shared, &text, place.start(), stop);
                    runs.encode_all(ids)?;
                }
            }
        }
        Ok(())
    }

    /// How many ids a text has, or `None` when there are more than `limit`. No ids are kept.
    fn count_text(
        &self,
        session: &mut Session,
        text: &[u8],
        allowed: &SpecialSet,
        stop: Option<&AtomicBool>,
        limit: usize,
    ) -> Result<Option<usize>, EncodeError> {
        let mut count = 0;
        let mut ids = Vec::new();
        for segment in self.segments(text, allowed) {
            match segment {
                Segment::Special(..) => {
                    check_stop(stop)?;
                    count += 1;
                }
                Segment::Text(text, place) => {
                    let mut runs = session.runs(&self.shared, &text, place.start(), stop);
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

    /// The ids of `piece` taken as one piece, whatever the pattern would make of it.
    ///
    /// An empty piece, which no pattern gives, is the empty token if there is one and whole pieces
    /// come first.
    pub fn encode_single_piece(&self, piece: &[u8]) -> Vec<TokenId> {
        self.piece_by_piece()(piece)
    }

    /// The ids of pieces, one after the other: as [`Encoder::encode_single_piece`].
    pub(crate) fn piece_by_piece(&self) -> impl FnMut(&[u8]) -> Vec<TokenId> {
        let mut session = self.session();
        move |piece| {
            let mut ids = Vec::new();
            session.encode_piece(&self.shared, piece, &mut ids);
            ids
        }
    }

    /// Fails when `text` holds a special token of `forbidden`: tiktoken's `disallowed_special`. Added
    /// tokens that are not special cannot be forbidden.
    ///
    /// Offsets are those of the text as it is given, also for a token that is matched in normalized text.
    ///
    /// # Errors
    /// At the first of them in the text.
    pub fn refuse_specials(&self, text: &[u8], forbidden: &SpecialSet) -> Result<(), EncodeError> {
        // Text is normalized only where a token is matched behind the normalizer.
        let normalizer = self.model().normalizer();
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

/// Fails when the flag is set.
fn check_stop(stop: Option<&AtomicBool>) -> Result<(), EncodeError> {
    match stop {
        Some(stop) if stop.load(Ordering::Relaxed) => Err(EncodeError::Stopped),
        _ => Ok(()),
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("model", self.model())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::{Merge, Merges};
    use crate::model::Merging;
    use crate::reference;
    use crate::special::{SpecialToken, SpecialTokens};
    use crate::split::{Gaps, Pattern, PatternName};
    use crate::vocab::{Repeats, Vocab};
    use proptest::prelude::*;

    fn bytes_and(tokens: &[&[u8]]) -> Vec<Vec<u8>> {
        let bytes = (0..=255u8).map(|b| vec![b]);
        bytes.chain(tokens.iter().map(|t| t.to_vec())).collect()
    }

    fn whole_text() -> Pattern {
        Pattern::sequence([])
    }

    fn ranks(tokens: &[&[u8]]) -> Encoder {
        let tokens = bytes_and(tokens);
        let ranks = tokens.iter().zip(0..).map(|(t, id)| (t.as_slice(), id));
        Encoder::new(Model::from_ranks(whole_text(), ranks, []).unwrap())
    }

    #[test]
    fn under_ranks_a_whole_piece_comes_first() {
        let encoder = ranks(&[b"abc"]);
        assert_eq!(encoder.encode(b"abc").unwrap(), [256]);
        assert_eq!(encoder.encode(b"xabc").unwrap(), [120, 97, 98, 99]);
    }

    #[test]
    fn ranks_merge_any_split_and_merges_only_the_listed_one() {
        let tokens: [&[u8]; 3] = [b"bc", b"ab", b"abc"];
        // (b, c) has the lowest rank; then a and bc join, which the list below does not know.
        assert_eq!(ranks(&tokens).encode(b"xabc").unwrap(), [120, 258]);
        let vocab = bytes_and(&tokens);
        let vocab = Vocab::new(
            vocab.iter().zip(0..).map(|(t, id)| (id, &t[..])),
            Repeats::Refuse,
        );
        let listed = [(98, 99, 256), (97, 98, 257), (257, 99, 258)];
        let merges = listed.map(|(left, right, token)| Merge { left, right, token });
        let merging = |whole_piece_first| Merging::Merges {
            merges: Merges::new(merges.to_vec()).unwrap(),
            whole_piece_first,
        };
        let encoder = |first| {
            let specials = SpecialTokens::default();
            let vocab = vocab.clone().unwrap();
            Encoder::new(Model::new(whole_text(), vocab, merging(first), specials).unwrap())
        };
        assert_eq!(encoder(false).encode(b"abc").unwrap(), [97, 256]);
        assert_eq!(encoder(true).encode(b"abc").unwrap(), [258]);
        assert_eq!(encoder(true).encode(b"xabc").unwrap(), [120, 97, 256]);
    }

    #[test]
    fn special_tokens_count_only_where_they_are_allowed() {
        let pattern = Pattern::named(PatternName::Cl100k);
        let model = Model::trained(pattern, Merges::default(), &["<|a|>", "<|a|><|b|>"]).unwrap();
        let encoder = Encoder::new(model);
        let with = |set: &SpecialSet, text: &str| {
            let mut ids = Vec::new();
            encoder
                .encode_with_specials(text.as_bytes(), set, &mut ids)
                .unwrap();
            ids
        };
        let all = encoder.model().all_specials();
        assert_eq!(with(&all, "x<|a|><|b|>y<|a|>"), [120, 257, 121, 256]);
        let one = encoder.model().special_set(&["<|a|>", "never heard of"]);
        assert_eq!(with(&one, "<|a|>!<|a|><|b|>")[..3], [256, 33, 256]);
        assert_eq!(with(&encoder.shared.added, "<|a|>").len(), 5);
        let refused = encoder.refuse_specials(b"ab<|a|>", &all).unwrap_err();
        assert!(matches!(
            refused,
            EncodeError::SpecialNotAllowed { offset: 2, .. }
        ));
        assert_eq!(encoder.refuse_specials(b"ab<|c|>", &all), Ok(()));
    }

    #[test]
    fn an_error_of_the_pattern_names_the_byte_of_the_whole_text() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let model = Model::trained(bomb, Merges::default(), &["<|s|>"]).unwrap();
        let encoder = Encoder::new(model);
        let text = format!("xy<|s|>z{}", "a".repeat(64));
        let all = encoder.model().all_specials();
        let error = encoder.encode_with_specials(text.as_bytes(), &all, &mut Vec::new());
        assert!(matches!(
            error,
            Err(EncodeError::Split(SplitError { offset: 8, .. }))
        ));
    }

    #[test]
    fn a_piece_whose_windows_never_meet_is_near_linear() {
        // Every pair of bytes once, and the further right, the earlier it merges: so all tokens hang
        // on the end, which is at an odd place, while that of every window is at an even one. With
        // one token given back at a time this would take minutes.
        let mut text: Vec<u8> = Vec::new();
        for first in 0..200 {
            text.push(first);
            text.extend((first + 1..200).flat_map(|second| [first, second]));
        }
        text.truncate((text.len() - 1) | 1);
        let pairs: Vec<&[u8]> = text.windows(2).rev().collect();
        let ids = ranks(&pairs).encode(&text).unwrap();
        let last = 256 + pairs.len() as TokenId;
        let want = (256..last).step_by(2).rev();
        assert_eq!(ids[0], TokenId::from(text[0]));
        assert!(ids[1..].iter().copied().eq(want));
    }

    #[test]
    fn a_megabyte_of_one_letter_is_near_linear() {
        // With the square of the length this would take hours.
        let tokens: Vec<Vec<u8>> = (1..8).map(|n| vec![b'a'; 1 << n]).collect();
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        let encoder = ranks(&tokens);
        let ids = encoder.encode(&vec![b'a'; 1_000_001]).unwrap();
        assert_eq!(ids.len(), 1_000_000 / 128 + 2);
        assert_eq!(ids.last(), Some(&97));
    }

    #[test]
    fn a_model_of_very_long_tokens_is_made_ready_at_once() {
        // With a look-up for every cut of every token it would take minutes.
        let tokens: Vec<Vec<u8>> = (1..=21).map(|n| vec![b'a'; 1 << n]).collect();
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        assert_eq!(
            ranks(&tokens).encode(&vec![b'a'; 1 << 21]).unwrap(),
            [256 + 20]
        );
    }

    /// A made-up table, not trained in order: with entries that merging never reaches, and tokens
    /// that several splits can make.
    fn any_table() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let token = prop::collection::vec(prop::sample::select(&b"abc"[..]), 2..6);
        prop::collection::hash_set(token, 0..40).prop_map(|set| set.into_iter().collect())
    }

    fn any_piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(prop::sample::select(&b"abcd"[..]), 0..200),
            prop::collection::vec(any::<u8>(), 0..20),
        ]
    }

    proptest! {
        #[test]
        fn ids_are_those_of_the_definition_for_ranks(table in any_table(), piece in any_piece()) {
            let tokens: Vec<&[u8]> = table.iter().map(Vec::as_slice).collect();
            let encoder = ranks(&tokens);
            let vocab = encoder.model().vocab();
            let want = match vocab.id(&piece) {
                Some(id) => vec![id],
                None => reference::merge_piece(
                    piece.iter().map(|&b| b.into()).collect(),
                    |pair| {
                        let joined = [vocab.token(pair.left())?, vocab.token(pair.right())?].concat();
                        vocab.id(&joined).map(|id| (id, id))
                    },
                ),
            };
            prop_assert_eq!(encoder.count(&piece).unwrap(), want.len());
            prop_assert_eq!(encoder.encode(&piece).unwrap(), want);
        }

        #[test]
        fn ids_are_those_of_the_definition_for_merges(
            table in any_table(),
            splits in prop::collection::vec(any::<prop::sample::Index>(), 40),
            piece in any_piece(),
        ) {
            // Listed pairs in any order, of tokens that later pairs may make.
            let vocab = bytes_and(&table.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let vocab = Vocab::new(vocab.iter().zip(0..).map(|(t, id)| (id, &t[..])), Repeats::Refuse).unwrap();
            let mut rules: Vec<Merge> = Vec::new();
            for (token, split) in table.iter().zip(splits) {
                let (left, right) = token.split_at(1 + split.index(token.len() - 1));
                if let (Some(left), Some(right), Some(token)) = (vocab.id(left), vocab.id(right), vocab.id(token)) {
                    rules.push(Merge { left, right, token });
                }
            }
            let merging = Merging::Merges {
                merges: Merges::new(rules.clone()).unwrap(),
                whole_piece_first: false,
            };
            let model = Model::new(whole_text(), vocab, merging, SpecialTokens::default()).unwrap();
            let want = reference::merge_piece(piece.iter().map(|&b| b.into()).collect(), |pair| {
                let rank = rules.iter().position(|rule| rule.pair() == pair)?;
                Some((rank as u32, rules[rank].token))
            });
            prop_assert_eq!(Encoder::new(model).encode(&piece).unwrap(), want);
        }

        #[test]
        fn decoding_gives_the_text_back(text in prop::collection::vec(any::<u8>(), 0..64)) {
            for name in PatternName::ALL {
                let special = [SpecialToken::new("<|end|>", 300)];
                let tokens = bytes_and(&[b"th", b"the", b" t", b"  "]);
                let ranks = tokens.iter().zip(0..).map(|(t, id)| (t.as_slice(), id));
                let model = Model::from_ranks(Pattern::named(name), ranks, special).unwrap();
                let encoder = Encoder::new(model);
                let ids = encoder.encode(&text).unwrap();
                prop_assert_eq!(encoder.model().decode(&ids).unwrap(), &text[..]);
                prop_assert_eq!(encoder.count(&text).unwrap(), ids.len());
            }
        }
    }
}

#[cfg(test)]
mod stop_tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::merges::Merges;
    use crate::model::Model;
    use crate::split::{Gaps, Pattern, PatternName};
    use crate::token::Pair;

    #[test]
    fn a_flag_that_is_not_set_changes_nothing_and_one_that_is_ends_it_soon() {
        let specials: [&str; 0] = [];
        for pattern in [
            Pattern::named(PatternName::Cl100k),
            Pattern::regex(r"\w+(?=\b)|.", Gaps::Keep).unwrap(),
        ] {
            let model = Model::trained(pattern, Merges::default(), &specials).unwrap();
            let encoder = Encoder::new(model);
            let text = b"some words of a text, ".repeat(20_000);
            let texts = [&text[..], b"short", &text];
            for threads in [1, 3] {
                let flag = AtomicBool::new(false);
                let options = EncodeOptions::new().threads(threads).stop(&flag);
                assert_eq!(encoder.encode_with(&text, options).unwrap(), {
                    let ids = text.iter().map(|&byte| u32::from(byte));
                    ids.collect::<Vec<_>>()
                });
                assert_eq!(encoder.count_with(&text, options), Ok(text.len()));
                let offsets = encoder.encode_with_offsets(&text, options).unwrap();
                assert_eq!(offsets.ranges.len(), text.len());
                assert!(encoder.encode_batch_with(&texts, options).is_ok());
                flag.store(true, Ordering::Relaxed);
                let began = Instant::now();
                let stopped = Err(EncodeError::Stopped);
                assert_eq!(encoder.encode_with(&text, options).map(drop), stopped);
                assert_eq!(encoder.count_with(&text, options).map(drop), stopped);
                let offsets = encoder.encode_with_offsets(&text, options);
                assert_eq!(offsets.map(drop), stopped);
                let batch = encoder.encode_batch_with(&texts, options);
                assert_eq!(batch.unwrap_err().error, EncodeError::Stopped);
                assert!(began.elapsed() < Duration::from_secs(1));
            }
        }
    }

    #[test]
    fn a_piece_without_an_end_is_broken_off_and_not_kept() {
        let specials: [&str; 0] = [];
        let pattern = Pattern::named(PatternName::Cl100k);
        let merges = [(97, 98), (256, 99), (98, 97)].map(|(left, right)| Pair::new(left, right));
        let merges = Merges::trained(&merges).unwrap();
        let encoder = Encoder::new(Model::trained(pattern, merges, &specials).unwrap());
        // No window has the bytes of the one before.
        let letter = |place: u32| b'a' + (place.wrapping_mul(0x9E37_79B9) >> 29) as u8 % 3;
        let text: Vec<u8> = (0..8 << 20).map(letter).collect();
        let want = Encoder::new(encoder.model().clone()).encode(&text).unwrap();
        for threads in [1, 2] {
            for wait in [0, 1, 5, 20] {
                let flag = AtomicBool::new(wait == 0);
                let options = EncodeOptions::new().threads(threads).stop(&flag);
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        std::thread::sleep(Duration::from_millis(wait));
                        flag.store(true, Ordering::Relaxed);
                    });
                    let began = Instant::now();
                    let got = encoder.encode_with(&text, options);
                    assert!(began.elapsed() < Duration::from_secs(1));
                    // It may be done before.
                    assert!(got.is_err_and(|error| error == EncodeError::Stopped) || wait > 0);
                });
            }
            // What was found by then is not taken for the ids of the piece.
            assert!(encoder.encode(&text).unwrap() == want);
        }
    }

    #[test]
    fn a_text_of_special_tokens_only_is_stopped_too() {
        let pattern = Pattern::named(PatternName::Cl100k);
        let model = Model::trained(pattern, Merges::default(), &["<s>"]).unwrap();
        let encoder = Encoder::new(model);
        let all = encoder.model().all_specials();
        let flag = AtomicBool::new(false);
        let options = EncodeOptions::new().allow(&all).stop(&flag);
        let text = b"<s>".repeat(100_000);
        assert_eq!(encoder.encode_with(&text, options).unwrap(), [256; 100_000]);
        flag.store(true, Ordering::Relaxed);
        for threads in [1, 3] {
            let stopped = encoder.encode_with(&text, options.threads(threads));
            assert_eq!(stopped, Err(EncodeError::Stopped));
        }
        let stopped = encoder.encode_with_offsets(&text, options);
        assert_eq!(stopped.map(drop), Err(EncodeError::Stopped));
    }
}
