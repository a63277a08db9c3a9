//! One call of the core's tokenizer: its options, including the ids to prepend and append.

use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use tokenizer_core::{
    Batch, BatchError, EncodeError, EncodeStream, IdsWithOffsets, PostProcessor,
    Request as CoreRequest, SpecialSet, TokenId, Tokenizer as Core,
};

use crate::specials::Choice;
use crate::text::Text;

/// The options of a call.
pub(crate) struct Request<'t> {
    tokenizer: &'t Core,
    /// Special tokens to recognise.
    allowed: Choice,
    /// Ids added before and after each text.
    pub(crate) before: Option<TokenId>,
    pub(crate) after: Option<TokenId>,
    /// Applied to each text, inside `before` and `after`.
    processor: Option<&'t PostProcessor>,
}

impl<'t> Request<'t> {
    /// Creates a request that recognises these special tokens.
    pub(crate) fn new(tokenizer: &'t Core, allowed: Choice) -> Self {
        Request {
            tokenizer,
            allowed,
            before: None,
            after: None,
            processor: None,
        }
    }

    /// Applies the model's post-processor if `add`.
    pub(crate) fn add_special_tokens(mut self, add: bool) -> Self {
        self.processor = add.then(|| self.tokenizer.model().post_processor());
        self
    }

    /// Appends the ids that `encode` appends to `ids`, with those added around them.
    fn around<E>(
        &self,
        ids: &mut Vec<TokenId>,
        encode: impl FnOnce(&mut Vec<TokenId>) -> Result<(), E>,
    ) -> Result<(), E> {
        ids.extend(self.before);
        match self.processor {
            Some(processor) => processor.process(ids, encode)?,
            None => encode(ids)?,
        }
        ids.extend(self.after);
        Ok(())
    }

    fn allowed(&self) -> Option<&SpecialSet> {
        self.allowed.as_ref().map(|chosen| &chosen.set)
    }

    fn core<'s>(
        &'s self,
        threads: usize,
        bytes: usize,
        stop: Option<&'s AtomicBool>,
    ) -> CoreRequest<'s> {
        let mut request = (self.tokenizer.request()).threads(useful_threads(threads, bytes));
        if let Some(allowed) = self.allowed() {
            request = request.allow(allowed);
        }
        match stop {
            Some(stop) => request.stop(stop),
            None => request,
        }
    }

    /// Returns whether one of these special tokens occurs in a text.
    pub(crate) fn finds(&self, specials: &Choice, text: &[u8]) -> bool {
        let found = |set| self.tokenizer.request().refuse_specials(text, set).is_err();
        specials.as_ref().is_some_and(|chosen| found(&chosen.set))
    }

    /// Appends the ids of a text to `ids`, including the ids before and after it.
    pub(crate) fn encode_into(
        &self,
        text: &[u8],
        threads: usize,
        stop: Option<&AtomicBool>,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        let core = self.core(threads, text.len(), stop);
        self.around(ids, |ids| core.encode_into(text, ids))
    }

    /// Returns the ids of many texts, including the ids before and after each.
    pub(crate) fn encode_batch(
        &self,
        texts: &[Text],
        threads: usize,
        stop: Option<&AtomicBool>,
    ) -> Result<Batch, BatchError> {
        let batch = (self.core(threads, bytes_of(texts), stop)).encode_batch(texts)?;
        if self.before.is_none() && self.after.is_none() && self.processor.is_none() {
            return Ok(batch);
        }
        let mut around = Batch {
            ids: Vec::with_capacity(batch.ids.len() + 2 * texts.len()),
            offsets: vec![0],
        };
        for ids in batch.iter() {
            let copy = |to: &mut Vec<TokenId>| {
                to.extend_from_slice(ids);
                Ok::<(), BatchError>(())
            };
            self.around(&mut around.ids, copy)?;
            around.offsets.push(around.ids.len());
        }
        Ok(around)
    }

    /// Returns the number of ids of each text, not counting `before` and `after`.
    pub(crate) fn count_batch(
        &self,
        texts: &[Text],
        threads: usize,
        stop: Option<&AtomicBool>,
    ) -> Result<Vec<usize>, BatchError> {
        let counts = (self.core(threads, bytes_of(texts), stop)).count_batch(texts)?;
        Ok(match self.processor {
            Some(processor) => counts.into_iter().map(|ids| processor.count(ids)).collect(),
            None => counts,
        })
    }

    /// Returns the number of ids of a text, not counting `before` and `after`.
    pub(crate) fn count(
        &self,
        text: &[u8],
        threads: usize,
        stop: Option<&AtomicBool>,
    ) -> Result<usize, EncodeError> {
        let count = self.core(threads, text.len(), stop).count(text)?;
        Ok(self
            .processor
            .map_or(count, |processor| processor.count(count)))
    }

    /// Returns the ids of a text and the byte range of each.
    pub(crate) fn encode_with_offsets(
        &self,
        text: &[u8],
        stop: Option<&AtomicBool>,
    ) -> Result<IdsWithOffsets, EncodeError> {
        self.core(1, text.len(), stop).offsets(text)
    }

    /// Returns a streaming encoder.
    pub(crate) fn stream(&self) -> EncodeStream {
        self.core(1, 0, None).stream()
    }
}

/// Initial capacity for the ids of a text of `bytes` bytes: most prose has at least four bytes per id.
pub(crate) fn room_for(bytes: usize) -> usize {
    bytes / 4 + 512
}

pub(crate) fn bytes_of(texts: &[Text]) -> usize {
    texts.iter().map(|text| text.len()).sum()
}

/// Limits a number of threads to the number of processors, and to one for every 64 KiB of text or part
/// thereof: for less text, starting a thread costs more than it saves.
pub(crate) fn useful_threads(requested: usize, bytes: usize) -> usize {
    static PROCESSORS: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
    requested.min((bytes >> 16) + 1).min(*PROCESSORS)
}
