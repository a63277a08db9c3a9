//! Generated texts of any size, deterministic for a seed.
//!
//! [`Recombined`] imitates real text. It repeats lines of its sources, exchanges some words, and
//! replaces others by words of a long tail that no source contains. The tail is a Pitman-Yor process, so
//! that the number of distinct words follows Heaps' law and their frequencies Zipf's. A new word joins
//! the beginning and the end of two source words, or is a source word with a typing error.
//!
//! The other generators are adversarial: one piece as long as the text.

use std::io::{self, Read, Write};
use std::ops::Range;

/// Words per 1000 that are exchanged for another word of the source.
const EXCHANGED: u64 = 60;

/// Words per 1000 that are drawn from the tail.
const FROM_TAIL: u64 = 120;

/// The discount of the Pitman-Yor process: the exponent in Heaps' law for the words of the tail.
const DISCOUNT: f64 = 0.75;

/// The concentration of the process, divided among the sources by length. For about this many draws,
/// nearly every draw is a new word.
const CONCENTRATION: f64 = 150_000.0;

/// Consecutive lines from the same source.
const LINES_TOGETHER: usize = 40;

/// The pseudo-random number generator splitmix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Seeds the generator.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// A number in `0.0..1.0`.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// An endless text from the lines and words of sources and a long tail of new words.
pub struct Recombined {
    sources: Vec<Source>,
    random: Random,
}

impl Recombined {
    /// Starts a text. Empty sources are ignored; invalid UTF-8 is replaced.
    ///
    /// # Panics
    /// If all sources are empty.
    pub fn new<'t>(sources: impl IntoIterator<Item = &'t [u8]>, seed: u64) -> Self {
        let mut sources: Vec<Source> = sources
            .into_iter()
            .map(Source::new)
            .filter(|source| !source.lines.is_empty())
            .collect();
        assert!(!sources.is_empty(), "no source has a line");
        let all: usize = sources.iter().map(|source| source.text.len()).sum();
        for source in &mut sources {
            source.tail.concentration = CONCENTRATION * source.text.len() as f64 / all as f64;
        }
        Recombined {
            sources,
            random: Random::new(seed),
        }
    }

    /// Writes whole lines of at most `bytes` bytes in total, and returns their length.
    ///
    /// # Errors
    /// The errors of `output`.
    pub fn write(&mut self, output: &mut impl Write, bytes: u64) -> io::Result<u64> {
        let lengths: usize = self.sources.iter().map(|source| source.text.len()).sum();
        let mut written = 0;
        let mut line = Vec::new();
        loop {
            // A source is chosen with a probability proportional to its length.
            let mut at = self.random.below(lengths);
            let source = self
                .sources
                .iter_mut()
                .find(|source| {
                    let contains = at < source.text.len();
                    at = at.saturating_sub(source.text.len());
                    contains
                })
                .expect("`at` is below the sum of the lengths");
            for _ in 0..LINES_TOGETHER {
                line.clear();
                source.put_line(&mut self.random, &mut line);
                if written + line.len() as u64 > bytes {
                    return Ok(written);
                }
                output.write_all(&line)?;
                written += line.len() as u64;
            }
        }
    }
}

/// A source text with its words and lines.
struct Source {
    text: String,
    /// Runs of letters.
    words: Vec<Range<usize>>,
    /// The end of each line, and the index of the first word after it.
    lines: Vec<(usize, usize)>,
    tail: Tail,
}

impl Source {
    fn new(text: &[u8]) -> Self {
        let mut text = String::from_utf8_lossy(text).into_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let (mut words, mut lines) = (Vec::new(), Vec::new());
        let mut word = None;
        for (at, character) in text.char_indices() {
            if character.is_alphabetic() {
                word.get_or_insert(at);
                continue;
            }
            words.extend(word.take().map(|start| start..at));
            if character == '\n' {
                lines.push((at + 1, words.len()));
            }
        }
        Source {
            text,
            words,
            lines,
            tail: Tail::default(),
        }
    }

    /// Appends a random line with some words replaced.
    fn put_line(&mut self, random: &mut Random, line: &mut Vec<u8>) {
        let number = random.below(self.lines.len());
        let (mut at, first) = match number {
            0 => (0, 0),
            _ => self.lines[number - 1],
        };
        let (end, next_word) = self.lines[number];
        for word in first..next_word {
            let Range { start, end } = self.words[word];
            line.extend_from_slice(&self.text.as_bytes()[at..start]);
            let chance = random.below(1000) as u64;
            if chance < FROM_TAIL {
                self.tail.put_word(&self.text, &self.words, random, line);
            } else if chance < FROM_TAIL + EXCHANGED {
                let other = random.pick(&self.words).clone();
                line.extend_from_slice(&self.text.as_bytes()[other]);
            } else {
                line.extend_from_slice(&self.text.as_bytes()[start..end]);
            }
            at = end;
        }
        line.extend_from_slice(&self.text.as_bytes()[at..end]);
    }
}

/// The words of the long tail drawn so far.
#[derive(Default)]
struct Tail {
    words: String,
    ends: Vec<usize>,
    /// All draws.
    draws: Vec<Draw>,
    concentration: f64,
}

