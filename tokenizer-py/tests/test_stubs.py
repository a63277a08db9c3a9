"""The type stubs say what the package has."""

import subprocess
import sys

import pytest


def test_stubs_fit_the_package():
    pytest.importorskip("mypy.stubtest")
    command = [sys.executable, "-m", "mypy.stubtest", "tokenizer_py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
