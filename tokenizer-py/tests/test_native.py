"""The native class: batches, prepended and appended ids, offsets, limits, streams, matrices."""

from __future__ import annotations

import pickle
import threading
import time

import numpy as np
import pytest
import tiktoken
import tokenizers
from conftest import GOLDEN, PATTERNS, documents, golden_ranks, hard_cases, run_python, shared
from hypothesis import given, settings
from hypothesis import strategies as st

import tokenizer_py
from tokenizer_py import Tokenizer

BOS, EOS = 2048, 2049
SPECIALS = {"<|bos|>": BOS, "<|eos|>": EOS}


def encoding(pattern="cl100k", specials=SPECIALS):
    return tiktoken.Encoding(
        "x",
        pat_str=PATTERNS[pattern],
        mergeable_ranks=golden_ranks(pattern),
        special_tokens=specials,
    )


REFERENCE = encoding()
TOKENIZER = Tokenizer.from_tiktoken(REFERENCE)


@pytest.fixture
def tokenizer():
    return TOKENIZER


def test_from_tiktoken(tokenizer):
    ours = tokenizer_py.tiktoken.Encoding(**REFERENCE.__getstate__())
    for made in (tokenizer, Tokenizer.from_tiktoken(ours)):
        assert made.special_tokens == SPECIALS
        assert made.vocab_size == 2050
        for text in hard_cases():
            want = REFERENCE.encode(text, allowed_special="all")
            assert made.encode(text, allowed_special="all") == want
    for wrong in (None, 3, object()):
        with pytest.raises(AttributeError):
            Tokenizer.from_tiktoken(wrong)
    # Gaps of the pattern are dropped, as in the encoding.
    gaps = tiktoken.Encoding(**{**REFERENCE.__getstate__(), "pat_str": "[a-z]+"})
    assert Tokenizer.from_tiktoken(gaps).encode("ab 12 cd") == gaps.encode("ab 12 cd")


def test_repr(tokenizer):
    assert repr(tokenizer) == (
        "<tokenizer_py.Tokenizer vocab_size=2050 pattern=cl100k, ranks, 2 special tokens>"
    )


TEXTS = ["a<|bos|>b", "", "hello world", b"\xff\xfe", "漢字 \U0001f600"]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("allowed", [(), "all", ["<|bos|>"]])
@pytest.mark.parametrize("before", [None, BOS, "<|bos|>", 97])
@pytest.mark.parametrize("after", [None, "<|eos|>"])
def test_every_way_gives_the_same_ids(tokenizer, threads, allowed, before, after):
    around = {"prepend": before, "append": after}
    front = [] if before is None else [BOS if before == "<|bos|>" else before]
    back = [] if after is None else [EOS]
    want = [front + tokenizer.encode(t, allowed_special=allowed) + back for t in TEXTS]
    rules = {"allowed_special": allowed, **around}
    assert [tokenizer.encode(text, **rules) for text in TEXTS] == want
    assert tokenizer.encode_batch(TEXTS, threads, **rules) == want
    for text, ids in zip(TEXTS, want):
        assert tokenizer.encode_numpy(text, threads, **rules).tolist() == ids
    ids, offsets = tokenizer.encode_batch_numpy(TEXTS, threads, **rules)
    assert ids.tolist() == sum(want, [])
    assert np.diff(offsets).tolist() == [len(row) for row in want]
    matrix, lengths = tokenizer.encode_padded(TEXTS, 0, threads=threads, **rules)
    assert matrix.dtype == np.uint32
    assert lengths.tolist() == [len(row) for row in want]
    assert [row[:n].tolist() for row, n in zip(matrix, lengths)] == want
    counts = tokenizer.count_batch(TEXTS, threads, allowed_special=allowed)
    assert counts == [len(row) - len(front) - len(back) for row in want]
    assert [tokenizer.count(t, threads, allowed_special=allowed) for t in TEXTS] == counts


def test_long_texts_with_affixes(tokenizer, corpus):
    text = corpus * 8
    ids = REFERENCE.encode_ordinary(text)
    assert len(text) > 2 << 20, "long enough to be stoppable"
    for threads in (1, 2):
        rules = {"threads": threads, "prepend": BOS, "append": EOS}
        assert tokenizer.encode_numpy(text, **rules).tolist() == [BOS, *ids, EOS]
        assert tokenizer.encode_batch([text, "a"], **rules)[0] == [BOS, *ids, EOS]
    assert tokenizer.encode(text, prepend=BOS, append=EOS) == [BOS, *ids, EOS]
    assert tokenizer.encode(text, prepend=BOS, allowed_special="all") == [BOS, *ids]


