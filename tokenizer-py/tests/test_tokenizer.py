"""The native class."""

from __future__ import annotations

import copy
import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import tokenizers
from conftest import GOLDEN, PATTERNS, golden_ranks, hard_cases, run_python

import tokenizer_py
from tokenizer_py import Tokenizer, rustbpe

TIKTOKEN_FILE = GOLDEN / "cl100k.tiktoken"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(TIKTOKEN_FILE, pattern="cl100k")


@pytest.fixture(scope="module")
def reference():
    return tiktoken.Encoding(
        "x",
        pat_str=PATTERNS["cl100k"],
        mergeable_ranks=golden_ranks("cl100k"),
        special_tokens={},
    )


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ids_are_tiktokens(pattern):
    tokenizer = Tokenizer.from_file(GOLDEN / f"{pattern}.tiktoken", pattern=pattern)
    reference = tiktoken.Encoding(
        "x",
        pat_str=PATTERNS[pattern],
        mergeable_ranks=golden_ranks(pattern),
        special_tokens={},
    )
    for text in hard_cases():
        ids = reference.encode_ordinary(text)
        assert tokenizer.encode(text) == ids
        assert tokenizer.encode(text.encode()) == ids
        assert tokenizer.encode_numpy(text).tolist() == ids
        assert tokenizer.encode_numpy(text.encode(), threads=4).tolist() == ids
        assert tokenizer.decode(ids) == text
        assert tokenizer.decode_bytes(ids) == text.encode()


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_batches(tokenizer, reference, corpus, threads):
    texts = [*hard_cases(), corpus, "", corpus.encode()]
    ids, offsets = tokenizer.encode_batch_numpy(texts, threads=threads)
    assert (ids.dtype, offsets.dtype) == (np.uint32, np.int64)
    assert (offsets[0], offsets[-1], len(offsets)) == (0, len(ids), len(texts) + 1)
    for text, start, end in zip(texts, offsets, offsets[1:]):
        text = text if isinstance(text, str) else text.decode()
        assert ids[start:end].tolist() == reference.encode_ordinary(text)


def test_batches_of_any_iterable(tokenizer):
    for texts in (["ab", "c"], ("ab", b"c"), iter(["ab", "c"]), {"ab": 1, "c": 2}):
        ids, offsets = tokenizer.encode_batch_numpy(texts)
        assert ids.tolist() == tokenizer.encode("ab") + tokenizer.encode("c")
        assert offsets.tolist() == [0, len(tokenizer.encode("ab")), len(ids)]
    ids, offsets = tokenizer.encode_batch_numpy([])
    assert (ids.tolist(), offsets.tolist()) == ([], [0])


def test_bytes_that_are_not_utf8_are_kept(tokenizer):
    data = b"ab\x80cd \xe2\x82 \xff\xff1" + bytes(range(256))
    assert tokenizer.decode_bytes(tokenizer.encode(data)) == data
    assert tokenizer.decode(tokenizer.encode(data)) == data.decode("utf-8", "replace")
    with pytest.raises(UnicodeDecodeError):
        tokenizer.decode(tokenizer.encode(data), errors="strict")
    assert tokenizer.decode([97, 255], errors="ignore") == "a"
    with pytest.raises(LookupError):
        tokenizer.decode([255], errors="bogus")


@pytest.fixture(scope="module")
def with_specials(tmp_path_factory):
    """A model of `tokenizers`, because a .tiktoken file has no special tokens."""
    path = tmp_path_factory.mktemp("model") / "tokenizer.json"
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    model.train_from_iterator(["low lower lowest"] * 3, trainer)
    model.save(str(path))
    return Tokenizer.from_file(path)


def test_special_tokens(with_specials):
    tokenizer = with_specials
    (end,) = tokenizer.special_tokens.values()
    plain = tokenizer.encode("a<|endoftext|>b")
    assert end not in plain
    assert tokenizer.encode("a<|endoftext|>b", allowed_special=()) == plain
    for allowed in ("all", ["<|endoftext|>"], {"<|endoftext|>"}, ("<|endoftext|>",)):
        assert end in tokenizer.encode("a<|endoftext|>b", allowed_special=allowed)
    assert tokenizer.token_to_id("<|endoftext|>") == end
    assert tokenizer.id_to_token(end) == b"<|endoftext|>"


@pytest.mark.parametrize(
    ("allowed", "error"),
    [("some", ValueError), (["<|nope|>"], ValueError), ([3], TypeError), (3, TypeError)],
)
def test_bad_allowed_special(tokenizer, allowed, error):
    with pytest.raises(error):
        tokenizer.encode("abc", allowed_special=allowed)


