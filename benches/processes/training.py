#!/usr/bin/env python3
"""Compares training with the package rustbpe: time, memory, and equality of the merges.

    cargo build --release -p tokenizer-cli
    pip install rustbpe==0.1.0 ./tokenizer-py
    python benches/processes/training.py [CORPUS...] [--vocab-size N...] [--runs N]

Corpora are UTF-8 files; by default those in `../shared/data`, with Python's standard library as
source code, or else the text in `fixtures`.

Three variants are compared, all with nanochat's pattern and on all processors:

  rustbpe     `train_from_iterator` of rustbpe, on an iterator of documents of about 4 KB
  iterator    the same of `tokenizer_py.rustbpe`
  file        `tokenizer train FILE`: the whole process, with reading and writing

Documents end before lines that do not begin with white space. No piece of the pattern crosses such a
boundary, so all variants have the same pieces and must learn the same vocabulary (compared by CRC).

**Time.** Each run is a separate process. The variants alternate, so that load on the machine affects
all of them. A cell is the median; a ratio is the median over back-to-back pairs of runs, and the
range.

**Memory** is measured above the input, on Linux only. In Python: the peak resident size of training
minus the size just before it, when all modules are imported and the documents are in memory. For
`file`, see `program.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from program import (
    PROGRAM,
    ROOT,
    crc,
    default_corpora,
    find_program,
    memory_status,
    ratio_cell,
    table_head,
    table_row,
    train,
)

VOCAB_SIZES = [4096, 32_768, 131_072]
DOCUMENT_CHARACTERS = 4096

PACKAGES = {"rustbpe": "rustbpe", "iterator": "tokenizer_py.rustbpe"}
COLUMNS = [*PACKAGES, "file"]


def nanochat_pattern():
    return json.loads((ROOT / "fixtures/golden/patterns.json").read_text())["nanochat"]


# ---------------------------------------------------------------- one run in Python


def cut(text, characters):
    """Documents of whole lines, of about `characters` characters, each ending before a line that does
    not begin with white space."""
    made, lines, length = [], [], 0
    for line in keep_newlines(text):
        if length >= characters and not line[0].isspace():
            made.append("".join(lines))
            lines, length = [], 0
        lines.append(line)
        length += len(line)
    if lines:
        made.append("".join(lines))
    return made


def keep_newlines(text):
    """The lines, split at line feeds only."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def run_in_this_process(package, path, vocab_size):
    """Trains once and prints the measurements as JSON."""
    import gc
    import importlib

    module = importlib.import_module(package)
    pattern = nanochat_pattern()
    documents = cut(Path(path).read_bytes().decode("utf-8"), DOCUMENT_CHARACTERS)
    gc.collect()
    tokenizer = module.Tokenizer()
    before = start_of_peak()
    start = time.perf_counter()
    tokenizer.train_from_iterator(iter(documents), vocab_size, pattern=pattern)
    seconds = time.perf_counter() - start
    memory = memory_status("VmHWM") - before if before else None
    table = [bytes(token) for token, _ in tokenizer.get_mergeable_ranks()]
    result = {"seconds": seconds, "memory": memory, "tokens": len(table), "crc": crc(table)}
    print(json.dumps(result))


def start_of_peak():
    """Resets the peak resident size and returns the current size; None if unsupported. Free memory of
    the allocator is released first, since its reuse would hide memory that training needs."""
    try:
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return memory_status("VmRSS")
    except (OSError, AttributeError):
        return None


# ---------------------------------------------------------------- runs


def python(package, path, vocab_size):
    command = [sys.executable, __file__, "--one", package, str(path), str(vocab_size)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


# ---------------------------------------------------------------- the table


def compare(program, path, vocab_size, runs):
    """Prints one row."""
    taken = {column: [] for column in COLUMNS}
    memory = {column: [] for column in PACKAGES}
    tables = set()
    for _ in range(runs):
        for column, package in PACKAGES.items():
            one = python(package, path, vocab_size)
            taken[column].append(one["seconds"])
            memory[column].append(one["memory"])
            tables.add((one["tokens"], one["crc"]))
        one = train(program, path, vocab_size)
        taken["file"].append(one.seconds)
        tables.add((one.tokens, one.crc))
    for column in PACKAGES:
        memory[column] = None if None in memory[column] else statistics.median(memory[column])
    memory["file"] = train(program, path, vocab_size, watch=True).memory
    same = len(tables) == 1

    cells = [f"{path.stem}, {path.stat().st_size / 1e6:.0f} MB", f"{vocab_size:,}"]
    cells.append(f"{statistics.median(taken['rustbpe']):.3f}")
    for column in COLUMNS[1:]:
        ratios = [theirs / ours for theirs, ours in zip(taken["rustbpe"], taken[column])]
        cells.append(f"{statistics.median(taken[column]):.3f}")
        cells.append(ratio_cell(ratios, 1))
    for column in COLUMNS:
        cells.append(f"{memory[column] / 1e6:.0f}" if memory[column] else "-")
    for column in COLUMNS[1:]:
        known = memory[column] and memory["rustbpe"]
        cells.append(f"{memory[column] / memory['rustbpe']:.2f}" if known else "-")
    cells.append(f"{max(tables)[0] - 256:,}" if same else "**different**")
    table_row(cells)
    return same


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="*", type=Path, metavar="CORPUS")
    parser.add_argument("--vocab-size", nargs="+", type=int, default=VOCAB_SIZES, metavar="N")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    parser.add_argument(
        "--program",
        default=PROGRAM,
        help="the command line [default: target/release/tokenizer]",
    )
    return parser.parse_args()


def main():
    chosen = arguments()
    find_program(chosen.program)
    print(f"{os.cpu_count()} processors, {platform.machine()}, {chosen.runs} runs of each\n")
    heads = ["corpus", "tokens", "rustbpe, s", "iterator, s", "rustbpe / iterator", "file, s"]
    heads += ["rustbpe / file", "rustbpe, MB", "iterator, MB", "file, MB"]
    heads += ["iterator / rustbpe, MB", "file / rustbpe, MB", "equal merges"]
    table_head(heads)
    corpora = chosen.corpora or default_corpora()
    rows = [(path, size) for path in corpora for size in chosen.vocab_size]
    same = [compare(chosen.program, path, size, chosen.runs) for path, size in rows]
    sys.exit(0 if all(same) else "the merges differ")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_in_this_process(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
