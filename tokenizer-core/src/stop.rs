//! A stop flag shared between threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An optional flag that another thread sets to stop the work. Partial results are then discarded.
#[derive(Clone, Default)]
pub(crate) struct Stop(Option<Arc<AtomicBool>>);

impl Stop {
    pub(crate) fn new(flag: Option<Arc<AtomicBool>>) -> Self {
        Stop(flag)
    }

    #[inline(always)]
    pub(crate) fn is_set(&self) -> bool {
        let flag = self.0.as_ref();
        flag.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}
