//! Post-processors: templates that add ids around one text or a pair of texts, and trimming of offsets.
//!
//! A template is a list of parts, each an id or a text. It is applied after encoding, so the encoder does not
//! know about it.

use crate::token::TokenId;

/// A part of a [`Template`]. Each id of the result has the type id of the part that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// The ids of the first text.
    First {
        /// Type id of each of them.
        type_id: u32,
    },
    /// The ids of the second text.
    Second {
        /// Type id of each of them.
        type_id: u32,
    },
    /// An added id.
    Added {
        /// The id.
        id: TokenId,
        /// Its type id.
        type_id: u32,
    },
}

/// The template of one text or of a pair of texts. It may contain a text several times or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<TemplatePart>,
}

impl Template {
    /// Returns the parts in order.
    #[must_use]
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// Returns the added ids.
    pub fn added(&self) -> impl Iterator<Item = TokenId> {
        self.parts.iter().filter_map(|part| match *part {
            TemplatePart::Added { id, .. } => Some(id),
            _ => None,
        })
    }
}

impl From<Vec<TemplatePart>> for Template {
    fn from(parts: Vec<TemplatePart>) -> Self {
        Template { parts }
    }
}

/// Ids before and after a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affixes {
    /// Prepended to the ids of a text.
    pub before: Vec<TokenId>,
    /// Appended to the ids of a text.
    pub after: Vec<TokenId>,
}

/// How offsets exclude white space at the ends of tokens: `trim_offsets` of a `tokenizer.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trimming {
    /// All white space.
    All,
    /// All white space except the single leading space of a token at the start of the text, which
    /// `add_prefix_space` may have inserted.
    KeepPrefixSpace,
}

/// Ids to add around texts, such as the beginning-of-text token: the post-processor of a `tokenizer.json`.
/// [`Tokenizer`](crate::Tokenizer) does not add them; callers do. It trims offsets, if asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostProcessor {
    single: Template,
    pair: Option<Template>,
    trimming: Option<Trimming>,
}

/// The template for one text has no text, or has the second text of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a template for one text that does not contain it, or contains a second text")]
pub struct InvalidTemplate;

/// Without a post-processor: the text, or both texts with the type ids 0 and 1.
impl Default for PostProcessor {
    fn default() -> Self {
        let first = TemplatePart::First { type_id: 0 };
        let second = TemplatePart::Second { type_id: 1 };
        PostProcessor {
            single: vec![first].into(),
            pair: Some(vec![first, second].into()),
            trimming: None,
        }
    }
}

/// The template for pairs is unknown, unless there are no affixes.
impl From<Affixes> for PostProcessor {
    fn from(affixes: Affixes) -> Self {
        if affixes == Affixes::default() {
            return Self::default();
        }
        let added = |id| TemplatePart::Added { id, type_id: 0 };
        let before = affixes.before.into_iter().map(added);
        let text = TemplatePart::First { type_id: 0 };
        let after = affixes.after.into_iter().map(added);
        PostProcessor {
            single: Vec::from_iter(before.chain([text]).chain(after)).into(),
            pair: None,
            trimming: None,
        }
    }
}

impl PostProcessor {
    /// Creates a post-processor from the template for one text and that for a pair, if it is known.
    ///
    /// # Errors
    /// If `single` does not contain the first text, or contains the second.
    pub fn new(single: Template, pair: Option<Template>) -> Result<Self, InvalidTemplate> {
        let is_first = |part: &TemplatePart| matches!(part, TemplatePart::First { .. });
        let is_second = |part: &TemplatePart| matches!(part, TemplatePart::Second { .. });
        match single.parts.iter().any(is_first) && !single.parts.iter().any(is_second) {
            true => Ok(PostProcessor {
                single,
                pair,
                trimming: None,
            }),
            false => Err(InvalidTemplate),
        }
    }

    /// Replaces the trimming of offsets. Without one, the offsets of a token include its white space.
    #[must_use]
    pub fn with_trimming(self, trimming: Option<Trimming>) -> Self {
        PostProcessor { trimming, ..self }
    }

    /// Returns how offsets are trimmed.
    #[must_use]
    pub fn trimming(&self) -> Option<Trimming> {
        self.trimming
    }

    /// Returns the template for one text.
    #[must_use]
    pub fn single(&self) -> &Template {
        &self.single
    }

    /// Returns the template for a pair of texts; `None` if the model's file does not contain it.
    #[must_use]
    pub fn pair(&self) -> Option<&Template> {
        self.pair.as_ref()
    }

    /// Returns the ids around a text; `None` if the template repeats the text.
    #[must_use]
    pub fn affixes(&self) -> Option<Affixes> {
        let mut sides = (self.single.parts)
            .split(|part| matches!(part, TemplatePart::First { .. }))
            .map(|parts| Vec::from_iter(Template::from(parts.to_vec()).added()));
        let affixes = Affixes {
            before: sides.next()?,
            after: sides.next()?,
        };
        sides.next().is_none().then_some(affixes)
    }

