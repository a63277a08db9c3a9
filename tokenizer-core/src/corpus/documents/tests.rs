use std::io::{self, Write};

use proptest::prelude::*;

use super::*;
use crate::corpus::{ReadAs, Refused};
use crate::pattern::{Pattern, PatternName};

fn options(units: Units) -> DocumentOptions {
    DocumentOptions {
        units,
        ..DocumentOptions::default()
    }
}

fn json_lines() -> DocumentOptions {
    DocumentOptions {
        read_as: ReadAs::JsonLines,
        ..DocumentOptions::default()
    }
}

fn all(bytes: &[u8], options: &DocumentOptions) -> Result<Vec<Vec<u8>>, DocumentError> {
    let documents = Documents::of_stream(io::Cursor::new(bytes.to_vec()), options)?;
    documents
        .map(|stretch| Ok(stretch?.as_ref().to_vec()))
        .collect()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn text_is_divided_into_units() {
    let lines = |text: &str| all(text.as_bytes(), &options(Units::Lines)).unwrap();
    assert_eq!(lines("a\r\n\nb"), texts(&["a\r", "", "b"]));
    assert_eq!(lines("a\n"), texts(&["a"]));
    assert_eq!(lines(""), texts(&[]));
    let separated = |text: &str, separator: &str| {
        let units = Units::Separated(separator.into());
        all(text.as_bytes(), &options(units)).unwrap()
    };
    assert_eq!(
        separated("a<s>b<s><s>c", "<s>"),
        texts(&["a", "b", "", "c"])
    );
    assert_eq!(separated("<s>a\n<s>", "<s>"), texts(&["", "a\n"]));
    assert_eq!(separated("aaa", "aa"), texts(&["", "a"]));
    assert_eq!(all(b"", &options(Units::Whole)).unwrap(), texts(&[""]));
    assert_eq!(
        all(b"\xffa\n", &options(Units::Whole)).unwrap(),
        [b"\xffa\n"]
    );
}

#[test]
fn json_strings_are_unescaped_and_invalid_utf8_kept() {
    let lines = b"{\"id\":{\"text\":[1]},\"text\":\"a\\n\\u00e9\\ud83d\\ude42\"}\n \r\n\
        {\"text\":\"x\",\"text\":\"y\"}\n{\"text\":\"\\ud800 \xff\"}";
    let wanted: [&[u8]; 3] = ["a\né🙂".as_bytes(), b"y", b"\xef\xbf\xbd \xff"];
    assert_eq!(all(lines, &json_lines()).unwrap(), wanted);
    let mut other = json_lines();
    other.field = "é".to_owned();
    assert_eq!(
        all("{\"é\":\"1\"}".as_bytes(), &other).unwrap(),
        texts(&["1"])
    );
}

#[test]
fn json_errors_name_line_and_column() {
    for (line, message) in [
        (
            "[1]",
            "line 2, column 0: invalid type: sequence, expected an object",
        ),
        ("{\"text\":null}", "expected a string"),
        ("{\"text\":3}", "expected a string"),
        ("{\"text\":[97]}", "expected a string"),
        ("{\"other\":\"\"}", "no field \"text\""),
        (
            "{\"text\":\"a\"} b",
            "line 2, column 14: trailing characters",
        ),
        (
            "{\"text\":\"a",
            "line 2, column 10: EOF while parsing a string",
        ),
        ("text", "line 2, column 2: expected ident"),
    ] {
        let lines = format!("{{\"text\":\"\"}}\n{line}\n");
        let error = all(lines.as_bytes(), &json_lines())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("line 2, "), "{line}: {error}");
        assert!(error.contains(message), "{line}: {error}");
    }
    let deep = format!("{{\"a\":{}", "[".repeat(1 << 20));
    assert!(all(deep.as_bytes(), &json_lines()).is_err());
}

#[test]
fn compression_is_detected_by_content() {
    let text = "a b c ".repeat(1000);
    for compressed in [gzip(text.as_bytes()), zstandard(text.as_bytes())] {
        let whole = options(Units::Whole);
        assert_eq!(all(&compressed, &whole).unwrap(), [text.as_bytes()]);
        let twice = [compressed.clone(), compressed.clone()].concat();
        assert_eq!(all(&twice, &whole).unwrap(), [text.repeat(2).as_bytes()]);
        for cut in [5, compressed.len() / 2, compressed.len() - 1] {
            let error = all(&compressed[..cut], &whole).unwrap_err();
            assert!(
                matches!(error, DocumentError::Compressed { .. }),
                "{cut}: {error}"
            );
        }
        let again = zstandard(&compressed);
        let error = all(&again, &whole).unwrap_err().to_string();
        assert!(error.contains("compressed with"), "{error}");
    }
    let error = all(&gzip(b"PAR1"), &options(Units::Whole)).unwrap_err();
    assert!(matches!(error, DocumentError::Table(_)), "{error}");
}

