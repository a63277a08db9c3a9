//! Full devices, closed pipes, pipes as inputs and outputs.

#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use crate::support::{Folder, program};

#[test]
fn a_full_device_is_an_error_that_names_the_output() {
    let folder = Folder::with_model();
    folder
        .run(&["encode", "corpus.txt", "-m", "m.bpe", "-o", "/dev/full"])
        .fails(1, &["/dev/full: No space left"]);
    folder.write("ids", "97");
    folder
        .run(&["decode", "ids", "-m", "m.bpe", "-o", "/dev/full"])
        .fails(1, &["/dev/full: No space left"]);
    std::os::unix::fs::symlink("/dev/full", folder.path("full.bpe")).unwrap();
    folder
        .run(&["train", "corpus.txt", "-o", "full.bpe"])
        .fails(1, &["full.bpe: No space left"]);
    folder
        .run(&["convert", "m.bpe", "-o", "full.bpe"])
        .fails(1, &["full.bpe: No space left"]);
    for arguments in [
        &["encode", "corpus.txt", "-m", "m.bpe"][..],
        &["decode", "ids", "-m", "m.bpe"],
        &["count", "corpus.txt", "-m", "m.bpe"],
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = Command::new(program())
            .args(arguments)
            .current_dir(folder.path(""))
            .stdout(full)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(
            stderr,
            "error: standard output: No space left on device (os error 28)\n"
        );
    }
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let folder = Folder::with_model();
    folder.write("large.txt", "low lower lowest ".repeat(100_000));
    folder
        .run(&[
            "encode",
            "large.txt",
            "-m",
            "m.bpe",
            "-o",
            "large.ids",
            "-q",
        ])
        .succeeds();
    for arguments in [
        &["encode", "large.txt", "-m", "m.bpe"][..],
        &["encode", "large.txt", "-m", "m.bpe", "--format", "npy"],
        &["decode", "large.ids", "-m", "m.bpe"],
        &["count", "large.txt", "-m", "m.bpe"],
        &["--help"],
    ] {
        let mut child = Command::new(program())
            .args(arguments)
            .current_dir(folder.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "",
            "{arguments:?}"
        );
    }
}

#[test]
fn an_unwritable_stderr_is_no_failure() {
    let folder = Folder::with_model();
    let full = || {
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let status = |arguments: &[&str]| {
        Command::new(program())
            .args(arguments)
            .current_dir(folder.path(""))
            .stdout(Stdio::null())
            .stderr(full())
            .status()
            .unwrap()
            .code()
    };
    assert_eq!(status(&["encode", "corpus.txt", "-m", "m.bpe"]), Some(0));
    assert_eq!(status(&["encode", "missing.txt", "-m", "m.bpe"]), Some(1));
    assert_eq!(status(&["encode"]), Some(2));
}

#[test]
fn pipes_are_inputs_and_outputs() {
    let folder = Folder::with_model();
    let script = format!(
        "{0} encode <(printf 'low ') <(printf lower) -m m.bpe -q | {0} decode - -m m.bpe -q -o /dev/stdout",
        program()
    );
    let mut bash = Command::new("bash");
    let bash = bash.args(["-c", &script]).current_dir(folder.path(""));
    let output = bash.output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.stdout, b"low lower");
}

#[test]
fn the_model_is_written_if_frequencies_fail() {
    let folder = Folder::with_model();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let arguments = ["train", "corpus.txt", "-o", "t.bpe", "--vocab-size", "300"];
    let mut command = Command::new(program());
    let command = command.args(arguments).args(["--frequencies", "-"]);
    let command = command.current_dir(folder.path("")).stdout(full.unwrap());
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    assert!(folder.exists("t.bpe"));
}

#[test]
fn standard_input_has_no_header_file() {
    let folder = Folder::with_model();
    let ids = folder
        .run_with("low lower", &["encode", "-", "-m", "m.bpe"])
        .succeeds();
    folder.write("-", "");
    folder.write("-.json", "");
    let decode = ["decode", "-", "-m", "m.bpe", "-o", "./-"];
    folder.run_with(ids.text(), &decode).succeeds();
    assert_eq!(folder.read("-"), b"low lower");
}
