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
}

#[test]
fn a_table_has_a_line_for_each_corpus_and_model() {
    let folder = folder();
    let run = folder.run(&["compare", "a.txt", "b/1", "-m", "m.bpe", "-m", "m.bpe"]);
    let run = run.succeeds().says_nothing();
    let lines: Vec<Vec<&str>> = run
        .text()
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0][..4], ["corpus", "model", "tokens", "bytes/token"]);
    assert_eq!(lines[1][..2], ["a.txt", "m.bpe"]);
    assert_eq!(lines[4][..4], ["b/1", "m.bpe", "1", "3.000"]);
    let run = folder.run_with("low", &["compare", "-", "-m", "m.bpe"]);
    assert!(run.succeeds().text().contains("3.000"));
    folder
        .run(&["compare", "-", "-m", "m.bpe", "-m", "m.bpe"])
        .fails(2, &["standard input can be read only once"]);
}

#[test]
fn a_page_has_charts_and_no_markup_of_names() {
    let folder = folder();
    folder.write("<b>&.txt", "low");
    let run = [
        "compare",
        "a.txt",
        "<b>&.txt",
        "-m",
        "m.bpe",
        "--html",
        "page.html",
    ];
    assert_eq!(folder.run(&run).succeeds().says_nothing().text(), "");
    let page = String::from_utf8(folder.read("page.html")).unwrap();
    assert!(!page.contains("<b>"));
    assert!(page.contains("&lt;b&gt;&amp;.txt"));
    assert_eq!(page.matches("<svg ").count(), 3);
    assert_eq!(page.matches("<rect ").count(), 2);
    for elsewhere in ["http:", "https:", "src=", "url(", "<script"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    let empty = ["compare", "empty", "-m", "m.bpe", "--html", "page.html"];
    folder.write("empty", "");
    folder.run(&empty).succeeds();
    let page = String::from_utf8(folder.read("page.html")).unwrap();
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
}
