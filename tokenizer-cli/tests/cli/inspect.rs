use std::time::{Duration, Instant};

use tokenizer_core::corpus::save_model;
use tokenizer_core::{Merges, Model, Pair, Pattern, PatternName};

use crate::support::{Folder, fixture};

fn inspect(folder: &Folder, arguments: &[&str]) -> String {
    let arguments = [&["inspect", "-m", "m.bpe"], arguments].concat();
    folder
        .run_with("low\n\u{1b}[2J", &arguments)
        .succeeds()
        .says_nothing()
        .text()
        .to_owned()
}

#[test]
fn a_text_is_shown_token_by_token() {
    let folder = Folder::with_model();
    let lines = inspect(&folder, &["low é\\\n"]);
    let ids = folder.run_with("low é\\\n", &["encode", "-", "-m", "m.bpe", "-q"]);
    let shown: Vec<&str> = lines.lines().filter_map(|l| l.split('\t').next()).collect();
    assert_eq!(shown.join(" "), ids.text().trim_end());
    assert!(
        lines.ends_with("\t4\t\\xc3\n169\t5\t\\xa9\n92\t6\t\\\\\n10\t7\t\\n\n"),
        "{lines}"
    );
    // Without a text, standard input; and nothing moves the cursor.
    let lines = inspect(&folder, &[]);
    assert!(lines.contains("\t4\t\\u{1b}\n"), "{lines}");
    assert_eq!(lines, inspect(&folder, &["--color", "never"]));
    let special = inspect(&folder, &["a<s>", "--allow-special"]);
    assert_eq!(special, "97\t0\ta\n269\t1\t<s>\n");
}

#[test]
fn colours_are_used_when_asked() {
    let folder = Folder::with_model();
    let colored = inspect(&folder, &["a\nb", "--color", "always"]);
    assert_eq!(
        colored,
        "\x1b[30;48;5;153ma\x1b[0m\x1b[30;48;5;222m\\n\x1b[0m\n\x1b[30;48;5;157mb\x1b[0m\n"
    );
    let escapes = inspect(&folder, &["--color", "always"]);
    assert!(escapes.contains("\\u{1b}\x1b[0m"), "{escapes}");
}

#[test]
fn a_page_is_one_file_in_which_nothing_is_markup() {
    let folder = Folder::with_model();
    let text = "</div><script>alert(1)</script>&amp;\u{202e}";
    assert_eq!(inspect(&folder, &[text, "--html", "page.html"]), "");
    let page = String::from_utf8(folder.read("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert!(
        !page.contains("script") && !page.contains("&amp;amp;</div>"),
        "{page}"
    );
    assert_eq!(page.matches("</div>").count(), 1);
    assert!(page.contains("prefers-color-scheme: dark"));
    for elsewhere in ["http:", "https:", "src=", "url(", "import"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    let first = "<span class=\"a\" title=\"60 (byte 0)\">&lt;</span>";
    assert!(page.contains(first), "{page}");
    let run = ["inspect", "-m", "m.bpe", "--html", "m.bpe", "text"];
    folder
        .run(&run)
        .fails(2, &["m.bpe: is both an input and an output"]);
}

#[test]
fn merging_is_shown_step_by_step_and_ends_with_the_ids() {
    let folder = Folder::with_model();
    let shown = inspect(&folder, &["--merges", "low slowest"]);
    let pieces: Vec<&str> = shown.lines().filter(|l| l.starts_with("piece")).collect();
    assert_eq!(pieces, ["piece \"low\"", "piece \" slowest\""]);
    assert!(shown.contains("      l|o|w\n"), "{shown}");
    assert!(
        shown.contains("rank 0: \"l\" and \"o\" make 256"),
        "{shown}"
    );
    let ids: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("      ids "))
        .collect();
    let run = folder.run_with("low slowest", &["encode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(ids.join(" "), run.text().trim_end());

    let ranks = fixture("golden/cl100k.tiktoken");
    let ranks = [
        "inspect",
        "-m",
        ranks.to_str().unwrap(),
        "--pattern",
        "cl100k",
    ];
    let run = folder.run(&[&ranks[..], &["--merges", " the"]].concat());
    let shown = run.succeeds().text().to_owned();
    assert!(shown.contains("the whole piece is the token "), "{shown}");
}

#[test]
fn a_vocabulary_is_summed_up() {
    let folder = Folder::new();
    // "abc" is an entry that no merge makes: "ab" is none, and neither is "bc".
    let bytes = crate::support::fixture_text("golden/gpt2.tiktoken");
    let mut table: String = bytes
        .lines()
        .take(256)
        .map(|line| format!("{line}\n"))
        .collect();
    table.push_str("YWJj 256\n5p0= 257\nIGFiYw== 258\nw6k= 259\n");
    folder.write("m.tiktoken", table);
    let run = [
        "inspect",
        "-m",
        "m.tiktoken",
        "--pattern",
        "gpt2",
        "--vocab",
    ];
    let run = folder.run(&run).succeeds();
    let report = run.text();
    for part in [
        "260 tokens, 0 special tokens, ids below 260\n",
        "bytes\ttokens\n1\t256\n2\t2\n3\t1\n4\t1\n",
        "\nparts of characters\t129\n",
        "\nLatin\t55\n",
        "never reached by merging: 2\n256\t\"abc\"\n258\t\" abc\"\n",
        "the same but for white space: 1\n256\t\"abc\"\t258\t\" abc\"\n",
    ] {
        assert!(report.contains(part), "{part:?} is not in {report}");
    }
    let golden = fixture("golden/gpt2.tiktoken");
    let vocab = [
        "inspect",
        "-m",
        golden.to_str().unwrap(),
        "--pattern",
        "gpt2",
        "--vocab",
    ];
    let report = folder.run(&vocab).succeeds();
    assert!(
        report.text().contains("never reached by merging: 0\n"),
        "{}",
        report.text()
    );
    assert!(
        report.text().contains(" more: --all lists them\n"),
        "{}",
        report.text()
    );
    let all = folder.run(&[&vocab[..], &["--all"]].concat()).succeeds();
    assert!(all.text().lines().count() > report.text().lines().count() + 100);
}

#[test]
fn a_model_of_long_tokens_is_looked_at_in_linear_time() {
    let folder = Folder::new();
    let pairs = (0..17u32).map(|n| match n {
        0 => Pair::new(97, 97),
        n => Pair::new(255 + n, 255 + n),
    });
    let merges = Merges::trained(&pairs.collect::<Vec<_>>()).unwrap();
    let pattern = Pattern::named(PatternName::Gpt2);
    let model = Model::from_merges(pattern, merges, &[""; 0]).unwrap();
    save_model(&model, &folder.path("m.bpe")).unwrap();
    let started = Instant::now();
    let report = inspect(&folder, &["--vocab"]);
    assert!(report.contains("never reached by merging: 0\n"), "{report}");
    // A piece may be as long as an argument, and its lines are cut.
    let shown = inspect(&folder, &["--merges", &"a".repeat(100_000)]);
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    assert!(shown.len() < 100_000 * 1000, "{}", shown.len());
    assert_eq!(shown.lines().count(), 100_000 - 6 + 4);
    // A run of 100,000 bytes merges to one token for each set bit of that number: six.
    assert!(
        shown.ends_with("      ids 271 270 265 264 262 260\n\n"),
        "{}",
        &shown[shown.len() - 100..]
    );
}
