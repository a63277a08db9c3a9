//! Outputs of `encode`, read as their consumers read them.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::support::{Folder, program};

/// A file of documents as lines, one of them empty, and their ids.
fn folder() -> (Folder, Vec<Vec<u32>>) {
    let folder = Folder::with_model();
    folder.write("a.txt", "low lower\n\nslowest of all <s> 東京\nlow\n");
    let ids = lines(&folder, &["a.txt", "--per-line"]);
    assert_eq!(ids.len(), 4);
    assert!(ids[1].is_empty());
    (folder, ids)
}

fn encode(folder: &Folder, arguments: &[&str]) {
    let options = ["-m", "m.bpe", "-q"];
    let run = folder.run(&[&["encode"], arguments, &options].concat());
    run.succeeds().says_nothing();
}

/// The ids of a run's text output.
fn lines(folder: &Folder, arguments: &[&str]) -> Vec<Vec<u32>> {
    let options = ["-m", "m.bpe", "-q"];
    let run = folder.run(&[&["encode"], arguments, &options].concat());
    let run = run.succeeds();
    let line = |line: &str| {
        line.split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect()
    };
    run.text().lines().map(line).collect()
}

fn numbers<const N: usize>(bytes: &[u8], number: fn([u8; N]) -> u64) -> Vec<u64> {
    assert_eq!(bytes.len() % N, 0);
    let chunks = bytes.chunks_exact(N);
    chunks
        .map(|bytes| number(bytes.try_into().unwrap()))
        .collect()
}

fn u16s(bytes: &[u8]) -> Vec<u64> {
    numbers(bytes, |bytes| u16::from_le_bytes(bytes).into())
}

fn u32s(bytes: &[u8]) -> Vec<u64> {
    numbers(bytes, |bytes| u32::from_le_bytes(bytes).into())
}

fn u64s(bytes: &[u8]) -> Vec<u64> {
    numbers(bytes, u64::from_le_bytes)
}

fn joined(ids: &[Vec<u32>]) -> Vec<u64> {
    ids.concat().into_iter().map(u64::from).collect()
}

fn ends(ids: &[Vec<u32>]) -> Vec<u64> {
    let mut end = 0;
    let end = |ids: &Vec<u32>| {
        end += ids.len() as u64;
        end
    };
    ids.iter().map(end).collect()
}

fn header(folder: &Folder, name: &str) -> Value {
    serde_json::from_slice(&folder.read(name)).unwrap()
}

#[test]
fn flat_files_have_an_index_and_a_header() {
    let (folder, ids) = folder();
    let model = crate::support::sha256(&folder.read("m.bpe"));
    for (name, format, number, start) in [
        ("x.bin", "u16", "uint16", 0),
        ("x.u32", "u32", "uint32", 0),
        ("x.npy", "npy", "uint32", 128),
    ] {
        encode(&folder, &["a.txt", "--per-line", "-o", name]);
        let bytes = &folder.read(name)[start..];
        let found = if number == "uint16" {
            u16s(bytes)
        } else {
            u32s(bytes)
        };
        assert_eq!(found, joined(&ids), "{name}");
        let index = format!("{name}.index");
        assert_eq!(u64s(&folder.read(&index)), ends(&ids), "{name}");
        let header = header(&folder, &format!("{name}.json"));
        assert_eq!(header["format"], format);
        assert_eq!(header["dtype"], number);
        assert_eq!(header["byte_order"], "little");
        assert_eq!(header["tokens"], joined(&ids).len());
        assert_eq!(header["documents"], 4);
        assert_eq!(header["document_ends"], index);
        assert_eq!(header["vocab_size"], 270);
        assert_eq!(header["model_sha256"], model);
        assert_eq!(header.get("shard"), None);
    }
    let names = folder.names();
    assert_eq!(names.len(), 3 + 9, "{names:?}");
    // Lines need no index.
    encode(&folder, &["a.txt", "-o", "x.jsonl"]);
    assert_eq!(folder.names().len(), names.len() + 1);
}

