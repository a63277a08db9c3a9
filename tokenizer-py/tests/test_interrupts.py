"""Ctrl-C stops every long call in well under a second, and the objects remain usable."""

from __future__ import annotations

import os

import pytest
from conftest import GOLDEN, run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are other ones here")

#: `press` gives the seconds from Ctrl-C, 100 ms after the call begins, to its end. A call that a fast
#: machine ends sooner is made again with more, until it is long enough.
SETUP = f"""
import base64, json, os, signal, sys, threading, time
from pathlib import Path
from tokenizer_py import PieceCounts, Tokenizer, count_pieces, tiktoken

signal.signal(signal.SIGINT, signal.default_int_handler)
golden = Path({str(GOLDEN)!r})
lines = [line.split() for line in (golden / "cl100k.tiktoken").read_bytes().splitlines()]
encoding = tiktoken.Encoding(
    "x",
    pat_str=json.loads((golden / "patterns.json").read_text())["cl100k"],
    mergeable_ranks={{base64.b64decode(token): int(rank) for token, rank in lines}},
    special_tokens={{}},
)
native = Tokenizer.from_file(golden / "cl100k.tiktoken", pattern="cl100k")

def press(call):
    pressed = []

    def interrupt():
        time.sleep(0.1)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    inside = False
    try:
        try:
            thread.start()
            inside = True
            call()
            inside = False
            thread.join()
            time.sleep(1)
        except KeyboardInterrupt:
            ended = time.monotonic()
            return ended - pressed[0] if inside else None
    finally:
        thread.join()

def press_in(make, size):
    for power in range(5):
        made = make(size << power)
        took = press(made)
        if took is not None:
            print(f"{{took * 1000:.0f}} ms", file=sys.stderr)
            return took
        del made
    return None

def letters(size):
    "One piece, no two windows of which are alike."
    some = bytes(ord("a") + (place * 0x9E3779B9 >> 29 & 7) for place in range(1 << 20))
    return (some * (size // len(some) + 1))[:size].decode()
"""

CALLS = {
    "encode": "lambda text: native.encode(text)",
    "encode_numpy": "lambda text: native.encode_numpy(text)",
    "encode_numpy on two threads": "lambda text: native.encode_numpy(text, 2)",
    "encode_batch": "lambda text: native.encode_batch([text, text], 2)",
    "encode_batch_numpy": "lambda text: native.encode_batch_numpy([text, text], 2)",
    "count": "lambda text: native.count(text)",
    "encode_with_offsets": "lambda text: native.encode_with_offsets(text)",
    "tiktoken's encode_ordinary": "lambda text: encoding.encode_ordinary(text)",
    "tiktoken's encode": "lambda text: encoding.encode(text)",
    "tiktoken's encode_to_numpy": "lambda text: encoding.encode_to_numpy(text)",
    "tiktoken's encode_ordinary_batch": "lambda text: encoding.encode_ordinary_batch([text] * 2)",
}


def check(made: str, size: int, after: str = "True"):
    code = f"""
took = press_in({made}, {size})
print(took is not None and (took < 0.8 or took), {after})
"""
    assert run_python(SETUP + code, timeout=180) == "True True\n"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_piece_without_an_end(call):
    made = f"lambda size: (lambda text=letters(size): ({call})(text))"
    after = "native.encode('abcdefg' * 999) == encoding.encode('abcdefg' * 999)"
    check(made, 64_000_000, after)


@pytest.mark.parametrize("text", ["some plain words, ", "quelques mots accentu\u00e9s, "])
def test_places_of_a_long_text(text):
    made = f"lambda size: (lambda text={text!r} * size: native.encode_with_offsets(text))"
    check(made, 3_000_000)


@pytest.mark.parametrize(
    "call",
    [
        "encoding.decode(ids)",
        "encoding.decode_bytes(ids)",
        "native.decode(ids)",
        "native.decode(ids, skip_special_tokens=True)",
        "native.decode_stream().push(ids)",
    ],
)
@pytest.mark.parametrize("text", ["some plain words, ", "\u4e2d\u6587\u6587\u5b57, "])
def test_many_ids(call, text):
    made = f"lambda size: (lambda ids=native.encode({text!r}) * size: {call})"
    check(made, 4_000_000)


def test_a_long_chunk_of_a_stream():
    made = """lambda size: (
        lambda text="some plain words, " * size, stream=native.encode_stream(): stream.push(text)
    )"""
    check(made, 6_000_000)


def test_a_stream_that_was_broken_off_is_finished():
    code = """
streams = []

def make(size):
    def call(text="some plain words, " * size):
        streams.append(native.encode_stream())
        streams[-1].push(text)
    return call

press_in(make, 6_000_000)
try:
    streams[-1].push("more")
except ValueError as error:
    print(error)
"""
    assert run_python(SETUP + code, timeout=180) == "the stream is finished\n"


COUNTS = """
import pyarrow

def counts(start, end):
    pieces = pyarrow.array([b"%d" % number for number in range(start, end)], pyarrow.binary())
    ones = pyarrow.array([1] * len(pieces), pyarrow.uint64())
    return PieceCounts.from_arrow(pyarrow.table({"piece": pieces, "count": ones}), "cl100k")
"""


@pytest.mark.parametrize(
    "made",
    [
        "lambda size: (lambda one=counts(0, size), two=counts(9, size + 9): one + two)",
        "lambda size: (lambda table=pyarrow.table(counts(0, size)): PieceCounts.from_arrow(table))",
    ],
    ids=["sum", "from_arrow"],
)
def test_many_counts(made):
    code = f"""
took = press_in({made}, 1_000_000)
print(took is not None and (took < 0.8 or took))
"""
    assert run_python(SETUP + COUNTS + code, timeout=180) == "True\n"


@pytest.mark.parametrize("ending", ["tsv", "parquet"])
def test_loading_many_counts(tmp_path, ending):
    path = str(tmp_path / f"counts.{ending}")
    code = f"""
counts(0, 1_500_000).save({path!r})
took = press_in(lambda times: (lambda: PieceCounts.load(*[{path!r}] * times)), 1)
print(took is not None and (took < 0.8 or took))
"""
    assert run_python(SETUP + COUNTS + code, timeout=180) == "True\n"
