//! Adding tokens to a model.

use hashbrown::HashMap;

use crate::byte_level::bytes_of;
use crate::hash::Seeds;
use crate::model::{Model, ModelError};
use crate::normalize::Normalizer;
use crate::special::{SpecialToken, SpecialTokens, check_normalized};
use crate::token::TokenId;

impl Model {
    /// Returns the model with more special or added tokens, as `add_tokens` of `tokenizers` adds them. No id
    /// changes. The ids in `tokens` are ignored:
    ///
    /// - A new token takes the next id after the highest one.
    /// - A token whose text is an ordinary token, in byte-level spelling (`Ġthe` for ` the`), keeps its id.
    /// - An added token that exists already keeps its id and takes the new flags, but stays special.
    /// - An empty token is ignored.
    ///
    /// Takes time linear in the size of the model and the tokens.
    ///
    /// # Errors
    /// If the tokens together are too long, or two tokens would have the same id.
    ///
    /// ```
    /// use tokenizer_core::{Model, Pattern, SpecialToken, Merges};
    ///
    /// let model = Model::from_merges("cl100k".parse::<Pattern>()?, Merges::trained(&[])?, &["<s>"])?;
    /// let model = model.add_tokens(["<a>", "<s>", "b"].map(|text| SpecialToken::new(text, 0)))?;
    /// assert_eq!(model.id(b"<a>"), Some(257));
    /// assert_eq!(model.id(b"<s>"), Some(256));
    /// assert_eq!(model.id(b"b"), Some(98));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_tokens(
        &self,
        tokens: impl IntoIterator<Item = SpecialToken>,
    ) -> Result<Model, ModelError> {
        let mut added: Vec<SpecialToken> = self.specials().iter().cloned().collect();
        let places = added.iter().enumerate();
        let mut places: HashMap<String, usize, Seeds> = places
            .map(|(place, token)| (token.content.clone(), place))
            .collect();
        let mut next = self.id_limit() as TokenId;
        let is_text = self.symbols().is_some_and(|symbols| symbols.characters);
        for mut token in tokens {
            if token.content.is_empty() {
                continue;
            }
            if let Some(&place) = places.get(&token.content) {
                let known = &added[place];
                token.id = known.id;
                token.special |= known.special;
                token.decoded = known.decoded.clone();
                added[place] = token;
                continue;
            }
            let spelled = match is_text {
                true => Some(token.content.as_bytes().to_vec()),
                false => bytes_of(&token.content),
            };
            let spelled = spelled.and_then(|bytes| self.vocab().id(&bytes));
            token.id = spelled.unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            places.insert(token.content.clone(), added.len());
            added.extend(with_decoded(vec![token], self.normalizer(), is_text));
        }
        check_normalized(&added, self.normalizer())?;
        self.with_specials(SpecialTokens::new(added)?)
    }
}

/// Sets the bytes to which `tokenizers` decodes each token: the normalized content. The `ByteLevel` decoder
/// reads it as byte-level text if it is such text, so `é` decodes to the byte 0xE9. If `is_text`, the tokens of
/// the model are text, and its decoder reads the bytes returned here.
pub(crate) fn with_decoded(
    mut tokens: Vec<SpecialToken>,
    normalizer: Option<&Normalizer>,
    is_text: bool,
) -> Vec<SpecialToken> {
    for token in &mut tokens {
        let content = token.normalized_content(normalizer);
        let text = std::str::from_utf8(&content).ok().filter(|_| !is_text);
        let spelled = text.and_then(bytes_of);
        let bytes = spelled.unwrap_or_else(|| content.into_owned());
        token.decoded = (bytes != token.content.as_bytes()).then_some(bytes);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::pattern::Pattern;
    use crate::token::Pair;
    use crate::tokenizer::Tokenizer;

    fn model() -> Model {
        let merges = Merges::trained(&[Pair::new(32, 116), Pair::new(97, 98)]).unwrap();
        Model::from_merges(Pattern::sequence([]), merges, &["<s>", "<e>"]).unwrap()
    }

    #[test]
    fn tokens_are_added_after_all_ids() {
        let plain = |content: &str| SpecialToken {
            special: false,
            ..SpecialToken::new(content, 7)
        };
        let strips = SpecialToken {
            lstrip: true,
            ..plain("<s>")
        };
        // " t" is not spelled so, "\u{120}t" is.
        let texts = ["new", "", "ab", " t", "\u{120}t", "new", "é"];
        let more = model()
            .add_tokens(texts.map(plain).into_iter().chain([strips]))
            .unwrap();
        let ids = more.specials().iter().map(|t| (t.content.as_str(), t.id));
        let want = [("é", 233), ("\u{120}t", 256), ("ab", 257), ("<s>", 258)];
        let want = want
            .into_iter()
            .chain([("<e>", 259), ("new", 260), (" t", 261)]);
        assert!(ids.eq(want), "{:?}", more.specials());
        let known = more.specials().by_content("<s>").unwrap();
        assert!(known.special && known.lstrip);
        assert_eq!(more.token(233), Some(&[0xE9][..]));
        let ids = Tokenizer::new(more).encode(b"xnew t<s>").unwrap();
        assert_eq!(ids, [120, 260, 261, 60, 115, 62]);
    }

    #[test]
    fn the_rest_of_the_model_is_kept() {
        let model = model().with_normalizer(Some(Normalizer::Nfc));
        let affixes = crate::post_processor::Affixes {
            before: vec![258],
            after: vec![],
        };
        let model = model.with_post_processor(affixes).unwrap();
        assert_eq!(model.add_tokens([]).unwrap(), model);
    }
}
