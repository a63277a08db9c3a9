"""Ids of ``tokenizers`` with the published files of Qwen and DeepSeek, on whole corpora.

They are encoded as ``tokenizers`` does by default: added tokens are found in the text. The large
corpora go through it in documents of some lines, the adversarial ones in one piece.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tokenizers
from conftest import FIXTURES, SHARED, documents, hard_cases, read_text, shared

from tokenizer_py import Tokenizer

FILES = sorted(
    path.relative_to(SHARED / "corpora").as_posix()
    for path in (SHARED / "corpora").rglob("*")
    if path.suffix in (".txt", ".jsonl")
)


@functools.lru_cache(maxsize=None)
def both(name):
    path = shared("vocabs", name, "tokenizer.json")
    return Tokenizer.from_file(path), tokenizers.Tokenizer.from_file(str(path))


def assert_same_ids(name, texts):
    ours, theirs = both(name)
    # In batches: the encodings of `tokenizers` are large.
    for start in range(0, len(texts), 1000):
        some = texts[start : start + 1000]
        for text, want in zip(some, theirs.encode_batch_fast(some, add_special_tokens=False)):
            got = np.array(ours.encode(text, allowed_special="all"), dtype=np.uint32)
            assert np.array_equal(got, want.ids), repr(text[:80])


@pytest.mark.parametrize("name", ["qwen", "deepseek"])
@pytest.mark.parametrize("file", FILES or ["english_prose.txt"])
def test_whole_files(name, file):
    text = read_text(shared("corpora", *file.split("/")))
    assert_same_ids(name, [text] if file.startswith("adversarial/") else documents(text))


@pytest.mark.parametrize("name", ["qwen", "deepseek"])
def test_short_texts(name):
    assert_same_ids(name, [*hard_cases(), *read_text(FIXTURES / "corpus.txt").split("\n")])
