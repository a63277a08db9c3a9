//! Documents in parts, so that progress shows within a large one, and so does a failure its place.

use std::ops::Range;
use std::sync::Arc;

use tokenizer_core::Pattern;
use tokenizer_core::corpus::{Place, Unit};

use crate::input::InputText;

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

/// A place in one of several inputs, which are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InputPlace {
    pub(super) input: usize,
    pub(super) place: Place,
}

impl InputPlace {
    /// Where a text begins.
    pub(super) fn of(text: &InputText) -> Self {
        InputPlace {
            input: text.input,
            place: text.stretch.place,
        }
    }

    /// Where the so manieth document behind this one begins.
    fn after(self, documents: u64) -> Self {
        let unit = match self.place.unit {
            Unit::Line(number) => Unit::Line(number + documents),
            Unit::Row(number) => Unit::Row(number + documents),
            Unit::Document(number) => Unit::Document(number + documents),
            unit => unit,
        };
        let place = Place { unit, offset: 0 };
        InputPlace { place, ..self }
    }
}

/// Where the parts that were taken begin. Documents of one part each, one behind another, take no
/// memory: only what the part before does not tell is kept.
#[derive(Default)]
pub(super) struct Places {
    kept: Vec<(usize, InputPlace)>,
    parts: usize,
}

impl Places {
    /// Cuts every document where the pattern certainly splits: the pieces stay the same.
    pub(super) fn cut<D: AsRef<[u8]>>(
        &mut self,
        documents: impl Iterator<Item = D>,
        pattern: &Pattern,
        place_of: impl Fn(&D) -> InputPlace,
    ) -> impl Iterator<Item = Part<D>> {
        documents.flat_map(move |document| {
            let place = place_of(&document);
            let document = Arc::new(document);
            let mut spans: Vec<Range<usize>> =
                pattern.parts((*document).as_ref(), PART_BYTES).collect();
            if spans.is_empty() {
                // Every document has a part, and they can be counted.
                spans.push(0..0);
            }
            for span in &spans {
                self.push(place, span.start);
            }
            spans.into_iter().map(move |span| Part {
                document: Arc::clone(&document),
                span,
            })
        })
    }

    fn push(&mut self, mut place: InputPlace, start: usize) {
        place.place.offset += start as u64;
        if self.kept.is_empty() || self.find(self.parts) != place {
            self.kept.push((self.parts, place));
        }
        self.parts += 1;
    }

    /// Where a part begins.
    pub(super) fn find(&self, part: usize) -> InputPlace {
        let behind = self.kept.partition_point(|&(number, _)| number <= part);
        let (number, place) = self.kept[behind - 1];
        match part - number {
            0 => place,
            more => place.after(more as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_part_before_is_not_kept() {
        let at = |input, unit, offset| InputPlace {
            input,
            place: Place { unit, offset },
        };
        let all = [
            at(0, Unit::Line(1), 0),
            at(0, Unit::Line(2), 0),
            at(0, Unit::Line(5), 0),
            at(0, Unit::Line(6), 0),
            at(0, Unit::Line(6), 70),
            at(0, Unit::Line(7), 0),
            at(1, Unit::Whole, 0),
            at(1, Unit::Whole, 9),
            at(2, Unit::Whole, 0),
        ];
        let mut places = Places::default();
        for place in all {
            places.push(place, 0);
        }
        for (part, place) in all.into_iter().enumerate() {
            assert_eq!(places.find(part), place);
        }
        assert_eq!(places.kept.len(), 6);
    }
}
