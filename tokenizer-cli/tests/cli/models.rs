//! Reading models: damaged files, wrong names, patterns, folders.

use crate::support::{Folder, Run, fixture_text};

fn count_with(folder: &Folder, model: &str) -> Run {
    let pattern: &[&str] = if model.ends_with(".tiktoken") {
        &["--pattern", "gpt2"]
    } else {
        &[]
    };
    folder.run_with("low", &[&["count", "-", "-m", model], pattern].concat())
}

#[test]
fn damaged_native_models_are_refused() {
    let folder = Folder::with_model();
    let good = folder.read("m.bpe");
    let damaged = |change: &dyn Fn(&mut Vec<u8>), words: &[&str]| {
        let mut bytes = good.clone();
        change(&mut bytes);
        folder.write("bad.bpe", bytes);
        let run = count_with(&folder, "bad.bpe").fails(1, &[&["bad.bpe: "], words].concat());
        assert!(run.stdout.is_empty());
    };
    for cut in [0, 5] {
        damaged(&|bytes| bytes.truncate(cut), &["not a .bpe model"]);
    }
    for cut in [20, 100, good.len() - 1] {
        damaged(&|bytes| bytes.truncate(cut), &["truncated"]);
    }
    damaged(&|bytes| bytes.push(0), &["truncated or extended"]);
    damaged(
        &|bytes| bytes[8] = 2,
        &["unsupported .bpe version 2 (supported: 1)"],
    );
    damaged(&|bytes| bytes[12] ^= 1, &["checksum"]);
    damaged(&|bytes| *bytes.last_mut().unwrap() ^= 1, &["checksum"]);
    damaged(&|bytes| bytes[60] ^= 1, &["checksum"]);
    damaged(&|bytes| *bytes = b"text".to_vec(), &["not a .bpe model"]);
    count_with(&folder, "m.bpe").succeeds();
}

#[test]
fn faulty_ranks_are_refused_with_their_line() {
    let folder = Folder::new();
    let good = fixture_text("golden/gpt2.tiktoken");
    let lines: Vec<&str> = good.lines().collect();
    let faulty = |line: usize, text: &str, words: &[&str]| {
        let mut lines = lines.clone();
        lines[line - 1] = text;
        folder.write("bad.tiktoken", lines.join("\n"));
        count_with(&folder, "bad.tiktoken").fails(1, &[&["bad.tiktoken: "], words].concat());
    };
    faulty(
        300,
        lines[298],
        &["line 300: duplicate token ", "(first on line 299)"],
    );
    faulty(
        300,
        "eHl6enk= 7",
        &["line 300: duplicate rank 7 (first on line 8)"],
    );
    faulty(7, "?? 6", &["line 7: invalid base64 token"]);
    faulty(
        7,
        "Bg==",
        &["line 7: expected a token in base64, a space and a rank"],
    );
    faulty(7, "Bg== six", &["line 7: invalid rank \"six\""]);
    faulty(7, "Bg== -6", &["line 7: invalid rank \"-6\""]);
    faulty(7, "", &["no token for the single byte 0x06"]);
    faulty(300, "eHl6enk= 4000000000", &["4000000000"]);
}

#[test]
fn a_gap_in_the_ranks_is_legal() {
    let folder = Folder::new();
    let good = fixture_text("golden/gpt2.tiktoken");
    let lines: Vec<&str> = good
        .lines()
        .enumerate()
        .filter(|(n, _)| *n != 299)
        .map(|(_, l)| l)
        .collect();
    folder.write("gap.tiktoken", lines.join("\n"));
    count_with(&folder, "gap.tiktoken").succeeds();
    folder
        .run_with(
            "299",
            &["decode", "-", "-m", "gap.tiktoken", "--pattern", "gpt2"],
        )
        .fails(1, &["line 1: unknown token id 299"]);
}

#[test]
fn only_a_tiktoken_model_needs_a_pattern() {
    let folder = Folder::with_model();
    folder.write("r.tiktoken", fixture_text("golden/gpt2.tiktoken"));
    for command in ["encode", "count", "decode"] {
        folder
            .run(&[command, "-", "-m", "r.tiktoken"])
            .fails(2, &["r.tiktoken: ", "pattern"])
            .says(&["tip: give the pattern of its training, such as --pattern cl100k"]);
        folder
            .run(&[command, "-", "-m", "m.bpe", "--pattern", "gpt2"])
            .fails(2, &["m.bpe: the model stores its own pattern"]);
    }
}

#[test]
fn a_pattern_may_precede_the_only_model() {
    let folder = Folder::with_model();
    folder.write("r.tiktoken", fixture_text("golden/gpt2.tiktoken"));
    folder.write("low", "low lower 12345");
    let (model, pattern) = (["-m", "r.tiktoken"], ["--pattern", "gpt2"]);
    for command in [
        &["encode", "low"][..],
        &["count", "low"],
        &["inspect", "low 12345"],
    ] {
        let after = folder.run(&[command, &model, &pattern].concat()).succeeds();
        let before = folder.run(&[command, &pattern, &model].concat()).succeeds();
        assert_eq!(before.stdout, after.stdout);
        for twice in [
            [command, &model, &pattern, &pattern].concat(),
            [command, &model, &model, &pattern].concat(),
        ] {
            folder
                .run(&twice)
                .fails(2, &["cannot be used multiple times"]);
        }
    }
    for order in [
        ["--pattern", "gpt2", "r.tiktoken", "-o", "r.bpe"],
        ["r.tiktoken", "-o", "r.bpe", "--pattern", "gpt2"],
    ] {
        folder.run(&[&["convert"], &order[..]].concat()).succeeds();
    }
}

