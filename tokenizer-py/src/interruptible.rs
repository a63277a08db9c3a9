//! Long work that Ctrl-C can break off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How long a signal may wait.
pub(crate) const WAKE: Duration = Duration::from_millis(50);

/// To be called now and then where the interpreter is kept for long: lets other Python threads have
/// their turn, and looks for Ctrl-C.
///
/// # Errors
/// What a signal handler raises.
pub(crate) fn take_turns(py: Python<'_>) -> PyResult<()> {
    // Whoever waits for the interpreter gets it now; when nobody does, it takes some nanoseconds.
    py.detach(|| ());
    py.check_signals()
}

/// Work on less than this many bytes takes a few microseconds. To release the interpreter for it
/// costs more than it gives: another thread that takes it keeps it for milliseconds.
const SHORT: usize = 2048;

/// Work on this many bytes may take so long that Ctrl-C would be waited for.
const LONG: usize = 2 << 20;

/// Runs `work` on `bytes` bytes of text, with the interpreter released if that is worth it.
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

/// As [`detached`]; work that may take long looks at the flag that it is given, and ends soon when
/// it is set.
///
/// # Errors
/// What a signal handler raises.
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

/// What the work knows of the one who waits for it.
pub(crate) struct Caller<M> {
    stop: Arc<AtomicBool>,
    messages: Sender<M>,
}

impl<M> Caller<M> {
    /// Is set when the work is to be broken off.
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// The same.
    pub(crate) fn stop_flag(&self) -> &AtomicBool {
        &self.stop
    }

    pub(crate) fn tell(&self, message: M) {
        // A caller that has gone away wants to stop, and is asked elsewhere.
        let _ = self.messages.send(message);
    }
}

/// Does `work` on a thread of its own, with the interpreter released. Meanwhile the calling thread
/// looks for signals and hands what the work tells to `each`, with the interpreter taken.
///
/// When a signal or `each` raises, the work is told to stop, waited for, and the exception passed
/// on.
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
                .map_err(|error| PyRuntimeError::new_err(format!("no thread: {error}")))?;
            let watched = loop {
                let message = match inbox.recv_timeout(WAKE) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    // The work is done, whatever came of it.
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
