"""Shared helpers: fixtures of the repository, and the corpora and vocabularies beside it."""

from __future__ import annotations

import base64
import functools
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"
GOLDEN = FIXTURES / "golden"
SHARED = Path(os.environ.get("TOKENIZER_SHARED_DATA", ROOT.parent / "shared" / "data"))

PATTERNS: dict[str, str] = json.loads((GOLDEN / "patterns.json").read_text())
PATTERN_OF_ENCODING = {
    "r50k_base": "gpt2",
    "p50k_base": "gpt2",
    "cl100k_base": "cl100k",
    "o200k_base": "o200k",
}


def read_text(path: Path) -> str:
    """Returns the text of a file without newline conversion."""
    return path.read_bytes().decode("utf-8")


def shared(*parts: str) -> Path:
    """Returns the path of a shared file; if it is missing, skips the test, or fails it if required."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        required = os.environ.get("TOKENIZER_REQUIRE", "").split(",")
        (pytest.fail if "shared" in required else pytest.skip)(f"no {path}")
    return path


@functools.lru_cache(maxsize=None)
def load_ranks(path: Path) -> dict[bytes, int]:
    lines = (line.split() for line in path.read_bytes().splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def golden_ranks(pattern: str) -> dict[bytes, int]:
    return load_ranks(GOLDEN / f"{pattern}.tiktoken")


def hard_cases() -> list[str]:
    lines = (FIXTURES / "hard_cases.jsonl").read_text().splitlines()
    return [json.loads(line)["text"] for line in lines]


def documents(text: str, size: int = 4096) -> list[str]:
    """Splits a text into documents of whole lines."""
    made, lines, length = [], [], 0
    for line in text.split("\n"):
        lines.append(line)
        length += len(line) + 1
        if length > size:
            made.append("\n".join(lines) + "\n")
            lines, length = [], 0
    if lines:
        made.append("\n".join(lines))
    return made


def run_python(code: str, timeout: float = 60, **environment: str) -> str:
    """Runs code that might hang or crash in a new process and returns its output."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def outcome(call):
    """Returns the value of a call or the type of its exception."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001
        return type(error)


@pytest.fixture(scope="session")
def program() -> str:
    """The command line program: the one built by `./test`, otherwise built here."""
    if built := os.environ.get("TOKENIZER_PROGRAM"):
        return built
    # --workspace selects the same features as `cargo test`, so no dependency is recompiled.
    command = ["cargo", "build", "--quiet", "--workspace", "--bin", "tokenizer", "--message-format=json"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no cargo here")
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return next(m["executable"] for m in reversed(messages) if m.get("executable"))


@pytest.fixture(scope="session")
def corpus() -> str:
    return read_text(FIXTURES / "corpus.txt")
