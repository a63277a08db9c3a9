//! Texts and batches of texts to ids, on one thread or several.
//!
//! On several threads: an ordered map over parts of the texts (`parts.rs`). The ids of a part are stored until
//! it is the next in order, and then copied to the result, once.

use super::encoder::{Request, room_for};
use super::error::{BatchError, EncodeError, check_stop};
use super::parts::{Part, Parts, Step};
use crate::parallel::{self, MAX_THREADS};
use crate::segments;
use crate::token::TokenId;

impl Request<'_> {
    /// The ids of `text`. The text between two special tokens is split on its own.
    ///
    /// # Errors
    /// When the pattern fails on the text, which named patterns and most others never do, or the stop flag
    /// is set.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<TokenId>, EncodeError> {
        let mut ids = room_for(text.as_ref().len());
        self.encode_into(text, &mut ids)?;
        Ok(ids)
    }

    /// As [`Request::encode`], appending to `ids`. After an error what was in `ids` is still there, and
    /// behind it the ids of some text before the error.
    ///
    /// A vector that is used again for the next text is filled faster than a new one: the pages of
    /// a large one are fresh, and each costs as much as the encoding of a kilobyte.
    ///
    /// # Errors
    /// As [`Request::encode`].
    pub fn encode_into(
        &self,
        text: impl AsRef<[u8]>,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let text = text.as_ref();
        if self.useful_threads(text.len()) > 1 {
            let mut whole = Gathered::of_ids(std::mem::take(ids));
            let done = self.gather_parts(&[text], &mut whole);
            *ids = whole.ids;
            return done.map_err(|failure| failure.error);
        }
        let segments = self.encoder.segments(text, self.allowed);
        let session = &mut self.encoder.session();
        (self.encoder).encode_segments(session, segments, self.stop, ids)
    }

    /// The number of ids of `text`. No ids are kept.
    ///
    /// # Errors
    /// As [`Request::encode`].
    pub fn count(&self, text: impl AsRef<[u8]>) -> Result<usize, EncodeError> {
        let mut whole = Gathered::of_counts();
        self.gather(&[text.as_ref()], &mut whole)
            .map_err(|failure| failure.error)?;
        Ok(whole.taken())
    }
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
    /// The number of threads, the caller's included, that `bytes` of text are worth.
    fn useful_threads(&self, bytes: usize) -> usize {
        match cfg!(feature = "parallel") {
            true => {
                let worth = bytes / self.encoder.part_sizes().for_a_thread;
                self.threads.min(worth).min(MAX_THREADS)
            }
            false => 1,
        }
    }

    /// Appends the ids of all texts to `whole`.
    fn gather<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        whole: &mut Gathered,
    ) -> Result<(), BatchError> {
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        if self.useful_threads(bytes) > 1 {
            return self.gather_parts(texts, whole);
        }
        let Request { encoder, stop, .. } = *self;
        let mut session = encoder.session();
        for (number, text) in texts.iter().enumerate() {
            let segments = encoder.segments(text.as_ref(), self.allowed);
            let done = match whole.only_counts {
                true => {
                    let count = encoder.count_segments(&mut session, segments, stop, usize::MAX);
                    count.map(|count| whole.counted += count.unwrap_or_default())
                }
                false => encoder.encode_segments(&mut session, segments, stop, &mut whole.ids),
            };
            done.map_err(|error| BatchError::new(number, error))?;
            whole.end_text();
        }
        Ok(())
    }

    /// As [`Request::gather`], on several threads.
    fn gather_parts<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        whole: &mut Gathered,
    ) -> Result<(), BatchError> {
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        let request = self.threads(self.useful_threads(bytes));
        let Request {
            encoder,
            allowed,
            threads,
            stop,
        } = request;
        let parts = Parts::new(
            encoder.model(),
            allowed,
            texts,
            bytes,
            threads,
            encoder.part_sizes(),
            stop,
        );
        let only_counts = whole.only_counts;
        let encode = |part| request.encode_part(&part, only_counts);
        parallel::ordered_map(parts, request.threads, encode, |part| {
            whole.append(&part);
            Ok(())
        })
    }

    fn encode_part(&self, part: &Part<'_>, only_counts: bool) -> Result<Gathered, BatchError> {
        let Request { encoder, stop, .. } = *self;
        // The text of special tokens only is stopped too.
        let stopped = |error| BatchError::new(part.text, error);
        check_stop(stop).map_err(stopped)?;
        let session = &mut *encoder.session();
        let mut gathered = match only_counts {
            true => Gathered::of_counts(),
            false => Gathered::of_ids(Vec::with_capacity(part.bytes / 3)),
        };
        for step in &part.steps {
            let done = match step {
                Step::Split(stretch) => {
                    let (text, offset) = (stretch.bytes(), stretch.offset());
                    let mut runs = session.runs(encoder.tables(), text, offset, stop);
                    loop {
                        match runs.encode(&mut gathered.ids) {
                            Ok(true) => gathered.count(),
                            Ok(false) => break Ok(()),
                            Err(error) => break Err(error),
                        }
                    }
                }
                Step::Prepare(text, offset) => {
                    let normalizer = encoder.model().normalizer();
                    let segments = segments::between(text, *offset, self.allowed, normalizer);
                    encoder.encode_segments(session, segments, stop, &mut gathered.ids)
                }
                Step::Special(id) => {
                    gathered.ids.push(*id);
                    Ok(())
                }
                Step::TextEnds => {
                    gathered.end_text();
                    Ok(())
                }
            };
            gathered.count();
            let text = part.text + gathered.ends.len();
            done.map_err(|error| BatchError::new(text, error))?;
        }
        Ok(gathered)
    }
}

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

