//! Concatenation of short tokens: the inner loop of decoding.
//!
//! For every token, 16 bytes are copied, and the next token overwrites the excess. So there is no loop over
//! bytes and no branch on the length. The remaining branch, once per four tokens, handles rare cases.
//!
//! Tried without gain: copying 32 bytes, a table of 16 bytes per token instead of offsets into an arena, and
//! prefetching.

use std::mem::MaybeUninit;

/// Maximum length of a short token in bytes, and the number of bytes copied for each.
pub(crate) const SHORT: usize = 16;

/// Number of tokens whose spans are looked up before they are copied.
const GROUP: usize = 4;

/// Appends the tokens `ids` to the spare capacity of `bytes`, which is not reallocated, and stops at the
/// first token that the caller must append in another way. Returns the number of tokens appended.
///
/// Token `n` is `arena[ends[n - 1]..ends[n]]`. The function stops at
///
/// - token 0, an unknown or empty token, or one of more than [`SHORT`] bytes;
/// - a token that starts in the last `SHORT - 1` bytes of `arena`;
/// - a spare capacity of less than [`SHORT`] bytes.
///
/// Memory-safe for any `ends`: wrong offsets either stop the function or select the wrong bytes of `arena`.
pub(crate) fn append_short_tokens(
    bytes: &mut Vec<u8>,
    ids: &[u32],
    ends: &[u32],
    arena: &[u8],
) -> usize {
    let tokens = Tokens { ends, arena };
    let mut appended = 0;
    loop {
        let rest = &ids[appended..];
        let spare = bytes.spare_capacity_mut();
        // This many fit whatever their lengths. Most are shorter than `SHORT`, so more fit in the next round.
        let fitting = rest.len().min(spare.len() / SHORT);
        let (count, length) = tokens.copy(&rest[..fitting], spare);
        let length = bytes.len() + length;
        // SAFETY: `copy` initialized the bytes from the old length to the new.
        unsafe { bytes.set_len(length) };
        appended += count;
        if fitting == 0 || count < fitting {
            return appended;
        }
    }
}

/// Tokens in an arena.
struct Tokens<'a> {
    ends: &'a [u32],
    arena: &'a [u8],
}

/// A short token: [`SHORT`] bytes of the arena can be read from `start` on, and the first `length` are the
/// token.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    length: usize,
}

