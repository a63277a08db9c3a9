"""Byte-level BPE: train a vocabulary, encode and decode text.

- ``Tokenizer``: a model from a file, with ids as lists or numpy arrays.
- ``tokenizer_py.rustbpe`` and ``tokenizer_py.tiktoken``: stand in for the packages of these names.

>>> from tokenizer_py import Tokenizer, rustbpe, tiktoken
"""

from . import rustbpe, tiktoken
from ._native import Tokenizer, __version__

__all__ = ["Tokenizer", "__version__", "rustbpe", "tiktoken"]
