//! Messages and progress on stderr.
//!
//! On a terminal, one line shows the current stage of the command. A thread draws it ten times a second, from
//! half a second after the command started. Everything else that goes to the terminal, stdout included,
//! passes through [`without_progress_line`], which clears the line first.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::escape;

/// How long a command runs before its first progress line.
const DELAY: Duration = Duration::from_millis(500);

/// Time between two drawings of the line.
const INTERVAL: Duration = Duration::from_millis(100);

/// Prints the line `kind: message`, with hidden characters escaped: file names and tokens may contain
/// sequences that move a terminal's cursor.
pub(crate) fn say(kind: &str, message: &str) {
    print_line(&format!("{kind}: {message}"));
}

fn print_line(line: &str) {
    print(&format!("{}\n", escape(line)));
}

/// Prints styled text to stderr. Its colors are removed unless stderr is a terminal that supports them.
pub(crate) fn print(text: &str) {
    // Without stderr there is nowhere left to report an error.
    let write = || anstream::stderr().write_all(text.as_bytes());
    let _ = without_progress_line(true, write);
}

/// Prints a warning, even with `--quiet`.
pub(crate) fn warn(message: &str) {
    say("warning", message);
}

/// Messages of one command, and the progress of its stages.
pub(crate) struct Progress {
    quiet: bool,
    verbose: bool,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(quiet: bool, verbose: bool) -> Self {
        Progress {
            quiet,
            // clap does not see that both are given if one precedes the subcommand and the other follows it.
            verbose: verbose && !quiet,
            started: Instant::now(),
        }
    }

    /// Reports a choice made on the user's behalf.
    pub(crate) fn note(&self, message: &str) {
        if !self.quiet {
            say("note", message);
        }
    }

    /// Prints a hint at what was probably meant.
    pub(crate) fn hint(&self, message: &str) {
        if !self.quiet {
            say("tip", message);
        }
    }

    /// Begins a stage of `total` steps.
    pub(crate) fn steps(&self, name: &'static str, total: usize) -> Stage {
        let style = "{msg} [{wide_bar}] {human_pos}/{human_len}{prefix}, {eta} left";
        self.stage(name.into(), Some(total as u64), style, Unit::Steps)
    }

    /// Begins a stage of an unknown number of bytes.
    pub(crate) fn bytes(&self, name: impl Into<Cow<'static, str>>) -> Stage {
        self.bytes_of(name, None)
    }

    /// Begins a stage over inputs with a total size of `total` bytes as they are stored. The bar shows the
    /// position in the inputs ([`Stage::reach`]); the numbers show bytes of text. Without a total, there is
    /// no bar.
    pub(crate) fn bytes_of(&self, name: impl Into<Cow<'static, str>>, total: Option<u64>) -> Stage {
        let style = match total {
            Some(_) => "{msg} [{wide_bar}] {percent:>3} %, {prefix}, {eta} left",
            None => "{msg} {prefix}, {elapsed}",
        };
        self.stage(name.into(), total, style, Unit::Bytes)
    }

