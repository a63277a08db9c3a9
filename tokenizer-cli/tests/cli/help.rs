//! Help texts, manual pages and completions.

use crate::support::Folder;

const COMMANDS: [&str; 11] = [
    "train",
    "count-pieces",
    "encode",
    "decode",
    "count",
    "info",
    "inspect",
    "compare",
    "convert",
    "completions",
    "man",
];

/// The help of a command on a terminal of 80 columns.
fn help(arguments: &[&str]) -> String {
    let folder = Folder::new();
    let mut command = folder.command(arguments);
    let output = command.env("COLUMNS", "80").output().unwrap();
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

fn headings(help: &str) -> Vec<&str> {
    let lines = help.lines();
    lines
        .filter_map(|line| line.strip_suffix(':'))
        .filter(|line| !line.contains(' '))
        .collect()
}

#[test]
fn each_command_has_an_example_and_fits_80_columns() {
    for command in COMMANDS {
        for flag in ["-h", "--help"] {
            let text = help(&[command, flag]);
            assert!(text.contains("\nExample"), "{text}");
            assert!(
                text.contains(&format!("\n  tokenizer {command} ")),
                "{text}"
            );
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{command} {flag}: {line}");
            }
        }
    }
    let text = help(&["--help"]);
    for line in [
        "Exit codes:",
        "  1    failed on the data",
        "  2    wrong usage",
    ] {
        assert!(text.lines().any(|other| other == line), "{text}");
    }
    let version = format!("tokenizer {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(help(&["--version"]), version);
    assert_eq!(help(&["-V"]), version);
}

#[test]
fn options_are_in_groups() {
    let groups = [
        "Training",
        "Output",
        "Input",
        "Performance",
        "General",
        "Examples",
    ];
    assert_eq!(
        headings(&help(&["train", "-h"])),
        [&["Arguments"], &groups[..]].concat()
    );
    let groups = [
        "Arguments",
        "Model",
        "Output",
        "Input",
        "Performance",
        "General",
        "Examples",
    ];
    for flag in ["-h", "--help"] {
        assert_eq!(headings(&help(&["encode", flag])), groups);
    }
    for command in COMMANDS {
        assert!(
            !headings(&help(&[command, "-h"])).contains(&"Options"),
            "{command}"
        );
    }
}

/// Options whose values are listed may take a second line.
#[test]
fn the_summary_has_a_line_for_each_option() {
    for command in COMMANDS {
        let text = help(&[command, "-h"]);
        let continued = text.lines().filter(|line| line.starts_with("           "));
        for line in continued {
            let is_values = line.contains("values: ") || line.trim().ends_with(']');
            assert!(is_values, "{command}: {line}");
        }
    }
}

fn man(arguments: &[&str], epoch: Option<&str>) -> String {
    let folder = Folder::new();
    let mut command = folder.command(&[&["man"], arguments].concat());
    command
        .env_remove("SOURCE_DATE_EPOCH")
        .envs(epoch.map(|epoch| ("SOURCE_DATE_EPOCH", epoch)));
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn manual_pages_have_version_date_and_examples_as_they_are() {
    let version = env!("CARGO_PKG_VERSION");
    for (arguments, title) in [(&[][..], "tokenizer"), (&["encode"], "tokenizer-encode")] {
        let title = format!(".TH {title} 1 1970-01-01 \"tokenizer {version}\" \"User Commands\"\n");
        assert!(man(arguments, Some("0")).contains(&title));
        assert_eq!(man(arguments, None), man(arguments, None));
    }
    let page = man(&["encode"], None);
    let examples = ".SH EXAMPLES\n.nf\ntokenizer encode book.txt \\-m model.bpe\n";
    assert!(page.contains(examples), "{page}");
    let continued =
        "\\-\\-append\\-special \\*(Aq<|endoftext|>\\*(Aq \\\\\n    \\-\\-shard\\-tokens 100M";
    assert!(page.contains(continued), "{page}");
    assert!(page.ends_with("\n.fi\n"), "{page}");
    let program = man(&[], None);
    for section in ["EXIT CODES", "MODELS", "EXAMPLES", "SUBCOMMANDS", "GENERAL"] {
        let heading = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
        assert!(
            heading.iter().any(|heading| program.contains(heading)),
            "{program}"
        );
    }
    let folder = Folder::new();
    folder
        .run(&["man", "learn"])
        .fails(2, &["unknown command \"learn\""]);
    let mut command = folder.command(&["man"]);
    let output = command.env("SOURCE_DATE_EPOCH", "today").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn shells_complete_commands_options_and_patterns() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = folder.run(&["completions", shell]).succeeds();
        for word in ["count-pieces", "document-separator", "inspect", "info"] {
            assert!(run.text().contains(word), "{shell}: {word}");
        }
        if ["bash", "zsh", "fish"].contains(&shell) {
            for name in ["gpt2", "cl100k", "o200k", "nanochat"] {
                assert!(run.text().contains(name), "{shell}: {name}");
            }
        }
    }
}
