"""Drop-in replacement for the package ``tiktoken``: the same classes and functions, the same ids.

>>> from tokenizer_py import tiktoken
>>> tiktoken.get_encoding("cl100k_base").encode("hello world")
[15339, 1917]
>>> encoding = tiktoken.Encoding(
...     "bytes",
...     pat_str=r"\\w+|\\W+",
...     mergeable_ranks={bytes([byte]): byte for byte in range(256)},
...     special_tokens={"<|endoftext|>": 256},
... )
>>> encoding.encode("hi")
[104, 105]
"""

from .core import Encoding
from .model import encoding_for_model, encoding_name_for_model
from .registry import get_encoding, list_encoding_names

__version__ = "0.14.0"
"""The version of tiktoken that this module is compatible with."""

__all__ = [
    "Encoding",
    "encoding_for_model",
    "encoding_name_for_model",
    "get_encoding",
    "list_encoding_names",
]
