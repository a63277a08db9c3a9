//! Model: everything that decides which ids a text has. Immutable.

use crate::hash::Seeds;
use crate::merges::{Merges, MergesError};
use crate::normalize::Normalizer;
use crate::pattern::Pattern;
use crate::special::{SpecialSet, SpecialToken, SpecialTokens, SpecialTokensError};
use crate::token::TokenId;
use crate::train::{TieBreak, Trained};
use crate::vocab::{Repeats, Vocab, VocabError};

/// How adjacent tokens of a piece are merged. The two kinds differ for tables that were not trained
/// in order, and where two splits of one token can both arise: a model means one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merging {
    /// tiktoken's rule: any two tokens merge whose joined bytes are an entry of the vocabulary, the
    /// entry with the lowest id first; and a piece that is an entry is that entry, before any
    /// merging.
    Ranks,
    /// The rule of a trained model and of a `tokenizer.json`: the listed pairs merge, in the order
    /// of the list.
    Merges {
        /// The list.
        merges: Merges,
        /// Whether a piece that is an entry is that entry before any merging: `ignore_merges` of a
        /// `tokenizer.json`.
        ignore_merges: bool,
    },
}

/// Ids put around every text when special tokens are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affixes {
    /// Put in front, such as the id of a beginning-of-text token.
    pub before: Vec<TokenId>,
    /// Put behind.
    pub after: Vec<TokenId>,
}

/// `truncation` and `padding` of a `tokenizer.json`, each the text of a JSON object. They are kept
/// and written back, and never applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSettings {
    /// Where a call of `tokenizers` cuts its ids; `None` when it does not.
    pub truncation: Option<String>,
    /// To which length it fills them up; `None` when it does not.
    pub padding: Option<String>,
}

/// A tokenizer as data: pattern, vocabulary, rule of merging, special tokens.
///
/// Equal models give every text equal ids: call settings, which change none, are not compared.
#[derive(Clone)]
pub struct Model {
    pattern: Pattern,
    vocab: Vocab,
    merging: Merging,
    specials: SpecialTokens,
    normalizer: Option<Normalizer>,
    affixes: Affixes,
    call_settings: CallSettings,
}