@pytest.mark.parametrize(
    ("affix", "error"),
    [(99999, KeyError), ("<|x|>", ValueError), (-1, OverflowError), (1.5, TypeError), (b"a", TypeError)],
)
def test_invalid_affixes(tokenizer, affix, error):
    for call in (
        lambda: tokenizer.encode("a", prepend=affix),
        lambda: tokenizer.encode("a", append=affix),
        lambda: tokenizer.encode_batch(["a"], append=affix),
        lambda: tokenizer.encode_numpy("a", append=affix),
        lambda: tokenizer.encode_batch_numpy(["a"], append=affix),
        lambda: tokenizer.encode_padded(["a"], 0, append=affix),
    ):
        with pytest.raises(error):
            call()


@pytest.mark.parametrize("threads", [0])
def test_no_threads(tokenizer, threads):
    for call in ("encode_batch", "encode_batch_numpy", "count_batch"):
        with pytest.raises(ValueError, match="at least 1"):
            getattr(tokenizer, call)(["a"], threads)
    with pytest.raises(ValueError, match="at least 1"):
        tokenizer.count("a", threads)


def test_batches_refuse_other_types(tokenizer):
    for call in (tokenizer.encode_batch, tokenizer.count_batch):
        for wrong in ("ab", b"ab", None, 3, ["a", None], [3]):
            with pytest.raises(TypeError):
                call(wrong)
        with pytest.raises(UnicodeEncodeError):
            call(["a", "\ud800"])
        assert call([]) == []


# Matrices


def rows(matrix):
    return matrix[0].tolist()


def test_padding_and_truncation(tokenizer):
    texts = ["", "a", "abcdef"]
    ids = [tokenizer.encode(text) for text in texts]
    width = max(map(len, ids))
    assert rows(tokenizer.encode_padded(texts, pad="<|eos|>")) == [
        row + [EOS] * (width - len(row)) for row in ids
    ]
    assert rows(tokenizer.encode_padded(texts, 7, pad_side="left")) == [
        [7] * (width - len(row)) + row for row in ids
    ]
    long = tokenizer.encode("one two three four")
    matrix, lengths = tokenizer.encode_padded(["one two three four"], 0, 3)
    assert (matrix.tolist(), lengths.tolist()) == ([long[:3]], [3])
    around = {"prepend": BOS, "append": EOS}
    assert rows(tokenizer.encode_padded(["one two three four"], 0, 4, **around)) == [
        [BOS, *long[:2], EOS]
    ]
    assert rows(
        tokenizer.encode_padded(["one two three four"], 0, 4, truncate_side="left", **around)
    ) == [[BOS, *long[-2:], EOS]]
    assert rows(tokenizer.encode_padded(["a"], 0, 5, pad_side="left", **around)) == [
        [0, 0, BOS, *tokenizer.encode("a"), EOS]
    ]


def test_matrices_at_the_edges(tokenizer):
    matrix, lengths = tokenizer.encode_padded([], 0)
    assert (matrix.shape, lengths.shape) == ((0, 0), (0,))
    assert tokenizer.encode_padded([], 0, 4)[0].shape == (0, 4)
    assert tokenizer.encode_padded(["", ""], 0)[0].shape == (2, 0)
    assert tokenizer.encode_padded(["abc"], 0, 0)[1].tolist() == [0]
    assert tokenizer.encode_padded(["a"], 2**32 - 1, 2)[0][0, 1] == 2**32 - 1
    with pytest.raises(ValueError, match="at least 1"):
        tokenizer.encode_padded(["a"], 0, 0, prepend=BOS)
    with pytest.raises(ValueError, match="left"):
        tokenizer.encode_padded(["a"], 0, pad_side="middle")
    with pytest.raises((OverflowError, TypeError)):
        tokenizer.encode_padded(["a"], 0, -1)
    with pytest.raises(MemoryError):
        tokenizer.encode_padded(["a", "b"], 0, 2**62)
    with pytest.raises(ValueError, match="special"):
        tokenizer.encode_padded(["a"], "<|pad|>")


# Offsets

ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.text(
    "aé漢\U0001f600 <|bos|>", max_size=30
)


