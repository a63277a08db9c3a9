//! `.tiktoken`: one line per token, with the token in base64, a space and its rank.
//!
//! One token may be empty, so that its id decodes to nothing. It is written as `=`, as in Whisper's files.
//!
//! The format stores neither the pattern nor special tokens; the caller supplies them. Tokens merge
//! by the rank of their joined bytes ([`Merging::Ranks`]), so a model with a list of merges may encode
//! some texts differently after a round trip: see [`Model`].

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::id_limit;
use crate::hash::Seeds;
use crate::merges::Merge;
use crate::model::{Merging, Model, ModelError};
use crate::pattern::Pattern;
use crate::rank_merges::rank_merges;
use crate::special::{SpecialToken, SpecialTokens};
use crate::token::{MAX_TOKEN_ID, Pair, TokenId};
use crate::vocab::{Repeats, Vocab};

/// Tokens and their ranks, in the order of the file.
pub type RankList = Vec<(Vec<u8>, TokenId)>;

/// An invalid `.tiktoken` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TiktokenError {
    /// A line is invalid.
    #[error("line {line}: {fault}")]
    Line {
        /// The line number, from 1.
        line: usize,
        /// The fault.
        fault: LineFault,
    },
    /// A rank is far above the number of tokens. Tables are sized by the highest id, and their size must
    /// follow that of the file.
    #[error("rank {rank} in a file of {bytes} bytes (expected a rank below {})", id_limit(*.bytes))]
    Sparse {
        /// The highest rank.
        rank: TokenId,
        /// The length of the file.
        bytes: usize,
    },
    /// The tokens do not form a model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// The fault of a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// Not two words.
    #[error("expected a token in base64, a space and a rank")]
    Form,
    /// The first word is not base64.
    #[error("invalid base64 token: {0}")]
    Base64(String),
    /// The second word is not a number, or does not fit in 32 bits.
    #[error("invalid rank {0:?} (expected a number from 0 to {MAX_TOKEN_ID})")]
    Rank(String),
    /// An earlier line has the same token.
    #[error("duplicate token \"{}\" (first on line {first})", .token.escape_ascii())]
    RepeatedToken {
        /// The token.
        token: Vec<u8>,
        /// The earlier line.
        first: usize,
    },
    /// An earlier line has the same rank.
    #[error("duplicate rank {rank} (first on line {first})")]
    RepeatedRank {
        /// The rank.
        rank: TokenId,
        /// The earlier line.
        first: usize,
    },
}

/// Reads tokens and ranks. Ranks may have gaps (p50k has one); empty lines are ignored.
///
/// # Errors
/// At the first line that is invalid or repeats a token or a rank.
pub fn read_ranks(bytes: &[u8]) -> Result<RankList, TiktokenError> {
    let mut ranks = RankList::new();
    let mut by_token = hashbrown::HashMap::<&[u8], usize, Seeds>::default();
    let mut by_rank = hashbrown::HashMap::<TokenId, usize, Seeds>::default();
    for (text, line) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        let fail = |fault| TiktokenError::Line { line, fault };
        let mut fields = text
            .split(u8::is_ascii_whitespace)
            .filter(|f| !f.is_empty());
        let (token, rank) = match (fields.next(), fields.next(), fields.next()) {
            (None, _, _) => continue,
            (Some(token), Some(rank), None) => (token, rank),
            _ => return Err(fail(LineFault::Form)),
        };
        let decoded = match is_empty_token(token) {
            true => Vec::new(),
            false => STANDARD
                .decode(token)
                .map_err(|error| fail(LineFault::Base64(error.to_string())))?,
        };
        let rank: TokenId = std::str::from_utf8(rank)
            .ok()
            .and_then(|rank| rank.parse().ok())
            .ok_or_else(|| fail(LineFault::Rank(String::from_utf8_lossy(rank).into_owned())))?;
        // Strict base64 gives every token one spelling, except the empty one.
        let word = if decoded.is_empty() { b"" } else { token };
        if let Some(first) = by_token.insert(word, line) {
            let token = decoded;
            return Err(fail(LineFault::RepeatedToken { token, first }));
        }
        if let Some(first) = by_rank.insert(rank, line) {
            return Err(fail(LineFault::RepeatedRank { rank, first }));
        }
        ranks.push((decoded, rank));
    }
    Ok(ranks)
}

