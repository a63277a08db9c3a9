#!/usr/bin/env python3
"""Prints how time and memory of training grow with the corpus, and what hostile corpora cost.

    cargo build --release -p tokenizer-cli
    python benches/processes/growth.py [prose] [large] [hostile] [--vocab-size N] [--runs N]

  prose     the first 1, 2, 4, 8, 16 and 24 MB of English prose, where it is at hand
  large     the first 4, 16, 64, 256 and 1000 MB of a gigabyte that `large_corpus` makes
  hostile   64 MB each: one word of random letters, one letter again and again, Chinese without
            spaces

All of them without a word. Corpora that are made are kept in `target/corpora`. What grows more
slowly than the corpus has columns that fall: nanoseconds for each byte, and bytes of memory above
the input for each byte (`program.py` tells how that is taken). The exponent is that of Heaps' law
between a row and the one before: distinct pieces grow as so high a power of the length, in real
text by 0.5 to 0.7.
"""

from __future__ import annotations

import argparse
import functools
import math
import statistics
import tempfile
from pathlib import Path

from program import (
    PROGRAM,
    ROOT,
    SHARED,
    TooLong,
    default_corpora,
    find_program,
    made,
    table_head,
    table_row,
    train,
)

PROSE_MEGABYTES = [1, 2, 4, 8, 16, 24]
LARGE_MEGABYTES = [4, 16, 64, 256, 1000]
HOSTILE_MEGABYTES = 64
SEED = 1
KINDS = ["prose", "large", "hostile"]


def large_corpus(kind, megabytes, inputs=()):
    """A corpus made by the program of that name."""
    cargo = ["cargo", "run", "--quiet", "--release", "-p", "benches", "--bin", "large_corpus", "--"]
    cargo[2:2] = ["--manifest-path", ROOT / "Cargo.toml"]
    size = str(megabytes * 1_000_000)
    return made(f"{kind}-{megabytes}MB", lambda path: [*cargo, kind, path, size, str(SEED), *inputs])


def beginnings(path, sizes, folder):
    """The lines in the first so many megabytes of a file, as files; the whole file at the end."""
    whole = path.stat().st_size
    for megabytes in sizes:
        size = megabytes * 1_000_000
        if size > whole * 0.99:
            yield path
            return
        with open(path, "rb") as file:
            beginning = file.read(size)
        copy = Path(folder) / f"{path.stem}.txt"
        copy.write_bytes(beginning[: beginning.rindex(b"\n") + 1])
        yield copy


def corpora(kinds):
    """The files to train on, in groups of one growing corpus each."""
    with tempfile.TemporaryDirectory() as folder:
        prose = SHARED / "corpora" / "english_prose.txt"
        if "prose" in kinds and prose.exists():
            yield beginnings(prose, PROSE_MEGABYTES, folder)
        if "large" in kinds:
            whole = large_corpus("text", LARGE_MEGABYTES[-1], default_corpora())
            yield beginnings(whole, LARGE_MEGABYTES, folder)
        if "hostile" in kinds:
            for kind in ("word", "letter", "chinese"):
                yield [large_corpus(kind, HOSTILE_MEGABYTES)]


def row(path, chosen, before):
    """Prints one; gives the size and the distinct pieces, `before` being those of the last."""
    size = path.stat().st_size
    run = functools.partial(train, chosen.program, path, chosen.vocab_size, seconds=chosen.timeout)
    try:
        trainings = [run() for _ in range(chosen.runs)]
        watched = run(watch=True)
    except TooLong:
        cells = [path.stem, f"{size / 1e6:.0f}", "-", "-", "-", f"> {chosen.timeout}"]
        cells += [f"> {chosen.timeout / size * 1e9:.0f}", "-", "-"]
        table_row(cells)
        return None
    assert len({one.crc for one in [*trainings, watched]}) == 1, "not the same merges each time"
    seconds = statistics.median(one.seconds for one in trainings)
    now = (size, watched.distinct)
    exponent = "-"
    if before and min(*before, *now) > 0 and now[0] != before[0]:
        exponent = f"{math.log(now[1] / before[1]) / math.log(now[0] / before[0]):.2f}"
    memory = watched.memory
    cells = [path.stem, f"{size / 1e6:.0f}", f"{watched.distinct:,}", exponent]
    cells += [f"{watched.tokens - 256:,}", f"{seconds:.3f}", f"{seconds / size * 1e9:.1f}"]
    cells += [f"{memory / 1e6:.0f}", f"{memory / size:.2f}"] if memory else ["-", "-"]
    table_row(cells)
    return now


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="prose, large, hostile")
    parser.add_argument("--vocab-size", type=int, default=32_768, metavar="N")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument(
        "--timeout", type=int, default=900, metavar="SECONDS", help="for each run [default: 900]"
    )
    parser.add_argument("--program", default=PROGRAM, help="default: target/release/tokenizer")
    chosen = parser.parse_args()
    unknown = set(chosen.kinds) - set(KINDS)
    if unknown:
        parser.error(f"{unknown.pop()} is none of {', '.join(KINDS)}")
    find_program(chosen.program)

    heads = ["corpus", "MB", "distinct pieces", "exponent", "merges", "seconds", "ns a byte"]
    heads += ["memory, MB", "bytes a byte"]
    table_head(heads)
    for group in corpora(chosen.kinds or KINDS):
        before = None
        for path in group:
            before = row(path, chosen, before)


if __name__ == "__main__":
    main()
