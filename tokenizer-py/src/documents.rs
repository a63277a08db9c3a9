//! A Python iterator of `str` as the documents of a corpus.
//!
//! Documents are pulled in batches while other threads count the batches before. Their text is
//! copied, one behind another, into one piece of memory for each batch: so a `str` that only the
//! iterator made can go at once, and of the text no more is held than the batches on their way. A
//! long document is not copied.
//!
//! Text that is not ASCII has to be encoded. That is done into a `bytes` of its own and not into
//! the `str`, which would keep it: whoever holds a list of documents would find it grown by half,
//! or doubled, after training.

use std::ops::Range;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyString};

use crate::text::Text;

/// A batch ends early at this many bytes, so that long documents do not fill the memory.
const BATCH_BYTES: usize = 1 << 20;

/// A document of this many bytes is kept where it is.
const LONG: usize = BATCH_BYTES / 4;

/// Pulls documents in batches. To be iterated with the interpreter released: it is taken for each
/// batch and no lock of ours is held then, so the Python iterator may do anything.
///
/// An exception ends the iteration and is kept in `error`.
pub(crate) struct Documents<'e> {
    iterator: Py<PyIterator>,
    buffer_size: usize,
    batch: Batch,
    /// Bytes of text that were copied in the last batch: the next is likely to be as long.
    copied: usize,
    ended: bool,
    error: &'e mut Option<PyErr>,
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
struct Batch {
    texts: Arc<Vec<u8>>,
    documents: std::vec::IntoIter<Place>,
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

impl<'e> Documents<'e> {
    /// The documents of `iterator`, at most `buffer_size` at a time.
    pub(crate) fn new(
        iterator: Bound<'_, PyIterator>,
        buffer_size: usize,
        error: &'e mut Option<PyErr>,
    ) -> Self {
        Documents {
            iterator: iterator.unbind(),
            buffer_size,
            batch: Batch::default(),
            copied: 0,
            ended: false,
            error,
        }
    }

    /// The next batch; empty when the iterator has ended.
    fn pull(&mut self, py: Python<'_>) -> PyResult<Batch> {
        // An iterator that runs no Python code would never let Ctrl-C through.
        py.check_signals()?;
        let mut texts = Vec::with_capacity(self.copied);
        let mut documents = Vec::new();
        let mut bytes = 0;
        let mut iterator = self.iterator.bind(py).clone();
        while documents.len() < self.buffer_size && bytes < BATCH_BYTES {
            let Some(document) = iterator.next() else {
                self.ended = true;
                break;
            };
            let encoded = Encoded::new(document?.cast_into::<PyString>()?)?;
            let text = encoded.as_bytes()?;
            // Of a very short document, its place counts more than its text.
            bytes += text.len() + size_of::<Place>();
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
        })
    }
}

impl Iterator for Documents<'_> {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        if let Some(document) = self.batch.next() {
            return Some(document);
        }
        if self.ended {
            return None;
        }
        match Python::attach(|py| self.pull(py)) {
            Ok(batch) => self.batch = batch,
            Err(error) => {
                self.ended = true;
                *self.error = Some(error);
            }
        }
        self.batch.next()
    }
}

/// A `str` whose UTF-8 is to be had without leaving a copy in it.
enum Encoded<'py> {
    Ascii(Bound<'py, PyString>),
    Other(Bound<'py, PyBytes>),
}

impl<'py> Encoded<'py> {
    fn new(text: Bound<'py, PyString>) -> PyResult<Self> {
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
