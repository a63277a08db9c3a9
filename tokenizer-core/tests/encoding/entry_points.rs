//! Calls every entry point for encoding: whole, appended, counted, on threads, in batches, with offsets, up
//! to a limit, as a stream.

use std::fmt::Display;
use std::ops::Range;

use tokenizer_core::{
    EncodeError, Gaps, Model, Normalizer, Request, SpecialSet, TokenId, Tokenizer,
};

/// Number of ids from which a text is divided into several parts, if parts are small.
const SEVERAL_PARTS: usize = 200;

/// Fails unless every entry point returns `want` for `text`, with a cold and a warm cache. `tokenizer`
/// must be built with small parts.
pub fn assert_ids(
    tokenizer: &Tokenizer,
    allowed: &SpecialSet,
    text: &[u8],
    want: &[TokenId],
    context: impl Display,
) {
    let request = tokenizer.request().allow(allowed);
    for pass in ["cold", "warm"] {
        let check = |got: &[TokenId], call: &str| assert_same(got, want, text, call, &context);
        check(&request.encode(text).expect("it splits"), pass);

        let mut appended = vec![7; 3];
        request.encode_into(text, &mut appended).expect("it splits");
        assert_eq!(appended[..3], [7; 3], "{context}");
        check(&appended[3..], "encode_into");

        assert_eq!(request.count(text), Ok(want.len()), "{pass}, {context}");
        for limit in [1, 8, text.len() / 3] {
            let (streamed, done) = in_chunks(&request, chunks(text, limit));
            assert_eq!(done, Ok(()), "{context}");
            check(&streamed, "stream");
        }
    }
    assert_on_threads(&request, text, want, &context);
    assert_offsets(&request, tokenizer.model(), text, want, &context);
    assert_limits(&request, text, want.len());
    assert_refused(&request, tokenizer.model(), allowed, text, want);
}

fn assert_same(got: &[TokenId], want: &[TokenId], text: &[u8], call: &str, context: &dyn Display) {
    assert!(
        got == want,
        "{call}, {context}\n got {got:?}\nwant {want:?}\ntext {:?}",
        text.escape_ascii().to_string()
    );
}

fn assert_on_threads(request: &Request<'_>, text: &[u8], want: &[TokenId], context: &dyn Display) {
    let texts = [text, b"", text, text];
    for threads in 0..=3 {
        let request = request.threads(threads);
        let check = |got: &[TokenId]| {
            let call = format!("{threads} threads");
            assert_same(got, want, text, &call, context);
        };
        check(&request.encode(text).expect("it splits"));
        assert_eq!(request.count(text), Ok(want.len()), "{threads}, {context}");

        let batch = request.encode_batch(&texts).expect("it splits");
        assert_eq!(batch.offsets.len(), texts.len() + 1, "{context}");
        assert_eq!(batch.offsets.last(), Some(&batch.ids.len()), "{context}");
        let batch: Vec<&[TokenId]> = batch.iter().collect();
        for text in [0, 2, 3] {
            check(batch[text]);
        }
        assert!(batch[1].is_empty(), "{context}");

        let count = want.len();
        let counts = request.count_batch(&texts);
        assert_eq!(counts, Ok(vec![count, 0, count, count]), "{context}");
        if threads > 1 && count >= SEVERAL_PARTS {
            assert!(request.task_count(&texts) > 1, "{context}");
        }
    }
}

