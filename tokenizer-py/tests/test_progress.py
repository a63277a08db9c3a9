"""The progress display of the command line on a terminal."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

pty = pytest.importorskip("pty", reason="no terminals of Unix here")


def test_progress_is_shown_and_cleared(program, tmp_path):
    (tmp_path / "large.txt").write_text("some words, and then some more of them\n" * 400_000)
    inputs = ["large.txt"] * 20
    command = [program, "train", *inputs, "-o", "m.bpe", "--vocab-size", "270"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, stderr=theirs, stdin=subprocess.DEVNULL) as child:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 1 << 16):
                shown += part
        except OSError:
            # The program has closed its end.
            pass
    os.close(ours)
    text = shown.decode()
    assert child.returncode == 0, text
    assert "counting pieces" in text
    assert re.search(r"counting pieces \[.*\] +\d+ %, [\d.]+ MB, [\d.]+ MB/s, ", text)
    assert re.search(r"note: merging takes about [\d.]+ .?B of memory", text)
    *_, result, written = [line for line in text.replace("\r", "\n").split("\n") if line]
    assert "trained 14 merges" in result
    assert written.startswith("wrote m.bpe (")
