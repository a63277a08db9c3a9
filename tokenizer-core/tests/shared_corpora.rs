//! What holds on the large public corpora, where they are at hand beside the project.

use std::path::{Path, PathBuf};

use tokenizer_core::internals::Tier;
use tokenizer_core::{Gaps, Pattern, PatternName};

/// Every file of `../shared/data/corpora`, by name; none where the folder is not there.
fn corpora() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/corpora");
    let mut files = Vec::new();
    for folder in [root.clone(), root.join("adversarial")] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            eprintln!("the shared corpora are not at hand: nothing to compare");
            return files;
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        files.extend(paths.filter(|path| path.is_file()));
    }
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
