//! Releasing the interpreter, and stopping long calls on Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Interval between checks for signals.
pub(crate) const WAKE: Duration = Duration::from_millis(50);

/// Lets other Python threads run, and checks for signals. Loops that hold the interpreter call this
/// function periodically.
///
/// # Errors
/// An exception of a signal handler.
pub(crate) fn take_turns(py: Python<'_>) -> PyResult<()> {
    // Costs nanoseconds if no thread waits for the interpreter.
    py.detach(|| ());
    py.check_signals()
}

/// For fewer bytes than this, work takes microseconds and the interpreter is not released: another thread
/// that acquired it would keep it for milliseconds.
const SHORT: usize = 2048;

/// From this many bytes on, work may take long enough to need checks for signals.
const LONG: usize = 2 << 20;

/// Runs `work` on `bytes` bytes of text, and releases the interpreter from [`SHORT`] bytes on.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    bytes: usize,
    work: impl FnOnce() -> T + Send,
) -> T {
    match bytes < SHORT {
        true => work(),
        false => py.detach(work),
    }
}

/// Like [`detached`], but from [`LONG`] bytes on, `work` gets a flag to poll, which is set on Ctrl-C.
///
/// # Errors
/// An exception of a signal handler.
pub(crate) fn stoppable<T: Send>(
    py: Python<'_>,
    bytes: usize,
    work: impl FnOnce(Option<&AtomicBool>) -> T + Send,
) -> PyResult<T> {
    if bytes < LONG {
        return Ok(detached(py, bytes, || work(None)));
    }
    interruptible(
        py,
        |caller: &Caller<()>| work(Some(caller.stop_flag())),
        |_, ()| Ok(()),
    )
}

/// The worker's connection to the calling thread.
pub(crate) struct Caller<M> {
    stop: Arc<AtomicBool>,
    messages: Sender<M>,
}

impl<M> Caller<M> {
    /// Returns the flag that is set to stop the work, as an `Arc`.
    pub(crate) fn shared_stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Borrows the same flag.
    pub(crate) fn stop_flag(&self) -> &AtomicBool {
        &self.stop
    }

    pub(crate) fn tell(&self, message: M) {
        // Sending cannot fail: the receiver lives until the worker has been joined.
        let _ = self.messages.send(message);
    }
}

/// Runs `work` on a new thread. The calling thread releases the interpreter until `work` returns, except
/// while it checks for signals and passes the messages of `work` to `each`.
///
/// # Errors
/// An exception of a signal handler or of `each`, once the worker has been stopped and joined.
/// `RuntimeError` if no thread can be started.
pub(crate) fn interruptible<M: Send, R: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Caller<M>) -> R + Send,
    mut each: impl FnMut(Python<'_>, M) -> PyResult<()> + Send,
) -> PyResult<R> {
    let stop = Arc::new(AtomicBool::new(false));
    py.detach(|| {
        let (messages, inbox) = channel();
        let caller = Caller {
            stop: Arc::clone(&stop),
            messages,
        };
        std::thread::scope(|scope| {
            let worker = Builder::new()
                .spawn_scoped(scope, move || work(&caller))
                .map_err(|error| {
                    PyRuntimeError::new_err(format!("cannot start a thread: {error}"))
                })?;
            let watched = loop {
                let message = match inbox.recv_timeout(WAKE) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    // The worker has finished or panicked.
                    Err(RecvTimeoutError::Disconnected) => break Ok(()),
                };
                let looked = Python::attach(|py| {
                    py.check_signals()?;
                    message.map_or(Ok(()), |message| each(py, message))
                });
                if looked.is_err() {
                    break looked;
                }
            };
            stop.store(watched.is_err(), Ordering::Relaxed);
            let result = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            watched.map(|()| result)
        })
    })
}
