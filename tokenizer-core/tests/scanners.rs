//! Compares scanners and automata with the regex engine: every known spelling, published and random
//! patterns, on every SIMD tier of the machine.

mod random_chain;

use std::ops::Range;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tokenizer_core::internals::Tier;
use tokenizer_core::{Gaps, Pattern, PatternName};

/// The stages of a pattern that has a scanner.
type Chain = Vec<(String, Gaps)>;

/// Every pattern family, in every variant and spelling that its scanner distinguishes.
fn spellings() -> Vec<String> {
    let mut all: Vec<String> = PatternName::ALL
        .map(|name| name.regex().to_owned())
        .to_vec();
    // GPT-2 as first published.
    all.push(
        r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+".into(),
    );
    // cl100k of older tiktoken and of Hugging Face, Llama 3; Qwen 2.
    all.push(LLAMA3.into());
    all.push(LLAMA3.replace("{1,3}", ""));
    all.push(PatternName::Cl100k.regex().replace("{1,3}", "{1,2}"));
    // Tekken: o200k without endings and with single digits.
    let bare = PatternName::O200k.regex().replace(ENDINGS, "");
    all.push(bare.replace("{1,3}", ""));
    all
}

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const ENDINGS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

/// Published patterns without a hand-written scanner, and other regexes that have an automaton.
fn automata() -> Vec<Chain> {
    let keep = |source: &str| (source.to_owned(), Gaps::Keep);
    let (numbers, punctuation) = (keep(r"\p{N}{1,3}"), r"[\p{P}!-/:-@\[-`{-~]+");
    let kimi = PatternName::O200k
        .regex()
        .replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]");
    let kimi = kimi.replace("[\\r\\n/]*", "[\\r\\n]*");
    vec![
        // Qwen 3.5.
        vec![keep(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        )],
        // DeepSeek V3.
        vec![
            numbers.clone(),
            keep("[一-龥぀-ゟ゠-ヿ]+"),
            keep(
                "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
            ),
        ],
        // MiniCPM 5.
        vec![numbers.clone(), keep(&LLAMA3.replace("{1,3}", "+"))],
        // Kimi K2.
        vec![keep(&format!(r"[\p{{Han}}]+|{kimi}"))],
        // OLMo 2, StarCoder, BLOOM, and stages of Falcon.
        vec![(LLAMA3.replacen("(?i", "(?:(?i", 1) + ")", Gaps::Drop)],
        vec![keep(r"\p{N}"), keep(PatternName::Gpt2.regex())],
        vec![keep(r" ?[^\s.,!?…。，、।۔،]+")],
        vec![keep(punctuation), keep(PatternName::Gpt2.regex())],
        vec![keep("[0-9][0-9][0-9]")],
        // Variations of published patterns.
        vec![keep(
            r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,4}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        )],
        vec![keep(r"\s+(?!\S)|\S+")],
        vec![keep(r"\p{L}{3}\p{N}|\p{L}|\s")],
    ]
}

struct Case {
    /// Implementations under test.
    scanners: Vec<Pattern>,
    /// The oracle.
    regex: Pattern,
}

impl Case {
    fn new(chain: &Chain) -> Self {
        let [scanner, regex] = random_chain::compile(chain).unwrap();
        assert!(!scanner.uses_regex_engine(), "{chain:?}");
        assert!(regex.uses_regex_engine());
        let scanners = vec![scanner];
        Case { scanners, regex }
    }

    /// Adds the automaton of the regex: in a group, the regex is not recognized by a scanner.
    fn of_family(source: String) -> Self {
        let automaton = Pattern::regex(&format!("(?:{source})"), Gaps::Keep).unwrap();
        assert!(!automaton.uses_regex_engine());
        let mut case = Case::new(&vec![(source, Gaps::Keep)]);
        case.scanners.push(automaton);
        case
    }
}

fn cases() -> &'static [Case] {
    static CASES: std::sync::LazyLock<Vec<Case>> = std::sync::LazyLock::new(|| {
        let families = spellings().into_iter().map(Case::of_family);
        families.chain(automata().iter().map(Case::new)).collect()
    });
    &CASES
}

fn scanners() -> impl Iterator<Item = &'static Pattern> {
    cases().iter().flat_map(|case| &case.scanners)
}

fn ends(pattern: &Pattern, tier: Tier, text: &[u8]) -> Vec<usize> {
    pattern
        .split_on(tier, text)
        .map(|piece| piece.unwrap().end)
        .collect()
}

fn pieces(pattern: &Pattern, tier: Tier, text: &[u8]) -> Vec<Range<usize>> {
    let pieces = pattern.split_on(tier, text);
    pieces.map(Result::unwrap).collect()
}

