//! Random texts and special tokens, built from everything that patterns, normalizers and flags
//! distinguish.

use proptest::prelude::*;
use tokenizer_core::{SpecialToken, TokenId};

/// One character of each kind that any pattern or the normalizer distinguishes.
pub const CHARACTERS: [&str; 57] = [
    "a", "b", "Z", "s", "S", "d", "t", "l", "L", "v", "e", "E", "r", "'", "'", " ", " ", " ", "\n",
    "\n", "\r", "\t", "\x0b", "1", "2", "3", "/", "/", "!", ".", "<", "|", ">", "\u{17F}",
    "\u{85}", "\u{A0}", "\u{3000}", "\u{200D}", "\u{301}", "\u{316}", "\u{344}", "\u{93F}",
    "\u{345}", "é", "É", "ǅ", "ʰ", "中", "\u{1100}", "\u{1161}", "\u{11A8}", "\u{958}", "\u{2126}",
    "०", "𝟙", "😀", "\u{212B}",
];

const INVALID: [&[u8]; 9] = [
    b"\x80",
    b"\xC3",
    b"\xE2\x82",
    b"\xE3\x80",
    b"\xE6\x9D",
    b"\xED\xA0\x80",
    b"\xF0\x9F\x98",
    b"\xFF",
    b"\xE0\x80",
];

/// Special tokens that overlap or contain each other, begin or end with white space, or compose under
/// NFC.
const CONTENTS: [&str; 15] = [
    "<|a|>",
    "<|a|><|b|>",
    "<|",
    "|>",
    "<|a",
    "<n>",
    "aa",
    "ab",
    " a",
    "\n",
    "a ",
    "a<|",
    "e\u{301}",
    "\u{3000}<",
    "é!",
];

pub fn text() -> impl Strategy<Value = Vec<u8>> {
    let character = prop::sample::select(&CHARACTERS[..]).prop_map(|c| c.as_bytes().to_vec());
    let run = (prop::sample::select(&CHARACTERS[..]), 1usize..300);
    let run = run.prop_map(|(c, n)| c.repeat(n).into_bytes());
    let prose = "(the |th  |aaaa|東京。){1,40}".prop_map(String::into_bytes);
    let special = prop::sample::select(&CONTENTS[..]).prop_map(|c| c.as_bytes().to_vec());
    let any = any::<char>().prop_map(|c| c.to_string().into_bytes());
    let invalid = prop::sample::select(&INVALID[..]).prop_map(<[u8]>::to_vec);
    let part =
        prop_oneof![30 => character, 2 => run, 1 => prose, 8 => special, 2 => any, 2 => invalid];
    prop::collection::vec(part, 0..90).prop_map(|parts| parts.concat())
}

/// Special tokens with any flags and ids from 4000.
pub fn special_tokens() -> impl Strategy<Value = Vec<SpecialToken>> {
    let flags = prop::array::uniform5(prop::bool::weighted(0.25));
    let chosen = prop::sample::subsequence(&CONTENTS[..], 0..6).prop_shuffle();
    (chosen, prop::collection::vec(flags, 6)).prop_map(|(contents, flags)| {
        let tokens = contents.into_iter().zip(flags).zip(4000 as TokenId..);
        let token = |((content, flags), id)| {
            let [added, normalized, lstrip, rstrip, single_word]: [bool; 5] = flags;
            SpecialToken {
                special: !added,
                normalized,
                lstrip,
                rstrip,
                single_word,
                ..SpecialToken::new(content, id)
            }
        };
        tokens.map(token).collect()
    })
}
