//! The commands in the guides and in README.md run.

use std::path::Path;
use std::process::Command;

use crate::support::{Folder, fixture_text, program};

/// The `sh` blocks of a page, joined.
fn script(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

#[cfg(unix)]
#[test]
fn every_command_of_the_guides_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let guides = std::fs::read_dir(root.join("docs")).unwrap();
    let mut pages: Vec<_> = guides.map(|guide| guide.unwrap().path()).collect();
    pages.push(root.join("README.md"));
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    let mut run = 0;
    for page in pages {
        let script = script(&std::fs::read_to_string(&page).unwrap());
        if page.ends_with("benchmarks.md") {
            assert!(script.is_empty());
            continue;
        }
        assert!(script.contains("tokenizer "), "{}", page.display());
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
        assert!(output.status.success(), "{}: {stderr}", page.display());
        run += 1;
    }
    assert!(run > 5, "only {run} pages");
}
