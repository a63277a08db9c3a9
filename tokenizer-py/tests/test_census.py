"""The tokenizer files that people download: those of the census give the ids, offsets and text of `tokenizers`.

A row of the census is covered by a real file, or by its published pre-tokenizer chain over GPT-2's vocabulary, with
the normalizer, the missing bytes and the added tokens of the row. docs/formats.md says which of the two.

Run as a program with files as arguments, it compares each on all shared corpora and 100,000 random texts.
"""

from __future__ import annotations

import csv
import functools
import json
import random
import re
import sys

import pytest
import tokenizer_py
from conftest import ROOT, read_text, shared
from tokenizers import Tokenizer

# Bytes that no UTF-8 text has.
NEVER = [0xC0, 0xC1, *range(0xF5, 0x100)]

REAL = {
    ("qwen2", "19.54"): ["qwen/tokenizer.json"],
    ("gpt2", "1.24"): ["real/gpt_neox.json", "real/modernbert.json"],
    ("deepseek-v3", "1.54"): ["deepseek/tokenizer.json"],
    ("llama2", "1.38"): ["real/llama2.json"],
    ("metaspace", "0.38"): ["real/mistral03.json"],
}
# What a row has beside its chain.
EXTRA = {
    ("roberta", "0.41"): {
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["</s>", 50258],
            "cls": ["<s>", 50257],
            "trim_offsets": True,
            "add_prefix_space": True,
        },
        "added": ["<s>", "</s>"],
    },
    ("digits-gpt2", "0.58"): {"missing": [*NEVER, 0, 1, 2, 3, 4, 5, 6, 7]},
    ("digits-gpt2", "0.12"): {"normalizer": {"type": "NFKC"}},
    ("bloom", "0.14"): {"missing": [*NEVER, 0]},
    ("qwen3.5", "3.89"): {"normalizer": {"type": "NFC"}},
}
# Without a published chain; the pipeline is Gemma's.
GEMMA = {
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "pre_tokenizer": {
        "type": "Split",
        "pattern": {"String": " "},
        "behavior": "MergedWithPrevious",
        "invert": False,
    },
    "decoder": {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
        ],
    },
}


def census() -> list[dict[str, str]]:
    lines = shared("census.tsv").read_text("utf-8").splitlines()
    return list(csv.DictReader((line for line in lines if line[0] != "#"), delimiter="\t"))


@functools.lru_cache(maxsize=None)
def byte_alphabet() -> dict[str, int]:
    """The characters of GPT-2's byte alphabet, and their bytes."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in visible]
    return {
        **{chr(byte): byte for byte in visible},
        **{chr(256 + place): byte for place, byte in enumerate(others)},
    }


@functools.lru_cache(maxsize=None)
def gpt2() -> tuple[dict[str, int], list[list[str]]]:
    vocab = json.loads(shared("vocabs", "gpt2", "vocab.json").read_text("utf-8"))
    lines = shared("vocabs", "gpt2", "merges.txt").read_text("utf-8").splitlines()
    return vocab, [line.split(" ") for line in lines[1:] if line]


def file_of(chain: dict, extra: dict) -> dict:
    """A file with a chain over GPT-2's vocabulary, without the tokens that have a missing byte."""
    vocab, merges = gpt2()
    bytes_of = byte_alphabet()
    missing = {char for char, byte in bytes_of.items() if byte in extra.get("missing", [])}
    kept = [token for token in sorted(vocab, key=vocab.get) if not missing & set(token)]
    vocab = {token: id for id, token in enumerate(kept)}
    merges = [pair for pair in merges if "".join(pair) in vocab]
    added = extra.get("added", []) + ["<|extra|>", "<code>"]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": len(vocab) + place,
                "content": content,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": content == "<code>",
                "special": content != "<code>",
            }
            for place, content in enumerate(added)
        ],
        "normalizer": extra.get("normalizer", chain["normalizer"]),
        "pre_tokenizer": chain["pre_tokenizer"],
        "post_processor": extra.get("post_processor"),
        "decoder": chain.get("decoder", byte_level_decoder()),
        "model": {"type": "BPE", "vocab": vocab, "merges": merges},
    }


def byte_level_decoder() -> dict:
    flags = {"add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return {"type": "ByteLevel", **flags}


def gemma_file() -> dict:
    """Gemma's pipeline over those of GPT-2's tokens that are text."""
    vocab, merges = gpt2()
    bytes_of = byte_alphabet()
    text: dict[str, str] = {}
    for token in vocab:
        raw = bytes(bytes_of.get(char, 0x80) for char in token)
        try:
            text[token] = raw.decode("utf-8").replace(" ", "▁")
        except UnicodeDecodeError:
            continue
    tokens = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *text.values()]
    file = file_of(GEMMA, {})
    first = len(tokens)
    for place, added in enumerate(file["added_tokens"]):
        added["id"] = first + place
    file["model"] = {
        "type": "BPE",
        "unk_token": "<unk>",
        "fuse_unk": True,
        "byte_fallback": True,
        "vocab": {token: id for id, token in enumerate(tokens)},
        "merges": [
            [text[left], text[right]]
            for left, right in merges
            if left in text and right in text and left + right in text
        ],
    }
    return file


def random_texts(count: int, added: list[str]) -> list[str]:
    """Short texts of few distinct parts: letters of many scripts, white space, controls, added tokens."""
    chosen = random.Random(5)
    parts = [*"aZ s'\n\t\r.,_-0129é½ßǅ한́中あ！。،٣\u200d\u00a0\u2028\u3000▁🎉\0\x07", "the", " I'll", *added]
    texts = []
    for _ in range(count):
        some = [chosen.choice(parts) for _ in range(chosen.randrange(1, 9))]
        texts.append("".join(chosen.choice(some) for _ in range(chosen.randrange(30))))
    return texts


