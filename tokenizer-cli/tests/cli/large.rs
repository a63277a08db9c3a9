//! Corpora and vocabularies of the shared data.

use crate::absent::shared;
use crate::support::{Folder, sha256};

#[test]
fn tinyshakespeare_gives_the_table_of_rustbpe() {
    let Some(corpus) = shared("corpora/tinyshakespeare.txt") else {
        return;
    };
    let folder = Folder::new();
    let corpus = corpus.to_str().unwrap();
    let options = ["--vocab-size", "4096", "--pattern", "nanochat", "-q"];
    folder
        .run(&[&["train", corpus, "-o", "m.tiktoken"], &options[..]].concat())
        .succeeds()
        .says_nothing();
    // Made with rustbpe 0.1.0.
    let want = "1d6acd631a7f35aec3b559ab47b889fb858cea1b67d71a49999d43550e925138";
    assert_eq!(sha256(&folder.read("m.tiktoken")), want);
}

#[test]
fn hard_files_come_back_byte_for_byte() {
    let (Some(files), Some(ranks)) = (
        shared("corpora/adversarial"),
        shared("vocabs/cl100k_base.tiktoken"),
    ) else {
        return;
    };
    let folder = Folder::new();
    let ranks = ranks.to_str().unwrap();
    folder
        .run(&["convert", ranks, "--pattern", "cl100k_base", "-o", "m.bpe"])
        .succeeds();
    for file in std::fs::read_dir(files).unwrap() {
        let path = file.unwrap().path();
        let name = path.to_str().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let options = ["--text", "-m", "m.bpe", "-o", "ids.npy", "-q"];
        let run = folder.run(&[&["encode", name], &options[..]].concat());
        let run = run.succeeds();
        // Files with NUL or many invalid bytes are read with a warning.
        if std::str::from_utf8(&bytes).is_ok() && !bytes.contains(&0) {
            run.says_nothing();
        }
        folder
            .run(&["decode", "ids.npy", "-m", "m.bpe", "-o", "back", "-q"])
            .succeeds();
        assert!(folder.read("back") == bytes, "{name}");
        std::fs::remove_file(folder.path("ids.npy")).unwrap();
    }
}
