"""Components of a `tokenizer.json` that change text: ids, offsets and decoded text as in `tokenizers`."""

from __future__ import annotations

import json
import random

from test_added_tokens import BYTE_LEVEL, added, of_both, tokenizer_json

FORMS = ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents")
PARTS = (
    ["a", "b", "the", " t", " ", "  ", "\n", "\t", "\u3000", "<x>", ".", "_", "1", "½", "é", "É", "e\u0301"]
    + ["\u0301", "\u0323", "\u0344", "中", "ſ", "ß", "İ", "😀", "Å", "\u212b", "ﬁ", "가", "\u1161", "\u11a8", "▁"]
)


def random_step(chosen: random.Random) -> dict:
    kind = chosen.choice([*FORMS, "Strip", "Prepend", "Replace", "Replace"])
    if kind == "Strip":
        return {"type": kind, "strip_left": chosen.random() < 0.5, "strip_right": chosen.random() < 0.5}
    if kind == "Prepend":
        return {"type": kind, "prepend": chosen.choice(["▁", " ", "xy", "\u0301", "é"])}
    if kind == "Replace":
        string = {"String": chosen.choice([" ", "▁", "a", "é", "the", "\n"])}
        regex = {"Regex": chosen.choice([r"\s+", r"[\r\n]+", " {2,}", r"\p{M}+", "a|ab"])}
        content = chosen.choice(["▁", " ", "", "xyz", "é"])
        return {"type": kind, "pattern": chosen.choice([string, regex]), "content": content}
    return {"type": kind}


def random_pre_tokenizer(chosen: random.Random) -> dict:
    steps = []
    for _ in range(chosen.randint(0, 3)):
        if chosen.random() < 0.4:
            regex = chosen.choice([r"\p{N}{1,3}", r"\s+(?!\S)|\s+", r"\p{L}+", " "])
            split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
            steps.append(split)
        else:
            metaspace = {
                "type": "Metaspace",
                "replacement": chosen.choice("▁_x^"),
                "prepend_scheme": chosen.choice(["always", "first", "never"]),
                "split": chosen.random() < 0.5,
            }
            steps.append(metaspace)
    prefix, regex = chosen.random() < 0.5, chosen.random() < 0.5
    steps.append({**BYTE_LEVEL, "add_prefix_space": prefix, "use_regex": regex})
    return {"type": "Sequence", "pretokenizers": steps}


def test_ids_offsets_and_text_are_those_of_tokenizers(tmp_path):
    chosen = random.Random(20)
    for _ in range(300):
        tokens = [added("<x>", normalized=chosen.random() < 0.5), added("The", normalized=True)]
        file = json.loads(tokenizer_json(tokens))
        steps = [random_step(chosen) for _ in range(chosen.randint(0, 4))]
        file["normalizer"] = {"type": "Sequence", "normalizers": steps}
        file["pre_tokenizer"] = random_pre_tokenizer(chosen)
        try:
            ours, peer = of_both(json.dumps(file), tmp_path)
        except ValueError as error:
            assert "a token that the normalizer empties" in str(error)  # noqa: PT017
            continue
        for _ in range(50):
            text = "".join(chosen.choices(PARTS, k=chosen.randint(0, 12)))
            want = peer.encode(text, add_special_tokens=False)
            components = (text, file["normalizer"], file["pre_tokenizer"])
            ids, offsets = ours.encode_with_offsets(text, allowed_special="all")
            assert (ids, offsets) == (want.ids, want.offsets), components
            assert ours.decode(ids) == peer.decode(ids, skip_special_tokens=False), components
            stream = ours.encode_stream(allowed_special="all")
            pushed = [id for letter in text for id in stream.push(letter)]
            assert pushed + stream.finish() == ids, components
