//! Text from Python, mostly borrowed and not copied.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::exceptions::{PyTypeError, PyUnicodeDecodeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyByteArray, PyBytes, PyString};
use tokenizer_core::decode::UnknownToken;
use tokenizer_core::{EncodeError, EncodeOptions, Encoder, Model, SpecialSet, TokenId};

use crate::errors::value_error;
use crate::interruptible::{Caller, interruptible, take_turns};
use crate::processors;
use crate::strings::{Characters, long_characters, new_string};

/// Work on less than this many bytes takes a few microseconds. To release the interpreter for it
/// costs more than it gives: another thread that takes it keeps it for milliseconds.
const SHORT: usize = 2048;

/// Runs `work` on `bytes` bytes of text, with the interpreter released if that is worth it.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    bytes: usize,
    work: impl FnOnce() -> T + Send,
) -> T {
    if bytes < SHORT {
        work()
    } else {
        py.detach(work)
    }
}

/// Work on this many bytes may take so long that Ctrl-C would be waited for.
const LONG: usize = 2 << 20;

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

/// A vector that is kept for the next text holds no more than this many ids: a megabyte a thread.
const KEPT: usize = 1 << 18;

/// Runs `encode`, which appends the ids of `bytes` bytes of text, as [`stoppable`] does; then `make` makes of the ids what Python gets.
///
/// The vector is kept from call to call, so a short text costs no allocation.
pub(crate) fn encoded<'py, E: Send, T>(
    py: Python<'py>,
    bytes: usize,
    encode: impl FnOnce(&mut Vec<TokenId>, Option<&AtomicBool>) -> Result<(), E> + Send,
    refuse: impl FnOnce(E) -> PyErr,
    make: impl FnOnce(&[TokenId]) -> PyResult<T>,
) -> PyResult<T> {
    thread_local! {
        static IDS: Cell<Vec<TokenId>> = const { Cell::new(Vec::new()) };
    }
    // Taken and not borrowed: whatever runs meanwhile on this thread finds an empty one.
    let mut ids = IDS.take();
    ids.clear();
    let made = match stoppable(py, bytes, |stop| encode(&mut ids, stop)) {
        Ok(Ok(())) => make(&ids),
        Ok(Err(error)) => Err(refuse(error)),
        Err(raised) => Err(raised),
    };
    if ids.capacity() <= KEPT {
        IDS.set(ids);
    }
    made
}

/// Appends the ids of `text`, until the flag is set.
///
/// # Errors
/// As the encoder, and when the flag was set.
pub(crate) fn encode_into(
    encoder: &Encoder,
    text: &[u8],
    allowed: Option<&SpecialSet>,
    ids: &mut Vec<TokenId>,
    stop: Option<&AtomicBool>,
) -> Result<(), EncodeError> {
    if let (Some(stop), LONG..) = (stop, text.len()) {
        let mut options = EncodeOptions::new().stop(stop);
        options.allowed = allowed;
        let more = encoder.encode_with(text, options)?;
        match ids.is_empty() {
            true => *ids = more,
            false => ids.extend_from_slice(&more),
        }
        return Ok(());
    }
    match allowed {
        Some(allowed) => encoder.encode_with_specials(text, allowed, ids),
        None => encoder.encode_into(text, ids),
    }
}

/// A thread with less text than this is not worth its making.
const PORTION: usize = 1 << 16;

/// As many threads as were asked for, but no more than there is work for, nor than processors: more
/// gain nothing, and a thousand cannot be had everywhere.
pub(crate) fn useful_threads(wanted: usize, texts: &[impl AsRef<[u8]>]) -> usize {
    if wanted <= 1 {
        return wanted;
    }
    let bytes: usize = texts.iter().map(|text| text.as_ref().len()).sum();
    match wanted.min(bytes / PORTION + 1) {
        1 => 1,
        threads => threads.min(processors::usable()),
    }
}

/// Ids that are decoded between two looks for Ctrl-C.
const IDS: usize = 1 << 23;

/// The bytes of `ids`, or the first that there is none of.
///
/// # Errors
/// What a signal handler raises.
pub(crate) fn decoded(
    py: Python<'_>,
    model: &Model,
    ids: &[TokenId],
) -> PyResult<Result<Vec<u8>, UnknownToken>> {
    let mut bytes = Vec::new();
    for (number, some) in ids.chunks(IDS).enumerate() {
        if number > 0 {
            take_turns(py)?;
        }
        let done = detached(py, some.len(), || model.decode_into(some, &mut bytes));
        if let Err(mut error) = done {
            error.position += number * IDS;
            return Ok(Err(error));
        }
    }
    Ok(Ok(bytes))
}

