//! Documents in parts, so that progress shows within a large one, and so does a failure its place.

use std::ops::Range;
use std::sync::Arc;

use tokenizer_core::Pattern;

/// A part has at least so many bytes, if the document goes on.
const PART_BYTES: usize = 4 << 20;

/// A part of a document.
pub(super) struct Part<D> {
    document: Arc<D>,
    span: Range<usize>,
}

impl<D: AsRef<[u8]>> AsRef<[u8]> for Part<D> {
    fn as_ref(&self) -> &[u8] {
        &(*self.document).as_ref()[self.span.clone()]
    }
}

/// Where the parts that were taken begin: the number of the document, and the byte in it.
#[derive(Default)]
pub(super) struct Places(Vec<(usize, usize)>);

impl Places {
    /// Cuts every document where the pattern certainly splits: the pieces stay the same.
    pub(super) fn cut<D: AsRef<[u8]>>(
        &mut self,
        documents: impl Iterator<Item = D>,
        pattern: &Pattern,
    ) -> impl Iterator<Item = Part<D>> {
        documents.enumerate().flat_map(move |(number, document)| {
            let document = Arc::new(document);
            let spans: Vec<Range<usize>> = pattern
                .parts((*document).as_ref(), PART_BYTES)
                .inspect(|span| self.0.push((number, span.start)))
                .collect();
            spans.into_iter().map(move |span| Part {
                document: Arc::clone(&document),
                span,
            })
        })
    }

    /// The document and the byte of the `offset`-th byte of a part.
    pub(super) fn find(&self, part: usize, offset: usize) -> (usize, usize) {
        let (document, start) = self.0[part];
        (document, start + offset)
    }
}
