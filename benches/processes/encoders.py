"""Runs one encoder and prints measurements as a JSON object. Started by `encoding.py` for each run.

    python encoders.py '{"encoder": ..., "mode": ..., ...}'

The modes:

  whole    a text in one call: loading, the first pass, later passes; ids, peak memory
  lines    short lines, one call each: first pass, later passes, and the latency of later calls
  load     from the path of a vocabulary to the ids of one sentence
  threads  the beginning of a text on one and on two processors, alternating; ours only
  rustbpe  `encode` of documents with a vocabulary trained by the package itself

Imports and freeing the previous ids are not timed. The process is pinned to the given processors.
Memory is the peak resident size including the text, on Linux only.
"""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import sys
import time
import zlib
from base64 import b64decode
from pathlib import Path

from program import memory_status

LINES = 20_000
SENTENCE = "The quick brown fox jumps over the lazy dog, and then it's 12:34."


def read_ranks(path):
    lines = (line.split() for line in Path(path).read_bytes().splitlines())
    return {b64decode(token): int(rank) for token, rank in lines}


# ---------------------------------------------------------------- encoders
#
# Each function imports a package and returns a loader. A loader takes the path of a .tiktoken file, the
# name of its pattern and its regex, and returns a function that encodes a `str`.


def tiktoken(method):
    from tiktoken import Encoding

    return standing_in(Encoding, method)


def ours_as_tiktoken(method):
    from tokenizer_py.tiktoken import Encoding

    return standing_in(Encoding, method)


def standing_in(encoding, method):
    def load(path, pattern, regex):
        ranks = read_ranks(path)
        return getattr(
            encoding("x", pat_str=regex, mergeable_ranks=ranks, special_tokens={}), method
        )

    return load


def gigatoken(output):
    from gigatoken import Tokenizer

    def load(path, pattern, regex):
        encode = Tokenizer.from_tiktoken(path, pattern, {}).encode
        return encode if output == "numpy" else lambda text: encode(text).tolist()

    return load


def fastokens(output):
    from fastokens import Tokenizer

    def load(path, pattern, regex):
        known = {"cl100k": "cl100k_base", "o200k": "o200k_base"}.get(pattern)
        how = {"encoding": known} if known else {"pattern": regex, "special_tokens": {}}
        encode = Tokenizer.from_tiktoken(str(path), **how).encode_ordinary
        return encode if output == "object" else lambda text: list(encode(text).ids)

    return load


def ours(output):
    from tokenizer_py import Tokenizer

    if output == "numpy":
        # tokenizer_py imports numpy on first use, gigatoken on import.
        import numpy  # noqa: F401

    def load(path, pattern, regex):
        # The native format stores its pattern.
        named = {} if Path(path).suffix == ".bpe" else {"pattern": pattern}
        tokenizer = Tokenizer.from_file(path, **named)
        return tokenizer.encode if output == "list" else tokenizer.encode_numpy

    return load


# Names as in the tables, with the function that imports the package and its argument.
ENCODERS = {
    "tiktoken": (tiktoken, "encode_ordinary"),
    "tiktoken, numpy": (tiktoken, "encode_to_numpy"),
    "gigatoken, numpy": (gigatoken, "numpy"),
    "gigatoken, list": (gigatoken, "list"),
    "fastokens, object": (fastokens, "object"),
    "fastokens, list": (fastokens, "list"),
    "ours, list": (ours, "list"),
    "ours, numpy": (ours, "numpy"),
    "ours as tiktoken": (ours_as_tiktoken, "encode_ordinary"),
}


# ---------------------------------------------------------------- modes


def timed(call, *arguments):
    start = time.perf_counter()
    result = call(*arguments)
    return time.perf_counter() - start, result


def crc_of(all_ids):
    """The number of ids in any container, and their CRC-32 as little-endian u32."""
    import numpy

    count = crc = 0
    for ids in all_ids:
        ids = numpy.asarray(getattr(ids, "ids", ids), dtype="<u4")
        count += len(ids)
        crc = zlib.crc32(ids.tobytes(), crc)
    return {"tokens": count, "crc": crc}


def peak():
    try:
        return memory_status("VmHWM")
    except OSError:
        return None


def whole(load, vocabulary, text, passes):
    loading, encode = timed(load, *vocabulary)
    times, ids = [], None
    for _ in range(passes):
        ids = None
        gc.collect()
        seconds, ids = timed(encode, text)
        times.append(seconds)
    memory = peak()
    return {"load": loading, "passes": times, "peak": memory, **crc_of([ids])}


