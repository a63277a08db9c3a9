use tokenizer_core::corpus::{load_model, save_model};
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
        .says_nothing();
    folder
        .run(&["convert", "m.bpe", "-o", "again.tiktoken"])
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
        .says(&[
            "warning: m.tiktoken: a .tiktoken file holds no special tokens: <s> left out",
            "note: m.tiktoken: the tokens of a .tiktoken file merge by rank",
        ]);
    let run = folder
        .run(&["convert", "m.bpe", "-o", "m.tiktoken", "-q"])
        .succeeds();
    assert!(run.stderr.contains("warning: ") && !run.stderr.contains("note: "));
    folder
        .run(&["convert", "m.bpe", "-o", "n.bpe"])
        .succeeds()
        .says_nothing();
    assert_eq!(folder.read("m.bpe"), folder.read("n.bpe"));
}

#[test]
fn models_and_places_must_be_right() {
    let folder = Folder::with_model();
    folder
        .run(&["convert", "m.bpe", "-o", "m.txt"])
        .fails(2, &["m.txt"]);
    folder
        .run(&["convert", "m.bpe", "-o", "no/m.bpe"])
        .fails(1, &["no: No such file"]);
    folder
        .run(&["convert", "missing.bpe", "-o", "n.bpe"])
        .fails(1, &["missing.bpe: No such file"]);
    folder.run(&["convert", "m.bpe"]).fails(2, &["required"]);
    folder
        .run(&["convert", "m.bpe", "-o", "n.bpe", "--pattern", "gpt2"])
        .fails(2, &["m.bpe: the model holds its own pattern"]);
}

#[test]
fn tokens_with_the_same_bytes_are_said_to_be_left_out() {
    let folder = Folder::new();
    // (a, aa) and (aa, a) are both "aaa": training never gives that, another program's file may.
    let pairs = [(97, 97), (97, 256), (256, 97)].map(|(left, right)| Pair::new(left, right));
    let merges = Merges::trained(&pairs).unwrap();
    let pattern = Pattern::named(PatternName::Gpt2);
    let model = Model::trained(pattern, merges, &[] as &[&str]).unwrap();
    save_model(&model, &folder.path("m.bpe")).unwrap();
    folder
        .run(&["convert", "m.bpe", "-o", "m.tiktoken", "-q"])
        .succeeds()
        .says(&[
            "warning: m.tiktoken: a .tiktoken file holds the same bytes only once: 1 of 259 tokens",
        ]);
}

/// Some words that are not one token for [`fixture`] `golden/gpt2.tiktoken`, and some that are.
const CORPUS: &str = "the the the xylo xylo xylo zzyzx zzyzx the once unheard";

fn golden() -> String {
    fixture("golden/gpt2.tiktoken").to_str().unwrap().to_owned()
}

fn known(folder: &Folder, model: &str) -> Vec<Vec<u8>> {
    let model = load_model(&folder.path(model), None).unwrap();
    let known = model.known_pieces().iter();
    known.map(|(piece, _)| piece.to_vec()).collect()
}

