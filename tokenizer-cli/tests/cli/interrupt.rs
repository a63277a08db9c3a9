//! Signals end the program at once, in every phase, and leave no temporary file.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Folder, program};

/// The goal is a tenth of a second; this allows for a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(1);

fn start(folder: &Folder, arguments: &[&str]) -> Child {
    let mut command = Command::new(program());
    command.args(arguments).current_dir(folder.path(""));
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends a signal and checks the exit code and the time.
fn ends(mut child: Child, signal: &str, code: i32, what: &str) {
    assert!(child.try_wait().unwrap().is_none(), "{what}: too early");
    let started = Instant::now();
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let status = child.wait().unwrap();
    let took = started.elapsed();
    assert_eq!(status.code(), Some(code), "{what}: {status}");
    assert!(took < LIMIT, "{what}: {took:?}");
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Words of random letters: counted fast, merged slowly.
fn random_words(bytes: usize) -> Vec<u8> {
    let mut state = 1u64;
    let letter = |_| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        b"abcdefghijklmnopqrstuvwxyz        "[(state >> 33) as usize % 32]
    };
    (0..bytes).map(letter).collect()
}

const SIGNALS: [(&str, i32); 2] = [("-INT", 130), ("-TERM", 143)];

#[test]
fn while_standard_input_is_read() {
    for (signal, code) in SIGNALS {
        let folder = Folder::with_model();
        let before = folder.names();
        for arguments in [
            &["train", "-", "-o", "x.bpe"][..],
            &["encode", "-", "-m", "m.bpe", "-o", "ids"],
            &["encode", "-", "-m", "m.bpe"],
            &["count", "-", "-m", "m.bpe"],
        ] {
            let mut child = start(&folder, arguments);
            let mut stdin = child.stdin.take().unwrap();
            stdin
                .write_all(&b"the text does not end ".repeat(10_000))
                .unwrap();
            ends(child, signal, code, &format!("{arguments:?}"));
            assert_eq!(folder.names(), before, "{arguments:?}");
        }
    }
}

#[test]
fn while_pieces_are_counted() {
    let folder = Folder::new();
    folder.write("a.txt", random_words(4 << 20));
    // The same file many times: counting it takes seconds.
    let inputs = vec!["a.txt"; 1000];
    for (signal, code) in SIGNALS {
        for threads in ["1", "3"] {
            let options = [
                "-o",
                "x.bpe",
                "--threads",
                threads,
                "--pattern",
                r"[a-z]+|\s",
            ];
            let child = start(&folder, &[&["train"], &inputs[..], &options].concat());
            std::thread::sleep(Duration::from_millis(300));
            ends(child, signal, code, "counting");
            assert_eq!(folder.names(), ["a.txt"]);
        }
    }
}

#[test]
fn while_merges_are_learned() {
    let folder = Folder::new();
    folder.write("a.txt", random_words(24 << 20));
    for (signal, code) in SIGNALS {
        let options = ["--vocab-size", "1000000"];
        let arguments = ["train", "a.txt", "-o", "x.bpe"];
        let mut child = start(&folder, &[&arguments[..], &options].concat());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("note: merging takes about "), "{line}");
        std::thread::sleep(Duration::from_millis(100));
        ends(child, signal, code, "merging");
        assert_eq!(folder.names(), ["a.txt"]);
    }
}

#[test]
fn while_an_output_is_written() {
    let folder = Folder::with_model();
    folder.write("a.txt", random_words(4 << 20));
    let before = folder.names();
    let inputs = vec!["a.txt"; 500];
    for (signal, code) in SIGNALS {
        let options = ["-m", "m.bpe", "-o", "ids.npy"];
        let child = start(&folder, &[&["encode"], &inputs[..], &options].concat());
        // The temporary file exists.
        wait_until("writing", || folder.names().len() > before.len());
        ends(child, signal, code, "writing");
        assert_eq!(folder.names(), before);
    }
}

#[test]
fn while_waiting_for_a_pipe() {
    let folder = Folder::with_model();
    let made = Command::new("mkfifo").arg(folder.path("pipe.bpe")).status();
    assert!(made.unwrap().success());
    for (signal, code) in SIGNALS {
        let mut child = start(&folder, &["train", "corpus.txt", "-o", "pipe.bpe"]);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut String::new()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        ends(child, signal, code, "waiting for a reader");
        assert_eq!(folder.names(), ["corpus.txt", "m.bpe", "pipe.bpe"]);
    }
}