@settings(max_examples=300, deadline=None)
@given(text=ANY)
def test_offsets(text):
    ids, places = TOKENIZER.encode_with_offsets(text, allowed_special="all")
    assert ids == TOKENIZER.encode(text, allowed_special="all")
    data = text.encode()
    byte_ids, byte_places = TOKENIZER.encode_with_offsets(data, allowed_special="all")
    assert byte_ids == ids
    for id, (start, end) in zip(ids, byte_places):
        assert data[start:end] == TOKENIZER.id_to_token(id)
    # By definition: the characters that the bytes touch.
    of_byte = [n for n, char in enumerate(text) for _ in char.encode()]
    assert places == [(of_byte[start], of_byte[end - 1] + 1) for start, end in byte_places]
    assert TOKENIZER.encode_with_offsets(text)[0] == TOKENIZER.encode(text)


def test_offsets_are_those_of_tokenizers(tmp_path, tokenizer):
    Tokenizer.from_tiktoken(encoding(specials={})).save(tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in hard_cases():
        if not text.isascii():
            continue  # offsets of partial characters differ
        done = theirs.encode(text)
        assert tokenizer.encode_with_offsets(text) == (done.ids, done.offsets)


# Limits


@settings(max_examples=200, deadline=None)
@given(text=ANY, limit=st.integers(0, 30))
def test_limits(text, limit):
    count = TOKENIZER.count(text)
    assert TOKENIZER.count_till_limit(text, limit) == (count if count <= limit else None)
    beginning, tokens = TOKENIZER.truncate(text, limit)
    assert text.startswith(beginning)
    assert tokens <= limit
    assert len(TOKENIZER.encode(beginning)) == tokens
    assert TOKENIZER.truncate(text.encode(), limit) == (beginning.encode(), tokens)
    if count <= limit:
        assert (beginning, tokens) == (text, count)
    # The definition.
    longer = range(len(beginning) + 1, len(text) + 1)
    assert all(len(REFERENCE.encode_ordinary(text[:end])) > limit for end in longer)


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=100, deadline=None)
@given(text=st.binary(max_size=60), limit=st.integers(0, 40))
def test_truncate_bytes(pattern, text, limit):
    """Each maximal invalid sequence is a character."""
    tokenizer = Tokenizer.from_tiktoken(encoding(pattern))
    ends = [0]
    while ends[-1] < len(text):
        rest = text[ends[-1] :]
        # The shortest prefix that is a complete character, or invalid for any continuation.
        one = (n for n in range(1, 5) if len(rest[:n].decode("utf-8", "replace")) == 1)
        ends.append(ends[-1] + max((n for n in one if n <= len(rest)), default=1))
    fits = [end for end in ends if tokenizer.count(text[:end]) <= limit]
    assert tokenizer.truncate(text, limit) == (text[: fits[-1]], tokenizer.count(text[: fits[-1]]))


def test_truncate_a_long_piece(tokenizer):
    text = "这是一个没有标点的很长的中文句子"
    for limit in range(3, 60):
        for times in (1, 1000, 60_000):
            beginning, tokens = tokenizer.truncate(text * times, limit)
            assert beginning and (text * times).startswith(beginning)
            assert tokens == len(REFERENCE.encode_ordinary(beginning)) <= limit
            if len(beginning) < len(text):
                assert len(REFERENCE.encode_ordinary(text[: len(beginning) + 1])) > limit


def test_truncate_by_the_published_encoding():
    ranks = shared("vocabs", "cl100k_base.tiktoken")
    tokenizer = Tokenizer.from_file(ranks, pattern="cl100k")
    beginning, tokens = tokenizer.truncate("这是一个没有标点的很长的中文句子", 8)
    assert (beginning, tokens) == ("这是一个没有标点的", 7)
    assert tokenizer.count(beginning) == 7
    # Nine characters are seven ids, ten characters are nine ids.
    assert tokenizer.count("这是一个没有标点的很") == 9


def test_limits_refuse(tokenizer):
    for call in (tokenizer.truncate, tokenizer.count_till_limit):
        with pytest.raises(TypeError):
            call(3, 3)
        with pytest.raises(OverflowError):
            call("a", -1)
        with pytest.raises(UnicodeEncodeError):
            call("\ud800", 1)


# Streams


