"""``Tokenizer.extend`` against ``train --extend`` of the command line."""

from __future__ import annotations

import subprocess

import pytest

from tokenizer_py import Tokenizer, count_pieces

TEXT = "low lower lowest, newer newest wider widest " * 4
MORE = "tokenizers tokenize tokens, encoders encode encodings; e\u0301t\u00e9 " * 5


@pytest.fixture
def model(tmp_path):
    tokenizer = Tokenizer.train(
        iterator=[TEXT], vocab_size=280, pattern="gpt2", special_tokens=["<s>", "</s>"]
    )
    tokenizer.save(tmp_path / "m.bpe")
    return tokenizer


@pytest.mark.parametrize("keep", [False, True])
def test_the_command_line_gives_the_same_model(keep, model, program, tmp_path):
    (tmp_path / "more.txt").write_text(MORE, "utf-8")
    options = ["--extend", "m.bpe", "--vocab-size", "300", "--min-frequency", "2", "-o", "larger.bpe"]
    command = [program, "train", "more.txt", *options, *(["--keep-special-ids"] if keep else [])]
    subprocess.run(command, cwd=tmp_path, check=True)
    want = (tmp_path / "larger.bpe").read_bytes()
    arguments = {"vocab_size": 300, "min_frequency": 2, "keep_special_ids": keep}
    before = model.to_bytes()
    for source in [
        {"iterator": [MORE]},
        {"files": [tmp_path / "more.txt"]},
        {"counts": count_pieces([MORE], pattern="gpt2")},
    ]:
        larger = model.extend(**source, **arguments)
        assert larger.to_bytes() == want
    assert model.to_bytes() == before
    is_same = [larger.token_to_id(token) == model.token_to_id(token) for token in ["<s>", "</s>"]]
    assert is_same == [keep, keep]


def test_documents_are_normalized(model, tmp_path):
    folder = tmp_path / "folder"
    model.save_pretrained(folder)
    file = folder / "tokenizer.json"
    file.write_text(file.read_text("utf-8").replace('"normalizer": null', '"normalizer": {"type": "NFC"}'), "utf-8")
    normalized = Tokenizer.from_file(file)
    text = "e\u0301te\u0301 " * 9
    (tmp_path / "more.txt").write_text(text, "utf-8")
    want = normalized.extend(iterator=["\u00e9t\u00e9 " * 9], vocab_size=284).to_bytes()
    assert normalized.extend(iterator=[text], vocab_size=284).to_bytes() == want
    assert normalized.extend(files=[tmp_path / "more.txt"], vocab_size=284).to_bytes() == want
    assert model.extend(iterator=[text], vocab_size=284).vocab != Tokenizer.from_bytes(want).vocab


def test_wrong_arguments(model):
    for size in [0, model.vocab_size, 1 << 30]:
        with pytest.raises(ValueError, match=f"vocab_size must be from {model.vocab_size + 1} .*, not {size}"):
            model.extend(iterator=[MORE], vocab_size=size)
    with pytest.raises(TypeError, match="exactly one of files, iterator and counts"):
        model.extend(vocab_size=300)
    with pytest.raises(ValueError, match="pattern"):
        model.extend(counts=count_pieces([MORE], pattern="cl100k"), vocab_size=300)
    with pytest.raises(ZeroDivisionError):
        model.extend(iterator=(1 // 0 for _ in "a"), vocab_size=300)


def test_too_little_text_is_logged(model, caplog):
    with caplog.at_level("INFO", logger="tokenizer_py"):
        larger = model.extend(iterator=["ab"], vocab_size=300)
    assert larger.vocab_size < 300
    assert any("learned only" in record.message for record in caplog.records)
