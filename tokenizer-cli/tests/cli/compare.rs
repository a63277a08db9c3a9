use serde_json::Value;

use crate::support::{Folder, fixture};

fn folder() -> Folder {
    let folder = Folder::with_model();
    folder.write("a.txt", "low lower 東京\n");
    std::fs::create_dir(folder.path("b")).unwrap();
    folder.write("b/1", "low");
    folder.write("b/2.jsonl", "{\"text\": \"lower\"}\n{\"text\": \"x\"}\n");
    folder
}

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let run = folder.run(&[&["compare", "--json"], arguments].concat());
    serde_json::from_str(run.succeeds().says_nothing().text()).unwrap()
}

#[test]
fn numbers_are_those_of_encode() {
    let folder = folder();
    let golden = fixture("golden/gpt2.tiktoken");
    let golden = golden.to_str().unwrap();
    let models = ["-m", "m.bpe", "-m", golden, "--pattern", "gpt2"];
    let report = json(&folder, &[&["a.txt", "b", "-r"], &models[..]].concat());
    assert_eq!(report["models"][0]["name"], "m.bpe");
    assert_eq!(report["models"][0]["tokens"], 269);
    assert_eq!(report["models"][0]["tokens_by_bytes"][0], 256);
    assert_eq!(report["models"][1]["tokens"], 2048);
    let measured = |corpus: usize, model: usize| &report["corpora"][corpus]["models"][model];
    let first = measured(0, 0);
    let ids = folder.run(&["encode", "a.txt", "-m", "m.bpe", "-q"]);
    let ids: Vec<&str> = ids.text().split_whitespace().collect();
    assert_eq!(first["tokens"], ids.len());
    assert_eq!(first["bytes"], 17);
    assert_eq!(first["characters"], 13);
    assert_eq!(first["words"], 3);
    let used = ids.iter().collect::<std::collections::HashSet<_>>().len();
    assert_eq!(first["used_tokens"], used);
    assert_eq!(first["unused_tokens"], 269 - used);
    assert_eq!(first["bytes_per_token"], 17.0 / ids.len() as f64);
    assert_eq!(first["tokens_per_word"], ids.len() as f64 / 3.0);
    let second = measured(1, 1);
    assert_eq!((&second["bytes"], &second["words"]), (&9.into(), &3.into()));
    let total = &report["total"][1];
    assert_eq!((&total["bytes"], &total["words"]), (&26.into(), &6.into()));
    let sum = |name: &str| {
        (0..2)
            .map(|c| measured(c, 1)[name].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(total["tokens"], sum("tokens"));
    let used = total["used_tokens"].as_u64().unwrap();
    assert!(used < sum("used_tokens") && used > second["used_tokens"].as_u64().unwrap());
}

#[test]
fn the_table_has_a_section_for_each_corpus_and_the_total() {
    let folder = folder();
    let run = folder.run(&["compare", "a.txt", "b/1", "-m", "m.bpe", "-m", "m.bpe"]);
    let run = run.succeeds().says_nothing();
    let lines: Vec<Vec<&str>> = run
        .text()
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(lines[1][..3], ["model", "tokens", "token"]);
    assert_eq!((&lines[3], &lines[7]), (&vec!["a.txt"], &vec!["b/1"]));
    assert_eq!(lines[11], ["all", "corpora"]);
    assert_eq!(lines[4][0], "m.bpe");
    // Both are best.
    assert_eq!(lines[9][..4], ["m.bpe", "(2)", "1*", "3.000*"]);
    let tokens = |line: usize, column: usize| lines[line][column].trim_end_matches('*');
    let [a, b, all] = [4, 8, 12].map(|line| tokens(line, 1).parse::<u64>().unwrap());
    assert_eq!(a + b, all);
    assert!(run.text().contains("\n\n* best: fewest tokens, "));

    let run = folder.run_with("low", &["compare", "-", "-m", "m.bpe"]);
    let run = run.succeeds();
    assert!(run.text().contains(" 3.000 ") && !run.text().contains('*'));
    folder
        .run(&["compare", "-", "-m", "m.bpe", "-m", "m.bpe"])
        .fails(2, &["standard input can be read once"]);
}

#[test]
fn the_table_fits_a_terminal() {
    let folder = folder();
    let deep = "a-folder-with-a-long-name/".repeat(4) + "東京の電車";
    std::fs::create_dir_all(folder.path(&deep)).unwrap();
    let corpus = format!("{deep}/a-corpus-with-a-long-name\u{1b}[2J.txt");
    folder.write(&corpus, "low lower lowest");
    let model = |place: usize| match place {
        // The ends are equal, and so are the starts.
        0..4 => format!("{deep}/model-with-a-long-name-{place}-trained-on-all-corpora.bpe"),
        _ => format!("{place}/model.bpe"),
    };
    let mut arguments = vec!["compare".to_owned(), corpus.clone(), "a.txt".to_owned()];
    for place in 0..8 {
        if place >= 4 {
            std::fs::create_dir(folder.path(&place.to_string())).unwrap();
        }
        folder.write(&model(place), folder.read("m.bpe"));
        arguments.extend(["-m".to_owned(), model(place)]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = folder.run(&arguments).succeeds();
    assert!(!run.text().contains('\u{1b}'), "{}", run.text());
    for line in run.text().lines() {
        // No character takes more than two columns.
        let columns = line.chars().map(|c| 1 + usize::from(c >= '\u{2E80}'));
        assert!(columns.sum::<usize>() <= 80, "{line}");
    }
    let lines: Vec<&str> = run.text().lines().collect();
    let names: std::collections::HashSet<&str> =
        lines[4..12].iter().map(|line| &line[..12]).collect();
    assert_eq!(names.len(), 8, "{}", run.text());
}

fn page(folder: &Folder, arguments: &[&str]) -> String {
    let arguments = [&["compare", "--html", "page.html"], arguments].concat();
    folder.run(&arguments).succeeds();
    String::from_utf8(folder.read("page.html")).unwrap()
}

#[test]
fn a_page_has_charts_and_no_markup_of_names() {
    let folder = folder();
    folder.write("<b>&.txt", "low");
    let arguments = ["a.txt", "<b>&.txt", "-m", "m.bpe"];
    let page_text = page(&folder, &arguments);
    assert!(!page_text.contains("<b>"));
    assert!(page_text.contains("&lt;b&gt;&amp;.txt"));
    assert_eq!(page_text.matches("role=\"img\"").count(), 3);
    assert_eq!(page_text.matches("<rect ").count(), 2);
    for elsewhere in ["http:", "https:", "src=", "url(", "<script"] {
        assert!(!page_text.contains(elsewhere), "{elsewhere}");
    }
    let has_no_nan = |page: &str| !page.contains("NaN") && !page.contains(">inf");
    assert!(has_no_nan(&page_text), "{page_text}");
    folder.write("empty", "");
    let empty = page(&folder, &["empty", "-m", "m.bpe"]);
    assert!(has_no_nan(&empty), "{empty}");

    // The table is printed too, unless the page itself goes to standard output.
    let run = |output| folder.run(&[&["compare", "--html", output], &arguments[..]].concat());
    let printed = run("page.html").succeeds().says(&["wrote page.html"]);
    assert!(printed.text().contains("all corpora\n  m.bpe "));
    let printed = run("-").succeeds().says_nothing();
    assert!(printed.text().starts_with("<!DOCTYPE html>"));
    assert!(printed.text().ends_with("</html>\n"));
}

#[test]
fn the_models_of_a_page_are_told_apart() {
    let folder = folder_with_ranks();
    let name = |place| format!("a-model-with-a-name-that-is-rather-long-{place}.bpe");
    let names: Vec<String> = (1..=8).map(name).collect();
    let mut arguments = vec!["a.txt", "numbers.txt"];
    for name in &names {
        folder.write(name, folder.read("m.bpe"));
        arguments.extend(["-m", name]);
    }
    arguments.extend(["-m", "a.tiktoken", "--pattern", "gpt2"]);
    let page = page(&folder, &arguments);
    for place in 0..9 {
        // The legend, and the lines of the second chart.
        let color = format!("<polyline stroke=\"var(--c{place})\"");
        assert_eq!(page.matches(&color).count(), 2, "{page}");
        assert!(page.contains(&format!("--c{place}: #")));
    }
    for name in &names {
        assert!(page.contains(&format!(">{name}</span> <span class=\"dim\">(269 tokens)")));
    }
    assert!(page.contains(">all corpora</th>"));
    let best = page.matches("<td class=\"best\">").count();
    // Tokens of three sections; a speed has one winner.
    assert!(best >= 3 * 5, "{best}");
    let equal = ">1, 2, 3, 4, 5, 6, 7, 8";
    assert_eq!(page.matches(equal).count(), 2, "{page}");
    for caption in [
        "<p class=\"dim\">★ best of the corpus. Higher is better for bytes per token, ",
        "lower is better for tokens and tokens per word.",
        "<figcaption>Higher is better: ",
        "Neither higher nor lower is better.</figcaption>",
    ] {
        assert!(page.contains(caption), "{caption}");
    }
}

#[test]
fn stages_name_the_model() {
    let folder = folder();
    let run = ["compare", "a.txt", "-m", "m.bpe", "-m", "m.bpe", "-v"];
    let run = folder.run(&run).succeeds();
    run.says(&[
        "stage: comparing 1/2 m.bpe, ",
        "stage: comparing 2/2 m.bpe (2), ",
    ]);
}

/// Two models of ranks from the same text, `a.tiktoken` split by gpt2, `b.tiktoken` by o200k.
fn folder_with_ranks() -> Folder {
    let folder = folder();
    folder.write(
        "numbers.txt",
        "12345 1234 it's IT'S\n\n  123456789 東京".repeat(20),
    );
    for (name, pattern) in [("a.tiktoken", "gpt2"), ("b.tiktoken", "o200k")] {
        let arguments = [
            "train",
            "numbers.txt",
            "-q",
            "-o",
            name,
            "--pattern",
            pattern,
        ];
        folder
            .run(&[&arguments[..], &["--vocab-size", "300"]].concat())
            .succeeds();
    }
    folder
}

/// The number of tokens of each model on the one corpus of a report.
fn tokens(report: &Value) -> Vec<u64> {
    let models = report["corpora"][0]["models"].as_array().unwrap();
    models
        .iter()
        .map(|model| model["tokens"].as_u64().unwrap())
        .collect()
}

fn count(folder: &Folder, corpus: &str, model: &[&str]) -> u64 {
    let run = folder
        .run(&[&["count", corpus, "-m"], model].concat())
        .succeeds();
    run.text().split('\t').next().unwrap().parse().unwrap()
}

#[test]
fn a_pattern_belongs_to_the_model_before_it() {
    let folder = folder_with_ranks();
    let alone =
        |model: &str, pattern: &str| count(&folder, "numbers.txt", &[model, "--pattern", pattern]);
    let [a, b] = [alone("a.tiktoken", "gpt2"), alone("b.tiktoken", "o200k")];
    let crossed = [alone("a.tiktoken", "o200k"), alone("b.tiktoken", "gpt2")];
    let native = count(&folder, "numbers.txt", &["m.bpe"]);
    assert!(a != crossed[0] && b != crossed[1]);
    let compared = |arguments: &[&str]| {
        let arguments = [&["numbers.txt"], arguments].concat();
        tokens(&json(&folder, &arguments))
    };
    let both = [
        "-m",
        "a.tiktoken",
        "--pattern",
        "gpt2",
        "-m",
        "b.tiktoken",
        "--pattern",
        "o200k",
    ];
    assert_eq!(compared(&both), [a, b]);
    let reversed = [
        "--model=b.tiktoken",
        "--pattern=o200k",
        "-ma.tiktoken",
        "--pattern=gpt2",
    ];
    assert_eq!(compared(&reversed), [b, a]);
    let crossed_over = [
        "-m",
        "a.tiktoken",
        "--pattern",
        "o200k",
        "-m",
        "b.tiktoken",
        "--pattern",
        "gpt2",
    ];
    assert_eq!(compared(&crossed_over), crossed);
    // Other options between them, models that have their own pattern, the same model twice.
    let mixed = [
        "-m",
        "m.bpe",
        "-m",
        "a.tiktoken",
        "--threads",
        "1",
        "--pattern",
        "gpt2",
        "-m",
        "m.bpe",
        "-m",
        "a.tiktoken",
        "--pattern",
        "o200k",
    ];
    assert_eq!(compared(&mixed), [native, a, native, crossed[0]]);
    // A regex may begin with a hyphen.
    let regex = [
        "-m",
        "a.tiktoken",
        "--pattern",
        "-?[0-9]|[^0-9]",
        "-m",
        "m.bpe",
    ];
    assert_eq!(compared(&regex)[1], native);
    // With one model the order is free.
    assert_eq!(compared(&["--pattern", "gpt2", "-m", "a.tiktoken"]), [a]);
    let run = folder.run(&[
        "compare",
        "--pattern",
        "o200k",
        "-m",
        "b.tiktoken",
        "numbers.txt",
    ]);
    run.succeeds().says_nothing();
}

#[test]
fn a_pattern_without_its_model_is_refused() {
    let folder = folder_with_ranks();
    let refused = |arguments: &[&str], words: &[&str], hint: &str| {
        let arguments = [&["compare", "numbers.txt", "--html", "page"], arguments].concat();
        folder.run(&arguments).fails(2, words).says(&[hint]);
        assert!(!folder.exists("page"));
    };
    let (first, second) = (["-m", "a.tiktoken"], ["-m", "b.tiktoken"]);
    let (gpt2, o200k) = (["--pattern", "gpt2"], ["--pattern", "o200k"]);
    let after = "tip: give it once, after the -m of its model";
    refused(
        &[gpt2, first, second, o200k].concat(),
        &["--pattern precedes every -m"],
        "tip: give it after the -m of its model",
    );
    refused(
        &[first, gpt2, o200k, second].concat(),
        &["a.tiktoken: --pattern is given twice"],
        after,
    );
    refused(
        &[gpt2, first, o200k].concat(),
        &["a.tiktoken: --pattern is given twice"],
        after,
    );
    refused(
        &[&first[..], &second, &o200k].concat(),
        &["a.tiktoken: a .tiktoken file stores no pattern"],
        "--pattern cl100k",
    );
    refused(
        &[first, gpt2, second].concat(),
        &["b.tiktoken: a .tiktoken file stores no pattern"],
        "--pattern cl100k",
    );
    for models in [
        &[
            "-m",
            "a.tiktoken",
            "--pattern",
            "gpt2",
            "-m",
            "m.bpe",
            "--pattern",
            "gpt2",
        ][..],
        &["-m", "m.bpe", "--pattern", "gpt2"],
        &["--pattern", "gpt2", "-m", "m.bpe"],
    ] {
        let words = ["m.bpe: the model stores its own pattern"];
        refused(models, &words, "tip: leave --pattern out");
    }
    refused(
        &[first, ["--pattern", "cl100q"]].concat(),
        &["cl100q"],
        "--pattern",
    );
}

#[test]
fn published_ranks_are_compared_under_their_own_patterns() {
    let folder = Folder::new();
    let names = ["cl100k_base.tiktoken", "o200k_base.tiktoken"];
    let paths = names.map(|name| crate::absent::shared(&format!("vocabs/{name}")));
    let [Some(cl100k), Some(o200k)] = paths else {
        return;
    };
    let [cl100k, o200k] = [&cl100k, &o200k].map(|path| path.to_str().unwrap());
    let corpus = fixture("corpus.txt");
    let corpus = corpus.to_str().unwrap();
    let models = [
        "-m",
        cl100k,
        "--pattern",
        "cl100k",
        "-m",
        o200k,
        "--pattern",
        "o200k",
    ];
    let report = json(&folder, &[&[corpus], &models[..]].concat());
    let alone = [
        count(&folder, corpus, &[cl100k, "--pattern", "cl100k"]),
        count(&folder, corpus, &[o200k, "--pattern", "o200k"]),
    ];
    assert_eq!(tokens(&report), alone);
    let other = count(&folder, corpus, &[o200k, "--pattern", "cl100k"]);
    assert_ne!(other, alone[1]);
}
