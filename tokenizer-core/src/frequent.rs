//! The most frequent pieces of a corpus, for a model to know beforehand; and whether what it knows
//! is true.

use std::cmp::Reverse;

use crate::encode::Encoder;
use crate::known_pieces::KnownPieces;
use crate::token::{Count, MAX_TOKEN_ID, TokenId};
use crate::words::Words;

/// What a model knows of a piece is not what merging gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the known piece \"{}\" has other ids than those listed", .piece.escape_ascii())]
pub struct WrongKnownPiece {
    /// The piece.
    pub piece: Vec<u8>,
    /// The ids that are listed.
    pub listed: Vec<TokenId>,
    /// Those it has.
    pub ids: Vec<TokenId>,
}

impl Encoder {
    /// Merges every piece that the model knows and compares. If all are right, they are used from
    /// then on, by every encoder of this model and on every thread.
    ///
    /// Costs one merge for each, less than a microsecond. That is more than one thread saves by them:
    /// it is for many threads, or before a text comes that must not wait.
    ///
    /// # Errors
    /// At the first that is wrong.
    pub fn check_known_pieces(&self) -> Result<(), WrongKnownPiece> {
        // One without the list, whatever is thought of it.
        let model = self.model().as_ref().clone().without_known_pieces();
        let merging = Encoder::new(model);
        let mut encode = merging.piece_by_piece();
        for (piece, listed) in self.model().known_pieces().iter() {
            let ids = encode(piece);
            if ids != listed {
                let (piece, listed) = (piece.to_vec(), listed.to_vec());
                return Err(WrongKnownPiece { piece, listed, ids });
            }
        }
        self.model().carried_pieces().set_true();
        Ok(())
    }
}

/// A longer piece is not listed: one that is frequent is a line of dashes or the like, which merging
/// is quick with, and a list must not grow with what a corpus has in one piece.
const LONGEST: usize = 128;

/// A piece that was met once may well never be met again.
const LEAST: Count = 2;

/// Up to `most` pieces of `words` that are not single tokens, the most frequent ones, with their ids;
/// those that stand first are the most frequent, of equally many the one that sorts first. Pieces of
/// more than 128 bytes are left out, and those that occur only once.
///
/// `words` are to be the pieces into which the encoder's model splits text; if it has a normaliser,
/// of normalised text.
///
/// Costs one look at every piece of `words`, encoding those that are listed, and memory for about
/// twice as many pieces as `most` and the vocabulary are together.
///
/// ```
/// use tokenizer_core::{CountOptions, Encoder, Model, Pattern, TrainOptions, count_pieces};
/// use tokenizer_core::{most_frequent, train};
///
/// let pattern: Pattern = "cl100k".parse()?;
/// let words = count_pieces(["low lower low lower"], &pattern, &CountOptions::default())?;
/// let encoder = Encoder::new(Model::trained(pattern, train(&words, &TrainOptions::new(3))?, &[""; 0])?);
/// let known = most_frequent(&words, &encoder, 8192);
/// assert_eq!(known.get(b" lower"), Some(&encoder.encode(b" lower")?[..]));
///
/// let model = encoder.model().as_ref().clone().with_known_pieces(known)?.trust_known_pieces();
/// assert_eq!(Encoder::new(model).encode(b"low lower")?, encoder.encode(b"low lower")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn most_frequent(words: &Words, encoder: &Encoder, most: usize) -> KnownPieces {
    if most == 0 {
        return KnownPieces::default();
    }
    let most = most.min(MAX_TOKEN_ID as usize + 1);
    let vocab = encoder.model().vocab();
    // Different pieces that are single tokens are different tokens.
    let mut candidates = most_of(words, most.saturating_add(vocab.len()));
    // Of the entries that merging does not reach, some are left out with these.
    candidates.retain(|&(_, piece)| vocab.id(piece).is_none());
    candidates.sort_unstable_by_key(|&(count, piece)| (Reverse(count), piece));

    let mut encode = encoder.piece_by_piece();
    let pieces: Vec<(&[u8], Vec<TokenId>)> = candidates
        .iter()
        .map(|&(_, piece)| (piece, encode(piece)))
        .filter(|(_, ids)| ids.len() > 1)
        .take(most)
        .collect();
    let list = pieces.iter().map(|(piece, ids)| (*piece, &ids[..]));
    // Each has two ids at least; so many pieces that are so short pass no limit.
    KnownPieces::new(list).unwrap_or_default()
}

