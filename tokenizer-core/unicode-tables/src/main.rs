//! Writes `tokenizer-core/src/unicode/tables.rs` to standard output.
//!
//! The data are the general categories and White_Space of the Unicode Character Database, as the
//! crate `regex-syntax` publishes them: the same tables that the regex engines `fancy-regex` and
//! `regex` match with, so that a class here is a class there. Which characters normalization may change
//! is asked of the crate that normalizes.

use regex_syntax::hir::{Class, HirKind};
use unicode_normalization_alignments::char::canonical_combining_class;
use unicode_normalization_alignments::{IsNormalized, is_nfc_quick};

/// Bits of a class, in the words of `tokenizer-core/src/unicode/mod.rs`.
const CLASSES: [(&str, u8); 7] = [
    (r"\p{L}", 1 << 0),
    (r"\p{N}", 1 << 1),
    (r"\s", 1 << 2),
    (r"[\p{Lu}\p{Lt}]", 1 << 3),
    (r"\p{Ll}", 1 << 4),
    (r"\p{M}", 1 << 5),
    (r"[\r\n]", 1 << 6),
];

/// The bit of a character that NFC may change, compose with one before it or move.
const NFC_UNSTABLE: u8 = 1 << 7;

/// Characters in a leaf: what the last byte of a UTF-8 sequence tells apart.
const LEAF: usize = 64;

fn classes() -> Vec<u8> {
    let mut classes = vec![0u8; 0x11_0000];
    for (pattern, bit) in CLASSES {
        let hir = regex_syntax::parse(pattern).expect("a valid class");
        let HirKind::Class(Class::Unicode(ranges)) = hir.kind() else {
            panic!("{pattern} is no class of characters");
        };
        for range in ranges.ranges() {
            for class in &mut classes[range.start() as usize..=range.end() as usize] {
                *class |= bit;
            }
        }
    }
    for character in '\0'..=char::MAX {
        let is_settled = canonical_combining_class(character) == 0
            && is_nfc_quick(std::iter::once(character)) == IsNormalized::Yes;
        if !is_settled {
            classes[character as usize] |= NFC_UNSTABLE;
        }
    }
    classes
}

fn main() {
    let classes = classes();
    let mut leaves: Vec<&[u8]> = Vec::new();
    let mut roots: Vec<usize> = Vec::new();
    for leaf in classes.chunks(LEAF) {
        let known = leaves.iter().position(|known| *known == leaf);
        roots.push(known.unwrap_or_else(|| {
            leaves.push(leaf);
            leaves.len() - 1
        }));
    }

    println!("//! Class of every character, in two stages. Written by");
    println!(
        "//! `cargo run -p unicode-tables > tokenizer-core/src/unicode/tables.rs`; do not edit."
    );
    println!();
    let (major, minor, patch) = UNICODE_VERSION;
    println!("/// The version of Unicode that the classes are of.");
    println!("pub const UNICODE_VERSION: (u8, u8, u8) = ({major}, {minor}, {patch});");
    println!();
    println!("/// The leaf of each {LEAF} characters.");
    print_array(
        "ROOTS",
        "u16",
        roots.len(),
        roots.iter().map(|r| r.to_string()),
    );
    println!();
    println!("/// The classes of {LEAF} characters each.");
    print_array(
        "LEAVES",
        &format!("[u8; {LEAF}]"),
        leaves.len(),
        leaves.iter().map(|leaf| {
            let classes: Vec<String> = leaf.iter().map(u8::to_string).collect();
            format!("[{}]", classes.join(", "))
        }),
    );
}

/// The version that `regex-syntax` 0.8.11 is made of. The crate does not say it in code; its
/// changelog does, and a test of the core checks a character that came with it.
const UNICODE_VERSION: (u8, u8, u8) = (16, 0, 0);

fn print_array(name: &str, of: &str, len: usize, items: impl Iterator<Item = String>) {
    println!("#[rustfmt::skip]");
    println!("pub(super) static {name}: [{of}; {len}] = [");
    let mut line = String::from("   ");
    for item in items {
        if line.len() + item.len() + 2 > 100 && line.len() > 3 {
            println!("{line}");
            line = String::from("   ");
        }
        line.push(' ');
        line.push_str(&item);
        line.push(',');
    }
    println!("{line}");
    println!("];");
}