    /// Appends to `ids` the result of the template for one text. `encode` appends the ids of the text; it is
    /// called once. Time is linear in the length of the result.
    ///
    /// # Errors
    /// Those of `encode`.
    pub fn process<E>(
        &self,
        ids: &mut Vec<TokenId>,
        encode: impl FnOnce(&mut Vec<TokenId>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut encode, mut text) = (Some(encode), 0..0);
        for part in &self.single.parts {
            match (*part, encode.take()) {
                (TemplatePart::Added { id, .. }, unused) => {
                    ids.push(id);
                    encode = unused;
                }
                (_, Some(encode)) => {
                    let start = ids.len();
                    encode(ids)?;
                    text = start..ids.len();
                }
                (_, None) => ids.extend_from_within(text.clone()),
            }
        }
        Ok(())
    }

    /// Returns the number of ids of a text of `text` ids after processing.
    #[must_use]
    pub fn count(&self, text: usize) -> usize {
        let added = self.single.added().count();
        added + (self.single.parts.len() - added) * text
    }

    /// Returns the ids of a pair of encoded texts, and their type ids. Without `add_special_tokens`, the
    /// added ids are omitted; the texts and their type ids still follow the template. Returns `None` if the
    /// template for pairs is unknown.
    #[must_use]
    pub fn process_pair(
        &self,
        first: &[TokenId],
        second: &[TokenId],
        add_special_tokens: bool,
    ) -> Option<(Vec<TokenId>, Vec<u32>)> {
        let (mut ids, mut type_ids) = (Vec::new(), Vec::new());
        for part in &self.pair.as_ref()?.parts {
            let type_id = match *part {
                TemplatePart::Added { id, type_id } => {
                    ids.extend(add_special_tokens.then_some(id));
                    type_id
                }
                TemplatePart::First { type_id } => {
                    ids.extend_from_slice(first);
                    type_id
                }
                TemplatePart::Second { type_id } => {
                    ids.extend_from_slice(second);
                    type_id
                }
            };
            type_ids.resize(ids.len(), type_id);
        }
        Some((ids, type_ids))
    }

    /// Returns the post-processor with other ids added.
    pub(crate) fn renumbered(&self, renumber: impl Fn(TokenId) -> TokenId) -> Self {
        let template = |template: &Template| {
            let parts = template.parts.iter().map(|part| match *part {
                TemplatePart::Added { id, type_id } => TemplatePart::Added {
                    id: renumber(id),
                    type_id,
                },
                text => text,
            });
            Template::from(parts.collect::<Vec<_>>())
        };
        PostProcessor {
            single: template(&self.single),
            pair: self.pair.as_ref().map(template),
            trimming: self.trimming,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: TemplatePart = TemplatePart::First { type_id: 0 };
    const SECOND: TemplatePart = TemplatePart::Second { type_id: 3 };

    fn added(id: TokenId) -> TemplatePart {
        TemplatePart::Added { id, type_id: 2 }
    }

    fn processed(processor: &PostProcessor, text: &[TokenId]) -> Vec<TokenId> {
        let mut ids = vec![0];
        let encode = |ids: &mut Vec<TokenId>| {
            ids.extend_from_slice(text);
            Ok::<(), ()>(())
        };
        processor.process(&mut ids, encode).unwrap();
        assert_eq!(ids.len() - 1, processor.count(text.len()));
        ids.split_off(1)
    }

    #[test]
    fn texts_may_be_repeated() {
        let single = vec![added(7), FIRST, added(8), FIRST, added(9)];
        let twice = PostProcessor::new(single.into(), None).unwrap();
        assert_eq!(processed(&twice, &[1, 2]), [7, 1, 2, 8, 1, 2, 9]);
        assert_eq!(processed(&twice, &[]), [7, 8, 9]);
        assert_eq!(twice.affixes(), None);
        assert_eq!(twice.process_pair(&[1], &[2], true), None);
    }

    #[test]
    fn pairs_have_type_ids() {
        let pair = vec![added(7), SECOND, FIRST, SECOND, added(9)];
        let pair = PostProcessor::new(vec![FIRST].into(), Some(pair.into())).unwrap();
        let ids = vec![7, 2, 2, 1, 2, 2, 9];
        let type_ids = vec![2, 3, 3, 0, 3, 3, 2];
        assert_eq!(
            pair.process_pair(&[1], &[2, 2], true),
            Some((ids, type_ids))
        );
        let (ids, type_ids) = (vec![2, 1, 2], vec![3, 0, 3]);
        assert_eq!(pair.process_pair(&[1], &[2], false), Some((ids, type_ids)));
        let plain = PostProcessor::default().process_pair(&[1], &[2], true);
        assert_eq!(plain, Some((vec![1, 2], vec![0, 1])));
    }

    #[test]
    fn affixes_are_those_of_the_template() {
        let affixes = Affixes {
            before: vec![7, 8],
            after: vec![9],
        };
        let processor = PostProcessor::from(affixes.clone());
        assert_eq!(processor.affixes(), Some(affixes));
        assert_eq!(processed(&processor, &[1]), [7, 8, 1, 9]);
        assert_eq!(
            PostProcessor::from(Affixes::default()),
            PostProcessor::default()
        );
    }

    #[test]
    fn templates_without_the_text_are_refused() {
        for single in [vec![], vec![added(1)], vec![FIRST, SECOND]] {
            assert_eq!(
                PostProcessor::new(single.into(), None),
                Err(InvalidTemplate)
            );
        }
    }
}