#[test]
fn extensions_select_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let lines = b"{\"text\":\"a\"}\n";
    for (name, bytes, is_json) in [
        ("a.jsonl", lines.to_vec(), true),
        ("a.ndjson", lines.to_vec(), true),
        ("a.jsonl.gz", gzip(lines), true),
        ("a.jsonl.zst", zstandard(lines), true),
        ("a.jsonl", zstandard(lines), true),
        ("a.txt", b"a {\"text\":\"a\"}\n".to_vec(), false),
        ("a.gz", gzip(b"a {\"text\":\"a\"}\n"), false),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let documents = Documents::of_file(&path, &options(Units::Whole)).unwrap();
        let texts: Vec<Stretch> = documents.collect::<Result<_, _>>().unwrap();
        let wanted = if is_json {
            &b"a"[..]
        } else {
            b"a {\"text\":\"a\"}\n"
        };
        assert_eq!(texts.len(), 1, "{name}");
        assert_eq!(texts[0].as_ref(), wanted, "{name}");
    }
    assert!(Documents::of_file(folder.path(), &options(Units::Whole)).is_err());
}

#[test]
fn truncation_while_reading_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "a line\n".repeat(1 << 19)).unwrap();
    for units in [Units::Lines, Units::Whole] {
        let mut options = options(units);
        options.cut = Some(Pattern::named(PatternName::Gpt2));
        let mut documents = Documents::of_file(&path, &options).unwrap();
        assert!(documents.next().unwrap().is_ok());
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let length = file.metadata().unwrap().len() - 8;
        file.set_len(length).unwrap();
        let error = documents.find_map(Result::err).unwrap().to_string();
        let wanted = format!(
            "truncated while being read: {length} of {} bytes",
            length + 8
        );
        assert_eq!(error, wanted);
        assert!(documents.next().is_none());
    }
}

/// Asserts that the position grows up to the size of the file.
fn assert_position(path: &std::path::Path) {
    let size = path.metadata().unwrap().len();
    let mut options = options(Units::Whole).threads(2);
    options.cut = Some(Pattern::named(PatternName::Gpt2));
    let mut documents = Documents::of_file(path, &options).unwrap();
    let mut positions = vec![];
    while let Some(stretch) = documents.next() {
        stretch.unwrap();
        positions.push(documents.position());
    }
    assert!(positions.is_sorted(), "{path:?}");
    assert!(positions[0] < size, "{path:?}: {} of {size}", positions[0]);
    assert_eq!(documents.position(), size, "{path:?}");
}

#[test]
fn the_position_is_that_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..500_000).map(|n| format!("{n} ")).collect();
    // Scrambled numbers, which compress to more than one read.
    let lines: String = (0..200_000_u32)
        .map(|n| format!("{{\"text\":\"{}\"}}\n", n.wrapping_mul(2_654_435_761)))
        .collect();
    for (name, bytes) in [
        ("a.txt", text.clone().into_bytes()),
        ("a.txt.gz", gzip(text.as_bytes())),
        ("a.txt.zst", zstandard(text.as_bytes())),
        ("a.jsonl", lines.clone().into_bytes()),
        ("a.jsonl.zst", zstandard(lines.as_bytes())),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert_position(&path);
    }
    let mut documents = Documents::of_stream(&b"text"[..], &options(Units::Whole)).unwrap();
    assert_eq!(documents.position(), 0);
    documents.next().unwrap().unwrap();
    assert_eq!(documents.position(), 4);
}

/// The documents of a file, or the error. `look` must give the same error.
fn read(path: &std::path::Path, options: &DocumentOptions) -> Result<Vec<Vec<u8>>, String> {
    let looked = Documents::look(path, options);
    let documents = Documents::of_file(path, options).map_err(|error| error.to_string());
    if let Err(error) = &documents {
        assert_eq!(looked.unwrap_err().to_string(), *error, "{path:?}");
    } else {
        assert!(looked.unwrap().is_some(), "{path:?}");
    }
    documents?
        .map(|stretch| match stretch {
            Ok(stretch) => Ok(stretch.as_ref().to_vec()),
            Err(error) => Err(error.to_string()),
        })
        .collect()
}

