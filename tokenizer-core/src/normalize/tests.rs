use super::*;
use proptest::prelude::*;

fn text(from: &str, to: &str) -> Normalizer {
    Normalizer::Replace(Replace::text(from, to).unwrap())
}

fn regex(from: &str, to: &str) -> Normalizer {
    Normalizer::Replace(Replace::regex(from, to).unwrap())
}

fn prepend(prefix: &str) -> Normalizer {
    Normalizer::Prepend(prefix.into())
}

fn sequence(steps: &[Normalizer]) -> Normalizer {
    Normalizer::sequence(steps.iter().cloned()).unwrap()
}

/// A normalizer, a text, the normalized text and, for each of its characters, the range of original
/// characters. Made with `tokenizers` 0.23.1.
type Case = (
    Normalizer,
    &'static str,
    &'static str,
    &'static [(usize, usize)],
);

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    vec![
        (Normalizer::Nfc, "e\u{301}x", "\u{e9}x", &[(0, 1), (2, 3)]),
        (Normalizer::Nfc, "A\u{30a}\u{323} \u{958}", "\u{1ea0}\u{30a} \u{915}\u{93c}", &[(0, 1), (2, 3), (3, 4), (4, 5), (4, 5)]),
        (Normalizer::Nfc, "\u{1100}\u{1161}\u{11a8}b", "\u{ac01}b", &[(0, 1), (3, 4)]),
        (Normalizer::Nfc, "\u{ac00}\u{11a8}", "\u{ac01}", &[(0, 1)]),
        (Normalizer::Nfd, "\u{e9}x", "e\u{301}x", &[(0, 1), (0, 1), (1, 2)]),
        (Normalizer::Nfd, "a\u{344}\u{323}", "a\u{323}\u{308}\u{301}", &[(0, 1), (1, 2), (2, 3), (2, 3)]),
        (Normalizer::Nfd, "\u{ac01}", "\u{1100}\u{1161}\u{11a8}", &[(0, 1), (0, 1), (0, 1)]),
        (Normalizer::Nfkc, "\u{fb01}x", "fix", &[(0, 1), (0, 1), (1, 2)]),
        (Normalizer::Nfkc, "\u{ff21}e\u{301}", "A\u{e9}", &[(0, 1), (1, 2)]),
        (Normalizer::Nfkc, "\u{2460}\u{1e9b}\u{323}", "1\u{1e69}", &[(0, 1), (1, 2)]),
        (Normalizer::Nfkc, "\u{fdfa}", "\u{635}\u{644}\u{649} \u{627}\u{644}\u{644}\u{647} \u{639}\u{644}\u{64a}\u{647} \u{648}\u{633}\u{644}\u{645}", &[(0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1)]),
        (Normalizer::Nfkd, "\u{fb01}\u{e9}", "fie\u{301}", &[(0, 1), (0, 1), (1, 2), (1, 2)]),
        (Normalizer::Nfkd, "\u{bd}", "1\u{2044}2", &[(0, 1), (0, 1), (0, 1)]),
        (Normalizer::Lowercase, "ABc", "abc", &[(0, 1), (1, 2), (2, 3)]),
        (Normalizer::Lowercase, "\u{130}A", "i\u{307}a", &[(0, 1), (0, 1), (1, 2)]),
        (Normalizer::Lowercase, "\u{39f}\u{3a3} \u{1e9e}", "\u{3bf}\u{3c3} \u{df}", &[(0, 1), (1, 2), (2, 3), (3, 4)]),
        (Normalizer::StripAccents, "\u{301}e\u{301}x", "ex", &[(1, 2), (3, 4)]),
        (Normalizer::StripAccents, "\u{e9}\u{20dd}", "\u{e9}", &[(0, 1)]),
        (Normalizer::Strip { left: true, right: true }, " \u{3000}\u{e9} a\u{a}", "\u{e9} a", &[(2, 3), (3, 4), (4, 5)]),
        (Normalizer::Strip { left: true, right: true }, "  ", "", &[]),
        (Normalizer::Strip { left: true, right: false }, "\u{9}a ", "a ", &[(1, 2), (2, 3)]),
        (Normalizer::Strip { left: false, right: true }, " a\u{85}", " a", &[(0, 1), (1, 2)]),
        (text(" ", "▁"), " a  b", "\u{2581}a\u{2581}\u{2581}b", &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]),
        (text("aa", "xyz"), "aaaab\u{e9}aa", "xyzxyzb\u{e9}xyz", &[(1, 2), (1, 2), (1, 2), (3, 4), (3, 4), (3, 4), (4, 5), (5, 6), (7, 8), (7, 8), (7, 8)]),
        (text("é", ""), "a\u{e9}b", "ab", &[(0, 1), (2, 3)]),
        (regex(r"\s+", " "), "a \u{a}\u{3000}b ", "a b ", &[(0, 1), (3, 4), (4, 5), (5, 6)]),
        (prepend("▁"), "\u{e9}a", "\u{2581}\u{e9}a", &[(0, 1), (0, 1), (1, 2)]),
        (prepend("▁"), "", "", &[]),
        (sequence(&[Normalizer::Nfd, Normalizer::StripAccents, Normalizer::Lowercase]), "\u{c9}t\u{c9}", "ete", &[(0, 1), (1, 2), (2, 3)]),
        (sequence(&[Normalizer::Nfd, Normalizer::StripAccents, Normalizer::Lowercase]), "\u{130}x", "ix", &[(0, 1), (1, 2)]),
        (sequence(&[prepend("▁"), text(" ", "▁")]), "a b", "\u{2581}a\u{2581}b", &[(0, 1), (0, 1), (1, 2), (2, 3)]),
        (sequence(&[Normalizer::Nfkc, Normalizer::Strip { left: true, right: true }, Normalizer::Nfd]), "\u{3000}\u{bd}\u{e9} ", "1\u{2044}2e\u{301}", &[(1, 2), (1, 2), (1, 2), (2, 3), (2, 3)]),
    ]
}

