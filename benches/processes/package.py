#!/usr/bin/env python3
"""Compares the Python package with the packages that it replaces, in typical use.

    cargo build --release -p benches --bin encode_once
    pip install rustbpe==0.1.0 tiktoken==0.14.0 numpy ./tokenizer-py
    python benches/processes/package.py [CORPUS...] [--encoding NAME] [--runs N] [--rows WORD...]

Corpora are UTF-8 files; by default those in `../shared/data`, with Python's standard library as
source code, or else the text in `fixtures`. The rows, compared with tiktoken unless noted:

  train     `train_from_iterator` as nanochat uses it: documents cut at 10,000 characters, 32,768
            tokens, nanochat's pattern; compared with rustbpe
  list      `encode_ordinary` of the whole file to a list
  lines     `encode_ordinary` of 20,000 short lines, one call each
  batch     `encode_ordinary_batch` of documents of 4,096 characters, on two threads
  decode    `decode` of the ids of the whole file
  numpy     `Tokenizer.encode_numpy` of the file as bytes; compared with the core without Python
  import    `import` of the package, without numpy
  first     from `get_encoding` to the ids of a sentence, with a cached file

Each run is a separate process. Ours and theirs alternate, so that load on the machine affects both. A
cell is the median over the runs of the best later pass; a ratio is the median over back-to-back pairs
of runs, and the range. All answers are compared by CRC; the script fails if they differ.
"""

from __future__ import annotations

import argparse
import functools
import gc
import hashlib
import importlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from encoders import LINES, SENTENCE, read_ranks
from program import (
    ENCODE_ONCE,
    PATTERNS,
    ROOT,
    SHARED,
    default_corpora,
    encode_once,
    find_program,
    ratio_cell,
    table_head,
    table_row,
    vocabulary,
)

REGEXES = json.loads((ROOT / "fixtures/golden/patterns.json").read_text())
CUT, TOKENS, BATCH, PASSES = 10_000, 32_768, 4096, 4
WANTED = {
    "train": "10; multilingual 8",
    "list": "6",
    "lines": "4",
    "batch": "10",
    "decode": "3",
    "numpy": "0.87",
    "import": "under 30 ms",
    "first": "4",
}


# ---------------------------------------------------------------- one run


def in_this_process(job):
    """Runs a row once and prints the result as JSON."""
    print(json.dumps(ROWS[job["row"]](**job)))


def best(call):
    """The seconds of the best later pass, and its answer."""
    times = []
    for _ in range(PASSES):
        answer = None
        gc.collect()
        start = time.perf_counter()
        answer = call()
        times.append(time.perf_counter() - start)
    return min(times[1:]), answer


def crc_of(rows):
    from array import array

    crc = 0
    for row in rows:
        crc = zlib.crc32(array("I", row).tobytes(), crc)
    return crc


def encoding(package, vocabulary, pattern):
    module = importlib.import_module(package)
    return module.Encoding(
        "x",
        pat_str=REGEXES[pattern],
        mergeable_ranks=read_ranks(vocabulary),
        special_tokens={},
    )


def read(path):
    return Path(path).read_bytes().decode("utf-8")


def cut(text, size):
    return [text[start : start + size] for start in range(0, len(text), size)]


def train(package, path, **_):
    module = importlib.import_module(package)
    documents = cut(read(path), CUT)
    tokenizer = module.Tokenizer()
    gc.collect()
    start = time.perf_counter()
    tokenizer.train_from_iterator(iter(documents), TOKENS, pattern=REGEXES["nanochat"])
    seconds = time.perf_counter() - start
    table = b"\n".join(bytes(token) for token, _ in tokenizer.get_mergeable_ranks())
    return {"seconds": seconds, "crc": zlib.crc32(table)}


def whole(package, path, vocabulary, pattern, **_):
    text = read(path)
    encode = encoding(package, vocabulary, pattern).encode_ordinary
    seconds, ids = best(lambda: encode(text))
    return {"seconds": seconds, "crc": crc_of([ids])}


def lines(package, path, vocabulary, pattern, **_):
    texts = [line for line in read(path).split("\n") if line][:LINES]
    encode = encoding(package, vocabulary, pattern).encode_ordinary
    seconds, ids = best(lambda: [encode(text) for text in texts])
    return {"seconds": seconds, "crc": crc_of(ids)}


def batch(package, path, vocabulary, pattern, **_):
    texts = cut(read(path), BATCH)
    encode = encoding(package, vocabulary, pattern).encode_ordinary_batch
    seconds, ids = best(lambda: encode(texts, num_threads=2))
    return {"seconds": seconds, "crc": crc_of(ids)}


def decode(package, path, vocabulary, pattern, **_):
    text = read(path)
    made = encoding(package, vocabulary, pattern)
    ids = made.encode_ordinary(text)
    seconds, again = best(lambda: made.decode(ids))
    return {"seconds": seconds, "crc": zlib.crc32(again.encode()), "right": again == text}