/// Inputs, each with its kind. If an input is refused under every name, its kind is a part of the error.
fn contents() -> Vec<(&'static str, Vec<u8>)> {
    let mut tar = vec![0; 1024];
    tar[..5].copy_from_slice(b"a.txt");
    tar[257..263].copy_from_slice(b"ustar\0");
    let utf16 = |text: &str, mark: [u8; 2]| {
        let units = text.encode_utf16();
        let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        [&mark[..], &bytes].concat()
    };
    let long = "x".repeat((1 << 20) + 9);
    vec![
        ("records", b"{\"text\":\"a\"}\n{\"text\":\"b\"}\n".to_vec()),
        (
            "records",
            b"\n {\"text\": \"a\"} \r\n\r\n{\"text\":\"b\"}".to_vec(),
        ),
        (
            "records",
            b"\xef\xbb\xbf{\"text\":\"a\"}\n{\"text\":\"b\"}\n".to_vec(),
        ),
        ("record", b"{\"text\":\"a\"}".to_vec()),
        ("record", b"{\"n\\\"\":[{}], \"text\":\"a\"}\n\n".to_vec()),
        (
            "long record",
            format!("{{\"text\":\"{long}\"}}\n{{\"text\":\"b\"}}\n").into_bytes(),
        ),
        ("broken record", b"{\"text\":\"a\"}\n{\"text\":\"b".to_vec()),
        ("nothing", Vec::new()),
        ("nothing", b" \n\n".to_vec()),
        ("array", b"[\n {\"text\": \"a\"}\n]\n".to_vec()),
        ("array", b"[{\"text\":\"a\"},{\"text\":\"b\"}]".to_vec()),
        ("json", b"[1, 2]\n".to_vec()),
        ("json", b"{\n  \"text\": \"a\"\n}\n".to_vec()),
        ("json", b"{\"text\": \"a\",\n \"n\": 1}\n".to_vec()),
        ("json", b"\"text\"\n".to_vec()),
        ("text", b"a text\n".to_vec()),
        ("text", b"{\"text\":\"a\"}\nand more\n".to_vec()),
        ("text", b"{\"text\":\"a\n".to_vec()),
        ("text", b"{{name}} of {{town}}\n{{name}}\n".to_vec()),
        ("text", b"{\"a\", \"b\"},\n{\"c\"},\n".to_vec()),
        ("text", b"{\\bf a}\n{\\it b}\n".to_vec()),
        ("text", b"{\n  return x;\n}\n".to_vec()),
        ("text", b"{'a': 1}\n{'b': 2}\n".to_vec()),
        ("text", b"{".to_vec()),
        ("text", b"{\"".to_vec()),
        ("text", format!("{{\"{long}").into_bytes()),
        (
            "text",
            format!("{}{{\"a\": 1}}\n", " ".repeat((1 << 20) + 9)).into_bytes(),
        ),
        ("text", b"PK ustar GIF89a is an image\n".to_vec()),
        ("text", b"GIF89a is an image\n".to_vec()),
        ("text", b"%PDF-files\n".to_vec()),
        ("text", b"The ftyp box\n".to_vec()),
        ("text", b"IQ 0\nIg 1\nIw 2\n".to_vec()),
        ("text", b"# pattern: of speech\nby\tme\n".to_vec()),
        ("text", b"\xef\xbb\xbftext\r\n".to_vec()),
        ("a tar archive", tar),
        ("a zip archive", b"PK\x03\x04\x14\0".to_vec()),
        ("a zip archive", b"PK\x05\x06".to_vec()),
        ("a 7z archive", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec()),
        ("a NumPy array", b"\x93NUMPY\x01\0v\0{'descr'".to_vec()),
        ("a PNG image", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec()),
        ("a JPEG image", b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec()),
        ("a GIF image", b"GIF89a\x01\0\x01\0\x80\0\0".to_vec()),
        ("a PDF document", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec()),
        ("an Arrow IPC file", b"ARROW1\0\0\xff\xff\xff\xff".to_vec()),
        (
            "an Arrow IPC stream",
            b"\xff\xff\xff\xff\x70\0\0\0\x10\0\0\0\0\0".to_vec(),
        ),
        ("a .bpe model", crate::format::native::MAGIC.to_vec()),
        ("a .tiktoken model", b"IQ== 0\nIg== 1\nIw== 2\n".to_vec()),
        (
            "a file of piece counts",
            b"# pattern: cl100k\nIGNhdA==\t12\n".to_vec(),
        ),
        ("Megatron token ids", b"MMIDIDX\0\0\x01".to_vec()),
        ("UTF-16", utf16("a text", [0xFF, 0xFE])),
        ("UTF-16", b"\xfe\xff\0a\0b".to_vec()),
        ("UTF-32", b"\xff\xfe\0\0a\0\0\0".to_vec()),
        ("xz", b"\xfd7zXZ\0\0\x04".to_vec()),
        ("bzip2", b"BZh91AY&SY".to_vec()),
        ("lz4", b"\x04\x22\x4d\x18\x64\x40".to_vec()),
    ]
}

