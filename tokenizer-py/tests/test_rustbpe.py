"""The drop-in class for rustbpe: members, exceptions, and fixed bugs."""

from __future__ import annotations

import copy
import logging
import pickle
import sys

import pytest
import rustbpe as theirs
from conftest import hard_cases, outcome, run_python

from tokenizer_py import rustbpe as ours


@pytest.fixture(scope="module")
def pair(corpus):
    made = []
    for module in (ours, theirs):
        tokenizer = module.Tokenizer()
        tokenizer.train_from_iterator([corpus[:40_000]], 600)
        made.append(tokenizer)
    return made


def test_before_training():
    tokenizer = ours.Tokenizer()
    assert tokenizer.vocab_size == 256
    assert tokenizer.get_pattern() == ""
    assert tokenizer.encode("text") == []
    assert tokenizer.batch_encode(["text", ""]) == [[], []]
    assert tokenizer.get_mergeable_ranks() == [(bytes([b]), b) for b in range(256)]
    assert tokenizer.decode([104, 105]) == "hi"


def test_encoding_and_decoding(pair):
    one, two = pair
    texts = hard_cases()
    assert one.batch_encode(texts) == two.batch_encode(texts)
    assert one.batch_encode(tuple(texts)) == [one.encode(text) for text in texts]
    for text in texts:
        assert one.decode(one.encode(text)) == text


def test_keywords(pair):
    one, _ = pair
    assert one.decode(ids=one.encode(text="abc")) == "abc"
    assert one.batch_encode(texts=["abc"]) == [one.encode("abc")]
    one = ours.Tokenizer()
    one.train_from_iterator(iterator=["abab"], vocab_size=257, buffer_size=1, pattern="[a-z]+")
    assert one.encode("ab") == [256]
    with pytest.raises(AttributeError):
        one.vocab_size = 3


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.encode(None),
        lambda t: t.encode(3),
        lambda t: t.encode(b"abc"),
        lambda t: t.encode(["a"]),
        lambda t: t.encode("a\udc80"),
        lambda t: t.batch_encode(None),
        lambda t: t.batch_encode("abc"),
        lambda t: t.batch_encode(["a", 3]),
        lambda t: t.batch_encode(iter(["a"])),
        lambda t: t.batch_encode({"a": 1}),
        lambda t: t.batch_encode(["a\ud800"]),
        lambda t: t.batch_encode([]),
        lambda t: t.decode(None),
        lambda t: t.decode([99_999]),
        lambda t: t.decode([-1]),
        lambda t: t.decode([2**40]),
        lambda t: t.decode([1.5]),
        lambda t: t.decode(["a"]),
        lambda t: t.decode(iter([104])),
        lambda t: t.decode("abc"),
        lambda t: t.decode({97: 1}),
        lambda t: t.decode(b"hi"),
        lambda t: t.decode(range(97, 100)),
        lambda t: t.decode((104, 105)),
        lambda t: t.decode([True]),
        lambda t: t.train_from_iterator(),
        lambda t: t.train_from_iterator(None, 300),
        lambda t: t.train_from_iterator(3, 300),
        lambda t: t.train_from_iterator(["a", 3], 300),
        lambda t: t.train_from_iterator([b"a"], 300),
        lambda t: t.train_from_iterator(["a\ud800"], 300),
        lambda t: t.train_from_iterator(["a"], 300.0),
        lambda t: t.train_from_iterator(["a"], "300"),
        lambda t: t.train_from_iterator(["a"], None),
        lambda t: t.train_from_iterator(["a"], -1),
        lambda t: t.train_from_iterator(["a"], 2**33),
        lambda t: t.train_from_iterator(["a"], 300, buffer_size=-1),
        lambda t: t.train_from_iterator(["a"], 300, buffer_size=1.5),
        lambda t: t.train_from_iterator(["a"], 300, pattern="("),
        lambda t: t.train_from_iterator(["a"], 300, pattern=b"a"),
        lambda t: t.train_from_iterator(["a"], 300, nonsense=1),
    ],
)
def test_the_same_outcome(pair, call):
    want = outcome(lambda: call(theirs.Tokenizer()))
    assert outcome(lambda: call(ours.Tokenizer())) == want
    if not isinstance(want, type):
        return
    before = pair[0].get_mergeable_ranks()
    with pytest.raises(want):
        call(pair[0])
    assert pair[0].get_mergeable_ranks() == before, "a failure leaves the tokenizer as it was"


