//! A clean folder to run the program in.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// What a run of the program left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    /// Asserts that the run failed with `code`, and that its error line contains all `words`.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.stderr);
        let mut lines = self.stderr.lines();
        let error = lines.find(|line| line.starts_with("error: "));
        let error = error.unwrap_or_else(|| panic!("no error: {}", self.stderr));
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
        if code == 1 {
            assert!(
                lines.all(|line| line.is_empty() || line.starts_with("  tip: ")),
                "{}",
                self.stderr
            );
        }
        self
    }

    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is not in {:?}",
                self.stderr
            );
        }
        self
    }

    #[track_caller]
    pub(crate) fn says_nothing(self) -> Self {
        assert_eq!(self.stderr, "");
        self
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

/// A folder for one test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    /// With a model `m.bpe`, trained on a few words, with the special token `<s>`.
    pub(crate) fn with_model() -> Self {
        let folder = Folder::new();
        folder.write(
            "corpus.txt",
            "low lower lowest slow slower slowest ".repeat(9),
        );
        folder
            .run(&[
                "train",
                "corpus.txt",
                "-o",
                "m.bpe",
                "--vocab-size",
                "270",
                "--special",
                "<s>",
            ])
            .succeeds();
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// The names of all files, temporary ones included.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.current_dir(self.0.path()).args(arguments);
        command.timeout(std::time::Duration::from_secs(120));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with("", arguments)
    }

    /// With `stdin` as standard input.
    pub(crate) fn run_with(&self, stdin: impl Into<Vec<u8>>, arguments: &[&str]) -> Run {
        let output = self.command(arguments).write_stdin(stdin).output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_tokenizer")
}

/// A file of the repository's `fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub(crate) fn fixture_text(name: &str) -> String {
    fs::read_to_string(fixture(name)).unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that are no UTF-8, and some that are.
pub(crate) const MIXED_BYTES: &[u8] =
    b"\xef\xbb\xbfslow\r\n\xff\xfe \xe2\x82 lower\0\x80\xf0\x9f\x98\x80 \xf0\x9f\x98";
