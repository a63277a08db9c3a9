//! Every way to encode a text.

use std::fmt::Display;

use tokenizer_core::{TokenId, Tokenizer};

/// Fails unless `encoder` gives `want` for `text` in every way that it has, on 1, 2 and 3 threads,
/// and again now that it knows the pieces.
pub fn assert_ids(encoder: &Tokenizer, text: &[u8], want: &[TokenId], about: impl Display) {
    for pass in ["cold", "warm"] {
        let is = |got: &[TokenId], way: &str| {
            assert_eq!(got, want, "{way}, {pass}, {about}, {}", text.escape_ascii());
        };
        is(&encoder.encode(text).expect("it splits"), "encode");

        let mut behind = vec![7; 3];
        encoder
            .request()
            .encode_into(text, &mut behind)
            .expect("it splits");
        assert_eq!(behind[..3], [7; 3], "{about}");
        is(&behind[3..], "encode_into");

        let mut plain = Vec::new();
        let none = encoder.model().special_set(&[] as &[&str]);
        encoder
            .request()
            .allow(&none)
            .encode_into(text, &mut plain)
            .expect("it splits");
        is(&plain, "encode_with_specials");

        let count = encoder.count(text).expect("it splits");
        assert_eq!(count, want.len(), "count, {pass}, {about}");

        for threads in 1..=3 {
            let texts: [&[u8]; 4] = [text, b"", text, text];
            let batch = encoder
                .request()
                .threads(threads)
                .encode_batch(&texts)
                .expect("it splits");
            assert_eq!(batch.offsets.len(), texts.len() + 1, "{about}");
            for (text, got) in texts.iter().zip(batch.iter()) {
                match text {
                    [] => assert!(got.is_empty(), "{about}"),
                    _ => is(got, "encode_batch"),
                }
            }
        }
    }
}
