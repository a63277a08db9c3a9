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
    // Without TEXT, standard input is read. Escape sequences are escaped.
    let lines = inspect(&folder, &[]);
    assert!(lines.contains("\t4\t\\u{1b}\n"), "{lines}");
    assert_eq!(lines, inspect(&folder, &["--color", "never"]));
    let special = inspect(&folder, &["a<s>", "--allow-special"]);
    assert_eq!(special, "97\t0\ta\n269\t1\t<s>\tspecial\n");
    // Spaces are visible, and a middle dot is not taken for one.
    let spaces = inspect(&folder, &[" ·"]);
    assert_eq!(spaces, "32\t0\t·\n194\t1\t\\xc2\n183\t2\t\\xb7\n");
}

#[test]
fn colours_are_used_when_asked() {
    let folder = Folder::with_model();
    // Each line is followed by its ids, the text by the summary.
    let colored = inspect(
        &folder,
        &["a\nb <s>", "--color", "always", "--allow-special"],
    );
    assert_eq!(
        colored,
        "\x1b[30;48;5;153ma\x1b[0m\x1b[30;48;5;222m\\n\x1b[0m\n\
         \x1b[30;48;5;153m97\x1b[0m \x1b[30;48;5;222m10\x1b[0m\n\
         \x1b[30;48;5;157mb\x1b[0m\x1b[30;48;5;217m·\x1b[0m\x1b[1;97;48;5;88m<s>\x1b[0m\n\
         \x1b[30;48;5;157m98\x1b[0m \x1b[30;48;5;217m32\x1b[0m \x1b[1;97;48;5;88m269\x1b[0m\n\n\
         7 bytes, 7 characters, 5 tokens, 1.40 bytes per token\n"
    );
    let escapes = inspect(&folder, &["--color", "always"]);
    assert!(escapes.contains("\\u{1b}\x1b[0m"), "{escapes}");
}

/// Runs a command on a terminal, with the environment variables of `env`; `None` if that is not possible
/// here.
#[cfg(target_os = "linux")]
fn on_terminal(folder: &Folder, env: &[(&str, &str)], arguments: &str) -> Option<String> {
    let command = format!("{} {arguments}", crate::support::program());
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &command, "/dev/null"]);
    script.env("TERM", "xterm").env_remove("NO_COLOR");
    script
        .envs(env.iter().copied())
        .current_dir(folder.path(""));
    let Ok(output) = script.stdin(std::process::Stdio::null()).output() else {
        crate::absent::skip("script", "no program `script`");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.replace("\r\n", "\n"))
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_colours_and_a_summary() {
    let folder = Folder::with_model();
    let show = |env: &[_], options| {
        on_terminal(
            &folder,
            env,
            &format!("inspect -q -m m.bpe 'a b' {options}"),
        )
    };
    let Some(colored) = show(&[], "") else {
        return;
    };
    assert!(
        colored.starts_with("\x1b[30;48;5;153ma\x1b[0m"),
        "{colored}"
    );
    let plain = "97\t0\ta\n32\t1\t·\n98\t2\tb\n\n\
                 3 bytes, 3 characters, 3 tokens, 1.00 bytes per token\n";
    for (env, options) in [
        (&[("TERM", "dumb")][..], ""),
        (&[("NO_COLOR", "1")], ""),
        (&[], "--color never"),
    ] {
        assert_eq!(show(env, options).as_deref(), Some(plain), "{env:?}");
    }
}

#[test]
fn a_text_that_names_a_file_gets_a_hint() {
    let folder = Folder::with_model();
    folder.write("book.txt", "low");
    let inspect = |options: &[&str]| {
        let arguments = [&["inspect", "-m", "m.bpe", "book.txt"], options].concat();
        folder.run(&arguments).succeeds()
    };
    let run = inspect(&[]).says(&[
        "tip: a file named book.txt exists; to read it: tokenizer inspect -m MODEL < book.txt\n",
    ]);
    assert!(run.text().starts_with("98\t0\tb\n"), "{}", run.text());
    inspect(&["-q"]).says_nothing();
}

#[test]
fn a_page_is_one_file_in_which_nothing_is_markup() {
    let folder = Folder::with_model();
    let text = "</div><script>alert(1)</script>&amp;\u{202e}";
    assert_eq!(inspect(&folder, &[text, "--html", "page.html", "-q"]), "");
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
    assert!(page.contains("<title>Tokens of m.bpe</title>"), "{page}");
    assert!(page.contains("<h1>Tokens of <code>m.bpe</code></h1>\n<p>"));
    let run = [
        "inspect",
        "-m",
        "m.bpe",
        "--html",
        "page.html",
        "a<s>",
        "--allow-special",
    ];
    folder.run(&run).succeeds().says(&["wrote page.html"]);
    let page = String::from_utf8(folder.read("page.html")).unwrap();
    assert!(page.contains("<p>4 bytes, 4 characters, 2 tokens, 2.00 bytes per token</p>"));
    let special = "<span class=\"s\" title=\"special token 269 (byte 1)\">&lt;s&gt;</span>";
    assert!(page.contains(special), "{page}");
    let run = ["inspect", "-m", "m.bpe", "--html", "m.bpe", "text"];
    folder
        .run(&run)
        .fails(2, &["m.bpe: is both an input and an output"]);
}

#[test]
fn a_page_has_at_most_five_megabytes() {
    let folder = Folder::with_model();
    let text = "xyz&".repeat(30_000);
    let run = ["inspect", "-m", "m.bpe", "--html", "page.html"];
    let notice = "shows the first ";
    let run = folder.run_with(text, &run).succeeds();
    let run = run.says(&["note: page.html shows the first ", " of 120,000 tokens; "]);
    let page = String::from_utf8(folder.read("page.html")).unwrap();
    assert!(
        (4_990_000..=5_000_000).contains(&page.len()),
        "{}",
        page.len()
    );
    let shown = page.matches("<span ").count();
    assert!(page.contains(&format!("This page {notice}")) && page.ends_with("</html>\n"));
    let left_out = run.stderr.split("tokens; ").nth(1).unwrap();
    let left_out: usize = left_out
        .split(' ')
        .next()
        .unwrap()
        .replace(',', "")
        .parse()
        .unwrap();
    assert_eq!(shown + left_out, 120_000);
}

#[test]
fn merging_is_shown_step_by_step_and_ends_with_the_ids() {
    let folder = Folder::with_model();
    let shown = inspect(&folder, &["--merges", "low slowest"]);
    let pieces: Vec<&str> = shown.lines().filter(|l| l.starts_with("piece")).collect();
    assert_eq!(pieces, ["piece \"low\"", "piece \"·slowest\""]);
    assert!(shown.contains("      l|o|w\n"), "{shown}");
    assert!(shown.contains("rank 0: \"l\" + \"o\" = 256"), "{shown}");
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
    // No merge produces "abc": neither "ab" nor "bc" is a token.
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
        "\npartial characters\t129\n",
        "\nLatin\t55\n",
        "never produced by merging: 2\n256\t\"abc\"\n258\t\"·abc\"\n",
        "equal except for white space: 1\n256\t\"abc\"\t258\t\"·abc\"\n",
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
        report.text().contains("never produced by merging: 0\n"),
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
    assert!(
        report.contains("never produced by merging: 0\n"),
        "{report}"
    );
    // A piece can be as long as an argument. Its lines are shortened.
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
