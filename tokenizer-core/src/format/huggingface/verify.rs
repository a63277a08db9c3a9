//! Checks that a written model equals the original. Runs on every write, so that a bug in the
//! conversion becomes an error instead of a wrong file.

use super::error::HuggingFaceError;
use crate::encode::Encoder;
use crate::model::Model;
use crate::special::{SpecialSet, SpecialToken};

/// Texts that exercise edge cases of splitting and merging.
const HARD_TEXTS: [&str; 14] = [
    "Hello, world! It's what we'll've said; I'd say they're you're I'm DON'T IT'S 'Tis ''s 'ſ 'S",
    "2141 12 123 1234567 ½ ²³ ٣٤٥ 一二三 Ⅻ 3.14 1,000,000 a1b22c333 0x1F600",
    "   leading,  two   three\ttab \t mixed \n line\n\nblank\n\n\n  indented\r\n\r\n crlf \r lone",
    "trailing spaces   ",
    "trailing newlines \n\n",
    "\u{a0}no-break\u{2003}em\u{3000}ideographic\u{2028}line\u{85}next\u{200b}zero\u{feff}mark",
    "fn main() { let x = a[0] + b->c; } // == != <= >= && || :: #!/bin/sh \\ / /* */ \"'`~@$%^&",
    "<|endoftext|><|im_start|>user\n<|im_end|> <｜begin▁of▁sentence｜></s>[INST]",
    "中文分词：你好，世界。日本語のテキスト、カタカナ。한국어 문장입니다. ไทยไม่มีช่องว่าง",
    "Ελληνικά Русский текст العربية עברית हिन्दी தமிழ் ქართული Tiếng Việt straße İstanbul ǅ ʰ",
    "e\u{301} e\u{301}\u{302} \u{301}mark first  नी ぱ\u{309a} ﬁ ﬆ K Å \u{1ff9}",
    "👍🏽 👨‍👩‍👧‍👦 🇩🇪🇫🇷 1️⃣ ☺️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 x🎉y",
    "\0\u{1}\u{7f}\u{9f}\u{fffd}\u{fffe}\u{10ffff}\u{e000}\u{378}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
];

/// Compares `written`, a model that was written and read back, with the original `model`.
///
/// # Errors
/// [`HuggingFaceError::NotProven`], with the first text or part in which they differ.
pub(super) fn verify(model: &Model, written: Model) -> Result<(), HuggingFaceError> {
    let differ = |text: String| Err(HuggingFaceError::NotProven { text });
    // Reading sets `decoded` where `tokenizers` decodes a token to other bytes than its text. The original
    // model may lack these bytes, so they are not compared.
    let without_decoded = |token: &SpecialToken| SpecialToken {
        decoded: None,
        ..token.clone()
    };
    let [written_tokens, tokens] =
        [&written, model].map(|model| model.specials().iter().map(without_decoded));
    if !written_tokens.eq(tokens) {
        return differ("the special tokens".into());
    }
    let processors = [written.post_processor(), model.post_processor()];
    let is_other_pair = processors[1].pair().is_some() && processors[0] != processors[1];
    if written.normalizer() != model.normalizer()
        || written.rewrites() != model.rewrites()
        || processors[0].single() != processors[1].single()
        || processors[0].trimming() != processors[1].trimming()
        || is_other_pair
    {
        return differ("the normalizer or the post-processor".into());
    }
    if (written.symbols(), written.text_decoder()) != (model.symbols(), model.text_decoder()) {
        return differ("the first symbols or the decoder".into());
    }
    if written.call_settings() != model.call_settings() {
        return differ("truncation or padding".into());
    }
    let limit = model.id_limit().max(written.id_limit());
    for id in 0..limit as u32 {
        if model.specials().by_id(id).is_none() && written.token(id) != model.token(id) {
            return differ(format!("token {id}"));
        }
    }
    verify_ids(model, &written)
}

/// Compares the ids of each token, of texts with each special token and of [`HARD_TEXTS`].
///
/// # Errors
/// As [`verify`].
pub(super) fn verify_ids(model: &Model, written: &Model) -> Result<(), HuggingFaceError> {
    let differ = |text: String| Err(HuggingFaceError::NotProven { text });
    let (model, written) = (Encoder::new(model.clone()), Encoder::new(written.clone()));
    let tokens = model.model().vocab().iter();
    let (mut pieces, mut written_pieces) = (model.piece_by_piece(), written.piece_by_piece());
    for (_, token) in tokens.filter(|(_, token)| !token.is_empty()) {
        if written_pieces(token) != pieces(token) {
            return differ(String::from_utf8_lossy(token).into_owned());
        }
    }
    let specials = model.model().specials().iter();
    let contents = specials.map(|token| format!("a {0}b{0} {0}", token.content));
    let all: [SpecialSet; 2] = [&model, &written].map(|encoder| encoder.model().all_specials());
    for text in HARD_TEXTS.map(str::to_owned).into_iter().chain(contents) {
        let ids = |encoder: &Encoder, specials: &SpecialSet| {
            let request = encoder.request();
            (
                request.encode(&text).ok(),
                request.allow(specials).encode(&text).ok(),
            )
        };
        if ids(&written, &all[1]) != ids(&model, &all[0]) {
            return differ(text);
        }
    }
    Ok(())
}
