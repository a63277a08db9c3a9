"""Byte-level BPE: train a vocabulary, encode and decode text.

- ``Tokenizer``: a model, trained, read from a file, or converted from another package.
- ``AddedToken``: a special or other added token with its flags.
- ``count_pieces``, ``PieceCounts``: count the pieces of a corpus; the counts can be used for training.
- ``install``, ``uninstall``: redirect ``import tiktoken`` and ``import rustbpe`` to this package.
- ``tokenizer_py.rustbpe``, ``tokenizer_py.tiktoken``: drop-in replacements for the packages ``rustbpe``
  and ``tiktoken``.
- ``tokenizer_py.pickles``: reads nanochat's ``tokenizer.pkl`` without running code from it.

>>> from tokenizer_py import Tokenizer, rustbpe, tiktoken
"""

from . import rustbpe, tiktoken
from ._added_token import AddedToken
from ._install import install, uninstall
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
    "install",
    "rustbpe",
    "tiktoken",
    "uninstall",
]
