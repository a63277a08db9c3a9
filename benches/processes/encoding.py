#!/usr/bin/env python3
"""Compares encoding with other packages: speed, latency, memory, and equality of the ids.

    cargo build --release -p benches --bin encode_once
    pip install tiktoken==0.14.0 gigatoken==0.10.0 fastokens==0.3.5 rustbpe==0.1.0 numpy ./tokenizer-py
    python benches/processes/encoding.py [CORPUS...] [--tables NAME...] [--encoding NAME] [--runs N]

Corpora are UTF-8 files; by default those in `../shared/data`, with Python's standard library as
source code, or else the text and the small vocabularies in `fixtures`. Packages that are not
installed are skipped. The tables:

  whole    the whole file in one call: loading plus first pass, first pass, best later pass, and the
           peak memory of the process
  hostile  the first pass over adversarial texts
  lines    20,000 short lines, one call each, with latencies
  threads  ours on two threads compared with one, for 256 KB, 1 MB and the whole file; and compared
           with two independent processes, the upper bound on the machine at that moment
  load     a new process, from the path of a vocabulary to the ids of a sentence
  rustbpe  `encode` with a vocabulary trained by the package itself

**Time.** Each run is a separate process on one processor (`threads`: two). Imports, including numpy,
are not timed. The encoders alternate, so that load on the machine affects all of them. A cell is the
median of the runs; a ratio is the median over back-to-back pairs of runs, and the range. The best
competitor is chosen per run.

**Ids** of all encoders are compared by CRC; the script fails if they differ.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from encoders import ENCODERS, SENTENCE
from program import (
    ENCODE_ONCE,
    PATTERNS,
    ROOT,
    SHARED,
    default_corpora,
    encode_once,
    ratio_cell,
    table_head,
    table_row,
    vocabulary,
)

CORPORA = ("english_prose", "multilingual", "source_code", "web_mix")
HOSTILE = ("one_letter", "long_word", "fibonacci_word", "spaces", "newlines", "digits")
RUSTBPE_BYTES, RUSTBPE_TOKENS = 4_000_000, 8192


class Bench:
    """The configuration, and the differences in ids found so far."""

    def __init__(self, chosen, folder):
        self.chosen = chosen
        self.pattern = PATTERNS[chosen.encoding]
        regexes = json.loads((ROOT / "fixtures/golden/patterns.json").read_text())
        self.regex, self.nanochat = regexes[self.pattern], regexes["nanochat"]
        self.vocabulary = vocabulary(chosen.encoding)
        self.native = Path(folder) / "model.bpe"
        self.encoders = {}
        for name in ENCODERS:
            package = name.split(",")[0].split()[0]
            package = "tokenizer_py" if package == "ours" else package
            if importlib.util.find_spec(package) and package not in chosen.without:
                self.encoders[name] = package
        if hasattr(os, "sched_getaffinity"):
            processors = sorted(os.sched_getaffinity(0))
        else:
            processors = list(range(os.cpu_count()))
        self.processors = processors[-2:]
        self.differ = []

    def one(self, encoder, mode, text, passes=1, processors=1, **job):
        """One run in a separate process; None if the package fails."""
        given = {
            "encoder": encoder,
            "mode": mode,
            "text": str(text),
            "passes": passes,
            "vocabulary": str(self.vocabulary),
            "pattern": self.pattern,
            "regex": self.regex,
            "processors": self.processors[-processors:],
            **job,
        }
        environment = {**os.environ, "RAYON_NUM_THREADS": str(processors)}
        command = [sys.executable, Path(__file__).parent / "encoders.py", json.dumps(given)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
        result = json.loads(done.stdout)
        return None if "failed" in result else result

    def side_by_side(self, encoders, mode, text, **job):
        """The runs of each encoder, alternating. All must give the same ids."""
        results = {encoder: [] for encoder in encoders}
        for _ in range(self.chosen.runs):
            for encoder in encoders:
                results[encoder].append(self.one(encoder, mode, text, **job))
        self.compare(f"{mode}, {Path(text).stem}", results)
        return results

    def compare(self, what, results):
        answers = {}
        for encoder, runs in results.items():
            for run in runs:
                if run is not None:
                    answers.setdefault((run["tokens"], run["crc"]), set()).add(encoder)
        if len(answers) > 1:
            sides = "; ".join(", ".join(sorted(encoders)) for encoders in answers.values())
            self.differ.append(f"{what}: {sides}")


# ---------------------------------------------------------------- figures


def median(numbers):
    return statistics.median(numbers) if None not in numbers else None


def ratios(ours, others):
    """For each run, our speed divided by the best speed of the others; None without others."""
    found = []
    for number, speed in enumerate(ours):
        competitors = [runs[number] for runs in others if runs[number] is not None]
        if speed is None or not competitors:
            return None
        found.append(speed / max(competitors))
    return found


def number_cell(number, digits=0):
    return "-" if number is None else f"{number:.{digits}f}"


def speeds(results, size, seconds):
    """The MB/s of all runs, by encoder."""
    of = {}
    for encoder, runs in results.items():
        of[encoder] = [None if run is None else size / 1e6 / seconds(run) for run in runs]
    return of


def is_ours(encoder):
    return encoder.startswith("ours")


def begin_titled(title, heads):
    print(f"\n{title}\n")
    table_head(heads)


# ---------------------------------------------------------------- tables


def whole_table(bench, corpora):
    encoders = list(bench.encoders)
    heads = ["MB/s: load and first pass / first pass / best later pass", *encoders]
    begin_titled("Whole files", heads)
    rows = []
    for path in corpora:
        size = path.stat().st_size
        results = bench.side_by_side(encoders, "whole", path, passes=bench.chosen.passes)
        kinds = [
            speeds(results, size, lambda run: run["load"] + run["passes"][0]),
            speeds(results, size, lambda run: run["passes"][0]),
            speeds(results, size, lambda run: min(run["passes"][1:])),
        ]
        cells = [
            " / ".join(number_cell(median(kind[encoder])) for kind in kinds)
            for encoder in encoders
        ]
        table_row([f"{path.stem}, {size / 1e6:.0f} MB", *cells])
        peaks = [
            number_cell(max(run["peak"] for run in runs) / 1e6) if runs[0]["peak"] else "-"
            for runs in results.values()
        ]
        rows.append((path.stem, kinds, peaks))

    ours = [encoder for encoder in encoders if is_ours(encoder)]
    heads = ["times as fast as the best of the others", "encoder"]
    begin_titled(
        "Ours compared with the best of the others, and lists compared with tiktoken's",
        [*heads, "loaded and first", "first", "later", "tiktoken, first", "tiktoken, later"],
    )
    for corpus, kinds, _ in rows:
        for encoder in ours:
            cells = []
            for kind in kinds:
                others = [runs for name, runs in kind.items() if not is_ours(name)]
                cells.append(ratio_cell(ratios(kind[encoder], others)))
            for kind in kinds[1:]:
                competitors = [kind["tiktoken"]] if "tiktoken" in kind and "numpy" not in encoder else []
                cells.append(ratio_cell(ratios(kind[encoder], competitors)))
            table_row([corpus, encoder, *cells])

    begin_titled("Peak memory of the process including the text, MB", ["corpus", *encoders])
    for corpus, _, peaks in rows:
        table_row([corpus, *peaks])


def hostile_table(bench, corpora):
    found = [SHARED / "corpora" / "adversarial" / f"{name}.txt" for name in HOSTILE]
    found = [path for path in found if path.exists()]
    if not found:
        return
    encoders = list(bench.encoders)
    ours = [encoder for encoder in encoders if is_ours(encoder)]
    competitors = [f"{encoder}: ratio" for encoder in ours]
    begin_titled("Hostile texts, first pass", ["MB/s", *encoders, *competitors])
    for path in found:
        size = path.stat().st_size
        results = bench.side_by_side(encoders, "whole", path)
        speed = speeds(results, size, lambda run: run["passes"][0])
        others = [runs for name, runs in speed.items() if not is_ours(name)]
        cells = [number_cell(median(speed[encoder]), 1) for encoder in encoders]
        cells += [ratio_cell(ratios(speed[encoder], others)) for encoder in ours]
        table_row([path.stem, *cells])


def lines_table(bench, corpora):
    heads = ["20,000 lines, one call each", "encoder", "first pass, MB/s", "later, MB/s"]
    heads += ["p50, µs", "p95, µs", "p99, µs", "later: ratio"]
    begin_titled("Short lines", heads)
    for path in corpora:
        encoders = list(bench.encoders)
        results = bench.side_by_side(encoders, "lines", path, passes=bench.chosen.passes)
        size = results[encoders[0]][0]["bytes"]
        first = speeds(results, size, lambda run: run["passes"][0])
        later = speeds(results, size, lambda run: min(run["passes"][1:]))
        others = [runs for name, runs in later.items() if not is_ours(name)]
        for encoder in encoders:
            latencies = zip(*(run["latencies"] for run in results[encoder]))
            cells = [number_cell(median(kind[encoder]), 1) for kind in (first, later)]
            cells += [number_cell(median(part), 2) for part in latencies]
            cells.append(ratio_cell(ratios(later[encoder], others)) if is_ours(encoder) else "")
            table_row([path.stem, encoder, *cells])


def threads_table(bench, corpora):
    can_choose = hasattr(os, "sched_setaffinity") and len(bench.processors) > 1
    if not can_choose or "ours, numpy" not in bench.encoders:
        return
    heads = ["corpus", "MB", "one thread, MB/s", "two, MB/s", "times as fast"]
    begin_titled("Ours on two threads, numpy", [*heads, "two processes", "of these"])
    for path in corpora:
        whole = path.stat().st_size
        for limit in (*(size for size in (1 << 18, 1 << 20) if size < whole), whole):
            taken = bench.one(
                "ours, numpy", "threads", path, bench.chosen.passes * 2, processors=2, limit=limit
            )
            one, apart, two = (taken[key] for key in ("one", "apart", "two"))
            size = taken["bytes"] / 1e6
            speeds = [number_cell(size / min(times)) for times in (one, two)]
            pairs = [(one, two), (one, apart), (apart, two)]
            table_row([path.stem, f"{size:.2f}", *speeds, *(ratio_cell(quotients(*p)) for p in pairs)])


def quotients(these, those):
    return [this / that for this, that in zip(these, those)]


def load_table(bench, corpora):
    from tokenizer_py import Tokenizer

    Tokenizer.from_file(bench.vocabulary, pattern=bench.pattern).save(bench.native)
    begin_titled(
        "A new process: from the path of a vocabulary to the ids of one sentence",
        ["ms", "median", "lowest", "whole process, median"],
    )
    runs = max(bench.chosen.runs, 10)
    text = ROOT / "fixtures/merges_demo/demo.txt"
    measured = {}
    for name in bench.encoders:
        if name not in ("tiktoken, numpy", "gigatoken, list", "fastokens, list"):
            taken = [bench.one(name, "load", text) for _ in range(runs)]
            measured[f"{name}, .tiktoken"] = taken
            table_row([f"{name}, .tiktoken", *load_cells([run["load"] for run in taken])])
    name = "ours, numpy"
    taken = [bench.one(name, "load", text, vocabulary=str(bench.native)) for _ in range(runs)]
    measured[f"{name}, .bpe"] = taken
    table_row([f"{name}, .bpe", *load_cells([run["load"] for run in taken])])
    if ENCODE_ONCE.exists():
        sentence = bench.native.with_name("sentence.txt")
        sentence.write_text(SENTENCE)
        for file, pattern in ((bench.vocabulary, bench.pattern), (bench.native, "-")):
            name = f"Rust, {file.suffix}"
            measured[name], outside = [], []
            for _ in range(runs):
                start = time.perf_counter()
                measured[name].append(encode_once(file, pattern, sentence, 1))
                outside.append(time.perf_counter() - start)
            inside = [run["load"] + run["sentence"] for run in measured[name]]
            whole = f"{statistics.median(outside) * 1e3:.1f}"
            table_row([name, *load_cells(inside)[:2], whole])
    bench.compare("load", measured)


def load_cells(seconds):
    return [f"{statistics.median(seconds) * 1e3:.1f}", f"{min(seconds) * 1e3:.1f}", ""]


def rustbpe_table(bench, corpora):
    packages = {"rustbpe": "rustbpe", "ours as rustbpe": "tokenizer_py.rustbpe"}
    if not all(importlib.util.find_spec(package) for package in packages.values()):
        return
    heads = ["documents of 4 KB, one call each: first pass / best later pass, MB/s", *packages]
    title = f"rustbpe's encode, {RUSTBPE_TOKENS:,} tokens trained by itself, nanochat's pattern"
    begin_titled(title, [*heads, "first: ratio", "later: ratio"])
    for path in corpora:
        results = {}
        for name, package in packages.items():
            job = {"vocab_size": RUSTBPE_TOKENS, "regex": bench.nanochat, "limit": RUSTBPE_BYTES}
            results[name] = [
                bench.one(package, "rustbpe", path, passes=bench.chosen.passes, **job)
                for _ in range(bench.chosen.runs)
            ]
        bench.compare(f"rustbpe, {path.stem}", results)
        size = results["rustbpe"][0]["bytes"]
        kinds = [
            speeds(results, size, lambda run: run["passes"][0]),
            speeds(results, size, lambda run: min(run["passes"][1:])),
        ]
        cells = [" / ".join(number_cell(median(kind[name]), 1) for kind in kinds) for name in packages]
        theirs = [ratios(kind["ours as rustbpe"], [kind["rustbpe"]]) for kind in kinds]
        table_row([path.stem, *cells, *(ratio_cell(each) for each in theirs)])


TABLES = {
    "whole": whole_table,
    "hostile": hostile_table,
    "lines": lines_table,
    "threads": threads_table,
    "load": load_table,
    "rustbpe": rustbpe_table,
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="*", type=Path, metavar="CORPUS")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--encoding", choices=PATTERNS, default="cl100k_base")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each [default: 5]")
    parser.add_argument(
        "--passes", type=int, default=4, metavar="N", help="in one run, at least 2 [default: 4]"
    )
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="PACKAGE", help="packages to skip"
    )
    chosen = parser.parse_args()
    if chosen.runs < 1 or chosen.passes < 2:
        parser.error("--runs must be at least 1, and --passes at least 2")
    return chosen


def main():
    chosen = arguments()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(chosen, folder)
        print(f"{platform.machine()}, {chosen.encoding}, {chosen.runs} runs of each")
        corpora = chosen.corpora or default_corpora(CORPORA)
        for name in chosen.tables:
            TABLES[name](bench, corpora)
    for difference in bench.differ:
        print(f"the ids differ: {difference}", file=sys.stderr)
    sys.exit(1 if bench.differ else 0)


if __name__ == "__main__":
    main()