class Untouched:
    """An iterator that fails the test if it is read."""

    def __iter__(self):
        raise AssertionError("was read")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"vocab_size": 255}, ValueError),
        ({"vocab_size": 0}, ValueError),
        ({"vocab_size": True}, ValueError),
        ({"vocab_size": (1 << 24) + 1}, ValueError),
        ({"vocab_size": 300, "buffer_size": 0}, ValueError),
        ({"vocab_size": 300, "pattern": "("}, ValueError),
        ({"vocab_size": 300, "buffer_size": None}, TypeError),
        ({"vocab_size": -5}, OverflowError),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_read(arguments, error):
    with pytest.raises(error):
        ours.Tokenizer().train_from_iterator(Untouched(), **arguments)


@pytest.mark.parametrize("text", ["abab", b"abab", bytearray(b"abab")])
def test_a_single_text_is_no_iterator(text):
    with pytest.raises(TypeError, match="single"):
        ours.Tokenizer().train_from_iterator(text, 258)


def test_bytes_that_are_not_utf8(pair):
    with pytest.raises(UnicodeDecodeError) as raised:
        pair[0].decode([104, 255])
    assert raised.value.object == b"h\xff"
    assert isinstance(raised.value, ValueError)


def test_fewer_merges_than_asked_for_are_a_warning(caplog):
    tokenizer = ours.Tokenizer()
    with caplog.at_level(logging.INFO, logger="rustbpe"):
        tokenizer.train_from_iterator(["abab"], 300)
    assert tokenizer.vocab_size == 258
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "2 of 44" in warnings[0]
    assert any(r.levelno == logging.INFO for r in caplog.records)
    assert {r.name for r in caplog.records} == {"rustbpe"}


def test_progress_is_logged(caplog, corpus):
    with caplog.at_level(logging.INFO, logger="rustbpe"):
        ours.Tokenizer().train_from_iterator([corpus[:20_000]], 456)
    messages = [r.getMessage() for r in caplog.records]
    assert any("50%" in message for message in messages)
    assert any("100%" in message for message in messages)
    assert not any(r.levelno > logging.INFO for r in caplog.records)


class Boom(Exception):
    pass


@pytest.mark.parametrize("error", [Boom("x"), KeyError(3), StopIteration(), KeyboardInterrupt()])
@pytest.mark.parametrize("after", [0, 3, 9000])
def test_exceptions_of_the_iterator_propagate(error, after):
    class Texts:
        def __init__(self):
            self.left = after

        def __iter__(self):
            return self

        def __next__(self):
            if self.left == 0:
                raise error
            self.left -= 1
            return "some text"

    tokenizer = ours.Tokenizer()
    if isinstance(error, StopIteration):
        tokenizer.train_from_iterator(Texts(), 260)
        return
    with pytest.raises(type(error)) as raised:
        tokenizer.train_from_iterator(Texts(), 260)
    assert raised.value is error
    assert tokenizer.get_pattern() == "", "not trained"


def test_a_generator_keeps_its_traceback():
    def texts():
        yield "one"
        raise Boom("here")

    with pytest.raises(Boom) as raised:
        ours.Tokenizer().train_from_iterator(texts(), 260)
    assert raised.traceback[-1].name == "texts"


KEYBOARD_INTERRUPT = """
import _thread, itertools, logging, sys, threading, time
from tokenizer_py import rustbpe

tokenizer = rustbpe.Tokenizer()
pressed = []

def press():
    pressed.append(time.perf_counter())
    _thread.interrupt_main()

def late(train):
    \"\"\"Milliseconds from Ctrl-C to the exception.\"\"\"
    try:
        train()
    except KeyboardInterrupt:
        return (time.perf_counter() - pressed.pop()) * 1000
    raise AssertionError("was not interrupted")
"""


@pytest.mark.parametrize(
    "document", ["''", "'x'", "'Some text.'", "'naïve text ' * 400", "'text ' * 100_000"]
)
def test_ctrl_c_while_counting(document):
    """With an endless iterator that runs no Python code."""
    code = f"""
def train():
    threading.Timer(0.3, press).start()
    tokenizer.train_from_iterator(itertools.repeat({document}), 300, buffer_size=1 << 40)

print(min(late(train) for _ in range(3)))
"""
    assert float(run_python(KEYBOARD_INTERRUPT + code)) < 200
    assert float(run_python(KEYBOARD_INTERRUPT + code.replace("1 << 40", "1"))) < 200


