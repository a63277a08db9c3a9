//! `train --extend`: more merges for an existing model.

use crate::support::Folder;

/// Text for a few hundred merges.
fn text() -> String {
    let syllables = ["lo", "we", "sta", "ri", "nu", "te", "ka", "mo", "es", "er"];
    let word = |n: usize| {
        let parts = [n % 10, n / 3 % 10, n / 7 % 10, n / 11 % 10];
        parts.map(|part| syllables[part]).concat()
    };
    (0..4000)
        .map(|n| word(n * n) + [" ", ", ", "\n"][n % 3])
        .collect()
}

fn train(folder: &Folder, output: &str, options: &[&str]) {
    let arguments = ["train", "a.txt", "-q", "-o", output];
    folder.run(&[&arguments[..], options].concat()).succeeds();
}

#[test]
fn extending_on_the_same_text_equals_training_once() {
    let folder = Folder::new();
    folder.write("a.txt", text());
    for options in [
        &["--special", "<s>", "--special", "<e>"][..],
        &["--pattern", "nanochat"],
        &["--special", "<s>", "--tie-break", "huggingface"],
    ] {
        train(
            &folder,
            "once.bpe",
            &[options, &["--vocab-size", "600"]].concat(),
        );
        train(
            &folder,
            "first.bpe",
            &[options, &["--vocab-size", "350"]].concat(),
        );
        let extend = ["--extend", "first.bpe", "--vocab-size", "600"];
        train(&folder, "more.bpe", &extend);
        assert!(
            folder.read("more.bpe") == folder.read("once.bpe"),
            "{options:?}"
        );
    }
}

#[test]
fn an_extended_rank_model_stays_a_rank_model() {
    let folder = Folder::new();
    folder.write("a.txt", text());
    let nanochat = ["--pattern", "nanochat"];
    train(
        &folder,
        "once.tiktoken",
        &[&nanochat[..], &["--vocab-size", "500"]].concat(),
    );
    train(
        &folder,
        "first.tiktoken",
        &[&nanochat[..], &["--vocab-size", "300"]].concat(),
    );
    let extend = ["--extend", "first.tiktoken", "--vocab-size", "500"];
    train(&folder, "more.tiktoken", &[&nanochat[..], &extend].concat());
    assert!(folder.read("more.tiktoken") == folder.read("once.tiktoken"));
    let arguments = ["train", "a.txt", "-o", "x.bpe"];
    folder
        .run(&[&arguments[..], &extend].concat())
        .fails(2, &["first.tiktoken", "stores no pattern"]);
}

#[test]
fn moved_special_tokens_are_noted() {
    let folder = Folder::with_model();
    folder.write("new.txt", "medical medicine medicines ".repeat(5));
    let run = folder.run(&[
        "train",
        "new.txt",
        "--extend",
        "m.bpe",
        "-o",
        "larger.bpe",
        "--vocab-size",
        "275",
    ]);
    run.succeeds().says(&[
        "note: larger.bpe: special tokens have new ids: <s> from 269 to 274",
        "trained 5 merges on 135 bytes",
    ]);
    let run = folder.run_with("274", &["decode", "-", "-m", "larger.bpe", "-q"]);
    assert_eq!(run.succeeds().text(), "<s>");
    // Existing tokens keep their ids.
    let ids = |model: &str| {
        let run = folder.run_with("slowest", &["encode", "-", "-m", model, "-q"]);
        run.text().to_owned()
    };
    assert_eq!(ids("m.bpe"), ids("larger.bpe"));
}

#[test]
fn special_ids_are_kept_on_request() {
    let folder = Folder::with_model();
    folder.write("new.txt", "medical medicine medicines ".repeat(5));
    let extend = [
        "train",
        "new.txt",
        "--extend",
        "m.bpe",
        "--vocab-size",
        "275",
    ];
    let keep = ["--keep-special-ids", "-o", "kept.bpe"];
    folder.run(&[&extend[..], &keep].concat()).succeeds();
    let run = folder.run_with("269", &["decode", "-", "-m", "kept.bpe", "-q"]);
    assert_eq!(run.succeeds().text(), "<s>");
    let run = folder.run_with("270", &["decode", "-", "-m", "kept.bpe", "-q"]);
    assert_ne!(run.succeeds().text(), "");
    folder
        .run(&["train", "new.txt", "--keep-special-ids", "-o", "x.bpe"])
        .fails(2, &["required arguments"]);
}

#[test]
fn text_is_normalized_by_the_model() {
    let folder = Folder::with_model();
    folder.run(&["convert", "m.bpe", "-o", "m.json"]).succeeds();
    let json = String::from_utf8(folder.read("m.json")).unwrap();
    let json = json.replacen(
        "\"normalizer\": null",
        "\"normalizer\": {\"type\": \"NFC\"}",
        1,
    );
    folder.write("nfc.json", json);
    folder.write("composed.txt", "caf\u{e9}s");
    folder.write("marks.txt", "cafe\u{301}s");
    let extend = |text: &str| {
        let arguments = ["train", text, "-o", "x.bpe", "-q", "--extend", "nfc.json"];
        folder
            .run(&[&arguments[..], &["--vocab-size", "273"]].concat())
            .succeeds();
        folder.read("x.bpe")
    };
    assert!(extend("marks.txt") == extend("composed.txt"));
}

#[test]
fn wrong_usage_is_refused_before_reading() {
    let folder = Folder::with_model();
    let refused = |options: &[&str], words: &[&str]| {
        let arguments = ["train", "missing.txt", "--extend", "m.bpe", "-o", "x.bpe"];
        folder
            .run(&[&arguments[..], options].concat())
            .fails(2, words);
    };
    for size in ["270", "269", "1"] {
        refused(
            &["--vocab-size", size],
            &[
                "--vocab-size",
                size,
                "leaves no new ids: m.bpe has 270 already",
            ],
        );
    }
    refused(
        &["--vocab-size", "16777217"],
        &["exceeds the limit of 16777216"],
    );
    refused(&["--pattern", "gpt2"], &["m.bpe", "differs from --pattern"]);
    refused(&["--special", "<x>"], &["--special"]);
    refused(&["--tie-break", "raw"], &["--tie-break"]);
    folder
        .run(&["train", "corpus.txt", "--extend", "m.txt", "-o", "x.bpe"])
        .fails(2, &["m.txt", ".bpe, .json or .tiktoken"]);
    folder
        .run(&["train", "corpus.txt", "--extend", "m.bpe", "-o", "m.bpe"])
        .fails(2, &["m.bpe: is both an input and an output"]);
    folder
        .run(&["train", "corpus.txt", "--extend", "no.bpe", "-o", "x.bpe"])
        .fails(1, &["no.bpe: No such file"]);
    assert_eq!(folder.names(), ["corpus.txt", "m.bpe"]);
    let same = [
        "--extend",
        "m.bpe",
        "--vocab-size",
        "271",
        "--pattern",
        "cl100k",
    ];
    let arguments = ["train", "corpus.txt", "-o", "x.bpe", "-q"];
    folder.run(&[&arguments[..], &same].concat()).succeeds();
}