/// Whether a word is padding only, which Python's base64 decodes to an empty string.
fn is_empty_token(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|&byte| byte == b'=')
}

/// Reads a model with the given pattern and without special tokens. Takes memory in proportion to the file.
///
/// # Errors
/// Those of [`read_ranks`]. Also if a single byte is not a token, or if a rank is neither below 65,536 nor
/// below the number of bytes of the file, or is above [`MAX_TOKEN_ID`].
pub fn read(bytes: &[u8], pattern: Pattern) -> Result<Model, TiktokenError> {
    read_with_specials(bytes, pattern, [])
}

/// Like [`read`], with special tokens.
///
/// # Errors
/// Those of [`read`]. Also if two special tokens have the same text or id, one is empty, or one has the rank
/// of an ordinary token with different bytes.
pub fn read_with_specials(
    bytes: &[u8],
    pattern: Pattern,
    specials: impl IntoIterator<Item = SpecialToken>,
) -> Result<Model, TiktokenError> {
    // Fast path for valid canonical files. All others take the slower path, whose errors name the line.
    let vocab = read_plain_lines(bytes).and_then(|(arena, ends, empty)| {
        Vocab::from_arena_with_empty(arena, ends, empty, Repeats::Refuse).ok()
    });
    match vocab {
        Some(vocab) => {
            let specials = SpecialTokens::new(specials).map_err(ModelError::from)?;
            Ok(Model::new(pattern, vocab, Merging::Ranks, specials)?)
        }
        None => read_any_lines(bytes, pattern, specials),
    }
}

/// [`read_with_specials`] for files in any accepted form: slower, with errors that name the line.
fn read_any_lines(
    bytes: &[u8],
    pattern: Pattern,
    specials: impl IntoIterator<Item = SpecialToken>,
) -> Result<Model, TiktokenError> {
    let ranks = read_ranks(bytes)?;
    let highest = ranks.iter().map(|&(_, rank)| rank).max();
    if let Some(rank) = highest.filter(|&rank| rank as usize >= id_limit(bytes.len())) {
        let bytes = bytes.len();
        return Err(TiktokenError::Sparse { rank, bytes });
    }
    let tokens = ranks.iter().map(|(token, rank)| (token.as_slice(), *rank));
    Ok(Model::from_ranks(pattern, tokens, specials)?)
}

/// Returns the concatenated tokens (the arena of a vocabulary), the end of each in them, and the id of the
/// empty token. `None` unless the file is canonical: ascending ranks, single spaces, no empty lines.
fn read_plain_lines(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u32>, Option<TokenId>)> {
    // The tokens fit, since base64 is longer than its decoded bytes.
    let mut arena = vec![0; bytes.len()];
    let mut end = 0;
    let mut empty = None;
    let mut ends = Vec::with_capacity(bytes.len() / 16);
    let limit = id_limit(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (word_length, written) = match rest {
            [b'=', b' ', ..] => (1, 0),
            _ => decode_base64(rest, &mut arena[end..])?,
        };
        let after_word = &rest[word_length + 1..];
        let (mut rank, mut digits) = (0, 0);
        while let Some(digit) = after_word.get(digits).filter(|byte| byte.is_ascii_digit()) {
            rank = rank * 10 + u32::from(digit - b'0');
            digits += 1;
            if rank as usize >= limit {
                return None;
            }
        }
        if digits == 0
            || after_word.get(digits).is_some_and(|&byte| byte != b'\n')
            || (rank as usize) < ends.len()
        {
            return None;
        }
        // Skipped ranks are unused ids.
        ends.resize(rank as usize, u32::try_from(end).ok()?);
        if written == 0 && empty.replace(rank).is_some() {
            return None;
        }
        end += written;
        ends.push(u32::try_from(end).ok()?);
        rest = after_word.get(digits + 1..).unwrap_or_default();
    }
    arena.truncate(end);
    Some((arena, ends, empty))
}

