"""Post-processors and ``add_tokens``, compared with ``tokenizers``."""

import json
import random

import numpy as np
import pytest
import tokenizers
from conftest import FIXTURES

import tokenizer_py

TEXTS = ["", "hello world", " It's <|a|> naïve", "x", "<|b|>", "e\u0301 \u00a0 tab\t", "the the  the"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict:
    """The ``tokenizer.json`` of a small model with three special tokens."""
    path = tmp_path_factory.mktemp("plain") / "tokenizer.json"
    trained = tokenizer_py.Tokenizer.train(
        files=[FIXTURES / "corpus.txt"],
        vocab_size=600,
        special_tokens=["<|a|>", "<|b|>", "<|c|>"],
    )
    trained.save(path)
    return json.loads(path.read_text("utf-8"))


def both(tmp_path, content: dict):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content), "utf-8")
    ours = tokenizer_py.Tokenizer.from_file(path)
    return ours, tokenizers.Tokenizer.from_file(str(path))


def random_template(chosen: random.Random) -> dict:
    """A template with special tokens of zero to three ids, and texts in any order and number."""
    names = ["<|a|>", "<|b|>", "many", "none"]
    ids = {name: [chosen.randrange(600) for _ in range(3)] for name in names}
    ids |= {"<|a|>": [597], "<|b|>": [598], "none": []}

    def pieces(texts: list[str]) -> list[dict]:
        pieces = [{"Sequence": {"id": text}} for text in texts]
        for _ in range(chosen.randrange(5)):
            piece = {"SpecialToken": {"id": chosen.choice(names)}}
            pieces.insert(chosen.randint(0, len(pieces)), piece)
        for piece in pieces:
            next(iter(piece.values()))["type_id"] = chosen.choice([0, 0, 1, 2, 4294967295])
        return pieces

    # Command R's files have these fields, which change nothing.
    ignored = {"add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return {
        "type": "TemplateProcessing",
        **chosen.choice([{}, {}, ignored]),
        "single": pieces(["A"] * chosen.choice([1, 1, 1, 2, 3])),
        "pair": pieces([chosen.choice("AB") for _ in range(chosen.randrange(5))]),
        "special_tokens": {
            name: {"id": name, "ids": ids[name], "tokens": ["t"] * len(ids[name])} for name in names
        },
    }


def random_processor(chosen: random.Random) -> dict | None:
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    ends = {"cls": ["<|a|>", chosen.randrange(600)], "sep": ["<|b|>", 598]}
    roberta = {"type": "RobertaProcessing", "trim_offsets": True, "add_prefix_space": False, **ends}
    kinds = [random_template(chosen)] * 5 + [roberta, {"type": "BertProcessing", **ends}, None, byte_level]
    kind = chosen.choice(kinds)
    if kind is not None and chosen.random() < 0.3:
        steps = [kind] if kind is byte_level else [byte_level, kind]
        steps = chosen.sample(steps, len(steps))
        # Offsets are trimmed first, or not at all: other orders are refused.
        steps[1:] = [step | {"trim_offsets": False} if "trim_offsets" in step else step for step in steps[1:]]
        kind = {"type": "Sequence", "processors": steps}
    return kind


def assert_same(ours, theirs) -> None:
    want = [theirs.encode(text).ids for text in TEXTS]
    options = {"allowed_special": "all", "add_special_tokens": True}
    assert [ours.encode(text, **options) for text in TEXTS] == want
    assert ours.encode_batch(TEXTS, 2, **options) == want
    assert [ours.encode_numpy(text, **options).tolist() for text in TEXTS] == want
    ids, offsets = ours.encode_batch_numpy(TEXTS, **options)
    assert [part.tolist() for part in np.split(ids, offsets[1:-1])] == want
    assert ours.count_batch(TEXTS, **options) == [len(ids) for ids in want]
    assert ours.count(TEXTS[1], **options) == len(want[1])
    around = ours.encode(TEXTS[1], prepend=5, append=6, **options)
    assert around == [5, *want[1], 6]
    for first in TEXTS:
        for second in TEXTS[:3]:
            for add in [True, False]:
                pair = ours.encode_pair(
                    first, second, add_special_tokens=add, allowed_special="all"
                )
                theirs_pair = theirs.encode(first, second, add_special_tokens=add)
                assert pair == (theirs_pair.ids, theirs_pair.type_ids), (first, second)


