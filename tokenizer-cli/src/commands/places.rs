//! Where texts begin, for the one that fails.

use tokenizer_core::corpus::{Place, Unit};

use crate::input::InputText;

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

    /// Where the `documents`-th document after this one begins.
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

/// Where the texts that were taken begin. Whole documents, one behind another, take no memory: only
/// what the text before does not tell is kept.
#[derive(Default)]
pub(super) struct Places {
    kept: Vec<(usize, InputPlace)>,
    texts: usize,
}

impl Places {
    pub(super) fn push(&mut self, place: InputPlace) {
        if self.kept.is_empty() || self.find(self.texts) != place {
            self.kept.push((self.texts, place));
        }
        self.texts += 1;
    }

    /// Where a text begins.
    pub(super) fn find(&self, text: usize) -> InputPlace {
        let behind = self.kept.partition_point(|&(number, _)| number <= text);
        let (number, place) = self.kept[behind - 1];
        match text - number {
            0 => place,
            more => place.after(more as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_text_before_is_not_kept() {
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
        for (text, place) in all.into_iter().enumerate() {
            assert_eq!(places.find(text), place);
        }
        assert_eq!(places.kept.len(), 6);
    }
}
