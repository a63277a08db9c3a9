//! The model: pattern, vocabulary, merges, special tokens and normalizer. Immutable.

use std::borrow::Cow;
use std::sync::Arc;

use crate::hash::Seeds;
use crate::merges::{Merges, MergesError};
use crate::normalize::Normalizer;
use crate::pattern::Pattern;
use crate::post_processor::PostProcessor;
use crate::rewrite::RewriteStep;
use crate::segments::{self, Changes};
use crate::special::{SpecialSet, SpecialToken, SpecialTokens, SpecialTokensError};
use crate::symbols::{Symbols, SymbolsError};
use crate::text_decoder::TextDecoder;
use crate::token::TokenId;
use crate::train::{TieBreak, Trained};
use crate::vocab::{Repeats, Vocab, VocabError};

/// The rule by which adjacent tokens of a piece are merged.
///
/// For most vocabularies both rules give the same ids. They differ if the ids do not follow the order of
/// merging, or if the bytes of a token can be reached by more than one merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merging {
    /// tiktoken's rule. A piece that is a token is not merged. In any other piece, two adjacent tokens
    /// merge if their concatenation is a token, lowest resulting id first.
    Ranks,
    /// The rule of trained models and of `tokenizer.json`: the listed pairs merge, lowest rank first.
    Merges {
        /// The pairs by rank.
        merges: Merges,
        /// Whether a piece that is a token is encoded as that token without merging: `ignore_merges`
        /// of a `tokenizer.json`.
        ignore_merges: bool,
    },
}

/// `truncation` and `padding` of a `tokenizer.json`, each as a JSON object. They are kept and written
/// back, but not applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSettings {
    /// How `tokenizers` truncates ids; `None` for not at all.
    pub truncation: Option<String>,
    /// How `tokenizers` pads ids; `None` for not at all.
    pub padding: Option<String>,
}

/// All data that determine the ids of a text: pattern, vocabulary, merge rule, special tokens, normalizer
/// and post-processor.
///
/// Two models are equal if these are equal. The call settings are not compared, because they change no id.
#[derive(Clone)]
pub struct Model {
    pattern: Pattern,
    vocab: Vocab,
    merging: Merging,
    symbols: Option<Symbols>,
    specials: SpecialTokens,
    /// Whether an ordinary token is also an added token that decodes to other bytes, since the normalizer
    /// changes its content.
    redecodes: bool,
    normalizer: Option<Normalizer>,
    rewrites: Arc<[RewriteStep]>,
    post_processor: PostProcessor,
    text_decoder: Option<TextDecoder>,
    call_settings: CallSettings,
}

