"""Long texts, whose characters are read where they lie."""

from __future__ import annotations

import random
import sys
import sysconfig

import pytest
from conftest import GOLDEN, PATTERNS, golden_ranks, run_python
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer_py import Tokenizer, _native, tiktoken

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
IN_PLACE = pytest.mark.skipif(
    FREE_THREADED or sys.implementation.name != "cpython" or sys.version_info >= (3, 16),
    reason="nobody knows how a str lies there",
)
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


def texts(alphabet, seed):
    """Single characters, runs of one, and blocks of plain text between them."""
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


@IN_PLACE
@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_characters_are_read_in_place(alphabet):
    for seed in range(40):
        text = texts(alphabet, seed)
        assert _native._long_utf8(text) == text.encode()


@IN_PLACE
@settings(deadline=None)
@given(st.text(min_size=1))
def test_any_text_is_read_in_place(text):
    text = "\u00e9" + text * (LONG // len(text) + 1)
    try:
        utf8 = text.encode()
    except UnicodeEncodeError:
        utf8 = None
    assert _native._long_utf8(text) == utf8


def test_what_is_left_to_python():
    class Derived(str):
        pass

    assert _native._long_utf8("\u00e9" * 100) is None
    assert _native._long_utf8("plain" * LONG) is None
    assert _native._long_utf8(Derived("\u00e9" * LONG)) is None
    for place in (0, 7, LONG - 1):
        for fill in ("\u00e9", "\u4e2d", "\U0001f600"):
            text = fill * place + "\udc80" + fill * (LONG - place)
            assert _native._long_utf8(text) is None


def test_the_stable_abi_reads_nothing_in_place():
    code = "from tokenizer_py import _native; print(_native._long_utf8('\\u00e9' * 20_000))"
    assert run_python(code, TOKENIZER_PY_STABLE_ABI="1").strip() == "None"


def test_once_and_again():
    """A text that comes again is known by CPython; the ids are the same."""
    tokenizer = Tokenizer.from_file(GOLDEN / "cl100k.tiktoken", pattern="cl100k")
    encoding = tiktoken.Encoding(
        "x",
        pat_str=PATTERNS["cl100k"],
        mergeable_ranks=golden_ranks("cl100k"),
        special_tokens={},
    )
    for alphabet in ALPHABETS.values():
        text = texts(alphabet, 3)
        ids = tokenizer.encode(text.encode())
        for _ in range(3):
            assert tokenizer.encode(text) == ids
            assert tokenizer.encode_numpy(text).tolist() == ids
            assert tokenizer.count(text) == len(ids)
            assert encoding.encode_ordinary(text) == ids
            assert encoding.encode(text) == ids


def test_surrogates_of_long_texts():
    tokenizer = Tokenizer.from_file(GOLDEN / "cl100k.tiktoken", pattern="cl100k")
    text = "\u4e2d" * LONG + "\udc80"
    for call in (tokenizer.encode, tokenizer.encode_numpy, tokenizer.count):
        with pytest.raises(UnicodeEncodeError):
            call(text)