def test_the_vocabulary(tokenizer):
    ranks = golden_ranks("cl100k")
    assert tokenizer.vocab_size == len(ranks)
    assert tokenizer.pattern == PATTERNS["cl100k"]
    assert tokenizer.special_tokens == {}
    assert repr(tokenizer).startswith("<tokenizer_py.Tokenizer vocab_size=2048 ")
    for token, rank in ranks.items():
        assert tokenizer.token_to_id(token) == rank
        assert tokenizer.id_to_token(rank) == token
    assert tokenizer.token_to_id("the") == ranks[b"the"]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda t: t.encode(None), TypeError),
        (lambda t: t.encode(bytearray(b"a")), TypeError),
        (lambda t: t.encode("\ud800"), UnicodeEncodeError),
        (lambda t: t.encode("a", "all"), TypeError),
        (lambda t: t.encode_numpy(3), TypeError),
        (lambda t: t.encode_numpy("\ud800"), UnicodeEncodeError),
        (lambda t: t.encode_numpy("a", threads=0), ValueError),
        (lambda t: t.encode_numpy("a", threads=-1), OverflowError),
        (lambda t: t.encode_numpy("a", threads=1.5), TypeError),
        (lambda t: t.encode_batch_numpy("abc"), TypeError),
        (lambda t: t.encode_batch_numpy(b"abc"), TypeError),
        (lambda t: t.encode_batch_numpy(None), TypeError),
        (lambda t: t.encode_batch_numpy(["a", 3]), TypeError),
        (lambda t: t.encode_batch_numpy(["a", "\udfff"]), UnicodeEncodeError),
        (lambda t: t.encode_batch_numpy(["a"], threads=0), ValueError),
        (lambda t: t.encode_batch_numpy(x for x in [1 / 0]), ZeroDivisionError),
        (lambda t: t.decode([2048]), KeyError),
        (lambda t: t.decode([-1]), OverflowError),
        (lambda t: t.decode([1 << 32]), OverflowError),
        (lambda t: t.decode(["a"]), TypeError),
        (lambda t: t.decode([1.0]), TypeError),
        (lambda t: t.decode(None), TypeError),
        (lambda t: t.decode_bytes([2048]), KeyError),
        (lambda t: t.id_to_token(2048), KeyError),
        (lambda t: t.id_to_token(-1), OverflowError),
        (lambda t: t.id_to_token("a"), TypeError),
        (lambda t: t.token_to_id("no such token"), KeyError),
        (lambda t: t.token_to_id(b""), KeyError),
        (lambda t: t.token_to_id(3), TypeError),
        (lambda t: Tokenizer(), TypeError),
        (lambda t: Tokenizer.from_bytes(b"nonsense"), ValueError),
        (lambda t: Tokenizer.from_bytes("nonsense"), TypeError),
    ],
)
def test_exceptions(tokenizer, call, error):
    with pytest.raises(error) as raised:
        call(tokenizer)
    assert type(raised.value) is error


def test_decode_takes_arrays(tokenizer):
    ids = tokenizer.encode_numpy("hello world")
    for array in (ids, ids.astype(np.int64), ids.astype(np.uint16), ids[::1], tuple(ids)):
        assert tokenizer.decode(array) == "hello world"


