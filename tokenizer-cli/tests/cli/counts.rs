use crate::support::{Folder, fixture};

const TEXT: &str = "the cat sat on the mat, the dog sat on the log\n";

/// Trains with `arguments` and returns the bytes of the model.
fn trained(folder: &Folder, arguments: &[&str]) -> Vec<u8> {
    let options = ["-o", "m.bpe", "--vocab-size", "270", "-q"];
    let run = folder.run(&[&["train"], arguments, &options[..]].concat());
    run.succeeds();
    folder.read("m.bpe")
}

#[test]
fn counts_are_lines_of_base64_in_the_order_of_bytes() {
    let folder = Folder::new();
    folder.write("a.txt", b"a b\xFF a");
    folder
        .run(&["count-pieces", "a.txt", "-o", "a.tsv"])
        .succeeds()
        .says(&[
            "counted 6 bytes, 4 pieces, 4 of them distinct, in",
            "B/s\nwrote a.tsv (46 B)\n",
        ]);
    let want = "# pattern: cl100k\nIGE=\t1\nIGI=\t1\nYQ==\t1\n/w==\t1\n";
    assert_eq!(folder.read("a.tsv"), want.as_bytes());
    folder
        .run(&[
            "count-pieces",
            "-",
            "-o",
            "a.tsv",
            "--pattern",
            "[a-z]+",
            "-q",
        ])
        .succeeds()
        .says_nothing();
    assert_eq!(folder.read("a.tsv"), b"# pattern: keep:[a-z]+\n");
    let run = folder.run_with(
        "-",
        &["count-pieces", "-", "-o", "b.tsv", "--pattern", "gpt2"],
    );
    run.succeeds().says(&["counted 1 byte, 1 piece, "]);
}

#[test]
fn training_on_counts_equals_training_on_text() {
    let folder = Folder::new();
    folder.write("a.txt", TEXT);
    folder.write("b.txt", "a cat, a dog, a log");
    let want = trained(&folder, &["a.txt", "b.txt", "--pattern", "nanochat"]);
    for counts in ["c.tsv", "c.parquet"] {
        let count = ["count-pieces", "a.txt", "b.txt", "-o", counts];
        let run = folder.run(&[&count[..], &["--pattern", "nanochat"]].concat());
        run.succeeds();
        assert!(
            trained(&folder, &["--from-counts", counts]) == want,
            "{counts}"
        );
        // The same pattern may be given again.
        let again = ["--from-counts", counts, "--pattern", "nanochat"];
        assert!(trained(&folder, &again) == want);
    }
    folder
        .run(&["train", "--from-counts", "c.tsv", "-o", "m.bpe"])
        .succeeds()
        .says(&[" merges on 22 pieces, 12 of them distinct, in"]);
}

#[test]
fn counts_are_summed_with_others_and_with_text() {
    let folder = Folder::new();
    folder.write("a.txt", TEXT);
    folder.write("b.txt", "a cat, a dog, a log");
    let pattern = ["--pattern", r"\w+|\W", "-q"];
    let count = |inputs: &[&str], output: &str, pattern: &[&str]| {
        let run = folder.run(&[&["count-pieces", "-o", output], inputs, pattern].concat());
        run.succeeds();
        folder.read(output)
    };
    let tsv = count(&["a.txt", "b.txt", "a.txt"], "all.tsv", &pattern);
    let parquet = count(&["a.txt", "b.txt", "a.txt"], "all.parquet", &pattern);
    count(&["a.txt"], "a.tsv", &pattern);
    count(&["b.txt"], "b.parquet", &pattern);
    let threads = ["--threads", "3"];
    for inputs in [
        &["a.tsv", "b.parquet", "a.tsv"][..],
        &["a.txt", "b.parquet", "a.tsv"],
        &["b.txt", "a.tsv", "a.txt"],
        &["all.parquet"],
    ] {
        assert!(count(inputs, "again.tsv", &threads) == tsv, "{inputs:?}");
        assert!(
            count(inputs, "again.parquet", &threads) == parquet,
            "{inputs:?}"
        );
    }
    folder
        .run(&["count-pieces", "a.tsv", "b.parquet", "-o", "c.tsv"])
        .succeeds()
        .says(&["counted 38 pieces, 11 of them distinct, in"]);
    let together = trained(&folder, &["--from-counts", "a.tsv", "a.tsv", "b.parquet"]);
    assert!(together == trained(&folder, &["--from-counts", "all.tsv"]));
}