@settings(max_examples=200, deadline=None)
@given(text=ANY, sizes=st.lists(st.integers(1, 5), min_size=1), as_bytes=st.booleans())
def test_streams(text, sizes, as_bytes):
    whole = text.encode() if as_bytes else text
    for allowed in ((), "all"):
        stream = TOKENIZER.encode_stream(allowed_special=allowed)
        ids, rest, turn = [], whole, 0
        while rest:
            size = sizes[turn % len(sizes)]
            ids += stream.push(rest[:size])
            rest, turn = rest[size:], turn + 1
        ids += stream.finish()
        assert ids == TOKENIZER.encode(text, allowed_special=allowed)
        stream = TOKENIZER.decode_stream()
        assert "".join(map(stream.push, ids)) + stream.finish() == text
        stream = TOKENIZER.decode_stream(skip_special_tokens=True)
        assert stream.push(ids) + stream.finish() == TOKENIZER.decode(ids, skip_special_tokens=True)


def test_streams_return_complete_characters(tokenizer):
    stream = tokenizer.decode_stream()
    assert [stream.push(byte) for byte in "é".encode()] == ["", "é"]
    assert stream.push("漢".encode()[0]) == ""
    assert stream.finish() == "\ufffd"


def test_streams_that_are_finished(tokenizer):
    for stream, more in (
        (tokenizer.encode_stream(), "a"),
        (tokenizer.decode_stream(), 97),
    ):
        stream.finish()
        for _ in range(2):
            with pytest.raises(ValueError, match="finished"):
                stream.push(more)
            with pytest.raises(ValueError, match="finished"):
                stream.finish()


def test_streams_refuse_invalid_arguments(tokenizer):
    stream = tokenizer.encode_stream()
    for wrong, error in [(3, TypeError), (None, TypeError), ("\ud800", UnicodeEncodeError)]:
        with pytest.raises(error):
            stream.push(wrong)
    assert stream.push("a") + stream.finish() == tokenizer.encode("a")
    stream = tokenizer.decode_stream()
    for wrong, error in [(99999, KeyError), (-1, OverflowError), ("a", TypeError), (1.5, TypeError)]:
        with pytest.raises(error):
            stream.push(wrong)
    assert stream.push([97, 98]) == "ab"
    with pytest.raises(ValueError, match="unknown special token"):
        tokenizer.encode_stream(allowed_special=["<|x|>"])


