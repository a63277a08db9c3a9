//! Ctrl-C and SIGTERM: the program exits at once and removes its temporary files.
//!
//! The exit code is 128 plus the number of the signal, as shells report it: 130 and 143. On systems without
//! these signals, the program is ended by the system and may leave a temporary file.

/// Starts the thread that handles signals.
#[cfg(unix)]
pub(crate) fn watch() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let (sender, watching) = std::sync::mpsc::channel();
    // Registered on that thread: if it cannot be started, signals keep their default action.
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
    tokenizer_core::corpus::stop_writing();
    crate::progress::clear_at_exit();
    std::process::exit(128 + signal)
}