#[test]
fn counts_of_different_patterns_are_not_mixed() {
    let folder = Folder::new();
    folder.write("a.txt", TEXT);
    for (name, pattern) in [("1.tsv", "gpt2"), ("2.parquet", "cl100k")] {
        let run = folder.run(&["count-pieces", "a.txt", "-o", name, "--pattern", pattern]);
        run.succeeds();
    }
    let names = ["1.tsv and 2.parquet were split by different patterns: gpt2 and cl100k"];
    folder
        .run(&["count-pieces", "1.tsv", "2.parquet", "-o", "c.tsv"])
        .fails(1, &names);
    folder
        .run(&[
            "train",
            "--from-counts",
            "1.tsv",
            "2.parquet",
            "-o",
            "m.bpe",
        ])
        .fails(1, &names);
    let other = ["1.tsv: the pieces were split by another pattern: gpt2"];
    folder
        .run(&[
            "train",
            "--from-counts",
            "1.tsv",
            "-o",
            "m.bpe",
            "--pattern",
            "o200k",
        ])
        .fails(2, &other)
        .says(&["tip: leave --pattern out"]);
    folder
        .run(&[
            "count-pieces",
            "a.txt",
            "1.tsv",
            "-o",
            "c.tsv",
            "--pattern",
            "o200k",
        ])
        .fails(2, &other);
    assert!(!folder.exists("c.tsv") && !folder.exists("m.bpe"));
}

#[test]
fn counts_without_a_pattern_require_one() {
    let folder = Folder::new();
    folder.write("a.tsv", "dGhl\t5\n");
    folder
        .run(&["train", "--from-counts", "a.tsv", "-o", "m.bpe"])
        .fails(2, &["a.tsv: no pattern in the file"])
        .says(&["tip: --pattern names the one they were split by"]);
    let model = trained(&folder, &["--from-counts", "a.tsv", "--pattern", "gpt2"]);
    assert!(!model.is_empty());
}

