//! Wrong usage, messages and `--verbose`.

use crate::support::Folder;

#[test]
fn missing_and_unknown_arguments_are_wrong_usage() {
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
    let run = folder.run(&["count", "no\n\u{1b}[2J\u{202e}thing", "-m", "m.bpe"]);
    run.fails(1, &["no\\n\\u{1b}[2J\\u{202e}thing: No such file"]);
}

#[test]
fn errors_look_like_those_of_the_argument_parser() {
    let folder = Folder::with_model();
    let run = folder.run(&["count", ".", "-m", "m.bpe"]);
    assert_eq!(
        run.stderr,
        "error: .: is a directory\n\n  tip: --recursive reads the files in it\n"
    );
    let run = folder.run(&[
        "encode",
        "corpus.txt",
        "-m",
        "m.bpe",
        "--append-special",
        "</s>",
    ]);
    let usage = "\nUsage: tokenizer encode [OPTIONS] --model <MODEL> <INPUT>...\n";
    let end = "\nFor more information, try '--help'.\n";
    assert!(
        run.stderr.ends_with(&[usage, end].concat()),
        "{}",
        run.stderr
    );
    let ours = run.fails(2, &["</s>"]).stderr;
    let parser = folder.run(&["encode", "corpus.txt", "-m", "m.bpe", "--shard-tokens", "0"]);
    assert!(parser.stderr.ends_with(end), "{}", parser.stderr);
    assert!(
        ours.contains("\n\n  tip: it has \"<s>\"\n\nUsage: "),
        "{ours}"
    );
}

