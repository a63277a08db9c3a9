"""``Tokenizer.save_pretrained``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from .tiktoken.load import _write_atomically

if TYPE_CHECKING:
    from ._native import Tokenizer

# The entries of tokenizer_config.json that name a special token: its role in transformers.
_ROLES = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)


def save(
    tokenizer: Tokenizer, directory: str | os.PathLike[str], config: dict[str, Any] | None
) -> None:
    entries = {
        # The class name of transformers 4; transformers 5 accepts it too.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        **(config or {}),
    }
    roles = {role: entries[role] for role in _ROLES if entries.get(role) is not None}
    names = {token.content for token in tokenizer.added_tokens}
    for token in roles.values():
        if not isinstance(token, str):
            raise TypeError(f"a special token must be a str, not {type(token).__name__}")
        if token not in names:
            raise ValueError(f'unknown special token "{token}"')
    files = {"special_tokens_map.json": roles, "tokenizer_config.json": entries}
    texts = {
        name: json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        for name, values in files.items()
    }
    os.makedirs(directory, exist_ok=True)
    tokenizer.save(os.path.join(directory, "tokenizer.json"))
    for name, text in texts.items():
        _write_atomically(os.path.join(directory, name), text.encode())