#[test]
fn models_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    count_with(&folder, "missing.bpe").fails(1, &["missing.bpe: No such file"]);
    std::fs::create_dir(folder.path("d.bpe")).unwrap();
    count_with(&folder, "d.bpe").fails(1, &["d.bpe: is a directory"]);
    count_with(&folder, "model.txt").fails(2, &["model.txt", ".bpe, .json or .tiktoken"]);
    folder.write("m.json", "{}");
    count_with(&folder, "m.json").fails(1, &["m.json: "]);
}

/// Whisper's multilingual file ends with an empty token, written `=`.
#[test]
fn an_empty_token_is_kept_by_every_command() {
    let folder = Folder::new();
    let golden = fixture_text("golden/gpt2.tiktoken");
    folder.write("m.tiktoken", format!("{golden}= 2048\n"));
    folder.write("a.txt", "low lower lowest, low lower lowest\n");
    let pattern = ["--pattern", "gpt2"];
    let run = |arguments: &[&str]| folder.run(arguments).succeeds();
    let with = |arguments: &[&'static str]| [arguments, &pattern[..]].concat();
    for output in ["m.bpe", "tokenizer.json"] {
        run(&with(&["convert", "m.tiktoken", "-o", output]));
        run(&["convert", output, "-o", "again.tiktoken", "-q"]);
        assert!(
            folder.read("again.tiktoken") == folder.read("m.tiktoken"),
            "{output}"
        );
        let decoded = folder.run_with("104 2048 2048 105", &["decode", "-", "-m", output, "-q"]);
        assert_eq!(decoded.succeeds().text(), "hi");
        let ids = run(&["encode", "a.txt", "-m", output, "-q"]).stdout;
        assert!(ids == run(&with(&["encode", "a.txt", "-q", "-m", "m.tiktoken"])).stdout);
    }
    let report = run(&["inspect", "-m", "m.bpe", "--vocab", "--all"]);
    for part in [
        "2,049 tokens, 0 special tokens, ids below 2,049\n",
        "bytes\ttokens\n0\t1\n1\t256\n",
        "none (empty)\t1\n",
        "2048\t\"\"",
    ] {
        let report = report.text();
        assert!(report.contains(part), "{part:?} is not in {report}");
    }
    let compared = run(&["compare", "--json", "a.txt", "-m", "m.bpe"]);
    let compared: serde_json::Value = serde_json::from_str(compared.text()).unwrap();
    assert_eq!(compared["models"][0]["tokens"], 2049);
    assert_eq!(compared["models"][0]["tokens_by_bytes"][0], 256);
    for output in ["more.bpe", "more.tiktoken"] {
        let size = ["--extend", "m.bpe", "--vocab-size", "2060", "-q"];
        run(&[&["train", "a.txt", "-o", output], &size[..]].concat());
    }
    run(&["convert", "more.bpe", "-o", "again.tiktoken", "-q"]);
    assert!(folder.read("again.tiktoken") == folder.read("more.tiktoken"));
    assert!(String::from_utf8_lossy(&folder.read("again.tiktoken")).contains("\n= 2048\n"));
}

/// A folder with GPT-2's `vocab.json` and `merges.txt`.
fn pair() -> Folder {
    let folder = Folder::new();
    for name in ["vocab.json", "merges.txt"] {
        folder.write(name, fixture_text(&format!("gpt2_style/{name}")));
    }
    folder
}

#[test]
fn reading_a_pair_without_a_class_as_gpt2_is_reported() {
    let folder = pair();
    let note = ["warning", "vocab.json: read as GPT-2's"];
    count_with(&folder, "vocab.json").succeeds().says(&note);
    folder.write("config.json", r#"{"model_type": "gpt2"}"#);
    let run = count_with(&folder, "vocab.json").succeeds();
    assert!(!run.stderr.contains("read as"), "{}", run.stderr);
    folder.write(
        "tokenizer_config.json",
        r#"{"tokenizer_class": "CohereTokenizer"}"#,
    );
    let words = ["tokenizer_config.json: tokenizer_class \"CohereTokenizer\""];
    count_with(&folder, "vocab.json").fails(1, &words);
}

#[test]
fn a_folder_has_the_tokens_of_all_its_files() {
    let folder = pair();
    let directory = folder.path("").to_str().unwrap().to_owned();
    count_with(&folder, &directory)
        .succeeds()
        .says(&["read as GPT-2's"]);
    folder
        .run(&["convert", "vocab.json", "-o", "tokenizer.json"])
        .succeeds();
    folder.write("tokenizer_config.json", r#"{"pad_token": "<pad>"}"#);
    folder
        .run(&["convert", &directory, "-o", "m.bpe"])
        .succeeds();
    let ids = ["encode", "-", "--allow-special", "-m"];
    let with = |model: &str| {
        let run = folder.run_with("<pad>", &[&ids[..], &[model]].concat());
        run.succeeds().text().trim().to_owned()
    };
    assert_eq!(with("m.bpe"), "1001");
    assert_eq!(with(&directory), "1001");
    assert_ne!(with("tokenizer.json"), "1001", "the file is read alone");
}
