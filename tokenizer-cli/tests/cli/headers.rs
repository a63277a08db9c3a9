//! The header of a file of ids: it decides the format, and which models may decode the file.

use serde_json::{Value, json};

use crate::support::{Folder, Run, fixture, sha256};

const TEXT: &str = "low lower\nslowest <s> 東京\nlow\n";

/// A folder with `m.bpe`; `other.bpe`, which has as many ids but other tokens; and `large.bpe`, which has
/// more than 65,536 ids.
fn folder() -> Folder {
    let folder = Folder::with_model();
    folder.write("a.txt", TEXT);
    folder.write("other.txt", "news west wester newer newest ".repeat(9));
    let train = |arguments: &[&str]| {
        folder
            .run(&[&["train"], arguments, &["-q"]].concat())
            .succeeds();
    };
    let options = ["--vocab-size", "270", "--special", "<s>"];
    train(&[&["other.txt", "-o", "other.bpe"], &options[..]].concat());
    let ranks: Vec<String> = large_ranks();
    folder.write("large.tiktoken", ranks.concat());
    let large = ["large.tiktoken", "--pattern", "cl100k", "-o", "large.bpe"];
    let convert = [&["convert"], &large[..], &["-q"]].concat();
    folder.run(&convert).succeeds();
    folder
}

/// A rank table with more than 65,536 ids.
fn large_ranks() -> Vec<String> {
    use base64::Engine;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let singles = (0..=255u8).map(|byte| vec![byte]);
    let pairs = (0..=u16::MAX).map(|pair| pair.to_be_bytes().to_vec());
    let tokens = singles.chain(pairs);
    tokens
        .enumerate()
        .map(|(rank, token)| format!("{} {rank}\n", base64(&token)))
        .collect()
}

fn encode(folder: &Folder, arguments: &[&str]) {
    let run = folder.run(&[&["encode", "a.txt", "-q"], arguments].concat());
    run.succeeds().says_nothing();
}

fn decode(folder: &Folder, arguments: &[&str]) -> Run {
    folder.run(&[&["decode", "-q"], arguments].concat())
}

fn header(folder: &Folder, name: &str) -> Value {
    serde_json::from_slice(&folder.read(name)).unwrap()
}

fn edit(folder: &Folder, name: &str, edit: impl FnOnce(&mut Value)) {
    let mut header = header(folder, name);
    edit(&mut header);
    folder.write(name, header.to_string());
}

fn remove(header: &mut Value, field: &str) {
    header.as_object_mut().unwrap().remove(field).unwrap();
}

/// Trains `pattern.bpe`: the tokens of `m.bpe`, but another pattern.
fn train_with_pattern(folder: &Folder) {
    let arguments = [
        "train",
        "corpus.txt",
        "-q",
        "-o",
        "pattern.bpe",
        "--pattern",
        "o200k",
    ];
    let options = ["--vocab-size", "270", "--special", "<s>"];
    folder.run(&[&arguments[..], &options].concat()).succeeds();
}

/// The hash as defined in `docs/shards.md`.
fn decoding_sha256(tokens: &[(u32, bool, &[u8])]) -> String {
    let record = |(id, is_special, token): &(u32, bool, &[u8])| {
        let length = (token.len() as u32).to_le_bytes();
        [
            &id.to_le_bytes()[..],
            &[u8::from(*is_special)],
            &length,
            token,
        ]
        .concat()
    };
    sha256(&tokens.iter().map(record).collect::<Vec<_>>().concat())
}

