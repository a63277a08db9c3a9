//! Maps texts to their places in the inputs, for error messages.

use tokenizer_core::corpus::{Place, Unit};

use crate::input::InputText;

/// A place in one of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InputPlace {
    /// The index of the input.
    pub(super) input: usize,
    pub(super) place: Place,
}

impl InputPlace {
    /// The place where a text begins.
    pub(super) fn of(text: &InputText) -> Self {
        InputPlace {
            input: text.input,
            place: text.stretch.place,
        }
    }

    /// The place where the `documents`-th document after this one begins.
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

/// The places of consecutive texts, run-length encoded: consecutive whole documents share one entry.
#[derive(Default)]
pub(super) struct Places {
    /// For each run, the index of its first text and the place of that text.
    runs: Vec<(usize, InputPlace)>,
    /// The number of texts.
    texts: usize,
}

impl Places {
    pub(super) fn push(&mut self, place: InputPlace) {
        if self.runs.is_empty() || self.find(self.texts) != place {
            self.runs.push((self.texts, place));
        }
        self.texts += 1;
    }

    /// Returns the place of the text with index `text`, in logarithmic time in the number of runs.
    pub(super) fn find(&self, text: usize) -> InputPlace {
        let run = self.runs.partition_point(|&(first, _)| first <= text) - 1;
        let (first, place) = self.runs[run];
        match text - first {
            0 => place,
            documents => place.after(documents as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_documents_share_a_run() {
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
        assert_eq!(places.runs.len(), 6);
    }
}