#[test]
fn a_model_is_warmed_by_a_corpus() {
    let folder = Folder::new();
    folder.write("a.txt", CORPUS);
    let golden = golden();
    let convert = ["convert", &golden, "--pattern", "gpt2", "-o"];
    folder
        .run(&[&convert[..], &["plain.bpe"]].concat())
        .succeeds();
    let warm = |output: &str, more: &[&str]| {
        let options = [output, "--warm", "a.txt"];
        folder.run(&[&convert[..], &options, more].concat())
    };
    warm("warm.bpe", &[])
        .succeeds()
        .says(&["counted 55 bytes", "stored 2 of them"]);
    assert_eq!(
        known(&folder, "warm.bpe"),
        [b" xylo".to_vec(), b" zzyzx".to_vec()]
    );
    warm("one.bpe", &["--known-pieces", "1", "-q"])
        .succeeds()
        .says_nothing();
    assert_eq!(known(&folder, "one.bpe"), [b" xylo".to_vec()]);
    warm("less.bpe", &["--max-chars", "8", "--threads", "1", "-q"]).succeeds();
    warm("none.bpe", &["--known-pieces", "0", "-q"]).succeeds();
    assert_eq!(folder.read("none.bpe"), folder.read("plain.bpe"));

    let ids = |model: &str| {
        let run = folder
            .run(&["encode", "a.txt", "-q", "-m", model])
            .succeeds();
        run.text().to_owned()
    };
    assert_eq!(ids("warm.bpe"), ids("plain.bpe"));

    // What is stored goes along, and away when it is replaced.
    folder
        .run(&["convert", "warm.bpe", "-o", "again.bpe"])
        .succeeds()
        .says_nothing();
    assert_eq!(folder.read("again.bpe"), folder.read("warm.bpe"));
    folder.write("empty.txt", "");
    folder
        .run(&[
            "convert",
            "warm.bpe",
            "--warm",
            "empty.txt",
            "-o",
            "again.bpe",
            "-q",
        ])
        .succeeds();
    assert_eq!(folder.read("again.bpe"), folder.read("plain.bpe"));
    folder
        .run(&["convert", "warm.bpe", "-o", "again.tiktoken"])
        .succeeds();
    assert_eq!(
        folder.read("again.tiktoken"),
        std::fs::read(&golden).unwrap()
    );
}

#[test]
fn a_model_is_warmed_by_pieces_that_were_counted_before() {
    let folder = Folder::new();
    folder.write("a.txt", CORPUS);
    let golden = golden();
    let count = |pattern: &str, output: &str| {
        let options = ["--pattern", pattern, "-o", output, "-q"];
        folder
            .run(&[&["count-pieces", "a.txt"][..], &options].concat())
            .succeeds();
    };
    count("gpt2", "a.tsv");
    count("cl100k", "b.tsv");
    let warm = |corpus: &[&str], output: &str| {
        let model = [
            "convert",
            &golden,
            "--pattern",
            "gpt2",
            "-q",
            "-o",
            output,
            "--warm",
        ];
        folder.run_with(CORPUS, &[&model[..], corpus].concat())
    };
    warm(&["a.txt", "a.txt"], "texts.bpe").succeeds();
    warm(&["a.tsv", "-"], "both.bpe").succeeds();
    assert_eq!(folder.read("texts.bpe"), folder.read("both.bpe"));
    assert_eq!(
        known(&folder, "both.bpe").len(),
        4,
        "all of them occur twice now"
    );
    warm(&["b.tsv"], "m.bpe").fails(2, &["the counts are of pieces split by"]);
}

#[test]
fn a_corpus_is_refused_where_it_makes_no_sense() {
    let folder = Folder::with_model();
    folder.write("a.txt", CORPUS);
    for output in ["n.tiktoken", "n.json"] {
        folder
            .run(&["convert", "m.bpe", "-o", output, "--warm", "a.txt"])
            .fails(2, &[output, "only a .bpe model holds known pieces"]);
    }
    for option in [
        "--known-pieces",
        "--threads",
        "--max-chars",
        "--doc-cap",
        "--max-memory",
    ] {
        folder
            .run(&["convert", "m.bpe", "-o", "n.bpe", option, "1"])
            .fails(2, &["required"])
            .says(&["--warm <CORPUS>"]);
    }
    folder
        .run(&["convert", "m.bpe", "-o", "n.bpe", "--warm", "missing.txt"])
        .fails(1, &["missing.txt: No such file"]);
    folder.write("bad.txt", b"a \xFF");
    folder
        .run(&[
            "convert", "m.bpe", "-o", "n.bpe", "--warm", "bad.txt", "--errors", "strict",
        ])
        .fails(1, &["bad.txt: byte 2 is not UTF-8"]);
}

#[test]
fn a_file_of_before_known_pieces_is_read_and_written_as_it_was() {
    let folder = Folder::new();
    let before = fixture("models/before_known_pieces.bpe");
    folder
        .run(&["convert", before.to_str().unwrap(), "-o", "m.bpe"])
        .succeeds()
        .says_nothing();
    assert_eq!(folder.read("m.bpe"), std::fs::read(before).unwrap());
}