#[test]
fn the_hash_covers_ids_bytes_and_special_tokens_only() {
    let folder = Folder::new();
    folder.write("a.txt", "abab abab");
    folder.write("b.txt", "ab ab");
    let hash = |model: &[&str]| {
        let options = ["encode", "a.txt", "-q", "-o", "x.u16"];
        folder.run(&[&options[..], model].concat()).succeeds();
        let header = header(&folder, "x.u16.json");
        let specials = header["special_tokens"].clone();
        (
            header["decoding_sha256"].as_str().unwrap().to_owned(),
            specials,
        )
    };
    let train = |input: &str, output: &str, options: &[&str]| {
        let arguments = ["train", input, "-q", "-o", output, "--vocab-size"];
        folder.run(&[&arguments[..], options].concat()).succeeds();
    };
    let with = ["259", "--special", "<s>", "--special", "</s>"];
    train("a.txt", "m.bpe", &with);
    let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
    let singles = bytes
        .iter()
        .zip(0..)
        .map(|(byte, id)| (id, false, &byte[..]));
    let mut tokens: Vec<(u32, bool, &[u8])> = singles.collect();
    tokens.push((256, false, b"ab"));
    tokens.push((257, true, b"<s>"));
    tokens.push((258, true, b"</s>"));
    let (wanted, specials) = hash(&["-m", "m.bpe"]);
    assert_eq!(wanted, decoding_sha256(&tokens));
    assert_eq!(specials, json!({"<s>": 257, "</s>": 258}));

    // The format and the pattern do not change the hash.
    folder.run(&["convert", "m.bpe", "-o", "m.json"]).succeeds();
    assert_eq!(hash(&["-m", "m.json"]).0, wanted);
    let pattern = [&with[..], &["--pattern", "gpt2"]].concat();
    train("b.txt", "p.bpe", &pattern);
    assert_eq!(hash(&["-m", "p.bpe"]).0, wanted);
    // Ranks have no special tokens, and so fewer ids.
    folder
        .run(&["convert", "m.bpe", "-o", "m.tiktoken"])
        .succeeds();
    let ranks = ["-m", "m.tiktoken", "--pattern", "gpt2"];
    assert_eq!(hash(&ranks), (decoding_sha256(&tokens[..257]), json!({})));
    // A different order of special tokens does.
    train(
        "a.txt",
        "o.bpe",
        &["259", "--special", "</s>", "--special", "<s>"],
    );
    assert_ne!(hash(&["-m", "o.bpe"]).0, wanted);
}

#[test]
fn the_hash_of_a_trained_model_is_stable() {
    let folder = Folder::new();
    let corpus = fixture("corpus.txt");
    let corpus = corpus.to_str().unwrap();
    let options = ["--vocab-size", "4096", "--special", "<|endoftext|>", "-q"];
    folder
        .run(&[&["train", corpus, "-o", "m.bpe"], &options[..]].concat())
        .succeeds();
    let arguments = ["encode", "-", "-m", "m.bpe", "-o", "x.bin", "-q"];
    folder.run_with("low", &arguments).succeeds();
    // tokenizer-py/tests/test_guides.py computes the same value as the guide describes.
    assert_eq!(
        header(&folder, "x.bin.json")["decoding_sha256"],
        "71f15be9b86d0c35386300c5f219da7fa1081e4e408afc5cdbeb1c8cbf4fd227"
    );
}

#[test]
fn another_model_is_refused() {
    let folder = folder();
    for (name, format) in [
        ("x.bin", "u16"),
        ("x.u32", "u32"),
        ("x.npy", "npy"),
        ("y.bin", "megatron"),
    ] {
        encode(&folder, &["-m", "m.bpe", "-o", name, "--format", format]);
        let file = format!("{name}.json");
        assert_eq!(
            decode(&folder, &[name, "-m", "m.bpe"]).succeeds().text(),
            TEXT
        );
        for model in ["other.bpe", "large.bpe"] {
            for given in [&[][..], &["--format", format]] {
                let arguments = [&[name, "-m", model, "-o", "back"], given].concat();
                decode(&folder, &arguments)
                    .fails(1, &[name, &file, model, "decodes differently"])
                    .says(&["tip: use the model of the ids", "rename"]);
                assert!(!folder.exists("back"));
            }
        }
        // Without a header, any model with enough ids decodes the file.
        std::fs::rename(folder.path(&file), folder.path("x.json")).unwrap();
        let arguments = [name, "-m", "other.bpe", "--format", format];
        assert_ne!(decode(&folder, &arguments).succeeds().text(), TEXT);
    }
    // Standard input has no header.
    encode(&folder, &["-m", "m.bpe", "-o", "x.u16"]);
    let arguments = ["decode", "-", "-m", "other.bpe", "-q", "--format", "u16"];
    folder.run_with(folder.read("x.u16"), &arguments).succeeds();
}

#[test]
fn a_model_with_another_pattern_decodes_the_same() {
    let folder = folder();
    encode(&folder, &["-m", "m.bpe", "-o", "x.bin"]);
    folder.run(&["convert", "m.bpe", "-o", "m.json"]).succeeds();
    train_with_pattern(&folder);
    for model in ["m.json", "pattern.bpe"] {
        let run = decode(&folder, &["x.bin", "-m", model]).succeeds();
        assert_eq!(run.says_nothing().text(), TEXT);
    }
}

