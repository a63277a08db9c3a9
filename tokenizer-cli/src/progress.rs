//! What is said on stderr, which is for people.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::terminal::escape;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Says one line: `kind: message`. Control characters are escaped, since file names and the texts
/// of tokens may hold what moves a terminal's cursor.
pub(crate) fn say(kind: &str, message: &str) {
    say_line(&format!("{kind}: {}", escape(message)));
}

fn say_line(line: &str) {
    // When stderr is gone there is nowhere left to say so.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Says what must not be missed, also to those who asked for quiet.
pub(crate) fn warn(message: &str) {
    say("warning", message);
}

/// Shows how far a command is, and closes with a line about what it did.
pub(crate) struct Progress {
    quiet: bool,
    verbose: bool,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(quiet: bool, verbose: bool) -> Self {
        Progress {
            quiet,
            // They exclude each other, but one may stand before the command and the other behind it.
            verbose: verbose && !quiet,
            started: Instant::now(),
        }
    }

    /// A choice that was made for the user.
    pub(crate) fn note(&self, message: &str) {
        if !self.quiet {
            say("note", message);
        }
    }

    /// A bar for a stage of known length, counted in steps, with room for a detail.
    pub(crate) fn steps(&self, name: &'static str, length: usize) -> Stage {
        let style = "{msg} {wide_bar} {human_pos}/{human_len}{prefix} [{elapsed}, {eta} left]";
        self.stage(name, Some(length as u64), style, false)
    }

    /// A line for a stage whose end is not known, counted in bytes.
    pub(crate) fn bytes(&self, name: &'static str) -> Stage {
        self.bytes_of(name, None)
    }

    /// A bar for so many bytes, or a line when it is not known how many there will be.
    pub(crate) fn bytes_of(&self, name: &'static str, total: Option<u64>) -> Stage {
        let style = match total {
            Some(_) => {
                "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} \
                 [{elapsed}, {decimal_bytes_per_sec}]"
            }
            None => "{spinner} {msg} {decimal_bytes} [{elapsed}, {decimal_bytes_per_sec}]",
        };
        self.stage(name, total, style, true)
    }

    fn stage(&self, name: &'static str, length: Option<u64>, style: &str, in_bytes: bool) -> Stage {
        let is_shown = !self.quiet && io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
        if is_shown {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.set_message(name);
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Stage {
            bar,
            name: self.verbose.then_some(name),
            in_bytes,
            tokens: OnceLock::new(),
        }
    }

    /// Part of a stage took so long, all its turns together; other parts went on at the same time.
    pub(crate) fn part(&self, name: &str, bytes: u64, tokens: Option<u64>, took: Duration) {
        if self.verbose {
            say_stage(name, Some(bytes), tokens, took);
        }
    }

    /// The last line: what was done, how long it took, and how fast that was in bytes of text.
    pub(crate) fn close(&self, what: &str, bytes: Option<u64>) {
        if !self.quiet {
            let took = self.started.elapsed();
            let speed = bytes.map_or_else(String::new, |bytes| speed(bytes, took));
            say_line(&format!("{what} in {:.2} s{speed}", took.as_secs_f64()));
        }
    }

    /// The last line of encoding or decoding.
    pub(crate) fn close_coding(&self, what: &str, bytes: u64, tokens: u64) {
        let per_token = bytes as f64 / tokens.max(1) as f64;
        let what = format!("{what}, {per_token:.2} bytes per token,");
        self.close(&what, Some(bytes));
    }
}

/// How much there was of a stage, how long it took and how fast it was.
fn say_stage(name: &str, bytes: Option<u64>, tokens: Option<u64>, took: Duration) {
    let mut line = name.to_owned();
    for (count, unit) in [(bytes, "bytes"), (tokens, "tokens")] {
        if let Some(count) = count {
            // Writing to a string cannot fail.
            let _ = write!(line, ", {} {unit}", number(count));
        }
    }
    let speed = bytes.map_or_else(String::new, |bytes| speed(bytes, took));
    say(
        "stage",
        &format!("{line}, {:.3} s{speed}", took.as_secs_f64()),
    );
}

fn speed(bytes: u64, took: Duration) -> String {
    let speed = bytes as f64 / 1e6 / took.as_secs_f64().max(1e-9);
    format!(", {speed:.1} MB/s")
}

/// A stage under way. Its line goes away when it is dropped, so that no message is drawn over.
pub(crate) struct Stage {
    bar: ProgressBar,
    /// How it is called when it has ended, if that is to be said.
    name: Option<&'static str>,
    in_bytes: bool,
    tokens: OnceLock<u64>,
}

impl Stage {
    /// Hides the stage when data goes to the same terminal.
    pub(crate) fn unless(self, hidden: bool) -> Self {
        if hidden {
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        self
    }

    /// So many bytes more are done.
    pub(crate) fn advance(&self, by: u64) {
        self.bar.inc(by);
    }

    /// How many bytes are done.
    pub(crate) fn bytes(&self) -> u64 {
        self.bar.position()
    }

    /// So many tokens were made or read in all.
    pub(crate) fn tokens(&self, tokens: u64) {
        let _ = self.tokens.set(tokens);
    }

    /// Sets the step, and shows a detail behind it.
    pub(crate) fn set(&self, step: usize, detail: String) {
        self.bar.set_position(step as u64);
        self.bar.set_prefix(detail);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let (bytes, took) = (self.bar.position(), self.bar.elapsed());
        self.bar.finish_and_clear();
        if let Some(name) = self.name {
            let bytes = self.in_bytes.then_some(bytes);
            say_stage(name, bytes, self.tokens.get().copied(), took);
        }
    }
}

/// 1234567 as 1,234,567.
pub(crate) fn number(n: u64) -> HumanCount {
    HumanCount(n)
}

/// The first `most` characters of a text that may be long.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
