"""Training learns exactly the merges of rustbpe."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import subprocess
import sys

import pytest
import rustbpe as theirs
from conftest import FIXTURES, GOLDEN, PATTERNS, SHARED, documents, hard_cases, read_text, shared

from tokenizer_py import rustbpe as ours

TRAINING = json.loads((GOLDEN / "training.json").read_text())


def trained(module, texts, vocab_size, **options):
    tokenizer = module.Tokenizer()
    tokenizer.train_from_iterator(iter(texts), vocab_size, **options)
    return tokenizer


def assert_same(texts, vocab_size, **options):
    one = trained(ours, texts, vocab_size, **options)
    two = trained(theirs, texts, vocab_size, **options)
    assert one.get_mergeable_ranks() == two.get_mergeable_ranks()
    assert one.get_pattern() == two.get_pattern()
    assert one.vocab_size == two.vocab_size
    return one, two


@pytest.mark.parametrize(
    ("pattern", "vocab_size", "sha256"),
    [
        (pattern, case["vocab_size"], case["sha256"])
        for pattern, cases in TRAINING.items()
        for case in cases
    ],
)
def test_the_golden_tables(corpus, pattern, vocab_size, sha256):
    tokenizer = trained(ours, [corpus], vocab_size, pattern=PATTERNS[pattern])
    lines = (
        base64.b64encode(token) + b" " + str(rank).encode() + b"\n"
        for token, rank in tokenizer.get_mergeable_ranks()
    )
    assert hashlib.sha256(b"".join(lines)).hexdigest() == sha256


@pytest.mark.parametrize("pattern", [None, *PATTERNS.values()], ids=["default", *PATTERNS])
def test_every_pattern_on_hard_cases(corpus, pattern):
    texts = hard_cases() + documents(corpus[:60_000], 500)
    one, two = assert_same(texts, 1500, pattern=pattern)
    for text in texts:
        assert one.encode(text) == two.encode(text), text


@pytest.mark.parametrize("pattern", ["[a-z]+", r"\w+|[^\w\s]+", "", ".", "a|b", r"x*"])
def test_patterns_that_leave_gaps_drop_them(corpus, pattern):
    one, two = assert_same(documents(corpus[:40_000]), 400, pattern=pattern)
    for text in hard_cases():
        assert one.encode(text) == two.encode(text), text


def test_a_second_training_starts_afresh(corpus):
    one, two = ours.Tokenizer(), theirs.Tokenizer()
    for tokenizer in (one, two):
        tokenizer.train_from_iterator([corpus[:9000]], 400)
        tokenizer.train_from_iterator([corpus[9000:30000]], 300, pattern=PATTERNS["o200k"])
    assert one.get_mergeable_ranks() == two.get_mergeable_ranks()
    assert one.get_pattern() == two.get_pattern()


@pytest.mark.parametrize("buffer_size", [1, 2, 7, 8192, 1 << 40])
def test_the_buffer_changes_nothing(corpus, buffer_size):
    texts = documents(corpus[:50_000], 300)
    plain = trained(ours, texts, 500)
    other = trained(ours, texts, 500, buffer_size=buffer_size)
    assert other.get_mergeable_ranks() == plain.get_mergeable_ranks()


def test_documents_of_many_megabytes(corpus):
    """More bytes than a batch holds, in one document and in many."""
    long = trained(ours, [corpus * 15, corpus, corpus], 400)
    many = trained(ours, [corpus] * 17, 400)
    pieces = lambda t: [token for token, _ in t.get_mergeable_ranks()]  # noqa: E731
    assert len(pieces(long)) == len(pieces(many)) == 400


@pytest.mark.parametrize(
    ("name", "size", "vocab_size"),
    [
        ("tinyshakespeare.txt", None, 8192),
        ("english_prose.txt", 8_000_000, 4096),
        ("multilingual.txt", 6_000_000, 4096),
        ("web_mix.txt", 2_000_000, 2048),
    ],
)
@pytest.mark.parametrize("pattern", ["nanochat", "cl100k", "o200k"])
def test_shared_corpora(name, size, vocab_size, pattern):
    if pattern != "nanochat":
        size, vocab_size = 1_000_000, 1024
    text = shared("corpora", name).read_bytes()[:size].decode("utf-8", "ignore")
    assert_same(documents(text), vocab_size, pattern=PATTERNS[pattern])


@pytest.mark.parametrize("name", ["english_prose", "multilingual", "web_mix", "source_code"])
def test_whole_shared_corpora(name, tmp_path):
    if name == "source_code":
        # From the standard library of this Python.
        path = tmp_path / "source_code.txt"
        generator = shared("make_code_corpus.py")
        subprocess.run([sys.executable, generator, path], check=True, capture_output=True)
    else:
        path = shared("corpora", f"{name}.txt")
    assert_same(documents(read_text(path)), 32_768, pattern=PATTERNS["nanochat"])


ADVERSARIAL = sorted(
    path.name
    for path in (SHARED / "corpora" / "adversarial").glob("*")
    if path.suffix in (".txt", ".jsonl")
)


@pytest.mark.parametrize("name", ADVERSARIAL or ["long_word.txt"])
def test_adversarial_corpora(name):
    text = read_text(shared("corpora", "adversarial", name))
    # rustbpe scans a whole long word for each merge.
    vocab_size = 260 if name == "long_word.txt" else 600
    try:
        want = trained(theirs, [text], vocab_size, pattern=PATTERNS["nanochat"])
    except BaseException as error:  # noqa: BLE001
        if type(error).__name__ != "PanicException":
            raise
        want = None
    one = trained(ours, [text], vocab_size, pattern=PATTERNS["nanochat"])
    if want is not None:
        assert one.get_mergeable_ranks() == want.get_mergeable_ranks()


def random_corpus(chosen):
    """A few documents with few letters: equal counts and overlapping pairs."""
    alphabet = chosen.choice(["a", "ab", "ab ", "abc \n", "aé", "abcdefgh .'1\n", "ab中é🙂 "])
    weights = [chosen.choice([1, 1, 2, 8]) for _ in alphabet]
    longest = chosen.choice([3, 20, 200])
    texts = []
    for _ in range(chosen.randrange(1, 25)):
        letters = chosen.choices(alphabet, weights, k=chosen.randrange(longest + 1))
        texts.append("".join(letters) * chosen.choice([1, 1, 1, 2, 7]))
    return texts


@pytest.mark.parametrize("seed", range(20))
def test_random_small_corpora(seed):
    """Twenty cases of fifty documents."""
    chosen = random.Random(seed)
    patterns = [None, *PATTERNS.values(), "(?s).+", "(?s).{1,5}", "[^ ]+| +"]
    for number in range(50):
        texts = random_corpus(chosen)
        vocab_size = 256 + chosen.choice([0, 1, 2, 5, 10, 50, 300])
        pattern = chosen.choice(patterns)
        one = trained(ours, texts, vocab_size, pattern=pattern).get_mergeable_ranks()
        two = trained(theirs, texts, vocab_size, pattern=pattern).get_mergeable_ranks()
        assert one == two, (number, texts, vocab_size, pattern)


def test_the_demo():
    text = read_text(FIXTURES / "merges_demo" / "demo.txt")
    lines = (FIXTURES / "merges_demo" / "demo_merges.tsv").read_text().splitlines()
    steps = [line.split("\t") for line in lines if line and not line.startswith("#")]
    tokenizer = trained(ours, [text], 256 + len(steps), pattern=PATTERNS["gpt2"])
    table = tokenizer.get_mergeable_ranks()
    for step in steps:
        left, right, new = map(int, step[1:4])
        assert table[new] == (table[left][0] + table[right][0], new)
