"""The examples in docstrings return the documented results."""

from __future__ import annotations

import doctest
import hashlib
import importlib
import inspect
import pathlib
import pkgutil
import re
import shutil
import sys

import pytest
from conftest import PATTERNS, ROOT, load_ranks, shared

import tokenizer_py
from tokenizer_py import Tokenizer, rustbpe, tiktoken

# For the abbreviated output of `encode_with_unstable` and for long lists.
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def docstrings():
    """Returns the docstrings of all modules, classes and methods, including native ones."""
    names = [name for _, name, _ in pkgutil.walk_packages(tokenizer_py.__path__, "tokenizer_py.")]
    modules = [tokenizer_py, *(importlib.import_module(name) for name in names)]
    found = {}
    for module in modules:
        found[module.__name__] = module.__doc__
        for name, thing in vars(module).items():
            owner = getattr(thing, "__module__", None) or ""
            if not owner.startswith("tokenizer_py") or name.startswith("_"):
                continue
            if inspect.isclass(thing) or callable(thing):
                found[f"{owner}.{name}"] = thing.__doc__
            if inspect.isclass(thing):
                for method, value in vars(thing).items():
                    value = value.__func__ if isinstance(value, staticmethod) else value
                    found[f"{owner}.{name}.{method}"] = getattr(value, "__doc__", None)
    # Sorted, because workers must collect the same order.
    return {name: doc for name, doc in sorted(found.items()) if doc and ">>>" in doc}


DOCSTRINGS = docstrings()


@pytest.fixture
def names(tmp_path, monkeypatch):
    """The names and files that the examples use."""
    monkeypatch.chdir(tmp_path)
    cl100k = shared("vocabs", "cl100k_base.tiktoken")
    r50k = shared("vocabs", "r50k_base.tiktoken")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    address = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
    shutil.copyfile(cl100k, tmp_path / hashlib.sha1(address.encode()).hexdigest())
    shutil.copyfile(cl100k, tmp_path / "cl100k_base.tiktoken")
    tokens = {
        "pat_str": PATTERNS["cl100k"],
        "mergeable_ranks": load_ranks(cl100k),
        "special_tokens": {"<|bos|>": 100257},
    }
    trained = rustbpe.Tokenizer()
    trained.train_from_iterator(["low lower lowest"] * 3, vocab_size=260)
    (tmp_path / "corpus.txt").write_text("low lower lowest")
    return {
        "native": Tokenizer.from_tiktoken(tiktoken.Encoding("x", **tokens)),
        "trained": trained,
        "encoding": tiktoken.Encoding(
            "gpt2",
            pat_str=PATTERNS["gpt2"],
            mergeable_ranks=load_ranks(r50k),
            special_tokens={"<|endoftext|>": 50256},
        ),
    }


@pytest.mark.filterwarnings("ignore:.*imported before:RuntimeWarning")  # by `install`
@pytest.mark.parametrize("name", DOCSTRINGS)
def test_examples(name, names):
    # The module of the docstring: the longest prefix of the name that is a module.
    home = name
    while home not in sys.modules:
        home = home.rpartition(".")[0]
    given = {
        **vars(sys.modules[home]),
        "tokenizer_py": tokenizer_py,
        "Tokenizer": Tokenizer,
        "pathlib": pathlib,
        "encoding": names["encoding"],
        "tokenizer": names["trained" if "rustbpe" in name.lower() else "native"],
    }
    parser = doctest.DocTestParser()
    test = parser.get_doctest(inspect.cleandoc(DOCSTRINGS[name]), given, name, None, 0)
    assert test.examples
    told = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test, out=told.append)
    assert not runner.failures, "".join(told)


def test_every_public_method_has_an_example_or_a_sentence():
    for owner in (Tokenizer, tokenizer_py.PieceCounts, tokenizer_py.EncodeStream):
        for name, value in vars(owner).items():
            if not name.startswith("_"):
                assert getattr(value, "__doc__", None) or value.__func__.__doc__, name


def test_methods_in_the_guides_exist():
    """Every method called on `tokenizer`, `Tokenizer` or `PieceCounts` in the guides exists."""
    for page in (ROOT / "tokenizer-py" / "docs").glob("*.md"):
        text = page.read_text("utf-8")
        for owner, name in re.findall(r"\b(tokenizer|Tokenizer|PieceCounts)\.(\w+)\(", text):
            kind = tokenizer_py.PieceCounts if owner == "PieceCounts" else Tokenizer
            assert hasattr(kind, name), (page.name, name)