def to_numpy(package, path, vocabulary, pattern, **_):
    if package == "core":
        done = encode_once(vocabulary, pattern, path, PASSES)
        return {"seconds": min(done["passes"][1:]), "crc": done["crc"]}
    tokenizer = importlib.import_module(package).Tokenizer.from_file(vocabulary, pattern)
    data = Path(path).read_bytes()
    seconds, ids = best(lambda: tokenizer.encode_numpy(data))
    return {"seconds": seconds, "crc": zlib.crc32(ids.tobytes())}


def importing(package, **_):
    start = time.perf_counter()
    importlib.import_module(package)
    seconds = time.perf_counter() - start
    if "numpy" in sys.modules:
        raise SystemExit(f"{package} imports numpy")
    return {"seconds": seconds, "crc": 0}


def first(package, name, **_):
    module = importlib.import_module(package)
    start = time.perf_counter()
    ids = module.get_encoding(name).encode(SENTENCE)
    return {"seconds": time.perf_counter() - start, "crc": crc_of([ids])}


ROWS = {
    "train": train,
    "list": whole,
    "lines": lines,
    "batch": batch,
    "decode": decode,
    "numpy": to_numpy,
    "import": importing,
    "first": first,
}
PACKAGES = {
    "train": ("tokenizer_py.rustbpe", "rustbpe"),
    "numpy": ("tokenizer_py", "core"),
    "import": ("tokenizer_py", "tiktoken"),
}
OF_TIKTOKEN = ("tokenizer_py.tiktoken", "tiktoken")


# ---------------------------------------------------------------- the table


def run(job, cache):
    command = [sys.executable, __file__, "--one", json.dumps(job)]
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": cache}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    return json.loads(done.stdout)


def side_by_side(runs, row, cache, **job):
    """The runs of both packages, alternating."""
    packages = PACKAGES.get(row, OF_TIKTOKEN)
    results = {package: [] for package in packages}
    for _ in range(runs):
        for package in packages:
            results[package].append(run({"row": row, "package": package, **job}, cache))
    return list(results.values())


def print_row(title, wanted, size, ours, theirs, differ):
    answers = {(each["crc"], each.get("right", True)) for each in [*ours, *theirs]}
    if len(answers) > 1 or not all(right for _, right in answers):
        differ.append(title)
    seconds = [[each["seconds"] for each in side] for side in (ours, theirs)]
    ratios = [their / our for our, their in zip(*seconds)]
    cells = []
    for side in seconds:
        middle = statistics.median(side)
        cells.append(f"{size / 1e6 / middle:.1f} MB/s" if size else f"{middle * 1e3:.1f} ms")
    table_row([title, *cells, ratio_cell(ratios), wanted])


def warm_cache(folder, name):
    """Adds a vocabulary to a cache folder of tiktoken. Returns its path; None if it is not available."""
    path = SHARED / "vocabs" / f"{name}.tiktoken"
    if not path.exists():
        return None
    server = "https://openaipublic.blob.core.windows.net/encodings"
    key = hashlib.sha1(f"{server}/{name}.tiktoken".encode()).hexdigest()
    shutil.copyfile(path, Path(folder) / key)
    return path


def arguments():
    parser = argparse.ArgumentParser(
        description="Compares the Python package with rustbpe, tiktoken and the core."
    )
    parser.add_argument("corpora", nargs="*", type=Path, metavar="CORPUS")
    parser.add_argument("--encoding", choices=PATTERNS, default="cl100k_base")
    parser.add_argument("--runs", type=int, default=5, help="of each, alternating (5)")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    chosen = arguments()
    if chosen.one:
        return in_this_process(json.loads(chosen.one))
    if "numpy" in chosen.rows:
        find_program(ENCODE_ONCE)
    pattern = PATTERNS[chosen.encoding]
    differ = []
    with tempfile.TemporaryDirectory() as folder:
        cached = warm_cache(folder, chosen.encoding)
        table = vocabulary(chosen.encoding)
        model = {"vocabulary": str(table), "pattern": pattern}
        measure = functools.partial(side_by_side, chosen.runs, cache=folder)
        print(f"{platform.machine()}, {os.cpu_count()} processors, {table.name}\n")
        table_head(["", "ours", "theirs", "times as fast (lowest to highest)", "wanted"])
        for row in chosen.rows:
            if row == "import" or (row == "first" and cached):
                sides = measure(row=row, name=chosen.encoding)
                print_row(row, WANTED[row], 0, *sides, differ)
            elif row != "first":
                for path in chosen.corpora or default_corpora():
                    sides = measure(row=row, path=str(path), **model)
                    size = path.stat().st_size
                    if row == "lines":
                        texts = [line for line in read(path).split("\n") if line][:LINES]
                        size = sum(len(text.encode()) for text in texts)
                    print_row(f"{row}, {path.stem}", WANTED[row], size, *sides, differ)
    if differ:
        sys.exit("different answers: " + "; ".join(differ))


if __name__ == "__main__":
    main()
