//! Ctrl-C and SIGTERM: the program removes its temporary files and exits at once.
//!
//! The exit code is 128 plus the signal number, as shells report for a program killed by a signal: 130 for
//! Ctrl-C, 143 for SIGTERM. On systems other than Unix, Ctrl-C is not handled: the system terminates the
//! program, which may leave temporary files behind.

/// Starts the thread that handles signals, and waits until it has installed the handlers.
#[cfg(unix)]
pub(crate) fn watch() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let (ready, wait_ready) = std::sync::mpsc::channel();
    // The new thread installs the handlers itself: if it cannot be started, signals keep their default action.
    let handle_signals = move || {
        let signals = Signals::new([SIGINT, SIGTERM]);
        let _ = ready.send(());
        if let Some(signal) = signals
            .ok()
            .and_then(|mut signals| signals.forever().next())
        {
            end(signal);
        }
    };
    if std::thread::Builder::new().spawn(handle_signals).is_ok() {
        let _ = wait_ready.recv();
    }
}

#[cfg(not(unix))]
pub(crate) fn watch() {}

#[cfg(unix)]
fn end(signal: i32) -> ! {
    tokenizer_core::corpus::stop_writing();
    crate::progress::clear_at_exit();
    std::process::exit(128 + signal)
}