/// What decoding gave as a `str`; `errors` tells what becomes of bytes that are not UTF-8, as in
/// `bytes.decode`.
pub(crate) fn string<'py>(
    py: Python<'py>,
    bytes: &[u8],
    errors: &str,
) -> PyResult<Bound<'py, PyString>> {
    // Nearly always they are UTF-8; then nothing is copied in between.
    if let Some(made) = new_string(py, bytes)? {
        return Ok(made);
    }
    match PyString::from_bytes(py, bytes) {
        Err(error) if error.is_instance_of::<PyUnicodeDecodeError>(py) => PyBytes::new(py, bytes)
            .call_method1(intern!(py, "decode"), (intern!(py, "utf-8"), errors))?
            .cast_into()
            .map_err(PyErr::from),
        made => made,
    }
}

/// A `str` or a `bytes` that is an argument: its bytes, as long as the call lasts.
pub(crate) struct Argument<'a>(Cow<'a, [u8]>);

impl Deref for Argument<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Argument<'a> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() {
            let text = object.cast::<PyString>()?;
            return Ok(Argument(utf8(text)?));
        }
        if object.is_instance_of::<PyBytes>() {
            return Ok(Argument(Cow::Borrowed(object.extract()?)));
        }
        Err(no_text(&object))
    }
}

/// The text in UTF-8, as long as the call lasts.
///
/// # Errors
/// `UnicodeEncodeError` when it holds a lone surrogate.
pub(crate) fn utf8<'a>(text: Borrowed<'a, '_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    if let Some(made) = new_characters(text).and_then(|characters| characters.utf8()) {
        return Ok(Cow::Owned(made));
    }
    kept_utf8(text)
}

/// The text in UTF-8 that CPython makes and keeps with it.
///
/// # Errors
/// As [`utf8`].
fn kept_utf8<'a>(text: Borrowed<'a, '_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    // The `str` keeps it, and is kept by the caller.
    let text: &'a str = text.extract()?;
    Ok(Cow::Borrowed(text.as_bytes()))
}

/// The characters of a text that is long and was not met the last time.
///
/// CPython keeps the UTF-8 that it makes with the `str`. A long text is given to a tokenizer once,
/// mostly; so its UTF-8 is made here and not kept, until the same text comes again.
fn new_characters<'a>(text: Borrowed<'a, '_, PyString>) -> Option<Characters<'a>> {
    /// Where the last one was. What is there by now may be another text; then its UTF-8 is kept
    /// sooner, no more.
    static LAST: AtomicUsize = AtomicUsize::new(0);
    let place = text.as_ptr().addr();
    if LAST.load(Ordering::Relaxed) == place {
        // From now on it has its UTF-8; the next one there may be another.
        LAST.store(0, Ordering::Relaxed);
        return None;
    }
    let characters = long_characters(text)?;
    LAST.store(place, Ordering::Relaxed);
    Some(characters)
}

/// Characters that are turned into UTF-8 at a time: it stays in the second-level cache until it is
/// encoded.
const PART: usize = 1 << 15;

/// After so many parts in a row without an id the text is one that can hardly be cut, as one letter
/// many times: held parts are looked at again and again then, up to five times as slow as all at once.
const BARREN: usize = 4;

/// What came of a text that was to be encoded in place.
pub(crate) enum InPlace<'a> {
    /// It is long, and these are its ids.
    Ids(Vec<TokenId>),
    /// It was not: here it is in UTF-8.
    Text(Cow<'a, [u8]>),
}

/// Makes an empty vector for so many ids.
pub(crate) type Room<'r> = &'r (dyn Fn(usize) -> Vec<TokenId> + Sync);

/// For how many ids room is made for so many bytes of text: prose has four bytes or a little more for
/// each, other scripts down to two; and the encoder wants room for some hundred more. What is not
/// written to costs nothing, and to move it does.
pub(crate) fn room_for(bytes: usize) -> usize {
    bytes / 2 + 512
}