#[test]
fn the_megatron_index_locates_documents() {
    let (folder, ids) = folder();
    let options = ["a.txt", "--per-line", "-o", "x.bin", "--format", "megatron"];
    encode(&folder, &options);
    assert_eq!(u16s(&folder.read("x.bin")), joined(&ids));
    let index = folder.read("x.idx");
    let (head, rest) = index.split_at(34);
    assert_eq!(head[..9], *b"MMIDIDX\0\0");
    assert_eq!(u64s(&head[9..17]), [1]);
    assert_eq!(head[17], 8, "uint16");
    assert_eq!(u64s(&head[18..]), [4, 5]);
    let (lengths, rest) = rest.split_at(16);
    let (starts, documents) = rest.split_at(32);
    let lengths = u32s(lengths);
    let wanted: Vec<u64> = ids.iter().map(|ids| ids.len() as u64).collect();
    assert_eq!(lengths, wanted);
    let mut wanted: Vec<u64> = ends(&ids).iter().map(|end| 2 * end).collect();
    wanted.insert(0, 0);
    assert_eq!(u64s(starts), wanted[..4]);
    assert_eq!(u64s(documents), [0, 1, 2, 3, 4]);
    let back = [
        "decode", "x.bin", "--format", "megatron", "-m", "m.bpe", "-q",
    ];
    let run = folder.run(&back).succeeds();
    assert_eq!(
        run.text().replace('\n', ""),
        "low lowerslowest of all <s> 東京low"
    );

    let other = ["encode", "a.txt", "-m", "m.bpe", "--format", "megatron"];
    folder.run(&other).fails(2, &["megatron needs a file"]);
    folder
        .run(&[&other[..], &["-o", "x.idx"]].concat())
        .fails(2, &["ends in .bin"]);
}

/// The lists in a table of ids.
fn lists(bytes: Vec<u8>) -> Vec<Vec<u32>> {
    let bytes = bytes::Bytes::from(bytes);
    let reader = SerializedFileReader::new(bytes).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        let (_, field) = row.get_column_iter().next().unwrap();
        let Field::ListInternal(list) = field else {
            panic!("{field:?}")
        };
        let number = |field: &Field| match field {
            Field::UShort(number) => u32::from(*number),
            Field::UInt(number) => *number,
            other => panic!("{other:?}"),
        };
        list.elements().iter().map(number).collect()
    });
    rows.collect()
}

#[test]
fn tables_have_a_list_for_each_document() {
    let (folder, ids) = folder();
    encode(&folder, &["a.txt", "--per-line", "-o", "x.parquet"]);
    assert_eq!(lists(folder.read("x.parquet")), ids);
    // Several row groups, and a document in several stretches.
    folder.write("b.txt", "low lower slowest\n".repeat(300_000));
    for option in [&["--per-line"][..], &[]] {
        let arguments = [&["b.txt"], option].concat();
        let wanted = lines(&folder, &arguments);
        encode(&folder, &[&arguments[..], &["-o", "y.parquet"]].concat());
        assert!(lists(folder.read("y.parquet")) == wanted);
    }
    folder.run(&["decode", "x.parquet", "-m", "m.bpe"]).fails(
        1,
        &["x.parquet: decoding a Parquet table of ids is not supported"],
    );
    folder
        .run(&["encode", "a.txt", "-m", "m.bpe", "--format", "parquet"])
        .fails(2, &["parquet needs a file"]);
}

#[test]
fn documents_are_post_processed_on_request() {
    let folder = Folder::with_model();
    folder.run(&["convert", "m.bpe", "-o", "m.json"]).succeeds();
    let json = String::from_utf8(folder.read("m.json")).unwrap();
    let start = json.find("\"post_processor\": {").unwrap();
    let end = start + json[start..].find('}').unwrap() + 1;
    let processor = |single: &str| {
        let text = r#"{"Sequence": {"id": "A", "type_id": 0}}"#;
        let template = format!(
            r#""post_processor": {{"type": "TemplateProcessing", "single": [{text}, {single}], "pair": [],
            "special_tokens": {{"s": {{"id": "s", "ids": [269, 97], "tokens": ["s", "a"]}}}}}}"#
        );
        let mut json = json.clone();
        json.replace_range(start..end, &template.replace("TEXT", text));
        json
    };
    let token = r#"{"SpecialToken": {"id": "s", "type_id": 0}}"#;
    folder.write("p.json", processor(token));
    folder.write("twice.json", processor("TEXT"));
    let run = |arguments: &[&str]| {
        let run = folder.run_with("low", &[arguments, &["-", "-q"]].concat());
        run.succeeds().text().to_owned()
    };
    let plain = run(&["encode", "-m", "p.json"]);
    let (encode, count) = (["encode", "-m", "p.json"], ["count", "-m", "p.json"]);
    let processed = run(&[&encode[..], &["--post-process"]].concat());
    assert_eq!(processed.trim_end(), format!("{} 269 97", plain.trim_end()));
    let appended = ["--post-process", "--append-special", "<s>"];
    let appended = run(&[&encode[..], &appended].concat());
    assert_eq!(appended.trim_end(), format!("{} 269", processed.trim_end()));
    let number = |counted: String| {
        counted
            .split('\t')
            .next()
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    let post_processed = number(run(&[&count[..], &["--post-process"]].concat()));
    assert_eq!(post_processed, number(run(&count)) + 2);
    folder
        .run_with(
            "low",
            &["encode", "-", "-m", "twice.json", "--post-process"],
        )
        .fails(1, &["the template of the model repeats the text"]);
}