    fn stage(&self, name: Cow<'static, str>, total: Option<u64>, style: &str, unit: Unit) -> Stage {
        let counters = Arc::new(Counters {
            unit,
            started: Instant::now(),
            state: Mutex::default(),
            in_large_text: AtomicU64::new(0),
        });
        if !self.quiet && io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(name.clone());
            *lock(&LINE) = Some(Line {
                counters: Arc::clone(&counters),
                bar,
                terminal: None,
                not_before: self.started + DELAY,
                is_paused: false,
                is_mid_line: false,
            });
            start_drawing();
        }
        Stage {
            counters,
            reported: self.verbose.then_some(name),
            tokens: OnceLock::new(),
        }
    }

    /// With `--verbose`, reports the time that a part of a stage took; parts may overlap.
    pub(crate) fn part(&self, name: &str, bytes: u64, tokens: Option<u64>, took: Duration) {
        if self.verbose {
            report_stage(name, Some(bytes), tokens, took);
        }
    }

    /// Prints a line with the result of the command, its time and, if `bytes` of text are given, its rate.
    pub(crate) fn close(&self, what: &str, bytes: Option<u64>) {
        if !self.quiet {
            let took = self.started.elapsed();
            let rate = bytes.map_or_else(String::new, |bytes| format!(", {}", rate(bytes, took)));
            print_line(&format!("{what} in {:.2} s{rate}", took.as_secs_f64()));
        }
    }

    /// [`Progress::close`] for encoding and decoding.
    pub(crate) fn close_coding(&self, what: &str, bytes: u64, tokens: u64) {
        let per_token = bytes as f64 / tokens.max(1) as f64;
        let what = format!("{what}, {per_token:.2} bytes per token,");
        self.close(&what, Some(bytes));
    }

    /// Prints the last line of a command with an output: the files it wrote, with their sizes.
    pub(crate) fn wrote(&self, files: &[impl AsRef<Path>]) {
        const LISTED: usize = 6;
        if self.quiet {
            return;
        }
        let regular = |path: &Path| path.metadata().ok().filter(|file| file.is_file());
        let bytes = |path: &Path| regular(path).map(|file| size(file.len()));
        let line = match files {
            [] => return,
            [first, .., last] if files.len() > LISTED => {
                let all = files.iter().filter_map(|path| regular(path.as_ref()));
                let all = all.map(|file| file.len()).sum();
                let (first, last) = (first.as_ref().display(), last.as_ref().display());
                let files = plural(files.len() as u64, "file");
                format!("wrote {files} ({}), {first} to {last}", size(all))
            }
            files => {
                let each = files.iter().map(|path| {
                    let path = path.as_ref();
                    match bytes(path) {
                        Some(bytes) => format!("{} ({bytes})", path.display()),
                        None => path.display().to_string(),
                    }
                });
                format!("wrote {}", each.collect::<Vec<_>>().join(", "))
            }
        };
        print_line(&line);
    }
}

/// Prints the size, time and rate of a stage, for `--verbose`.
fn report_stage(name: &str, bytes: Option<u64>, tokens: Option<u64>, took: Duration) {
    let mut parts = vec![name.to_owned()];
    parts.extend(bytes.map(|bytes| plural(bytes, "byte")));
    parts.extend(tokens.map(|tokens| plural(tokens, "token")));
    parts.push(format!("{:.3} s", took.as_secs_f64()));
    parts.extend(bytes.map(|bytes| rate(bytes, took)));
    say("stage", &parts.join(", "));
}

/// What a stage counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Steps,
}

/// A stage of a command. Dropping it clears its line and, with `--verbose`, reports it.
pub(crate) struct Stage {
    counters: Arc<Counters>,
    /// The name, if the stage is to be reported at its end.
    reported: Option<Cow<'static, str>>,
    tokens: OnceLock<u64>,
}

/// Counters of a stage, written by the command and read by the thread that draws.
struct Counters {
    unit: Unit,
    started: Instant,
    state: Mutex<State>,
    /// Bytes of the large text that have been processed.
    in_large_text: AtomicU64,
}

#[derive(Clone, Default)]
struct State {
    /// Bytes of text or steps that are done.
    done: u64,
    /// Position in the inputs, in bytes as they are stored.
    reached: u64,
    large: Option<LargeText>,
    detail: String,
}

/// A text that takes long enough for its own progress to matter.
#[derive(Clone, Copy)]
struct LargeText {
    bytes: u64,
    /// Position in the inputs where the text ends.
    ends_at: u64,
}

impl Stage {
    /// Adds bytes of text.
    pub(crate) fn advance(&self, bytes: u64) {
        let mut state = lock(&self.counters.state);
        state.done += bytes;
        state.large = None;
    }

    /// Sets the position in the inputs, in bytes as they are stored.
    pub(crate) fn reach(&self, position: u64) {
        lock(&self.counters.state).reached = position;
    }