@pytest.mark.parametrize("seed", range(300))
def test_post_processors_give_the_same_ids(plain, seed, tmp_path):
    chosen = random.Random(seed)
    ours, theirs = both(tmp_path, plain | {"post_processor": random_processor(chosen)})
    assert_same(ours, theirs)
    for name in ["model.bpe", "again.json"]:
        ours.save(tmp_path / name)
        assert_same(tokenizer_py.Tokenizer.from_file(tmp_path / name), theirs)
    assert_same(ours, tokenizers.Tokenizer.from_file(str(tmp_path / "again.json")))


def test_post_processors_are_off_by_default(plain, tmp_path):
    ends = {"cls": ["<|a|>", 597], "sep": ["<|b|>", 598]}
    ours, _ = both(tmp_path, plain | {"post_processor": {"type": "BertProcessing", **ends}})
    ids = ours.encode("hello")
    assert ours.encode("hello", add_special_tokens=True) == [597, *ids, 598]
    assert ours.count("hello") == len(ids)


def random_tokens(chosen: random.Random) -> list:
    words = ["<|new|>", "<|a|>", "the", "\u0120the", " the", "é", "naïve", "a b", "x", "", "<|ne"]
    tokens = []
    for _ in range(chosen.randrange(1, 7)):
        word = chosen.choice(words)
        if chosen.random() < 0.4:
            tokens.append(word)
            continue
        flags = ["single_word", "lstrip", "rstrip", "normalized", "special"]
        token = tokenizers.AddedToken(word, **{flag: chosen.random() < 0.4 for flag in flags})
        tokens.append(token)
    return tokens


@pytest.mark.parametrize("seed", range(300))
def test_added_tokens_have_the_same_ids(plain, seed, tmp_path):
    chosen = random.Random(seed)
    nfc = {"type": "NFC"} if chosen.random() < 0.3 else None
    ours, theirs = both(tmp_path, plain | {"normalizer": nfc})
    assert theirs.get_vocab_size() == ours.vocab_size
    before = ours.to_bytes()
    larger = ours
    for _ in range(chosen.randrange(1, 4)):
        tokens, special = random_tokens(chosen), chosen.random() < 0.4
        theirs.add_special_tokens(tokens) if special else theirs.add_tokens(tokens)
        larger = larger.add_tokens(tokens, special=special)
    assert ours.to_bytes() == before
    assert {token.content: token.id for token in larger.added_tokens} == {
        token.content: id for id, token in theirs.get_added_tokens_decoder().items()
    }
    words = ["<|new|>", "<|a|>", " the", "the", "é", "naïve", "a b", "x", " ", "\n", "e\u0301", "<|ne"]
    for _ in range(20):
        text = "".join(chosen.choice(words) for _ in range(chosen.randrange(12)))
        want = theirs.encode(text, add_special_tokens=False).ids
        assert larger.encode(text, allowed_special="all") == want, (text, larger.added_tokens)
        assert larger.decode(want) == theirs.decode(want, skip_special_tokens=False)


def test_tokens_are_checked(plain, tmp_path):
    ours, _ = both(tmp_path, plain)
    with pytest.raises(TypeError, match="tokens"):
        ours.add_tokens("text")
    with pytest.raises(ValueError, match="4194304"):
        ours.add_tokens(["a" * (1 << 23)])
    again = ours.add_tokens(ours.added_tokens)
    assert again.added_tokens == ours.added_tokens