#[test]
fn a_difference_in_special_tokens_is_listed() {
    let folder = folder();
    folder
        .run(&["convert", "m.bpe", "-o", "m.tiktoken"])
        .succeeds();
    let ranks = ["-m", "m.tiktoken", "--pattern", "cl100k"];
    encode(&folder, &["-m", "m.bpe", "-o", "x.bin"]);
    decode(&folder, &[&["x.bin"], &ranks[..]].concat()).fails(
        1,
        &["m.tiktoken: id 269 is \"<s>\" in the header and not a token in the model"],
    );
    encode(&folder, &[&ranks[..], &["-o", "y.bin"]].concat());
    decode(&folder, &["y.bin", "-m", "m.bpe"]).fails(
        1,
        &["id 269 is not special in the header and \"<s>\" in the model"],
    );

    let specials: Vec<String> = (0..6).map(|number| format!("<{number}>")).collect();
    let specials = specials.iter().flat_map(|name| ["--special", name]);
    let options = ["--vocab-size", "275", "-o", "six.bpe", "-q"];
    let train: Vec<&str> = ["train", "corpus.txt"].into_iter().chain(options).collect();
    folder
        .run(&train.into_iter().chain(specials).collect::<Vec<_>>())
        .succeeds();
    decode(&folder, &["x.bin", "-m", "six.bpe"]).fails(
        1,
        &[
            "id 269 is \"<s>\" in the header and \"<0>\" in the model, id 270 is not special in the header and \"<1>\" in the model",
            ", and 3 more",
        ],
    );
    // One id may be special in only one of the two.
    edit(&folder, "x.bin.json", |header| {
        header["special_tokens"] = json!({});
    });
    decode(&folder, &["x.bin", "-m", "six.bpe"])
        .fails(1, &["270 ids in the header and 275 in the model"]);
    decode(&folder, &["x.bin", "-m", "other.bpe"])
        .fails(1, &["the same number of ids, but different tokens"]);
}

#[test]
fn the_header_decides_the_width() {
    let folder = folder();
    // The name suggests no width, or another one.
    for (name, format) in [
        ("x", "u16"),
        ("x.bin", "u32"),
        ("x.u16", "u32"),
        ("x.bin", "megatron"),
    ] {
        encode(&folder, &["-m", "m.bpe", "-o", name, "--format", format]);
        let run = decode(&folder, &[name, "-m", "m.bpe"]).succeeds();
        assert_eq!(run.says_nothing().text(), TEXT, "{name} {format}");
        for other in ["text", "jsonl", "u16", "u32", "npy", "megatron", "parquet"] {
            if other != format {
                let file = format!("{name}.json");
                let words = [&file, ": the ids are ", format, ", and --format is ", other];
                decode(&folder, &[name, "-m", "m.bpe", "--format", other])
                    .fails(2, &words)
                    .says(&["tip: leave --format out"]);
            }
        }
    }
    // Without a header, Megatron's index decides the width.
    std::fs::remove_file(folder.path("x.bin.json")).unwrap();
    let arguments = ["x.bin", "-m", "large.bpe", "--format", "megatron"];
    let narrow = decode(&folder, &arguments).succeeds();
    let ids = decode(&folder, &["x.bin", "-m", "large.bpe", "--format", "u16"]);
    assert_eq!(narrow.stdout, ids.succeeds().stdout);
    folder.write("x.idx", b"MMIDIDX\0\0\x01\0\0\0\0\0\0\0\x05");
    decode(&folder, &arguments).fails(1, &["x.idx: not a Megatron index of"]);
    folder.write("x.idx", b"MMIDIDX");
    decode(&folder, &arguments).fails(1, &["x.idx: "]);
}

#[test]
fn a_header_that_does_not_fit_the_file_is_refused() {
    let folder = folder();
    for (name, format) in [
        ("x.bin", "u16"),
        ("x.u32", "u32"),
        ("x.npy", "npy"),
        ("y.bin", "megatron"),
    ] {
        encode(&folder, &["-m", "m.bpe", "-o", name, "--format", format]);
        let file = format!("{name}.json");
        let tokens = header(&folder, &file)["tokens"].as_u64().unwrap();
        for wrong in [0, tokens - 1, tokens + 1, 2 * tokens, u64::MAX] {
            edit(&folder, &file, |header| header["tokens"] = wrong.into());
            decode(&folder, &[name, "-m", "m.bpe", "-o", "back"])
                .fails(1, &[&format!("{name}: {file} has {wrong} ids of ")])
                .says(&["tip: encode again, or rename"]);
            assert!(!folder.exists("back"));
        }
    }
    // Text formats have headers when there are several files.
    for name in ["x.txt", "x.jsonl"] {
        encode(
            &folder,
            &["-m", "m.bpe", "-o", name, "--shard-tokens", "1000"],
        );
        let name = name.replace("x.", "x-00000.");
        let run = decode(&folder, &[&name, "-m", "m.bpe"]).succeeds();
        assert_eq!(run.text(), TEXT);
        decode(&folder, &[&name, "-m", "other.bpe"]).fails(1, &["decodes differently"]);
        let mut bytes = folder.read(&name);
        bytes.extend(folder.read(&name));
        folder.write(&name, bytes);
        decode(&folder, &[&name, "-m", "m.bpe", "-o", "back"]).fails(
            1,
            &[&format!("{name}: {name}.json has "), "and the file has "],
        );
        assert!(!folder.exists("back"));
    }
}