/// Fails with the pattern, the tier and the first piece that differs.
fn assert_same(case: &Case, text: &[u8]) {
    let want = pieces(&case.regex, Tier::Scalar, text);
    for scanner in &case.scanners {
        for tier in Tier::available() {
            let got = pieces(scanner, tier, text);
            if got != want {
                let at = got.iter().zip(&want).take_while(|(a, b)| a == b).count();
                let start = if at == 0 { 0 } else { want[at - 1].end };
                let near = &text[start..text.len().min(start + 80)];
                panic!(
                    "{tier}, {scanner:?}:\nfrom byte {start} of {}: got {:?}, want {:?}\n{:?}",
                    text.len(),
                    got.get(at),
                    want.get(at),
                    String::from_utf8_lossy(near),
                );
            }
        }
    }
}

/// `TOKENIZER_EXPECT_TIERS` (such as `scalar,neon`) lists the tiers that an emulated machine must have.
/// Otherwise a run would pass without testing them.
#[test]
fn expected_tiers_are_available() {
    if let Ok(expected) = std::env::var("TOKENIZER_EXPECT_TIERS") {
        let available: Vec<&str> = Tier::available().map(Tier::name).collect();
        assert_eq!(available.join(","), expected);
    }
}

/// One character of each kind that any pattern distinguishes, and all letters of the endings.
const HARD: [&str; 84] = [
    "a", "b", "Z", "B", "s", "S", "d", "D", "m", "M", "t", "T", "l", "L", "v", "V", "e", "E", "r",
    "R", "'", "'", "'", " ", " ", " ", "\n", "\n", "\r", "\t", "1", "2", "3", "0", "/", "/", "!",
    ".", "-", "_", "\u{17F}", "\u{212A}", "\u{85}", "\u{A0}", "\u{3000}", "\u{2028}", "\u{1680}",
    "\u{200D}", "\u{FE0F}", "\u{301}", "\u{93F}", "\u{20DD}", "é", "É", "ǅ", "ʰ", "ª", "中", "か",
    "ر", "क", "١", "०", "½", "𝟙", "𐐀", "𐐨", "😀", "’", "\0", "\u{FFFD}", "ß", "\u{4E00}",
    "\u{9FA5}", "\u{9FA6}", "々", "〇", "⺀", "ゟ", "ー", "\u{E000}", "\u{378}", "+", "，",
];

/// Invalid UTF-8 of every kind.
const BROKEN: [&[u8]; 10] = [
    b"\x80",
    b"\xBF",
    b"\xC0",
    b"\xC3",
    b"\xE2\x82",
    b"\xED\xA0\x80",
    b"\xF0\x9F\x98",
    b"\xF4\x90",
    b"\xFF",
    b"\xE0\x80",
];

fn hard_text(broken: u32) -> impl Strategy<Value = Vec<u8>> {
    let hard = prop::sample::select(&HARD[..]).prop_map(|c| c.as_bytes().to_vec());
    let run = (prop::sample::select(&HARD[..]), 1usize..80);
    let run = run.prop_map(|(c, n)| c.repeat(n).into_bytes());
    let any = any::<char>().prop_map(|c| c.to_string().into_bytes());
    let bad = prop::sample::select(&BROKEN[..]).prop_map(<[u8]>::to_vec);
    let part = prop_oneof![40 => hard, 3 => run, 2 => any, broken => bad];
    prop::collection::vec(part, 0..160).prop_map(|parts| parts.concat())
}

/// The number of cases is `PROPTEST_CASES`, or more than proptest's default. (`with_cases` alone would
/// override the variable.)
fn config() -> ProptestConfig {
    let cases = if cfg!(debug_assertions) { 400 } else { 3000 };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(cases),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn edge_cases_split_as_by_the_regex_engine(text in hard_text(1)) {
        for case in cases() {
            assert_same(case, &String::from_utf8_lossy(&text).into_owned().into_bytes());
        }
    }

    #[test]
    fn invalid_utf8_splits_as_by_the_regex_engine(text in hard_text(4)) {
        for case in cases() {
            assert_same(case, &text);
        }
    }
}

#[test]
fn block_offsets_do_not_change_the_pieces() {
    let hard: String = HARD.concat();
    for case in cases() {
        for offset in 0..130 {
            for filler in ["a", " ", "!", "1", "\n", "中", "A"] {
                let text = format!("{}{hard}", filler.repeat(offset));
                assert_same(case, text.as_bytes());
            }
        }
        for offset in 0..66 {
            for broken in BROKEN {
                for filler in [b"a", b" "] {
                    let text = [&filler.repeat(offset)[..], broken, b"a ", broken, broken].concat();
                    assert_same(case, &text);
                }
            }
        }
    }
}