/// The ids of texts, or how many there are.
#[derive(Default)]
struct Gathered {
    ids: Vec<TokenId>,
    /// Ids that were counted and dropped.
    counted: usize,
    only_counts: bool,
    /// After how many ids each text ends.
    ends: Vec<usize>,
}

impl Gathered {
    fn of_ids(ids: Vec<TokenId>) -> Self {
        Gathered {
            ids,
            ..Self::default()
        }
    }

    fn of_counts() -> Self {
        Gathered {
            only_counts: true,
            ..Self::default()
        }
    }

    /// How many ids there are.
    fn taken(&self) -> usize {
        self.counted + self.ids.len()
    }

    fn end_text(&mut self) {
        self.ends.push(self.taken());
    }

    /// Drops the ids, if only their number is wanted.
    fn count(&mut self) {
        if self.only_counts {
            self.counted += self.ids.len();
            self.ids.clear();
        }
    }

    fn append(&mut self, part: &Self) {
        let before = self.taken();
        self.ends.extend(part.ends.iter().map(|end| before + end));
        self.ids.extend_from_slice(&part.ids);
        self.counted += part.counted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::model::Model;
    use crate::normalize::Normalizer;
    use crate::pattern::{Gaps, Pattern, PatternName, SplitError};
    use crate::special::{SpecialSet, SpecialToken};
    use crate::tokenizer::Tokenizer;
    use proptest::prelude::*;

    fn model(pattern: Pattern, specials: Vec<SpecialToken>) -> Model {
        let tokens = [b"th".as_slice(), b"the", b" t", b"  ", b"\xe6\x9d", b"aa"];
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let all = bytes.iter().map(|byte| &byte[..]).chain(tokens);
        Model::from_ranks(pattern, all.zip(0..), specials).unwrap()
    }

    fn encoder(pattern: Pattern, specials: Vec<SpecialToken>) -> Tokenizer {
        small_parts(model(pattern, specials))
    }

    /// So that short texts reach threads, and are cut at many places.
    fn small_parts(model: Model) -> Tokenizer {
        Tokenizer::builder().small_parts().build(model)
    }

    fn cl100k() -> Pattern {
        Pattern::named(PatternName::Cl100k)
    }

    /// Two special tokens, of which one is looked for behind the normaliser and takes white space.
    fn specials() -> Vec<SpecialToken> {
        let mut normalized = SpecialToken::new("<n>", 301);
        (normalized.normalized, normalized.lstrip) = (true, true);
        vec![SpecialToken::new("<|s|>", 300), normalized]
    }

    /// Every answer about `texts` on several threads is that of one text after the other.
    fn check(encoder: &Tokenizer, texts: &[Vec<u8>], allowed: &SpecialSet) {
        let one_by_one: Vec<Vec<TokenId>> = (texts.iter())
            .map(|text| {
                let mut ids = Vec::new();
                let done = encoder.request().allow(allowed).encode_into(text, &mut ids);
                done.map(|()| ids).unwrap()
            })
            .collect();
        let counts: Vec<usize> = one_by_one.iter().map(Vec::len).collect();
        for threads in [0, 1, 2, 3, 8] {
            let options = encoder.request().allow(allowed).threads(threads);
            let batch = options.encode_batch(texts).unwrap();
            assert!(batch.iter().eq(&one_by_one), "{threads} threads");
            assert_eq!(options.count_batch(texts).unwrap(), counts);
            for (text, ids) in texts.iter().zip(&one_by_one) {
                assert_eq!(&options.encode(text).unwrap(), ids);
                assert_eq!(options.count(text).unwrap(), ids.len());
            }
        }
    }

    fn hard_text() -> impl Strategy<Value = Vec<u8>> {
        let some = prop_oneof![
            4 => "[ a-zA-Z0-9'\r\n\t.,]{0,40}".prop_map(String::into_bytes),
            1 => "(the |th  |aaaa){0,40}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<char>(), 0..30)
                .prop_map(|chars| chars.into_iter().collect::<String>().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..20),
            1 => Just("\u{6771}\u{4eac}\u{3002}e\u{301} ".as_bytes().repeat(5)),
            1 => Just(b"<|s|>".to_vec()),
            1 => Just(b"  <n>".to_vec()),
            1 => (0..300usize).prop_map(|length| vec![b'a'; length]),
        ];
        prop::collection::vec(some, 0..30).prop_map(|some| some.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn ids_do_not_depend_on_threads(texts in prop::collection::vec(hard_text(), 0..6)) {
            for name in [PatternName::Gpt2, PatternName::Cl100k, PatternName::O200k] {
                let encoder = encoder(Pattern::named(name), vec![]);
                check(&encoder, &texts, &encoder.model().special_set(&[] as &[&str]));
            }
        }

        #[test]
        fn nor_do_those_of_special_tokens_and_normalised_text(
            texts in prop::collection::vec(hard_text(), 0..4),
        ) {
            for normalizer in [None, Some(Normalizer::Nfc)] {
                let model = model(cl100k(), specials()).with_normalizer(normalizer);
                let encoder = small_parts(model);
                let model = encoder.model();
                for allowed in [model.all_specials(), model.special_set(&["<|s|>"])] {
                    check(&encoder, &texts, &allowed);
                }
            }
        }
    }

    #[test]
    fn the_smallest_texts_and_more_threads_than_there_is_work_for() {
        let encoder = encoder(cl100k(), vec![]);
        for text in [&b""[..], b"x", b"\xff", b"\xe6\x9d", b" "] {
            let want = encoder.encode(text).unwrap();
            assert_eq!(encoder.request().threads(1000).encode(text).unwrap(), want);
        }
        let text = "the 1,000 threads. ".repeat(4000);
        let want = encoder.encode(text.as_bytes()).unwrap();
        for threads in [1000, usize::MAX] {
            let ids = encoder.request().threads(threads).encode(text.as_bytes());
            assert_eq!(ids.unwrap(), want);
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_stand_wherever_parts_end() {
        let encoder = encoder(cl100k(), vec![]);
        for bad in [&b"\x80"[..], b"\xe2\x82", b"\xf0\x9f\x99", b"\xff"] {
            for gap in 1..40 {
                let some = [&b"a".repeat(gap), bad, b" "].concat();
                let text = some.repeat(600 / some.len());
                let want = encoder.encode(&text).unwrap();
                assert_eq!(encoder.request().threads(3).encode(&text).unwrap(), want);
            }
        }
    }

    #[test]
    fn the_first_failure_wins_and_names_its_byte() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let encoder = encoder(bomb, vec![SpecialToken::new("<|s|>", 300)]);
        let allowed = encoder.model().all_specials();
        // The parts before the first bomb take longer than those behind it.
        let text = format!(
            "{}<|s|>{}{}",
            "x".repeat(3000),
            "yy<|s|>".repeat(300),
            format!("z{}<|s|>", "a".repeat(64)).repeat(20)
        );
        for threads in [1, 2, 8] {
            let options = encoder.request().allow(&allowed).threads(threads);
            let error = options.encode(text.as_bytes()).unwrap_err();
            let EncodeError::Split(SplitError { offset, .. }) = error else {
                panic!("{error}");
            };
            assert_eq!(offset, 3000 + 5 + 7 * 300 + 1);
        }
    }

    /// A text that panics when it is looked at for the second time.
    #[cfg(feature = "parallel")]
    struct Panics(std::sync::atomic::AtomicUsize, bool);

    #[cfg(feature = "parallel")]
    impl AsRef<[u8]> for Panics {
        fn as_ref(&self) -> &[u8] {
            let before = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert!(!self.1 || before < 1, "this text panics");
            b"some words that fill half of a part"
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn a_panic_propagates_and_no_thread_waits_for_ever() {
        let encoder = encoder(cl100k(), vec![]);
        for which in [0, 1, 50, 199] {
            let texts: Vec<Panics> = (0..200).map(|n| Panics(0.into(), n == which)).collect();
            let mut whole = Gathered::of_counts();
            let run = std::panic::AssertUnwindSafe(|| {
                encoder.request().threads(3).gather(&texts, &mut whole)
            });
            let panic = std::panic::catch_unwind(run).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"this text panics"));
        }
    }

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
