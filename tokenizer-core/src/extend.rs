//! Extending a model: learning more merges from new text.
//!
//! The pieces of the new text are encoded by the model, and training continues from there: the new merges are
//! those that [`train`](crate::train()) would have learned next. On the same text, training to one size and
//! then extending to a larger one gives the same merges as training to the larger size at once.
//!
//! **Ids.** Ordinary tokens keep their ids, and new tokens follow the highest, in the order of learning.
//! Special tokens after the ordinary ones are renumbered to follow the new tokens, by ascending id; others
//! keep their ids. With [`TrainOptions::keep_special_ids`], no id changes, and new tokens follow the highest id
//! of all. Ties go to the smallest pair of ids, so a model trained with
//! [`TieBreak::HuggingFace`](crate::TieBreak) continues in that order.
//!
//! **Duplicates.** A pair that would produce the bytes of an existing token is skipped. A model that was
//! trained here has no such pair (see [`mod@crate::train`]), but other models may.

use std::cell::RefCell;
use std::ops::ControlFlow;

use hashbrown::{HashMap, HashSet};

use crate::encode::Encoder;
use crate::hash::Seeds;
use crate::merges::{Merge, Merges};
use crate::model::{CallSettings, Merging, Model, ModelError};
use crate::piece_counts::PieceCounts;
use crate::special::{SpecialToken, SpecialTokens};
use crate::token::{Count, MAX_TOKEN_ID, Pair, TokenId};
use crate::train::{Corpus, Learned, TrainError, TrainOptions, learn, stop_on_break};
use crate::vocab::{Repeats, Vocab};

/// The result of extending a model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Extended {
    /// The extended model.
    pub model: Model,
    /// The new tokens in the order of learning, each with the count of its pair when it was merged.
    pub learned: Vec<(TokenId, Count)>,
    /// The special tokens whose ids changed.
    pub moved: Vec<MovedSpecial>,
}

/// A special token whose id changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedSpecial {
    /// Its text.
    pub content: String,
    /// Its id in the original model.
    pub from: TokenId,
    /// Its id in the extended model.
    pub to: TokenId,
}

/// An error while extending a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtendError {
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The model has [`Symbols`](crate::Symbols).
    #[error(
        "a model in which not every byte is a token, or whose tokens have affixes, cannot be extended"
    )]
    Symbols,
    /// The new tokens do not fit into the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The pre-tokenizer of the model changes text.
    #[error("a model whose pre-tokenizer changes text cannot be extended")]
    Rewrites,
}

/// Learns more merges from the pieces of new text.
///
/// The vocabulary size in `options` counts all ids of the extended model. `min_frequency` and
/// `max_token_bytes` apply to the new merges only. `tie_break` and `specials` are ignored: the model
/// determines ids and special tokens.
///
/// `pieces` must come from the model's pattern and, if it has a normalizer, from normalized text.
///
/// Encodes each distinct piece once; the rest costs as much as training.
///
/// # Errors
/// See [`ExtendError`].
///
/// ```
/// use tokenizer_core::{Model, Pattern, TrainOptions, PieceCounts, extend, train};
///
/// let mut pieces = PieceCounts::new();
/// pieces.add(b"lowest", 2)?;
/// pieces.add(b"lower", 3)?;
/// let first = TrainOptions::new(259).specials(["<s>"]);
/// let pattern: Pattern = "cl100k".parse()?;
/// let model = Model::from_trained(pattern.clone(), train(&pieces, &first)?)?;
/// assert_eq!(model.id(b"<s>"), Some(258));
///
/// let extended = extend(&model, &pieces, &TrainOptions::new(262))?;
/// assert_eq!(extended.model.id(b"<s>"), Some(261));
///
/// let at_once = TrainOptions::new(262).specials(["<s>"]);
/// let at_once = Model::from_trained(pattern, train(&pieces, &at_once)?)?;
/// assert_eq!(extended.model, at_once);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn extend(
    model: &Model,
    pieces: &PieceCounts,
    options: &TrainOptions,
) -> Result<Extended, ExtendError> {
    extend_with_progress(model, pieces, options, |_| ControlFlow::Continue(()))
}