    /// Returns a counter for the processed bytes of a large text, which ends at the position `ends_at` of the
    /// inputs. Until [`Stage::advance`] adds the whole text, the line shows the counted bytes in addition to
    /// those of the stage.
    pub(crate) fn large_text(&self, bytes: u64, ends_at: u64) -> &AtomicU64 {
        let counter = &self.counters.in_large_text;
        let mut state = lock(&self.counters.state);
        counter.store(0, Ordering::Relaxed);
        state.large = Some(LargeText { bytes, ends_at });
        counter
    }

    /// Bytes of text so far.
    pub(crate) fn bytes(&self) -> u64 {
        lock(&self.counters.state).done
    }

    /// Sets the number of tokens for the report.
    pub(crate) fn tokens(&self, tokens: u64) {
        let _ = self.tokens.set(tokens);
    }

    /// Sets the current step and a detail that follows it on the line.
    pub(crate) fn set(&self, step: usize, detail: String) {
        let mut state = lock(&self.counters.state);
        (state.done, state.detail) = (step as u64, detail);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let mut line = lock(&LINE);
        if let Some(own) = line.take_if(|line| Arc::ptr_eq(&line.counters, &self.counters)) {
            own.bar.finish_and_clear();
        }
        drop(line);
        if let Some(name) = &self.reported {
            let bytes = (self.counters.unit == Unit::Bytes).then(|| self.bytes());
            let took = self.counters.started.elapsed();
            report_stage(name, bytes, self.tokens.get().copied(), took);
        }
    }
}

impl Counters {
    /// Returns the position of the bar, and the numbers on the line.
    fn view(&self) -> (u64, String) {
        let state = lock(&self.state).clone();
        let State { done, reached, .. } = state;
        if self.unit == Unit::Steps {
            return (done, state.detail);
        }
        let (mut text, mut position) = (done, reached);
        if let Some(large) = state.large {
            let counted = self.in_large_text.load(Ordering::Relaxed).min(large.bytes);
            let share = counted as f64 / large.bytes.max(1) as f64;
            text += counted;
            position += (large.ends_at.saturating_sub(reached) as f64 * share) as u64;
        }
        let rate = rate(text, self.started.elapsed());
        (position, format!("{}, {rate}", size(text)))
    }
}

/// The line of the current stage, if stderr is a terminal. The lock is held during every write to the
/// terminal.
static LINE: Mutex<Option<Line>> = Mutex::new(None);

struct Line {
    counters: Arc<Counters>,
    /// Hidden until it is drawn for the first time.
    bar: ProgressBar,
    /// The terminal, once the bar has been drawn. A bar without a `MultiProgress` cannot be cleared and drawn
    /// again.
    terminal: Option<MultiProgress>,
    not_before: Instant,
    /// The user types standard input on the same terminal.
    is_paused: bool,
    /// The cursor follows output that does not end with a line feed.
    is_mid_line: bool,
}

impl Line {
    fn draw(&mut self) {
        if self.is_paused || self.is_mid_line || Instant::now() < self.not_before {
            return;
        }
        if self.terminal.is_none() {
            let terminal = MultiProgress::new();
            self.bar = terminal.add(self.bar.clone());
            self.terminal = Some(terminal);
        }
        let (position, detail) = self.counters.view();
        // Each call may draw the line. The numbers are set before the position.
        self.bar.set_prefix(detail);
        self.bar.set_position(position);
        self.bar.tick();
    }

    /// Clears the line until it is drawn again.
    fn clear(&mut self) {
        if let Some(terminal) = &self.terminal {
            // An error of the terminal shows at the next write to it.
            let _ = terminal.clear();
        }
    }
}

/// Starts the thread that draws the line. If it cannot be started, no progress is shown, which is no failure.
fn start_drawing() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let _ = thread::Builder::new().spawn(|| {
            loop {
                thread::sleep(INTERVAL);
                if let Some(line) = &mut *lock(&LINE) {
                    line.draw();
                }
            }
        });
    });
}

