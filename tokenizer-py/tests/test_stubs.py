"""The type stubs say what the package has."""

import subprocess
import sys


def test_stubs_fit_the_package(tmp_path):
    allowed = tmp_path / "allowed"
    allowed.write_text("tokenizer_py._native._panic  # debug builds only\n")
    command = [sys.executable, "-m", "mypy.stubtest", "tokenizer_py", "--ignore-unused-allowlist"]
    command += ["--allowlist", str(allowed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
