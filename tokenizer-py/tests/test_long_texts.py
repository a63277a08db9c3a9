"""Long texts: conversion between `str` and UTF-8."""

from __future__ import annotations

import itertools
import random
import sys

import numpy as np
import pytest
from conftest import GOLDEN, PATTERNS, golden_ranks
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer_py import Tokenizer, rustbpe, tiktoken

#: Longer than what is left to CPython.
LONG = 20_000
ALPHABETS = {
    "latin": "plain text, d\u00e9j\u00e0 vu",
    "latin of two bytes": "\u00e9\u00ff\u0080",
    "quotes": "mostly plain \u201ctext\u201d",
    "cyrillic": "\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440",
    "chinese": "\u4e2d\u6587\uffff\u0800\u3000",
    "emoji": "a\u00e9\u4e2d\U0001f600",
    "planes": "\U00010000\U0010ffff",
    "edges": "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000",
}


def native():
    return Tokenizer.from_file(GOLDEN / "cl100k.tiktoken", pattern="cl100k")


def stand_in(special_tokens=None):
    return tiktoken.Encoding(
        "x",
        pat_str=PATTERNS["cl100k"],
        mergeable_ranks=golden_ranks("cl100k"),
        special_tokens=special_tokens or {},
    )


def texts(alphabet, seed):
    """Single characters, runs of one character, and blocks of ASCII between them."""
    chance = random.Random(seed)
    parts, length = [], 0
    while length < LONG + seed % 40:
        part = chance.choice(
            [
                chance.choice(alphabet),
                chance.choice(alphabet) * chance.randrange(40),
                "plain " * chance.randrange(9),
                "".join(chance.choices(alphabet, k=chance.randrange(60))),
            ]
        )
        parts.append(part)
        length += len(part)
    return "".join(parts)


def bytes_only():
    """A model whose ids are the bytes of the text."""
    return tiktoken.Encoding(
        "x",
        pat_str="(?s:.)",
        mergeable_ranks={bytes([byte]): byte for byte in range(256)},
        special_tokens={},
    )


BYTES = bytes_only()


@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_characters_are_read(alphabet):
    for seed in range(40):
        text = texts(alphabet, seed)
        assert bytes(BYTES.encode_ordinary(text)) == text.encode()


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1))
def test_any_text_is_read(text):
    text = "\u00e9" + text * (LONG // len(text) + 1)
    tokenizer = Tokenizer.from_tiktoken(BYTES)
    try:
        utf8 = text.encode()
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            tokenizer.encode(text)
    else:
        assert bytes(tokenizer.encode(text)) == utf8


def test_every_character_is_read():
    """Including blocks with every mix of lengths."""
    every = "".join(chr(n) for n in range(0x110000) if not 0xD800 <= n < 0xE000)
    mixes = itertools.product("a\u00e9\u4e2d\U0001f600", repeat=6)
    mixed = "".join("".join(mix) * 3 for mix in mixes)
    for text in (every, every[1:0xD000], every[0x80:0x100] * 200, mixed, mixed[5:]):
        assert BYTES.encode_to_numpy(text).astype("u1").tobytes() == text.encode()


def test_a_surrogate_anywhere():
    tokenizer = native()
    for place in (0, 7, LONG - 1):
        for fill in ("\u00e9", "\u4e2d", "\U0001f600"):
            text = fill * place + "\udc80" + fill * (LONG - place)
            with pytest.raises(UnicodeEncodeError) as raised:
                tokenizer.encode(text)
            assert raised.value.start == place


def test_once_and_again():
    tokenizer = native()
    encoding = stand_in()
    for alphabet in ALPHABETS.values():
        text = texts(alphabet, 3)
        ids = tokenizer.encode(text.encode())
        for _ in range(3):
            assert tokenizer.encode(text) == ids
            assert tokenizer.encode_numpy(text).tolist() == ids
            assert tokenizer.count(text) == len(ids)
            assert encoding.encode_ordinary(text) == ids
            assert encoding.encode(text) == ids


@pytest.mark.parametrize(
    "encode",
    [
        lambda: native().encode,
        lambda: native().encode_numpy,
        lambda: stand_in().encode_ordinary,
        lambda: rustbpe.Tokenizer().encode,
    ],
    ids=["encode", "encode_numpy", "encode_ordinary", "rustbpe"],
)
def test_a_long_text_does_not_grow(encode):
    """Encoding leaves no cached UTF-8 in a long `str`."""
    encode, text = encode(), texts(ALPHABETS["cyrillic"], 4)
    size = sys.getsizeof(text)
    for _ in range(3):
        encode(text)
        assert sys.getsizeof(text) == size


def test_surrogates_of_long_texts():
    tokenizer = native()
    text = "\u4e2d" * LONG + "\udc80"
    for call in (tokenizer.encode, tokenizer.encode_numpy, tokenizer.count):
        with pytest.raises(UnicodeEncodeError):
            call(text)


def decoded(utf8):
    return BYTES.decode(np.frombuffer(utf8, np.uint8))


@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_characters_are_written(alphabet):
    for seed in range(40):
        text = texts(alphabet, seed)
        made = decoded(text.encode())
        assert made == text
        # It has the canonical width, the same hash and a terminating zero.
        assert sys.getsizeof(made) == sys.getsizeof(text)
        assert hash(made) == hash(text)
        assert (made + "!").encode() == text.encode() + b"!"
        assert {made: 1}[text] == 1


@settings(deadline=None)
@given(st.binary(max_size=40), st.sampled_from(["", "plain", "\u00e9", "\u4e2d\u6587", "\U0001f600"]))
def test_any_bytes_are_written(some, fill):
    """At every position within a block."""
    for before in range(0, 20, 3):
        whole = b"x" * before + fill.encode() * 70 + some + fill.encode() * 70
        made = decoded(whole)
        assert made == whole.decode(errors="replace")
        assert sys.getsizeof(made) == sys.getsizeof(whole.decode(errors="replace"))


def test_every_character_is_written():
    characters = [chr(n) for n in range(0x110000) if not 0xD800 <= n < 0xE000]
    for step in (1, 3, 0x1000):
        ordered = "".join("".join(characters[start::step]) for start in range(step))
        assert decoded(ordered.encode()) == ordered


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x80",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xff",
        b"\xe4\xb8",
        b"\xf0\x9f\x98",
    ],
)
def test_what_is_not_utf8(wrong):
    for fill in ("x", "\u00e9", "\u4e2d", "\U0001f600"):
        for before in range(20):
            for times in (1, 2, 4, 5):
                whole = b"x" * before + fill.encode() * 99 + wrong * times + fill.encode() * 99
                assert decoded(whole) == whole.decode(errors="replace")
        with pytest.raises(UnicodeDecodeError):
            BYTES.decode(list(whole), "strict")


