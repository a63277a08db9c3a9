//! `info`: what a model is.

use serde_json::{Value, json};

use crate::support::{Folder, fixture};

#[test]
fn a_model_is_described() {
    let folder = Folder::with_model();
    let run = folder
        .run(&["info", "-m", "m.bpe"])
        .succeeds()
        .says_nothing();
    for line in [
        "model          m.bpe",
        "format         .bpe (native)",
        "pattern        cl100k",
        "normalizer     none",
        "ids            270",
        "tokens         269",
        "merges         13",
        "special        1",
        "added          0",
        "special tokens",
        "       269  <s>",
    ] {
        assert!(
            run.text().lines().any(|other| other == line),
            "{line:?}: {}",
            run.text()
        );
    }
    let hash = run
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("decoding hash  "));
    folder
        .run(&["encode", "corpus.txt", "-m", "m.bpe", "-o", "x.bin"])
        .succeeds();
    let header: Value = serde_json::from_slice(&folder.read("x.bin.json")).unwrap();
    assert_eq!(hash, header["decoding_sha256"].as_str());
    let json = folder.run(&["info", "-m", "m.bpe", "--json"]).succeeds();
    let json: Value = serde_json::from_str(json.text()).unwrap();
    for (field, expected) in [
        ("format", json!("bpe")),
        ("normalizer", json!(null)),
        ("vocab_size", json!(270)),
        ("tokens", json!(269)),
        ("merges", json!(13)),
        (
            "special_tokens",
            json!([{"id": 269, "content": "<s>", "flags": []}]),
        ),
        ("added_tokens", json!([])),
        ("model_sha256", header["model_sha256"].clone()),
        ("decoding_sha256", header["decoding_sha256"].clone()),
    ] {
        assert_eq!(json[field], expected, "{field}");
    }
    assert_eq!(json["pattern"]["name"], "cl100k");
    assert_eq!(json["pattern"]["stages"][0]["gaps"], "keep");
}

#[test]
fn ranks_have_a_pattern_that_was_given() {
    let folder = Folder::new();
    let ranks = fixture("golden/gpt2.tiktoken");
    let model = ["info", "-m", ranks.to_str().unwrap(), "--pattern"];
    let run = folder.run(&[&model[..], &["gpt2"]].concat()).succeeds();
    for line in [
        "format         .tiktoken (ranks)",
        "pattern        gpt2",
        "merges         by rank",
    ] {
        assert!(
            run.text().lines().any(|other| other == line),
            "{line:?}: {}",
            run.text()
        );
    }
    // A long regex is wrapped.
    let regex = r"\s+|\w+|".repeat(30) + r"[^\s\w]";
    let run = folder.run(&[&model[..], &[&regex]].concat()).succeeds();
    let joined: String = run
        .text()
        .lines()
        .map(|line| line.get(15..).unwrap_or_default())
        .collect();
    assert!(joined.contains(&regex), "{}", run.text());
}

/// Tokens of any length, with characters that move the cursor.
#[test]
fn lines_fit_80_columns_and_move_no_cursor() {
    let folder = Folder::with_model();
    folder.run(&["convert", "m.bpe", "-o", "m.json"]).succeeds();
    let mut model: Value = serde_json::from_slice(&folder.read("m.json")).unwrap();
    let tokens = model["added_tokens"].as_array_mut().unwrap();
    for (id, content) in [(270, "\u{1b}[2J\n".to_owned()), (271, "long ".repeat(1000))] {
        let mut token = tokens[0].clone();
        token["id"] = id.into();
        token["content"] = content.into();
        token["special"] = false.into();
        token["lstrip"] = true.into();
        tokens.push(token);
    }
    folder.write("m.json", model.to_string());
    let run = folder.run(&["info", "-m", "m.json"]).succeeds();
    let text = run.text();
    assert!(
        text.contains("\nadded tokens\n       270  \\u{1b}[2J\\n  lstrip\n"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert!(text.contains("long long…  lstrip\n"), "{text}");
    let json = folder.run(&["info", "-m", "m.json", "--json"]).succeeds();
    let json: Value = serde_json::from_str(json.text()).unwrap();
    assert_eq!(json["added_tokens"][1]["content"], "long ".repeat(1000));
    assert_eq!(json["added_tokens"][0]["flags"], json!(["lstrip"]));
}