def lines(load, vocabulary, text, passes):
    texts = [line for line in text.split("\n") if line][:LINES]
    loading, encode = timed(load, *vocabulary)
    clock = time.perf_counter_ns
    times, calls, ids = [], [], []
    for number in range(passes):
        ids, ends = [None] * len(texts), [0] * len(texts)
        gc.collect()
        start = clock()
        for place, each in enumerate(texts):
            ids[place] = encode(each)
            ends[place] = clock()
        times.append((ends[-1] - start) / 1e9)
        if number > 0:
            calls.extend(end - before for before, end in zip([start, *ends], ends))
    calls.sort()
    latencies = [calls[len(calls) * part // 100] / 1e3 for part in (50, 95, 99)] if calls else []
    size = sum(len(each.encode()) for each in texts)
    return {"load": loading, "passes": times, "latencies": latencies, "bytes": size, **crc_of(ids)}


def load_time(load, vocabulary, text, passes):
    seconds, ids = timed(lambda: load(*vocabulary)(SENTENCE))
    return {"load": seconds, **crc_of([ids])}


def threads(load, vocabulary, text, passes, processors):
    """One thread on each of two processors, two processes at once, and two threads, alternating.

    On a shared machine, the speeds of two processors differ by up to a third and change within minutes,
    and both together may be hardly faster than one. Two independent processes, measured in each pass,
    are therefore the upper bound for two threads.
    """
    import numpy

    encode = load(*vocabulary)
    data = text.encode()
    once = encode(data, threads=1)
    # Enough calls per pass for the resolution of the clock.
    calls = max(1, 4_000_000 // len(data))

    def seconds(count, on):
        os.sched_setaffinity(0, on)
        # Warms the processor's caches.
        ids = encode(data, threads=count)
        taken = 0
        for _ in range(calls):
            some, ids = timed(lambda: encode(data, threads=count))
            taken += some
            assert numpy.array_equal(ids, once), "threads change the ids"
        return taken / calls

    first, second = ({processor} for processor in processors)
    with forked(lambda: seconds(1, second)) as ask:
        times = {"one": [], "apart": [], "two": []}
        for _ in range(passes):
            alone = [seconds(1, first), seconds(1, second)]
            times["one"].append(2 / sum(1 / each for each in alone))
            other = ask()
            apart = [seconds(1, first), other()]
            times["apart"].append(1 / sum(1 / each for each in apart))
            times["two"].append(seconds(2, first | second))
    return {"bytes": len(data), **times, **crc_of([once])}


@contextlib.contextmanager
def forked(work):
    """A fork of this process that runs `work` on request, concurrently, and returns its results."""
    here, there = multiprocessing.Pipe()

    def serve():
        here.close()
        while there.recv():
            there.send(work())

    process = multiprocessing.get_context("fork").Process(target=serve)
    process.start()
    # Closed here, so that the end of the other process is detected.
    there.close()

    def ask():
        here.send(True)
        return here.recv

    try:
        yield ask
    finally:
        here.send(False)
        process.join()


def rustbpe(package, regex, text, passes, vocab_size):
    import importlib

    documents = [text[start : start + 4096] for start in range(0, len(text), 4096)]
    tokenizer = importlib.import_module(package).Tokenizer()
    tokenizer.train_from_iterator(iter(documents), vocab_size, pattern=regex)
    times, ids = [], []
    for _ in range(passes):
        ids = []
        gc.collect()
        seconds, ids = timed(lambda: [tokenizer.encode(document) for document in documents])
        times.append(seconds)
    return {"passes": times, "bytes": len(text.encode()), **crc_of(ids)}


def main():
    job = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job["processors"])
    # Otherwise a package's first array would import it while the clock runs.
    import numpy  # noqa: F401

    text = Path(job["text"]).read_bytes()[: job.get("limit")].decode("utf-8", "ignore")
    if job["mode"] == "rustbpe":
        result = rustbpe(job["encoder"], job["regex"], text, job["passes"], job["vocab_size"])
        print(json.dumps(result))
        return
    package, output = ENCODERS[job["encoder"]]
    load = package(output)
    vocabulary = (job["vocabulary"], job["pattern"], job["regex"])
    modes = {"whole": whole, "lines": lines, "load": load_time, "threads": threads}
    try:
        more = [job["processors"]] if job["mode"] == "threads" else []
        result = modes[job["mode"]](load, vocabulary, text, job["passes"], *more)
    except BaseException as error:  # noqa: BLE001
        # tiktoken's regex engine fails on a million spaces, with a panic.
        if type(error).__name__ != "PanicException":
            raise
        result = {"failed": True}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
