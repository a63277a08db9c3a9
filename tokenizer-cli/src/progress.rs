//! What is said on stderr, which is for people.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    verbose: bool,
    started: Instant,
}

/// What there was of a stage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Amount {
    pub(crate) bytes: Option<u64>,
    pub(crate) tokens: Option<u64>,
}

impl Amount {
    pub(crate) fn bytes(bytes: u64) -> Self {
        let bytes = Some(bytes);
        Amount {
            bytes,
            tokens: None,
        }
    }

    pub(crate) fn tokens(self, tokens: u64) -> Self {
        let tokens = Some(tokens);
        Amount { tokens, ..self }
    }
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
    pub(crate) fn steps(&self, what: impl Into<Cow<'static, str>>, length: usize) -> Stage {
        let style = "{msg} {wide_bar} {human_pos}/{human_len}{prefix} [{elapsed}, {eta} left]";
        let stage = self.stage(what, ProgressBar::new(length as u64), style);
        *stage.amount() = Amount::default();
        stage
    }

    /// A line for a stage whose end is not known, counted in bytes.
    pub(crate) fn bytes(&self, what: impl Into<Cow<'static, str>>) -> Stage {
        let style = "{spinner} {msg} {decimal_bytes} [{elapsed}, {decimal_bytes_per_sec}]";
        self.stage(what, ProgressBar::new_spinner(), style)
    }

    /// A bar for so many bytes, or a line when it is not known how many there will be.
    pub(crate) fn bytes_of(&self, what: impl Into<Cow<'static, str>>, total: Option<u64>) -> Stage {
        let Some(total) = total else {
            return self.bytes(what);
        };
        let style = "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} \
                     [{elapsed}, {decimal_bytes_per_sec}]";
        self.stage(what, ProgressBar::new(total), style)
    }

    fn stage(&self, what: impl Into<Cow<'static, str>>, bar: ProgressBar, style: &str) -> Stage {
        let what = what.into();
        let is_shown = !self.quiet && std::io::stderr().is_terminal();
        let stage = |bar| Stage {
            bar,
            what: self.verbose.then(|| what.clone()),
            started: Instant::now(),
            amount: Mutex::new(Amount::bytes(0)),
        };
        if !is_shown {
            return stage(ProgressBar::hidden());
        }
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(what.clone());
        bar.enable_steady_tick(Duration::from_millis(100));
        stage(bar)
    }

    /// Part of a stage took so long, all its turns together; other parts went on at the same time.
    pub(crate) fn part(&self, what: &str, amount: Amount, took: Duration) {
        if self.verbose {
            say_stage(what, amount, took);
        }
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

/// How much there was of a stage, how long it took and how fast it was.
fn say_stage(what: &str, amount: Amount, took: Duration) {
    let seconds = took.as_secs_f64();
    let mut line = what.to_owned();
    // Writing to a string cannot fail.
    if let Some(bytes) = amount.bytes {
        let _ = write!(line, ", {} bytes", number(bytes));
    }
    if let Some(tokens) = amount.tokens {
        let _ = write!(line, ", {} tokens", number(tokens));
    }
    let _ = write!(line, ", {seconds:.3} s");
    if let Some(bytes) = amount.bytes {
        let speed = bytes as f64 / 1e6 / seconds.max(1e-9);
        let _ = write!(line, ", {speed:.1} MB/s");
    }
    say("stage", &line);
}

/// A stage under way. Its line goes away when it is dropped, so that no message is drawn over.
pub(crate) struct Stage {
    bar: ProgressBar,
    /// How it is called when it has ended, if that is to be said.
    what: Option<Cow<'static, str>>,
    started: Instant,
    amount: Mutex<Amount>,
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
        if let Some(bytes) = &mut self.amount().bytes {
            *bytes += by;
        }
    }

    /// So many tokens were made or read in all.
    pub(crate) fn tokens(&self, tokens: u64) {
        let mut amount = self.amount();
        *amount = amount.tokens(tokens);
    }

    fn amount(&self) -> MutexGuard<'_, Amount> {
        self.amount.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, position: usize) {
        self.bar.set_position(position as u64);
    }

    /// Shows a detail behind the position.
    pub(crate) fn detail(&self, detail: impl FnOnce() -> String) {
        if !self.bar.is_hidden() {
            self.bar.set_prefix(detail());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some(what) = &self.what {
            say_stage(what, *self.amount(), self.started.elapsed());
        }
    }
}

/// 1234567 as 1,234,567.
pub(crate) fn number(n: u64) -> HumanCount {
    HumanCount(n)
}