/// Clears the progress line and calls `write`, which writes to the terminal. The line is drawn again only
/// after output that ends with a line feed; `ends_line` tells whether this output does.
pub(crate) fn without_progress_line<T>(ends_line: bool, write: impl FnOnce() -> T) -> T {
    let mut line = lock(&LINE);
    if let Some(line) = &mut *line {
        line.clear();
        line.is_mid_line = !ends_line;
    }
    write()
}

/// Hides the line for the rest of the stage, since the user types on the same terminal.
pub(crate) fn pause() {
    if let Some(line) = &mut *lock(&LINE) {
        line.clear();
        line.is_paused = true;
    }
}

/// Clears the line before the program exits on a signal. Does not wait for a write to the terminal, which may
/// be blocked.
#[cfg(unix)]
pub(crate) fn clear_at_exit() {
    if let Ok(mut line) = LINE.try_lock() {
        if let Some(line) = line.take() {
            line.bar.finish_and_clear();
        }
        // Never releases the lock, so that nothing is drawn any more.
        std::mem::forget(line);
    }
}

/// Ignores poisoning, since a panic leaves no counter or line half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 1234567 as 1,234,567.
pub(crate) fn number(n: u64) -> HumanCount {
    HumanCount(n)
}

/// `n` of a thing, with its noun in the right number: `1 shard`, `1,234 shards`.
pub(crate) fn plural(n: u64, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", number(n))
}

/// Bytes in three significant digits and decimal units: `999 B`, `1.23 kB`, `45.6 MB`.
pub(crate) fn size(bytes: u64) -> String {
    scaled(bytes as f64)
}

/// Bytes of text per second, formatted like [`size`]: `28.8 MB/s`.
pub(crate) fn rate(bytes: u64, took: Duration) -> String {
    let rate = scaled(bytes as f64 / took.as_secs_f64().max(1e-9));
    format!("{rate}/s")
}

fn scaled(mut value: f64) -> String {
    let mut units = ["B", "kB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    let mut decimals = 0;
    // From 999.5 on, the value would be rounded to 1000.
    while value >= 999.5 {
        let Some(larger) = units.next() else { break };
        (value, unit) = (value / 1000.0, larger);
        decimals = match value {
            ..9.995 => 2,
            ..99.95 => 1,
            _ => 0,
        };
    }
    format!("{value:.decimals$} {unit}")
}

/// Returns the first `limit` characters of a text, and an ellipsis if there are more.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_and_sizes_fit_their_numbers() {
        let plurals = [0, 1, 2, 1234].map(|n| plural(n, "shard"));
        assert_eq!(plurals, ["0 shards", "1 shard", "2 shards", "1,234 shards"]);
        for (bytes, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_996, "10.0 kB"),
            (99_960, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (28_800_000, "28.8 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(rate(7, Duration::from_millis(10)), "700 B/s");
        assert_eq!(rate(3, Duration::from_secs(2)), "2 B/s");
        assert_eq!(rate(0, Duration::ZERO), "0 B/s");
    }

    #[test]
    fn a_large_text_moves_the_bar_while_it_is_processed() {
        let stage = Progress::new(true, false).bytes_of("a test", Some(1000));
        stage.advance(50);
        stage.reach(100);
        let counter = stage.large_text(8000, 900);
        let view = || {
            let (position, numbers) = stage.counters.view();
            (position, numbers.split(',').next().unwrap().to_owned())
        };
        assert_eq!(view(), (100, "50 B".to_owned()));
        counter.fetch_add(4000, Ordering::Relaxed);
        assert_eq!(view(), (500, "4.05 kB".to_owned()));
        // Normalization may lengthen a text.
        counter.fetch_add(5000, Ordering::Relaxed);
        assert_eq!(view(), (900, "8.05 kB".to_owned()));
        stage.advance(8000);
        stage.reach(900);
        assert_eq!(view(), (900, "8.05 kB".to_owned()));
    }
}
