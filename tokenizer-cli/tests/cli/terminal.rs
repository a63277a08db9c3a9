//! Progress and output on a pseudo-terminal.

#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{Folder, program};

/// A run of the program with its stdout and stderr on a terminal.
struct Terminal {
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Starts the program with standard input from a pipe.
    fn start(folder: &Folder, columns: u16, arguments: &[&str]) -> Self {
        Self::start_with(folder, columns, Stdio::piped(), arguments)
    }

    fn start_with(folder: &Folder, columns: u16, stdin: Stdio, arguments: &[&str]) -> Self {
        let (controller, user) = pseudo_terminal(columns);
        let mut command = Command::new(program());
        command.args(arguments).current_dir(folder.path(""));
        command.env("TERM", "xterm").env_remove("NO_COLOR");
        command.stdout(user.try_clone().unwrap()).stderr(user);
        let child = command.stdin(stdin).spawn().unwrap();
        // Closes its copies of the terminal: the reader ends with the child.
        drop(command);
        let output = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&output);
        let reader = thread::spawn(move || {
            let mut controller = controller;
            let mut buffer = [0; 4096];
            while let Ok(length) = controller.read(&mut buffer) {
                written.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Terminal {
            child,
            output,
            reader,
        }
    }

    fn type_in(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
    }

    /// Everything the program has written, with escape sequences.
    fn written(&self) -> String {
        String::from_utf8(self.output.lock().unwrap().clone()).unwrap()
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        let started = Instant::now();
        while !self.written().contains(text) {
            let written = self.written();
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{text}: {written:?}"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends standard input, waits for the program, and returns everything it has written.
    #[track_caller]
    fn finish(mut self, code: i32) -> String {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        self.reader.join().unwrap();
        let written = String::from_utf8(self.output.lock().unwrap().clone()).unwrap();
        assert_eq!(status.code(), Some(code), "{written}");
        written
    }
}

/// The two ends of a terminal.
fn pseudo_terminal(columns: u16) -> (File, File) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&controller, size).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let name = OsStr::from_bytes(name.as_bytes());
    let user = OpenOptions::new().read(true).write(true).open(name);
    (controller.into(), user.unwrap())
}

/// The lines on the screen after the program has written `output`.
fn screen(output: &str) -> Vec<String> {
    let mut lines = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut chars = output.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                lines.resize(lines.len().max(row + 1), Vec::new());
            }
            '\x1b' => {
                assert_eq!(chars.next(), Some('['), "{output:?}");
                let mut number = String::new();
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                let number = number.parse().unwrap_or(1);
                match chars.next() {
                    Some('A') => row -= number,
                    Some('B') => row += number,
                    Some('K') => lines[row].clear(),
                    // A colour.
                    Some('m') => {}
                    other => panic!("{other:?} in {output:?}"),
                }
            }
            char => {
                let line: &mut Vec<char> = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = char;
                column += 1;
            }
        }
    }
    let lines = lines.iter().map(|line| line.iter().collect::<String>());
    let lines = lines.map(|line| line.trim_end().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

#[track_caller]
fn assert_lines(output: &str, wanted: &[&str]) {
    let lines = screen(output);
    assert_eq!(lines.len(), wanted.len(), "{lines:#?}");
    for (line, wanted) in lines.iter().zip(wanted) {
        assert!(line.starts_with(wanted), "{line:?} is not {wanted:?}");
    }
}

#[test]
fn nothing_is_drawn_in_the_first_half_second() {
    let folder = Folder::with_model();
    let mut terminal = Terminal::start(&folder, 80, &["encode", "-", "-m", "m.bpe"]);
    terminal.type_in("abc");
    let output = terminal.finish(0);
    let ends = ["97 98 99", "encoded 3 bytes into 3 tokens, "];
    assert_lines(&output, &ends);
    // On a slow machine the line may have been drawn.
    if !output.contains("encoding") {
        assert!(!output.contains('\x1b'), "{output:?}");
    }
}

#[test]
fn the_progress_line_is_cleared_before_anything_else_is_written() {
    let folder = Folder::with_model();
    for columns in [30, 80, 200] {
        let mut terminal = Terminal::start(&folder, columns, &["encode", "-", "-m", "m.bpe"]);
        terminal.type_in("ab");
        terminal.wait_for("encoding 0 B");
        terminal.type_in("c");
        let output = terminal.finish(0);
        assert_lines(&output, &["97 98 99", "encoded 3 bytes into 3 tokens, "]);
    }
    // Messages and errors clear the line too.
    let invalid = ["encode", "-", "-m", "m.bpe", "--errors", "strict", "-q"];
    let mut terminal = Terminal::start(&folder, 80, &invalid[..6]);
    terminal.wait_for("encoding 0 B");
    terminal
        .child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"\xff")
        .unwrap();
    let output = terminal.finish(1);
    let first = screen(&output);
    let warning = "warning: standard input: may not be text";
    assert!(first[0].starts_with(warning), "{first:?}");
    let error = "error: standard input: byte 0";
    assert!(first[1].starts_with(error), "{first:?}");
    // Nothing is drawn with --quiet.
    let terminal = Terminal::start(&folder, 80, &["-q", "encode", "-", "-m", "m.bpe"]);
    thread::sleep(Duration::from_millis(800));
    assert_eq!(terminal.written(), "");
    terminal.finish(0);
}

#[test]
fn a_signal_clears_the_line() {
    let folder = Folder::with_model();
    let mut terminal = Terminal::start(&folder, 80, &["encode", "-", "-m", "m.bpe"]);
    terminal.wait_for("encoding 0 B");
    let id = terminal.child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &id]).status();
    assert!(kill.unwrap().success());
    // Its end would end the program too.
    let stdin = terminal.child.stdin.take();
    assert_lines(&terminal.finish(130), &[]);
    drop(stdin);
}

#[test]
fn nothing_is_drawn_while_the_user_types() {
    let folder = Folder::with_model();
    let (mut controller, user) = pseudo_terminal(80);
    let arguments = ["encode", "-", "-m", "m.bpe"];
    let terminal = Terminal::start_with(&folder, 80, user.into(), &arguments);
    thread::sleep(Duration::from_millis(800));
    assert_eq!(terminal.written(), "");
    // Ctrl-D ends one read; the program reads again after the first end.
    controller.write_all(b"low\n\x04\x04\x04\x04").unwrap();
    let output = terminal.finish(0);
    assert!(!output.contains('\x1b'), "{output:?}");
}

#[test]
fn an_input_of_unknown_size_does_not_hide_the_bar() {
    let folder = Folder::with_model();
    folder.write("a.txt", "low ".repeat(200));
    folder.write("b.txt", "low ".repeat(600));
    let arguments = ["count", "a.txt", "-", "b.txt", "-m", "m.bpe"];
    let mut terminal = Terminal::start(&folder, 80, &arguments);
    terminal.wait_for("counting tokens [");
    terminal.type_in("low");
    let output = terminal.finish(0);
    let wanted = [
        "201\t800\ta.txt",
        "1\t3\t-",
        "601\t2400\tb.txt",
        "803\t3203\ttotal",
    ];
    let lines = screen(&output.replace('\t', "|"));
    let wanted = wanted.map(|line| line.replace('\t', "|"));
    assert_eq!(lines, wanted);
}