/// The parts do not make a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The vocabulary contradicts itself.
    #[error(transparent)]
    Vocab(#[from] VocabError),
    /// The special tokens contradict each other.
    #[error(transparent)]
    Specials(#[from] SpecialTokensError),
    /// A special token has the id of an ordinary token.
    #[error("the special token {content:?} has the id {id}, which is the token \"{}\"", .token.escape_ascii())]
    SpecialIsToken {
        /// Its text.
        content: String,
        /// The id.
        id: TokenId,
        /// The ordinary token.
        token: Vec<u8>,
    },
    /// A merge speaks of an id that the vocabulary does not have, or makes other bytes than the two
    /// it joins.
    #[error("merge {rank}, of tokens {left} and {right} into {token}, does not fit the vocabulary")]
    MergeOutside {
        /// Which merge.
        rank: usize,
        /// Its first token.
        left: TokenId,
        /// Its second token.
        right: TokenId,
        /// What it makes.
        token: TokenId,
    },
    /// An id to be put around texts does not exist.
    #[error("the id {id} is to be put around texts, but there is no such token")]
    UnknownAffix {
        /// The id.
        id: TokenId,
    },
    /// Merges that were not numbered by training, or whose tokens are too long.
    #[error(transparent)]
    Merges(#[from] MergesError),
}

impl Model {
    /// A model of merges that are numbered as rustbpe numbers them, such as those of
    /// [`Merges::trained`]; `specials` take the ids after the merges, in their order.
    ///
    /// # Errors
    /// When a special token is empty or repeated, or the merges are numbered otherwise.
    pub fn from_merges(
        pattern: Pattern,
        merges: Merges,
        specials: &[impl AsRef<str>],
    ) -> Result<Self, ModelError> {
        let (bytes, ends) = merges.trained_arena()?;
        let first = ends.len() as TokenId;
        let vocab = Vocab::from_arena(bytes, ends, Repeats::LowestId)?;
        let specials = specials
            .iter()
            .zip(first..)
            .map(|(content, id)| SpecialToken::new(content.as_ref(), id));
        Self::new(
            pattern,
            vocab,
            Merging::Merges {
                merges,
                ignore_merges: false,
            },
            SpecialTokens::new(specials)?,
        )
    }

    /// A model of a result of [`train`](crate::train()), numbered as its [`TieBreak`] says, special
    /// tokens included.
    ///
    /// # Errors
    /// When the tokens together are too long.
    ///
    /// ```
    /// use tokenizer_core::{Model, Pattern, TieBreak, TrainOptions, PieceCounts, train};
    ///
    /// let mut words = PieceCounts::new();
    /// words.add(b"low", 5)?;
    /// let options = TrainOptions::new(258).tie_break(TieBreak::HuggingFace).specials(["<s>"]);
    /// let model = Model::from_trained("cl100k".parse::<Pattern>()?, train(&words, &options)?)?;
    /// assert_eq!(model.id(b"<s>"), Some(0));
    /// assert_eq!(model.id(b"!"), Some(1));
    /// assert_eq!(model.id(b"lo"), Some(257));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_trained(pattern: Pattern, trained: Trained) -> Result<Self, ModelError> {
        let (options, merges) = trained.into_parts();
        if options.tie_break == TieBreak::Raw {
            return Self::from_merges(pattern, merges, &options.specials);
        }
        let tokens = options.numbering().ordinary(&merges)?;
        let tokens = tokens.iter().map(|(id, token)| (*id, token.as_slice()));
        let vocab = Vocab::new(tokens, Repeats::Refuse)?;
        let specials = options.specials.iter().zip(0..);
        let specials = specials.map(|(content, id)| SpecialToken::new(content.as_str(), id));
        let merging = Merging::Merges {
            merges,
            ignore_merges: false,
        };
        Self::new(pattern, vocab, merging, SpecialTokens::new(specials)?)
    }

    /// A model of tiktoken's kind: bytes with their ranks, which are their ids.
    ///
    /// # Errors
    /// When the ranks or the special tokens contradict themselves, or a single byte is missing.
    pub fn from_ranks<'a>(
        pattern: Pattern,
        ranks: impl IntoIterator<Item = (&'a [u8], TokenId)>,
        specials: impl IntoIterator<Item = SpecialToken>,
    ) -> Result<Self, ModelError> {
        let tokens = ranks.into_iter().map(|(token, rank)| (rank, token));
        let vocab = Vocab::new(tokens, Repeats::Refuse)?;
        Self::new(
            pattern,
            vocab,
            Merging::Ranks,
            SpecialTokens::new(specials)?,
        )
    }

    /// A model of its parts, without a normaliser and affixes.
    ///
    /// # Errors
    /// When the parts do not fit each other.
    pub fn new(
        pattern: Pattern,
        vocab: Vocab,
        merging: Merging,
        specials: SpecialTokens,
    ) -> Result<Self, ModelError> {
        for special in specials.iter() {
            // A special token may be an entry of the vocabulary too when both mean the same bytes.
            if let Some(token) = vocab.token(special.id)
                && token != special.bytes()
            {
                return Err(ModelError::SpecialIsToken {
                    content: special.content.clone(),
                    id: special.id,
                    token: token.to_vec(),
                });
            }
        }
        if let Merging::Merges { merges, .. } = &merging {
            for (rank, merge) in merges.iter().enumerate() {
                // No merge has to do with the empty token.
                let token = |id| vocab.token(id).filter(|token| !token.is_empty());
                let joined = token(merge.token).and_then(|joined| {
                    let rest = joined.strip_prefix(token(merge.left)?)?;
                    Some(rest == token(merge.right)?)
                });
                if joined != Some(true) {
                    return Err(ModelError::MergeOutside {
                        rank,
                        left: merge.left,
                        right: merge.right,
                        token: merge.token,
                    });
                }
            }
        }
        Ok(Model {
            pattern,
            vocab,
            merging,
            specials,
            normalizer: None,
            affixes: Affixes::default(),
            call_settings: CallSettings::default(),
        })
    }

    /// The same model with a normaliser.
    pub fn with_normalizer(mut self, normalizer: Option<Normalizer>) -> Self {
        self.normalizer = normalizer;
        self
    }

    /// The same model with ids to be put around texts.
    ///
    /// # Errors
    /// When one of the ids does not exist.
    pub fn with_affixes(mut self, affixes: Affixes) -> Result<Self, ModelError> {
        for &id in affixes.before.iter().chain(&affixes.after) {
            if self.token(id).is_none() {
                return Err(ModelError::UnknownAffix { id });
            }
        }
        self.affixes = affixes;
        Ok(self)
    }

    /// The same model with other call settings; they change no id.
    pub fn with_call_settings(mut self, settings: CallSettings) -> Self {
        self.call_settings = settings;
        self
    }

    /// The same model with another pattern.
    pub fn with_pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = pattern;
        self
    }

    /// What decides about ids.
    fn deciding(&self) -> impl PartialEq {
        (
            &self.pattern,
            &self.vocab,
            &self.merging,
            &self.specials,
            self.normalizer,
            &self.affixes,
        )
    }

    /// How text is split.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The ordinary tokens.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// How the tokens of a piece are merged.
    pub fn merging(&self) -> &Merging {
        &self.merging
    }

    /// The special tokens.
    pub fn specials(&self) -> &SpecialTokens {
        &self.specials
    }

    /// What is done to text before it is split.
    pub fn normalizer(&self) -> Option<Normalizer> {
        self.normalizer
    }

    /// Ids put around every text when special tokens are asked for.
    pub fn affixes(&self) -> &Affixes {
        &self.affixes
    }

    /// Truncation and padding of the `tokenizer.json` that the model was read from: kept, not
    /// applied.
    pub fn call_settings(&self) -> &CallSettings {
        &self.call_settings
    }

    /// The bytes of an id, special tokens included; `None` when there is no such token.
    pub fn token(&self, id: TokenId) -> Option<&[u8]> {
        self.vocab
            .token(id)
            .or_else(|| self.specials.by_id(id).map(SpecialToken::bytes))
    }

    /// The id of bytes, special tokens included (and first); `None` when there is no such token.
    pub fn id(&self, token: &[u8]) -> Option<TokenId> {
        std::str::from_utf8(token)
            .ok()
            .and_then(|text| self.specials.by_content(text))
            .map(|special| special.id)
            .or_else(|| self.vocab.id(token))
    }

    /// One more than the highest id: what an embedding table must have rows for.
    pub fn id_limit(&self) -> usize {
        let specials = self.specials.iter().map(|s| s.id as usize + 1).max();
        specials.unwrap_or(0).max(self.vocab.id_limit())
    }

    /// Every special and added token, to be recognised when encoding.
    pub fn all_specials(&self) -> SpecialSet {
        self.specials.select(self.normalizer, |_| true)
    }

    /// These special tokens, and the added tokens that are found always, to be recognised when
    /// encoding. A string that is not a special token is ignored, as in tiktoken.
    pub fn special_set(&self, contents: &[impl AsRef<str>]) -> SpecialSet {
        let wanted: hashbrown::HashSet<&str, Seeds> = contents.iter().map(AsRef::as_ref).collect();
        self.specials.select(self.normalizer, |token| {
            wanted.contains(token.content.as_str())
        })
    }

    /// The ids that `skip_special_tokens` leaves out when decoding, ascending: special tokens, but
    /// not other added tokens.
    ///
    /// `tokenizers` looks up what an id decodes to among the contents of the special tokens, which
    /// differs from the flag where normalization changes the content of an added token.
    pub fn skipped_ids(&self) -> Vec<TokenId> {
        let is_skipped = |token: &&SpecialToken| {
            let content = token.normalized_content(self.normalizer);
            let special = std::str::from_utf8(&content)
                .ok()
                .and_then(|content| self.specials.by_content(content));
            special.is_some_and(|special| special.special)
        };
        let skipped = self.specials.iter().filter(is_skipped);
        skipped.map(|token| token.id).collect()
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.deciding() == other.deciding()
    }
}