def in_many_parts(alphabet, end="<|endoftext|>"):
    """Special tokens everywhere."""
    parts = [texts(alphabet, seed) + end[: seed % 14] + end for seed in range(12)]
    return "".join(parts)


@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_texts_of_many_parts(alphabet):
    """Equal ids for `str`, `bytes` and any number of threads."""
    tokenizer = native()
    text = in_many_parts(alphabet)
    ids = tokenizer.encode(text.encode())
    assert tokenizer.encode(text) == ids
    assert tokenizer.encode_numpy(text[:-1] + text[-1:]).tolist() == ids
    assert tokenizer.encode_numpy(text[:-1] + text[-1:], threads=2).tolist() == ids
    encoding = stand_in({"<|endoftext|>": 5000})
    assert encoding.encode_ordinary(text[:-1] + text[-1:]) == ids
    allowed = encoding.encode(text, allowed_special="all")
    assert encoding.decode(allowed) == text
    assert allowed.count(5000) >= 12


@pytest.mark.parametrize("unit", [" ", "\n", ",", "\u0663", "\u4e2d", "a", "1", " \n"])
def test_texts_with_few_piece_boundaries(unit):
    """Very long pieces, also after text with many piece boundaries."""
    tokenizer = native()
    endless = unit * (400_000 // len(unit))
    for text in ("\u00e9" + endless, texts(ALPHABETS["cyrillic"], 1) * 5 + endless + " end"):
        ids = tokenizer.encode(text.encode())
        assert tokenizer.encode(text) == ids
        assert tokenizer.encode_numpy(text[:-1] + text[-1:]).tolist() == ids


def test_a_surrogate_in_a_later_part():
    tokenizer = native()
    encoding = stand_in()
    text = in_many_parts(ALPHABETS["chinese"])
    broken, repaired = text + "\udc80" + text, text + "\ufffd" + text
    with pytest.raises(UnicodeEncodeError):
        tokenizer.encode(broken)
    assert encoding.encode_ordinary(broken) == encoding.encode_ordinary(repaired)


def test_a_str_subclass_with_a_wrong_length():
    class Derived(str):
        def __len__(self):
            raise RuntimeError("not asked for")

    tokenizer = native()
    text = "\u00e9" * LONG
    assert tokenizer.encode(Derived(text)) == tokenizer.encode(text)
