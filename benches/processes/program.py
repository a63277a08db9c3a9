"""Shared by the scripts in this folder: programs, corpora, vocabularies, `tokenizer train`, tables.

**Memory** of `tokenizer train` is measured above its input, which it maps: the larger of the peak
resident size (VmHWM) minus the size of the file, and the peak anonymous memory (RssAnon). Both are
polled every 2 ms in a separate run that is not timed. The former is too low if the file is unmapped
before the peak, the latter if the peak is short. The program itself is included. Linux only.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("TOKENIZER_SHARED_DATA", ROOT.parent / "shared" / "data"))
GENERATED = ROOT / "target" / "corpora"
PROGRAM = ROOT / "target" / "release" / "tokenizer"
ENCODE_ONCE = ROOT / "target" / "release" / "encode_once"
PATTERNS = {"r50k_base": "gpt2", "cl100k_base": "cl100k", "o200k_base": "o200k"}


@dataclass
class Training:
    """Measurements and result of one run of `tokenizer train`."""

    seconds: float
    memory: int | None
    distinct: int
    tokens: int
    crc: int


def find_program(program):
    if not Path(program).exists():
        sys.exit(f"no {program}: cargo build --release -p tokenizer-cli -p benches --bins")


def vocabulary(encoding):
    """The published vocabulary of an encoding, or else the small one in fixtures."""
    published = SHARED / "vocabs" / f"{encoding}.tiktoken"
    small = ROOT / "fixtures" / "golden" / f"{PATTERNS[encoding]}.tiktoken"
    return published if published.exists() else small


def encode_once(model, pattern, text, passes, threads=1, program=ENCODE_ONCE, **options):
    """Runs the program `encode_once` and returns its measurements."""
    command = [program, model, pattern, text, str(passes), str(threads)]
    return json.loads(subprocess.check_output(command, **options))


class TooLong(Exception):
    """The time limit was exceeded."""


def train(program, path, vocab_size, watch=False, seconds=None):
    """Runs `tokenizer train` with nanochat's pattern, for at most `seconds`. With `watch`, measures the
    memory, which disturbs the time."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "table.tiktoken"
        options = ["--vocab-size", str(vocab_size), "--pattern", "nanochat"]
        command = [program, "train", path, "-o", output, *options]
        start = time.perf_counter()
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                memory = peak_above_file(process, path, seconds) if watch else None
                stderr = process.communicate(timeout=seconds)[1]
            except (TooLong, subprocess.TimeoutExpired) as error:
                process.kill()
                raise TooLong from error
        taken = time.perf_counter() - start
        if process.returncode:
            sys.exit(stderr)
        lines = [line.split() for line in output.read_bytes().splitlines()]
    assert [int(rank) for _, rank in lines] == list(range(len(lines)))
    table = [b64decode(token) for token, _ in lines]
    distinct = re.search(r"([\d,]+) of them distinct", stderr)
    distinct = int(distinct[1].replace(",", "")) if distinct else 0
    return Training(taken, memory, distinct, len(table), crc(table))


def peak_above_file(process, path, seconds):
    """The peak memory of a process above its input."""
    highest, anonymous = peaks(process, seconds)
    return max(highest - Path(path).stat().st_size, anonymous) if highest else None


def peaks(process, seconds=None):
    """The peak resident and the peak anonymous memory of a process, polled until it ends; zeros if
    unavailable."""
    highest = anonymous = 0
    start = time.perf_counter()
    while process.poll() is None:
        if seconds and time.perf_counter() - start > seconds:
            raise TooLong
        try:
            highest = max(highest, memory_status("VmHWM", process.pid))
            anonymous = max(anonymous, memory_status("RssAnon", process.pid))
        except OSError:
            pass  # the process has just ended, or this is not Linux
        time.sleep(0.002)
    return highest, anonymous


def memory_status(field, process="self"):
    """A field of a process's status, in bytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {field}")


def crc(tokens):
    """The CRC-32 of a vocabulary: all tokens in the order of their ids, each preceded by its length."""
    value = 0
    for token in tokens:
        value = zlib.crc32(token, zlib.crc32(struct.pack("<I", len(token)), value))
    return value


def table_head(heads):
    print("| " + " | ".join(heads) + " |")
    print("| --- |" + " ---: |" * (len(heads) - 1), flush=True)


def table_row(cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def ratio_cell(ratios, digits=2):
    """The median of ratios and their range; `-` for None."""
    if ratios is None:
        return "-"
    middle, *ends = (f"{each:.{digits}f}" for each in (statistics.median(ratios), min(ratios), max(ratios)))
    return f"**{middle}** ({' to '.join(ends)})"


def default_corpora(names=("english_prose", "multilingual", "source_code")):
    """The large corpora in ../shared/data by name, or else the corpus in fixtures."""
    found = []
    for name in names:
        path = SHARED / "corpora" / f"{name}.txt"
        generator = SHARED / "make_code_corpus.py"
        if path.exists():
            found.append(path)
        elif name == "source_code" and generator.exists():
            command = [sys.executable, generator]
            found.append(generated("source_code", lambda path: [*command, path]))
    return found or [ROOT / "fixtures/corpus.txt"]


def generated(name, command):
    """A generated corpus, cached in target/corpora. `command(path)` returns the command that writes it."""
    path = GENERATED / f"{name}.txt"
    if not path.exists():
        GENERATED.mkdir(parents=True, exist_ok=True)
        # Renamed once complete, so that an interrupted run leaves no partial file.
        unfinished = GENERATED / f"{name}.{os.getpid()}"
        subprocess.run(command(unfinished), check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(path)
    return path
