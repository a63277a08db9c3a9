"""Ids equal tiktoken's with OpenAI's tables on whole corpora, including adversarial ones.

Texts on which tiktoken's regex engine fails are not compared.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys

import numpy as np
import pytest
import tiktoken
from conftest import (
    PATTERN_OF_ENCODING,
    PATTERNS,
    SHARED,
    documents,
    load_ranks,
    read_text,
    shared,
)

from tokenizer_py import Tokenizer
from tokenizer_py import tiktoken as ours

FILES = sorted(
    path.relative_to(SHARED / "corpora").as_posix()
    for path in (SHARED / "corpora").rglob("*")
    if path.suffix in (".txt", ".jsonl")
)


@functools.lru_cache(maxsize=None)
def encodings(name):
    """Returns our drop-in class, tiktoken's class and the native class with one of OpenAI's tables."""
    path = shared("vocabs", f"{name}.tiktoken")
    pattern = PATTERN_OF_ENCODING[name]
    arguments = {
        "pat_str": PATTERNS[pattern],
        "mergeable_ranks": load_ranks(path),
        "special_tokens": {"<|endoftext|>": 299_999},
    }
    native = Tokenizer.from_file(path, pattern)
    return ours.Encoding(name, **arguments), tiktoken.Encoding(name, **arguments), native


@pytest.fixture(scope="module")
def source_code(tmp_path_factory):
    """The corpus of source code that a shared script generates from Python's standard library."""
    path = tmp_path_factory.mktemp("corpus") / "source_code.txt"
    generator = shared("make_code_corpus.py")
    subprocess.run([sys.executable, generator, path], check=True, capture_output=True)
    return read_text(path)


@pytest.mark.parametrize("name", PATTERN_OF_ENCODING)
@pytest.mark.parametrize("file", FILES or ["english_prose.txt"])
def test_whole_files(name, file):
    text = read_text(shared("corpora", *file.split("/")))
    assert_same_ids(name, text)


@pytest.mark.parametrize("name", PATTERN_OF_ENCODING)
def test_source_code(name, source_code):
    assert_same_ids(name, source_code)


def assert_same_ids(name, text):
    """In one call, and as documents with two threads."""
    one, two, native = encodings(name)
    try:
        want = two.encode_to_numpy(text, disallowed_special=())
    except BaseException as error:  # noqa: BLE001
        if type(error).__name__ != "PanicException" and not isinstance(error, ValueError):
            raise
        want = None
    got = one.encode_to_numpy(text, disallowed_special=())
    if want is not None:
        assert np.array_equal(got, want)
    assert one.decode_bytes(got.tolist()) == text.encode()
    assert np.array_equal(native.encode_numpy(text.encode(), threads=2), got)
    texts = documents(text)
    if len(texts) == 1:
        return
    ids, offsets = native.encode_batch_numpy(texts, threads=2)
    assert len(offsets) == len(texts) + 1
    for each, start, end in zip(texts, offsets, offsets[1:]):
        assert np.array_equal(native.encode_numpy(each), ids[start:end])


@pytest.mark.parametrize("name", PATTERN_OF_ENCODING)
def test_short_strings_in_a_batch(name):
    path = shared("corpora", "adversarial", "short_strings.jsonl")
    texts = [json.loads(line)["text"] for line in read_text(path).splitlines()]
    one, two, native = encodings(name)
    want = two.encode_ordinary_batch(texts, num_threads=2)
    assert one.encode_ordinary_batch(texts, num_threads=2) == want
    assert one.encode_batch(texts, num_threads=2, disallowed_special=()) == want
    ids, offsets = native.encode_batch_numpy(texts, threads=2)
    assert ids.tolist() == [id for ids in want for id in ids]
    assert np.diff(offsets).tolist() == [len(ids) for ids in want]


@pytest.mark.parametrize(
    "file", ["random_bytes.bin", "invalid_utf8.bin", "all_bytes.bin", "truncated_at_end.bin"]
)
def test_bytes_that_are_not_utf8(file):
    data = shared("corpora", "adversarial", file).read_bytes()
    _, _, native = encodings("cl100k_base")
    assert native.decode_bytes(native.encode(data)) == data