#[test]
fn colors_are_for_terminals() {
    let folder = Folder::with_model();
    let stderr = |variables: &[(&str, &str)]| {
        let mut command = folder.command(&["count", ".", "-m", "m.bpe"]);
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    // Standard error is a pipe here.
    assert!(!stderr(&[("TERM", "xterm-256color")]).contains('\x1b'));
    let forced = stderr(&[("CLICOLOR_FORCE", "1")]);
    assert!(
        forced.starts_with("\x1b[1m\x1b[31merror:\x1b[0m .: is a directory\n"),
        "{forced:?}"
    );
    assert!(!stderr(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\x1b'));
}

/// On a pseudo-terminal, by `script`, if it is installed.
#[cfg(target_os = "linux")]
#[test]
fn a_dumb_terminal_gets_no_colors() {
    let folder = Folder::with_model();
    let run = |term: &str| {
        let program = format!("{} count . -m m.bpe", crate::support::program());
        let mut command = std::process::Command::new("script");
        command
            .args(["-qec", &program, "/dev/null"])
            .current_dir(folder.path(""));
        // Each of these decides before TERM does.
        for name in ["CI", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        let output = command
            .env("TERM", term)
            .stdin(std::process::Stdio::null())
            .output();
        output
            .ok()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(colored) = run("xterm-256color") else {
        return;
    };
    assert!(colored.contains("\x1b[31merror:"), "{colored:?}");
    let dumb = run("dumb").unwrap();
    assert!(dumb.contains("error: .: is a directory"), "{dumb:?}");
    assert!(!dumb.contains("\x1b[3"), "{dumb:?}");
}

#[test]
fn numbers_take_k_and_m() {
    let folder = Folder::with_model();
    folder.write("long.txt", "low lower lowest ".repeat(200));
    let trained = |options: &[&str], output: &str| {
        let arguments = [
            "train",
            "long.txt",
            "-q",
            "--vocab-size",
            "262",
            "-o",
            output,
        ];
        folder.run(&[&arguments[..], options].concat()).succeeds();
        folder.read(output)
    };
    for (name, short, long) in [
        ("--max-chars", "1k", "1000"),
        ("--doc-cap", "2K", "2000"),
        ("--min-frequency", "1k", "1000"),
        ("--vocab-size", "1k", "1000"),
        ("--max-token-bytes", "1M", "1000000"),
    ] {
        // The last --vocab-size would be refused as a second one.
        if name == "--vocab-size" {
            let run = |size: &str| {
                let options = ["train", "long.txt", "-o", "v.bpe", name, size];
                folder.run(&options).succeeds().says(&["not 1,000"]);
                folder.read("v.bpe")
            };
            assert!(run(short) == run(long));
        } else {
            assert!(
                trained(&[name, short], "a.bpe") == trained(&[name, long], "b.bpe"),
                "{name}"
            );
        }
    }
    let encode = ["encode", "long.txt", "-m", "m.bpe", "-q", "-o", "x.u16"];
    folder
        .run(&[&encode[..], &["--shard-tokens", "1k"]].concat())
        .succeeds();
    folder
        .run(&[&encode[..], &["--shard-tokens", "1000", "--resume"]].concat())
        .succeeds();
    for wrong in ["1.5M", "-1", "k", "1kB", "99999999999999999999"] {
        let option = format!("--max-chars={wrong}");
        folder
            .run(&["train", "long.txt", "-o", "x.bpe", &option])
            .fails(2, &[wrong, "--max-chars"]);
    }
}

#[test]
fn a_wrong_special_token_gets_the_nearest_ones() {
    let folder = Folder::new();
    folder.write("a.txt", "low lower lowest");
    let mut arguments = vec![
        "train".to_owned(),
        "a.txt".into(),
        "-q".into(),
        "-o".into(),
        "m.bpe".into(),
    ];
    let reserved = (0..1000).map(|id| format!("<|reserved_special_token_{id}|>"));
    for special in reserved.chain(["<|endoftext|>".to_owned()]) {
        arguments.extend(["--special".to_owned(), special]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    folder.run(&arguments).succeeds();
    let run = folder.run(&[
        "encode",
        "a.txt",
        "-m",
        "m.bpe",
        "--append-special",
        "<|endoftxt|>",
    ]);
    let run = run.fails(2, &["no special token \"<|endoftxt|>\""]);
    assert!(run.stderr.len() < 1000, "{}", run.stderr);
    run.says(&["tip: the nearest of its 1,001 special and added tokens: \"<|endoftext|>\", "]);
    let run = folder
        .run(&["convert", "m.bpe", "-o", "m.tiktoken"])
        .succeeds();
    assert!(run.stderr.len() < 1000, "{}", run.stderr);
    run.says(&["and 996 more"]);
}

/// The names of the reported stages, each of which must have one time.
#[track_caller]
fn stages(stderr: &str) -> Vec<&str> {
    stderr
        .lines()
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
fn verbose_reports_each_stage_and_changes_no_data() {
    let folder = Folder::with_model();
    folder.write("ids", "104 105\n");
    let documents = ["reading documents", "encoding documents", "consuming ids"];
    let encoding = |last| [&["reading the model"], &documents[..], &[last]].concat();
    for (arguments, expected) in [
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
            assert_eq!(stages(&run.stderr), expected, "{}", run.stderr);
            // The output of a comparison contains times.
            assert!(arguments[0] == "compare" || run.stdout == plain.stdout);
        }
        let both = folder.run(&[arguments, &["-v", "-q"]].concat());
        both.fails(2, &["cannot be used with"]);
    }
    let run = folder.run(&["-v", "encode", "corpus.txt", "-m", "m.bpe"]);
    run.says(&["stage: encoding, 333 bytes, ", " tokens, ", " MB/s"]);
}

#[test]
fn options_that_cannot_help_are_not_suggested() {
    let folder = Folder::with_model();
    let table = std::fs::read(crate::support::fixture("documents/documents.parquet")).unwrap();
    folder.write("cut.parquet", &table[..table.len() - 20]);
    folder.write("cut.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\n");
    folder.write("other.jsonl", "{\"content\": \"a\"}\n");
    let hint = |input: &str| {
        let run = folder.run(&["encode", input, "-m", "m.bpe", "-q"]);
        assert_eq!(run.code, 1, "{}", run.stderr);
        let tip = run.stderr.lines().find(|line| line.starts_with("  tip: "));
        tip.unwrap_or_default().to_owned()
    };
    assert_eq!(hint("cut.parquet"), "");
    assert_eq!(
        hint("cut.jsonl"),
        "  tip: --text reads all of the input as text"
    );
    assert!(hint("other.jsonl").contains("--field names the field"));
}
