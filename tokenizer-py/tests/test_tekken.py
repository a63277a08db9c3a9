"""``tekken.json`` against ``mistral-common``, and Kimi's folder against its golden ids."""

from __future__ import annotations

import base64
import json
import pathlib

import mistral_common
from conftest import read_text, shared
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from tokenizer_py import Tokenizer

TEXTS = ["", "low lower 12345", "<s>Hello  world</s>\r\n", "\u65e5\u672c\u8a9e Stra\u00dfe DON'T", " \n\n x/y"]


def test_a_small_file(tmp_path):
    tokens = [bytes([byte]) for byte in range(256)] + [b"lo", b"low", b" low"]
    vocab = [
        {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for rank, token in enumerate(tokens)
    ]
    config = {"pattern": r"\S+|\s+", "num_vocab_tokens": 259, "version": "v3"}
    config |= {"default_vocab_size": 281, "default_num_special_tokens": 22}
    (tmp_path / "tekken.json").write_text(json.dumps({"config": config, "vocab": vocab}), "utf-8")
    for tokenizer in [
        Tokenizer.from_file(tmp_path / "tekken.json"),
        Tokenizer.from_pretrained(tmp_path),
    ]:
        assert tokenizer.encode("low<s>") == [279, 82, 137, 84]
        assert tokenizer.encode("low<s>", allowed_special="all") == [279, 1]
        assert tokenizer.token_to_id("<SPECIAL_21>") == 21


def test_the_files_of_mistral_common():
    files = sorted((pathlib.Path(mistral_common.__file__).parent / "data").glob("tekken*.json"))
    assert files
    for file in files:
        theirs, ours = Tekkenizer.from_file(file), Tokenizer.from_file(file)
        assert ours.vocab_size == theirs.n_words
        for text in TEXTS:
            ids = ours.encode(text)
            assert ids == theirs.encode(text, bos=False, eos=False)
            assert ours.decode(ids) == theirs.decode(ids)


def test_kimis_folder(tmp_path):
    (tmp_path / "tiktoken.model").symlink_to(shared("vocabs", "real", "kimi_k2.tiktoken"))
    decoder = {"163584": {"content": "[BOS]", "special": True}, "163586": {"content": "<|im_end|>", "special": True}}
    config = {"added_tokens_decoder": decoder, "bos_token": "[BOS]", "tokenizer_class": "TikTokenTokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    assert tokenizer.vocab_size == 163_840
    ids = tokenizer.encode("[BOS]<|im_end|><|reserved_token_163839|>", allowed_special="all")
    assert ids == [163_584, 163_586, 163_839]
    golden = shared("vocabs", "real", "golden")
    # The ids of the other texts there are of single lines.
    want = read_text(golden / "utf8_tokens_kimi_k2.txt").split(",")
    assert tokenizer.encode(read_text(golden / "utf8_input.txt")) == [int(id) for id in want]