#[test]
fn texts_and_offsets_are_those_of_tokenizers() {
    for (normalizer, original, want, offsets) in cases() {
        assert_eq!(normalizer.apply(original.as_bytes()), want.as_bytes());
        let aligned = normalizer.apply_to(Text::aligned(original.as_bytes()));
        assert_eq!(aligned.bytes, want.as_bytes(), "{normalizer} {original:?}");
        for ((at, c), &(start, end)) in want.char_indices().zip(offsets) {
            let bytes = aligned.alignment.original(at..at + c.len_utf8());
            let chars =
                original[..bytes.start].chars().count()..original[..bytes.end].chars().count();
            assert_eq!(chars, start..end, "{normalizer} {original:?} at {at}");
        }
    }
}

#[test]
fn invalid_bytes_are_kept() {
    let broken = b"E\xcc\x81 \xff\xe9 A\xcc\x81\xcc".as_slice();
    for (normalizer, want) in [
        (
            Normalizer::Lowercase,
            b"e\xcc\x81 \xff\xe9 a\xcc\x81\xcc".as_slice(),
        ),
        (Normalizer::Nfkc, b"\xc3\x89 \xff\xe9 \xc3\x81\xcc"),
        (Normalizer::StripAccents, b"E \xff\xe9 A\xcc"),
        (text(" ", ""), b"E\xcc\x81\xff\xe9A\xcc\x81\xcc"),
        (regex(r"\s", "_"), b"E\xcc\x81_\xff\xe9_A\xcc\x81\xcc"),
        (prepend("_"), b"_E\xcc\x81 \xff\xe9 A\xcc\x81\xcc"),
    ] {
        assert_eq!(&*normalizer.apply(broken), want, "{normalizer}");
    }
    let strip = Normalizer::Strip {
        left: true,
        right: true,
    };
    assert_eq!(&*strip.apply(b" \xff \xe9 "), b"\xff \xe9");
    assert_eq!(&*strip.apply(b"\xff"), b"\xff");
    assert_eq!(&*strip.apply(b" a \xff"), b"a \xff");
}

#[test]
fn replacements_that_may_be_empty_or_fail_are_refused() {
    assert_eq!(Replace::text("", "x"), Err(ReplaceError::Empty));
    for empty in ["a*", "^", "", "(?=a)", "a|", r"\s+(?!\S)"] {
        let refused = Replace::regex(empty, "x");
        assert!(
            matches!(refused, Err(ReplaceError::Empty | ReplaceError::Engine)),
            "{empty}"
        );
    }
    assert_eq!(Replace::regex(r"(?<!a)b", "x"), Err(ReplaceError::Engine));
    assert!(matches!(
        Replace::regex("(", "x"),
        Err(ReplaceError::Pattern(_))
    ));
    let doubled = vec![text("a", "aa"); 21];
    assert!(sequence(&doubled[..20]).check().is_ok());
    assert!(sequence(&doubled).check().is_err());
    assert!(sequence(&vec![Normalizer::Nfd; 65]).check().is_err());
}

#[test]
fn sequences_are_flat_and_repeat_no_nfc() {
    assert_eq!(Normalizer::sequence([]), None);
    let nfc = Normalizer::Nfc;
    assert_eq!(sequence(&[nfc.clone(), nfc.clone()]), nfc);
    let inner = sequence(&[Normalizer::Nfd, nfc.clone()]);
    let outer = sequence(&[inner.clone(), nfc, Normalizer::Nfd]);
    assert_eq!(outer.to_string(), "NFD, NFC, NFD");
    assert_eq!(sequence(std::slice::from_ref(&inner)), inner);
}

fn any_step() -> impl Strategy<Value = Normalizer> {
    prop_oneof![
        prop::sample::select(vec![
            Normalizer::Nfc,
            Normalizer::Nfd,
            Normalizer::Nfkc,
            Normalizer::Nfkd,
            Normalizer::Lowercase,
            Normalizer::StripAccents,
            prepend("é"),
            text(" ", "\u{2581}"),
            text("a", ""),
            regex(r"\s+", " "),
        ]),
        any::<(bool, bool)>().prop_map(|(left, right)| Normalizer::Strip { left, right }),
    ]
}

proptest! {
    /// Recording alignments changes no text, and every byte has a range of the original. The
    /// characters in which the ranges start never decrease.
    #[test]
    fn alignments_cover_the_text_in_order(
        steps in prop::collection::vec(any_step(), 1..5),
        letters in prop::collection::vec(
            prop::sample::select(vec![
                "a", "B", " ", "\n", "é", "e\u{301}", "\u{323}", "ﬁ", "가", "\u{1161}", "İ", "\u{fffd}",
            ]),
            0..12,
        ),
        broken in any::<prop::sample::Index>(),
    ) {
        let mut original = letters.concat().into_bytes();
        original.insert(broken.index(original.len() + 1), 0xCC);
        let normalizer = sequence(&steps);
        let aligned = normalizer.apply_to(Text::aligned(&original));
        prop_assert_eq!(&aligned.bytes, &normalizer.apply(&original));
        let mut last = 0;
        for at in 0..aligned.bytes.len() {
            let range = aligned.alignment.original(at..at + 1);
            prop_assert!(range.start < range.end && range.end <= original.len());
            let start = (0..=range.start).rev().find(|&at| original[at] & 0xC0 != 0x80);
            let start = start.unwrap_or(0);
            prop_assert!(last <= start);
            last = start;
        }
    }
}
