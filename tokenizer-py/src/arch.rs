//! Instructions that not every processor has, behind safe functions.

#![allow(unsafe_code)]

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
use tokenizer_core::arch::Tier;

use crate::utf8::{self, BLOCK, Character};

/// As [`utf8::put_blocks`], with the best instructions that the processor has for it.
pub(crate) fn put_blocks<C: Character>(blocks: &[[C; BLOCK]], text: &mut [u8]) -> Option<usize> {
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    if Tier::best() == Tier::Avx512Vbmi2 {
        // SAFETY: only a tier whose instructions the processor has is the best: of this one they are
        // AVX-512 F, BW, VL and VBMI2, and POPCNT.
        return unsafe { x86_64::put_blocks(blocks, text) };
    }
    utf8::put_blocks(blocks, text)
}

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Character};
    use crate::utf8::ROOM;

    /// Each character is made to its bytes in a word of its own, and marks of the same shape say
    /// which of the four count. One instruction moves those together.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,popcnt")]
    pub(super) fn put_blocks<C: Character>(
        blocks: &[[C; BLOCK]],
        text: &mut [u8],
    ) -> Option<usize> {
        let mut end = 0;
        let mut surrogates = 0;
        for block in blocks {
            let to: &mut [u8; ROOM] = text[end..].first_chunk_mut()?;
            let characters = wide(block);
            let beyond_one = not_below(characters, 0x80);
            if beyond_one == 0 {
                let bytes = _mm512_cvtepi32_epi8(characters);
                // SAFETY: sixteen bytes, which is less than there is room for.
                unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), bytes) };
                end += BLOCK;
                continue;
            }
            let last = low_six(characters);
            let two = _mm512_or_si512(shifted_down::<6>(characters), shifted_up::<8>(last));
            let two = _mm512_or_si512(two, all(0x80C0));
            let mut bytes = _mm512_mask_mov_epi32(characters, beyond_one, two);
            let mut marks = _mm512_mask_mov_epi32(all(0xFF), beyond_one, all(0xFFFF));
            let beyond_two = not_below(characters, 0x800);
            if beyond_two != 0 {
                let middle = low_six(shifted_down::<6>(characters));
                let three = _mm512_or_si512(
                    _mm512_or_si512(shifted_down::<12>(characters), all(0x80_80E0)),
                    _mm512_or_si512(shifted_up::<8>(middle), shifted_up::<16>(last)),
                );
                bytes = _mm512_mask_mov_epi32(bytes, beyond_two, three);
                marks = _mm512_mask_mov_epi32(marks, beyond_two, all(0xFF_FFFF));
                let surrogate = _mm512_and_si512(characters, all(0xFFFF_F800));
                surrogates |= _mm512_cmpeq_epi32_mask(surrogate, all(0xD800));
                let beyond_three = not_below(characters, 0x1_0000);
                if beyond_three != 0 {
                    let second = low_six(shifted_down::<12>(characters));
                    let four = _mm512_or_si512(
                        _mm512_or_si512(shifted_down::<18>(characters), all(0x8080_80F0)),
                        _mm512_or_si512(
                            _mm512_or_si512(shifted_up::<8>(second), shifted_up::<16>(middle)),
                            shifted_up::<24>(last),
                        ),
                    );
                    bytes = _mm512_mask_mov_epi32(bytes, beyond_three, four);
                    marks = _mm512_mask_mov_epi32(marks, beyond_three, all(u32::MAX));
                }
            }
            let marks = _mm512_movepi8_mask(marks);
            let together = _mm512_maskz_compress_epi8(marks, bytes);
            // SAFETY: there is room for a block whose characters have four bytes each.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), together) };
            end += marks.count_ones() as usize;
        }
        (surrogates == 0).then_some(end)
    }

    /// A word for each character.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn wide<C: Character>(block: &[C; BLOCK]) -> __m512i {
        let first = block.as_ptr();
        // SAFETY: each load is as long as the block, and needs no alignment.
        unsafe {
            match size_of::<C>() {
                1 => _mm512_cvtepu8_epi32(_mm_loadu_si128(first.cast())),
                2 => _mm512_cvtepu16_epi32(_mm256_loadu_si256(first.cast())),
                _ => _mm512_loadu_si512(first.cast()),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn all(word: u32) -> __m512i {
        _mm512_set1_epi32(word as i32)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn low_six(words: __m512i) -> __m512i {
        _mm512_and_si512(words, all(0x3F))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn shifted_down<const BITS: u32>(words: __m512i) -> __m512i {
        _mm512_srli_epi32::<BITS>(words)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn shifted_up<const BITS: u32>(words: __m512i) -> __m512i {
        _mm512_slli_epi32::<BITS>(words)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn not_below(words: __m512i, word: u32) -> __mmask16 {
        _mm512_cmpge_epu32_mask(words, all(word))
    }
}
