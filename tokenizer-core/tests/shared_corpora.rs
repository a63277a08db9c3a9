//! What holds on the large public corpora, where they are at hand beside the project.

mod absent;

use std::path::PathBuf;

use tokenizer_core::internals::Tier;
use tokenizer_core::{Gaps, Pattern, PatternName};

/// Every file of the shared corpora, by name; none where the folder is absent.
fn corpora() -> Vec<PathBuf> {
    let folders = ["corpora", "corpora/adversarial"]
        .into_iter()
        .filter_map(absent::shared);
    let entries = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn ends(pattern: &Pattern, tier: Tier, text: &[u8]) -> Result<Vec<usize>, usize> {
    let pieces = pattern.split_on(tier, text);
    pieces
        .map(|piece| piece.map(|piece| piece.end).map_err(|error| error.offset))
        .collect()
}

#[test]
fn scanners_split_every_corpus_as_the_regex_engine_does() {
    for path in corpora() {
        let text = std::fs::read(&path).unwrap();
        for name in PatternName::ALL {
            let scanner = Pattern::named(name);
            let regex = Pattern::through_regex_engine(name.regex(), Gaps::Keep).unwrap();
            let want = ends(&regex, Tier::Scalar, &text).unwrap_or_else(|offset| {
                // The engine's stack is too small for a million characters of white space that
                // something may follow. The rule is plain there: at the end of the text all of it
                // is one piece, and these files hold nothing else.
                assert_eq!(offset, 0, "{}", path.display());
                assert!(
                    text.iter().all(u8::is_ascii_whitespace),
                    "{}",
                    path.display()
                );
                vec![text.len()]
            });
            for tier in Tier::available() {
                let got = ends(&scanner, tier, &text).unwrap();
                assert!(got == want, "{name}, {tier}, {}", path.display());
            }
            let mut in_parts = Vec::new();
            for part in scanner.parts(&text, 1 << 16) {
                let start = part.start;
                let part = ends(&scanner, Tier::best(), &text[part]).unwrap();
                in_parts.extend(part.into_iter().map(|end| start + end));
            }
            assert!(in_parts == want, "{name}, in parts, {}", path.display());
        }
    }
}
