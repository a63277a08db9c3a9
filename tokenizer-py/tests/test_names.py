"""Special tokens of rank files, and models by the names of encodings and of Hugging Face's hub."""

from __future__ import annotations

import hashlib
import shutil

import pytest
from conftest import ROOT, shared

from tokenizer_py import Tokenizer
from tokenizer_py import tiktoken as stand_in

GOLDEN = ROOT / "fixtures" / "golden"
FILES = {"gpt2": "r50k_base", "p50k_edit": "p50k_base", "o200k_harmony": "o200k_base"}
TEXTS = ["", "hello  world 12345\r\n\r\n", "日本語 Straße", "<|endoftext|>a<|endofprompt|>"]


def test_special_tokens_of_ranks():
    given = {"<s>": 5000, "<|a=b|>": 2048}
    tokenizer = Tokenizer.from_file(GOLDEN / "gpt2.tiktoken", "gpt2", special_tokens=given)
    assert tokenizer.encode("<|a=b|><s>", allowed_special="all") == [2048, 5000]
    plain = Tokenizer.from_file(GOLDEN / "gpt2.tiktoken", "gpt2")
    assert tokenizer.encode("<s> low") == plain.encode("<s> low")
    with pytest.raises(ValueError, match="same id as the ordinary token"):
        Tokenizer.from_file(GOLDEN / "gpt2.tiktoken", "gpt2", special_tokens={"<s>": 7})


def test_special_tokens_are_refused_for_complete_models(tmp_path):
    path = tmp_path / "m.bpe"
    Tokenizer.from_file(GOLDEN / "gpt2.tiktoken", "gpt2").save(path)
    with pytest.raises(ValueError, match="stores its own special tokens"):
        Tokenizer.from_file(path, special_tokens={"<s>": 5000})


@pytest.mark.parametrize(
    "name", ["r50k_base", "p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony"]
)
def test_encodings_equal_the_stand_in(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    file = FILES.get(name, name)
    address = f"https://openaipublic.blob.core.windows.net/encodings/{file}.tiktoken"
    cached = tmp_path / hashlib.sha1(address.encode()).hexdigest()
    with pytest.raises(ValueError, match=str(cached)):
        Tokenizer.from_encoding(name)
    path = shared("vocabs", f"{file}.tiktoken")
    shutil.copyfile(path, cached)
    tokenizer, encoding = Tokenizer.from_encoding(name), stand_in.get_encoding(name)
    for token, id in encoding._special_tokens.items():
        # Two tokens of o200k_harmony have the id 200018.
        if token != "<|reserved_200018|>":
            assert tokenizer.encode(token, allowed_special="all") == [id]
    for text in TEXTS:
        ids = encoding.encode(text, allowed_special="all")
        assert tokenizer.encode(text, allowed_special="all") == ids
    if file == name:
        assert Tokenizer.from_file(path).to_bytes() == tokenizer.to_bytes()


def test_unknown_encoding():
    with pytest.raises(ValueError, match='unknown encoding "gpt5"'):
        Tokenizer.from_encoding("gpt5")


def test_the_hubs_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HUGGINGFACE_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="hf download a/b"):
        Tokenizer.from_pretrained("a/b")
    model = tmp_path / "hub" / "models--a--b"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("0123")
    tokenizer = Tokenizer.from_file(GOLDEN / "gpt2.tiktoken", "gpt2")
    tokenizer.save_pretrained(model / "snapshots" / "0123")
    assert Tokenizer.from_pretrained("a/b").encode("low") == tokenizer.encode("low")
