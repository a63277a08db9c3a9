"""The scripts that measure whole processes run, on a small text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import FIXTURES, ROOT

FOLDER = ROOT / "benches" / "processes"
# `cargo test` builds it; how fast it is does not matter here.
PROGRAM = ROOT / "target" / "debug" / "tokenizer"


@pytest.mark.skipif(not PROGRAM.exists(), reason="the command line is not built")
def test_training_side_by_side():
    arguments = [FIXTURES / "corpus.txt", "--vocab-size", "400", "2000", "--runs", "2"]
    command = [sys.executable, FOLDER / "training.py", *arguments, "--program", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| corpus,")]
    assert [(row[2].strip(), row[-2].strip()) for row in rows] == [("400", "144"), ("2,000", "1,744")]


@pytest.mark.parametrize("script", ["training.py", "growth.py"])
def test_usage(script):
    command = [sys.executable, FOLDER / script, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage:")