def test_ctrl_c_while_merging():
    code = """
import random
chosen = random.Random(1)
words = ["".join(chosen.choices("abcdefgh", k=12)) for _ in range(150_000)]

class PressWhenMerging(logging.Handler):
    def emit(self, record):
        if "training" in record.getMessage():
            threading.Timer(0.05, press).start()

logging.getLogger("rustbpe").addHandler(PressWhenMerging())
logging.getLogger("rustbpe").setLevel(logging.INFO)

def train():
    tokenizer.train_from_iterator(words, 10_000_000)

print(min(late(train) for _ in range(3)), tokenizer.vocab_size)
"""
    milliseconds, vocab_size = run_python(KEYBOARD_INTERRUPT + code).split()
    assert float(milliseconds) < 200
    assert vocab_size == "256", "as it was before"


@pytest.mark.skipif(sys.platform != "linux", reason="sizes are in other units elsewhere")
def test_documents_that_a_generator_makes_are_not_kept():
    """Only a few batches of generated text are in memory."""
    code = """
import resource
def texts(text):
    for number in range(4000):
        yield f"{number} " + text
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for text in ("plain text " * 2000, "naïve text " * 2000):
    for buffer_size in (1, 8192):
        tokenizer.train_from_iterator(texts(text), 300, buffer_size=buffer_size)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000)
"""
    assert run_python(KEYBOARD_INTERRUPT + code) == "True\n" * 4


def test_a_list_of_documents_does_not_grow():
    """Training leaves no cached UTF-8 in the documents."""
    code = """
texts = [f"{number} naïve \\u4e2d " * 50 for number in range(100)]
before = [sys.getsizeof(text) for text in texts]
tokenizer.train_from_iterator(texts, 300)
print([sys.getsizeof(text) for text in texts] == before)
"""
    assert run_python(KEYBOARD_INTERRUPT + code) == "True\n"


def test_an_iterator_that_re_enters():
    code = """
        from tokenizer_py import rustbpe
        tokenizer = rustbpe.Tokenizer()
        tokenizer.train_from_iterator(["low lower"] * 3, 258)
        seen = []
        def texts():
            seen.append(tokenizer.encode("low"))
            yield "one two three one two"
            tokenizer.train_from_iterator(["abab"], 257)
            seen.append(tokenizer.encode("ab"))
            seen.append(tokenizer.get_mergeable_ranks()[256])
            seen.append(tokenizer.vocab_size)
            yield "one two three"
        tokenizer.train_from_iterator(texts(), 259, buffer_size=1)
        print(seen, tokenizer.vocab_size)
    """
    assert run_python(code) == "[[257], [256], (b'ab', 256), 257] 259\n"


def test_a_failing_regex_raises_an_error_with_the_offset():
    bomb = r"(?:a|a)+(?=c)|."
    tokenizer = ours.Tokenizer()
    text = "xy" + "a" * 64
    with pytest.raises(ValueError, match="document 1.* byte 2"):
        tokenizer.train_from_iterator(["fine", text], 260, pattern=bomb)
    tokenizer.train_from_iterator(["fine"], 260, pattern=bomb)
    with pytest.raises(ValueError, match="byte 2"):
        tokenizer.encode(text)
    with pytest.raises(ValueError, match="text 1: .* byte 2"):
        tokenizer.batch_encode(["fine", text])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(pair, protocol):
    one, _ = pair
    again = pickle.loads(pickle.dumps(one, protocol))
    assert type(again) is ours.Tokenizer
    assert again.get_mergeable_ranks() == one.get_mergeable_ranks()
    assert again.get_pattern() == one.get_pattern()
    for text in hard_cases():
        assert again.encode(text) == one.encode(text)


def test_copies(pair):
    for one in (pair[0], ours.Tokenizer()):
        for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
            assert again is not one
            assert again.get_mergeable_ranks() == one.get_mergeable_ranks()
            again.train_from_iterator(["abab"], 257)
            assert again.vocab_size == 257 != one.vocab_size


def test_a_damaged_state_is_refused():
    with pytest.raises(ValueError, match="bpe"):
        ours.Tokenizer().__setstate__(b"nonsense")
    with pytest.raises(TypeError):
        ours.Tokenizer().__setstate__(None)


def test_ids_are_lists_of_the_callers_own(pair):
    ids = pair[0].encode("hello")
    ids.insert(0, -1)
    assert pair[0].encode("hello") == ids[1:]