#[test]
fn special_tokens_are_added_to_documents_and_found_when_allowed() {
    let (folder, ids) = folder();
    let around = ["--prepend-special", "<s>", "--append-special", "<s>"];
    let with = lines(&folder, &[&["a.txt", "--per-line"], &around[..]].concat());
    for (with, without) in with.iter().zip(&ids) {
        assert_eq!(with[1..with.len() - 1], without[..]);
        assert_eq!((with[0], with[with.len() - 1]), (269, 269));
    }
    assert!(!joined(&ids).contains(&269));
    let allowed = lines(&folder, &["a.txt", "--per-line", "--allow-special"]);
    let found: Vec<usize> = allowed
        .iter()
        .map(|ids| ids.iter().filter(|&&id| id == 269).count())
        .collect();
    assert_eq!(found, [0, 0, 1, 0]);
    // A document in several stretches has them once.
    folder.write("b.txt", "low lower slowest\n".repeat(600_000));
    let large = lines(&folder, &[&["b.txt"], &around[..]].concat());
    let places: Vec<usize> = (0..large[0].len())
        .filter(|&n| large[0][n] == 269)
        .collect();
    assert_eq!(places, [0, large[0].len() - 1]);
    folder
        .run(&["encode", "a.txt", "-m", "m.bpe", "--append-special", "</s>"])
        .fails(2, &["the model has no special token \"</s>\""])
        .says(&["tip: it has \"<s>\""]);
}

/// All files except the input and the model.
fn written(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    let names = folder.names().into_iter();
    names
        .filter(|name| name.starts_with("x-"))
        .map(|name| (name.clone(), folder.read(&name)))
        .collect()
}

fn clear(folder: &Folder) {
    for name in written(folder).keys() {
        std::fs::remove_file(folder.path(name)).unwrap();
    }
}

#[test]
fn shards_end_with_a_document_and_contain_all_ids() {
    let (folder, _) = folder();
    folder.write("b.txt", "low lower\nslow\n\nslowest\n".repeat(100));
    let ids = lines(&folder, &["b.txt", "--per-line"]);
    for (name, format) in [
        ("x.bin", "u16"),
        ("x.npy", "npy"),
        ("x", "text"),
        ("x.jsonl", "jsonl"),
        ("x.parquet", "parquet"),
        ("x.bin", "megatron"),
    ] {
        let options = ["b.txt", "--per-line", "--shard-tokens", "60", "-o", name];
        encode(&folder, &[&options[..], &["--format", format]].concat());
        let files = written(&folder);
        let headers: Vec<Value> = files
            .iter()
            .filter(|(name, _)| name.ends_with(".json"))
            .map(|(_, bytes)| serde_json::from_slice(bytes).unwrap())
            .collect();
        assert!(headers.len() > 5, "{format}");
        let mut before = 0;
        for (number, header) in headers.iter().enumerate() {
            assert_eq!(header["shard"], number);
            assert_eq!(header["first_document"], before);
            assert_eq!(header["run"], headers[0]["run"]);
            let documents = header["documents"].as_u64().unwrap();
            let these = &ids[before as usize..(before + documents) as usize];
            before += documents;
            assert_eq!(header["tokens"], joined(these).len());
            let is_last = number + 1 == headers.len();
            let full = |ids: &[Vec<u32>]| joined(ids).len() >= 60;
            assert!(is_last || full(these));
            assert!(!full(&these[..these.len() - 1]), "ended before");
            let end = name.strip_prefix('x').unwrap();
            let bytes = &files[&format!("x-{number:05}{end}")];
            match format {
                "u16" | "megatron" => assert_eq!(u16s(bytes), joined(these)),
                "npy" => assert_eq!(u32s(&bytes[128..]), joined(these)),
                "parquet" => assert_eq!(lists(bytes.clone()), these),
                _ => {
                    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
                    assert_eq!(lines, these.len());
                }
            }
        }
        assert_eq!(before as usize, ids.len());
        clear(&folder);
    }
    let options = ["encode", "b.txt", "-m", "m.bpe", "--shard-tokens", "60"];
    folder
        .run(&options)
        .fails(2, &["shards cannot be written to standard output"]);
    let resume = ["encode", "b.txt", "-m", "m.bpe", "-o", "x.bin", "--resume"];
    assert_eq!(folder.run(&resume).code, 2);
}

