//! The texts to measure on: one from `fixtures`, and those of the large corpora in `../shared/data`,
//! outside the repository, that exist.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A text to measure on, read on first use.
#[derive(Debug)]
pub struct Corpus {
    name: String,
    path: PathBuf,
    repeat: usize,
    text: OnceLock<Vec<u8>>,
}

/// Minimum size of adversarial files in bytes; smaller ones are dominated by timer noise.
const MIN_ADVERSARIAL: u64 = 50_000;

/// The name of the text in `fixtures`.
const FIXTURE: &str = "fixture";

/// The names of the large corpora.
const LARGE: [&str; 3] = ["english_prose", "multilingual", "web_mix"];

/// Repetitions of the text in `fixtures`, which give a few megabytes.
const FIXTURE_REPEATED: usize = 16;

impl Corpus {
    fn new(name: impl Into<String>, path: PathBuf, repeat: usize) -> Self {
        Corpus {
            name: name.into(),
            path,
            repeat,
            text: OnceLock::new(),
        }
    }

    /// The name, without the file's extension: `english_prose`, `adversarial/spaces`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the text was constructed as a worst case.
    pub fn is_adversarial(&self) -> bool {
        self.name.starts_with("adversarial/")
    }

    /// Whether the text is a large natural corpus. Without any of those, the text in `fixtures` takes their
    /// place.
    pub fn is_natural(&self) -> bool {
        let is_only = !all().iter().any(|corpus| LARGE.contains(&corpus.name()));
        !self.is_adversarial() && (self.name != FIXTURE || is_only)
    }

    /// The whole text.
    ///
    /// # Panics
    /// If the file cannot be read.
    pub fn text(&self) -> &[u8] {
        self.text.get_or_init(|| match fs::read(&self.path) {
            Ok(text) => text.repeat(self.repeat),
            Err(error) => panic!("{}: {error}", self.path.display()),
        })
    }

    /// The lines in the first `size` bytes. The large corpora are shuffled in small pieces, so this is a
    /// representative sample.
    pub fn beginning(&self, size: usize) -> &[u8] {
        let text = self.text();
        let Some(beginning) = text.get(..size) else {
            return text;
        };
        let last_line = beginning.iter().rposition(|&byte| byte == b'\n');
        &text[..last_line.map_or(size, |newline| newline + 1)]
    }
}

/// All existing corpora: the fixture, the large ones, and the adversarial ones by name.
pub fn all() -> &'static [Corpus] {
    static ALL: OnceLock<Vec<Corpus>> = OnceLock::new();
    ALL.get_or_init(find)
}

fn find() -> Vec<Corpus> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = root.join("../shared/data");
    let large = data.join("corpora");

    let fixture = root.join("fixtures/corpus.txt");
    let mut corpora = vec![Corpus::new(FIXTURE, fixture, FIXTURE_REPEATED)];
    for name in LARGE {
        let path = large.join(name).with_extension("txt");
        if path.exists() {
            corpora.push(Corpus::new(name, path, 1));
        }
    }
    let generator = data.join("make_code_corpus.py");
    if generator.exists() {
        match source_code(&generator, &root.join("target/corpora")) {
            Ok(path) => corpora.push(Corpus::new("source_code", path, 1)),
            Err(error) => eprintln!("source_code skipped: it could not be generated: {error}"),
        }
    }
    corpora.extend(adversarial(&large.join("adversarial")));
    corpora
}

/// Generates the corpus of source code from the standard library of the installed Python.
fn source_code(generator: &Path, folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("source_code.txt");
    if path.exists() {
        return Ok(path);
    }
    fs::create_dir_all(folder)?;
    // Renamed once complete, so that an interrupted run leaves no partial file.
    let unfinished = folder.join(format!("source_code.{}", std::process::id()));
    let made = Command::new("python3")
        .arg(generator)
        .arg(&unfinished)
        .output()?;
    if !made.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&made.stderr)));
    }
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

fn adversarial(folder: &Path) -> Vec<Corpus> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<Corpus> = entries
        .flatten()
        .filter(|entry| {
            let size = entry.metadata().map_or(0, |metadata| metadata.len());
            size >= MIN_ADVERSARIAL
        })
        .filter_map(|entry| {
            let path = entry.path();
            let stem = path.file_stem()?.to_str()?;
            Some(Corpus::new(format!("adversarial/{stem}"), path, 1))
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}