const NAMES: [&str; 13] = [
    "x",
    "x.txt",
    "x.JSON",
    "x.json",
    "x.jsonl",
    "x.JSONL",
    "x.ndjson",
    "x.jsonlines",
    "x.Jl",
    "x.md",
    "x.jsonl.txt",
    "x.bin",
    "jsonl",
];

fn is_json_lines(name: &str) -> bool {
    [".jsonl", ".ndjson", ".jsonlines", ".jl"]
        .iter()
        .any(|end| name.to_lowercase().ends_with(end))
}

/// Checks the rows of the table in `content.rs`, except those that result in a Parquet table.
#[test]
fn content_and_extension_decide_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |found: &Result<Vec<Vec<u8>>, String>, words: &str, case: &str| {
        let error = found.as_ref().expect_err(case);
        assert!(error.contains(words), "{case}: {error}");
    };
    for (kind, bytes) in contents() {
        for compression in ["", "gz", "ZST"] {
            let written = match compression {
                "" => bytes.clone(),
                "gz" => gzip(&bytes),
                _ => zstandard(&bytes),
            };
            // A compressed file may also lack the extension of its compression.
            let ends = [format!(".{compression}"), String::new()];
            for end in &ends[usize::from(compression.is_empty())..] {
                for name in NAMES {
                    let path = folder.path().join(format!("{name}{end}"));
                    std::fs::write(&path, &written).unwrap();
                    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]);
                    let case = format!("{kind} {head:?} as {name}{end} ({compression})");
                    let found = |read_as| {
                        let options = DocumentOptions {
                            read_as,
                            ..options(Units::Whole)
                        };
                        read(&path, &options)
                    };
                    let (detected, text) = (found(ReadAs::Detect), found(ReadAs::Text));
                    let lines = found(ReadAs::JsonLines);
                    let is_json_name = name.to_lowercase().ends_with(".json");
                    let whole = || Ok(vec![bytes.clone()]);
                    match kind {
                        "records" | "record" | "long record" | "broken record" => {
                            assert!(text == whole(), "{case}");
                            match kind {
                                "records" => assert_eq!(lines, Ok(texts(&["a", "b"])), "{case}"),
                                "record" => assert_eq!(lines, Ok(texts(&["a"])), "{case}"),
                                "long record" => assert_eq!(lines.as_ref().unwrap().len(), 2),
                                _ => refusal(&lines, "line 2, column", &case),
                            }
                            match is_json_lines(name) || is_json_name {
                                true => assert!(detected == lines, "{case}"),
                                false => refusal(&detected, "JSON objects, one per line", &case),
                            }
                        }
                        "nothing" => {
                            assert!(text == whole(), "{case}");
                            assert_eq!(lines, Ok(vec![]), "{case}");
                            let is_json = is_json_lines(name) || is_json_name;
                            assert!(detected == if is_json { lines } else { text }, "{case}");
                        }
                        "array" | "json" | "text" => {
                            assert!(text == whole(), "{case}");
                            refusal(&lines, "line ", &case);
                            match (is_json_lines(name), is_json_name) {
                                (true, _) => refusal(&detected, "line ", &case),
                                (_, true) if kind == "array" => {
                                    refusal(&detected, "a JSON array of objects", &case);
                                }
                                (_, true) => refusal(&detected, "a .json file that does", &case),
                                _ => assert!(detected == text, "{case}"),
                            }
                        }
                        _ => {
                            let is_compression = ["xz", "bzip2", "lz4"].contains(&kind);
                            let words = match is_compression && !compression.is_empty() {
                                true => "compressed with",
                                false => kind,
                            };
                            for found in [&detected, &text, &lines] {
                                refusal(found, words, &case);
                            }
                        }
                    }
                    if end.is_empty() && name == "x" {
                        // Standard input has no name.
                        let whole = options(Units::Whole);
                        let found = all(&written, &whole).map_err(|error| error.to_string());
                        assert!(found == detected, "{case}");
                    }
                    std::fs::remove_file(&path).unwrap();
                }
            }
        }
    }
}

/// The first document is returned before the stream has been read to its end.
#[test]
fn streams_are_read_lazily() {
    struct Endless(&'static [u8], usize);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(self.1 < 16 << 20, "the stream is read whole");
            for byte in buffer.iter_mut() {
                *byte = self.0[self.1 % self.0.len()];
                self.1 += 1;
            }
            Ok(buffer.len())
        }
    }
    let lines = Endless(b"{\"text\":\"a\"}\n", 0);
    let error = Documents::of_stream(lines, &options(Units::Whole)).unwrap_err();
    assert!(matches!(
        error,
        DocumentError::Refused(Refused::UnnamedJsonLines)
    ));
    let lines = Endless(b"{\"text\":\"a\"}\n", 0);
    let mut documents = Documents::of_stream(lines, &json_lines()).unwrap();
    assert_eq!(documents.next().unwrap().unwrap().as_ref(), b"a");
    let mut documents = Documents::of_stream(Endless(b"{a\n", 0), &options(Units::Lines)).unwrap();
    assert_eq!(documents.next().unwrap().unwrap().as_ref(), b"{a");
}

