#!/usr/bin/env python3
"""Measures `tokenizer encode` as a process, compared with a tiktoken script, the core and other inputs.

    cargo build --release -p tokenizer-cli -p benches --bins
    pip install tiktoken==0.14.0 numpy pyarrow
    python benches/processes/command.py [CORPUS...] [--runs N] [--large]

Corpora are UTF-8 files; by default the large ones in `../shared/data`, or else the text in `fixtures`.
Everything uses two threads and the vocabulary in a `.tiktoken` file. The columns:

  command   the whole process, from a text to a file of ids as u32
  tiktoken  the same with a short script (this file with `--as-tiktoken`)
  core      loading, a sentence and the first pass, without process start, reading and writing
  lines     the command on JSON lines with documents of about 4 KB
  parquet   the command on a Parquet table with the same documents

The variants alternate, so that load on the machine affects all of them. A cell is the median of the
runs; a ratio is the median over back-to-back pairs of runs. The written ids are compared with those of
the core.

`--large` also measures speed and memory of the command on 2 GB of text from `large_corpus`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from growth import large_corpus
from program import (
    ENCODE_ONCE,
    PROGRAM,
    ROOT,
    default_corpora,
    encode_once,
    find_program,
    peaks,
    ratio_cell,
    table_head,
    table_row,
    vocabulary,
)

THREADS = 2
DOCUMENT = 4096
LARGE_MEGABYTES = 2000


def as_tiktoken(vocabulary, regex, text, output):
    """A typical script: encodes the file in two parts, on one thread each."""
    import numpy as np
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    encoding = tiktoken.Encoding(
        "x", pat_str=regex, mergeable_ranks=load_tiktoken_bpe(vocabulary), special_tokens={}
    )
    text = Path(text).read_bytes().decode()
    cut = cuttable(text, len(text) // 2)
    parts = encoding.encode_ordinary_batch([text[:cut], text[cut:]], num_threads=THREADS)
    with open(output, "wb") as file:
        for part in parts:
            np.array(part, dtype=np.uint32).tofile(file)


def cuttable(text, at):
    """The first offset from `at` that no piece crosses: after a line feed and before a letter."""
    while at < len(text) and not (text[at - 1] == "\n" and text[at].isalpha()):
        at += 1
    return at


def documents(text):
    start = 0
    while start < len(text):
        end = cuttable(text, start + DOCUMENT)
        yield text[start:end]
        start = end


class Bench:
    """The configuration, and a folder for output."""

    def __init__(self, chosen, folder):
        self.chosen = chosen
        self.folder = Path(folder)
        self.vocabulary = vocabulary("cl100k_base")
        regexes = json.loads((ROOT / "fixtures/golden/patterns.json").read_text())
        self.regex = regexes["cl100k"]

    def command(self, text, output):
        threads = str(THREADS)
        model = ["--model", self.vocabulary, "--pattern", "cl100k"]
        how = ["--threads", threads, "--quiet", "--format", "u32"]
        return [self.chosen.program, "encode", *model, *how, "-o", output, text]

    def timed(self, command, output):
        """Runs a process. Returns the seconds and the contents of its output file."""
        start = time.perf_counter()
        subprocess.run(command, check=True)
        taken = time.perf_counter() - start
        written = output.read_bytes()
        output.unlink()
        return taken, written

    def core(self, text):
        run = encode_once(self.vocabulary, "cl100k", text, 1, THREADS)
        return run["load"] + run["sentence"] + run["passes"][0], run["crc"]

    def inputs(self, path):
        """The text as JSON lines, and as a Parquet table if pyarrow is installed."""
        texts = list(documents(path.read_bytes().decode()))
        lines = self.folder / f"{path.stem}.jsonl"
        as_json = [json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts]
        lines.write_text("".join(as_json), encoding="utf-8")
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            return lines, None
        table = self.folder / f"{path.stem}.parquet"
        pyarrow.parquet.write_table(pyarrow.table({"text": texts}), table, row_group_size=500)
        return lines, table

    def row(self, path):
        lines, table = self.inputs(path)
        output = self.folder / "ids.bin"
        script = [sys.executable, __file__, "--as-tiktoken"]
        variants = {
            "command": self.command(path, output),
            "tiktoken": [*script, self.vocabulary, self.regex, path, output],
            "lines": self.command(lines, output),
            "parquet": table and self.command(table, output),
        }
        seconds = {variant: [] for variant in (*variants, "core")}
        for _ in range(self.chosen.runs):
            taken, crc = self.core(path)
            seconds["core"].append(taken)
            written = {}
            for variant, command in variants.items():
                if command:
                    taken, written[variant] = self.timed(command, output)
                    seconds[variant].append(taken)
            # No piece crosses the ends of documents, so all variants have the same ids.
            different = [variant for variant in written if zlib.crc32(written[variant]) != crc]
            if different:
                sys.exit(f"{path.stem}: {', '.join(different)} wrote different ids than the core")
        ours = seconds["command"]
        cells = [path.stem, f"{path.stat().st_size / 1e6:.1f}", f"{statistics.median(ours):.3f}"]
        for variant in ("tiktoken", "core", "lines", "parquet"):
            theirs = seconds[variant]
            if not theirs:
                cells += ["-", "-"]
                continue
            pairs = zip(ours, theirs) if variant == "core" else zip(theirs, ours)
            cells.append(f"{statistics.median(theirs):.3f}")
            cells.append(ratio_cell([one / other for one, other in pairs]))
        table_row(cells)

    def large(self):
        text = large_corpus("text", LARGE_MEGABYTES, default_corpora())
        output = self.folder / "large.bin"
        start = time.perf_counter()
        with subprocess.Popen(self.command(text, output)) as process:
            highest, anonymous = peaks(process)
        taken = time.perf_counter() - start
        if process.returncode:
            sys.exit("the command failed")
        size = text.stat().st_size
        print(
            f"\n{size / 1e6:.0f} MB in {taken:.1f} s, {size / taken / 1e6:.0f} MB/s; peak memory "
            f"{highest / 1e6:.0f} MB, {anonymous / 1e6:.0f} MB without mapped files"
        )


def main():
    if sys.argv[1:2] == ["--as-tiktoken"]:
        return as_tiktoken(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="*", type=Path, metavar="CORPUS")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each [default: 5]")
    parser.add_argument("--large", action="store_true", help="also measure 2 GB of text")
    parser.add_argument("--program", default=PROGRAM, metavar="FILE", help="the command")
    chosen = parser.parse_args()
    if chosen.runs < 1:
        parser.error("--runs must be at least 1")
    find_program(chosen.program)
    find_program(ENCODE_ONCE)
    heads = ["corpus", "MB", "command, s", "tiktoken, s", "tiktoken / command", "core, s"]
    heads += ["command / core", "JSON lines, s", "JSON lines / text", "Parquet, s", "Parquet / text"]
    table_head(heads)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(chosen, folder)
        for path in chosen.corpora or default_corpora():
            bench.row(path)
        if chosen.large:
            bench.large()
    return None


if __name__ == "__main__":
    main()