/// Like [`extend`], but also calls `progress` after each merge.
///
/// # Errors
/// See [`ExtendError`]. If `progress` returns [`ControlFlow::Break`], [`TrainError::Stopped`].
pub fn extend_with_progress(
    model: &Model,
    pieces: &PieceCounts,
    options: &TrainOptions,
    mut progress: impl FnMut(Learned) -> ControlFlow<()>,
) -> Result<Extended, ExtendError> {
    let (first, merges) = room(model, options)?;
    let vocab = model.vocab();
    let length = |id| vocab.token(id).map_or(0, <[u8]>::len);
    let lengths = (0..first as TokenId).map(length).collect();
    let tokens = RefCell::new(Tokens::new(vocab, first as TokenId));
    let (mut new_merges, mut learned) = (Vec::new(), Vec::new());
    let encoder = Encoder::new(model.clone());
    let mut encode = encoder.piece_by_piece();
    let encoded = pieces.iter().map(|(piece, count)| {
        // Only a model with symbols can fail, and those were refused.
        (encode(piece).unwrap_or_default().into_iter(), count)
    });
    let corpus = Corpus::from_symbols(pieces.distinct_bytes(), encoded, options.thresholds());
    let corpus = corpus.map_err(TrainError::from)?;
    drop(encode);
    learn(
        corpus,
        lengths,
        &options.limits(merges),
        |pair| tokens.borrow().has_joined(pair),
        |merge| {
            let token = tokens.borrow_mut().add(merge.pair);
            let (left, right) = (merge.pair.left(), merge.pair.right());
            new_merges.push(Merge { left, right, token });
            learned.push((token, merge.count));
            stop_on_break(progress(merge))
        },
    )?;
    let (model, moved) = with_merges(model, &tokens.into_inner(), new_merges)?;
    Ok(Extended {
        model,
        learned,
        moved,
    })
}

/// Returns the first new id and the largest number of merges to learn.
fn room(model: &Model, options: &TrainOptions) -> Result<(usize, usize), ExtendError> {
    if !model.rewrites().is_empty() {
        return Err(ExtendError::Rewrites);
    }
    let (first, initial) = match options.keeps_special_ids() {
        true => (model.id_limit(), model.id_limit()),
        false => (model.vocab().id_limit(), size_to_extend(model)),
    };
    let vocab_size = options.vocab_size();
    if vocab_size > MAX_TOKEN_ID as usize + 1 {
        return Err(TrainError::VocabTooLarge { vocab_size }.into());
    }
    let Some(merges) = vocab_size.checked_sub(initial) else {
        return Err(TrainError::VocabTooSmall {
            vocab_size,
            initial,
        }
        .into());
    };
    if model.symbols().is_some() {
        return Err(ExtendError::Symbols);
    }
    Ok((first, merges))
}

/// Returns the number of ids of a model after its trailing special tokens are renumbered without gaps.
/// Extending to vocabulary size `n` learns up to `n - size_to_extend(model)` merges, or up to
/// `n - model.id_limit()` with [`TrainOptions::keep_special_ids`].
#[must_use]
pub fn size_to_extend(model: &Model) -> usize {
    let first = model.vocab().id_limit();
    first
        + model
            .specials()
            .iter()
            .filter(|s| is_trailing(s, first))
            .count()
}

/// Whether a special token follows the ordinary ones.
fn is_trailing(special: &SpecialToken, first: usize) -> bool {
    special.id as usize >= first
}

