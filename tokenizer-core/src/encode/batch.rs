//! Many texts at once: ids one behind the other, on several threads.

use super::parallel::Gathered;
use super::request::Request;
use super::{EncodeError, room_for};
use crate::token::TokenId;

/// The ids of several texts in one array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// All ids, text after text.
    pub ids: Vec<TokenId>,
    /// Where each text's ids begin, and at the end where the last one's end: one more than texts.
    pub offsets: Vec<usize>,
}

impl Batch {
    /// The ids of each text.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[TokenId]> {
        self.offsets
            .windows(2)
            .map(|span| &self.ids[span[0]..span[1]])
    }
}

/// One of several texts could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("text {text}: {error}")]
#[non_exhaustive]
pub struct BatchError {
    /// Which text, from 0.
    pub text: usize,
    /// Why.
    #[source]
    pub error: EncodeError,
}

impl BatchError {
    pub(super) fn new(text: usize, error: EncodeError) -> Self {
        BatchError { text, error }
    }
}

impl Request<'_> {
    /// The ids of every text, as [`Request::encode`] gives them.
    ///
    /// The work is spread evenly however uneven the texts: long ones are cut. Each thread holds little more
    /// than the ids of some parts of 64 KiB, besides what all of them fill together.
    ///
    /// ```
    /// use tokenizer_core::{Merges, Model, Tokenizer};
    ///
    /// let model = Model::from_merges("gpt2".parse()?, Merges::default(), &["<|end|>"])?;
    /// let tokenizer = Tokenizer::new(model);
    /// let allowed = tokenizer.model().all_specials();
    /// let batch = tokenizer.request().allow(&allowed).threads(2).encode_batch(&["a", "b<|end|>"])?;
    /// assert_eq!(batch.ids, [97, 98, 256]);
    /// assert_eq!(batch.offsets, [0, 1, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// At the first text that fails.
    pub fn encode_batch<T: AsRef<[u8]> + Sync>(&self, texts: &[T]) -> Result<Batch, BatchError> {
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        let mut whole = Gathered::of_ids(room_for(bytes));
        whole.end_text();
        self.gather(texts, &mut whole)?;
        Ok(Batch {
            ids: whole.ids,
            offsets: whole.ends,
        })
    }

    /// The number of ids of every text. No ids are kept.
    ///
    /// # Errors
    /// At the first text that fails.
    pub fn count_batch<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
    ) -> Result<Vec<usize>, BatchError> {
        let mut whole = Gathered::of_counts();
        self.gather(texts, &mut whole)?;
        let mut before = 0;
        let counts = whole.ends.into_iter().map(|end| {
            let count = end - before;
            before = end;
            count
        });
        Ok(counts.collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::merges::Merges;
    use crate::model::Model;
    use crate::pattern::{Gaps, Pattern, PatternName};
    use crate::tokenizer::Tokenizer;

    #[test]
    fn threads_change_nothing() {
        let model = Model::from_merges(
            Pattern::named(PatternName::Cl100k),
            Merges::trained(&[crate::Pair::new(97, 98)]).unwrap(),
            &[] as &[&str],
        );
        let encoder = Tokenizer::new(model.unwrap());
        let texts: Vec<String> = (0..500)
            .map(|n| "abc ab! ".repeat(if n % 97 == 0 { 20_000 } else { n % 13 }))
            .collect();
        let one = encoder.request().threads(1).encode_batch(&texts).unwrap();
        assert_eq!(one.offsets.len(), texts.len() + 1);
        for (text, ids) in texts.iter().zip(one.iter()) {
            assert_eq!(encoder.encode(text.as_bytes()).unwrap(), ids);
        }
        for threads in [0, 2, 3, 8] {
            assert_eq!(
                encoder
                    .request()
                    .threads(threads)
                    .encode_batch(&texts)
                    .unwrap(),
                one
            );
        }
        let none = encoder
            .request()
            .threads(2)
            .encode_batch(&[] as &[&str])
            .unwrap();
        assert_eq!((none.ids.len(), none.offsets), (0, vec![0]));
    }

    #[test]
    fn the_first_text_that_fails_is_named() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let model = Model::from_merges(bomb, Merges::default(), &[] as &[&str]).unwrap();
        // So that these texts reach threads.
        let encoder = Tokenizer::builder().small_parts().build(model);
        let mut texts = vec!["fine".repeat(200); 40];
        texts[7] = "a".repeat(64);
        texts[30] = "a".repeat(64);
        for threads in [1, 4] {
            assert_eq!(
                encoder
                    .request()
                    .threads(threads)
                    .encode_batch(&texts)
                    .unwrap_err()
                    .text,
                7
            );
            let options = encoder.request().threads(threads);
            let error = options.count_batch(&texts).unwrap_err();
            assert_eq!(error.text, 7);
        }
    }
}