/// Encodes a long text whose characters are read where they lie, some at a time, so that there is
/// never all of it in UTF-8. Any other is given back in UTF-8, and so is one that can hardly be cut.
///
/// # Errors
/// When the pattern fails on the text, what a signal handler raises, and `UnicodeEncodeError` when it
/// holds a lone surrogate.
pub(crate) fn encode_in_place<'a>(
    text: Borrowed<'a, '_, PyString>,
    encoder: &Encoder,
    allowed: Option<&SpecialSet>,
    room: Room<'_>,
) -> PyResult<InPlace<'a>> {
    let Some(characters) = new_characters(text) else {
        return kept_utf8(text).map(InPlace::Text);
    };
    // Other patterns must see all of a text before they can cut it.
    if encoder.model().pattern().has_scanner() {
        let encode = |stop: Option<&AtomicBool>| {
            let ids = match characters {
                Characters::One(bytes) => room(room_for(bytes.len())),
                // Scripts that a vocabulary hardly knows have an id for each character.
                _ => room(characters.len()),
            };
            encode_parts(characters, encoder, allowed, stop, ids)
        };
        let encoded = stoppable(text.py(), characters.bytes(), encode)?;
        if let Some(ids) = encoded.map_err(value_error)? {
            return Ok(InPlace::Ids(ids));
        }
    }
    match characters.utf8() {
        Some(made) => Ok(InPlace::Text(Cow::Owned(made))),
        None => kept_utf8(text).map(InPlace::Text),
    }
}

/// The ids of a text that is turned into UTF-8 some characters at a time; `None` for one that can
/// hardly be cut, and where a lone surrogate is found. `ids` is empty, with room.
fn encode_parts(
    characters: Characters<'_>,
    encoder: &Encoder,
    allowed: Option<&SpecialSet>,
    stop: Option<&AtomicBool>,
    mut ids: Vec<TokenId>,
) -> Result<Option<Vec<TokenId>>, EncodeError> {
    let mut stream = match allowed {
        Some(allowed) => encoder.stream_with_specials(allowed),
        None => encoder.stream(),
    };
    let mut barren = 0;
    let mut parts = characters.utf8_in_parts(PART);
    while let Some(part) = parts.next() {
        if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(EncodeError::Stopped);
        }
        let Some(part) = part.filter(|_| barren < BARREN) else {
            return Ok(None);
        };
        let before = ids.len();
        stream.push(part, &mut ids)?;
        barren = if ids.len() == before { barren + 1 } else { 0 };
    }
    stream.finish(&mut ids)?;
    Ok(Some(ids))
}

/// A `str` or a `bytes` that is an argument and is not read yet.
pub(crate) struct Unread<'a, 'py>(Borrowed<'a, 'py, PyAny>);

impl<'a, 'py> Unread<'a, 'py> {
    pub(crate) fn read(&self) -> PyResult<Cow<'a, [u8]>> {
        self.0.extract().map(|Argument(text)| text)
    }

    /// As the function of that name.
    pub(crate) fn encode_in_place(
        &self,
        encoder: &Encoder,
        allowed: Option<&SpecialSet>,
        room: Room<'_>,
    ) -> PyResult<InPlace<'a>> {
        match self.0.cast::<PyString>() {
            Ok(text) => encode_in_place(text, encoder, allowed, room),
            Err(_) => self.read().map(InPlace::Text),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Unread<'a, 'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.is_instance_of::<PyString>() || object.is_instance_of::<PyBytes>() {
            true => Ok(Unread(object)),
            false => Err(no_text(&object)),
        }
    }
}

pub(crate) fn no_text(object: &Bound<'_, PyAny>) -> PyErr {
    match object.get_type().name() {
        Ok(kind) => PyTypeError::new_err(format!("expected str or bytes, not {kind}")),
        Err(error) => error,
    }
}

/// A `str` or a `bytes` that is kept, for any thread.
pub(crate) enum Text {
    Str(PyBackedStr),
    Bytes(PyBackedBytes),
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        match self {
            Text::Str(text) => text.as_bytes(),
            Text::Bytes(bytes) => bytes,
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Text::Str(text.to_owned().try_into()?));
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Text::Bytes(bytes.to_owned().into()));
        }
        Err(no_text(&object))
    }
}

/// The texts of any iterable. A single `str` or `bytes` is refused: its characters are rarely meant.
pub(crate) fn texts(iterable: &Bound<'_, PyAny>) -> PyResult<Vec<Text>> {
    refuse_single_text(iterable, "texts")?;
    iterable.try_iter()?.map(|text| text?.extract()).collect()
}

/// Refuses a `str`, `bytes` or `bytearray` where an iterable of texts is wanted.
pub(crate) fn refuse_single_text(object: &Bound<'_, PyAny>, argument: &str) -> PyResult<()> {
    if object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>()
    {
        let kind = object.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "argument '{argument}': expected an iterable of texts, not a single {kind}"
        )));
    }
    Ok(())
}
