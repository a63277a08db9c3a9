//! Ctrl-C and SIGTERM: the program ends at once, whatever it is doing, and leaves nothing half
//! written.
//!
//! The exit code is 128 and the number of the signal, which is how a shell shows a program that was
//! ended by it: 130 and 143. Where there are no such signals, the system ends the program, and a
//! temporary file may be left.

/// Watches for signals from now on.
#[cfg(unix)]
pub(crate) fn watch() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let (sender, watching) = std::sync::mpsc::channel();
    // The thread itself registers: signals that nobody takes up would be lost.
    let watch = move || {
        let signals = Signals::new([SIGINT, SIGTERM]);
        let _ = sender.send(());
        if let Some(signal) = signals
            .ok()
            .and_then(|mut signals| signals.forever().next())
        {
            end(signal);
        }
    };
    if std::thread::Builder::new().spawn(watch).is_ok() {
        let _ = watching.recv();
    }
}

#[cfg(not(unix))]
pub(crate) fn watch() {}

#[cfg(unix)]
fn end(signal: i32) -> ! {
    use std::io::{IsTerminal, Write};

    tokenizer_core::corpus::stop_writing();
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // What the shell says next is not to stand in the line of the progress.
        let _ = stderr.write_all(b"\n");
    }
    std::process::exit(128 + signal)
}
