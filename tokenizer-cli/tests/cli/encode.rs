use crate::support::{Folder, MIXED_BYTES};

#[test]
fn every_format_round_trips_any_bytes() {
    let folder = Folder::with_model();
    folder.write("bytes", MIXED_BYTES);
    folder.write("empty", "");
    let all: Vec<u8> = (0..=255).collect();
    folder.write("all", &all);
    let documents = ["bytes", "empty", "all", "bytes"];
    let joined = [MIXED_BYTES, &all, MIXED_BYTES].concat();
    for format in ["text", "jsonl", "u16", "u32", "npy"] {
        let options = ["-m", "m.bpe", "-q", "--format", format];
        let arguments = [&["encode"][..], &documents, &options, &["-o", "ids"]].concat();
        let run = folder.run(&arguments).succeeds();
        let warnings = "warning: bytes: may not be text: NUL at byte 20\n\
                        warning: all: may not be text: NUL at byte 0\n";
        assert_eq!(run.stderr, warnings);
        let arguments = [&["decode", "ids"][..], &options, &["-o", "back"]].concat();
        folder.run(&arguments).succeeds().says_nothing();
        assert_eq!(folder.read("back"), joined, "{format}");
    }
    for name in [
        "ids.txt",
        "ids.jsonl",
        "ids.npy",
        "ids.u16",
        "ids.u32",
        "ids.bin",
    ] {
        let arguments = [
            &["encode"][..],
            &documents,
            &["-m", "m.bpe", "-q", "-o", name],
        ]
        .concat();
        folder.run(&arguments).succeeds();
        let run = folder
            .run(&["decode", name, "-m", "m.bpe", "-q"])
            .succeeds();
        assert_eq!(run.stdout, joined, "{name}");
    }
    assert_eq!(folder.read("ids.bin"), folder.read("ids.u16"));
    assert_eq!(folder.read("ids"), folder.read("ids.npy"));
}

#[test]
fn formats_have_the_documented_layout() {
    let folder = Folder::with_model();
    folder.write("a", "a");
    folder.write("empty", "");
    folder.write("bc", "b!");
    let encode = |format: &str| {
        let options = ["-m", "m.bpe", "-q", "--format", format];
        let arguments = [&["encode", "a", "empty", "bc"], &options[..]].concat();
        folder.run(&arguments).succeeds().stdout
    };
    assert_eq!(encode("text"), b"97\n\n98 33\n");
    assert_eq!(
        encode("jsonl"),
        b"{\"ids\":[97]}\n{\"ids\":[]}\n{\"ids\":[98,33]}\n"
    );
    assert_eq!(encode("u16"), [97, 0, 98, 0, 33, 0]);
    assert_eq!(encode("u32"), [97, 0, 0, 0, 98, 0, 0, 0, 33, 0, 0, 0]);
    let npy = encode("npy");
    let header = "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), }";
    assert_eq!(npy[..10], *b"\x93NUMPY\x01\x00\x76\x00");
    assert!(npy[10..].starts_with(header.as_bytes()));
    assert_eq!(npy[128..], encode("u32"));
}