/// Returns the model with more tokens and merges.
fn with_merges(
    model: &Model,
    tokens: &Tokens<'_>,
    new_merges: Vec<Merge>,
) -> Result<(Model, Vec<MovedSpecial>), ModelError> {
    let new = (tokens.first..).zip(tokens.learned.iter().map(Vec::as_slice));
    let all = model.vocab().iter().chain(new);
    let (merging, repeats) = match model.merging() {
        Merging::Ranks => (Merging::Ranks, Repeats::Refuse),
        Merging::Merges {
            merges,
            ignore_merges,
        } => {
            let merges = merges.iter().copied().chain(new_merges).collect();
            let merging = Merging::Merges {
                merges: Merges::new(merges)?,
                ignore_merges: *ignore_merges,
            };
            (merging, Repeats::LowestId)
        }
    };
    let vocab = Vocab::new(all, repeats)?;

    let mut next = vocab.id_limit() as TokenId;
    let (mut specials, mut moved) = (Vec::new(), Vec::new());
    for special in model.specials().iter() {
        let mut special = special.clone();
        let from = special.id;
        if is_trailing(&special, tokens.first as usize) {
            special.id = next;
            next += 1;
        }
        if special.id != from {
            let (content, to) = (special.content.clone(), special.id);
            moved.push(MovedSpecial { content, from, to });
        }
        specials.push(special);
    }
    let ids: HashMap<TokenId, TokenId, Seeds> = moved.iter().map(|s| (s.from, s.to)).collect();
    let renumber = |id| ids.get(&id).copied().unwrap_or(id);
    let post_processor = model.post_processor().renumbered(renumber);
    let pattern = model.pattern().clone();
    // Padding names the id of a special token, so the call settings are kept only if no id changed.
    let settings = match moved.is_empty() {
        true => model.call_settings().clone(),
        false => CallSettings::default(),
    };
    let model = Model::new(pattern, vocab, merging, SpecialTokens::new(specials)?)?
        .with_normalizer(model.normalizer().cloned())
        .with_rewrites(model.rewrites())
        .with_post_processor(post_processor)?
        .with_call_settings(settings);
    Ok((model, moved))
}

/// All ordinary tokens, old and new.
struct Tokens<'v> {
    vocab: &'v Vocab,
    /// The first new id.
    first: TokenId,
    /// The bytes of the new tokens, in the order of their ids.
    learned: Vec<Vec<u8>>,
    /// The elements of `learned`, for look-up.
    learned_set: HashSet<Vec<u8>, Seeds>,
}

impl<'v> Tokens<'v> {
    fn new(vocab: &'v Vocab, first: TokenId) -> Self {
        Tokens {
            vocab,
            first,
            learned: Vec::new(),
            learned_set: HashSet::default(),
        }
    }

    /// Returns the concatenated bytes of a pair.
    fn joined(&self, pair: Pair) -> Vec<u8> {
        let bytes = |id: TokenId| match id.checked_sub(self.first) {
            Some(new) => &self.learned[new as usize],
            None => self.vocab.token(id).unwrap_or_default(),
        };
        [bytes(pair.left()), bytes(pair.right())].concat()
    }

    /// Returns whether the concatenated bytes of a pair are a token already.
    fn has_joined(&self, pair: Pair) -> bool {
        let joined = self.joined(pair);
        self.vocab.id(&joined).is_some() || self.learned_set.contains(&joined)
    }