#[test]
fn ids_are_refused_by_their_sidecar() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let sidecar = "{\"program\": \"tokenizer 0.1.0\", \"format\": \"u16\", \"tokens\": 2, \
                  \"model_sha256\": \"0\", \"document_ends\": \"a.bin.index\"}";
    for name in ["a.bin", "a.bin.index", "b.bin", "b.bin.index"] {
        std::fs::write(path(name), "text").unwrap();
    }
    std::fs::write(path("a.bin.json"), sidecar).unwrap();
    std::fs::write(path("b.bin.json"), "{\"program\": \"another\"}").unwrap();
    for read_as in [ReadAs::Detect, ReadAs::Text, ReadAs::JsonLines] {
        let options = DocumentOptions {
            read_as,
            ..options(Units::Whole)
        };
        for name in ["a.bin", "a.bin.index"] {
            let error = read(&path(name), &options).unwrap_err();
            assert_eq!(error, "token ids, not text");
        }
    }
    for name in ["b.bin", "b.bin.index"] {
        assert_eq!(
            read(&path(name), &options(Units::Whole)),
            Ok(texts(&["text"]))
        );
    }
}

#[test]
fn binary_input_raises_a_doubt() {
    let doubt = |bytes: &[u8]| {
        let documents =
            Documents::of_stream(io::Cursor::new(bytes.to_vec()), &options(Units::Whole));
        documents.unwrap().doubt()
    };
    let text = "text, Text und Wörter; 東京 🙂 \u{fffd}".repeat(9000);
    assert_eq!(doubt(text.as_bytes()), None);
    assert_eq!(doubt(b""), None);
    // Latin-1, with some invalid characters.
    assert_eq!(doubt(b"Gr\xfc\xdfe aus M\xfcnchen"), None);
    assert_eq!(doubt(b"ab\0c\0"), Some(Doubt::Nul { offset: 2 }));
    assert_eq!(doubt(&gzip(b"ab\0c\0")), Some(Doubt::Nul { offset: 2 }));
    let invalid = Some(Doubt::NotUtf8 {
        invalid: 2,
        characters: 6,
    });
    assert_eq!(doubt(b"ab\xff\xe2\x82cd"), invalid);
    // Only the first 64 KiB are inspected.
    assert_eq!(doubt(&[&[b'a'; 1 << 16][..], b"\0"].concat()), None);
    let random: Vec<u8> = (1..100_000u32)
        .map(|n| (n.wrapping_mul(0x9E37_79B9) >> 24) as u8)
        .collect();
    let random: Vec<u8> = random.into_iter().filter(|&byte| byte != 0).collect();
    assert!(matches!(doubt(&random), Some(Doubt::NotUtf8 { .. })));
    // JSON lines are not inspected: a NUL is escaped or an error.
    let documents = Documents::of_stream(io::Cursor::new(b"{\"text\":\"\\u0000\"}"), &json_lines());
    assert_eq!(documents.unwrap().doubt(), None);
}