/// Checks that every range has the bytes of its token.
fn assert_offsets(
    request: &Request<'_>,
    model: &Model,
    text: &[u8],
    want: &[TokenId],
    context: &dyn Display,
) {
    let got = request.offsets(text).expect("it splits");
    assert_same(&got.ids, want, text, "offsets", context);
    assert_eq!(got.ranges.len(), want.len());
    // SentencePiece's prefix of a text has no range of its own, and a token of spaces may be trimmed to nothing.
    let may_be_empty = matches!(model.normalizer(), Some(Normalizer::Spaces(_)))
        || model.post_processor().trimming().is_some();
    if !model.rewrites().is_empty() || model.symbols().is_some() || may_be_empty {
        // An unknown token has any bytes, and rewriting changes text as normalization does.
        let is_within = |range: &Range<usize>| {
            let is_empty = range.start == range.end;
            range.start <= range.end && range.end <= text.len() && (may_be_empty || !is_empty)
        };
        assert!(got.ranges.iter().all(is_within), "{context}");
        return;
    }
    // A composed character has the range of its first component only.
    let is_unchanged = model.normalizer().is_none() && model.rewrites().is_empty();
    let keeps = is_unchanged && (model.pattern().stages()).all(|(_, gaps)| gaps == Gaps::Keep);
    let (mut last, mut strips) = (0..0, false);
    for (&id, range) in want.iter().zip(got.ranges) {
        assert!(range.start < range.end, "an empty range");
        let special = model.specials().by_id(id);
        if is_unchanged && model.symbols().is_none() {
            let bytes = &text[range.clone()];
            let is_special = special
                .is_some_and(|token| String::from_utf8_lossy(bytes).trim() == token.content.trim());
            assert!(
                is_special || model.vocab().token(id) == Some(bytes),
                "{context}"
            );
        }
        // White space stripped by the previous token may be part of this one's range too.
        if !strips {
            // A character that a normalizer or a pre-tokenizer inserts has the range of the one before it.
            let shared = !is_unchanged
                && start_of_character(text, range.start) >= start_of_character(text, last.start);
            assert!(
                range.start >= last.end || shared,
                "{range:?} after {last:?}"
            );
            assert!(range.end >= last.end, "{range:?} after {last:?}");
        }
        assert!(range.start <= last.end || !keeps, "a gap, {context}");
        (last, strips) = (range, special.is_some_and(|token| token.rstrip));
    }
    assert!(last.end == text.len() || !keeps || strips, "{context}");
}

/// Returns the start of the character with the byte at `at`, or `at` if four bytes before it are continuations.
fn start_of_character(text: &[u8], at: usize) -> usize {
    let starts = (at.saturating_sub(3)..=at).rev();
    let mut starts = starts.filter(|&at| text.get(at).is_none_or(|byte| byte & 0xC0 != 0x80));
    starts.next().unwrap_or(at)
}

fn assert_limits(request: &Request<'_>, text: &[u8], count: usize) {
    for limit in [0, count / 2, count.saturating_sub(1), count, usize::MAX] {
        let fits = (count <= limit).then_some(count);
        assert_eq!(request.count_till_limit(text, limit), Ok(fits), "{limit}");
    }
    let limit = count / 2;
    let truncated = match request.truncate(text, limit) {
        Ok(truncated) => truncated,
        // A regex may fail on a prefix although it succeeds on the whole text.
        Err(EncodeError::Split(_)) => return,
        Err(error) => panic!("{error}"),
    };
    assert!(truncated.tokens <= limit && text.starts_with(truncated.text));
    assert_eq!(request.count(truncated.text), Ok(truncated.tokens));
}

/// Checks that a text is refused if and only if its ids contain a forbidden special token.
fn assert_refused(
    request: &Request<'_>,
    model: &Model,
    forbidden: &SpecialSet,
    text: &[u8],
    want: &[TokenId],
) {
    // The unknown token stands for other text.
    let unknown = model.symbols().and_then(|symbols| symbols.unknown);
    let mut specials = (want.iter().filter(|&&id| Some(id) != unknown))
        .filter_map(|&id| model.specials().by_id(id));
    let first = specials.find(|token| token.special);
    match request.refuse_specials(text, forbidden) {
        // An ordinary token may have the same id.
        Ok(()) => assert!(first.is_none_or(|token| model.vocab().token(token.id).is_some())),
        Err(EncodeError::SpecialNotAllowed { content, .. }) => {
            assert!(want.contains(&model.specials().by_content(&content).expect("it is one").id));
        }
        Err(error) => panic!("{error}"),
    }
}

/// Encodes a text in chunks. Returns the ids and the result.
pub fn in_chunks<'t>(
    request: &Request<'_>,
    chunks: impl IntoIterator<Item = &'t [u8]>,
) -> (Vec<TokenId>, Result<(), EncodeError>) {
    let mut ids = Vec::new();
    let mut stream = request.stream();
    let mut chunks = chunks.into_iter();
    let pushed = chunks.try_for_each(|chunk| stream.push(chunk, &mut ids));
    let done = pushed.and_then(|()| stream.finish(&mut ids));
    (ids, done)
}

/// Chunks of up to `limit` bytes, possibly empty, with lengths derived from the text.
fn chunks(text: &[u8], limit: usize) -> impl Iterator<Item = &[u8]> {
    let limit = limit.max(1);
    let seed = text.iter().fold(limit as u64, |seed, &byte| {
        seed.rotate_left(5) ^ u64::from(byte)
    });
    let (mut rest, mut state) = (text, seed);
    std::iter::from_fn(move || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let length = (state >> 33) as usize % (limit + 1);
        let (chunk, tail) = rest.split_at(length.min(rest.len()));
        (!rest.is_empty()).then(|| {
            rest = tail;
            chunk
        })
    })
}
