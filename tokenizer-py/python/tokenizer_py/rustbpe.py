"""Stands in for the package ``rustbpe``: the same class with the same merges.

>>> from tokenizer_py import rustbpe
>>> tokenizer = rustbpe.Tokenizer()
>>> tokenizer.train_from_iterator(["low lower lowest"] * 3, vocab_size=260)
>>> tokenizer.vocab_size
260
"""

from ._native import RustbpeTokenizer as Tokenizer

__all__ = ["Tokenizer"]
