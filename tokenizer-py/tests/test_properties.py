"""Ids equal those of tiktoken and rustbpe for arbitrary text."""

from __future__ import annotations

import pytest
import rustbpe
import tiktoken
from conftest import PATTERNS, golden_ranks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tokenizer_py
from tokenizer_py import rustbpe as our_rustbpe
from tokenizer_py import tiktoken as our_tiktoken

# The classes that the patterns distinguish: letters by case, digits, spaces, line ends, apostrophes, marks.
TELLING = st.text("aA1 \t\r\n'sSſtTlLdDvVeErRmMK\u00e9\u0301\u2028\u3000\u4e00\u0661½!/<|>", max_size=30)
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=60)
VALID = st.text(max_size=60)
SETTINGS = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def encodings(pattern):
    arguments = {
        "pat_str": PATTERNS[pattern],
        "mergeable_ranks": golden_ranks(pattern),
        "special_tokens": {"<|s|>": 2048, "<": 2050},
    }
    return [module.Encoding("x", **arguments) for module in (our_tiktoken, tiktoken)]


PAIRS = {pattern: encodings(pattern) for pattern in PATTERNS}


@pytest.mark.parametrize("pattern", PATTERNS)
@SETTINGS
@given(text=TELLING | ANYTHING)
def test_encoding(pattern, text):
    ours, theirs = PAIRS[pattern]
    ids = theirs.encode_ordinary(text)
    assert ours.encode_ordinary(text) == ids
    assert ours.encode_ordinary_batch([text, text]) == [ids, ids]
    assert ours.encode(text, allowed_special="all") == theirs.encode(text, allowed_special="all")
    assert ours.encode(text, disallowed_special=()) == ids
    assert ours.decode(ids) == theirs.decode(ids)


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=60, deadline=None)
@given(text=TELLING | VALID)
def test_unstable_endings(pattern, text):
    ours, theirs = PAIRS[pattern]
    for allowed in ((), ("<|s|>",)):
        rules = {"allowed_special": set(allowed), "disallowed_special": ()}
        one, two = (e.encode_with_unstable(text, **rules) for e in (ours, theirs))
        assert one[0] == two[0]
        assert sorted(one[1]) == sorted(map(list, two[1]))


@pytest.mark.parametrize("pattern", PATTERNS)
@SETTINGS
@given(data=st.binary(max_size=20) | TELLING.map(lambda text: text.encode()[:-1]))
def test_bytes_that_end_within_a_character(pattern, data):
    ours, theirs = PAIRS[pattern]
    assert ours._encode_bytes(data) == theirs._encode_bytes(data)


@SETTINGS
@given(ids=st.lists(st.integers(0, 2047), max_size=30))
def test_decoding(ids):
    ours, theirs = PAIRS["cl100k"]
    assert ours.decode(ids) == theirs.decode(ids)
    assert ours.decode_bytes(ids) == theirs.decode_bytes(ids)
    for errors in ("replace", "ignore", "backslashreplace"):
        assert ours.decode(ids, errors) == theirs.decode(ids, errors)


@SETTINGS
@given(data=st.binary(max_size=60))
def test_any_bytes_come_back(data):
    tokenizer = tokenizer_py.Tokenizer.from_bytes(MODEL)
    assert tokenizer.decode_bytes(tokenizer.encode(data)) == data
    assert tokenizer.encode_numpy(data).tolist() == tokenizer.encode(data)


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(TELLING | VALID | st.text("ab", max_size=40), max_size=12),
    vocab_size=st.integers(256, 330),
    pattern=st.sampled_from([None, *PATTERNS.values(), "[a-z]+", r"\w+"]),
    buffer_size=st.integers(1, 5),
)
def test_training(texts, vocab_size, pattern, buffer_size):
    ours, theirs = our_rustbpe.Tokenizer(), rustbpe.Tokenizer()
    for tokenizer in (ours, theirs):
        tokenizer.train_from_iterator(texts, vocab_size, buffer_size, pattern)
    assert ours.get_mergeable_ranks() == theirs.get_mergeable_ranks()
    assert ours.batch_encode(texts) == theirs.batch_encode(texts)


def model() -> bytes:
    trainer = our_rustbpe.Tokenizer()
    trainer.train_from_iterator(["some text that is not long, and some more text"] * 3, 280)
    return trainer.__reduce__()[2]


MODEL = model()