#[test]
fn lone_surrogates_are_replaced_one_by_one() {
    // Expected values from Python:
    // json.loads(line)["text"].encode("utf-16", "surrogatepass").decode("utf-16", "replace").
    for (text, wanted, offset) in [
        (r"a\ud83dz", "a\u{fffd}z", Some(1)),
        (r"\ud83d\ud83d", "\u{fffd}\u{fffd}", Some(0)),
        (r"\ude42\ud83d", "\u{fffd}\u{fffd}", Some(0)),
        (r"a\ud83d", "a\u{fffd}", Some(1)),
        (r"\ud83d\ud83d\ude42", "\u{fffd}🙂", Some(0)),
        (r"\uD83D\uDE42\uD83D", "🙂\u{fffd}", Some(4)),
        (r"\ud83d\u0041", "\u{fffd}A", Some(0)),
        (r"\ud83d\n\ude42", "\u{fffd}\n\u{fffd}", Some(0)),
        (r"\ud83d\\ude42", "\u{fffd}\\ude42", Some(0)),
        (r"\\ud83d", "\\ud83d", None),
        (r"\\\ud83d", "\\\u{fffd}", Some(1)),
        (r"\u005cud83d", "\\ud83d", None),
        (r"\ud83d\ude42", "🙂", None),
        (
            r"\ud7ff\ue000\uDBFF\uDFFF",
            "\u{d7ff}\u{e000}\u{10ffff}",
            None,
        ),
    ] {
        let line = format!("{{\"\\ud800\": \"\\udc00\", \"text\": \"{text}\"}}\n").repeat(2);
        assert_eq!(
            all(line.as_bytes(), &json_lines()).unwrap(),
            texts(&[wanted; 2]),
            "{text}"
        );
        let kept = DocumentOptions {
            repair_surrogates: false,
            ..json_lines()
        };
        let kept = all(line.as_bytes(), &kept).unwrap();
        let invalid = std::str::from_utf8(&kept[0]).map_err(|error| error.valid_up_to());
        assert_eq!(invalid.err(), offset, "{text}");
    }
    // Surrogates encoded as bytes are not escapes.
    let spelled_out = b"{\"text\":\"\\ud800\xed\xa0\x80\"}";
    let wanted: &[u8] = b"\xef\xbf\xbd\xed\xa0\x80";
    assert_eq!(all(spelled_out, &json_lines()).unwrap(), [wanted]);
    for (line, message) in [
        (
            r#"{"text":"\ud83d\"}"#,
            "column 18: EOF while parsing a string",
        ),
        (r#"{"text":"\ud83d\x"}"#, "column 17: invalid escape"),
        (r#"{"text":"\ud83"}"#, "line 1, column"),
        (r#"{"text":"\ud83d"#, "EOF while parsing a string"),
        (r#"{"text":"\"#, "EOF while parsing a string"),
    ] {
        let error = all(line.as_bytes(), &json_lines()).unwrap_err().to_string();
        assert!(error.contains(message), "{line}: {error}");
    }
}

fn lengths(pattern: &Pattern, text: &[u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let each = |piece: &[u8]| {
        lengths.push(piece.len());
        Ok::<(), crate::SplitError>(())
    };
    pattern.for_each_piece(text, each).unwrap();
    lengths
}

#[test]
fn long_documents_are_returned_in_parts() {
    let text = "a word or two, 東京 and more.\n".repeat(600_000);
    let mut options = options(Units::Whole);
    for cut in [None, Some(Pattern::named(PatternName::Cl100k))] {
        options.cut = cut;
        let documents = Documents::of_stream(io::Cursor::new(text.clone()), &options).unwrap();
        let stretches: Vec<Stretch> = documents.collect::<Result<_, _>>().unwrap();
        assert_eq!(stretches.len() > 3, options.cut.is_some());
        let (mut joined, mut pieces) = (Vec::new(), Vec::new());
        let pattern = Pattern::named(PatternName::Cl100k);
        for (number, stretch) in stretches.iter().enumerate() {
            assert_eq!(stretch.place.offset, joined.len() as u64);
            assert_eq!(stretch.ends_document, number + 1 == stretches.len());
            joined.extend_from_slice(stretch.as_ref());
            pieces.extend(lengths(&pattern, stretch.as_ref()));
        }
        assert!(joined == text.as_bytes());
        assert!(pieces == lengths(&pattern, text.as_bytes()));
    }
}

#[test]
fn boundaries_at_block_ends_are_found() {
    use super::blocks::BLOCK;

    let rest = "y".repeat(3 * BLOCK);
    for name in [PatternName::Cl100k, PatternName::O200k, PatternName::Gpt2] {
        let pattern = Pattern::named(name);
        for before in BLOCK - 6..=BLOCK + 1 {
            // The only boundaries are around the end of the first block.
            let text = "x".repeat(before) + "'s a1 東 " + &rest;
            let mut options = options(Units::Whole);
            options.cut = Some(pattern.clone());
            let documents = Documents::of_stream(io::Cursor::new(text.clone()), &options).unwrap();
            let stretches: Vec<Stretch> = documents.collect::<Result<_, _>>().unwrap();
            assert!(stretches.len() > 1, "{before}");
            let pieces = stretches.iter().flat_map(|s| lengths(&pattern, s.as_ref()));
            let pieces: Vec<usize> = pieces.collect();
            assert!(pieces == lengths(&pattern, text.as_bytes()), "{before}");
        }
    }
    for before in BLOCK - 2..=BLOCK + 1 {
        let lines = ["x".repeat(before), rest.clone()];
        let found = all(lines.join("\n").as_bytes(), &options(Units::Lines)).unwrap();
        assert!(found == lines.map(String::into_bytes), "{before}");
    }
}

#[test]
fn documents_span_blocks() {
    let line = "x".repeat(1000);
    let count = 12_345;
    let text = format!("{line}aa").repeat(count) + "a";
    let units = Units::Separated(b"aa".to_vec());
    let separated = all(text.as_bytes(), &options(units)).unwrap();
    assert_eq!(separated.len(), count + 1);
    assert!(
        separated[..count]
            .iter()
            .all(|text| text == line.as_bytes())
    );
    let lines = all(text.replace("aa", "\n").as_bytes(), &options(Units::Lines)).unwrap();
    assert!(lines == separated);
    let json: String = (0..count)
        .map(|number| format!("{{\"n\": {number}, \"text\": \"{line}\"}}\n"))
        .collect();
    let documents = Documents::of_stream(io::Cursor::new(json), &json_lines()).unwrap();
    for (number, document) in documents.enumerate() {
        let document = document.unwrap();
        assert_eq!(document.as_ref(), line.as_bytes());
        assert_eq!(document.place.unit, Unit::Line(number as u64 + 1));
    }
}

proptest! {
    #[test]
    fn all_formats_give_the_same_documents(
        wanted in prop::collection::vec(any::<String>(), 0..20),
        level in 0..3,
    ) {
        let compress = |bytes: &[u8]| match level {
            0 => bytes.to_vec(),
            1 => gzip(bytes),
            _ => zstandard(bytes),
        };
        let wanted_bytes: Vec<Vec<u8>> = wanted.iter().map(|text| text.clone().into_bytes()).collect();
        let json: String = wanted
            .iter()
            .map(|text| serde_json::json!({ "id": 1, "text": text }).to_string() + "\n")
            .collect();
        prop_assert_eq!(&all(&compress(json.as_bytes()), &json_lines()).unwrap(), &wanted_bytes);
        let one_line: Vec<String> = wanted.iter().map(|text| text.replace('\n', "")).collect();
        let lines: String = one_line.iter().map(|text| format!("{text}\n")).collect();
        let found = all(&compress(lines.as_bytes()), &options(Units::Lines)).unwrap();
        prop_assert_eq!(found, one_line.iter().map(|text| text.clone().into_bytes()).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), head in 0usize..5) {
        let heads: [&[u8]; 5] = [b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PAR1", b"{\"text\":\""];
        let bytes = [heads[head], &bytes[..]].concat();
        for options in [json_lines(), options(Units::Lines), options(Units::Whole)] {
            let _ = all(&bytes, &options);
        }
    }
}

#[cfg(feature = "parquet")]
mod tables {
    use std::sync::Arc;

    use ::parquet::data_type::{ByteArray, ByteArrayType};
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::file::writer::SerializedFileWriter;
    use ::parquet::schema::parser::parse_message_type;

    use super::*;

    /// A table with the given row groups. `None` is a null.
    fn table(schema: &str, groups: &[&[Option<&str>]]) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = Arc::new(WriterProperties::builder().build());
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
        for rows in groups {
            let mut group = writer.next_row_group().unwrap();
            while let Some(mut column) = group.next_column().unwrap() {
                let values: Vec<ByteArray> =
                    rows.iter().flatten().map(|text| (*text).into()).collect();
                let levels: Vec<i16> = rows.iter().map(|row| row.is_some().into()).collect();
                let typed = column.typed::<ByteArrayType>();
                typed.write_batch(&values, Some(&levels), None).unwrap();
                column.close().unwrap();
            }
            group.close().unwrap();
        }
        writer.close().unwrap();
        bytes
    }

    const OPTIONAL: &str = "message m { optional binary other; optional binary text (STRING); }";

    #[test]
    fn rows_are_documents() {
        let many: Vec<Option<&str>> = vec![Some("long enough to be something"); 5000];
        let groups: [&[Option<&str>]; 4] = [&[Some("a"), Some("")], &[], &[Some("東京")], &many];
        let bytes = table(OPTIONAL, &groups);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        std::fs::write(&path, &bytes).unwrap();
        assert_position(&path);
        let options = DocumentOptions::default();
        let wanted: Vec<Vec<u8>> = groups
            .concat()
            .iter()
            .flatten()
            .map(|text| text.as_bytes().to_vec())
            .collect();
        assert_eq!(all(&bytes, &options).unwrap(), wanted);
        let documents = Documents::of_file(&path, &options).unwrap();
        for (number, document) in documents.enumerate() {
            let document = document.unwrap();
            assert_eq!(document.as_ref(), wanted[number]);
            assert_eq!(document.place.unit, Unit::Row(number as u64 + 1));
        }
        let other = DocumentOptions {
            column: "other".to_owned(),
            ..DocumentOptions::default()
        };
        assert_eq!(all(&bytes, &other).unwrap(), wanted);
        let required = table("message m { required binary text; }", &[&[Some("x")]]);
        assert_eq!(all(&required, &options).unwrap(), [b"x"]);
    }

    /// The documents read by several threads, and the error after them.
    fn on_threads(bytes: &[u8], threads: usize) -> (Vec<(Unit, Vec<u8>)>, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        std::fs::write(&path, bytes).unwrap();
        let options = DocumentOptions {
            threads,
            ..DocumentOptions::default()
        };
        let documents = match Documents::of_file(&path, &options) {
            Ok(documents) => documents,
            Err(error) => return (Vec::new(), Some(error.to_string())),
        };
        let (mut texts, mut failure) = (Vec::new(), None);
        for document in documents {
            assert!(failure.is_none(), "a document after an error");
            match document {
                Ok(text) => texts.push((text.place.unit, text.as_ref().to_vec())),
                Err(error) => failure = Some(error.to_string()),
            }
        }
        (texts, failure)
    }

    #[test]
    fn threads_change_no_document() {
        // A large row group that is divided, with rows of different lengths, between small and empty ones.
        let long: Vec<String> = (0..60_000)
            .map(|row| format!("{row} ").repeat(1 + row % 150))
            .collect();
        let long: Vec<Option<&str>> = long.iter().map(|text| Some(text.as_str())).collect();
        let short: Vec<Option<&str>> = vec![Some("東京"), Some(""), Some("a")];
        let groups: Vec<&[Option<&str>]> =
            vec![&short, &[], &long, &short, &long[..9], &[], &short];
        let bytes = table(OPTIONAL, &groups);
        let (wanted, failure) = on_threads(&bytes, 1);
        assert_eq!(failure, None);
        assert_eq!(wanted.len(), 60_000 + 9 + 9);
        assert_eq!(wanted[60_002].1, long[59_999].unwrap().as_bytes());
        for threads in [2, 3, 8, 100] {
            let found = on_threads(&bytes, threads);
            assert!(found == (wanted.clone(), None), "{threads} threads");
        }
        // Streams are read by threads too.
        let options = DocumentOptions {
            threads: 3,
            ..DocumentOptions::default()
        };
        let texts: Vec<&[u8]> = wanted.iter().map(|(_, text)| &text[..]).collect();
        assert!(all(&bytes, &options).unwrap() == texts);
        // Dropping the iterator early does not block.
        let mut documents = Documents::of_stream(io::Cursor::new(bytes), &options).unwrap();
        assert_eq!(
            documents.next().unwrap().unwrap().as_ref(),
            "東京".as_bytes()
        );
    }

    #[test]
    fn threads_change_no_error() {
        let long: Vec<String> = (0..60_000)
            .map(|row| format!("{row} ").repeat(60))
            .collect();
        let mut long: Vec<Option<&str>> = long.iter().map(|text| Some(text.as_str())).collect();
        long[50_000] = None;
        let short = [Some("a"), Some("b")];
        let null = [Some("c"), None, Some("d")];
        for groups in [
            vec![&long[..], &short, &null],
            vec![&short, &null, &long, &short],
            vec![&short, &short, &short, &null],
        ] {
            let bytes = table(OPTIONAL, &groups);
            let wanted = on_threads(&bytes, 1);
            assert!(wanted.1.as_ref().unwrap().starts_with("row "));
            for threads in [2, 3, 8] {
                assert!(on_threads(&bytes, threads) == wanted, "{threads} threads");
            }
        }
    }

    #[test]
    fn tables_without_a_text_column_are_refused() {
        let options = DocumentOptions::default();
        let message = |bytes: &[u8]| all(bytes, &options).unwrap_err().to_string();
        let nulls = table(OPTIONAL, &[&[Some("a")], &[Some("b"), None]]);
        assert_eq!(message(&nulls), "row 3: null in column \"text\"");
        let other = table("message m { required binary a; required binary b; }", &[]);
        assert_eq!(message(&other), "no column \"text\" (columns: a, b)");
        let lists = table("message m { repeated binary text; }", &[]);
        assert!(message(&lists).contains("one string per row"));
        let numbers = table("message m { required int32 text; }", &[]);
        assert!(message(&numbers).contains("one string per row"));
        let good = table(OPTIONAL, &[&[Some("a")]]);
        for cut in [4, 20, good.len() - 1] {
            assert!(message(&good[..cut]).contains("Parquet"), "{cut}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn broken_tables_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = table(OPTIONAL, &[&[Some("abc"), Some("abc")], &[Some("d")]]);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let wanted = on_threads(&bytes, 1);
            prop_assert_eq!(on_threads(&bytes, 2), wanted);
        }
    }
}

#[test]
fn tokenizer_json_is_refused() {
    let compact = br#"{"version":"1.0","truncation":null,"padding":null}"#;
    let pretty = b"{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n";
    for model in [&compact[..], pretty] {
        for options in [options(Units::Whole), options(Units::Lines)] {
            let error = all(model, &options).unwrap_err().to_string();
            assert!(error.contains("a tokenizer.json, not text"), "{error}");
        }
    }
    let record = br#"{"version":"1.0","text":"a"}"#;
    let error = all(record, &options(Units::Whole)).unwrap_err().to_string();
    assert!(error.contains("starts with JSON objects"), "{error}");
}
