"""Byte-level BPE: train a vocabulary, encode and decode text.

- ``Tokenizer``: a model: trained, read from a file or from another package's tokenizer.
- ``AddedToken``: a special or other added token of a model, with its flags.
- ``count_pieces``, ``PieceCounts``: what a model is trained on, counted anywhere.
- ``tokenizer_py.rustbpe`` and ``tokenizer_py.tiktoken``: stand in for the packages of these names.
- ``tokenizer_py.pickles``: reads nanochat's ``tokenizer.pkl`` without running it.

>>> from tokenizer_py import Tokenizer, rustbpe, tiktoken
"""

from . import rustbpe, tiktoken
from ._added_token import AddedToken
from ._native import (
    DecodeStream,
    EncodeStream,
    PieceCounts,
    Tokenizer,
    __version__,
    count_pieces,
)

__all__ = [
    "AddedToken",
    "DecodeStream",
    "EncodeStream",
    "PieceCounts",
    "Tokenizer",
    "__version__",
    "count_pieces",
    "rustbpe",
    "tiktoken",
]
