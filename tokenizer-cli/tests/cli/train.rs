use crate::support::{Folder, sha256};

#[test]
fn a_model_is_written_with_bytes_merges_and_specials() {
    let folder = Folder::new();
    folder.write("a.txt", "aaab aaab");
    let run = folder.run(&[
        "train",
        "a.txt",
        "-o",
        "m.bpe",
        "--vocab-size",
        "260",
        "--special",
        "<a>",
        "--special",
        "<b>",
    ]);
    run.succeeds().says(&[
        "trained 2 merges on 9 bytes",
        "2 pieces, 2 of them distinct",
        "B/s\nwrote m.bpe (",
    ]);
    // The merges are (a, a) and (a, b); the special tokens follow.
    let run = folder.run_with("256 257 258 259", &["decode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(run.succeeds().text(), "aaab<a><b>");
    folder
        .run_with("260", &["decode", "-", "-m", "m.bpe"])
        .fails(1, &["unknown token id 260"]);
}

#[test]
fn documents_are_counted_apart_and_once_per_mention() {
    let folder = Folder::new();
    folder.write("x.txt", "xy");
    folder.write("z.txt", "zzz zzz");
    folder
        .run(&[
            "train", "x.txt", "x.txt", "x.txt", "x.txt", "x.txt", "z.txt", "-o", "m.bpe",
        ])
        .succeeds();
    // (x, y) occurs five times and (z, z) four; xyxy is not a piece of any document.
    let run = folder.run_with("xy", &["encode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(run.text(), "256\n");
    let run = folder.run_with("xyxy", &["encode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(run.text(), "256 256\n");
}

#[test]
fn a_small_corpus_gives_a_smaller_vocabulary_and_a_warning() {
    let folder = Folder::new();
    folder.write("a.txt", "ab");
    folder
        .run(&["train", "a.txt", "-o", "m.bpe", "--special", "<s>", "-q"])
        .succeeds()
        .says(&["warning: m.bpe: the vocabulary has 258 ids, not 32,768: no pair is left to merge after 1 merge\n"]);
    let run = folder.run_with("ab", &["encode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(run.text(), "256\n");
}

#[test]
fn an_empty_corpus_gives_the_bytes() {
    let folder = Folder::new();
    folder.write("empty.txt", "");
    folder
        .run(&["train", "empty.txt", "-o", "m.bpe"])
        .succeeds()
        .says(&["warning: m.bpe: the vocabulary has 256 ids, not 32,768"]);
    let run = folder.run_with("no\n", &["encode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(run.text(), "110 111 10\n");
    folder
        .run(&[
            "train",
            "empty.txt",
            "-o",
            "m.bpe",
            "--vocab-size",
            "256",
            "-q",
        ])
        .succeeds()
        .says_nothing();
}

#[test]
fn min_frequency_and_max_token_bytes_limit_merges() {
    let folder = Folder::new();
    folder.write("a.txt", "abab abab cd");
    let vocabulary = |options: &[&str]| {
        let arguments = [&["train", "a.txt", "-o", "m.tiktoken", "-q"], options].concat();
        folder.run(&arguments).succeeds();
        folder
            .read("m.tiktoken")
            .split(|&byte| byte == b'\n')
            .count()
            - 1
    };
    // "ab", "abab", " c", " abab", " cd"
    assert_eq!(vocabulary(&[]), 256 + 5);
    assert_eq!(vocabulary(&["--min-frequency", "2"]), 256 + 2);
    assert_eq!(vocabulary(&["--max-token-bytes", "2"]), 256 + 2);
    assert_eq!(vocabulary(&["--max-token-bytes", "1"]), 256);
}

#[test]
fn standard_input_is_a_document_like_any_other() {
    let folder = Folder::new();
    folder.write("a.txt", "some words and some more words");
    folder
        .run(&["train", "a.txt", "-o", "file.bpe", "-q"])
        .succeeds();
    folder
        .run_with(
            "some words and some more words",
            &["train", "-", "-o", "stream.bpe", "-q"],
        )
        .succeeds();
    assert_eq!(folder.read("file.bpe"), folder.read("stream.bpe"));
}

#[test]
fn patterns_are_names_or_regexes() {
    let folder = Folder::new();
    folder.write("a.txt", "ab-ab");
    let ids = |pattern: &str| {
        folder
            .run(&["train", "a.txt", "-o", "m.bpe", "-q", "--pattern", pattern])
            .succeeds();
        folder
            .run(&["encode", "a.txt", "-m", "m.bpe", "-q"])
            .text()
            .to_owned()
    };
    assert_eq!(ids(r"[a-z]+|-"), "256 45 256\n");
    assert_eq!(ids("(?s).+"), "258\n");
    assert_eq!(
        ids("-[a-z]+"),
        "256 257\n",
        "what the regex leaves out is a piece"
    );
    assert_eq!(ids("gpt2"), ids("p50k_base"));
}

#[test]
fn losses_of_a_tiktoken_file_are_warned_of() {
    let folder = Folder::new();
    folder.write("a.txt", "ab ab");
    folder
        .run(&[
            "train",
            "a.txt",
            "-o",
            "m.tiktoken",
            "--special",
            "<s>",
            "--special",
            "<e>",
            "-q",
        ])
        .succeeds()
        .says(&[
            "warning: m.tiktoken: a .tiktoken file stores no special tokens; omitted: <s>, <e>",
        ]);
    assert!(
        !folder
            .run(&["count", "a.txt", "-m", "m.tiktoken", "--pattern", "cl100k"])
            .text()
            .is_empty()
    );
}

#[test]
fn wrong_sizes_and_specials_are_refused_before_reading() {
    let folder = Folder::new();
    let refused = |options: &[&str], words: &[&str]| {
        let arguments = [&["train", "missing.txt", "-o", "m.bpe"], options].concat();
        folder.run(&arguments).fails(2, words);
    };
    refused(&["--vocab-size", "255"], &["--vocab-size 255", "need 256"]);
    refused(&["--vocab-size", "0"], &["--vocab-size 0"]);
    refused(&["--vocab-size", "-1"], &["-1"]);
    refused(
        &[
            "--vocab-size",
            "257",
            "--special",
            "<a>",
            "--special",
            "<b>",
        ],
        &["2 special tokens need 258"],
    );
    refused(
        &["--vocab-size", "16777217"],
        &["16777217", "exceeds the limit of 16777216"],
    );
    refused(&["--special", ""], &["empty special token"]);
    refused(
        &["--special", "<a>", "--special", "<a>"],
        &["duplicate special token \"<a>\""],
    );
    refused(&["--pattern", "gpt5"], &["unknown pattern \"gpt5\""]);
    refused(&["--pattern", "(a"], &["invalid pattern"]);
    refused(&["--pattern", ""], &["pattern"]);
    refused(&["--threads", "0"], &["--threads"]);
    refused(&["--max-token-bytes", "0"], &["--max-token-bytes"]);
    refused(&["--min-frequency", "x"], &["--min-frequency"]);
    assert!(folder.names().is_empty());
}

#[test]
fn the_output_is_checked_before_reading() {
    let folder = Folder::new();
    let model = |name: &str| folder.run(&["train", "missing.txt", "-o", name]);
    model("m.txt").fails(2, &["m.txt", ".bpe, .json or .tiktoken"]);
    model("model").fails(2, &["model"]);
    model("no/m.bpe").fails(1, &["no: No such file"]);
    folder.write("file", "");
    model("file/m.bpe").fails(1, &["file: not a directory"]);
    std::fs::create_dir(folder.path("d.bpe")).unwrap();
    model("d.bpe").fails(1, &["d.bpe: is a directory"]);
}

#[test]
fn inputs_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    folder.write("a.txt", "text");
    let train = |input: &str| folder.run(&["train", "a.txt", input, "-o", "m.bpe"]);
    train("missing.txt").fails(1, &["missing.txt: No such file"]);
    train(".").fails(1, &[".: is a directory"]);
    #[cfg(target_os = "linux")]
    train("/proc/self/mem").fails(1, &["/proc/self/mem: Input/output error"]);
    assert_eq!(folder.names(), ["a.txt"]);
}

#[test]
fn a_pattern_that_fails_on_a_document_names_the_byte() {
    let folder = Folder::new();
    folder.write("fine.txt", "b");
    folder.write("bomb.txt", format!("bb{}", "a".repeat(64)));
    for threads in ["1", "2", "8"] {
        folder
            .run(&[
                "train",
                "fine.txt",
                "bomb.txt",
                "-o",
                "m.bpe",
                "--pattern",
                "(?:a|a)+(?=c)|.",
                "--threads",
                threads,
            ])
            .fails(1, &["bomb.txt: the pattern failed at byte 2:"]);
    }
    assert_eq!(folder.names(), ["bomb.txt", "fine.txt"]);
}

#[test]
fn invalid_utf8_is_kept_or_refused() {
    let folder = Folder::new();
    folder.write("a.txt", b"ab\xff ab\xff");
    folder
        .run(&["train", "a.txt", "-o", "m.bpe", "--errors", "strict"])
        .fails(1, &["a.txt: byte 2 is not UTF-8"]);
    assert!(!folder.exists("m.bpe"));
    folder
        .run(&["train", "a.txt", "-o", "m.bpe", "-q"])
        .succeeds();
}

#[test]
fn threads_and_the_order_of_inputs_change_nothing() {
    let folder = Folder::new();
    let mut names: Vec<String> = Vec::new();
    for number in 0..40 {
        let name = format!("{number}.txt");
        let text = format!("document {number} says {} times ", number % 7).repeat(4000);
        folder.write(&name, text);
        names.push(name);
    }
    let train = |names: &[String], threads: &str| {
        let names = names.iter().map(String::as_str);
        let arguments: Vec<&str> = ["train"]
            .into_iter()
            .chain(names)
            .chain([
                "-o",
                "m.bpe",
                "--vocab-size",
                "400",
                "--threads",
                threads,
                "-q",
            ])
            .collect();
        folder.run(&arguments).succeeds();
        folder.read("m.bpe")
    };
    let one = train(&names, "1");
    for threads in ["2", "3", "8"] {
        assert!(train(&names, threads) == one, "{threads} threads");
    }
    names.reverse();
    assert!(train(&names, "2") == one, "in reverse");
}

#[test]
fn hugging_face_ids_are_special_tokens_then_bytes_by_character() {
    let folder = Folder::new();
    folder.write("a.txt", "ab\nab\nx y");
    let train = |options: &[&str]| {
        let train = ["train", "a.txt", "-o", "m.bpe", "--pattern", ".+|\n", "-q"];
        let tie_break = ["--tie-break", "huggingface", "--vocab-size", "260"];
        folder.run(&[&train[..], &tie_break, options].concat())
    };
    train(&["--special", "<s>", "--special", "<e>"]).succeeds();
    let run = folder.run_with("0 1 2 3 258 259", &["decode", "-", "-m", "m.bpe", "-q"]);
    // The space is one of the last bytes in this order, so (x, space) precedes (space, y).
    assert_eq!(run.succeeds().text(), "<s><e>!\"abx ");
    train(&["--special", "<s>", "--special", "ab"]).fails(
        1,
        &["special token \"ab\" was also learned as an ordinary token"],
    );
    train(&["--special", "\u{e9}"]).fails(1, &["would share id 0 with the byte \"\\xe9\""]);
    folder
        .run(&["train", "a.txt", "-o", "n.bpe", "--tie-break", "other"])
        .fails(2, &["other"]);
    assert!(!folder.exists("n.bpe"));
}

#[test]
fn the_frequencies_of_merges_are_a_table() {
    let folder = Folder::new();
    folder.write("a.txt", "aaab aaab cd");
    let train = |options: &[&str]| {
        let arguments = ["train", "a.txt", "-o", "m.bpe", "--vocab-size", "258", "-q"];
        folder.run(&[&arguments[..], options].concat())
    };
    // (a, a) occurs four times; two occurrences overlap others.
    let header = "# id\tcount of the pair when it was merged\ttoken in base64\n";
    let table = format!("{header}256\t4\tYWE=\n257\t2\tYWI=\n");
    train(&["--frequencies", "f.tsv"]).succeeds();
    assert_eq!(folder.read("f.tsv"), table.as_bytes());
    assert_eq!(train(&["--frequencies", "-"]).succeeds().text(), table);
    let extend = ["train", "a.txt", "--extend", "m.bpe", "-o", "n.bpe", "-q"];
    let options = ["--vocab-size", "259", "--frequencies", "-"];
    let run = folder.run(&[&extend[..], &options].concat());
    assert_eq!(run.succeeds().text(), format!("{header}258\t2\tYWFhYg==\n"));

    train(&["--frequencies", "m.bpe"]).fails(2, &["m.bpe: given for two outputs"]);
    train(&["--frequencies", "a.txt"]).fails(2, &["a.txt: is both an input and an output"]);
    train(&["--frequencies", "no/f.tsv"]).fails(1, &["no: No such file"]);
}

#[test]
fn known_pieces_have_no_effect() {
    let folder = Folder::new();
    folder.write("a.txt", "aaab aaab aac aac aad aad aac once");
    let train = |output: &str, options: &[&str]| {
        let arguments = ["train", "a.txt", "-q", "--vocab-size", "258", "-o", output];
        folder.run(&[&arguments[..], options].concat())
    };
    train("m.bpe", &[]).succeeds().says_nothing();
    train("known.bpe", &["--known-pieces", "5"])
        .succeeds()
        .says(&["warning: --known-pieces has no effect"]);
    assert_eq!(folder.read("m.bpe"), folder.read("known.bpe"));
    train("n.json", &["--known-pieces", "5"]).succeeds();
}

#[test]
fn a_report_has_reproducible_hashes() {
    let folder = Folder::new();
    folder.write(
        "a.jsonl",
        "{\"text\": \"low lower lowest\"}\n{\"text\": \"slow slower\"}\n",
    );
    let train = [
        "train",
        "a.jsonl",
        "-o",
        "m.bpe",
        "--vocab-size",
        "264",
        "-q",
    ];
    let specials = ["--special", "<s>", "--report", "r.json"];
    folder.run(&[&train[..], &specials].concat()).succeeds();
    let report: serde_json::Value = serde_json::from_slice(&folder.read("r.json")).unwrap();
    let count = ["count-pieces", "a.jsonl", "-o", "c.tsv", "-q"];
    folder.run(&count).succeeds();
    assert_eq!(report["counts_sha256"], sha256(&folder.read("c.tsv")));
    assert_eq!(report["model_sha256"], sha256(&folder.read("m.bpe")));
    let merges = report["merges_sha256"].as_str().unwrap();
    assert_eq!(merges.len(), 64);
    assert_eq!(report["counts"]["bytes"], 27);
    assert_eq!(report["counts"]["pieces"], 5);
    assert_eq!(report["counts"]["distinct_pieces"], 5);
    assert_eq!(report["model"]["ids"], 264);
    assert_eq!(report["model"]["new_merges"], 7);
    assert_eq!(report["inputs"][0]["name"], "a.jsonl");
    assert_eq!(report["options"]["pattern"], "cl100k");
    assert_eq!(report["options"]["special"][0], "<s>");
    assert!(report["unicode_version"].as_str().unwrap().contains('.'));
    let stages = report["stages"].as_array().unwrap();
    let names: Vec<&str> = stages
        .iter()
        .filter_map(|stage| stage["stage"].as_str())
        .collect();
    assert_eq!(names, ["counting", "merging", "writing"]);
    if cfg!(target_os = "linux") {
        assert!(report["peak_memory_bytes"].as_u64().unwrap() > 1 << 20);
    }
    // Counts from a file and another number of threads give the same hashes.
    let counted = [
        "train",
        "--from-counts",
        "c.tsv",
        "-o",
        "m.bpe",
        "--vocab-size",
        "264",
        "-q",
    ];
    let run = [&counted[..], &specials, &["--threads", "3"]].concat();
    folder.run(&run).succeeds();
    let again: serde_json::Value = serde_json::from_slice(&folder.read("r.json")).unwrap();
    for hash in ["counts_sha256", "merges_sha256", "model_sha256"] {
        assert_eq!(report[hash], again[hash], "{hash}");
    }
    let same = [&train[..], &["--report", "m.bpe"]].concat();
    folder
        .run(&same)
        .fails(2, &["m.bpe: given for two outputs"]);
}

#[test]
fn checkpoints_equal_models_trained_to_their_size() {
    let folder = Folder::new();
    let words = "low lower lowest slow slower slowest below ";
    folder.write("a.txt", words.repeat(20));
    for options in [&["--tie-break", "raw"][..], &["--tie-break", "huggingface"]] {
        let specials = ["--special", "<s>", "--special", "<t>"];
        let train = |size: &str, output: &str, more: &[&str]| {
            let start = ["train", "a.txt", "-q", "--vocab-size", size, "-o", output];
            let run = [&start[..], &specials, options, more].concat();
            folder.run(&run)
        };
        train("275", "m.bpe", &["--checkpoint-sizes", "258,262,270"]).succeeds();
        for size in ["258", "262", "270"] {
            train(size, "n.bpe", &[]).succeeds();
            let checkpoint = folder.read(&format!("m-{size}.bpe"));
            assert!(checkpoint == folder.read("n.bpe"), "{options:?} {size}");
        }
        for wrong in ["257", "275", "300,260"] {
            train("275", "m.bpe", &["--checkpoint-sizes", wrong])
                .fails(2, &["--checkpoint-sizes: ", " is not between 258"]);
        }
        train("275", "m.bpe", &["--checkpoint-sizes", "260,260"]).fails(2, &["two outputs"]);
    }
    let extend = [
        "train",
        "a.txt",
        "--extend",
        "m.bpe",
        "-o",
        "n.bpe",
        "--checkpoint-sizes",
        "9",
    ];
    folder.run(&extend).fails(2, &["cannot be used with"]);
}
