//! What a call asks of the core's encoder.

use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use tokenizer_core::{
    Batch, BatchError, CountOptions, EncodeError, EncodeOptions, EncodeStream, Encoder,
    IdsWithOffsets, SpecialSet, TokenId,
};

use crate::specials::Choice;
use crate::text::Text;

/// How texts are encoded.
pub(crate) struct Request<'t> {
    encoder: &'t Encoder,
    /// Special tokens that are recognised.
    allowed: Choice,
    /// Ids that are put around each text.
    pub(crate) before: Option<TokenId>,
    pub(crate) after: Option<TokenId>,
}

impl<'t> Request<'t> {
    /// With these special tokens recognised.
    pub(crate) fn new(encoder: &'t Encoder, allowed: Choice) -> Self {
        Request {
            encoder,
            allowed,
            before: None,
            after: None,
        }
    }

    fn allowed(&self) -> Option<&SpecialSet> {
        self.allowed.as_ref().map(|chosen| &chosen.set)
    }

    fn options<'s>(
        &'s self,
        threads: usize,
        bytes: usize,
        stop: Option<&'s AtomicBool>,
    ) -> EncodeOptions<'s> {
        let mut options = EncodeOptions::new().threads(useful_threads(threads, bytes));
        (options.allowed, options.stop) = (self.allowed(), stop);
        options
    }

    /// Whether one of these special tokens occurs in a text.
    pub(crate) fn finds(&self, specials: &Choice, text: &[u8]) -> bool {
        let found = |set| self.encoder.refuse_specials(text, set).is_err();
        specials.as_ref().is_some_and(|chosen| found(&chosen.set))
    }

    /// Appends the ids of a text.
    pub(crate) fn encode_into(
        &self,
        text: &[u8],
        threads: usize,
        stop: Option<&AtomicBool>,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), EncodeError> {
        ids.extend(self.before);
        match self.allowed() {
            _ if stop.is_some() || threads > 1 => {
                let options = self.options(threads, text.len(), stop);
                self.encoder.encode_with_into(text, options, ids)?;
            }
            Some(allowed) => self.encoder.encode_with_specials(text, allowed, ids)?,
            None => self.encoder.encode_into(text, ids)?,
        }
        ids.extend(self.after);
        Ok(())
    }

    /// The ids of many texts.
    pub(crate) fn encode_batch(
        &self,
        texts: &[Text],
        threads: usize,
        stop: Option<&AtomicBool>,
    ) -> Result<Batch, BatchError> {
        let options = self.options(threads, bytes_of(texts), stop);
        let batch = self.encoder.encode_batch_with(texts, options)?;
        if self.before.is_none() && self.after.is_none() {
            return Ok(batch);
        }
        let mut around = Batch {
            ids: Vec::with_capacity(batch.ids.len() + 2 * texts.len()),
            offsets: vec![0],
        };
        for ids in batch.iter() {
            around.ids.extend(self.before);
            around.ids.extend_from_slice(ids);
            around.ids.extend(self.after);
            around.offsets.push(around.ids.len());
        }
        Ok(around)
    }

    /// How many ids each of many texts has.
    pub(crate) fn count_batch(
        &self,
        texts: &[Text],
        threads: usize,
        stop: Option<&AtomicBool>,
    ) -> Result<Vec<usize>, BatchError> {
        let options = self.options(threads, bytes_of(texts), stop);
        self.encoder.count_batch_with(texts, options)
    }

    /// How many ids a text has.
    pub(crate) fn count(
        &self,
        text: &[u8],
        threads: usize,
        stop: Option<&AtomicBool>,
    ) -> Result<usize, EncodeError> {
        let options = self.options(threads, text.len(), stop);
        self.encoder.count_with(text, options)
    }

    /// The ids of a text, and its bytes that each stands for.
    pub(crate) fn encode_with_offsets(
        &self,
        text: &[u8],
        stop: Option<&AtomicBool>,
    ) -> Result<IdsWithOffsets, EncodeError> {
        self.encoder
            .encode_with_offsets(text, self.options(1, text.len(), stop))
    }

    /// An encoder for text in chunks.
    pub(crate) fn stream(&self) -> EncodeStream {
        match self.allowed() {
            Some(allowed) => self.encoder.stream_with_specials(allowed),
            None => self.encoder.stream(),
        }
    }
}

/// For how many ids room is made for so many bytes: prose has four bytes or a little more for each.
pub(crate) fn room_for(bytes: usize) -> usize {
    bytes / 4 + 512
}

pub(crate) fn bytes_of(texts: &[Text]) -> usize {
    texts.iter().map(|text| text.len()).sum()
}

/// As many threads as were asked for, but no more than there is work for, nor than processors: a
/// thread with less than 64 KiB of text is not worth its making.
pub(crate) fn useful_threads(wanted: usize, bytes: usize) -> usize {
    static PROCESSORS: LazyLock<usize> = LazyLock::new(|| CountOptions::default().threads);
    wanted.min((bytes >> 16) + 1).min(*PROCESSORS)
}