/// Step between tested characters: 1, or `TOKENIZER_CHARACTER_STRIDE` (for emulation, which is slow).
fn character_stride() -> usize {
    let stride = std::env::var("TOKENIZER_CHARACTER_STRIDE");
    stride.map_or(1, |stride| stride.parse().expect("a number above 0"))
}

#[test]
fn all_characters_split_as_by_the_regex_engine() {
    let stride = character_stride();
    let mut text = String::new();
    for c in ('\0'..=char::MAX).step_by(stride) {
        for around in ["a", "1", " ", "'", "\n"] {
            text.push_str(around);
            text.push(c);
        }
        text.push_str("Bc");
        text.push(c);
        text.push_str("!! ");
    }
    let check = |case: &Case| {
        assert_same(case, text.as_bytes());
        for c in ('\0'..=char::MAX).step_by(29 * stride) {
            assert_same(case, c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    };
    std::thread::scope(|scope| {
        for case in cases() {
            scope.spawn(|| check(case));
        }
    });
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn parts_have_the_pieces_of_the_whole(text in hard_text(2), size in 1usize..40) {
        for scanner in scanners() {
            let mut got = Vec::new();
            for part in scanner.parts(&text, size) {
                let start = part.start;
                got.extend(ends(scanner, Tier::best(), &text[part]).iter().map(|end| start + end));
            }
            prop_assert_eq!(&got, &ends(scanner, Tier::best(), &text), "{:?}", scanner);
        }
    }

    #[test]
    fn a_settled_cut_holds_whatever_follows(
        text in hard_text(2),
        known in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        more in 0usize..20,
    ) {
        let known = known.index(text.len() + 1);
        for scanner in scanners() {
            let cut = scanner.last_settled_cut(&text[..known], 0);
            if let Some(cut) = cut {
                prop_assert!(0 < cut && cut <= known);
                let (left, right) = text.split_at(cut);
                let mut got = ends(scanner, Tier::best(), left);
                let right = ends(scanner, Tier::best(), right);
                got.extend(right.iter().map(|end| cut + end));
                let want = ends(scanner, Tier::best(), &text);
                prop_assert_eq!(&got, &want, "{} of {}, {:?}", cut, known, scanner);
            }
            let from = from.index(known + 1);
            let later = scanner.last_settled_cut(&text[..known], from);
            prop_assert_eq!(later, cut.filter(|&cut| cut >= from), "from {}", from);

            // More text reveals no new cuts in the part that was searched before.
            let longer = &text[..text.len().min(known + more)];
            let searched = known.saturating_sub(3);
            let found = scanner.last_settled_cut(longer, 0);
            let new = scanner.last_settled_cut(longer, searched);
            prop_assert_eq!(found.max(cut), new.max(cut), "{} then {}", known, longer.len());
        }
    }
}

/// The most bytes after the last settled cut, if the text arrives byte by byte.
fn max_unsettled(pattern: &Pattern, text: &[u8]) -> usize {
    let unsettled = |end| end - pattern.last_settled_cut(&text[..end], 0).unwrap_or(0);
    (1..=text.len()).map(unsettled).max().unwrap_or(0)
}

#[test]
fn little_more_than_the_last_piece_is_unsettled() {
    for pattern in scanners() {
        let last = pattern.stages().last().map_or("", |(source, _)| source);
        if !last.contains(r"\s+(?!\S)|\s") {
            // Gaps are of any length.
            continue;
        }
        let is_family = pattern.stages().len() == 1
            && spellings().iter().any(|source| source == pattern.source());
        let gpt2 = pattern.source().starts_with("'s") || pattern.name() == Some(PatternName::Gpt2);
        let o200k = pattern.source().contains(r"\p{Lu}");
        for (text, limit) in [
            ("The quick brown fox, and then it sleeps. ", 12),
            ("don't 'n' rock'n'roll we'll I'VE x'y'z'", 10),
            ("fn f(a: &[u8]) -> u8 {\n    a[0]\n}\n\n}\n", 12),
            ("\n}\r\n}\r\n}", if gpt2 { 12 } else { 5 }),
            ("吾輩は猫である。名前はまだ無い。", 34),
            ("ab\u{FF}\u{E9}c \u{FF}d", 12),
            ("1234567890", if gpt2 { 400 } else { 3 }),
            (" 1234567890", if gpt2 { 12 } else { 4 }),
            ("camelCaseWords", if o200k { 10 } else { 560 }),
            ("ที่นี่มี", if o200k { 1000 } else { 24 }),
        ] {
            let text = text.repeat(40);
            let pieces = pattern
                .split(text.as_bytes())
                .map(|piece| piece.unwrap().len());
            let limit = if is_family {
                limit
            } else {
                pieces.max().unwrap_or(0) + 16
            };
            let unsettled = max_unsettled(pattern, text.as_bytes());
            assert!(unsettled <= limit, "{unsettled} of {pattern:?} in {text:?}");
        }
    }
}

#[test]
fn prose_in_any_script_has_frequent_cuts() {
    let texts = [
        "The quick brown fox jumps over the lazy dog, and then it sleeps. ",
        "孔子说：学而时习之，不亦说乎？有朋自远方来，不亦乐乎？",
        "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. ",
        "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق. ",
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है। ",
        "มนุษย์ทั้งหลายเกิดมามีอิสระ และเสมอภาคกันในเกียรติศักดิ์ และสิทธิ ",
    ];
    for text in texts {
        let text = text.repeat(20);
        for scanner in scanners() {
            let longest = scanner
                .parts(text.as_bytes(), 1)
                .map(|part| part.len())
                .max();
            let pieces = scanner.split(text.as_bytes());
            let piece = pieces.map(|piece| piece.unwrap().len()).max();
            assert!(
                longest <= piece.max(Some(120)),
                "{longest:?} bytes in {text}, {:?}",
                scanner
            );
        }
    }
    let scanner = &cases()[0].scanners[0];
    assert_eq!(scanner.first_cut(b"aaaa", 0), None);
    assert_eq!(scanner.first_cut(b"", 0), None);
    assert_eq!(scanner.first_cut(b"aaaa", 9), None);
    assert_eq!(scanner.last_settled_cut(b"", 0), None);
    assert_eq!(scanner.last_settled_cut(b"a b", 9), None);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_patterns_split_as_by_the_regex_engine(
        seed in prop::collection::vec(any::<u8>(), 0..60),
        texts in prop::collection::vec(hard_text(2), 4),
    ) {
        let chain = random_chain::chain(&mut seed.into_iter());
        if let Ok([scanner, regex]) = random_chain::compile(&chain) {
            let case = Case {
                scanners: vec![scanner],
                regex,
            };
            for text in texts {
                assert_same(&case, &text);
            }
        }
    }
}

/// Patterns on which naive construction of an automaton explodes or loops.
#[test]
fn hostile_patterns_are_compiled_or_refused_in_bounded_time() {
    let start = Instant::now();
    for source in [
        "(?:a?|b?){40}c",
        "(?:(?:a?){0,20}){0,20}c",
        "((?=a)|(?=[a-c])){40}a",
        "b(?:a{0}){4000000000}",
        "(?:.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.)+y",
        "(?:a|b|ab|ba|aab){0,300}c",
        "a{2,1}",
        &r"(?i)\p{L}|".repeat(300),
    ] {
        let (Ok(pattern), Ok(oracle)) = (
            Pattern::regex(source, Gaps::Keep),
            Pattern::through_regex_engine(source, Gaps::Keep),
        ) else {
            continue;
        };
        for text in [&b"aababc"[..], b"abcyaa", b""] {
            let want = pieces(&oracle, Tier::Scalar, text);
            assert_eq!(pieces(&pattern, Tier::best(), text), want, "{source}");
        }
    }
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

/// fancy-regex 0.20 rewrites `x+y?x+` to `x+(?:yx+)?`, which is not equivalent.
#[test]
fn an_optional_character_between_two_runs_of_one_class() {
    let pattern = Pattern::regex(r"\p{L}+'?\p{L}+", Gaps::Keep).unwrap();
    let found = pieces(&pattern, Tier::best(), b"a b'c de");
    assert_eq!(found, [0..2, 2..5, 5..6, 6..8]);
}

#[test]
fn many_random_patterns_have_an_automaton() {
    let chains = (0..200u64).map(|seed| {
        let mut state = seed;
        let bytes = std::iter::repeat_with(move || {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            (state >> 56) as u8
        });
        random_chain::chain(&mut bytes.skip(8))
    });
    let patterns = chains.filter_map(|chain| random_chain::compile(&chain).ok());
    let automata = patterns
        .filter(|[pattern, _]| !pattern.uses_regex_engine())
        .count();
    assert!(automata > 30, "{automata} of 200");
}

#[test]
fn long_runs_of_white_space_are_split() {
    let text = " ".repeat(3_000_000) + "a";
    for pattern in scanners() {
        let has_space_rule = pattern
            .stages()
            .last()
            .is_some_and(|(source, _)| source.contains(r"\s+(?!\S)|\s"));
        let mut pieces = pattern.split(text.as_bytes());
        if has_space_rule {
            assert_eq!(pieces.next().unwrap().unwrap(), 0..2_999_999, "{pattern:?}");
        }
        assert_eq!(
            pieces
                .map(Result::unwrap)
                .last()
                .map_or(text.len(), |piece| piece.end),
            text.len()
        );
    }
}