#[test]
fn a_broken_header_is_named() {
    let folder = folder();
    encode(&folder, &["-m", "m.bpe", "-o", "x.bin"]);
    let whole = folder.read("x.bin.json");
    let refused = |bytes: &[u8], words: &[&str]| {
        folder.write("x.bin.json", bytes);
        decode(&folder, &["x.bin", "-m", "m.bpe"])
            .fails(1, &[&["x.bin.json: not a header of ids: "], words].concat())
            .says(&["tip: ", "rename"]);
    };
    refused(b"", &["invalid JSON at line 1, column 0"]);
    refused(&whole[..whole.len() / 2], &["invalid JSON at line "]);
    refused(b"\xff{}", &["invalid JSON at line 1, column 1"]);
    refused(&b"[".repeat(100_000), &["invalid JSON"]);
    refused(b"[]", &["no field \"format\""]);
    refused(b"{\"name\": \"x\"}", &["no field \"format\""]);
    let header: Value = serde_json::from_slice(&whole).unwrap();
    for field in ["format", "dtype", "tokens", "documents", "vocab_size"] {
        let mut without = header.clone();
        remove(&mut without, field);
        refused(
            without.to_string().as_bytes(),
            &[&format!("no field {field:?}")],
        );
        for value in [
            json!(null),
            json!(-1),
            json!(1.5),
            json!({}),
            json!("uint128"),
        ] {
            let mut wrong = header.clone();
            wrong[field] = value.clone();
            let words = [&format!("invalid {field}: {value}")[..]];
            refused(wrong.to_string().as_bytes(), &words);
        }
    }
    for (field, value) in [
        ("dtype", json!("uint32")),
        ("byte_order", json!("big")),
        ("decoding_sha256", json!(1)),
        ("special_tokens", json!({"<s>": -1})),
        ("special_tokens", json!(["<s>"])),
    ] {
        let mut wrong = header.clone();
        wrong[field] = value.clone();
        refused(
            wrong.to_string().as_bytes(),
            &[&format!("invalid {field}: {value}")],
        );
    }
    let mut without = header.clone();
    remove(&mut without, "decoding_sha256");
    remove(&mut without, "model_sha256");
    refused(
        without.to_string().as_bytes(),
        &["no field \"decoding_sha256\""],
    );

    std::fs::remove_file(folder.path("x.bin.json")).unwrap();
    std::fs::create_dir(folder.path("x.bin.json")).unwrap();
    decode(&folder, &["x.bin", "-m", "m.bpe"]).fails(1, &["x.bin.json: "]);
    // A model named like a header is not one.
    folder
        .run(&["convert", "m.bpe", "-o", "ids.json"])
        .succeeds();
    folder.write("ids", "108 111 119");
    let run = decode(&folder, &["ids", "-m", "./ids.json"]).succeeds();
    assert_eq!(run.text(), "low");
}

#[test]
fn an_older_header_warns_of_another_model_and_keeps_the_width() {
    let folder = folder();
    encode(&folder, &["-m", "m.bpe", "-o", "x.bin"]);
    edit(&folder, "x.bin.json", |header| {
        remove(header, "decoding_sha256");
        remove(header, "special_tokens");
    });
    let run = decode(&folder, &["x.bin", "-m", "m.bpe"]).succeeds();
    assert_eq!(run.says_nothing().text(), TEXT);
    let warning = ["warning: x.bin.json: model_sha256 differs from that of "];
    for model in ["other.bpe", "large.bpe"] {
        let run = decode(&folder, &["x.bin", "-m", model])
            .succeeds()
            .says(&warning);
        assert_ne!(run.text(), TEXT);
        let ids = run.stdout;
        let u16s = folder.run_with(
            folder.read("x.bin"),
            &["decode", "-", "-q", "-m", model, "--format", "u16"],
        );
        assert_eq!(ids, u16s.succeeds().stdout);
    }
    // Old headers also differ by the pattern, which does not change the decoded text.
    folder.run(&["convert", "m.bpe", "-o", "m.json"]).succeeds();
    folder
        .run(&["convert", "m.bpe", "-o", "m.tiktoken"])
        .succeeds();
    let ranks = ["x.bin", "-m", "m.tiktoken", "--pattern", "o200k"];
    let run = decode(&folder, &ranks).succeeds().says(&warning);
    assert_eq!(run.text(), TEXT);
}

