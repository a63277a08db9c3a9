"""Threads and processes: one object from many threads, and after a fork. All in subprocesses."""

from __future__ import annotations

import os

import pytest
from conftest import FIXTURES, GOLDEN, run_python

SETUP = f"""
import base64, json, os, sys, threading
from pathlib import Path
from tokenizer_py import Tokenizer, count_pieces, rustbpe, tiktoken

golden = Path({str(GOLDEN)!r})
text = Path({str(FIXTURES / "corpus.txt")!r}).read_bytes().decode()
texts = text.split("\\n")
lines = [line.split() for line in (golden / "cl100k.tiktoken").read_bytes().splitlines()]
encoding = tiktoken.Encoding(
    "x",
    pat_str=json.loads((golden / "patterns.json").read_text())["cl100k"],
    mergeable_ranks={{base64.b64decode(token): int(rank) for token, rank in lines}},
    special_tokens={{"<|bos|>": 2048}},
)
native = Tokenizer.from_file(golden / "cl100k.tiktoken", pattern="cl100k")
trainer = rustbpe.Tokenizer()
trainer.train_from_iterator(texts, 400)

def streamed():
    encoder, decoder = native.encode_stream(), native.decode_stream()
    ids = encoder.push(text[:1000]) + encoder.push(text[1000:]) + encoder.finish()
    return ids, decoder.push(ids) + decoder.finish() == text

def work():
    return (
        encoding.encode_ordinary(text),
        encoding.encode_ordinary_batch(texts, num_threads=3),
        encoding.encode("<|bos|>hello", allowed_special="all"),
        encoding.encode("<|bos|>hello", disallowed_special=()),
        native.encode_numpy(text).tolist(),
        native.encode_batch_numpy(texts, threads=2)[0].tolist(),
        native.encode_batch(texts, threads=3),
        native.encode_padded(texts, 0, 20, threads=2)[0].tolist(),
        native.encode_with_offsets(text),
        native.count(text, threads=2),
        native.decode_batch(native.encode_batch(texts[:50])),
        streamed(),
        count_pieces(texts, threads=2).items(),
        Tokenizer.train(iterator=texts, vocab_size=300, threads=2).merges,
        trainer.batch_encode(texts[:100]),
        trainer.get_mergeable_ranks(),
    )

want = work()
"""


def test_sixteen_threads_use_one_object():
    code = """
results, errors = [], []

def run():
    try:
        results.append(all(work() == want for _ in range(2)))
    except BaseException as error:
        errors.append(error)

threads = [threading.Thread(target=run) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(errors, results == [True] * 16)
"""
    assert run_python(SETUP + code, timeout=120) == "[] True\n"


def test_one_thread_trains_while_others_encode():
    code = """
old, new = rustbpe.Tokenizer(), rustbpe.Tokenizer()
old.train_from_iterator(texts, 400)
new.train_from_iterator(texts, 700)
shared = rustbpe.Tokenizer()
shared.train_from_iterator(texts, 400)
legal = [old.encode(text), new.encode(text)]
stop, wrong = threading.Event(), []

def run():
    while not stop.is_set():
        ids = shared.encode(text)
        if ids not in legal:
            wrong.append(len(ids))

threads = [threading.Thread(target=run) for _ in range(4)]
for thread in threads: thread.start()
for size in (700, 400, 700):
    shared.train_from_iterator(texts, size)
stop.set()
for thread in threads: thread.join()
print(wrong, shared.encode(text) == legal[1])
"""
    assert run_python(SETUP + code) == "[] True\n"


def test_an_iterator_in_another_thread():
    """Counting releases the interpreter: an iterator fed by another thread works."""
    code = """
import queue
q = queue.Queue(maxsize=2)

def feed():
    for each in texts:
        q.put(each)
    q.put(None)

threading.Thread(target=feed).start()
tokenizer = rustbpe.Tokenizer()
tokenizer.train_from_iterator(iter(q.get, None), 400)
print(tokenizer.get_mergeable_ranks() == trainer.get_mergeable_ranks())
"""
    assert run_python(SETUP + code) == "True\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_works():
    code = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
for _ in range(3):
    child = os.fork()
    if child == 0:
        again = rustbpe.Tokenizer()
        again.train_from_iterator(texts, 400)
        same = again.get_mergeable_ranks() == trainer.get_mergeable_ranks() and work() == want
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    print(status)
"""
    assert run_python(SETUP + code) == "0\n0\n0\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools(tmp_path, method):
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    # A file, because spawned children import the main module.
    script = tmp_path / "pool.py"
    code = f"""
def encode(arguments):
    tokenizer, text = arguments
    return list(tokenizer.encode(text))

if __name__ == "__main__":
    import multiprocessing
    {SETUP.replace(chr(10), chr(10) + "    ")}
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        for tokenizer in (encoding, native, trainer):
            got = pool.map(encode, [(tokenizer, each) for each in texts[:20]])
            print(got == [tokenizer.encode(each) for each in texts[:20]])
"""
    script.write_text(code)
    runner = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    if method != "fork":
        runner = f"import subprocess, sys; subprocess.run([sys.executable, {str(script)!r}])"
    assert run_python(runner) == "True\n" * 3


def test_a_very_long_piece_is_quick():
    """One letter a million times, as a piece and as a text."""
    code = """
for piece in ("a", "ab", " ", "\\u4e00"):
    long = piece * 1_000_000
    ids = encoding._encode_single_piece(long)
    assert encoding.decode(ids) == long
for piece in ("a", "ab", "\\u4e00"):
    long = piece * 1_000_000
    assert encoding.decode(encoding.encode(long)) == long
    assert encoding.decode(native.encode(long)) == long
trainer.train_from_iterator(["a" * 1_000_000], 300)
print(trainer.vocab_size)
"""
    assert run_python(SETUP + code, timeout=60).strip().isdigit()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are other ones here")
def test_ctrl_c_breaks_training_off():
    """Within 200 ms, with a margin; the tokenizer is unchanged."""
    code = """
import logging, os, random, signal, time
chosen = random.Random(1)
words = "".join(chosen.choices("abcdefghijklmnopqrstuvwxyz        ", k=6_000_000))
before = trainer.get_mergeable_ranks()
started = []

class Merging(logging.Handler):
    \"\"\"Sends the signal a while after merging has begun.\"\"\"

    def emit(self, record):
        if record.getMessage().startswith("training") and not started:
            def interrupt():
                time.sleep(0.1)
                started.append(time.monotonic())
                os.kill(os.getpid(), signal.SIGINT)
            threading.Thread(target=interrupt).start()

logging.getLogger("rustbpe").setLevel(logging.INFO)
logging.getLogger("rustbpe").addHandler(Merging())
try:
    trainer.train_from_iterator([words], 1_500_000)
except KeyboardInterrupt:
    took = time.monotonic() - started[0]
    print("interrupted", took < 1, trainer.get_mergeable_ranks() == before)
    print(f"{took * 1000:.0f} ms", file=sys.stderr)
"""
    assert run_python(SETUP + code, timeout=120) == "interrupted True True\n"


def test_a_log_handler_that_raises_breaks_training_off():
    code = """
import logging

class Raising(logging.Handler):
    def emit(self, record):
        if "%" in record.getMessage():
            raise ZeroDivisionError

logging.getLogger("rustbpe").setLevel(logging.INFO)
logging.getLogger("rustbpe").addHandler(Raising())
try:
    trainer.train_from_iterator(texts, 4000)
except ZeroDivisionError:
    print("raised", trainer.vocab_size)
"""
    assert run_python(SETUP + code) == "raised 400\n"
