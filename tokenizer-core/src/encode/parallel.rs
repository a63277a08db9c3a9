//! Texts on several threads, and their ids in order.
//!
//! An ordered map over parts of the texts (`parts.rs`): the ids of a part are stored until it is the next in
//! order, and then copied to the result, once.

use super::batch::BatchError;
use super::check_stop;
use super::parts::{Part, Parts, Step};
use super::request::Request;
use crate::parallel::{self, MAX_THREADS};
use crate::segments;
use crate::token::TokenId;

/// The ids of texts, or how many there are.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) ids: Vec<TokenId>,
    /// Ids that were counted and dropped.
    counted: usize,
    only_counts: bool,
    /// After how many ids each text ends.
    pub(super) ends: Vec<usize>,
}

impl Gathered {
    pub(super) fn of_ids(ids: Vec<TokenId>) -> Self {
        Gathered {
            ids,
            ..Self::default()
        }
    }

    pub(super) fn of_counts() -> Self {
        Gathered {
            only_counts: true,
            ..Self::default()
        }
    }

    /// How many ids there are.
    pub(super) fn taken(&self) -> usize {
        self.counted + self.ids.len()
    }

    pub(super) fn end_text(&mut self) {
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

impl Request<'_> {
    /// The number of threads, the caller's included, that `bytes` of text are worth.
    pub(super) fn useful_threads(&self, bytes: usize) -> usize {
        match cfg!(feature = "parallel") {
            true => {
                let worth = bytes / self.encoder.shared.options.part_sizes.for_a_thread;
                self.threads.min(worth).min(MAX_THREADS)
            }
            false => 1,
        }
    }

    /// Appends the ids of all texts to `whole`.
    pub(super) fn gather<T: AsRef<[u8]> + Sync>(
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
    pub(super) fn gather_parts<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        whole: &mut Gathered,
    ) -> Result<(), BatchError> {
        let bytes = texts.iter().map(|text| text.as_ref().len()).sum();
        let request = self.threads(self.useful_threads(bytes));
        let parts = Parts::new(request, texts, bytes);
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
            let ids = &mut gathered.ids;
            let done = match step {
                Step::Split(stretch) => {
                    let (text, offset) = (stretch.bytes(), stretch.offset());
                    (session.runs(&encoder.shared, text, offset, stop)).encode_all(ids)
                }
                Step::Prepare(text, offset) => {
                    let normalizer = encoder.model().normalizer();
                    let segments = segments::between(text, *offset, self.allowed, normalizer);
                    encoder.encode_segments(session, segments, stop, ids)
                }
                Step::Special(id) => {
                    ids.push(*id);
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

#[cfg(test)]
mod tests {
    use super::super::EncodeError;
    use super::*;
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
}
