"""nanochat's tokenizer.pkl is read without running it, and converted."""

from __future__ import annotations

import os
import pickle
import pickletools
import subprocess
import sys
from unittest import mock

import pytest
import tiktoken as theirs
from conftest import GOLDEN, PATTERNS, golden_ranks, hard_cases

from tokenizer_py import Tokenizer, pickles
from tokenizer_py import tiktoken as ours

SPECIALS = {"<|bos|>": 2048, "<|user_start|>": 2049}


def encoding(module):
    return module.Encoding(
        "rustbpe",
        pat_str=PATTERNS["nanochat"],
        mergeable_ranks=golden_ranks("nanochat"),
        special_tokens=SPECIALS,
    )


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tokenizer_py.pickles", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("module", [theirs, ours])
@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
def test_what_either_package_wrote_is_read(tmp_path, module, protocol):
    path = tmp_path / "tokenizer.pkl"
    path.write_bytes(pickle.dumps(encoding(module), protocol))
    read = pickles.load(path)
    assert type(read) is ours.Encoding
    assert (read.name, read.n_vocab, read._special_tokens) == ("rustbpe", 2050, SPECIALS)
    other = encoding(theirs)
    for text in hard_cases():
        assert read.encode_ordinary(text) == other.encode_ordinary(text)


class Runs:
    def __reduce__(self):
        return os.system, ("echo run > run",)


STATE = {
    "name": "x",
    "pat_str": ".",
    "mergeable_ranks": {bytes([byte]): byte for byte in range(256)},
    "special_tokens": {},
}


def of_state(state):
    """A pickle of tiktoken's class with this state."""

    with mock.patch.object(theirs.Encoding, "__getstate__", lambda _: state):
        return pickle.dumps(object.__new__(theirs.Encoding))


WRONG = {
    "a call": pickle.dumps(Runs()),
    "a call within": of_state({**STATE, "name": Runs()}),
    "a call beside": pickle.dumps([encoding(theirs), Runs()]),
    "a list": pickle.dumps([encoding(theirs)]),
    "the class": pickle.dumps(theirs.Encoding),
    "a number": pickle.dumps(3),
    "an encoding of a name": of_state("gpt2"),
    "more values": of_state({**STATE, "more": 1}),
    "fewer values": of_state({"name": "x"}),
    "no values": of_state([]),
    "a wrong name": of_state({**STATE, "name": 3}),
    "wrong ranks": of_state({**STATE, "mergeable_ranks": {"a": 1}}),
    "negative ranks": of_state({**STATE, "mergeable_ranks": {b"a": -1}}),
    "large ranks": of_state({**STATE, "mergeable_ranks": {b"a": 1 << 40}}),
    "no ranks": of_state({**STATE, "mergeable_ranks": {}}),
    "too few ranks": of_state({**STATE, "mergeable_ranks": {b"a": 0}}),
    "wrong special tokens": of_state({**STATE, "special_tokens": {"a": "b"}}),
    "a wrong regex": of_state({**STATE, "pat_str": "("}),
    "nothing": b"",
    "no pickle": b"hello",
    "half a pickle": pickle.dumps(encoding(theirs))[:500],
    "an empty stack": b".",
    "a persistent id": b"\x80\x04\x8c\x01xQ.",
    "an extension": b"\x80\x04\x82\x01.",
}


@pytest.mark.parametrize("case", WRONG)
def test_everything_else_is_refused_and_not_run(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.pkl").write_bytes(WRONG[case])
    with pytest.raises(ValueError, match="x.pkl: " if case != "too few ranks" else "."):
        pickles.load("x.pkl")
    assert os.listdir() == ["x.pkl"]
    code, message = command("x.pkl", "x.bpe")
    assert code == 1
    assert "Traceback" not in message
    assert os.listdir() == ["x.pkl"]


def test_a_right_state_is_read():
    assert pickles.loads(of_state(STATE)).encode("ab") == [97, 98]


def test_a_missing_file():
    with pytest.raises(FileNotFoundError):
        pickles.load("none.pkl")
    assert command("none.pkl", "x.bpe")[0] == 1
    assert command("none.pkl")[0] == 2


def test_the_command_converts_in_place(tmp_path):
    path = tmp_path / "tokenizer.pkl"
    path.write_bytes(pickle.dumps(encoding(theirs)))
    assert command(path, path) == (0, f"{path}: 2050 ids\n")
    # As in nanochat.
    read = pickle.loads(path.read_bytes())
    assert type(read) is ours.Encoding
    assert read.encode("hello <|bos|>", allowed_special="all")[-1] == 2048
    names = {argument for code, argument, _ in pickletools.genops(path.read_bytes())}
    assert "tiktoken.core" not in names


def test_the_command_converts_to_models(tmp_path):
    path = tmp_path / "tokenizer.pkl"
    path.write_bytes(pickle.dumps(encoding(theirs)))
    other = encoding(theirs)
    for name in ("x.bpe", "x.json", "x.tiktoken"):
        code, message = command(path, tmp_path / name)
        assert code == 0, message
        pattern = "nanochat" if name == "x.tiktoken" else None
        model = Tokenizer.from_file(tmp_path / name, pattern)
        for text in hard_cases():
            assert model.encode(text) == other.encode_ordinary(text)
    assert (tmp_path / "x.tiktoken").read_bytes() == (GOLDEN / "nanochat.tiktoken").read_bytes()
    assert command(path, tmp_path / "x.txt")[0] == 1