/// Values of base64 digits. Bit 24 marks padding (`=`), bit 25 an invalid byte; both are above the 24
/// bits of a group.
const DIGITS: [u64; 256] = {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [2 << 24; 256];
    let mut value = 0;
    while value < digits.len() {
        values[digits[value] as usize] = value as u64;
        value += 1;
    }
    values[b'=' as usize] = 1 << 24;
    values
};

/// Decodes the base64 word before the first space of `text` into `out`, which is at least as long as `text`.
/// Returns the lengths of the word and of the decoded bytes; `None` if the word is empty or is not canonical
/// base64.
fn decode_base64(text: &[u8], out: &mut [u8]) -> Option<(usize, usize)> {
    let mut seen = 0;
    let groups = text
        .as_chunks::<4>()
        .0
        .iter()
        .zip(out.as_chunks_mut::<3>().0);
    for (number, (group, three)) in (1..).zip(groups) {
        let bits = (group.iter()).fold(0, |bits, &digit| bits << 6 | DIGITS[usize::from(digit)]);
        let [.., first, second, third] = bits.to_be_bytes();
        *three = [first, second, third];
        if text.get(4 * number) == Some(&b' ') {
            let padding = match (seen | bits) >> 24 {
                0 => 0,
                0b1 => 1,
                0b100_0001 => 2,
                _ => return None,
            };
            // Only the last group has padding, and the unused bits of its last digit are zeros.
            let is_canonical = seen < 1 << 24 && bits & ((1 << (8 * padding)) - 1) == 0;
            return is_canonical.then_some((4 * number, 3 * number - padding));
        }
        seen |= bits;
    }
    None
}

/// Whether merging by rank gives the same ids as the rule of the model, which a `.tiktoken` file then keeps.
///
/// If the listed merges ascend by the id of their token and include the one split of each token that merges by
/// rank ([`rank_merges()`](crate::rank_merges())), then in every state of a piece the same pair is next under both
/// rules: adjacent tokens whose joined bytes are a token are always that split of it. Pieces that are tokens are
/// looked up first by rank, which makes no difference if merging reaches every token.
///
/// Takes as long as merging each token once.
#[must_use]
pub fn merges_are_ranks(model: &Model) -> bool {
    let Merging::Merges {
        merges,
        ignore_merges,
    } = model.merging()
    else {
        return true;
    };
    let vocab = model.vocab();
    let tokens = || merges.iter().map(|merge| merge.token);
    if model.symbols().is_some() || vocab.repeated().next().is_some() || !tokens().is_sorted() {
        return false;
    }
    let listed: hashbrown::HashSet<Pair, Seeds> = merges.iter().map(Merge::pair).collect();
    let by_rank = rank_merges(vocab);
    let all_listed = by_rank
        .rules
        .iter()
        .all(|merge| listed.contains(&merge.pair()));
    all_listed && (*ignore_merges || by_rank.reaches_all)
}

/// A model that `.tiktoken` cannot store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRanks {
    /// The ids are not in the order of the merges.
    #[error(
        "ids not in merge order: merge {rank} creates token {token}, but the previous merge creates a \
         token with the same or a higher id; a .tiktoken file cannot store this model (save it as .bpe or .json)"
    )]
    Order {
        /// The rank of the merge.
        rank: usize,
        /// The token that the merge creates.
        token: TokenId,
    },
    /// The model has [`Symbols`](crate::Symbols).
    #[error(
        "not every byte is a token, or tokens have affixes; a .tiktoken file cannot store this model (save it as .bpe or .json)"
    )]
    Symbols,
}

