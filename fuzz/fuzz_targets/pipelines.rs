//! A `tokenizer.json` with random components is read or refused. If it is read, all entry points return the same
//! ids for a random text, and the model survives a round trip through each format.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenizer_core::format::huggingface;
use tokenizer_fuzz::input::Input;
use tokenizer_fuzz::loaded::check;
use tokenizer_fuzz::pipeline;

const PARTS: [&[u8]; 24] = [
    b"a",
    b"b",
    b"ab",
    b" ",
    b"  ",
    b"\n",
    b"1",
    b"12",
    b"e\xCC\x81",
    b"\xC3\xA9",
    b"\xC3\x89",
    b"\xE4\xB8\xAD",
    b"\xE2\x96\x81",
    b"<s>",
    b"</s>",
    b"<unk>",
    b"<0x41>",
    b".",
    b"x",
    b"\xC2\xA0",
    b"\xE3\x80\x80",
    b"\xFF",
    b"\xE4\xB8",
    b"\xEF\xAC\x81",
];

fuzz_target!(|input: &[u8]| {
    let mut input = Input::new(input);
    let file = pipeline::file(&mut input);
    let with_json = input.below(4) == 0;
    let mut text = Vec::new();
    while !input.is_empty() {
        text.extend_from_slice(PARTS[input.below(PARTS.len())]);
    }
    if let Ok(model) = huggingface::read(file.as_bytes()) {
        check(&model, &text, with_json);
    }
});