#[derive(Clone, Copy)]
struct Draw {
    word: u32,
    is_first: bool,
}

impl Tail {
    /// Draws a word and appends it. A new word is made from `words`, the words of `text`.
    fn put_word(
        &mut self,
        text: &str,
        words: &[Range<usize>],
        random: &mut Random,
        line: &mut Vec<u8>,
    ) {
        let weight = self.concentration + DISCOUNT * self.ends.len() as f64;
        let all = self.concentration + self.draws.len() as f64;
        let is_new = self.draws.is_empty() || random.fraction() * all < weight;
        let word = if is_new {
            self.make_word(text, words, random);
            self.ends.len() as u32 - 1
        } else {
            // Proportional to the number of draws of a word minus the discount.
            loop {
                let draw = *random.pick(&self.draws);
                if !draw.is_first || random.fraction() >= DISCOUNT {
                    break draw.word;
                }
            }
        };
        self.draws.push(Draw {
            word,
            is_first: is_new,
        });
        let start = match word {
            0 => 0,
            word => self.ends[word as usize - 1],
        };
        let end = self.ends[word as usize];
        line.extend_from_slice(&self.words.as_bytes()[start..end]);
    }

    fn make_word(&mut self, text: &str, words: &[Range<usize>], random: &mut Random) {
        let one = &text[random.pick(words).clone()];
        let two = &text[random.pick(words).clone()];
        let cut = |word: &str, random: &mut Random| {
            let at = random.below(word.chars().count() + 1);
            word.char_indices().nth(at).map_or(word.len(), |(at, _)| at)
        };
        let (in_one, in_two) = (cut(one, random), cut(two, random));
        if random.below(2) == 0 {
            self.words.push_str(&one[..in_one]);
            self.words.push_str(&two[in_two..]);
        } else {
            // A typing error: a letter of the second word replaces a letter of the first, or is inserted.
            let kept = one[in_one..].chars().skip(random.below(2));
            self.words.push_str(&one[..in_one]);
            self.words.extend(two[in_two..].chars().next());
            self.words.extend(kept);
        }
        self.ends.push(self.words.len());
    }
}

/// Writes one word of `bytes` random letters from `a` to `z`.
///
/// # Errors
/// The errors of `output`.
pub fn one_word(output: &mut impl Write, bytes: u64, seed: u64) -> io::Result<()> {
    let mut random = Random::new(seed);
    for _ in 0..bytes {
        output.write_all(&[b'a' + random.below(26) as u8])?;
    }
    Ok(())
}

/// Writes the letter `a` `bytes` times.
///
/// # Errors
/// The errors of `output`.
pub fn one_letter(output: &mut impl Write, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::repeat(b'a').take(bytes), output).map(drop)
}

/// Average steps between random restarts of the Markov chain, which keep it out of cycles.
const STEPS: usize = 50;

/// Number of characters of generated Chinese without a sample text.
const CHARACTERS: u32 = 4000;

/// Writes at most `bytes` bytes of Chinese without spaces and punctuation: a Markov chain over the
/// characters of `text`. If `text` has no Chinese character, characters follow Zipf's law.
///
/// # Errors
/// The errors of `output`.
pub fn chinese(output: &mut impl Write, bytes: u64, seed: u64, text: &[u8]) -> io::Result<()> {
    let mut random = Random::new(seed);
    let is_chinese = |c: &char| ('\u{4E00}'..='\u{9FFF}').contains(c);
    let text = String::from_utf8_lossy(text);
    let mut characters: Vec<char> = text.chars().filter(is_chinese).collect();
    if characters.is_empty() {
        // Under Zipf's law, the logarithm of the rank is about uniformly distributed.
        let highest = f64::from(CHARACTERS).ln();
        let draw = |_| {
            let rank = (random.fraction() * highest).exp() as u32;
            char::from_u32(0x4E00 + rank).unwrap_or('\u{4E00}')
        };
        characters = (0..1 << 20).map(draw).collect();
    }
    // The successors of each character, grouped by character (a counting sort).
    let number = |c: char| c as usize - 0x4E00;
    let mut starts = vec![0; 0xA000 - 0x4E00 + 1];
    let before_last = &characters[..characters.len() - 1];
    before_last.iter().for_each(|&c| starts[number(c) + 1] += 1);
    (1..starts.len()).for_each(|at| starts[at] += starts[at - 1]);
    let mut followers = vec!['\0'; before_last.len()];
    let mut free = starts.clone();
    for pair in characters.windows(2) {
        let place = &mut free[number(pair[0])];
        followers[*place] = pair[1];
        *place += 1;
    }

    let mut left = bytes;
    let mut last = None;
    let mut buffer = [0; 4];
    while left >= 3 {
        let known = last.map_or(&[][..], |c| {
            &followers[starts[number(c)]..starts[number(c) + 1]]
        });
        let next = match known.is_empty() || random.below(STEPS) == 0 {
            true => *random.pick(&characters),
            false => *random.pick(known),
        };
        output.write_all(next.encode_utf8(&mut buffer).as_bytes())?;
        last = Some(next);
        left -= 3;
    }
    Ok(())
}
