"""Special and other added tokens of a `tokenizer.json`: ids and decoded text as in `tokenizers`."""

from __future__ import annotations

import copy
import itertools
import json
import os
import pickle
import random
import unicodedata
from pathlib import Path

import pytest
import tokenizers
from conftest import run_python, shared

from tokenizer_py import AddedToken, Tokenizer

FLAGS = ("special", "normalized", "lstrip", "rstrip", "single_word")
ALPHABET = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
MERGES = [("t", "h"), ("th", "e"), ("Ġ", "t"), ("Ġ", "Ġ"), ("ĠĠ", "ĠĠ"), ("Ã", "©"), ("<", "x")]

# Kinds of white space; letters, digits and marks, next to which `single_word` does not match; composing
# characters; and characters of the byte-level alphabet.
PARTS = (
    ["a", "b", "the", " t", " ", "  ", "    ", "\n", "\t", "\u3000", "<x>", "<x", "x>", "<s>", "s>b"]
    + [".", "_", "1", "é", "e\u0301", "\u0301", "中", "Ġ", "Ġt", "ſ", "😀", "Å", "\u212b"]
)
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}


def tokenizer_json(added: list[dict], *, nfc: bool = False, ignore_merges: bool = False) -> str:
    """A tokenizer.json with a small vocabulary; added tokens get the ids that `tokenizers` assigns."""
    tokens = ALPHABET + ["".join(merge) for merge in MERGES]
    vocab = {token: id for id, token in enumerate(tokens)}
    ids = itertools.count(len(vocab))
    numbered = []
    for token in added:
        id = vocab[token["content"]] if token["content"] in vocab else next(ids)
        numbered.append({"id": id, **token})
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": numbered,
            "normalizer": {"type": "NFC"} if nfc else None,
            "pre_tokenizer": {**BYTE_LEVEL, "use_regex": True},
            "post_processor": None,
            "decoder": {**BYTE_LEVEL, "use_regex": True},
            "model": {
                "type": "BPE",
                "vocab": vocab,
                "merges": [list(merge) for merge in MERGES],
                "ignore_merges": ignore_merges,
            },
        }
    )


def added(content: str, **flags: bool) -> dict:
    return {"content": content, **{flag: flags.get(flag, False) for flag in FLAGS}}


def of_both(text: str, tmp_path) -> tuple[Tokenizer, tokenizers.Tokenizer]:
    path = tmp_path / "tokenizer.json"
    path.write_text(text)
    return Tokenizer.from_file(path), tokenizers.Tokenizer.from_str(text)


def peer_ids(peer: tokenizers.Tokenizer, text: str, *, special: bool) -> list[int] | None:
    """Returns `None` if `tokenizers` panics: on a white-space token with lstrip after white space that
    the previous token has stripped."""
    peer.encode_special_tokens = not special
    try:
        return peer.encode(text, add_special_tokens=False).ids
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None


def random_added(random: random.Random) -> list[dict]:
    made: dict[str, dict] = {}
    for _ in range(random.randint(1, 6)):
        content = "".join(random.choices(PARTS, k=random.randint(1, 3)))
        token = added(content, **{flag: random.random() < 0.5 for flag in FLAGS})
        # With equal normalized contents, `tokenizers` finds either token.
        made.setdefault(unicodedata.normalize("NFC", content), token)
    return list(made.values())