    /// Adds the token that a pair produces. Returns its id.
    fn add(&mut self, pair: Pair) -> TokenId {
        let joined = self.joined(pair);
        self.learned_set.insert(joined.clone());
        self.learned.push(joined);
        self.first + self.learned.len() as TokenId - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::Normalizer;
    use crate::pattern::Pattern;
    use crate::post_processor::Affixes;
    use crate::reference;
    use crate::tokenizer::Tokenizer;
    use crate::train::{TieBreak, train};
    use proptest::prelude::*;

    fn piece_counts(counted: &[(&[u8], Count)]) -> PieceCounts {
        let mut pieces = PieceCounts::new();
        for &(piece, count) in counted {
            pieces.add(piece, count).unwrap();
        }
        pieces
    }

    fn trained(pieces: &PieceCounts, options: &TrainOptions) -> Model {
        Model::from_trained(Pattern::sequence([]), train(pieces, options).unwrap()).unwrap()
    }

    /// A model of ranks: the bytes, then `entries`.
    fn ranks(entries: &[&[u8]], specials: &[(&str, TokenId)]) -> Model {
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let tokens = bytes.iter().map(|byte| &byte[..]);
        let tokens = tokens.chain(entries.iter().copied()).zip(0..);
        let specials = specials
            .iter()
            .map(|&(text, id)| SpecialToken::new(text, id));
        Model::from_ranks(Pattern::sequence([]), tokens, specials).unwrap()
    }

    #[test]
    fn a_piece_that_equals_a_token_contains_no_pair() {
        let model = ranks(&[b"abc"], &[]);
        let pieces = piece_counts(&[(b"abc", 9), (b"xabc", 1), (b"yabc", 1)]);
        let extended = extend(&model, &pieces, &TrainOptions::new(266)).unwrap();
        let learned = extended.learned.iter();
        let tokens: Vec<(&[u8], Count)> = learned
            .map(|&(id, count)| (extended.model.token(id).unwrap(), count))
            .collect();
        // (ab, c) would produce "abc" again and is skipped.
        let want: [(&[u8], Count); 5] = [
            (b"ab", 2),
            (b"xab", 1),
            (b"yab", 1),
            (b"xabc", 1),
            (b"yabc", 1),
        ];
        assert_eq!(tokens, want);
        let encoder = Tokenizer::new(extended.model);
        assert_eq!(encoder.encode(b"xabc").unwrap(), [260]);
    }

    #[test]
    fn trailing_special_tokens_are_renumbered_and_others_are_not() {
        let model = ranks(&[b"ab"], &[("<low>", 300), ("<high>", 310), ("a", 97)]);
        let model = model
            .with_normalizer(Some(Normalizer::Nfc))
            .with_post_processor(Affixes {
                before: vec![310, 97],
                after: vec![300],
            })
            .unwrap();
        assert_eq!(size_to_extend(&model), 259);
        let pieces = piece_counts(&[(b"abab", 2)]);
        let extended = extend(&model, &pieces, &TrainOptions::new(264)).unwrap();
        let moved = |content: &str, from, to| MovedSpecial {
            content: content.into(),
            from,
            to,
        };
        assert_eq!(
            extended.moved,
            [moved("<low>", 300, 258), moved("<high>", 310, 259)]
        );
        let affixes = extended.model.post_processor().affixes().unwrap();
        assert_eq!(affixes.before, [259, 97]);
        assert_eq!(affixes.after, [258]);
        assert_eq!(extended.model.normalizer(), Some(&Normalizer::Nfc));
        assert_eq!(extended.model.id_limit(), 260);
    }

    #[test]
    fn special_ids_can_be_kept() {
        let model = ranks(&[b"ab"], &[("<low>", 300), ("<high>", 310), ("a", 97)]);
        let pieces = piece_counts(&[(b"abababab", 3), (b"xy", 2)]);
        let options = TrainOptions::new(312).keep_special_ids(true);
        let too_small = extend(
            &model,
            &pieces,
            &TrainOptions::new(310).keep_special_ids(true),
        );
        assert!(matches!(
            too_small,
            Err(ExtendError::Train(TrainError::VocabTooSmall {
                initial: 311,
                ..
            }))
        ));
        let kept = extend(&model, &pieces, &options).unwrap();
        assert!(kept.moved.is_empty());
        assert_eq!(kept.learned, [(311, 9)]);
        assert_eq!(kept.model.specials(), model.specials());
        assert_eq!(kept.model.id_limit(), 312);
        for id in 0..311 {
            assert_eq!(kept.model.token(id), model.token(id));
        }
        assert_eq!(kept.model.token(311), Some(&b"abab"[..]));
        let ids = Tokenizer::new(kept.model).encode(b"ababxy").unwrap();
        assert_eq!(ids, [311, 120, 121]);
    }

    #[test]
    fn sizes_are_checked_and_progress_can_stop() {
        let model = ranks(&[], &[("<s>", 256)]);
        let pieces = piece_counts(&[(b"abab", 2)]);
        let refused = |size| extend(&model, &pieces, &TrainOptions::new(size)).unwrap_err();
        for vocab_size in [MAX_TOKEN_ID as usize + 2, usize::MAX] {
            assert_eq!(
                refused(vocab_size),
                TrainError::VocabTooLarge { vocab_size }.into()
            );
        }
        let (vocab_size, initial) = (256, 257);
        let error = TrainError::VocabTooSmall {
            vocab_size,
            initial,
        };
        assert_eq!(refused(vocab_size), error.into());
        let stopped = extend_with_progress(&model, &pieces, &TrainOptions::new(259), |_| {
            ControlFlow::Break(())
        });
        assert_eq!(stopped.unwrap_err(), TrainError::Stopped.into());
    }

    fn corpus() -> impl Strategy<Value = PieceCounts> {
        let piece = prop_oneof![
            prop::collection::vec(prop::sample::select(&b"ab"[..]), 1..20),
            prop::collection::vec(prop::sample::select(&b"abcde "[..]), 1..12),
            prop::collection::vec(any::<u8>(), 1..6),
        ];
        prop::collection::vec((piece, 1u64..6), 0..24).prop_map(|pieces| {
            let pieces: Vec<(&[u8], Count)> = pieces.iter().map(|(p, n)| (&p[..], *n)).collect();
            piece_counts(&pieces)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn extending_on_the_same_text_equals_training_once(
            pieces in corpus(),
            first in 0usize..40,
            more in 0usize..40,
            hugging_face: bool,
            min_frequency in 0u64..4,
            max_token_bytes in prop_oneof![Just(usize::MAX), 2usize..9],
        ) {
            let tie_break = if hugging_face { TieBreak::HuggingFace } else { TieBreak::Raw };
            let options = |merges| {
                TrainOptions::new(258 + merges)
                    .min_frequency(min_frequency)
                    .max_token_bytes(max_token_bytes)
                    .tie_break(tie_break)
                    .specials(["<s>", "<e>"])
            };
            let start = trained(&pieces, &options(first));
            let extended = extend(&start, &pieces, &options(first + more)).unwrap();
            let at_once = trained(&pieces, &options(first + more));
            prop_assert_eq!(&extended.model, &at_once);
            let small = options(first + more).small_thresholds();
            let extended = extend(&start, &pieces, &small).unwrap();
            prop_assert_eq!(&extended.model, &at_once);
            let new = at_once.vocab().id_limit() - start.vocab().id_limit();
            prop_assert_eq!(extended.learned.len(), new);
            let moves = if new > 0 && !hugging_face { 2 } else { 0 };
            prop_assert_eq!(extended.moved.len(), moves);
        }

        #[test]
        fn extending_any_model_on_any_text_equals_the_reference(
            one in corpus(),
            other in corpus(),
            first in 0usize..40,
            merges in 0usize..40,
            min_frequency in 0u64..4,
            max_token_bytes in prop_oneof![Just(usize::MAX), 2usize..9],
            entries in prop::collection::btree_set(
                prop::collection::vec(prop::sample::select(&b"abc"[..]), 2..6), 0..12),
            made_up: bool,
        ) {
            let listed = trained(&one, &TrainOptions::new(256 + first));
            let model = if made_up {
                ranks(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>(), &[])
            } else {
                listed
            };
            let options = TrainOptions::new(size_to_extend(&model) + merges)
                .min_frequency(min_frequency)
                .max_token_bytes(max_token_bytes);
            let encoder = Tokenizer::new(model.clone());
            let encoded = other.iter().map(|(p, n)| (encoder.encode_single_piece(p).unwrap(), n)).collect();
            let tokens = model.vocab().iter().map(|(_, token)| token.to_vec()).collect();
            let want = reference::extend(encoded, tokens, merges, min_frequency, max_token_bytes);
            for options in [options.clone(), options.small_thresholds()] {
                let mut learned = Vec::new();
                let extended = extend_with_progress(&model, &other, &options, |merge| {
                    learned.push(merge.pair);
                    ControlFlow::Continue(())
                });
                prop_assert_eq!(&learned, &want);
                let extended = extended.unwrap().model;
                prop_assert_eq!(extended.vocab().repeated().count(), 0);
                for (id, token) in model.vocab().iter() {
                    prop_assert_eq!(extended.vocab().token(id), Some(token));
                }
            }
        }
    }
}
