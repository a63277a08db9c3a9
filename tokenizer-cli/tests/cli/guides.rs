//! The commands of the guides do what they say.

use std::path::Path;
use std::process::Command;

use crate::support::{Folder, fixture_text, program};

/// All blocks of shell of a guide, one behind the other.
fn script(guide: &str) -> String {
    let parts = guide.split("```sh\n").skip(1);
    parts
        .map(|part| part.split("```").next().unwrap())
        .collect()
}

#[cfg(unix)]
#[test]
fn every_command_of_the_guides_runs() {
    let guides = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut run = 0;
    for guide in std::fs::read_dir(guides).unwrap() {
        let path = guide.unwrap().path();
        if path.extension().is_none_or(|end| end != "md") {
            continue;
        }
        let script = script(&std::fs::read_to_string(&path).unwrap());
        // `benchmarks.md` has no commands for a shell.
        if path.ends_with("benchmarks.md") {
            assert!(script.is_empty());
            continue;
        }
        assert!(script.contains("tokenizer "), "{}", path.display());
        let folder = Folder::new();
        folder.write("corpus.txt", fixture_text("corpus.txt"));
        std::fs::create_dir(folder.path("corpus")).unwrap();
        folder.write("corpus/a.txt", fixture_text("corpus.txt"));
        folder.write("corpus/b.jsonl", fixture_text("documents/documents.jsonl"));
        let bin = Path::new(program()).parent().unwrap();
        let paths = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-e", "-c", &script])
            .env("PATH", format!("{}:{paths}", bin.display()))
            .current_dir(folder.path(""))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {stderr}", path.display());
        run += 1;
    }
    assert_eq!(run, 5);
}