@pytest.mark.parametrize("ending", ["bpe", "tiktoken"])
def test_saving_and_loading(tokenizer, tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    tokenizer.save(path)
    tokenizer.save(str(path))
    pattern = "cl100k" if ending == "tiktoken" else None
    again = Tokenizer.from_file(os.fspath(path), pattern)
    assert again.to_bytes() == tokenizer.to_bytes()
    if ending == "tiktoken":
        assert path.read_bytes() == TIKTOKEN_FILE.read_bytes()


def test_a_regex_as_pattern_keeps_its_gaps():
    tokenizer = Tokenizer.from_file(TIKTOKEN_FILE, pattern="[a-z]+")
    assert tokenizer.decode(tokenizer.encode("12ab3cd!")) == "12ab3cd!"


@pytest.mark.parametrize(
    ("name", "error", "number"),
    [
        ("none.bpe", FileNotFoundError, errno.ENOENT),
        ("no/where.bpe", FileNotFoundError, errno.ENOENT),
        ("folder.bpe", IsADirectoryError, errno.EISDIR),
        ("file.bpe/inside.bpe", NotADirectoryError, errno.ENOTDIR),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, error, number):
    (tmp_path / "folder.bpe").mkdir()
    (tmp_path / "file.bpe").write_bytes(b"")
    path = tmp_path / name
    with pytest.raises(error) as raised:
        Tokenizer.from_file(path)
    assert type(raised.value) is error
    assert raised.value.errno == number
    assert raised.value.filename == str(path)
    assert raised.value.strerror == os.strerror(number)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    path = tmp_path / "locked.bpe"
    path.touch(mode=0)
    with pytest.raises(PermissionError) as raised:
        Tokenizer.from_file(path)
    assert raised.value.filename == str(path)


def test_files_that_cannot_be_written(tokenizer, tmp_path):
    (tmp_path / "folder.bpe").mkdir()
    with pytest.raises(IsADirectoryError):
        tokenizer.save(tmp_path / "folder.bpe")
    with pytest.raises(FileNotFoundError) as raised:
        tokenizer.save(tmp_path / "no" / "where.bpe")
    assert "where.bpe" in raised.value.filename
    with pytest.raises(ValueError, match="extension"):
        tokenizer.save(tmp_path / "model.txt")


@pytest.mark.parametrize(
    ("content", "name", "pattern", "message"),
    [
        (b"nonsense", "m.bpe", None, "m.bpe: not a .bpe model"),
        (b"", "m.bpe", None, "m.bpe"),
        (b"", "m.txt", None, "extension"),
        (b"YQ== x\n", "m.tiktoken", "gpt2", "line 1"),
        (b"YQ== 0\nYQ== 1\n", "m.tiktoken", "gpt2", "line 2"),
        (b"YQ== 0\n", "m.tiktoken", "gpt2", "single byte"),
        (b"YQ== 0\n", "m.tiktoken", None, "pattern"),
        (b"YQ== 0\n", "m.tiktoken", "gpt5", "gpt5"),
        (b"YQ== 0\n", "m.tiktoken", "(", "invalid pattern"),
        (b"{", "m.json", None, "m.json"),
        (b"", "m\0.bpe", None, "NUL"),
    ],
)
def test_invalid_models(tmp_path, content, name, pattern, message):
    if "\0" not in name:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Tokenizer.from_file(tmp_path / name, pattern)


@pytest.mark.parametrize("path", [None, 3, 1.5, []])
def test_invalid_paths(path):
    with pytest.raises(TypeError):
        Tokenizer.from_file(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(tokenizer, protocol):
    again = pickle.loads(pickle.dumps(tokenizer, protocol))
    assert type(again) is Tokenizer
    assert again.to_bytes() == tokenizer.to_bytes()
    assert again.encode("hello world") == tokenizer.encode("hello world")


def test_copies_are_the_object_itself(tokenizer):
    assert copy.copy(tokenizer) is tokenizer
    assert copy.deepcopy([tokenizer])[0] is tokenizer


def test_a_damaged_model_is_refused(tokenizer):
    data = tokenizer.to_bytes()
    for damaged in (data[:-1], data + b"x", data[:100], b"", data[:99] + b"?!" + data[101:]):
        with pytest.raises(ValueError, match="bpe"):
            Tokenizer.from_bytes(damaged)


def test_a_state_of_rustbpe_is_a_model(tokenizer):
    """The pickle of the rustbpe class contains a .bpe model with its merges."""
    trainer = rustbpe.Tokenizer()
    trainer.train_from_iterator(["low lower lowest"] * 3, 270)
    model = Tokenizer.from_bytes(trainer.__reduce__()[2])
    assert model.encode("slowest") == trainer.encode("slowest")
    assert model.vocab_size == trainer.vocab_size


def test_numpy_is_imported_on_demand():
    code = f"""
        import sys
        import tokenizer_py
        tokenizer = tokenizer_py.Tokenizer.from_file({str(TIKTOKEN_FILE)!r}, pattern="cl100k")
        tokenizer.decode(tokenizer.encode("hello"))
        assert "numpy" not in sys.modules
        sys.modules["numpy"] = None
        try:
            tokenizer.encode_numpy("hello")
        except ImportError as error:
            print(type(error).__name__)
    """
    assert run_python(code) == "ModuleNotFoundError\n"


def test_a_panic_is_a_runtime_error():
    panic = getattr(tokenizer_py._native, "_panic", None)
    if panic is None:
        pytest.skip("only in debug builds")
    with pytest.raises(RuntimeError, match="on purpose"):
        panic()


def test_the_package_is_typed():
    folder = Path(tokenizer_py.__file__).parent
    assert (folder / "py.typed").exists()
    assert (folder / "_native.pyi").exists()
    for item in (Tokenizer, rustbpe.Tokenizer):
        assert item.__doc__
        for name, member in vars(item).items():
            if not name.startswith("_"):
                assert member.__doc__, name
    assert Tokenizer.__module__ == "tokenizer_py"
    assert rustbpe.Tokenizer.__module__ == "tokenizer_py.rustbpe"