def test_ids_and_text_are_those_of_tokenizers(tmp_path):
    """Random tokens with all combinations of flags, and random texts."""
    texts_per_file = 40
    cases = 100_000
    panics = 0
    chosen = random.Random(16)
    for number in range(cases // texts_per_file):
        tokens = random_added(chosen)
        nfc, ignore_merges = chosen.random() < 0.5, chosen.random() < 0.3
        ours, peer = of_both(tokenizer_json(tokens, nfc=nfc, ignore_merges=ignore_merges), tmp_path)
        contents = [token["content"] for token in tokens]
        about = (number, nfc, ignore_merges, tokens)
        for _ in range(texts_per_file):
            parts = chosen.choices(PARTS + contents * 3, k=chosen.randint(0, 12))
            text = "".join(parts)
            for allowed, special in ((), False), ("all", True):
                ids = ours.encode(text, allowed_special=allowed)
                want = peer_ids(peer, text, special=special)
                if want is None:
                    panics += 1
                    continue
                assert ids == want, (text, special, *about)
                if not special:
                    assert ours.count_till_limit(text, len(want)) == len(want)
                    assert not want or ours.count_till_limit(text, len(want) - 1) is None
                    limit = chosen.randint(0, 5)
                    beginning, count = ours.truncate(text, limit)
                    assert text.startswith(beginning) and count <= limit, (text, limit, *about)
                    assert len(ours.encode(beginning)) == count, (text, limit, *about)
                stream = ours.encode_stream(allowed_special=allowed)
                cut = chosen.randint(0, len(text))
                pushed = stream.push(text[:cut]) + stream.push(text[cut:])
                assert pushed + stream.finish() == want, (text, special, cut, *about)
                for skip in (False, True):
                    decoded = peer.decode(want, skip_special_tokens=skip)
                    got = ours.decode(want, skip_special_tokens=skip)
                    assert got == decoded, (text, special, skip, *about)
    assert panics < cases / 10


@pytest.mark.parametrize("flags", list(itertools.product((False, True), repeat=len(FLAGS))))
def test_added_tokens_lists_all_flags(flags, tmp_path):
    token = added("<x>", **dict(zip(FLAGS, flags)))
    ours, _ = of_both(tokenizer_json([token, added("<y>", special=True)]), tmp_path)
    first, second = ours.added_tokens
    id = len(ALPHABET) + len(MERGES)
    assert isinstance(first, AddedToken)
    assert {flag: getattr(first, flag) for flag in FLAGS} == {f: token[f] for f in FLAGS}
    assert (first.content, first.id, second.content) == ("<x>", id, "<y>")
    assert first == ours.added_tokens[0] and first != second
    assert hash(first) == hash(ours.added_tokens[0])
    assert repr(first).startswith(f"AddedToken(content='<x>', id={id}, special={token['special']}, ")
    special = {"<x>": id} if token["special"] else {}
    assert ours.special_tokens == {**special, "<y>": id + 1}
    again = Tokenizer.from_bytes(ours.to_bytes())
    assert again.added_tokens == ours.added_tokens
    again.save(tmp_path / "again.json")
    assert Tokenizer.from_file(tmp_path / "again.json").added_tokens == ours.added_tokens


def test_an_added_token_is_a_value():
    """Equality, hash, keywords and pickling, as in ``tokenizers.AddedToken``."""
    flags = dict.fromkeys(FLAGS, False)
    token = AddedToken(content="<x>", id=7, **flags)
    assert token == AddedToken("<x>", 7, *flags.values())
    assert token in {AddedToken(content="<x>", id=7, **flags)}
    assert pickle.loads(pickle.dumps(token)) == copy.deepcopy(token) == token
    assert eval(repr(token)) == token  # noqa: S307
    for other in (token._replace(id=8), *(token._replace(**{flag: True}) for flag in FLAGS)):
        assert token != other and not token == other
    for other in ("<x>", 7, None, tuple(token)):
        assert token != other and not token == other
        assert other != token and not other == token
    with pytest.raises(AttributeError):
        token.id = 8
    with pytest.raises(TypeError):
        AddedToken("<x>")


def test_four_spaces_are_found_in_source_code(tmp_path):
    """GPT-2's table with an added token of four spaces: indentation is one id."""
    path = shared("vocabs", "gpt2", "vocab.json")
    vocab = json.loads(path.read_text())
    lines = path.with_name("merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    file = json.loads(tokenizer_json([]))
    file["model"]["vocab"] = vocab
    file["model"]["merges"] = [line.split(" ") for line in lines if line]
    special = {"id": 50256, **added("<|endoftext|>", special=True)}
    file["added_tokens"] = [special, {"id": 50257, **added(" " * 4, normalized=True)}]
    ours, peer = of_both(json.dumps(file), tmp_path)
    text = "if a:\n    return" + "<|endoftext|>" + os.__doc__ + Path(os.__file__).read_text(encoding="utf-8")
    for allowed, special in ((), False), ("all", True):
        want = peer_ids(peer, text, special=special)
        assert 50257 in want
        assert ours.encode(text, allowed_special=allowed) == want
        assert ours.encode_batch([text] * 3, 2, allowed_special=allowed) == [want] * 3
        assert ours.encode_numpy(text * 30, 2, allowed_special=allowed).tolist() == want * 30
        assert ours.count(text * 30, 2, allowed_special=allowed) == len(want) * 30
        assert ours.encode_with_offsets(text, allowed_special=allowed)[0] == want


@pytest.mark.parametrize(
    ("file", "ids", "text"),
    [
        ("qwen/tokenizer.json", [151657, 87, 151658], "<tool_call>x</tool_call>"),
        ("qwen/tokenizer.json", [151644, 87, 151645], "x"),
        ("deepseek/tokenizer.json", [128821, 90, 128822], "<think>x</think>"),
    ],
)
def test_skipping_special_tokens_keeps_other_added_tokens(file, ids, text):
    path = shared("vocabs", *file.split("/"))
    ours, peer = Tokenizer.from_file(path), tokenizers.Tokenizer.from_file(str(path))
    assert peer.decode(ids, skip_special_tokens=True) == text
    assert ours.decode(ids, skip_special_tokens=True) == text
    assert ours.decode_bytes(ids, skip_special_tokens=True) == text.encode()
    assert ours.decode_batch([ids, ids], skip_special_tokens=True) == [text, text]
    stream = ours.decode_stream(skip_special_tokens=True)
    assert "".join(stream.push(id) for id in ids) + stream.finish() == text
    for token in ours.added_tokens:
        content = peer.id_to_token(token.id)
        assert token.content == content
        decoded = peer.decode([token.id], skip_special_tokens=True)
        assert ours.decode([token.id], skip_special_tokens=True) == decoded
        assert token.special == (decoded == "")


def test_a_token_of_white_space_is_found_in_linear_time():
    """A run of white space that a token strips, and a run of the token."""
    run_python(
        """
        import pathlib, tempfile
        from test_added_tokens import added, tokenizer_json
        from tokenizer_py import Tokenizer

        tokens = [added("\\n", rstrip=True), added(" ", rstrip=True, lstrip=True), added("<s>", rstrip=True)]
        path = pathlib.Path(tempfile.mkdtemp()) / "tokenizer.json"
        path.write_text(tokenizer_json(tokens))
        ours = Tokenizer.from_file(path)
        for text in "\\n" * 1_000_000, " \\n" * 500_000, "<s>" + "\\n" * 1_000_000:
            ids = ours.encode(text)
            stream = ours.encode_stream()
            assert stream.push(text) + stream.finish() == ids
        """,
        PYTHONPATH=str(Path(__file__).parent),
    )
