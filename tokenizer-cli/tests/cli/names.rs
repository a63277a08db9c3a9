//! Special tokens of rank files, and models by name.

use std::fs;

use crate::absent::shared;
use crate::support::{Folder, Run, fixture, fixture_text};

/// A folder with `r.tiktoken`, which has the ranks 0 to 2047 and GPT-2's pattern.
fn with_ranks() -> Folder {
    let folder = Folder::with_model();
    folder.write("r.tiktoken", fixture_text("golden/gpt2.tiktoken"));
    folder.write("a.txt", "low<|a=b|>low<|end|>");
    folder
}

/// Runs a command with tiktoken's and Hugging Face's caches in `folder`.
fn cached(folder: &Folder, arguments: &[&str]) -> Run {
    let mut command = folder.command(arguments);
    command.env("TIKTOKEN_CACHE_DIR", folder.path("cache"));
    command.env_remove("HF_HUB_CACHE");
    command.env_remove("HUGGINGFACE_HUB_CACHE");
    command.env("HF_HOME", folder.path("home"));
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn special_tokens_are_added_to_ranks() {
    let folder = with_ranks();
    let ranks = ["-m", "r.tiktoken", "--pattern", "gpt2"];
    let given = [
        "--model-special",
        "<|a=b|>=5000",
        "--model-special",
        "<|end|>=2048",
    ];
    let options = ["--allow-special", "--format", "text"];
    let run = folder.run(&[&["encode", "a.txt"], &ranks[..], &given, &options].concat());
    let ids = run.succeeds();
    let ids: Vec<&str> = ids.text().split_whitespace().collect();
    assert_eq!(ids.iter().filter(|id| **id == "5000").count(), 1, "{ids:?}");
    assert_eq!(ids.last(), Some(&"2048"));
    // `convert` stores them.
    let convert = ["convert", "r.tiktoken", "--pattern", "gpt2", "-o", "s.bpe"];
    folder.run(&[&convert[..], &given].concat()).succeeds();
    let options = ["--allow-special", "--format", "text"];
    let stored = folder.run(&[&["encode", "a.txt", "-m", "s.bpe"], &options[..]].concat());
    assert_eq!(
        stored
            .succeeds()
            .text()
            .split_whitespace()
            .collect::<Vec<_>>(),
        ids
    );
}

#[test]
fn each_model_has_the_special_tokens_after_it() {
    let folder = with_ranks();
    let ranks = ["-m", "r.tiktoken", "--pattern", "gpt2"];
    let special = ["--model-special", "<|end|>=2048"];
    let compare = ["compare", "a.txt"];
    for models in [
        [&ranks[..], &special, &["-m", "m.bpe"]].concat(),
        [&["-m", "m.bpe"], &ranks[..], &special].concat(),
    ] {
        folder.run(&[&compare, &models[..]].concat()).succeeds();
    }
    let models = [&ranks[..], &["-m", "m.bpe"], &special].concat();
    folder
        .run(&[&compare, &models[..]].concat())
        .fails(2, &["m.bpe: the model stores its own special tokens"]);
    let models = [&special[..], &ranks, &["-m", "m.bpe"]].concat();
    folder
        .run(&[&compare, &models[..]].concat())
        .fails(2, &["--model-special precedes every -m"]);
}

#[test]
fn invalid_special_tokens_are_refused() {
    let folder = with_ranks();
    let encode = [
        "encode",
        "a.txt",
        "-m",
        "r.tiktoken",
        "--pattern",
        "gpt2",
        "--model-special",
    ];
    for (value, words) in [
        ("<s>", "expected TOKEN=ID"),
        ("=5", "empty special token"),
        ("<s>=", "the token's id"),
        ("<s>=+5", "the token's id"),
        ("<s>=5000000000", "the token's id"),
    ] {
        folder
            .run(&[&encode[..], &[value]].concat())
            .fails(2, &[words]);
    }
    folder
        .run(&[&encode[..], &["<s>=7"]].concat())
        .fails(1, &["r.tiktoken: ", "\"<s>\"", "7"]);
    folder
        .run(&["encode", "a.txt", "-m", "m.bpe", "--model-special", "<s>=7"])
        .fails(2, &["m.bpe: the model stores its own special tokens"]);
}

#[test]
fn names_that_are_not_cached_are_explained() {
    let folder = with_ranks();
    let count = |name: &str| cached(&folder, &["count", "a.txt", "-m", name]);
    count("cl100k_base").fails(
        1,
        &[
            "cl100k_base: not in tiktoken's cache",
            "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
            "tiktoken.get_encoding(\"cl100k_base\")",
        ],
    );
    fs::create_dir(folder.path("cache")).unwrap();
    folder.write("cache/9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "YQ== 0\n");
    count("cl100k_base").fails(1, &["SHA-256 differs"]);
    count("Qwen/Qwen2.5-7B").fails(
        1,
        &["models--Qwen--Qwen2.5-7B", "hf download Qwen/Qwen2.5-7B"],
    );
}

#[test]
fn a_model_of_the_hub_is_read_from_its_snapshot() {
    let folder = with_ranks();
    let model = folder.path("home/hub/models--a--b");
    fs::create_dir_all(model.join("refs")).unwrap();
    fs::write(model.join("refs/main"), "0123abc").unwrap();
    let snapshot = model.join("snapshots/0123abc");
    fs::create_dir_all(&snapshot).unwrap();
    let tokenizer = snapshot.join("tokenizer.json");
    folder
        .run(&["convert", "m.bpe", "-o", tokenizer.to_str().unwrap()])
        .succeeds();
    let named = cached(&folder, &["count", "a.txt", "-m", "a/b"]).succeeds();
    let file = folder.run(&["count", "a.txt", "-m", "m.bpe"]).succeeds();
    assert_eq!(named.stdout, file.stdout);
}

#[test]
fn published_files_are_recognised() {
    let folder = with_ranks();
    let Some(r50k) = shared("vocabs/r50k_base.tiktoken") else {
        return;
    };
    folder.write("b.txt", "low<|endoftext|>");
    let r50k = r50k.to_str().unwrap();
    let encode = |model: &str, more: &[&str]| {
        let arguments = [
            "encode",
            "b.txt",
            "-m",
            model,
            "--allow-special",
            "--format",
            "text",
        ];
        let run = cached(&folder, &[&arguments[..], more].concat()).succeeds();
        run.text()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(encode(r50k, &[]), ["9319", "50256"]);
    // Explicit options take precedence.
    assert_eq!(
        encode(r50k, &["--model-special", "<|endoftext|>=60000"]),
        ["9319", "60000"]
    );
    fs::create_dir(folder.path("cache")).unwrap();
    fs::copy(
        r50k,
        folder.path("cache/0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4"),
    )
    .unwrap();
    for name in ["r50k_base", "gpt2"] {
        assert_eq!(encode(name, &[]), ["9319", "50256"]);
    }
}

#[test]
fn the_content_of_a_model_file_decides() {
    let folder = with_ranks();
    let ranks = fixture_text("golden/gpt2.tiktoken");
    folder.write("tokenizer.model", ranks);
    let count = ["count", "a.txt", "-m"];
    let counted = folder.run(&[&count[..], &["r.tiktoken", "--pattern", "gpt2"]].concat());
    let named = folder.run(&[&count[..], &["tokenizer.model", "--pattern", "gpt2"]].concat());
    assert_eq!(
        named.succeeds().text().split_whitespace().next(),
        counted.succeeds().text().split_whitespace().next()
    );
    folder.write("tokenizer.model", b"\n\x0E\n\x05<unk>\x15\0\0\0\0\x18\x02");
    folder
        .run(&[&count[..], &["tokenizer.model"]].concat())
        .fails(
            1,
            &["tokenizer.model: the SentencePiece model has no trainer_spec"],
        );
    folder.write("tokenizer.model", b"\n\x0E\n");
    folder
        .run(&[&count[..], &["tokenizer.model"]].concat())
        .fails(1, &["tokenizer.model: invalid SentencePiece model"]);
}

/// The golden ids are those of `sentencepiece`.
#[test]
fn sentencepiece_models_are_read_under_any_name() {
    let folder = Folder::new();
    let model = fs::read(fixture("sentencepiece/fallback.model")).unwrap();
    folder.write("tokenizer.model.v3", model);
    folder.write("a.txt", "[INST] singing [/INST]");
    let golden = fixture_text("sentencepiece/fallback.jsonl");
    let entries = golden
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let entry: serde_json::Value = entries
        .into_iter()
        .find(|entry: &serde_json::Value| entry["text"] == "[INST] singing [/INST]")
        .unwrap();
    let ids = entry["ids"].as_array().unwrap().iter();
    let want: Vec<String> = ids.map(ToString::to_string).collect();
    let encode = |model: &str| {
        let arguments = ["encode", "a.txt", "-m", model, "--format", "text"];
        let run = folder.run(&arguments).succeeds();
        run.text()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(encode("tokenizer.model.v3"), want);
    let convert = |output| folder.run(&["convert", "tokenizer.model.v3", "-o", output]);
    convert("m.bpe").succeeds();
    assert_eq!(encode("m.bpe"), want);
    // Its user-defined pieces have no equivalent there.
    convert("m.json").fails(1, &["<sep>", "U+2581"]);
    let info = folder.run(&["info", "-m", "tokenizer.model.v3"]).succeeds();
    assert!(info.text().contains("SentencePiece"), "{}", info.text());
    folder
        .run(&["count", "tokenizer.model.v3", "-m", "m.bpe"])
        .fails(1, &["a SentencePiece model"]);
}

/// The golden ids are Kimi's own. Those of the other two texts are of single lines, without line feeds.
#[test]
fn kimis_ranks_have_its_pattern() {
    let folder = Folder::new();
    let Some(ranks) = shared("vocabs/real/kimi_k2.tiktoken") else {
        return;
    };
    fs::copy(ranks, folder.path("tiktoken.model")).unwrap();
    let golden = |kind: &str| shared(&format!("vocabs/real/golden/utf8_{kind}.txt"));
    let (Some(text), Some(ids)) = (golden("input"), golden("tokens_kimi_k2")) else {
        return;
    };
    let arguments = ["encode", text.to_str().unwrap(), "-m", "tiktoken.model"];
    let run = folder
        .run(&[&arguments[..], &["--format", "text"]].concat())
        .succeeds();
    let wanted = fs::read_to_string(ids).unwrap().replace(',', " ");
    assert!(run.text().split_whitespace().eq(wanted.split_whitespace()));
}