/// Writes the tokens of `model` by ascending id. Pattern and special tokens are omitted.
///
/// Among tokens with the same bytes ([`Vocab::repeated`](crate::Vocab::repeated)) only that with the highest
/// id is written; the other ids become unused. A Python `dict` built from rustbpe's list keeps the same one.
///
/// # Errors
/// If a byte is not a token, or the ids of merged tokens do not ascend with the rank of their merges.
pub fn write(model: &Model) -> Result<Vec<u8>, NotRanks> {
    let vocab = model.vocab();
    if model.symbols().is_some() {
        return Err(NotRanks::Symbols);
    }
    if let Merging::Merges { merges, .. } = model.merging() {
        let mut before = None;
        for (rank, merge) in merges.iter().enumerate() {
            // Several merges may create one token, of which at most one ever applies.
            if before.is_some_and(|before| before > merge.token) {
                let token = merge.token;
                return Err(NotRanks::Order { rank, token });
            }
            before = Some(merge.token);
        }
    }
    let mut highest = hashbrown::HashMap::<&[u8], TokenId, Seeds>::default();
    for id in vocab.repeated() {
        if let Some(token) = vocab.token(id) {
            highest.insert(token, id);
        }
    }
    let mut text = String::new();
    for (id, token) in vocab.iter() {
        if highest.is_empty() || highest.get(token).is_none_or(|&highest| highest == id) {
            match token {
                // An empty word would leave a line without its first field.
                [] => text.push('='),
                _ => STANDARD.encode_string(token, &mut text),
            }
            // Writing to a string cannot fail.
            let _ = writeln!(text, " {id}");
        }
    }
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::pattern::PatternName;

    fn fault(text: &str) -> (usize, LineFault) {
        match read_ranks(text.as_bytes()) {
            Err(TiktokenError::Line { line, fault }) => (line, fault),
            other => panic!("{other:?}"),
        }
    }

    /// Tests tokens of 1, 2, 4 and 10 bytes, unchanged and with one digit changed at a time.
    #[test]
    fn base64_is_as_strict_as_the_library() {
        let mut words: Vec<Vec<u8>> = [
            "", "=", "==", "===", "====", "A===", "A=A=", "YQ=", "YQ", "YQ==YQ==",
        ]
        .map(|word| word.as_bytes().to_vec())
        .to_vec();
        for bytes in (0..=0xFFFF_u16).step_by(7).map(u16::to_be_bytes) {
            for token in [
                &bytes[..1],
                &bytes,
                &[bytes, bytes].concat(),
                &[bytes; 5].concat(),
            ] {
                let word = STANDARD.encode(token).into_bytes();
                for at in 0..word.len() {
                    let mut other = word.clone();
                    other[at] = b"=A/-z\xFF"[usize::from(bytes[1]) % 6];
                    words.push(other);
                }
                words.push(word);
            }
        }
        for word in words {
            let line = [word.as_slice(), b" 7"].concat();
            let mut out = vec![0; line.len()];
            let got = decode_base64(&line, &mut out).map(|(length, written)| {
                assert_eq!(length, word.len());
                &out[..written]
            });
            let want = STANDARD
                .decode(&word)
                .ok()
                .filter(|bytes| !bytes.is_empty());
            assert_eq!(got, want.as_deref(), "{}", word.escape_ascii());
        }
    }

    #[test]
    fn models_round_trip() {
        let merges = Merges::trained(&[Pair::new(97, 98), Pair::new(256, 99)]).unwrap();
        let pattern = Pattern::named(PatternName::Gpt2);
        let model = Model::from_merges(pattern.clone(), merges, &["<s>"]).unwrap();
        let bytes = write(&model).unwrap();
        assert!(bytes.ends_with(b"YWI= 256\nYWJj 257\n"));
        let read = read(&bytes, pattern).unwrap();
        assert_eq!(read.vocab(), model.vocab());
        assert_eq!(read.merging(), &Merging::Ranks);
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(fault("YQ== 0\nYg==\n"), (2, LineFault::Form));
        assert_eq!(fault("YQ== 0 1"), (1, LineFault::Form));
        assert!(matches!(fault("\n\n?? 0"), (3, LineFault::Base64(_))));
        assert!(matches!(fault("YR== 0"), (1, LineFault::Base64(_))));
        assert_eq!(fault("YQ== -1"), (1, LineFault::Rank("-1".into())));
        assert_eq!(fault("YQ== 4294967296").0, 1);
        let repeated = LineFault::RepeatedToken {
            token: b"a".to_vec(),
            first: 1,
        };
        assert_eq!(fault("YQ== 0\nYQ== 1"), (2, repeated));
        let repeated = LineFault::RepeatedRank { rank: 0, first: 1 };
        assert_eq!(fault("YQ== 0\r\nYg== 0"), (2, repeated));
    }

    #[test]
    fn other_line_forms_give_the_same_vocabulary() {
        let merges = Merges::trained(&[Pair::new(97, 98), Pair::new(256, 99)]).unwrap();
        let pattern = Pattern::named(PatternName::Gpt2);
        let model = Model::from_merges(pattern.clone(), merges, &[] as &[&str]).unwrap();
        let plain = String::from_utf8(write(&model).unwrap()).unwrap();
        let lines = || plain.lines();
        let same = [
            plain.trim_end().to_string(),
            plain.replace('\n', "\r\n"),
            plain.replace('\n', "\n\n"),
            plain.replace(' ', "  "),
            lines().rev().map(|line| format!("{line}\n")).collect(),
            lines()
                .map(|line| line.replace(' ', " 00") + "\n")
                .collect(),
        ];
        for text in &same {
            let read = read(text.as_bytes(), pattern.clone()).unwrap();
            assert_eq!(read.vocab(), model.vocab(), "{text}");
        }
        let gap = plain.replace(" 257\n", " 300\n");
        let read = |text: &str| read(text.as_bytes(), pattern.clone());
        assert_eq!(read(&gap).unwrap().vocab().token(300), Some(&b"abc"[..]));
        assert_eq!(read(&gap).unwrap().vocab().len(), 258);
        for (from, to, line) in [
            (" 257\n", " 256\n", "line 258: "),
            ("YWJj", "YWI=", "line 258: "),
            ("YWJj", "YWJ=", "line 258: "),
            (" 257\n", " 257 1\n", "line 258: "),
            (" 257\n", " 4294967296\n", "line 258: "),
            (" 257\n", " 16777216\n", "16777216"),
        ] {
            let error = read(&plain.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
        }
    }

    #[test]
    fn empty_tokens_round_trip() {
        let bytes: String = (0..=255u8)
            .map(|byte| format!("{} {byte}\n", STANDARD.encode([byte])))
            .collect();
        let pattern = Pattern::named(PatternName::Gpt2);
        let read = |text: &str| read(text.as_bytes(), pattern.clone());
        // At the end or not, next to unused ids or not, in canonical form and in others.
        for (id, lines) in [
            (256, "= 256\n"),
            (256, "= 256"),
            (300, "YWI= 299\n= 300\n"),
            (256, "= 256\nYWI= 259\n"),
            (256, "==  256\r\n"),
        ] {
            let model = read(&format!("{bytes}{lines}")).unwrap();
            assert_eq!(model.token(id), Some(&b""[..]));
            assert_eq!(model.id(b""), Some(id));
            assert_eq!(model.decode(&[97, id, 98, id]).unwrap(), b"ab");
            let written = write(&model).unwrap();
            let line = format!("\n= {id}\n");
            assert!(String::from_utf8_lossy(&written).contains(&line));
            let again = super::read(&written, pattern.clone()).unwrap();
            assert_eq!(again, model);
        }
        let repeated = read(&format!("{bytes}= 256\n== 257\n")).unwrap_err();
        let message = "line 258: duplicate token \"\" (first on line 257)";
        assert_eq!(repeated.to_string(), message);
        assert_eq!(fault("\n 256\n"), (2, LineFault::Form));
    }

    #[test]
    fn ranks_far_above_the_number_of_tokens_are_refused() {
        let pattern = || Pattern::named(PatternName::Gpt2);
        let bytes: String = (0..=255_u8)
            .map(|byte| format!("{} {byte}\n", STANDARD.encode([byte])))
            .collect();
        let with = |rank: u32| format!("{bytes}YWI= {rank}\n");
        assert!(read(with(65_535).as_bytes(), pattern()).is_ok());
        for text in [
            with(65_536),
            with(MAX_TOKEN_ID),
            with(u32::MAX),
            format!("YWI= {MAX_TOKEN_ID}\n{bytes}"),
            format!("YQ== {MAX_TOKEN_ID}"),
        ] {
            let error = read(text.as_bytes(), pattern()).unwrap_err();
            assert!(matches!(error, TiktokenError::Sparse { .. }), "{error}");
        }
        // A rank below the number of bytes is accepted.
        let long = with(70_000) + &"\n".repeat(70_000);
        assert!(read(long.as_bytes(), pattern()).is_ok());
    }

    #[test]
    fn missing_bytes_are_named() {
        let error = read(b"YQ== 0\n", Pattern::named(PatternName::Gpt2)).unwrap_err();
        assert_eq!(error.to_string(), "no token for the single byte 0x00");
    }

    #[test]
    fn repeated_bytes_keep_the_highest_id() {
        // (a, aa) and (aa, a) both make "aaa".
        let pairs = [(97, 97), (97, 256), (256, 97)].map(|(l, r)| Pair::new(l, r));
        let merges = Merges::trained(&pairs).unwrap();
        let model = Model::from_merges(Pattern::named(PatternName::Gpt2), merges, &[] as &[&str]);
        let bytes = write(&model.unwrap()).unwrap();
        assert!(bytes.ends_with(b"YWE= 256\nYWFh 258\n"));
        assert_eq!(read_ranks(&bytes).unwrap().len(), 258);
    }

    #[test]
    fn merges_out_of_order_are_refused() {
        let tokens: Vec<Vec<u8>> = (0..=255u8)
            .map(|b| vec![b])
            .chain([b"ab".to_vec(), b"cd".to_vec()])
            .collect();
        let tokens = tokens.iter().zip(0..).map(|(t, id)| (id, t.as_slice()));
        let vocab = crate::Vocab::new(tokens, crate::vocab::Repeats::Refuse).unwrap();
        let rules = [(99, 100, 257), (97, 98, 256)].map(|(left, right, token)| crate::Merge {
            left,
            right,
            token,
        });
        let merging = Merging::Merges {
            merges: Merges::new(rules.to_vec()).unwrap(),
            ignore_merges: false,
        };
        let model = Model::new(
            Pattern::named(PatternName::Gpt2),
            vocab,
            merging,
            crate::SpecialTokens::default(),
        );
        assert_eq!(
            write(&model.unwrap()),
            Err(NotRanks::Order {
                rank: 1,
                token: 256
            })
        );
    }

    #[test]
    fn merges_are_compared_with_ranks() {
        // `ab` and `abc` with every split of the latter, as in Llama 3's file; `bc` merges after both.
        let tokens: [&[u8]; 3] = [b"ab", b"abc", b"bc"];
        let bytes = (0..=255_u8).map(|byte| vec![byte]);
        let tokens: Vec<Vec<u8>> = bytes.chain(tokens.map(<[u8]>::to_vec)).collect();
        let ranks = (0..).zip(tokens.iter().map(Vec::as_slice));
        let vocab = Vocab::new(ranks, Repeats::Refuse).unwrap();
        let model = |rules: &[(TokenId, TokenId, TokenId)], ignore_merges| {
            let rules = rules
                .iter()
                .map(|&(left, right, token)| Merge { left, right, token });
            let merges = Merges::new(rules.collect()).unwrap();
            let merging = Merging::Merges {
                merges,
                ignore_merges,
            };
            let pattern = Pattern::named(PatternName::Gpt2);
            Model::new(pattern, vocab.clone(), merging, SpecialTokens::default()).unwrap()
        };
        let (ab, abc, other_abc, bc) =
            ((97, 98, 256), (256, 99, 257), (97, 258, 257), (98, 99, 258));
        for (rules, want) in [
            (&[ab, abc, bc][..], true),
            (&[ab, abc, other_abc, bc], true),
            (&[ab, other_abc, bc], false),
            (&[ab, bc, abc], false),
            (&[ab, abc], false),
        ] {
            assert_eq!(merges_are_ranks(&model(rules, false)), want, "{rules:?}");
        }
        let split = model(&[ab, abc, other_abc, bc], false);
        let again = read(&write(&split).unwrap(), split.pattern().clone()).unwrap();
        assert_eq!(again.vocab(), split.vocab());
        assert!(merges_are_ranks(&again));
    }
}
