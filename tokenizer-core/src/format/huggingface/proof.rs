//! That a model and what was made of it give the same ids.
//!
//! Every reason why they must is written where it stands. This is the test of it, made on every
//! model that is written: a fault becomes an error and not a file that is wrong.

use super::error::HuggingFaceError;
use crate::encode::Encoder;
use crate::model::Model;
use crate::special::{SpecialSet, SpecialToken};

/// Texts on which splitting and merging go wrong first.
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

/// Fails with a text for which the two models differ.
pub(super) fn prove(model: &Model, made: Model) -> Result<(), HuggingFaceError> {
    let differ = |text: String| Err(HuggingFaceError::NotProven { text });
    let matched = |token: &SpecialToken| SpecialToken {
        decoded: None,
        ..token.clone()
    };
    let [made_tokens, tokens] = [&made, model].map(|model| model.specials().iter().map(matched));
    if !made_tokens.eq(tokens) {
        return differ("the special tokens".into());
    }
    if (made.normalizer(), made.affixes()) != (model.normalizer(), model.affixes()) {
        return differ("what is done before and after".into());
    }
    if made.call_settings() != model.call_settings() {
        return differ("truncation and padding".into());
    }
    let limit = model.id_limit().max(made.id_limit());
    for id in 0..limit as u32 {
        // The decoder of `tokenizers` may read the content of an added token in another way.
        if model.specials().by_id(id).is_none() && made.token(id) != model.token(id) {
            return differ(format!("the token {id}"));
        }
    }
    let (model, made) = (Encoder::new(model.clone()), Encoder::new(made));
    let tokens = model.model().vocab().iter();
    let (mut pieces, mut made_pieces) = (model.piece_by_piece(), made.piece_by_piece());
    for (_, token) in tokens.filter(|(_, token)| !token.is_empty()) {
        if made_pieces(token) != pieces(token) {
            return differ(String::from_utf8_lossy(token).into_owned());
        }
    }
    let specials = model.model().specials().iter();
    let contents = specials.map(|token| format!("a {0}b{0} {0}", token.content));
    let all: [SpecialSet; 2] = [&model, &made].map(|encoder| encoder.model().all_specials());
    for text in HARD_TEXTS.map(str::to_owned).into_iter().chain(contents) {
        let ids = |encoder: &Encoder, specials: &SpecialSet| {
            let request = encoder.request();
            (
                request.encode(&text).ok(),
                request.allow(specials).encode(&text).ok(),
            )
        };
        if ids(&made, &all[1]) != ids(&model, &all[0]) {
            return differ(text);
        }
    }
    Ok(())
}
