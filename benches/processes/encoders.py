"""One encoder in a process of its own: what `encoding.py` starts, again and again.

    python encoders.py '{"encoder": ..., "mode": ..., ...}'

It prints one JSON object. The modes:

  whole    a text in one call: loading, the first pass, later passes; ids, peak memory
  lines    short lines, one call each: first pass, later passes, the time of every call of these
  load     from the path of a vocabulary to the ids of one sentence
  threads  the beginning of a text on one thread and on two processors, by turns; only ours
  rustbpe  `encode` of a vocabulary that the package trains itself, on documents

Importing a package is not timed, nor is giving back the ids of the pass before. The process keeps
to the processors that it is told. The memory is the highest resident size, text included; on Linux.
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
# Each imports its package and gives a function that loads a vocabulary, which gives one that encodes
# a `str`. A vocabulary is the path of a .tiktoken file, the name of its pattern and its regex.


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
        # It is imported when it is needed first; gigatoken imports it with itself.
        import numpy  # noqa: F401

    def load(path, pattern, regex):
        # The native format knows its pattern.
        named = {} if Path(path).suffix == ".bpe" else {"pattern": pattern}
        tokenizer = Tokenizer.from_file(path, **named)
        return tokenizer.encode if output == "list" else tokenizer.encode_numpy

    return load


# Name, as in the tables: what imports it, and what it gives.
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
    """Of ids in any form: how many, and the CRC-32 of them as little-endian u32."""
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
    """One thread on each of two processors, both of these at once, and two threads, by turns.

    Two processors of a machine that others share differ in speed by a third, change it by the minute,
    and together do as much as twice one of them, or little more than one. So it is measured in each
    pass what they do at once for two processes that share nothing: no threads can do more.
    """
    import numpy

    encode = load(*vocabulary)
    data = text.encode()
    once = encode(data, threads=1)
    # Enough calls in a pass for the clock, and passes enough for a median.
    calls = max(1, 4_000_000 // len(data))

    def seconds(count, on):
        os.sched_setaffinity(0, on)
        # What is known lies in the caches of the processor that had it last.
        ids = encode(data, threads=count)
        taken = 0
        for _ in range(calls):
            some, ids = timed(lambda: encode(data, threads=count))
            taken += some
            assert numpy.array_equal(ids, once), "threads change the ids"
        return taken / calls

    first, second = ({processor} for processor in processors)
    with beside(lambda: seconds(1, second)) as ask:
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
def beside(work):
    """A copy of this process that does the work when it is asked to, and tells what came of it."""
    here, there = multiprocessing.Pipe()

    def serve():
        here.close()
        while there.recv():
            there.send(work())

    process = multiprocessing.get_context("fork").Process(target=serve)
    process.start()
    # So that the end of the other process is seen.
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
    # The first array that a package makes would import it while the clock runs.
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
        # tiktoken's regex engine gives up on a million spaces, with a panic.
        if type(error).__name__ != "PanicException":
            raise
        result = {"gave_up": True}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
