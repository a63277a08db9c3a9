use tokenizer_core::corpus::save_model;
use tokenizer_core::{Merges, Model, Pair, Pattern, PatternName};

use crate::support::{Folder, fixture};

#[test]
fn ranks_become_a_model_and_ranks_again() {
    let folder = Folder::new();
    let golden = fixture("golden/o200k.tiktoken");
    let golden = golden.to_str().unwrap();
    folder
        .run(&["convert", golden, "--pattern", "o200k", "-o", "m.bpe"])
        .succeeds()
        .says(&["wrote m.bpe ("]);
    folder
        .run(&["convert", "m.bpe", "-o", "again.tiktoken", "-q"])
        .succeeds()
        .says_nothing();
    assert_eq!(
        folder.read("again.tiktoken"),
        std::fs::read(golden).unwrap()
    );

    folder.write("a.txt", "It's 12345 déjà vu's worth: 日本語\n");
    let ids = |model: &[&str]| {
        let arguments = [&["encode", "a.txt", "-q", "-m"], model].concat();
        folder.run(&arguments).succeeds().text().to_owned()
    };
    assert_eq!(ids(&["m.bpe"]), ids(&[golden, "--pattern", "o200k"]));
}

#[test]
fn what_is_lost_and_what_changes_is_said() {
    let folder = Folder::with_model();
    folder
        .run(&["convert", "m.bpe", "-o", "m.tiktoken"])
        .succeeds()
        .says(&["warning: m.tiktoken: a .tiktoken file stores no special tokens; omitted: <s>"]);
    let run = folder
        .run(&["convert", "m.bpe", "-o", "m.tiktoken", "-q"])
        .succeeds();
    assert!(run.stderr.contains("warning: ") && !run.stderr.contains("note: "));
    folder
        .run(&["convert", "m.bpe", "-o", "n.bpe", "-q"])
        .succeeds()
        .says_nothing();
    assert_eq!(folder.read("m.bpe"), folder.read("n.bpe"));
}

#[test]
fn models_and_places_must_be_right() {
    let folder = Folder::with_model();
    folder
        .run(&["convert", "m.bpe", "-o", "m.txt"])
        .fails(2, &["m.txt", "a new folder in /"]);
    folder
        .run(&["convert", "m.bpe", "-o", "no/m.bpe"])
        .fails(1, &["no: No such file"]);
    folder
        .run(&["convert", "missing.bpe", "-o", "n.bpe"])
        .fails(1, &["missing.bpe: No such file"]);
    folder.run(&["convert", "m.bpe"]).fails(2, &["required"]);
    folder
        .run(&["convert", "m.bpe", "-o", "n.bpe", "--pattern", "gpt2"])
        .fails(2, &["m.bpe: the model stores its own pattern"]);
}

#[test]
fn tokens_with_the_same_bytes_are_said_to_be_left_out() {
    let folder = Folder::new();
    // (a, aa) and (aa, a) are both "aaa": training never gives that, another program's file may.
    let pairs = [(97, 97), (97, 256), (256, 97)].map(|(left, right)| Pair::new(left, right));
    let merges = Merges::trained(&pairs).unwrap();
    let pattern = Pattern::named(PatternName::Gpt2);
    let model = Model::from_merges(pattern, merges, &[] as &[&str]).unwrap();
    save_model(&model, &folder.path("m.bpe")).unwrap();
    folder
        .run(&["convert", "m.bpe", "-o", "m.tiktoken", "-q"])
        .succeeds()
        .says(&[
            "warning: m.tiktoken: a .tiktoken file stores each byte string once; omitted: 1 of 259 tokens",
        ]);
}

#[test]
fn a_corpus_to_warm_a_model_has_no_effect() {
    let folder = Folder::with_model();
    let convert = [
        "convert", "m.bpe", "-o", "n.bpe", "-q", "--warm", "a.txt", "-",
    ];
    for more in [&[][..], &["--known-pieces", "1", "--threads", "1"]] {
        folder
            .run(&[&convert[..], more].concat())
            .succeeds()
            .says(&["warning: --warm has no effect"]);
        assert_eq!(folder.read("m.bpe"), folder.read("n.bpe"));
    }
    for option in ["--known-pieces", "--threads", "--max-memory"] {
        folder
            .run(&["convert", "m.bpe", "-o", "n.bpe", option, "1"])
            .fails(2, &["required"])
            .says(&["--warm <CORPUS>"]);
    }
}

#[test]
fn known_pieces_are_left_out_of_a_model_that_has_them() {
    let folder = Folder::new();
    let without = std::fs::read(fixture("models/before_known_pieces.bpe")).unwrap();
    let with = fixture("models/known_pieces.bpe");
    assert_ne!(std::fs::read(&with).unwrap(), without);
    folder
        .run(&["convert", with.to_str().unwrap(), "-o", "m.bpe", "-q"])
        .succeeds()
        .says_nothing();
    assert_eq!(folder.read("m.bpe"), without);
}

#[test]
fn a_file_of_before_known_pieces_is_read_and_written_as_it_was() {
    let folder = Folder::new();
    let before = fixture("models/before_known_pieces.bpe");
    folder
        .run(&["convert", before.to_str().unwrap(), "-o", "m.bpe", "-q"])
        .succeeds()
        .says_nothing();
    assert_eq!(folder.read("m.bpe"), std::fs::read(before).unwrap());
}

#[test]
fn a_folder_round_trip_keeps_roles_and_chat_template() {
    let folder = Folder::with_model();
    folder
        .run(&["convert", "m.bpe", "-o", "hf/"])
        .succeeds()
        .says(&["tokenizer.json", "tokenizer_config.json"]);
    folder.write(
        "hf/tokenizer_config.json",
        r#"{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "chat_template": "{{ x }}"}"#,
    );
    folder.write("hf/chat_template.jinja", "{{ y }}");
    folder
        .run(&["convert", "hf", "-o", "again/", "-q"])
        .succeeds()
        .says_nothing();
    folder
        .run(&["convert", "again", "-o", "again", "-q"])
        .succeeds()
        .says_nothing();
    assert_eq!(folder.read("again/chat_template.jinja"), b"{{ y }}");
    let config: serde_json::Value =
        serde_json::from_slice(&folder.read("again/tokenizer_config.json")).unwrap();
    assert_eq!(config["bos_token"], "<s>");
    assert_eq!(config["chat_template"], "{{ x }}");
    assert_eq!(
        folder.read("again/tokenizer.json"),
        folder.read("hf/tokenizer.json")
    );
}
