//! Every form of input gives the same ids.

use std::io::Write;

use crate::support::{Folder, fixture};

const DOCUMENTS: [&str; 5] = [
    "low lower\n\n",
    "",
    "slowest \"low\" é\\ 🙂",
    "lower",
    " low\t\r\n",
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn json_lines(field: &str) -> String {
    let line = |text: &&str| serde_json::json!({ "id": 7, field: text }).to_string() + "\n";
    DOCUMENTS.iter().map(line).collect()
}

/// A folder with each document in its own file: `0.txt`, `1.txt`, ...
fn folder() -> Folder {
    let folder = Folder::with_model();
    for (number, text) in DOCUMENTS.iter().enumerate() {
        folder.write(&format!("{number}.txt"), text);
    }
    folder
}

const FILES: [&str; 5] = ["0.txt", "1.txt", "2.txt", "3.txt", "4.txt"];

fn encode(folder: &Folder, arguments: &[&str]) -> String {
    let options = ["-m", "m.bpe", "-q"];
    let run = folder.run(&[&["encode"], arguments, &options].concat());
    run.succeeds().says_nothing().text().to_owned()
}

/// The ids of the documents, one line each.
fn wanted(folder: &Folder) -> String {
    let ids = encode(folder, &FILES);
    assert_eq!(ids.lines().count(), DOCUMENTS.len());
    ids
}

#[test]
fn json_lines_and_compressed_files_give_the_same_ids() {
    let folder = folder();
    let wanted = wanted(&folder);
    let lines = json_lines("text");
    folder.write("a.jsonl", &lines);
    folder.write("b.ndjson", lines.replace('\n', "\r\n\n"));
    folder.write("c.jsonl.gz", gzip(lines.as_bytes()));
    folder.write("d.jsonl.zst", zstandard(lines.as_bytes()));
    for name in ["a.jsonl", "b.ndjson", "c.jsonl.gz", "d.jsonl.zst"] {
        assert_eq!(encode(&folder, &[name]), wanted, "{name}");
    }
    folder.write("e.txt", json_lines("content"));
    let named = ["e.txt", "--json-lines", "--field", "content"];
    assert_eq!(encode(&folder, &named), wanted);
    let stdin = ["encode", "-", "--json-lines", "-m", "m.bpe", "-q"];
    for bytes in [
        lines.clone().into(),
        gzip(lines.as_bytes()),
        zstandard(lines.as_bytes()),
    ] {
        let run = folder.run_with(bytes, &stdin).succeeds();
        assert_eq!(run.text(), wanted);
    }
    // A compressed text is one document under any name.
    folder.write("f", gzip(lines.as_bytes()));
    folder.write("g", lines);
    assert_eq!(
        encode(&folder, &["f", "--text"]),
        encode(&folder, &["g", "--text"])
    );
}

/// The expected reading of an input.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Records,
    /// Other JSON, with the error for it as a `.json` file.
    Json(&'static str),
    /// Refused under every name and option, with the error.
    Never(&'static str),
}

/// Every content under every extension, plain and compressed, as a file and as standard input.
#[test]
fn inputs_are_read_by_content_and_name_or_refused() {
    let folder = Folder::with_model();
    let record = |text: &str| format!("{{\"text\": \"{text}\"}}\n");
    let lines = record("low") + &record("slower");
    folder.write("low", "low");
    folder.write("slower", "slower");
    let records = encode(&folder, &["low", "slower"]);
    let mut tar = vec![0; 1536];
    tar[..3].copy_from_slice(b"low");
    tar[257..265].copy_from_slice(b"ustar  \0");
    let contents: Vec<(&str, Vec<u8>, Kind)> = vec![
        ("records", lines.clone().into_bytes(), Kind::Records),
        (
            "array",
            b"[\n{\"text\": \"low\"}]\n".to_vec(),
            Kind::Json("a JSON array of objects"),
        ),
        (
            "number",
            b"12\n".to_vec(),
            Kind::Json("a .json file that does not start"),
        ),
        (
            "broken",
            b"{\"text\": \"low\n".to_vec(),
            Kind::Json("a .json file that does not start"),
        ),
        (
            "code",
            b"{\n  int low;\n}\n".to_vec(),
            Kind::Json("a .json file that does not start"),
        ),
        (
            "text",
            b"low lower\n".to_vec(),
            Kind::Json("a .json file that does not start"),
        ),
        ("tar", tar, Kind::Never("a tar archive")),
        (
            "zip",
            b"PK\x03\x04\x14\0".to_vec(),
            Kind::Never("a zip archive"),
        ),
        (
            "npy",
            b"\x93NUMPY\x01\0".to_vec(),
            Kind::Never("a NumPy array"),
        ),
        (
            "png",
            b"\x89PNG\r\n\x1a\n".to_vec(),
            Kind::Never("a PNG image"),
        ),
        (
            "arrow",
            b"ARROW1\0\0".to_vec(),
            Kind::Never("an Arrow IPC file"),
        ),
        (
            "utf16",
            b"\xff\xfel\0o\0w\0".to_vec(),
            Kind::Never("UTF-16 text"),
        ),
        ("model", folder.read("m.bpe"), Kind::Never("a .bpe model")),
    ];
    let names = [
        "a",
        "a.txt",
        "a.bin",
        "a.json",
        "a.JSON",
        "a.jsonl",
        "a.JSONL",
        "a.ndjson",
        "a.jsonlines",
        "a.jl",
    ];
    const LINES: [&str; 5] = ["a.jsonl", "a.JSONL", "a.ndjson", "a.jsonlines", "a.jl"];
    for (what, bytes, kind) in contents {
        // As text: the reference has a name without meaning.
        folder.write("whole", &bytes);
        let text = match kind {
            Kind::Never(_) => String::new(),
            _ => encode(&folder, &["whole", "--text"]),
        };
        let plain = bytes.clone();
        for (end, written) in [("", plain), (".GZ", gzip(&bytes))] {
            for name in names {
                let file = format!("{name}{end}");
                folder.write(&file, &written);
                let run = |options: &[&str]| {
                    let arguments = ["encode", &file, "-m", "m.bpe", "-o", "ids", "-q"];
                    let run = folder.run(&[&arguments[..], options].concat());
                    assert_eq!(run.code == 0, folder.exists("ids"), "{what} as {file}");
                    let ids = folder.exists("ids").then(|| folder.read("ids"));
                    let _ = std::fs::remove_file(folder.path("ids"));
                    (run, ids.map(|ids| String::from_utf8(ids).unwrap()))
                };
                let is_json = name.to_lowercase().ends_with(".json");
                let is_lines = LINES.contains(&name);
                let (detected, ids) = run(&[]);
                match kind {
                    Kind::Never(words) => {
                        detected.fails(1, &[&file, words]);
                        run(&["--text"]).0.fails(1, &[&file, words]);
                        run(&["--json-lines"]).0.fails(1, &[&file, words]);
                        continue;
                    }
                    Kind::Records if is_json || is_lines => assert_eq!(ids, Some(records.clone())),
                    Kind::Records => drop(
                        detected
                            .fails(1, &[&file, "JSON objects, one per line"])
                            .says(&["tip: ", "--json-lines", "--text"]),
                    ),
                    Kind::Json(words) if is_json => drop(
                        detected
                            .fails(1, &[&file, words])
                            .says(&["--json-lines", "--text"]),
                    ),
                    Kind::Json(_) if is_lines => {
                        drop(detected.fails(1, &[&file, "line 1, column"]))
                    }
                    _ => assert_eq!(ids, Some(text.clone()), "{what} as {file}"),
                }
                assert_eq!(run(&["--text"]).1, Some(text.clone()), "{what} as {file}");
                match kind {
                    Kind::Records => {
                        assert_eq!(
                            run(&["--json-lines"]).1,
                            Some(records.clone()),
                            "{what} as {file}"
                        );
                    }
                    _ => drop(
                        run(&["--json-lines"])
                            .0
                            .fails(1, &[&file, "line 1, column"]),
                    ),
                }
            }
            let standard = |options: &[&str]| {
                let arguments = ["encode", "-", "-m", "m.bpe", "-q"];
                folder.run_with(written.clone(), &[&arguments[..], options].concat())
            };
            match kind {
                Kind::Never(words) => {
                    drop(standard(&["--text"]).fails(1, &["standard input", words]))
                }
                Kind::Records => {
                    let words = ["standard input: ", "JSON objects, one per line"];
                    standard(&[])
                        .fails(1, &words)
                        .says(&["--json-lines", "--text"]);
                    assert_eq!(standard(&["--json-lines"]).succeeds().text(), records);
                    assert_eq!(standard(&["--text"]).succeeds().text(), text);
                }
                _ => assert_eq!(standard(&[]).succeeds().text(), text, "{what}"),
            }
        }
    }
}

#[test]
fn compressions_and_ids_that_are_not_read_are_named() {
    let folder = Folder::with_model();
    for (name, bytes, words) in [
        ("a.xz", &b"\xfd7zXZ\0\0\x04"[..], "xz compression"),
        ("a.bz2", b"BZh91AY&SY", "bzip2 compression"),
        ("a.lz4", b"\x04\x22\x4d\x18\x64\x40", "lz4 compression"),
    ] {
        folder.write(name, bytes);
        folder
            .run(&["count", name, "-m", "m.bpe"])
            .fails(1, &[name, words])
            .says(&["tip: decompress it"]);
    }
    folder.write(
        "a.tar.gz",
        gzip(&{
            let mut tar = vec![0; 1024];
            tar[257..263].copy_from_slice(b"ustar\0");
            tar
        }),
    );
    let words = ["a.tar.gz: a tar archive compressed with gzip"];
    folder
        .run(&["count", "a.tar.gz", "-m", "m.bpe"])
        .fails(1, &words);
    for name in ["ids.bin", "ids.u16", "ids.u32", "ids.npy"] {
        folder
            .run(&["encode", "corpus.txt", "-m", "m.bpe", "-o", name, "-q"])
            .succeeds();
        for name in [name, &format!("{name}.index")] {
            folder
                .run(&["encode", name, "-m", "m.bpe", "-o", "again.txt"])
                .fails(1, &[name, "token ids, not text"])
                .says(&["tip: `tokenizer decode`"]);
        }
    }
    assert!(!folder.exists("again.txt"));
    // `inspect` reads JSON as text, and refuses other contents.
    let inspect = ["inspect", "-m", "m.bpe"];
    folder.run_with("{\"a\": 1}", &inspect).succeeds();
    folder
        .run_with(folder.read("m.bpe"), &inspect)
        .fails(1, &["standard input: a .bpe model"]);
}

#[test]
fn every_command_refuses_before_it_writes() {
    let folder = Folder::with_model();
    for name in ["all", "all/deep"] {
        std::fs::create_dir(folder.path(name)).unwrap();
    }
    folder.write("all/a.txt", "low");
    folder.write("all/b.json", "[{\"text\": \"low\"}]");
    folder.write(
        "all/deep/c.txt",
        "{\"text\": \"low\"}\n{\"text\": \"low\"}\n",
    );
    folder.write("all/deep/d.png", b"\x89PNG\r\n\x1a\n");
    folder.write("all/e.txt.xz", b"\xfd7zXZ\0\0\x04");
    folder.write("all/f.jsonl", "{\"text\": \"low\"}\n");
    let all = [
        "4 inputs refused: all/b.json: a JSON array of objects",
        "; all/deep/c.txt: starts with JSON objects, one per line",
        "; all/deep/d.png: a PNG image, not text; all/e.txt.xz: xz compression",
    ];
    let before = folder.names();
    for command in [
        &["train", "-o", "x.bpe"][..],
        &["count-pieces", "-o", "x.tsv"],
        &["encode", "-m", "m.bpe", "-o", "x.txt"],
        &[
            "encode",
            "-m",
            "m.bpe",
            "-o",
            "x.bin",
            "--shard-tokens",
            "1",
        ],
        &["count", "-m", "m.bpe"],
        &["compare", "-m", "m.bpe", "--html", "x.html"],
    ] {
        let run = folder.run(&[command, &["all", "-r"]].concat());
        run.fails(1, &all).says(&["tip: --exclude GLOB"]);
        assert_eq!(folder.names(), before, "{command:?}");
    }
    let count = |options: &[&str]| {
        let arguments = ["count", "-r", "all", "-m", "m.bpe"];
        let run = folder.run(&[&arguments[..], options].concat()).succeeds();
        let lines = run
            .text()
            .lines()
            .filter_map(|line| line.split('\t').nth(2));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let excluded = [
        "--exclude",
        "*.png",
        "--exclude",
        "*.xz",
        "--exclude",
        "b.json",
    ];
    let chosen = ["all/a.txt", "all/deep/c.txt", "all/f.jsonl", "total"];
    assert_eq!(count(&[&excluded[..], &["--text"]].concat()), chosen);
    assert_eq!(
        count(&["--include", "*.txt", "--exclude", "deep/*"]),
        ["all/a.txt"]
    );
    assert_eq!(
        count(&["--include", "a.*", "--include", "/f*"]),
        ["all/a.txt", "all/f.jsonl", "total"]
    );
    assert_eq!(
        count(&["--include", "**/c.txt", "--json-lines"]),
        ["all/deep/c.txt"]
    );
    for glob in ["*.md", "a", "all/a.txt", "deep/a.txt"] {
        folder
            .run(&["count", "-r", "all", "-m", "m.bpe", "--include", glob])
            .fails(1, &["all: no file matches --include and --exclude"]);
    }
    for (arguments, words) in [
        (&["-r", "--include", "[a"][..], "invalid glob \"[a\""),
        (&["--include", "*"], "--recursive"),
        (&["--text", "--json-lines"], "cannot be used with"),
    ] {
        let run = folder.run(&[&["count", "all", "-m", "m.bpe"], arguments].concat());
        assert_eq!(run.code, 2, "{arguments:?}");
        run.says(&[words]);
    }
}

#[cfg(unix)]
#[test]
fn a_dangling_link_in_a_folder_is_an_error() {
    let folder = Folder::with_model();
    std::fs::create_dir(folder.path("all")).unwrap();
    folder.write("all/a.txt", "low");
    std::os::unix::fs::symlink("nowhere", folder.path("all/b.txt")).unwrap();
    folder
        .run(&["count", "-r", "all", "-m", "m.bpe"])
        .fails(1, &["all/b.txt: No such file"]);
    folder
        .run(&["count", "-r", "all", "-m", "m.bpe", "--exclude", "b.*"])
        .succeeds();
}

#[test]
fn doubtful_texts_are_warned_of() {
    let folder = Folder::with_model();
    folder.write("nul.txt", "low\0lower");
    folder.write("gbk.txt", b"\xc4\xe3\xba\xc3\xca\xc0\xbd\xe7".repeat(100));
    folder.write("latin.txt", b"Gr\xfc\xdfe aus M\xfcnchen".repeat(100));
    let nul = "warning: nul.txt: may not be text: NUL at byte 3\n";
    for command in [
        &["encode", "-m", "m.bpe", "-o", "x.txt"][..],
        &["train", "-o", "x.bpe", "--vocab-size", "256"],
        &["compare", "-m", "m.bpe", "-m", "m.bpe"],
    ] {
        let run = folder.run(&[command, &["nul.txt", "latin.txt", "gbk.txt", "-q"]].concat());
        let run = run.succeeds();
        assert_eq!(run.stderr.matches("warning: ").count(), 2, "{}", run.stderr);
        assert!(run.stderr.starts_with(nul), "{}", run.stderr);
        run.says(&["gbk.txt: may not be text: ", "characters are not UTF-8"]);
    }
    for arguments in [
        &["encode", "-", "-m", "m.bpe", "-q"][..],
        &["inspect", "-m", "m.bpe"],
    ] {
        folder
            .run_with("low\0", arguments)
            .succeeds()
            .says(&["warning: standard input: may not be text: NUL at byte 3\n"]);
    }
}

#[test]
fn lone_surrogates_are_replaced_or_refused() {
    let folder = Folder::with_model();
    let lines = [
        r#"{"text": "low"}"#,
        r#"{"\ud800": 1, "text": "a\ud83dz \ude42\ud83d"}"#,
    ];
    folder.write("a.jsonl", lines.join("\n"));
    folder.write("low", "low");
    folder.write("b", "a\u{fffd}z \u{fffd}\u{fffd}");
    assert_eq!(
        encode(&folder, &["a.jsonl"]),
        encode(&folder, &["low", "b"])
    );
    let strict = |name: &str| {
        folder.run(&[
            "encode", name, "-m", "m.bpe", "--errors", "strict", "-o", "x",
        ])
    };
    strict("a.jsonl")
        .fails(
            1,
            &["a.jsonl: line 2: byte 1 is not UTF-8: a lone surrogate"],
        )
        .says(&["tip: --errors keep replaces the JSON escape by U+FFFD"]);
    let good = [lines[0], r#"{"\ud800": 1, "text": "\ud83d\ude42 \\ud83d"}"#];
    folder.write("c.jsonl", good.join("\n"));
    strict("c.jsonl").succeeds();
}

#[test]
fn lines_and_separated_texts_give_the_same_ids() {
    let folder = folder();
    let wanted = wanted(&folder);
    folder.write("a.txt", DOCUMENTS.join("<|end|>") + "<|end|>");
    let separated = encode(&folder, &["a.txt", "--document-separator", "<|end|>"]);
    assert_eq!(separated, wanted);
    let lines = ["low", "", " lower\r"];
    folder.write("b.txt", lines.join("\n"));
    for (number, line) in lines.iter().enumerate() {
        folder.write(&format!("line{number}"), line);
    }
    let wanted = encode(&folder, &["line0", "line1", "line2"]);
    assert_eq!(encode(&folder, &["b.txt", "--per-line"]), wanted);
    folder.write("b.gz", gzip(lines.join("\n").as_bytes()));
    assert_eq!(encode(&folder, &["b.gz", "--per-line"]), wanted);
    let both = [
        "encode",
        "b.txt",
        "-m",
        "m.bpe",
        "--per-line",
        "--document-separator",
        "x",
    ];
    folder.run(&both).fails(2, &["cannot be used with"]);
    let empty = ["encode", "b.txt", "-m", "m.bpe", "--document-separator", ""];
    assert_eq!(folder.run(&empty).code, 2);
}

#[test]
fn tables_give_the_ids_of_their_rows() {
    let folder = Folder::with_model();
    let table = fixture("documents/documents.parquet");
    let lines = fixture("documents/documents.jsonl");
    let (table, lines) = (table.to_str().unwrap(), lines.to_str().unwrap());
    let wanted = encode(&folder, &[lines]);
    assert!(wanted.lines().count() > 5);
    assert_eq!(encode(&folder, &[table]), wanted);
    let column = [table, "--column", "inner.content"];
    assert_eq!(encode(&folder, &column), wanted);
    let run = folder.run_with(
        std::fs::read(table).unwrap(),
        &["encode", "-", "-m", "m.bpe", "-q"],
    );
    assert_eq!(run.succeeds().text(), wanted);
    folder
        .run(&["encode", table, "-m", "m.bpe", "--column", "body"])
        .fails(
            1,
            &["documents.parquet: no column \"body\"", "inner.content"],
        )
        .says(&["tip: --column"]);
    folder
        .run(&["encode", table, "-m", "m.bpe", "--column", "id"])
        .fails(1, &["column \"id\" does not contain one string per row"]);
    folder
        .run(&["encode", table, "-m", "m.bpe", "--column", "holes"])
        .fails(1, &["row 2: null in column \"holes\""]);
    let count = ["count-pieces", table, "-o", "a.tsv", "-q"];
    folder.run(&count).succeeds();
    folder
        .run(&["count-pieces", lines, "-o", "b.tsv", "-q"])
        .succeeds();
    assert_eq!(folder.read("a.tsv"), folder.read("b.tsv"));
}

/// A table of one nullable column.
fn table(groups: &[Vec<Option<String>>]) -> Vec<u8> {
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::writer::SerializedFileWriter;

    let schema = "message m { optional binary text (STRING); }";
    let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, schema.into(), Default::default()).unwrap();
    for rows in groups {
        let values: Vec<ByteArray> = rows.iter().flatten().map(|s| s.as_str().into()).collect();
        let levels: Vec<i16> = rows.iter().map(|row| row.is_some().into()).collect();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

#[test]
fn row_groups_give_the_same_ids_on_any_number_of_threads() {
    let folder = Folder::with_model();
    let row = |row: usize| Some(format!("low {row} ").repeat(row % 100));
    let mut groups: Vec<Vec<_>> = [700, 1, 0, 60_000, 300]
        .map(|rows| (0..rows).map(row).collect())
        .into();
    folder.write("a.parquet", table(&groups));
    let lines: String = groups
        .concat()
        .into_iter()
        .flatten()
        .map(|text| text + "\n")
        .collect();
    folder.write("a.txt", lines);
    let wanted = encode(&folder, &["a.txt", "--per-line"]);
    for threads in ["1", "2", "3", "8"] {
        let found = encode(&folder, &["a.parquet", "--threads", threads]);
        assert!(found == wanted, "{threads} threads");
    }
    groups[3][50_000] = None;
    groups[4][7] = None;
    folder.write("b.parquet", table(&groups));
    for threads in ["1", "2", "3", "8"] {
        folder
            .run(&[
                "encode",
                "b.parquet",
                "-m",
                "m.bpe",
                "-o",
                "x",
                "--threads",
                threads,
            ])
            .fails(1, &["b.parquet: row 50702: null in column \"text\""]);
    }
    assert!(!folder.exists("x"));
}

#[test]
fn folders_are_walked_in_order_when_asked() {
    let folder = folder();
    let wanted = wanted(&folder);
    for name in ["all/b", "all/.git"] {
        std::fs::create_dir_all(folder.path(name)).unwrap();
    }
    for (text, name) in DOCUMENTS
        .iter()
        .zip(["all/a", "all/b/1", "all/b/2\n", "all/c.txt"])
    {
        folder.write(name, text);
    }
    folder.write("all/.git/x", "hidden");
    folder.write("all/d.zst", zstandard(DOCUMENTS[4].as_bytes()));
    assert_eq!(encode(&folder, &["--recursive", "all"]), wanted);
    folder
        .run(&["encode", "all", "-m", "m.bpe"])
        .fails(1, &["all: is a directory"])
        .says(&["tip: --recursive"]);
    std::fs::create_dir(folder.path("empty")).unwrap();
    assert_eq!(encode(&folder, &["-r", "empty"]), "");
    let run = folder.run(&["count", "-r", "all/b", "-m", "m.bpe"]);
    let names: Vec<&str> = run
        .text()
        .lines()
        .filter_map(|l| l.split('\t').nth(2))
        .collect();
    assert_eq!(names, ["all/b/1", "all/b/2", "total"]);
}

#[test]
fn training_and_counting_are_the_same_on_every_form() {
    let folder = folder();
    let lines = json_lines("text").repeat(3);
    folder.write("a.jsonl", &lines);
    folder.write("a.jsonl.gz", gzip(lines.as_bytes()));
    let train = |arguments: &[&str]| {
        let options = ["-o", "n.bpe", "--vocab-size", "280", "-q"];
        let run = folder.run(&[&["train"], arguments, &options].concat());
        run.succeeds();
        folder.read("n.bpe")
    };
    let wanted = train(&[FILES, FILES, FILES].concat());
    assert!(train(&["a.jsonl"]) == wanted);
    assert!(train(&["a.jsonl.gz"]) == wanted);
    for threads in ["1", "3"] {
        assert!(train(&["a.jsonl.gz", "--threads", threads]) == wanted);
    }
    let capped = train(&["a.jsonl", "--doc-cap", "3", "--max-chars", "20"]);
    assert!(
        train(&[&FILES[..], &FILES, &["--doc-cap", "3", "--max-chars", "20"]].concat()) == capped
    );
    let tokens = |name: &str| {
        let run = folder.run(&["count", name, "-m", "m.bpe"]).succeeds();
        let (tokens, rest) = run.text().split_once('\t').unwrap();
        (
            tokens.to_owned(),
            rest.split('\t').next().unwrap().to_owned(),
        )
    };
    assert_eq!(tokens("a.jsonl"), tokens("a.jsonl.gz"));
    let bytes: usize = DOCUMENTS.iter().map(|text| text.len()).sum();
    assert_eq!(tokens("a.jsonl").1, (3 * bytes).to_string());
}

#[test]
fn cutting_large_texts_does_not_change_ids() {
    let folder = Folder::with_model();
    let text = "slow and lower, lowest of all; \u{6771}\u{4eac} 12345\n".repeat(500_000);
    folder.write("large.txt", &text);
    folder.write("large.gz", gzip(text.as_bytes()));
    let line = format!("{{\"text\": {}}}", serde_json::Value::from(text.clone()));
    folder.write("large.jsonl", line);
    let ids = |name: &str| encode(&folder, &[name, "--format", "jsonl"]);
    let wanted = ids("large.jsonl");
    assert_eq!(wanted.lines().count(), 1);
    assert!(ids("large.txt") == wanted);
    assert!(ids("large.gz") == wanted);
    let counts = |name: &str| {
        folder
            .run(&["count-pieces", name, "-o", "c.tsv", "-q"])
            .succeeds();
        folder.read("c.tsv")
    };
    let wanted = counts("large.jsonl");
    assert!(counts("large.txt") == wanted);
    assert!(counts("large.gz") == wanted);
}

#[test]
fn errors_name_the_file_and_the_line() {
    let folder = Folder::with_model();
    let compressed = gzip("low lower lowest ".repeat(1000).as_bytes());
    folder.write("good.txt", "low");
    folder.write("cut.gz", &compressed[..compressed.len() / 2]);
    folder.write("cut.zst", &zstandard(&[b'a'; 1000])[..12]);
    folder.write("cut.parquet", "PAR1");
    folder.write("empty.parquet", "");
    folder.write("a.jsonl", "{\"text\": \"a\"}\n{\"text\": 1}\n");
    folder.write("b.jsonl", b"{\"text\": \"a\"}\n\n{\"text\": \"b\xff\"}\n");
    for (name, words) in [
        ("cut.gz", "invalid or truncated gzip data"),
        ("cut.zst", "invalid or truncated Zstandard data"),
        ("cut.parquet", "invalid Parquet table"),
        ("empty.parquet", "invalid Parquet table"),
        (
            "a.jsonl",
            "line 2, column 10: invalid type: integer `1`, expected a string",
        ),
    ] {
        for command in ["train", "encode", "count-pieces"] {
            let output = if command == "encode" { "ids" } else { "x.tsv" };
            let output = if command == "train" { "x.bpe" } else { output };
            let arguments = [command, "good.txt", name, "-o", output];
            let model = ["-m", "m.bpe"];
            let model = if command == "encode" { &model[..] } else { &[] };
            let run = folder.run(&[&arguments[..], model].concat());
            run.fails(1, &[name, words]);
            assert!(!folder.exists(output), "{name}");
        }
    }
    let strict = ["encode", "b.jsonl", "-m", "m.bpe", "--errors", "strict"];
    folder
        .run(&strict)
        .fails(1, &["b.jsonl: line 3: byte 1 is not UTF-8"]);
    assert!(encode(&folder, &["b.jsonl"]).ends_with(" 255\n"));
}

#[test]
fn a_pattern_that_fails_names_the_line() {
    let folder = Folder::new();
    folder.write("fine.txt", "b");
    let train = [
        "train",
        "fine.txt",
        "-o",
        "m.bpe",
        "-q",
        "--pattern",
        "(?:a|a)+(?=c)|.",
    ];
    folder.run(&train).succeeds();
    folder.write("bomb.txt", format!("b\n\nbb{}\n", "a".repeat(64)));
    let words = ["bomb.txt: line 3: the pattern failed at byte 2:"];
    folder
        .run(&["encode", "bomb.txt", "--per-line", "-m", "m.bpe"])
        .fails(1, &words);
    let mut again = train;
    (again[1], again[3]) = ("bomb.txt", "n.bpe");
    folder
        .run(&[&again[..], &["--per-line"]].concat())
        .fails(1, &words);
}