#[test]
fn a_resumed_run_continues_after_complete_shards() {
    let (folder, _) = folder();
    folder.write("b.txt", "low lower\nslow\n\nslowest\n".repeat(100));
    let options = [
        "encode",
        "b.txt",
        "--per-line",
        "--shard-tokens",
        "60",
        "-o",
        "x.bin",
        "-m",
        "m.bpe",
        "--append-special",
        "<s>",
    ];
    let resume = [&options[..], &["--resume"]].concat();
    folder.run(&options).succeeds();
    let wanted = written(&folder);
    folder
        .run(&options)
        .fails(1, &["x-00000.bin: shard exists already"])
        .says(&["tip: pass --resume"]);
    let run = folder.run(&resume).succeeds();
    run.says(&[" complete shards with 400 documents", "into 0 tokens"]);
    assert!(written(&folder) == wanted);
    // The header is written last.
    let last = wanted.keys().filter(|name| name.ends_with(".bin")).count() - 1;
    for gone in [
        &[(last, ".json")][..],
        &[(last, ".json"), (last, ".index"), (last, "")],
        &[(last, ".json"), (last - 1, ".json"), (last - 1, "")],
    ] {
        for (number, end) in gone {
            std::fs::remove_file(folder.path(&format!("x-{number:05}.bin{end}"))).unwrap();
        }
        folder.run(&resume).succeeds();
        assert!(written(&folder) == wanted);
    }
    let other = [&resume[..], &["--prepend-special", "<s>"]].concat();
    folder
        .run(&other)
        .fails(1, &["x-00000.bin: shard of another run"]);
    // An input rewritten with the same content is accepted; changed content of the same length is not.
    let text = "low lower\nslow\n\nslowest\n".repeat(100);
    folder.write("b.txt", &text);
    folder.run(&resume).succeeds();
    for changed in [
        text.clone() + "low\n",
        text.replacen('w', "v", 1),
        text[..text.len() - 2].to_owned() + "T\n",
    ] {
        folder.write("b.txt", changed);
        folder
            .run(&resume)
            .fails(1, &["b.txt: changed since x-00000.bin was written"])
            .says(&["tip: restore"]);
    }
    assert!(written(&folder) == wanted);
    folder.write("b.txt", &text);
    let more = [&["encode", "a.txt"], &resume[1..]].concat();
    folder
        .run(&more)
        .fails(1, &["x-00000.bin: shard of another run"]);
    folder.write("empty.txt", "");
    let empty = [
        "empty.txt",
        "--per-line",
        "--shard-tokens",
        "9",
        "-o",
        "e.bin",
    ];
    encode(&folder, &empty);
    assert_eq!(header(&folder, "e-00000.bin.json")["documents"], 0);
}