@functools.lru_cache(maxsize=None)
def corpus_texts(every: int = 9, size: int = 60_000) -> list[str]:
    """One in `every` short strings, and the first `size` characters of each corpus, whole and in parts."""
    lines = shared("corpora", "adversarial", "short_strings.jsonl").read_text("utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines[::every]]
    for name in ["english_prose", "multilingual", "web_mix"]:
        text = read_text(shared("corpora", f"{name}.txt"))[:size]
        texts += [text[:60_000], *(text[start : start + 997] for start in range(0, len(text), 997))]
    return [text for text in texts if text.encode("utf-8", "ignore").decode() == text]


def compare(path, texts: list[str]) -> int:
    """Asserts that ids, offsets and decoded text equal those of `tokenizers`.

    Where `tokenizers` drops a character, ours must be an error at it. Returns the number of these texts.
    """
    theirs = Tokenizer.from_file(str(path))
    theirs.no_truncation()
    theirs.no_padding()
    ours = tokenizer_py.Tokenizer.from_file(path)
    errors = 0
    for text in texts:
        for template in [False, True]:
            want = theirs.encode(text, add_special_tokens=template)
            try:
                ids = ours.encode(text, allowed_special="all", add_special_tokens=template)
            except ValueError as error:
                dropped_at(text, theirs.decode(want.ids, skip_special_tokens=False), error)
                errors += 1
                break
            assert ids == want.ids, (template, text[:80])
        else:
            plain = theirs.encode(text, add_special_tokens=False)
            ids, offsets = ours.encode_with_offsets(text, allowed_special="all")
            assert ids == plain.ids, text[:80]
            assert list(map(tuple, offsets)) == plain.offsets, text[:80]
            decoded = theirs.decode(plain.ids, skip_special_tokens=False)
            assert ours.decode(ids) == decoded, text[:80]
    return errors


def dropped_at(text: str, decoded: str, error: ValueError) -> None:
    """Asserts that an error names the first character that the reference drops."""
    offset = int(re.search(r" at byte (\d+)", str(error)).group(1))
    first = min(text.index(char) for char in set(text) - set(decoded))
    assert len(text.encode()[:offset].decode()) == first, (error, text[:80])


def check_kimi() -> None:
    model = tokenizer_py.Tokenizer.from_file(shared("vocabs", "real", "kimi_k2.tiktoken"))
    golden = shared("vocabs", "real", "golden")
    for name in ["small", "mixed"]:
        texts = (golden / f"{name}_input.txt").read_text("utf-8").split("\n")
        ids = (golden / f"{name}_tokens_kimi_k2.txt").read_text("utf-8").split("\n")
        for text, want in zip(texts[:-1], ids[:-1], strict=True):
            text = re.sub(r"\\s$", " ", text).replace("\\n", "\n")
            assert model.encode(text) == list(map(int, want.split(", ")))
    text = (golden / "utf8_input.txt").read_text("utf-8")
    want = (golden / "utf8_tokens_kimi_k2.txt").read_text("utf-8").strip()
    assert model.encode(text) == list(map(int, want.split(", ")))


@functools.lru_cache(maxsize=None)
def chains() -> dict[str, dict]:
    return {chain["name"]: chain for chain in json.loads(shared("chains.json").read_text("utf-8"))}


def compared(row: dict[str, str]) -> str:
    """What covers a row, as docs/formats.md says it."""
    if (row["chain"], row["percent"]) in REAL or row["chain"] == "kimi":
        return "real file"
    return "chain" if row["chain"] == "gemma" or row["chain"] in chains() else "no file to compare"


ROWS = 25


@pytest.mark.parametrize("place", range(ROWS))
def test_row(place, tmp_path):
    rows = census()
    assert len(rows) == ROWS
    row = rows[place]
    key, extra = (row["chain"], row["percent"]), EXTRA.get((row["chain"], row["percent"]), {})
    if key in REAL:
        for name in REAL[key]:
            real = shared("vocabs", *name.split("/"))
            added = [token["content"] for token in json.loads(real.read_text("utf-8"))["added_tokens"]]
            compare(real, [*corpus_texts(), *random_texts(2000, added[:40])])
    elif row["chain"] == "kimi":
        check_kimi()
    elif compared(row) == "chain":
        file = gemma_file() if row["chain"] == "gemma" else file_of(chains()[row["chain"]], extra)
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(file), "utf-8")
        errors = compare(path, [*corpus_texts(), *random_texts(2000, ["<|extra|>", "<code>"])])
        assert (errors > 0) == ("missing" in extra)


def test_the_page_has_the_census():
    page = (ROOT / "docs" / "formats.md").read_text("utf-8")
    covered, total = 0.0, 0.0
    for row in census():
        percent, by = float(row["percent"]), compared(row)
        total += percent
        covered += 0 if by.startswith("no") else percent
        assert f"| {row['models']} | {row['percent']} | {by} |" in page
    assert f"**{100 * covered / total:.1f} %**" in page


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        file = json.loads(open(argument, encoding="utf-8").read())
        tokens = [token["content"] for token in file["added_tokens"]][:40]
        texts = [*corpus_texts(1, sys.maxsize), *random_texts(100_000, tokens)]
        print(f"{argument}: {len(texts)} texts, {compare(argument, texts)} of them lossy in tokenizers")
