use crate::support::Folder;

#[test]
fn help_has_an_example_for_each_command() {
    let folder = Folder::new();
    for command in [
        "train",
        "count-pieces",
        "encode",
        "decode",
        "count",
        "convert",
        "compare",
        "inspect",
        "completions",
        "man",
    ] {
        let run = folder.run(&[command, "--help"]).succeeds().says_nothing();
        let text = run.text();
        assert!(text.contains("Example"), "{text}");
        assert!(
            text.contains(&format!("\n  tokenizer {command} ")),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 110),
            "{text}"
        );
    }
    let run = folder.run(&["--help"]).succeeds();
    assert!(
        run.text()
            .contains("Exit codes: 0 done, 1 failed on the data, 2 wrong usage")
    );
    let run = folder.run(&["--version"]).succeeds();
    assert_eq!(
        run.text(),
        format!("tokenizer {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn what_is_missing_or_unknown_is_wrong_usage() {
    let folder = Folder::with_model();
    for arguments in [
        &[][..],
        &["learn"],
        &["train"],
        &["train", "corpus.txt"],
        &["train", "-o", "m.bpe"],
        &["encode", "corpus.txt"],
        &["encode", "-m", "m.bpe"],
        &["encode", "corpus.txt", "-m", "m.bpe", "--format", "csv"],
        &["encode", "corpus.txt", "-m", "m.bpe", "--errors", "ignore"],
        &["encode", "corpus.txt", "-m", "m.bpe", "--threads", "99999"],
        &["encode", "-", "corpus.txt", "-", "-m", "m.bpe"],
        &["decode", "a", "b", "-m", "m.bpe"],
        &[
            "train",
            "corpus.txt",
            "-o",
            "m.bpe",
            "--tie-break",
            "rustbpe",
        ],
    ] {
        let run = folder.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn messages_are_one_line_and_move_no_cursor() {
    let folder = Folder::with_model();
    let run = folder.run(&["count", "no\n\u{1b}[2Jthing", "-m", "m.bpe"]);
    run.fails(1, &["no\\n\\u{1b}[2Jthing: No such file"]);
}

#[test]
fn shells_and_man_are_told_of_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = folder.run(&["completions", shell]).succeeds();
        for word in ["count-pieces", "document-separator", "inspect"] {
            assert!(run.text().contains(word), "{shell}: {word}");
        }
    }
    let page = folder.run(&["man"]).succeeds();
    assert!(page.text().contains(".TH tokenizer 1"), "{}", page.text());
    let page = folder.run(&["man", "encode"]).succeeds();
    assert!(
        page.text().contains(".TH tokenizer-encode 1"),
        "{}",
        page.text()
    );
    assert!(page.text().contains("shard\\-tokens"), "{}", page.text());
    folder
        .run(&["man", "learn"])
        .fails(2, &["no command \"learn\""]);
}

/// The names of the stages that were told of, each of which must say how long it took.
#[track_caller]
fn stages(said: &str) -> Vec<&str> {
    said.lines()
        .filter_map(|line| line.strip_prefix("stage: "))
        .map(|line| {
            let seconds = line.split(", ").filter_map(|part| part.strip_suffix(" s"));
            let seconds: Vec<f64> = seconds.map(|n| n.parse().unwrap()).collect();
            assert_eq!(seconds.len(), 1, "{line}");
            line.split(',').next().unwrap()
        })
        .collect()
}

#[test]
fn verbose_tells_of_each_stage_and_changes_no_data() {
    let folder = Folder::with_model();
    folder.write("ids", "104 105\n");
    let documents = ["reading documents", "encoding documents", "consuming ids"];
    let encoding = |last| [&["reading the model"], &documents[..], &[last]].concat();
    for (arguments, wanted) in [
        (
            &["train", "corpus.txt", "-o", "n.bpe", "--vocab-size", "260"][..],
            vec!["counting pieces", "merging", "writing the model"],
        ),
        (
            &["count-pieces", "corpus.txt", "-o", "n.tsv"],
            vec!["counting pieces", "writing counts"],
        ),
        (
            &["train", "--from-counts", "n.tsv", "-o", "n.tiktoken"],
            vec!["reading counts", "merging", "writing the model"],
        ),
        (
            &["encode", "corpus.txt", "-m", "m.bpe"],
            encoding("encoding"),
        ),
        (
            &["count", "corpus.txt", "-m", "m.bpe"],
            encoding("counting tokens"),
        ),
        (
            &["compare", "corpus.txt", "-m", "m.bpe", "--json"],
            encoding("comparing"),
        ),
        (
            &["decode", "ids", "-m", "m.bpe"],
            vec!["reading the model", "reading ids", "decoding"],
        ),
        (
            &["convert", "m.bpe", "-o", "n.json"],
            vec!["reading the model", "writing the model"],
        ),
        (
            &["inspect", "-m", "m.bpe", "low lower"],
            vec!["reading the model", "encoding"],
        ),
    ] {
        let plain = folder.run(arguments).succeeds();
        assert!(stages(&plain.stderr).is_empty(), "{}", plain.stderr);
        for verbose in ["-v", "--verbose"] {
            let run = folder.run(&[arguments, &[verbose]].concat()).succeeds();
            assert_eq!(stages(&run.stderr), wanted, "{}", run.stderr);
            // Of a comparison, seconds are data.
            assert!(arguments[0] == "compare" || run.stdout == plain.stdout);
        }
        let both = folder.run(&[arguments, &["-v", "-q"]].concat());
        both.fails(2, &["cannot be used with"]);
    }
    let run = folder.run(&["-v", "encode", "corpus.txt", "-m", "m.bpe"]);
    run.says(&["stage: encoding, 333 bytes, ", " tokens, ", " MB/s"]);
}