/// Inconsistent parts of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Invalid vocabulary.
    #[error(transparent)]
    Vocab(#[from] VocabError),
    /// Invalid first symbols.
    #[error(transparent)]
    Symbols(#[from] SymbolsError),
    /// Invalid special tokens.
    #[error(transparent)]
    Specials(#[from] SpecialTokensError),
    /// A special token has the id of an ordinary token with different bytes.
    #[error("special token {content:?} has the same id as the ordinary token \"{}\": {id}", .token.escape_ascii())]
    SpecialIsToken {
        /// Text of the special token.
        content: String,
        /// The id.
        id: TokenId,
        /// The ordinary token.
        token: Vec<u8>,
    },
    /// A merge uses an unknown id, or its token is not the concatenation of its pair.
    #[error("merge {rank} of tokens {left} and {right} into {token} contradicts the vocabulary")]
    MergeOutside {
        /// Rank of the merge.
        rank: usize,
        /// The first token of its pair.
        left: TokenId,
        /// The second token of its pair.
        right: TokenId,
        /// The token that it produces.
        token: TokenId,
    },
    /// An id that the post-processor adds is not a token.
    #[error("id {id}, to be added around texts, is not a token")]
    UnknownAffix {
        /// The id.
        id: TokenId,
    },
    /// Invalid merges, or merges that are not numbered as training numbers them.
    #[error(transparent)]
    Merges(#[from] MergesError),
}

impl Model {
    /// Creates a model from merges numbered like those of [`Merges::trained`], which is rustbpe's numbering.
    /// The special tokens take the ids after the merges, in the given order.
    ///
    /// # Errors
    /// If a special token is empty or a duplicate, or the merges are numbered differently.
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

    /// Creates a model from the result of [`train`](crate::train()). [`TieBreak`] determines the ids,
    /// including those of special tokens.
    ///
    /// # Errors
    /// If the tokens together exceed 4 GiB.
    ///
    /// ```
    /// use tokenizer_core::{Model, Pattern, PieceCounts, TieBreak, TrainOptions, train};
    ///
    /// let mut counts = PieceCounts::new();
    /// counts.add(b"low", 5)?;
    /// let options = TrainOptions::new(258).tie_break(TieBreak::HuggingFace).specials(["<s>"]);
    /// let model = Model::from_trained("cl100k".parse::<Pattern>()?, train(&counts, &options)?)?;
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

    /// Creates a model like tiktoken's from tokens with their ranks. The rank of a token is its id.
    ///
    /// # Errors
    /// If a token, a rank or a special token is a duplicate, if a special token has the rank of a token with
    /// different bytes, or if a single byte is missing.
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

    /// Creates a model from its parts, without a normalizer or a post-processor. Every byte must be a token.
    ///
    /// # Errors
    /// If a byte is not a token, a special token has the id of an ordinary token with different bytes, or a
    /// merge contradicts the vocabulary.
    pub fn new(
        pattern: Pattern,
        vocab: Vocab,
        merging: Merging,
        specials: SpecialTokens,
    ) -> Result<Self, ModelError> {
        if let Some(byte) = vocab.missing_byte() {
            return Err(VocabError::MissingByte { byte }.into());
        }
        Self::from_parts(pattern, vocab, merging, specials, &[])
    }

    /// Like [`Model::new`], for a model in which some bytes are not tokens, whose symbols are characters, or whose
    /// tokens have affixes.
    ///
    /// # Errors
    /// As [`Model::new`], except that bytes may be missing. Also if the symbols contradict the other parts.
    ///
    /// ```
    /// use tokenizer_core::{Merges, Merging, Model, Pattern, Repeats, SpecialTokens, Symbols, Tokenizer, Vocab};
    ///
    /// let vocab = Vocab::new([(0, "?".as_bytes()), (1, "é".as_bytes())], Repeats::Refuse)?;
    /// let merging = Merging::Merges { merges: Merges::default(), ignore_merges: false };
    /// let symbols = Symbols { characters: true, unknown: Some(0), ..Symbols::default() };
    /// let pattern: Pattern = "gpt2".parse()?;
    /// let specials = SpecialTokens::default();
    /// let model = Model::with_symbols(pattern, vocab, merging, specials, symbols)?;
    /// assert_eq!(Tokenizer::new(model).encode("éx")?, [1, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_symbols(
        pattern: Pattern,
        vocab: Vocab,
        merging: Merging,
        specials: SpecialTokens,
        symbols: Symbols,
    ) -> Result<Self, ModelError> {
        if !symbols.characters && !symbols.has_affixes() && vocab.missing_byte().is_none() {
            return Self::new(pattern, vocab, merging, specials);
        }
        let prefix = &symbols.continuing_subword_prefix;
        let mut model = Self::from_parts(pattern, vocab, merging, specials, prefix)?;
        if let Some(id) = symbols.unknown.filter(|&id| model.token(id).is_none()) {
            return Err(SymbolsError::UnknownId { id }.into());
        }
        let merges = match &model.merging {
            Merging::Ranks => None,
            Merging::Merges { merges, .. } => Some(merges),
        };
        symbols.check(&model.vocab, merges, model.id_limit())?;
        model.symbols = Some(symbols);
        Ok(model)
    }

    /// `prefix` is removed from the right token of each merge.
    fn from_parts(
        pattern: Pattern,
        vocab: Vocab,
        merging: Merging,
        specials: SpecialTokens,
        prefix: &[u8],
    ) -> Result<Self, ModelError> {
        for special in specials.iter() {
            // The vocabulary may contain the special token too, if the bytes are the same.
            if let Some(token) = vocab.token(special.id)
                && token != special.bytes()
                && token != special.content.as_bytes()
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
                // The empty token never merges.
                let token = |id| vocab.token(id).filter(|token| !token.is_empty());
                let joined = token(merge.token).and_then(|joined| {
                    let rest = joined.strip_prefix(token(merge.left)?)?;
                    let right = token(merge.right)?.strip_prefix(prefix)?;
                    Some(rest == right && !right.is_empty())
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
        let redecodes = |special: &SpecialToken| {
            let ordinary = vocab.token(special.id);
            ordinary.is_some_and(|token| token != special.bytes())
        };
        Ok(Model {
            redecodes: specials.iter().any(redecodes),
            pattern,
            vocab,
            merging,
            symbols: None,
            specials,
            normalizer: None,
            rewrites: Arc::default(),
            post_processor: PostProcessor::default(),
            text_decoder: None,
            call_settings: CallSettings::default(),
        })
    }

    /// Returns the model with other special and added tokens.
    pub(crate) fn with_specials(&self, specials: SpecialTokens) -> Result<Self, ModelError> {
        let (pattern, vocab) = (self.pattern.clone(), self.vocab.clone());
        let merging = self.merging.clone();
        let Model {
            specials,
            redecodes,
            ..
        } = match self.symbols.clone() {
            None => Self::from_parts(pattern, vocab, merging, specials, &[])?,
            Some(symbols) => Self::with_symbols(pattern, vocab, merging, specials, symbols)?,
        };
        let model = self.clone();
        Ok(Model {
            specials,
            redecodes,
            ..model
        })
    }

    /// Replaces the normalizer.
    #[must_use]
    pub fn with_normalizer(mut self, normalizer: Option<Normalizer>) -> Self {
        self.normalizer = normalizer;
        self
    }

    /// Replaces the pre-tokenizer steps that come before the pattern: none, or steps of which the last
    /// changes text.
    #[must_use]
    pub fn with_rewrites(mut self, steps: impl Into<Arc<[RewriteStep]>>) -> Self {
        self.rewrites = steps.into();
        self
    }

    /// Replaces the post-processor, such as by [`Affixes`](crate::Affixes).
    ///
    /// # Errors
    /// If an id that it adds is not a token.
    pub fn with_post_processor(
        mut self,
        processor: impl Into<PostProcessor>,
    ) -> Result<Self, ModelError> {
        let processor = processor.into();
        let templates = [Some(processor.single()), processor.pair()];
        for id in templates.into_iter().flatten().flat_map(|t| t.added()) {
            if self.token(id).is_none() {
                return Err(ModelError::UnknownAffix { id });
            }
        }
        self.post_processor = processor;
        Ok(self)
    }

    /// Replaces the decoder. Without one, ids decode to the bytes of their tokens.
    #[must_use]
    pub fn with_text_decoder(mut self, decoder: Option<TextDecoder>) -> Self {
        self.text_decoder = decoder;
        self
    }

    /// Replaces the call settings, which change no id.
    #[must_use]
    pub fn with_call_settings(mut self, settings: CallSettings) -> Self {
        self.call_settings = settings;
        self
    }

    /// Replaces the pattern.
    #[must_use]
    pub fn with_pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = pattern;
        self
    }

    /// Returns the fields that equality compares.
    fn compared(&self) -> impl PartialEq {
        (
            &self.pattern,
            &self.vocab,
            &self.merging,
            &self.symbols,
            &self.specials,
            &self.normalizer,
            &self.rewrites,
            &self.post_processor,
            &self.text_decoder,
        )
    }

    /// Returns the pattern that splits text into pieces.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Returns the ordinary tokens.
    #[must_use]
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// Returns the merge rule.
    #[must_use]
    pub fn merging(&self) -> &Merging {
        &self.merging
    }

    /// Returns the first symbols of pieces; `None` if they are bytes, all of which are tokens.
    #[must_use]
    pub fn symbols(&self) -> Option<&Symbols> {
        self.symbols.as_ref()
    }

    /// Returns the special and added tokens.
    #[must_use]
    pub fn specials(&self) -> &SpecialTokens {
        &self.specials
    }

    /// Returns the normalizer that is applied before splitting.
    #[must_use]
    pub fn normalizer(&self) -> Option<&Normalizer> {
        self.normalizer.as_ref()
    }

    /// Returns the steps of the pre-tokenizer that change text, with the splits before them. They are
    /// applied to normalized text, and the pattern then splits each of their sections.
    #[must_use]
    pub fn rewrites(&self) -> &[RewriteStep] {
        &self.rewrites
    }

    /// Returns the sections of a text without special and added tokens: normalized and rewritten, each of
    /// them split by the pattern on its own. One section, `text` itself, if the model changes no text.
    #[must_use]
    pub fn sections<'t>(&self, text: &'t [u8]) -> Vec<Cow<'t, [u8]>> {
        segments::sections(text, self.changes())
    }

    /// Returns everything that changes text before the pattern splits it.
    pub(crate) fn changes(&self) -> Changes<'_> {
        Changes {
            normalizer: self.normalizer(),
            rewrites: self.rewrites(),
        }
    }

    /// Returns the templates for ids to add around texts.
    #[must_use]
    pub fn post_processor(&self) -> &PostProcessor {
        &self.post_processor
    }

    /// Returns the decoder of a model in which text is not the bytes of the tokens, joined.
    #[must_use]
    pub fn text_decoder(&self) -> Option<&TextDecoder> {
        self.text_decoder.as_ref()
    }

    /// Returns the truncation and padding of the `tokenizer.json` that the model was read from. They are not
    /// applied.
    #[must_use]
    pub fn call_settings(&self) -> &CallSettings {
        &self.call_settings
    }

    /// Returns the bytes to which a token decodes, ordinary or special, or `None` if there is no such token.
    #[must_use]
    pub fn token(&self, id: TokenId) -> Option<&[u8]> {
        let special = || self.specials.by_id(id).map(SpecialToken::bytes);
        match self.redecodes {
            false => self.vocab.token(id).or_else(special),
            true => special().or_else(|| self.vocab.token(id)),
        }
    }

    /// Returns whether an added token decodes to other bytes than the ordinary token with its id.
    pub(crate) fn redecodes(&self) -> bool {
        self.redecodes
    }

    /// Returns the id of the token with these bytes, or `None` if there is none. Special tokens take
    /// precedence over ordinary ones.
    #[must_use]
    pub fn id(&self, token: &[u8]) -> Option<TokenId> {
        std::str::from_utf8(token)
            .ok()
            .and_then(|text| self.specials.by_content(text))
            .map(|special| special.id)
            .or_else(|| self.vocab.id(token))
    }

    /// Returns one more than the highest id: the number of rows of an embedding table.
    #[must_use]
    pub fn id_limit(&self) -> usize {
        let specials = self.specials.iter().map(|s| s.id as usize + 1).max();
        specials.unwrap_or(0).max(self.vocab.id_limit())
    }

    /// Returns the set of all special and added tokens, for [`Request::allow`](crate::Request::allow).
    #[must_use]
    pub fn all_specials(&self) -> SpecialSet {
        self.specials.select(self.normalizer(), |_| true)
    }

    /// Returns the set of the named special tokens and all other added tokens, for
    /// [`Request::allow`](crate::Request::allow). A string that is not a special token is ignored, as in
    /// tiktoken.
    #[must_use]
    pub fn special_set(&self, contents: &[impl AsRef<str>]) -> SpecialSet {
        let allowed: hashbrown::HashSet<&str, Seeds> = contents.iter().map(AsRef::as_ref).collect();
        self.specials.select(self.normalizer(), |token| {
            allowed.contains(token.content.as_str())
        })
    }

    /// Returns the ids that `skip_special_tokens` omits from decoded text, ascending: the special tokens,
    /// but not other added tokens.
    ///
    /// Follows `tokenizers`, which omits an id if its decoded text is the content of a special token. The ids
    /// may therefore differ from those with the flag `special` if normalization changes the content of an
    /// added token.
    #[must_use]
    pub fn skipped_ids(&self) -> Vec<TokenId> {
        let is_skipped = |token: &&SpecialToken| {
            let content = token.normalized_content(self.normalizer());
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
        self.compared() == other.compared()
    }
}

impl Eq for Model {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("pattern", &self.pattern)
            .field("vocab", &self.vocab)
            .field("merging", &self.merging)
            .field("symbols", &self.symbols)
            .field("specials", &self.specials)
            .field("normalizer", &self.normalizer)
            .field("rewrites", &self.rewrites)
            .field("post_processor", &self.post_processor)
            .field("text_decoder", &self.text_decoder)
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
    fn special_tokens_are_numbered_after_the_merges() {
        let merges = Merges::trained(&[Pair::new(97, 98)]).unwrap();
        let model = Model::from_merges(pattern(), merges, &["<|bos|>", "<|eos|>"]).unwrap();
        assert_eq!(model.id(b"ab"), Some(256));
        assert_eq!(model.id(b"<|eos|>"), Some(258));
        assert_eq!(model.token(257), Some(&b"<|bos|>"[..]));
        assert_eq!(model.id_limit(), 259);
    }

    #[test]
    fn missing_bytes_and_contradicting_symbols_are_refused() {
        let bytes: Vec<[u8; 1]> = (1..=255).map(|b| [b]).collect();
        let tokens = || bytes.iter().zip(1..).map(|(b, id)| (id, &b[..]));
        let tokens = || tokens().chain([(256, &b"ab"[..]), (257, b"<0x61>")]);
        let vocab = || Vocab::new(tokens(), Repeats::Refuse).unwrap();
        let missing = Err(VocabError::MissingByte { byte: 0 }.into());
        let new = Model::new(pattern(), vocab(), Merging::Ranks, SpecialTokens::default());
        assert_eq!(new, missing);
        let ranks = Model::from_ranks(pattern(), tokens().map(|(id, t)| (t, id)), []);
        assert_eq!(ranks, missing);
        let with = |left, right, symbols| {
            let rule = Merge {
                left,
                right,
                token: 256,
            };
            let merging = Merging::Merges {
                merges: Merges::new(vec![rule]).unwrap(),
                ignore_merges: false,
            };
            Model::with_symbols(
                pattern(),
                vocab(),
                merging,
                SpecialTokens::default(),
                symbols,
            )
        };
        let refused = |unknown| {
            let symbols = Symbols {
                unknown,
                ..Symbols::default()
            };
            with(97, 98, symbols).unwrap_err()
        };
        assert_eq!(
            with(97, 98, Symbols::default()).unwrap().symbols(),
            Some(&Symbols::default())
        );
        let merge = SymbolsError::Merge { rank: 0, id: 98 };
        assert_eq!(refused(Some(98)), merge.into());
        assert_eq!(
            refused(Some(300)),
            SymbolsError::UnknownId { id: 300 }.into()
        );
        let ranks = Model::with_symbols(
            pattern(),
            vocab(),
            Merging::Ranks,
            SpecialTokens::default(),
            Symbols::default(),
        );
        assert_eq!(ranks, Err(SymbolsError::Ranks.into()));
    }

    #[test]
    fn inconsistent_parts_are_refused() {
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
            "the same bytes under the same id are consistent"
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
