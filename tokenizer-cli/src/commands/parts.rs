//! Where the documents that are counted began, so that a failure names its place.

use tokenizer_core::corpus::{Place, Unit};

/// A place in one of several inputs, which are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InputPlace {
    pub(super) input: usize,
    pub(super) place: Place,
}

impl InputPlace {
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

/// Where the documents that were taken begin, or the stretches of them. Documents of one stretch each,
/// one behind another, take no memory: only what the one before does not tell is kept.
#[derive(Default)]
pub(super) struct Places {
    kept: Vec<(usize, InputPlace)>,
    documents: usize,
}

impl Places {
    pub(super) fn push(&mut self, place: InputPlace) {
        if self.kept.is_empty() || self.find(self.documents) != place {
            self.kept.push((self.documents, place));
        }
        self.documents += 1;
    }

    /// Where a document begins, by its number.
    pub(super) fn find(&self, document: usize) -> InputPlace {
        let behind = (self.kept).partition_point(|&(number, _)| number <= document);
        let (number, place) = self.kept[behind - 1];
        match document - number {
            0 => place,
            more => place.after(more as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_document_before_is_not_kept() {
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
            places.push(place);
        }
        for (document, place) in all.into_iter().enumerate() {
            assert_eq!(places.find(document), place);
        }
        assert_eq!(places.kept.len(), 6);
    }
}
