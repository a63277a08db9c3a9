//! A Python iterator of texts as the documents of a corpus.
//!
//! The calling thread pulls documents in batches, always one ahead of those that count; so it looks
//! for Ctrl-C all the time, and the iterator runs where it was made. The text is copied, one behind
//! another, into one piece of memory for each batch: so a `str` that only the iterator made can go
//! at once, and of the text no more is held than the batches on their way. A long document is not
//! copied.
//!
//! Text that is not ASCII has to be encoded. That is done into a `bytes` of its own and not into
//! the `str`, which would keep it: whoever holds a list of documents would find it grown by half,
//! or doubled, after training.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyString};

use crate::interruptible::{Caller, WAKE};
use crate::text::{Text, no_text};

/// A batch ends early at this many bytes, so that long documents do not fill the memory.
const BATCH_BYTES: usize = 1 << 20;

/// A document of this many bytes is kept where it is.
const LONG: usize = BATCH_BYTES / 4;

/// Pulls documents, on the thread that has the iterator.
pub(crate) struct Puller {
    iterator: Py<PyIterator>,
    buffer_size: usize,
    kinds: Kinds,
    /// Bytes of text that were copied in the last batch: the next is likely to be as long.
    copied: usize,
}

/// What documents may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    Str,
    StrOrBytes,
}

/// Documents in the order of the iterator, on the thread that counts.
///
/// **Invariant.** As long as it has not ended, one batch is asked for, or here.
pub(crate) struct Pulled<'c> {
    caller: &'c Caller<()>,
    batches: Receiver<Batch>,
    batch: Batch,
    ended: bool,
}

/// One document, for any thread.
pub(crate) enum Document {
    Copied {
        texts: Arc<Vec<u8>>,
        place: Range<usize>,
    },
    Kept(Text),
}

impl AsRef<[u8]> for Document {
    fn as_ref(&self) -> &[u8] {
        match self {
            Document::Copied { texts, place } => &texts[place.clone()],
            Document::Kept(text) => text.as_ref(),
        }
    }
}

/// What was pulled and not yet handed out.
#[derive(Default)]
pub(crate) struct Batch {
    texts: Arc<Vec<u8>>,
    documents: std::vec::IntoIter<Place>,
    pub(crate) bytes: usize,
    /// No more come.
    is_last: bool,
}

impl Batch {
    /// The end, when there will be no more for another reason than that there are no more.
    pub(crate) fn end() -> Self {
        Batch {
            is_last: true,
            ..Batch::default()
        }
    }
}

enum Place {
    Copied(Range<usize>),
    Kept(Text),
}

impl Iterator for Batch {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        Some(match self.documents.next()? {
            Place::Copied(place) => Document::Copied {
                texts: Arc::clone(&self.texts),
                place,
            },
            Place::Kept(text) => Document::Kept(text),
        })
    }
}

impl Puller {
    /// Of `iterator`, at most `buffer_size` documents at a time.
    pub(crate) fn new(iterator: Bound<'_, PyIterator>, buffer_size: usize, kinds: Kinds) -> Self {
        Puller {
            iterator: iterator.unbind(),
            buffer_size,
            kinds,
            copied: 0,
        }
    }

    /// The next batch. No lock of ours is held meanwhile, so the iterator may do anything.
    ///
    /// # Errors
    /// What the iterator raises, `TypeError` and `UnicodeEncodeError`.
    pub(crate) fn pull(&mut self, py: Python<'_>) -> PyResult<Batch> {
        let mut texts = Vec::with_capacity(self.copied);
        let mut documents = Vec::new();
        let mut is_last = false;
        let (mut bytes, mut room) = (0, 0);
        let mut iterator = self.iterator.bind(py).clone();
        while documents.len() < self.buffer_size && room < BATCH_BYTES {
            let Some(document) = iterator.next() else {
                is_last = true;
                break;
            };
            let encoded = Encoded::new(document?, self.kinds)?;
            let text = encoded.as_bytes()?;
            bytes += text.len();
            // Of a very short document, its place counts more than its text.
            room += text.len() + size_of::<Place>();
            documents.push(if text.len() < LONG {
                let start = texts.len();
                texts.extend_from_slice(text);
                Place::Copied(start..texts.len())
            } else {
                Place::Kept(encoded.try_into()?)
            });
        }
        self.copied = texts.len();
        Ok(Batch {
            texts: Arc::new(texts),
            documents: documents.into_iter(),
            bytes,
            is_last,
        })
    }
}

impl<'c> Pulled<'c> {
    /// Each message to `caller` asks for a batch, which comes through `batches`.
    pub(crate) fn new(caller: &'c Caller<()>, batches: Receiver<Batch>) -> Self {
        caller.tell(());
        Pulled {
            caller,
            batches,
            batch: Batch::default(),
            ended: false,
        }
    }
}

impl Iterator for Pulled<'_> {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        loop {
            if let Some(document) = self.batch.next() {
                return Some(document);
            }
            if self.ended {
                return None;
            }
            match self.batches.recv_timeout(WAKE) {
                Ok(batch) => {
                    self.ended = batch.is_last;
                    self.batch = batch;
                    if !self.ended {
                        self.caller.tell(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.ended = self.caller.stop_flag().load(Ordering::Relaxed);
                }
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
            }
        }
    }
}

/// A text whose bytes are to be had without leaving a copy in a `str`.
enum Encoded<'py> {
    Ascii(Bound<'py, PyString>),
    Other(Bound<'py, PyBytes>),
}

impl<'py> Encoded<'py> {
    fn new(document: Bound<'py, PyAny>, kinds: Kinds) -> PyResult<Self> {
        if kinds == Kinds::StrOrBytes {
            if let Ok(bytes) = document.cast::<PyBytes>() {
                return Ok(Encoded::Other(bytes.clone()));
            }
            if !document.is_instance_of::<PyString>() {
                return Err(no_text(&document));
            }
        }
        let text = document.cast_into::<PyString>()?;
        let is_ascii = text.call_method0(intern!(text.py(), "isascii"))?;
        Ok(match is_ascii.is_truthy()? {
            true => Encoded::Ascii(text),
            false => Encoded::Other(text.encode_utf8()?),
        })
    }

    fn as_bytes(&self) -> PyResult<&[u8]> {
        match self {
            Encoded::Ascii(text) => Ok(text.to_str()?.as_bytes()),
            Encoded::Other(text) => Ok(text.as_bytes()),
        }
    }
}

impl TryFrom<Encoded<'_>> for Text {
    type Error = PyErr;

    fn try_from(encoded: Encoded<'_>) -> PyResult<Text> {
        Ok(match encoded {
            Encoded::Ascii(text) => Text::Str(text.try_into()?),
            Encoded::Other(text) => Text::Bytes(text.into()),
        })
    }
}