#[test]
fn a_header_does_not_outlive_its_file() {
    let folder = folder();
    encode(&folder, &["-m", "m.bpe", "-o", "x", "--format", "u16"]);
    assert!(folder.exists("x.json"));
    encode(&folder, &["-m", "other.bpe", "-o", "x", "--format", "text"]);
    assert!(!folder.exists("x.json"));
    let run = decode(&folder, &["x", "-m", "other.bpe"]).succeeds();
    assert_eq!(run.text(), TEXT);
    // The header is an input too, and cannot be overwritten.
    encode(&folder, &["-m", "m.bpe", "-o", "x.bin"]);
    decode(&folder, &["x.bin", "-m", "m.bpe", "-o", "x.bin.json"])
        .fails(2, &["x.bin.json: is both an input and an output"]);
    // A JSON file that is not a header is kept.
    folder.write("x.json", "{\"format\": \"u16\"}");
    encode(&folder, &["-m", "other.bpe", "-o", "x", "--format", "text"]);
    assert!(folder.exists("x.json"));
}

#[test]
fn resuming_with_another_model_is_refused() {
    let folder = folder();
    let options = ["-o", "x.bin", "--shard-tokens", "5", "--per-line"];
    let resume = |model: &str| {
        let arguments = [&["encode", "a.txt", "-q", "--resume"], &options[..]].concat();
        folder.run(&[&arguments[..], &["-m", model]].concat())
    };
    resume("m.bpe").succeeds();
    let names = folder.names();
    resume("other.bpe")
        .fails(
            1,
            &["x-00000.bin: shard encoded with a model that decodes differently: "],
        )
        .says(&["tip: use the model, inputs and options of that run"]);
    train_with_pattern(&folder);
    resume("pattern.bpe").fails(1, &["x-00000.bin: shard of another run"]);
    // Shards of an older version have no such hash.
    edit(&folder, "x-00000.bin.json", |header| {
        remove(header, "decoding_sha256");
        remove(header, "special_tokens");
    });
    resume("m.bpe").succeeds();
    resume("other.bpe").fails(1, &["x-00000.bin: shard of another run"]);
    // The run's name does not vouch for the tokens.
    edit(&folder, "x-00000.bin.json", |header| {
        header["decoding_sha256"] = "0".repeat(64).into();
    });
    resume("m.bpe").fails(1, &["x-00000.bin: shard encoded with a model"]);
    folder.write("x-00000.bin.json", "{");
    resume("m.bpe").fails(1, &["x-00000.bin.json: not a header of ids"]);
    let mut after = folder.names();
    after.retain(|name| name != "pattern.bpe");
    assert_eq!(after, names);
}

#[cfg(unix)]
#[test]
fn the_header_is_found_through_a_link() {
    let folder = folder();
    encode(&folder, &["-m", "m.bpe", "-o", "t.bin"]);
    std::fs::create_dir(folder.path("links")).unwrap();
    std::os::unix::fs::symlink(folder.path("t.bin"), folder.path("links/ln.bin")).unwrap();
    decode(&folder, &["links/ln.bin", "-m", "other.bpe"]).fails(1, &["decodes differently"]);
    let decoded = decode(&folder, &["links/ln.bin", "-m", "m.bpe"]).succeeds();
    assert_eq!(decoded.text(), TEXT);
}

#[test]
fn a_json_file_beside_ids_as_text_is_not_their_header() {
    let folder = folder();
    folder.write("ids", "104 105\n");
    for json in ["{}", "not JSON", r#"{"format": "photo"}"#] {
        folder.write("ids.json", json);
        let decoded = decode(&folder, &["ids", "-m", "m.bpe"]).succeeds();
        assert_eq!(decoded.text(), "hi", "{json}");
    }
}