#[test]
fn special_tokens_in_documents_are_plain_text() {
    let folder = Folder::with_model();
    let run = folder.run_with("<s>", &["encode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(run.succeeds().text(), "60 115 62\n");
}

#[test]
fn the_result_is_printed_unless_quiet() {
    let folder = Folder::with_model();
    folder.write("a.txt", "low low");
    folder
        .run(&["encode", "a.txt", "-m", "m.bpe"])
        .succeeds()
        .says(&[
            "encoded 7 bytes into ",
            " tokens, ",
            " bytes per token, in ",
            "B/s\n",
        ]);
    folder
        .run(&["encode", "a.txt", "-m", "m.bpe", "--quiet"])
        .succeeds()
        .says_nothing();
    folder
        .run(&["--quiet", "encode", "a.txt", "-m", "m.bpe"])
        .succeeds()
        .says_nothing();
}

#[test]
fn the_width_of_bin_files_is_noted() {
    let folder = Folder::with_model();
    folder.write("a.txt", "low");
    folder
        .run(&["encode", "a.txt", "-m", "m.bpe", "-o", "ids.bin"])
        .succeeds()
        .says(&["note: ids.bin: writing ids as u16"]);
    let decode = || folder.run(&["decode", "ids.bin", "-m", "m.bpe"]).succeeds();
    assert!(!decode().stderr.contains("note: "));
    // Without the header, the width is a guess.
    std::fs::remove_file(folder.path("ids.bin.json")).unwrap();
    decode().says(&["note: ids.bin: reading ids as u16"]);
}

/// A model whose highest id is 65,535 or 65,536.
fn write_ranks(folder: &Folder, ids: usize) {
    let mut text = String::new();
    for (line, base64) in fixture_bytes().into_iter().enumerate() {
        text.push_str(&format!("{base64} {line}\n"));
    }
    // Ranks must be below 65,536 or the size of the file, so a long token makes the file larger.
    text.push_str(&format!("{} 256\n", "QUFB".repeat(1 << 15)));
    text.push_str(&format!("bG93 {}\n", ids - 1));
    folder.write("m.tiktoken", text);
}

/// The lines of a `.tiktoken` file for the 256 single bytes.
fn fixture_bytes() -> Vec<String> {
    let table = crate::support::fixture_text("golden/gpt2.tiktoken");
    let words = table.lines().take(256);
    words
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn ids_that_do_not_fit_are_refused_before_writing() {
    let folder = Folder::new();
    folder.write("a.txt", "low");
    let encode = |options: &[&str]| {
        let model = ["-m", "m.tiktoken", "--pattern", "gpt2", "-q"];
        folder.run(&[&["encode", "a.txt"], &model[..], options].concat())
    };
    write_ranks(&folder, 65_536);
    assert_eq!(encode(&["--format", "u16"]).succeeds().stdout, [255, 255]);
    write_ranks(&folder, 65_537);
    let run = encode(&["--format", "u16"])
        .fails(
            1,
            &[
                "standard output: the highest id of the model, 65536, exceeds 65535",
                "u16",
            ],
        )
        .says(&["tip: --format u32"]);
    assert!(run.stdout.is_empty());
    encode(&["-o", "ids.u16"]).fails(1, &["ids.u16: the highest id of the model, 65536, exceeds"]);
    assert!(!folder.exists("ids.u16"));
    encode(&["-o", "ids.bin"]).succeeds();
    assert_eq!(folder.read("ids.bin"), [0, 0, 1, 0]);
}

#[test]
fn invalid_utf8_is_refused_when_asked() {
    let folder = Folder::with_model();
    folder.write("good.txt", "é");
    folder.write(
        "bad.txt",
        "é\u{e9}"
            .as_bytes()
            .iter()
            .copied()
            .chain([0xC3])
            .collect::<Vec<u8>>(),
    );
    let strict = ["-m", "m.bpe", "--errors", "strict", "-o", "ids"];
    folder
        .run(&[&["encode", "good.txt", "bad.txt"], &strict[..]].concat())
        .fails(1, &["bad.txt: byte 4 is not UTF-8"])
        .says(&["tip: --errors keep"]);
    assert!(!folder.exists("ids"));
    folder
        .run(&[&["encode", "good.txt"], &strict[..]].concat())
        .succeeds();
}

#[test]
fn threads_change_nothing() {
    let folder = Folder::with_model();
    let mut arguments = vec!["encode"];
    let names: Vec<String> = (0..30).map(|number| format!("{number}.txt")).collect();
    for (number, name) in names.iter().enumerate() {
        folder.write(
            name,
            format!("slow {number} lowest\n").repeat(12_000 * (number % 4)),
        );
        arguments.push(name);
    }
    arguments.extend(["-m", "m.bpe", "-q", "--threads"]);
    let with = |threads| {
        let arguments = [&arguments[..], &[threads]].concat();
        folder.run(&arguments).succeeds().stdout
    };
    let one = with("1");
    assert_eq!(one.split(|&byte| byte == b'\n').count(), 31);
    for threads in ["2", "3", "8"] {
        assert!(with(threads) == one, "{threads} threads");
    }
}

#[test]
fn one_large_document_is_the_same_on_any_number_of_threads() {
    let folder = Folder::with_model();
    folder.write(
        "large.txt",
        "slow 1 lowest, \u{6771}\u{4eac}\n".repeat(300_000),
    );
    let with = |command: &[_], threads| {
        let rest = ["large.txt", "-m", "m.bpe", "-q", "--threads", threads];
        folder.run(&[command, &rest].concat()).succeeds().stdout
    };
    // A document that may contain special tokens is not cut.
    for command in [&["encode"][..], &["encode", "--allow-special"], &["count"]] {
        let one = with(command, "1");
        for threads in ["2", "3", "8"] {
            assert!(
                with(command, threads) == one,
                "{command:?}: {threads} threads"
            );
        }
    }
    assert!(with(&["encode"], "2") == with(&["encode", "--allow-special"], "2"));
}

#[test]
fn a_pattern_that_fails_names_the_byte_and_leaves_no_file() {
    let folder = Folder::new();
    folder.write("fine.txt", "b");
    folder.write("bomb.txt", format!("bb{}", "a".repeat(64)));
    folder
        .run(&[
            "train",
            "fine.txt",
            "-o",
            "m.bpe",
            "--pattern",
            "(?:a|a)+(?=c)|.",
            "-q",
        ])
        .succeeds();
    let run = folder.run(&[
        "encode", "fine.txt", "bomb.txt", "-m", "m.bpe", "-o", "ids.txt",
    ]);
    run.fails(1, &["bomb.txt: the pattern failed at byte 2:"]);
    assert_eq!(folder.names(), ["bomb.txt", "fine.txt", "m.bpe"]);

    // The first failure in the order of documents is reported, on any number of threads.
    folder.write("long.txt", "b".repeat(3 << 20));
    for threads in ["1", "3", "8"] {
        let run = folder.run(&[
            "count",
            "long.txt",
            "bomb.txt",
            "long.txt",
            "fine.txt",
            "bomb.txt",
            "-m",
            "m.bpe",
            "--threads",
            threads,
        ]);
        run.fails(1, &["bomb.txt: the pattern failed at byte 2:"]);
    }
}

#[test]
fn an_input_is_never_overwritten() {
    let folder = Folder::with_model();
    folder.write("a.txt", "low");
    folder.write("ids", "97");
    let before = folder.read("m.bpe");
    for arguments in [
        &["encode", "a.txt", "-m", "m.bpe", "-o", "./a.txt"][..],
        &["encode", "a.txt", "-m", "m.bpe", "-o", "m.bpe"],
        &["decode", "ids", "-m", "m.bpe", "-o", "ids"],
        &["decode", "ids", "-m", "m.bpe", "-o", "m.bpe"],
        &["train", "m.bpe", "-o", "m.bpe"],
    ] {
        folder
            .run(arguments)
            .fails(2, &["is both an input and an output"]);
    }
    assert_eq!(folder.read("a.txt"), b"low");
    assert_eq!(folder.read("m.bpe"), before);
}

#[test]
fn an_existing_output_is_kept_when_the_run_fails() {
    let folder = Folder::with_model();
    folder.write("ids", "old");
    folder.write("bad.txt", b"\xff");
    folder
        .run(&[
            "encode", "bad.txt", "-m", "m.bpe", "-o", "ids", "--errors", "strict",
        ])
        .fails(1, &["bad.txt"]);
    assert_eq!(folder.read("ids"), b"old");
    assert_eq!(folder.names(), ["bad.txt", "corpus.txt", "ids", "m.bpe"]);
}
