//! Copying short tokens one behind the other, which is what decoding is.
//!
//! Each is copied as sixteen bytes, however many it has, and the next is written over what was too
//! much. So there is no loop over bytes and no branch on the length; the few branches that are left
//! ask for what hardly ever happens, and are asked for four tokens at a time.
//!
//! Found not to pay: 32 bytes at a time, a table of 16 bytes for each token in the place of ends
//! and arena, prefetching.

use std::mem::MaybeUninit;

/// The longest token that counts as short, and the room that each must find.
pub(crate) const SHORT: usize = 16;

/// Tokens that are looked up before the first of them is copied.
const TOGETHER: usize = 4;

/// Appends the tokens of `ids` to `bytes`, up to the first that is not short and gives how many
/// there were. A token that is no short one: there is none, it is empty, it has more than [`SHORT`]
/// bytes, fewer than those follow its start in `arena`, `bytes` has less room than that without
/// growing, or it is token 0, which has no end before it.
///
/// Token `n` is `arena[ends[n - 1]..ends[n]]`. Ends that say something else than that are no short
/// tokens either, or the bytes where they say.
pub(crate) fn append_short_tokens(
    bytes: &mut Vec<u8>,
    ids: &[u32],
    ends: &[u32],
    arena: &[u8],
) -> usize {
    let tokens = Tokens { ends, arena };
    let mut taken = 0;
    loop {
        let left = &ids[taken..];
        let room = bytes.spare_capacity_mut();
        // So many fit even if all are as long as they may be. Most are not: there is more room then.
        let fitting = left.len().min(room.len() / SHORT);
        let (count, length) = tokens.copy(&left[..fitting], room);
        let length = bytes.len() + length;
        // SAFETY: `copy` wrote `length` bytes to the beginning of the spare capacity.
        unsafe { bytes.set_len(length) };
        taken += count;
        if fitting == 0 || count < fitting {
            return taken;
        }
    }
}

/// Tokens in an arena.
struct Tokens<'a> {
    ends: &'a [u32],
    arena: &'a [u8],
}

/// Where a short token begins, so that [`SHORT`] bytes can be read there, and its length.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    length: usize,
}

impl Tokens<'_> {
    /// Copies short tokens to the beginning of `room`, which must hold [`SHORT`] bytes for each of
    /// `ids`. Gives how many were copied, and their bytes, which are written then.
    #[inline]
    fn copy(&self, ids: &[u32], room: &mut [MaybeUninit<u8>]) -> (usize, usize) {
        assert!(ids.len() <= room.len() / SHORT);
        let mut written = 0;
        let mut copy = |span: Span| {
            // SAFETY: `look_up` found that so many bytes can be read from `start` on. No more
            // tokens are copied than there are `ids`, each at most `SHORT` bytes behind the one
            // before, and there is room for as many times `SHORT`.
            unsafe {
                let from = self.arena.as_ptr().add(span.start).cast::<[u8; SHORT]>();
                let to = room.as_mut_ptr().add(written).cast::<[u8; SHORT]>();
                to.write_unaligned(from.read_unaligned());
            }
            written += span.length;
        };
        let (groups, _) = ids.as_chunks::<TOGETHER>();
        let mut count = 0;
        for group in groups {
            let Some(spans) = self.look_up(group) else {
                break;
            };
            spans.into_iter().for_each(&mut copy);
            count += TOGETHER;
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

    /// The places of some tokens, if all of them are short.
    #[inline(always)]
    fn look_up<const N: usize>(&self, ids: &[u32; N]) -> Option<[Span; N]> {
        let starts = self.ends.len().checked_sub(1)?;
        let last_start = self.arena.len().checked_sub(SHORT)?;
        // Token 0 wraps around, and is none that has an end before it.
        let before = ids.map(|id| (id as usize).wrapping_sub(1));
        if before.iter().any(|&before| before >= starts) {
            return None;
        }
        let spans = before.map(|before| {
            // SAFETY: `before + 1` is an index of `ends`.
            let ends = unsafe { self.ends.as_ptr().add(before).cast::<[u32; 2]>().read() };
            Span {
                start: ends[0] as usize,
                length: ends[1].wrapping_sub(ends[0]) as usize,
            }
        });
        // Every condition of all of them, and one branch. No length is 0 less 1.
        let is_other =
            |span: &Span| (span.length.wrapping_sub(1) >= SHORT) | (span.start > last_start);
        let others = spans.iter().fold(false, |any, span| any | is_other(span));
        (!others).then_some(spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same in the plainest form.
    fn append_one_by_one(bytes: &mut Vec<u8>, ids: &[u32], ends: &[u32], arena: &[u8]) -> usize {
        let mut taken = 0;
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
            taken += 1;
        }
        taken
    }

    proptest! {
        #[test]
        fn tokens_are_those_copied_one_by_one(
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
            let place = got.as_ptr();
            let taken = append_short_tokens(&mut got, &ids, &ends, &arena);
            prop_assert_eq!(taken, append_one_by_one(&mut want, &ids, &ends, &arena));
            prop_assert_eq!(&got, &want);
            prop_assert_eq!(got.as_ptr(), place, "nothing grew");
        }
    }

    #[test]
    fn nothing_is_read_or_written_outside() {
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
                let taken = append_short_tokens(&mut bytes, &[id], ends, &arena);
                let is_short = ends == [0, 16] && id == 1;
                assert_eq!(
                    (taken, bytes.len()),
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
