"""``inspect.signature`` works for every public callable and equals tiktoken's in the drop-in module."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
import tiktoken as theirs

import tokenizer_py
from tokenizer_py import tiktoken as ours


def public_callables():
    """Returns every public function, class and method of every public module by full name."""
    names = [name for _, name, _ in pkgutil.walk_packages(tokenizer_py.__path__, "tokenizer_py.")]
    found = {}
    for module_name in ["tokenizer_py", *names]:
        module = importlib.import_module(module_name)
        for name, thing in vars(module).items():
            owner = getattr(thing, "__module__", None) or ""
            if name.startswith("_") or not owner.startswith("tokenizer_py") or not callable(thing):
                continue
            found[f"{owner}.{name}"] = thing
            if not inspect.isclass(thing):
                continue
            for method in dir(thing):
                value = getattr(thing, method)
                from_here = any(method in vars(base) for base in thing.__mro__[:-1])
                if not method.startswith("_") and from_here and callable(value):
                    found[f"{owner}.{name}.{method}"] = value
    return found


CALLABLES = public_callables()


def test_everything_is_found():
    names = ["Tokenizer.encode", "Tokenizer.train", "PieceCounts", "count_pieces"]
    for name in [f"tokenizer_py.{name}" for name in names]:
        assert any(found.replace("._native", "") == name for found in CALLABLES), name
    assert "tokenizer_py.tiktoken.core.Encoding.encode" in CALLABLES


@pytest.mark.parametrize("name", CALLABLES)
def test_signatures(name):
    thing = CALLABLES[name]
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        pytest.skip("exceptions have none")
    assert isinstance(inspect.signature(thing), inspect.Signature)


LITERALS = (type(None), bool, int, float, str, bytes)
METHODS = [
    name
    for name, value in vars(theirs.Encoding).items()
    if callable(value) and (not name.startswith("_") or name == "__init__")
]


@pytest.mark.parametrize("name", METHODS)
def test_an_encoding_has_tiktokens_signatures(name):
    """Names, kinds and literal defaults are equal; other defaults are equivalent."""
    # Without `self`, which is positional-only in a native method.
    one, two = (
        list(inspect.signature(getattr(module.Encoding, name)).parameters.values())[1:]
        for module in (ours, theirs)
    )
    assert [(p.name, p.kind) for p in one] == [(p.name, p.kind) for p in two]
    for mine, their in zip(one, two):
        if isinstance(their.default, LITERALS):
            assert mine.default == their.default
        elif their.default is inspect.Parameter.empty:
            assert mine.default is inspect.Parameter.empty
        else:
            assert their.default == set() and not mine.default


def test_the_defaults_can_be_given():
    """Every default in a signature is accepted as an argument."""
    encoding = ours.Encoding(
        "bytes",
        pat_str=r"\w+|\W+",
        mergeable_ranks={bytes([byte]): byte for byte in range(256)},
        special_tokens={"<s>": 256},
    )
    for name in ("encode", "encode_to_numpy", "encode_with_unstable", "encode_batch"):
        call = getattr(encoding, name)
        text = ["ab <"] if name == "encode_batch" else "ab <"
        defaults = {
            parameter.name: parameter.default
            for parameter in inspect.signature(call).parameters.values()
            if parameter.default is not inspect.Parameter.empty
        }
        given, without = call(text, **defaults), call(text)
        assert list(given) == list(without)
