"""Stands in for the package ``tiktoken``: the same class with the same ids.

>>> from tokenizer_py import tiktoken
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

__all__ = ["Encoding"]