impl Tokens<'_> {
    /// Copies tokens to the front of `out`, up to the first that is not short. Returns the number of tokens
    /// and the number of bytes, all of which are initialized.
    ///
    /// # Panics
    /// If `out` has fewer than [`SHORT`] bytes per id.
    #[inline]
    fn copy(&self, ids: &[u32], out: &mut [MaybeUninit<u8>]) -> (usize, usize) {
        assert!(ids.len() <= out.len() / SHORT);
        let mut written = 0;
        let mut copy = |span: Span| {
            // SAFETY: `look_up` checked that `SHORT` bytes can be read from `start` on. At most
            // `ids.len()` tokens are copied, each advances `written` by at most `SHORT`, and `out` has
            // `SHORT` bytes for each.
            unsafe {
                let from = self.arena.as_ptr().add(span.start).cast::<[u8; SHORT]>();
                let to = out.as_mut_ptr().add(written).cast::<[u8; SHORT]>();
                to.write_unaligned(from.read_unaligned());
            }
            written += span.length;
        };
        let (groups, _) = ids.as_chunks::<GROUP>();
        let mut count = 0;
        for group in groups {
            let Some(spans) = self.look_up(group) else {
                break;
            };
            spans.into_iter().for_each(&mut copy);
            count += GROUP;
        }
        for id in &ids[count..] {
            let Some([span]) = self.look_up(&[*id]) else {
                break;
            };
            copy(span);
            count += 1;
        }
        (count, written)
    }

    /// Returns the spans of `ids` if all of them are short.
    #[inline(always)]
    fn look_up<const N: usize>(&self, ids: &[u32; N]) -> Option<[Span; N]> {
        let limit = self.ends.len().checked_sub(1)?;
        let last_start = self.arena.len().checked_sub(SHORT)?;
        // For token 0, this wraps around to a number that fails the check below.
        let before = ids.map(|id| (id as usize).wrapping_sub(1));
        if before.iter().any(|&before| before >= limit) {
            return None;
        }
        let spans = before.map(|before| {
            // SAFETY: `before + 1` is less than `ends.len()`.
            let ends = unsafe { self.ends.as_ptr().add(before).cast::<[u32; 2]>().read() };
            Span {
                start: ends[0] as usize,
                length: ends[1].wrapping_sub(ends[0]) as usize,
            }
        });
        // One branch for all conditions. A length of 0 wraps around, and so counts as too long.
        let is_other =
            |span: &Span| (span.length.wrapping_sub(1) >= SHORT) | (span.start > last_start);
        let any_other = spans.iter().fold(false, |any, span| any | is_other(span));
        (!any_other).then_some(spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The oracle: [`append_short_tokens`] without `unsafe`.
    fn append_one_by_one(bytes: &mut Vec<u8>, ids: &[u32], ends: &[u32], arena: &[u8]) -> usize {
        let mut appended = 0;
        for &id in ids {
            let id = id as usize;
            if id == 0 || id >= ends.len() || bytes.capacity() - bytes.len() < SHORT {
                break;
            }
            let (start, end) = (ends[id - 1] as usize, ends[id] as usize);
            if start >= end || end - start > SHORT || start + SHORT > arena.len() {
                break;
            }
            bytes.extend_from_slice(&arena[start..end]);
            appended += 1;
        }
        appended
    }

    proptest! {
        #[test]
        fn tokens_are_appended_as_by_the_oracle(
            mut ends in prop::collection::vec(0u32..200, 0..40),
            ordered in prop::bool::weighted(0.8),
            arena in 0usize..200,
            ids in prop::collection::vec(prop_oneof![20 => 1u32..36, 1 => any::<u32>(), 1 => Just(0)], 0..60),
            before in 0usize..20,
            capacity in 0usize..400,
        ) {
            if ordered {
                ends.sort_unstable();
            }
            let arena: Vec<u8> = (0..arena as u8).collect();
            let mut got = Vec::with_capacity(before + capacity);
            got.resize(before, 7);
            let mut want = Vec::with_capacity(got.capacity());
            want.resize(before, 7);
            prop_assume!(got.capacity() == want.capacity());
            let address = got.as_ptr();
            let appended = append_short_tokens(&mut got, &ids, &ends, &arena);
            prop_assert_eq!(appended, append_one_by_one(&mut want, &ids, &ends, &arena));
            prop_assert_eq!(&got, &want);
            prop_assert_eq!(got.as_ptr(), address, "the vector must not grow");
        }
    }

    #[test]
    fn no_access_is_out_of_bounds() {
        let arena = [1; SHORT];
        let mut bytes = Vec::with_capacity(SHORT);
        for ends in [
            &[][..],
            &[0],
            &[0, 16],
            &[0, 17],
            &[1, 2],
            &[5, 3],
            &[u32::MAX, 1],
        ] {
            for id in [0, 1, 2, u32::MAX] {
                bytes.clear();
                let appended = append_short_tokens(&mut bytes, &[id], ends, &arena);
                let is_short = ends == [0, 16] && id == 1;
                assert_eq!(
                    (appended, bytes.len()),
                    if is_short { (1, 16) } else { (0, 0) }
                );
            }
        }
        assert_eq!(append_short_tokens(&mut bytes, &[1], &[0, 1], &[1; 15]), 0);
        assert_eq!(
            append_short_tokens(&mut Vec::new(), &[1], &[0, 1], &arena),
            0
        );
        assert_eq!(append_short_tokens(&mut bytes, &[], &[0, 1], &arena), 0);
    }
}