/// The `most` most frequent pieces, in no order.
fn most_of(words: &Words, most: usize) -> Vec<(Count, &[u8])> {
    let mut kept: Vec<(Count, &[u8])> = Vec::new();
    let keep_most = |kept: &mut Vec<(Count, &[u8])>| {
        if kept.len() > most {
            kept.select_nth_unstable_by_key(most, |&(count, piece)| (Reverse(count), piece));
            kept.truncate(most);
        }
    };
    let full = most.saturating_mul(2);
    let mut least = LEAST;
    for (piece, count) in words.iter() {
        if count < least || piece.len() > LONGEST {
            continue;
        }
        kept.push((count, piece));
        if kept.len() == full {
            keep_most(&mut kept);
            least = kept.iter().map(|&(count, _)| count).min().unwrap_or(LEAST);
        }
    }
    keep_most(&mut kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::native;
    use crate::merges::{Merge, Merges};
    use crate::model::{Merging, Model};
    use crate::special::SpecialTokens;
    use crate::split::{Pattern, PatternName};
    use crate::train::{TrainOptions, train};
    use crate::vocab::{Repeats, Vocab};
    use proptest::prelude::*;

    fn words(pieces: &[(&[u8], Count)]) -> Words {
        let mut words = Words::new();
        for (piece, count) in pieces {
            words.add(piece, *count).unwrap();
        }
        words
    }

    /// Of the bytes, "ab", and what else is given.
    fn ranks(tokens: &[&[u8]]) -> Model {
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let tokens = bytes
            .iter()
            .map(|byte| &byte[..])
            .chain(tokens.iter().copied());
        let pattern = Pattern::named(PatternName::Gpt2);
        Model::from_ranks(pattern, tokens.zip(0..), []).unwrap()
    }

    fn listed(known: &KnownPieces) -> Vec<&[u8]> {
        known.iter().map(|(piece, _)| piece).collect()
    }

    #[test]
    fn the_most_frequent_are_listed_that_are_not_one_token() {
        let long = [b'x'; LONGEST + 1];
        let words = words(&[
            (b"b", 1000),
            (b"ab", 900),
            (b"xab", 7),
            (b"rare", 1),
            (b"xyz", 9),
            (b"aab", 7),
            (b"yy", 2),
            (&long, 800),
            (&long[1..], 3),
        ]);
        let encoder = Encoder::new(ranks(&[b"ab"]));
        let all: [&[u8]; 5] = [b"xyz", b"aab", b"xab", &long[1..], b"yy"];
        for most in 0..=5 {
            assert_eq!(listed(&most_frequent(&words, &encoder, most)), all[..most]);
        }
        let known = most_frequent(&words, &encoder, usize::MAX);
        assert_eq!(listed(&known), all);
        assert_eq!(known.get(b"aab"), Some(&[97, 256][..]));
    }

    #[test]
    fn many_pieces_are_gone_through_with_little_memory_and_the_same_result() {
        let mut words = Words::new();
        for number in 0..20_000u32 {
            let piece = format!("{:05}", number * 7919 % 20_000);
            words
                .add(piece.as_bytes(), Count::from(number % 1000 + 1))
                .unwrap();
        }
        let encoder = Encoder::new(ranks(&[]));
        let known = most_frequent(&words, &encoder, 500);
        let mut all: Vec<_> = words.iter().collect();
        all.sort_by_key(|&(piece, count)| (Reverse(count), piece));
        let all: Vec<_> = all.into_iter().map(|(piece, _)| piece).take(500).collect();
        assert_eq!(listed(&known), all);
    }

    #[test]
    fn a_list_that_lies_is_found_out_and_changes_nothing() {
        // The ids spell their pieces, but merging gives others.
        let lies: [(&[u8], &[TokenId]); 3] = [
            (b"aab", &[97, 256]),
            (b"xab", &[120, 97, 98]),
            (b"ab", &[97, 98]),
        ];
        let known = KnownPieces::new(lies).unwrap();
        let model = ranks(&[b"ab"]);
        let lying = model.clone().with_known_pieces(known.clone()).unwrap();
        assert_eq!(lying, model, "what is listed decides nothing");
        let lying = native::read(&native::write(&lying)).unwrap();
        assert_eq!(lying.known_pieces(), &known);

        let text = b"xab.ab aab.ab.aab";
        let ids = Encoder::new(model).encode(text).unwrap();
        let encoder = Encoder::new(lying);
        assert_eq!(encoder.encode(text).unwrap(), ids);
        let wrong = encoder.check_known_pieces().unwrap_err();
        assert_eq!(wrong.piece, b"xab");
        assert_eq!(
            (&wrong.listed[..], &wrong.ids[..]),
            (&[120, 97, 98][..], &[120, 256][..])
        );
        assert_eq!(encoder.encode(text).unwrap(), ids);
        let again = Encoder::new(std::sync::Arc::clone(encoder.model()));
        assert_eq!(again.encode(text).unwrap(), ids);
    }

    #[test]
    fn who_trusts_a_list_has_its_ids_and_still_the_text() {
        let lie: [(&[u8], &[TokenId]); 2] = [(b"xab", &[120, 97, 98]), (b"ab", &[97, 98])];
        let model = ranks(&[b"ab"]).with_known_pieces(KnownPieces::new(lie).unwrap());
        let encoder = Encoder::new(model.unwrap().trust_known_pieces());
        let ids = encoder.encode(b"xab").unwrap();
        assert_eq!(ids, [120, 97, 98], "the list is asked");
        assert_eq!(
            encoder.encode(b"ab").unwrap(),
            [256],
            "an entry comes first"
        );
        assert_eq!(encoder.model().decode(&ids).unwrap(), b"xab");
        assert!(
            encoder.check_known_pieces().is_err(),
            "it is not asked about itself"
        );
    }

    #[test]
    fn what_is_true_of_one_model_is_not_of_another() {
        let list: [(&[u8], &[TokenId]); 1] = [(b"abc", &[97, 98, 99])];
        let known = KnownPieces::new(list).unwrap();
        let model = ranks(&[]).with_known_pieces(known).unwrap();
        let encoder = Encoder::new(model.clone());
        assert_eq!(encoder.check_known_pieces(), Ok(()));
        assert!(
            model.carried_pieces().get(b"abc").is_some(),
            "of its clones it is"
        );
        let known = model.known_pieces().clone();
        let other = ranks(&[b"bc"]).with_known_pieces(known).unwrap();
        let encoder = Encoder::new(other);
        assert_eq!(encoder.encode(b"abc").unwrap(), [97, 256]);
        assert!(encoder.check_known_pieces().is_err());
    }

    #[test]
    fn what_does_not_spell_a_piece_is_refused() {
        let refused = |piece: &[u8], ids: &[TokenId]| {
            let known = KnownPieces::new([(piece, ids)]).unwrap();
            ranks(&[b"ab"]).with_known_pieces(known).is_err()
        };
        assert!(!refused(b"aab", &[97, 256]));
        assert!(refused(b"aab", &[97, 97]));
        assert!(refused(b"aab", &[256, 97]));
        assert!(refused(b"aab", &[97, 97, 98, 98]));
        assert!(refused(b"aa", &[97, 257]));
        assert!(refused(b"aa", &[97, TokenId::MAX]));
    }

    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let letter = prop::sample::select(&b"abc abc\n"[..]);
        prop_oneof![
            prop::collection::vec(letter, 0..300),
            prop::collection::vec(any::<u8>(), 0..40),
        ]
    }

    /// Tables that are not trained in order, with tokens that several splits make.
    fn any_table() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let token = prop::collection::vec(prop::sample::select(&b" abc"[..]), 2..6);
        prop::collection::hash_set(token, 0..30).prop_map(|set| set.into_iter().collect())
    }

    /// A model of the other kind: some of the ways to make the tokens, in some order.
    fn listed_merges(table: &[Vec<u8>], splits: &[prop::sample::Index], first: bool) -> Model {
        let ranks = ranks(&table.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let vocab = ranks.vocab();
        let rules = table.iter().zip(splits).filter_map(|(token, split)| {
            let (left, right) = token.split_at(1 + split.index(token.len() - 1));
            Some(Merge {
                left: vocab.id(left)?,
                right: vocab.id(right)?,
                token: vocab.id(token)?,
            })
        });
        let merging = Merging::Merges {
            merges: Merges::new(rules.collect()).unwrap(),
            whole_piece_first: first,
        };
        let vocab = Vocab::new(vocab.iter(), Repeats::LowestId).unwrap();
        let pattern = ranks.pattern().clone();
        Model::new(pattern, vocab, merging, SpecialTokens::default()).unwrap()
    }

    /// Cuts the tokens of a piece apart: ids that spell it, but mostly are not its own.
    fn cut_apart(model: &Model, ids: &[TokenId]) -> Vec<TokenId> {
        let bytes = ids.iter().flat_map(|&id| model.token(id).unwrap());
        bytes
            .map(|&byte| model.vocab().byte_ids()[usize::from(byte)])
            .collect()
    }

    proptest! {
        #[test]
        fn ids_with_known_pieces_are_those_without(
            table in any_table(),
            splits in prop::collection::vec(any::<prop::sample::Index>(), 30),
            texts in prop::collection::vec(any_text(), 2..5),
            counted in any_text(),
            most in 0..20usize,
            lies in 0..3usize,
        ) {
            let tokens: Vec<&[u8]> = table.iter().map(Vec::as_slice).collect();
            let models = [
                ranks(&tokens),
                listed_merges(&table, &splits, false),
                listed_merges(&table, &splits, true),
            ];
            for model in models {
                let without = Encoder::new(model.clone());
                // Words of another text, and of the first one.
                let documents = [&counted, &counted, &texts[0], &texts[0]];
                let options = crate::CountOptions::default().threads(1);
                let words = crate::count_pieces(documents, model.pattern(), &options).unwrap();
                let known = most_frequent(&words, &without, most);
                prop_assert!(known.len() <= most);
                for (piece, ids) in known.iter() {
                    prop_assert_eq!(without.encode_single_piece(piece), ids);
                }
                // Some of it, or all, made wrong.
                let list: Vec<_> = known.iter().enumerate().map(|(number, (piece, ids))| {
                    let ids = match number % 2 < lies {
                        true => cut_apart(&model, ids),
                        false => ids.to_vec(),
                    };
                    (piece, ids)
                }).collect();
                let listed = KnownPieces::new(list.iter().map(|(piece, ids)| (*piece, &ids[..]))).unwrap();
                let carrying = model.clone().with_known_pieces(listed.clone()).unwrap();
                let bytes = native::write(&carrying);
                let read = native::read(&bytes).unwrap();
                prop_assert_eq!(read.known_pieces(), &listed);
                prop_assert_eq!(&native::write(&read), &bytes);
                let with = Encoder::new(read);
                for text in &texts {
                    prop_assert_eq!(with.encode(text).unwrap(), without.encode(text).unwrap());
                }
                prop_assert_eq!(with.check_known_pieces().is_ok(), listed == known);
                // With the list in use, if it is true.
                let fresh = Encoder::new(std::sync::Arc::clone(with.model()));
                for text in &texts {
                    prop_assert_eq!(fresh.encode(text).unwrap(), without.encode(text).unwrap());
                    prop_assert_eq!(fresh.count(text).unwrap(), without.count(text).unwrap());
                }
            }
        }

        #[test]
        fn a_trained_model_knows_what_it_was_trained_on(text in any_text(), merges in 0..20usize) {
            let pattern = Pattern::named(PatternName::Cl100k);
            let options = crate::CountOptions::default().threads(1);
            let words = crate::count_pieces([&text, &text], &pattern, &options).unwrap();
            let merges = train(&words, &TrainOptions::new(merges)).unwrap();
            let encoder = Encoder::new(Model::trained(pattern, merges, &[""; 0]).unwrap());
            let known = most_frequent(&words, &encoder, usize::MAX);
            for (piece, _) in words.iter() {
                let ids = encoder.encode_single_piece(piece);
                prop_assert_eq!(known.get(piece), (ids.len() > 1).then_some(&ids[..]));
            }
        }
    }
}
