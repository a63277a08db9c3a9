"""The benchmark scripts run on a small text."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FIXTURES, GOLDEN, ROOT

FOLDER = ROOT / "benches" / "processes"


def test_training_side_by_side(program):
    arguments = [FIXTURES / "corpus.txt", "--vocab-size", "400", "2000", "--runs", "2"]
    command = [sys.executable, FOLDER / "training.py", *arguments, "--program", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| corpus,")]
    assert [(row[2].strip(), row[-2].strip()) for row in rows] == [("400", "144"), ("2,000", "1,744")]


def test_encoding_side_by_side():
    """Without the adversarial texts, which take too long, and with the installed peers."""
    tables = ["whole", "lines", "threads", "load", "rustbpe"]
    arguments = [FIXTURES / "corpus.txt", "--runs", "1", "--passes", "2", "--tables", *tables]
    command = [sys.executable, FOLDER / "encoding.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if "|" in line]
    assert rows.count("corpus") > 5
    assert "ours, numpy, .bpe" in rows


@pytest.mark.skipif(not shutil.which("cargo"), reason="no cargo here")
def test_a_process_that_encodes_once():
    # --workspace selects the features of `cargo test`, so its dependencies are reused.
    build = ["cargo", "build", "--quiet", "--workspace", "--bin", "encode_once"]
    subprocess.run(build, cwd=ROOT, check=True)
    program = ROOT / "target" / "debug" / "encode_once"
    arguments = [GOLDEN / "cl100k.tiktoken", "cl100k", FIXTURES / "corpus.txt", "2"]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    known = json.loads((GOLDEN / "corpus_ids.json").read_text())["cl100k"]
    assert (result["tokens"], len(result["passes"])) == (known["tokens"], 2)


def test_the_package_side_by_side():
    """Without the benchmark of the core, which may not be built."""
    rows = ["list", "lines", "batch", "decode", "import", "first"]
    arguments = [FIXTURES / "corpus.txt", "--runs", "1", "--rows", *rows]
    command = [sys.executable, FOLDER / "package.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    for row in rows[:-1]:
        assert f"\n| {row}" in done.stdout


@pytest.mark.parametrize("script", ["training.py", "growth.py", "encoding.py", "package.py"])
def test_usage(script):
    command = [sys.executable, FOLDER / script, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage:")


BENCHMARK = ROOT / "scripts" / "benchmark"


def benchmark(tmp_path, *arguments):
    """Runs `scripts/benchmark` on the corpus of the repository."""
    command = [sys.executable, BENCHMARK, "--data", tmp_path, "--pairs", "2", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return [line.split("|")[1:-1] for line in done.stdout.splitlines() if "|" in line], done.stderr


def test_two_builds_side_by_side(tmp_path, program):
    builds = ["--before", program, "--after", Path(program).parent]
    rows, said = benchmark(tmp_path, *builds, "encode", "count/corpus/o200k", "decode", "train", "python")
    names = [row[0].strip() for row in rows[2:]]
    assert names == [
        "encode/corpus/cl100k/u32",
        "decode/corpus/cl100k",
        "encode/corpus/o200k/u32",
        "count/corpus/o200k",
        "decode/corpus/o200k",
        "encode/corpus/gpt2/u16",
        "train/corpus/32768",
    ]
    assert all(" MB/s " in row[1] and " to " in row[3] for row in rows[2:])
    assert said == "benchmark: rows python skipped: no python\n"


def test_two_interpreters_side_by_side(tmp_path):
    interpreters = ["--before-python", sys.executable, "--after-python", sys.executable]
    rows, _ = benchmark(tmp_path, *interpreters, "python/*st/corpus", "python/batch")
    assert [row[0].strip() for row in rows[2:]] == ["python/list/corpus", "python/batch/corpus"]


def test_rows_of_the_page(tmp_path):
    rows, _ = benchmark(tmp_path, "encoding")
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    heads = [cell.strip() for cell in rows[0]]
    assert heads[-2:] == ["ours, list", "ours, numpy"]
    assert all(f"| {head} |" in page for head in heads)
    assert rows[2][0].strip() == "corpus, 0 MB"


def test_names_of_rows():
    done = subprocess.run([BENCHMARK, "--list"], capture_output=True, text=True, check=True)
    names = done.stdout.split()
    for name in ("training", "splitting", "core", "load", "python"):
        assert any(each.startswith(f"{name}/") for each in names), name
    done = subprocess.run([BENCHMARK, "nothing"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "benchmark: no row 'nothing' (see --list)\n")
