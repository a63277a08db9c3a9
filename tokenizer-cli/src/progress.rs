//! What is said on stderr, which is for people.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Says one line: `kind: message`. Control characters are escaped, since file names and the texts
/// of tokens may hold what moves a terminal's cursor.
pub(crate) fn say(kind: &str, message: &str) {
    let mut line = format!("{kind}: ");
    for char in message.chars() {
        if char.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(line, "{}", char.escape_default());
        } else {
            line.push(char);
        }
    }
    line.push('\n');
    // When stderr is gone there is nowhere left to say so.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Says what must not be missed, also to those who asked for quiet.
pub(crate) fn warn(message: &str) {
    say("warning", message);
}

/// Shows how far a command is, and closes with a line about what it did.
pub(crate) struct Progress {
    quiet: bool,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Progress {
            quiet,
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
    pub(crate) fn steps(&self, what: &'static str, length: usize) -> Stage {
        let style = "{msg} {wide_bar} {human_pos}/{human_len}{prefix} [{elapsed}, {eta} left]";
        self.stage(what, ProgressBar::new(length as u64), style)
    }

    /// A line for a stage whose end is not known, counted in bytes.
    pub(crate) fn bytes(&self, what: &'static str) -> Stage {
        let style = "{spinner} {msg} {decimal_bytes} [{elapsed}, {decimal_bytes_per_sec}]";
        self.stage(what, ProgressBar::new_spinner(), style)
    }

    /// A bar for so many bytes, or a line when it is not known how many there will be.
    pub(crate) fn bytes_of(&self, what: &'static str, total: Option<u64>) -> Stage {
        let Some(total) = total else {
            return self.bytes(what);
        };
        let style = "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} \
                     [{elapsed}, {decimal_bytes_per_sec}]";
        self.stage(what, ProgressBar::new(total), style)
    }

    fn stage(&self, what: &'static str, bar: ProgressBar, style: &str) -> Stage {
        if self.quiet || !std::io::stderr().is_terminal() {
            return Stage(ProgressBar::hidden());
        }
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Stage(bar)
    }

    /// `what` was done to `bytes` bytes: adds how long it took and how fast it was.
    pub(crate) fn close(&self, what: &str, bytes: u64) {
        if self.quiet {
            return;
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let speed = bytes as f64 / 1e6 / seconds.max(1e-9);
        // Not `say`: this is the one line with no kind in front.
        let line = format!("{what} in {seconds:.2} s, {speed:.1} MB/s\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    /// As [`Progress::close`], for what is not measured in bytes of text.
    pub(crate) fn close_without_speed(&self, what: &str) {
        if !self.quiet {
            let seconds = self.started.elapsed().as_secs_f64();
            let _ = std::io::stderr().write_all(format!("{what} in {seconds:.2} s\n").as_bytes());
        }
    }
}

/// A stage under way. Its line goes away when it is dropped, so that no message is drawn over.
pub(crate) struct Stage(ProgressBar);

impl Stage {
    /// Hides the stage when data goes to the same terminal.
    pub(crate) fn unless(self, hidden: bool) -> Self {
        if hidden {
            self.0.set_draw_target(ProgressDrawTarget::hidden());
        }
        self
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    pub(crate) fn set(&self, position: usize) {
        self.0.set_position(position as u64);
    }

    /// Shows a detail behind the position.
    pub(crate) fn detail(&self, detail: impl FnOnce() -> String) {
        if !self.0.is_hidden() {
            self.0.set_prefix(detail());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// 1234567 as 1,234,567.
pub(crate) fn number(n: u64) -> HumanCount {
    HumanCount(n)
}
