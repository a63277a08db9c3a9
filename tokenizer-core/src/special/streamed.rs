//! Special tokens in a text that comes in chunks.
//!
//! The text is cut as [`Matcher::segments`] cuts the whole. Only what more text could change is held
//! back: a prefix of a token at the end, white space at the end if some token strips the white space
//! before it, a token that strips the white space behind it until that ends, and a token that must
//! be a single word until the character behind it is known.
//!
//! A token that was found is final if it begins before the first place from which the rest of the
//! text is a prefix of a token: no longer token can begin where it does, and none before it.

use aho_corasick::Input;

use super::{Matcher, Segment, Walk, last_char};

/// Given-out bytes that are kept, for the character before a token: a single word looks at it.
const CONTEXT: usize = 4;

/// Where the tokens of a text are, as far as it came. For one [`Matcher`] from the first chunk to
/// the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamedCut {
    /// [`CONTEXT`], and then the text that was not given out.
    held: Vec<u8>,
    /// Bytes of the text that were dropped before `held`.
    dropped: usize,
    /// The text that was not given out begins at `walk.done`.
    walk: Walk,
    /// Where the next token begins at the earliest.
    search: usize,
    /// From `done` up to here, if that is behind it, all is white space.
    spaces: usize,
}

impl StreamedCut {
    /// Takes more of the text, and hands out what is certain: special tokens and the text between
    /// them, which may come in several parts, each with its place in the text.
    ///
    /// # Errors
    /// The first of `each`. There is nothing to be done with the rest of the text then.
    pub(crate) fn push<E>(
        &mut self,
        matcher: &Matcher,
        more: &[u8],
        mut each: impl FnMut(Segment) -> Result<(), E>,
    ) -> Result<(), E> {
        if matcher.wanted.is_none() {
            let place = self.dropped;
            self.dropped += more.len();
            return each(Segment::Text(more, place));
        }
        self.held.extend_from_slice(more);
        self.advance(matcher, false, each)
    }

    /// Ends the text, and begins another.
    ///
    /// # Errors
    /// The first of `each`.
    pub(crate) fn finish<E>(
        &mut self,
        matcher: &Matcher,
        each: impl FnMut(Segment) -> Result<(), E>,
    ) -> Result<(), E> {
        self.advance(matcher, true, each)?;
        let mut held = std::mem::take(&mut self.held);
        held.clear();
        *self = StreamedCut {
            held,
            ..Self::default()
        };
        Ok(())
    }

    fn advance<E>(
        &mut self,
        matcher: &Matcher,
        at_end: bool,
        mut each: impl FnMut(Segment) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(wanted) = matcher.wanted.as_deref() else {
            return Ok(());
        };
        loop {
            let unfinished = match at_end {
                true => self.held.len(),
                false => wanted.beginnings.first_unfinished(&self.held, self.search),
            };
            let found = wanted
                .automaton
                .find(Input::new(&self.held).range(self.search..))
                .filter(|found| at_end || found.start() < unfinished);
            let Some(found) = found else {
                self.search = unfinished;
                break;
            };
            let sought = &wanted.tokens[found.pattern()];
            let token = &sought.token;
            if !at_end && sought.is_allowed {
                let behind = match token.right_strip {
                    true => self.walk.space_end(&self.held, found.end()),
                    false => found.end(),
                };
                let is_needed = token.right_strip || token.single_word;
                if is_needed && !begins_with_whole_char(&self.held[behind..]) {
                    self.search = found.start();
                    break;
                }
            }
            self.search = found.end();
            let Some(span) = self.walk.span(sought, &self.held, found.range()) else {
                continue;
            };
            if self.walk.done < span.start {
                let text = &self.held[self.walk.done..span.start];
                each(Segment::Text(text, self.dropped + self.walk.done))?;
            }
            let place = self.dropped + span.start..self.dropped + span.end;
            each(Segment::Special(token, place))?;
            self.walk.done = span.end;
        }
        let (start, end) = (
            self.walk.done,
            self.settled_text(wanted.beginnings.left_strip, at_end),
        );
        if start < end {
            each(Segment::Text(&self.held[start..end], self.dropped + start))?;
            self.walk.done = end;
        }
        let keep = self.walk.done.min(self.search).saturating_sub(CONTEXT);
        if keep > 0 {
            self.held.drain(..keep);
            self.dropped += keep;
            self.search -= keep;
            self.spaces = self.spaces.saturating_sub(keep);
            self.walk.forget(keep);
        }
        Ok(())
    }

    /// The end of the text that no token will take anything of.
    fn settled_text(&mut self, left_strip: bool, at_end: bool) -> usize {
        let done = self.walk.done;
        if self.search <= done {
            return done;
        }
        if at_end || !left_strip {
            return self.search;
        }
        // White space that was looked at before is not looked at again.
        let looked_at = self.spaces.max(done);
        let known = whole_chars(&self.held[..self.search]).max(looked_at);
        let mut end = known;
        while let Some(c) = last_char(&self.held[looked_at..end]).filter(|c| c.is_whitespace()) {
            end -= c.len_utf8();
        }
        self.spaces = known;
        match end == looked_at {
            true => done,
            false => end,
        }
    }
}

/// The length of `text` without the beginning of a character at its end.
fn whole_chars(text: &[u8]) -> usize {
    (text.len().saturating_sub(3)..text.len())
        .find(|&at| !begins_with_whole_char(&text[at..]))
        .unwrap_or(text.len())
}

/// Whether the first character of `text` is there, or certainly none.
fn begins_with_whole_char(text: &[u8]) -> bool {
    let head = &text[..text.len().min(4)];
    match std::str::from_utf8(head) {
        Ok(head) => !head.is_empty(),
        Err(error) => error.valid_up_to() > 0 || error.error_len().is_some(),
    }
}

/// What tokens begin with.
#[derive(Debug)]
pub(super) struct Beginnings {
    /// The bytes of all tokens, ascending, each once.
    contents: Vec<Vec<u8>>,
    first_bytes: [bool; 256],
    longest: usize,
    /// Whether some token takes the white space before it along.
    left_strip: bool,
}

impl Beginnings {
    pub(super) fn new(mut contents: Vec<Vec<u8>>, left_strip: bool) -> Self {
        contents.sort_unstable();
        contents.dedup();
        let mut first_bytes = [false; 256];
        for first in contents.iter().filter_map(|content| content.first()) {
            first_bytes[usize::from(*first)] = true;
        }
        Beginnings {
            longest: contents.iter().map(Vec::len).max().unwrap_or(0),
            contents,
            first_bytes,
            left_strip,
        }
    }

    /// The first place, `from` or behind it, from which the rest of `text` is the beginning of a
    /// token and no whole one; the end of the text when there is none.
    fn first_unfinished(&self, text: &[u8], from: usize) -> usize {
        let nearest = (text.len() + 1).saturating_sub(self.longest);
        (from.max(nearest)..text.len())
            .find(|&at| {
                let rest = &text[at..];
                self.first_bytes[usize::from(rest[0])] && {
                    let behind = self
                        .contents
                        .partition_point(|content| &content[..] <= rest);
                    let next = self.contents.get(behind);
                    next.is_some_and(|content| content.starts_with(rest))
                }
            })
            .unwrap_or(text.len())
    }
}
