"""The type stubs match the package, docstrings included.

The docstrings of ``_native.pyi`` are copies of those in ``src``. After a change of one, build the package
and run ``python tokenizer-py/tests/test_stubs.py``, which rewrites them.
"""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

from tokenizer_py import _native

STUB = Path(__file__).parents[1] / "python" / "tokenizer_py" / "_native.pyi"


def documented(tree):
    """Each public class and function of a stub with the object that it describes."""
    for node in tree.body:
        if not hasattr(_native, getattr(node, "name", "_")) or node.name.startswith("_"):
            continue
        owner = getattr(_native, node.name)
        yield node, owner
        names = set()
        for method in getattr(node, "body", []):
            name = getattr(method, "name", "_")
            # Of overloads, the first has the docstring.
            if isinstance(node, ast.ClassDef) and not name.startswith("_") and name not in names:
                names.add(name)
                yield method, getattr(owner, name)


def with_docstrings(stub):
    """The text of a stub with the docstrings of the package."""
    lines = stub.splitlines()
    # From the end of the file, so that line numbers stay valid; methods before their class.
    found = list(documented(ast.parse(stub)))[::-1]
    for node, described in sorted(found, key=lambda pair: -pair[0].body[0].lineno):
        first = node.body[0]
        indent = " " * (node.col_offset + 4)
        doc = inspect.cleandoc(described.__doc__).replace("\\", "\\\\")
        end = '"""' if "\n" not in doc else f'\n{indent}"""'
        text = f'{indent}"""' + doc.replace("\n", f"\n{indent}") + end
        new = [line.rstrip() for line in text.split("\n")]
        if ast.get_docstring(node) is not None:
            lines[first.lineno - 1 : first.end_lineno] = new
        elif isinstance(node, ast.ClassDef):
            start = first.lineno - 1 - len(getattr(first, "decorator_list", ()))
            lines[start:start] = new
        else:
            assert lines[first.lineno - 1].endswith(": ...")
            lines[first.lineno - 1] = lines[first.lineno - 1].removesuffix(" ...")
            lines[first.lineno : first.lineno] = new
    return "\n".join(lines) + "\n"


def test_stubs_fit_the_package(tmp_path):
    allowed = tmp_path / "allowed"
    allowed.write_text(
        "tokenizer_py._native._panic  # debug builds only\n"
        "tokenizer_py.tiktoken.core._special_token_regex  # lru_cache hides the signature from mypy\n"
    )
    command = [sys.executable, "-m", "mypy.stubtest", "tokenizer_py", "--ignore-unused-allowlist"]
    command += ["--allowlist", str(allowed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_docstrings_are_those_of_the_package():
    stub = STUB.read_text("utf-8")
    assert with_docstrings(stub) == stub, "run python tokenizer-py/tests/test_stubs.py"


TYPED = '''
import array
import numpy as np
from tokenizer_py import DecodeStream, Tokenizer
from tokenizer_py.tiktoken import Encoding

def check(tokenizer: Tokenizer, encoding: Encoding, stream: DecodeStream) -> None:
    ids = [np.array([1], dtype=np.uint32), np.array([2], dtype=np.uint32)]
    tokenizer.decode(ids[0])
    tokenizer.decode(np.array([1], dtype=np.int64))
    tokenizer.decode_bytes(array.array("I", [1]))
    tokenizer.decode_batch(ids)
    tokenizer.decode(memoryview(array.array("I", [1])))
    tokenizer.decode(tokenizer.encode_numpy("text"))
    stream.push(ids[0])
    encoding.decode(encoding.encode_to_numpy("text"))
    encoding.decode_bytes((1, 2))
'''


def test_arrays_are_typed_as_ids(tmp_path):
    path = tmp_path / "typed.py"
    path.write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    STUB.write_text(with_docstrings(STUB.read_text("utf-8")), "utf-8")