impl Eq for Model {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("pattern", &self.pattern)
            .field("vocab", &self.vocab)
            .field("merging", &self.merging)
            .field("specials", &self.specials)
            .field("normalizer", &self.normalizer)
            .field("affixes", &self.affixes)
            .field("call_settings", &self.call_settings)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merge;
    use crate::pattern::PatternName;
    use crate::token::Pair;

    fn pattern() -> Pattern {
        Pattern::named(PatternName::Gpt2)
    }

    #[test]
    fn special_tokens_come_after_the_merges() {
        let merges = Merges::trained(&[Pair::new(97, 98)]).unwrap();
        let model = Model::from_merges(pattern(), merges, &["<|bos|>", "<|eos|>"]).unwrap();
        assert_eq!(model.id(b"ab"), Some(256));
        assert_eq!(model.id(b"<|eos|>"), Some(258));
        assert_eq!(model.token(257), Some(&b"<|bos|>"[..]));
        assert_eq!(model.id_limit(), 259);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let bytes: Vec<[u8; 1]> = (0..=255).map(|b| [b]).collect();
        let ranks = || bytes.iter().zip(0..).map(|(b, id)| (&b[..], id));
        let clash = Model::from_ranks(pattern(), ranks(), [SpecialToken::new("<s>", 65)]);
        assert!(matches!(
            clash,
            Err(ModelError::SpecialIsToken { id: 65, .. })
        ));
        let same = Model::from_ranks(pattern(), ranks(), [SpecialToken::new("A", 65)]);
        assert!(
            same.is_ok(),
            "the same bytes under the same id contradict nothing"
        );
        let vocab = Vocab::new(ranks().map(|(t, id)| (id, t)), Repeats::Refuse).unwrap();
        let rule = Merge {
            left: 97,
            right: 98,
            token: 300,
        };
        let merging = Merging::Merges {
            merges: Merges::new(vec![rule]).unwrap(),
            ignore_merges: false,
        };
        assert!(matches!(
            Model::new(pattern(), vocab, merging, SpecialTokens::default()),
            Err(ModelError::MergeOutside {
                rank: 0,
                token: 300,
                ..
            })
        ));
    }
}