#[test]
fn counts_beyond_32_bits_decide() {
    let folder = Folder::new();
    folder.write("1.tsv", "# pattern: gpt2\nYWI=\t4294967296\n");
    folder.write("2.tsv", "# pattern: gpt2\nY2Q=\t4294967297\n");
    let counts = [
        "train",
        "--from-counts",
        "1.tsv",
        "2.tsv",
        "-o",
        "m.bpe",
        "-q",
    ];
    folder
        .run(&[&counts[..], &["--vocab-size", "257"]].concat())
        .succeeds();
    // "cd" is the only merge.
    let run = folder.run_with("ab", &["encode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(run.text(), "97 98\n");
    let run = folder.run_with("cd", &["encode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(run.text(), "256\n");
    folder.write("3.tsv", "# pattern: gpt2\nYWI=\t18446744073709551615\n");
    folder
        .run(&["train", "--from-counts", "1.tsv", "3.tsv", "-o", "m.bpe"])
        .fails(1, &["3.tsv: count of piece \"ab\" exceeds 2^64 - 1"]);
}

#[test]
fn bad_counts_name_the_file_and_the_place() {
    let folder = Folder::new();
    let fails = |name: &str, words: &[&str]| {
        folder
            .run(&["train", "--from-counts", name, "-o", "m.bpe"])
            .fails(1, words);
        folder
            .run(&["count-pieces", name, "-o", "c.parquet"])
            .fails(1, words);
    };
    for (text, fault) in [
        (
            "# pattern: gpt2\nYQ==\t-1\n",
            "bad.tsv: line 2: invalid count \"-1\"",
        ),
        (
            "# pattern: gpt2\nYQ==\t1\nY\t1\n",
            "bad.tsv: line 3: invalid base64 piece",
        ),
        (
            "# pattern: gpt2\nYQ==\t1",
            "bad.tsv: line 2: no line feed at the end",
        ),
        (
            "# pattern: keep:(\n",
            "bad.tsv: line 1: invalid pattern of the pieces",
        ),
        ("text\n", "bad.tsv: no pattern in the file"),
    ] {
        folder.write("bad.tsv", text);
        if text == "text\n" {
            let run = folder.run(&["count-pieces", "bad.tsv", "-o", "c.tsv"]);
            run.fails(2, &[fault]);
        } else {
            fails("bad.tsv", &[fault]);
        }
    }
    folder.write("bad.parquet", "PAR1 and no more");
    fails("bad.parquet", &["bad.parquet: invalid Parquet table"]);
    folder.write("a.txt", TEXT);
    folder
        .run(&["count-pieces", "a.txt", "-o", "good.parquet", "-q"])
        .succeeds();
    let good = folder.read("good.parquet");
    for length in [good.len() - 1, good.len() / 2, 5, 0] {
        folder.write("cut.parquet", &good[..length]);
        fails("cut.parquet", &["cut.parquet: "]);
    }
    fails("none.tsv", &["none.tsv: "]);
    assert!(!folder.exists("m.bpe") && !folder.exists("c.parquet"));
}

#[test]
fn wrong_usage_is_reported_before_any_work() {
    let folder = Folder::new();
    folder.write("a.txt", TEXT);
    folder
        .run(&["count-pieces", "a.txt", "-o", "a.tsv", "-q"])
        .succeeds();
    let before = folder.names();
    let run = folder.run(&["train", "a.txt", "--from-counts", "a.tsv", "-o", "m.bpe"]);
    run.fails(2, &["--from-counts"]);
    let run = folder.run(&["train", "-o", "m.bpe"]);
    run.fails(2, &["required"]);
    let run = folder.run(&["train", "--from-counts", "a.txt", "-o", "m.bpe"]);
    run.fails(2, &["ends in .tsv or .parquet"]);
    let run = folder.run(&["count-pieces", "a.txt", "-o", "counts.json"]);
    run.fails(2, &["ends in .tsv or .parquet"]);
    let run = folder.run(&["count-pieces", "a.tsv", "-o", "a.tsv"]);
    run.fails(2, &["a.tsv: is both an input and an output"]);
    let run = folder.run(&["train", "a.tsv", "-o", "m.bpe"]);
    run.fails(2, &["a.tsv: counted pieces, not text"])
        .says(&["tip: --from-counts reads counted pieces"]);
    let run = folder.run(&["count-pieces", "a.txt", "-o", "none/a.tsv"]);
    run.fails(1, &["none"]);
    assert_eq!(folder.names(), before);
}

#[test]
fn limits_are_in_characters_and_crop_as_nanochat_does() {
    let folder = Folder::new();
    folder.write("1.txt", "été noir");
    folder.write("2.txt", b"\xFF\xE2\x82bc");
    folder.write("3.txt", "never seen");
    let count = |options: &[&str]| {
        let inputs = ["count-pieces", "1.txt", "2.txt", "3.txt", "-o", "c.tsv"];
        let run = folder.run(&[&inputs[..], options].concat()).succeeds();
        let text = String::from_utf8(folder.read("c.tsv")).unwrap();
        let rows: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        (rows, run.stderr)
    };
    let (rows, said) = count(&["--doc-cap", "3", "--max-chars", "5"]);
    // "été", and three characters of four bytes.
    assert_eq!(rows, ["Yg==\t1", "w6l0w6k=\t1", "/+KC\t1"]);
    assert!(said.contains("counted 9 bytes, "), "{said}");
    let (rows, _) = count(&["--max-chars", "8"]);
    assert_eq!(
        rows.len(),
        4,
        "the second document takes the total above eight: {rows:?}"
    );
    let (rows, _) = count(&["--max-chars", "7"]);
    assert_eq!(rows, ["IG5vaXI=\t1", "w6l0w6k=\t1"], "the first does");
    let (all, _) = count(&[]);
    assert_eq!(count(&["--doc-cap", "100", "--max-chars", "100"]).0, all);

    let train = ["train", "1.txt", "2.txt", "3.txt", "-o", "m.bpe", "-q"];
    let options = ["--vocab-size", "300", "--doc-cap", "3", "--max-chars", "5"];
    folder.run(&[&train[..], &options[..]].concat()).succeeds();
    let limited = folder.read("m.bpe");
    folder.write("1.txt", "été");
    folder.write("2.txt", b"\xFF\xE2\x82b");
    folder.run(&[
        "train",
        "1.txt",
        "2.txt",
        "-o",
        "m.bpe",
        "--vocab-size",
        "300",
        "-q",
    ]);
    assert!(folder.read("m.bpe") == limited);
    let run = folder.run(&[
        "train",
        "--from-counts",
        "c.tsv",
        "-o",
        "m.bpe",
        "--doc-cap",
        "3",
    ]);
    run.fails(2, &["--doc-cap"]);
}

/// Runs with `tmp` as the folder of temporary files.
fn run_in_memory(folder: &Folder, arguments: &[&str], size: &str) -> i32 {
    let mut command = folder.command(arguments);
    command.args(["--max-memory", size, "-q"]);
    command.env("TMPDIR", folder.path("tmp"));
    command.output().unwrap().status.code().unwrap_or(-1)
}

#[cfg(unix)]
#[test]
fn a_memory_limit_does_not_change_counts() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("tmp")).unwrap();
    let corpus = fixture("corpus.txt");
    let corpus = corpus.to_str().unwrap();
    let nothing_is_left = || std::fs::read_dir(folder.path("tmp")).unwrap().count() == 0;
    for output in ["c.tsv", "c.parquet"] {
        let count = ["count-pieces", corpus, corpus, "-o", output];
        folder.run(&[&count[..], &["-q"]].concat()).succeeds();
        let want = folder.read(output);
        for (size, threads) in [
            ("1", "1"),
            ("100kB", "1"),
            ("100kB", "3"),
            ("1MiB", "2"),
            ("2GB", "2"),
        ] {
            std::fs::remove_file(folder.path(output)).unwrap();
            let count = [&count[..], &["--threads", threads]].concat();
            assert_eq!(run_in_memory(&folder, &count, size), 0);
            assert!(folder.read(output) == want, "{size}, {threads} threads");
            assert!(nothing_is_left());
            let sum = ["count-pieces", output, "-o", "sum.parquet"];
            assert_eq!(run_in_memory(&folder, &sum, size), 0);
        }
    }
    assert!(folder.read("sum.parquet") == folder.read("c.parquet"));
    let want = trained(&folder, &[corpus, corpus]);
    for input in [&[corpus, corpus][..], &["--from-counts", "c.tsv"]] {
        let options = ["train", "-o", "b.bpe", "--vocab-size", "270"];
        assert_eq!(
            run_in_memory(&folder, &[&options[..], input].concat(), "2MB"),
            0
        );
        assert!(folder.read("b.bpe") == want);
    }
    assert!(nothing_is_left());
}

#[cfg(unix)]
#[test]
fn a_memory_limit_that_is_too_low_is_refused() {
    let folder = Folder::new();
    let corpus = fixture("corpus.txt");
    let corpus = corpus.to_str().unwrap();
    let run = folder.run(&["train", corpus, "-o", "m.bpe", "--max-memory", "100kB"]);
    run.fails(1, &["distinct pieces need more than the 50000 bytes"])
        .says(&["tip: --max-memory bounds counting"]);
    let run = folder.run(&["train", corpus, "-o", "m.bpe", "--max-memory", "much"]);
    run.fails(2, &["expected a size such as"]);
    let count = ["count-pieces", corpus, "-o", "c.tsv", "--max-memory", "1kB"];
    let mut command = folder.command(&count);
    let output = command.env("TMPDIR", folder.path("none")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains(
            "cannot keep piece counts in temporary files: cannot create a temporary file in"
        ),
        "{said}"
    );
    assert!(folder.names().is_empty());
}

/// Counts that do not fit in a limited address space are complete with `--max-memory`.
#[cfg(target_os = "linux")]
#[test]
fn counts_larger_than_memory_spill_to_files() {
    let folder = Folder::new();
    let words: String = (0..1_000_000u32)
        .map(|n| format!(" {:x}", n.wrapping_mul(2_654_435_761)))
        .collect();
    folder.write("words.txt", words);
    let run = |options: &str| {
        let program = crate::support::program();
        let script = format!(
            "ulimit -v 100000; exec {program} count-pieces words.txt -o c.tsv -q --threads 1 \
             --pattern ' \\w+' {options}"
        );
        let mut command = std::process::Command::new("sh");
        let command = command.args(["-c", &script]).current_dir(folder.path(""));
        // Otherwise, glibc may reserve 64 MB of addresses for the heap of a second thread.
        command.env("MALLOC_ARENA_MAX", "1").output().unwrap()
    };
    let output = run("--max-memory 20MB");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = folder.read("c.tsv");
    assert_eq!(
        lines.iter().filter(|&&byte| byte == b'\n').count(),
        1_000_001
    );
    assert!(!run("").status.success());
}