#[cfg(unix)]
#[test]
fn a_killed_and_resumed_run_gives_the_same_shards() {
    let folder = Folder::with_model();
    folder.write("b.txt", "low lower\nslow\n\nslowest\n".repeat(50_000));
    let options = [
        "encode",
        "b.txt",
        "--per-line",
        "--shard-tokens",
        "20000",
        "-o",
        "x.bin",
        "-m",
        "m.bpe",
        "-q",
        "--resume",
    ];
    folder.run(&options).succeeds();
    let wanted = written(&folder);
    clear(&folder);
    let mut killed = 0;
    for wait in [1, 5, 10, 15, 20, 30, 40, 60, 80, 120, 200, 400] {
        let mut child = Command::new(program())
            .args(options)
            .current_dir(folder.path(""))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        // Shards with a header are complete.
        let files = written(&folder);
        for name in files.keys().filter(|name| name.ends_with(".json")) {
            let data = name.strip_suffix(".json").unwrap();
            assert!(files[data] == wanted[data], "{name}");
            assert!(files[name] == wanted[name], "{name}");
        }
    }
    assert!(killed > 0);
    folder.run(&options).succeeds();
    assert!(written(&folder) == wanted);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_to_is_found_before_the_work() {
    let folder = Folder::with_model();
    folder.write("ids", "97");
    // Even root cannot create a file there.
    let commands = [
        &["train", "corpus.txt", "-o", "/proc/out.bpe"][..],
        &["count-pieces", "corpus.txt", "-o", "/proc/out.tsv"],
        &["encode", "corpus.txt", "-m", "m.bpe", "-o", "/proc/out.npy"],
        &["decode", "ids", "-m", "m.bpe", "-o", "/proc/out.txt"],
        &["convert", "m.bpe", "-o", "/proc/out.json"],
    ];
    for command in commands {
        let run = folder.run(&[command, &["-v"]].concat());
        let stderr = run.stderr.clone();
        run.fails(1, &["error: /proc/out."]);
        assert!(
            !stderr.contains(".tmp") && !stderr.contains("stage: "),
            "{stderr}"
        );
    }
    // The output is not touched by the check.
    folder.write("kept.bpe", "");
    let train = ["train", "missing.txt", "-o", "kept.bpe"];
    folder.run(&train).fails(1, &["missing.txt: "]);
    assert_eq!(folder.names(), ["corpus.txt", "ids", "kept.bpe", "m.bpe"]);
    assert_eq!(folder.read("kept.bpe"), b"");
}

#[test]
fn the_last_line_names_the_files_that_were_written() {
    let folder = Folder::with_model();
    folder.write("a.txt", "ab\nc\nd\ne\nf\ng\nh");
    let last = |arguments: &[&str]| {
        let run = folder.run(arguments).succeeds();
        run.stderr.lines().last().unwrap_or_default().to_owned()
    };
    let encode = ["encode", "a.txt", "-m", "m.bpe", "--per-line", "-o"];
    let encode = |output: &str, options: &[&str]| last(&[&encode[..], &[output], options].concat());
    assert_eq!(encode("ids", &[]), "wrote ids (29 B)");
    assert_eq!(encode("ids", &["-q"]), "");
    assert!(encode("-", &[]).starts_with("encoded 8 bytes into 8 tokens, "));
    let line = encode("x.u16", &[]);
    let header = folder.read("x.u16.json").len();
    assert_eq!(
        line,
        format!("wrote x.u16 (16 B), x.u16.index (56 B), x.u16.json ({header} B)")
    );
    let shards = ["--shard-tokens", "1", "--format", "u16"];
    let line = "wrote 7 files (16 B), x-00000.bin to x-00006.bin";
    assert_eq!(encode("x.bin", &shards), line);
    let resumed = encode("x.bin", &[&shards[..], &["--resume"]].concat());
    assert!(
        resumed.starts_with("encoded 0 bytes into 0 tokens, "),
        "{resumed}"
    );
    let decode = |output: &str| last(&["decode", "x.u16", "-m", "m.bpe", "-o", output]);
    assert_eq!(decode("b.txt"), "wrote b.txt (8 B)");
    let model = last(&["convert", "m.bpe", "-o", "n.bpe"]);
    let bytes = folder.read("n.bpe").len() as f64;
    assert_eq!(model, format!("wrote n.bpe ({:.2} kB)", bytes / 1000.0));
    let train = ["train", "a.txt", "-o", "t.bpe", "--vocab-size", "256"];
    let train = last(&[&train[..], &["--report", "r.json"]].concat());
    assert!(
        train.starts_with("wrote t.bpe (") && train.contains(", r.json ("),
        "{train}"
    );
}