def test_a_stream_from_many_threads(tokenizer):
    stream = tokenizer.encode_stream()
    text = "some words, and more. " * 20_000
    outcomes = []

    def run():
        try:
            outcomes.append(len(stream.push(text)))
        except RuntimeError as error:
            assert "another call" in str(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count = sum(outcomes) + len(stream.finish())
    assert count == tokenizer.count(text * len(outcomes))


# Decoding


def test_skip_special_tokens(tokenizer):
    ids = [BOS, *tokenizer.encode("hello"), EOS, 97]
    assert tokenizer.decode(ids) == "<|bos|>hello<|eos|>a"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "helloa"
    assert tokenizer.decode_bytes(ids, skip_special_tokens=True) == b"helloa"
    assert tokenizer.decode(np.array(ids), skip_special_tokens=True) == "helloa"
    batch = [ids, [], np.array([97])]
    assert tokenizer.decode_batch(batch) == ["<|bos|>hello<|eos|>a", "", "a"]
    assert tokenizer.decode_batch(batch, skip_special_tokens=True) == ["helloa", "", "a"]
    with pytest.raises(KeyError):
        tokenizer.decode([BOS, 99999], skip_special_tokens=True)
    with pytest.raises(UnicodeDecodeError):
        tokenizer.decode_batch([[255]], "strict")
    for wrong in (3, [3], None, ["a"]):
        with pytest.raises(TypeError):
            tokenizer.decode_batch(wrong)


# Vocabulary


def test_vocabulary(tokenizer):
    assert tokenizer.vocab == golden_ranks("cl100k")
    assert list(tokenizer.vocab.values()) == sorted(tokenizer.vocab.values())
    merges = tokenizer.merges
    assert [left + right for left, right in merges] == list(golden_ranks("cl100k"))[256:]


def test_merges_are_those_of_the_training(corpus):
    trained = Tokenizer.train(iterator=documents(corpus), vocab_size=600, pattern="gpt2")
    ranks = Tokenizer.from_tiktoken(
        tiktoken.Encoding(
            "x", pat_str=PATTERNS["gpt2"], mergeable_ranks=trained.vocab, special_tokens={}
        )
    )
    assert len(trained.merges) == 344
    assert ranks.merges == trained.merges


def test_long_tokens_take_linear_time():
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += ["é".encode() * 2**n for n in range(16)]
    # Continuations of parts of "é": the results are tokens that are not UTF-8.
    whole = [("é" * 2**n).encode() + b"\xc3" for n in range(16)]
    tokens += whole + [token[1:] for token in whole]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    rules = {"pat_str": PATTERNS["gpt2"], "mergeable_ranks": ranks, "special_tokens": {}}
    ours, theirs = (module.Encoding("x", **rules) for module in (tokenizer_py.tiktoken, tiktoken))
    started = time.monotonic()
    merges = Tokenizer.from_tiktoken(ours).merges
    stable, completions = ours.encode_with_unstable("é")
    assert time.monotonic() - started < 30
    assert (("é" * 2**14).encode(), ("é" * 2**14).encode()) in merges
    assert (("é" * 2**15).encode(), b"\xc3") in merges
    want_stable, want = theirs.encode_with_unstable("é")
    assert stable == want_stable
    assert sorted(completions) == sorted(map(list, want))


def test_token_bytes(tokenizer):
    lengths = tokenizer.token_bytes()
    assert (lengths.dtype, lengths.shape) == (np.int32, (2050,))
    assert lengths[BOS] == lengths[EOS] == 0
    assert all(lengths[id] == len(token) for token, id in tokenizer.vocab.items())
    # Computed as in nanochat.
    strings = [REFERENCE.decode([id]) for id in range(REFERENCE.n_vocab)]
    nanochat = [0 if text in SPECIALS else len(text.encode()) for text in strings]
    assert tokenizer.token_bytes(as_text=True).tolist() == nanochat


# transformers

FOLDER = {"bos_token": "<|bos|>", "eos_token": "<|eos|>", "model_max_length": 1024}


def test_folders(tmp_path, tokenizer):
    tokenizer.save_pretrained(tmp_path / "new" / "folder", FOLDER)
    again = Tokenizer.from_pretrained(tmp_path / "new" / "folder")
    assert again.special_tokens == SPECIALS
    for text in hard_cases():
        assert again.encode(text) == tokenizer.encode(text)
    again.save_pretrained(tmp_path / "new" / "folder")


def test_folders_load_in_transformers(tmp_path, tokenizer):
    import transformers

    tokenizer.save_pretrained(tmp_path, FOLDER)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (theirs.bos_token, theirs.eos_token, theirs.model_max_length) == (*SPECIALS, 1024)
    assert theirs.bos_token_id == BOS
    for text in hard_cases():
        assert theirs(text)["input_ids"] == tokenizer.encode(text, allowed_special="all")
        assert theirs.decode(tokenizer.encode(text)) == text


def test_folders_that_are_wrong(tmp_path, tokenizer):
    with pytest.raises(FileNotFoundError):
        Tokenizer.from_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="tokenizer.json"):
        Tokenizer.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="special token"):
        tokenizer.save_pretrained(tmp_path / "x", {"pad_token": "<|pad|>"})
    assert not (tmp_path / "x").exists()
    with pytest.raises(TypeError):
        tokenizer.save_pretrained(tmp_path / "x", {"more": object()})
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        tokenizer.save_pretrained(tmp_path / "file" / "x")


def test_gpt2s_files(tmp_path):
    from test_tiktoken_registry import gpt2_files

    vocab_bpe, encoder = gpt2_files(tmp_path)
    (tmp_path / "vocab.json").write_bytes((tmp_path / "encoder.json").read_bytes())
    (tmp_path / "merges.txt").write_bytes((tmp_path / "vocab.bpe").read_bytes())
    with pytest.warns(UserWarning, match="read as GPT-2's"):
        tokenizer = Tokenizer.from_pretrained(tmp_path)
    assert tokenizer.decode(tokenizer.encode("abc abc")) == "abc abc"
    assert tokenizer.merges[:2] == [(b"a", b"b"), (b"ab", b"c")]


def test_streams_and_counts_are_not_pickled(tokenizer):
    for thing in (tokenizer.encode_stream(), tokenizer.decode_stream()):
        with pytest.raises(TypeError):
            pickle.dumps(thing)


def test_what_is_imported():
    code = """
        import sys, tokenizer_py
        heavy = {"numpy", "urllib.request", "http.client", "tqdm", "logging", "pickle", "json"}
        print(sorted(heavy & set(sys.modules)))
    """
    assert run_python(code) == "[]\n"


def test_the_golden_models_have_offsets():
    for pattern in PATTERNS:
        tokenizer = Tokenizer.from_file(GOLDEN / f"{pattern}.tiktoken", pattern)
        for text in hard_cases():
            ids, places = tokenizer.encode_with_offsets(text.encode())
            assert [text.encode()[start:end] for start, end in places] == [
                tokenizer.id_to_token(id) for id in ids
            ]
