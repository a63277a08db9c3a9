//! Breaking off from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether another thread wants the work to end. It is looked at once for each word that is read and
/// every few thousand places that are merged; what is half done then is never looked at again.
#[derive(Clone, Default)]
pub(super) struct Stop(Option<Arc<AtomicBool>>);

impl Stop {
    pub(super) fn new(flag: Option<Arc<AtomicBool>>) -> Self {
        Stop(flag)
    }

    #[inline(always)]
    pub(super) fn is_set(&self) -> bool {
        let flag = self.0.as_ref();
        flag.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}
