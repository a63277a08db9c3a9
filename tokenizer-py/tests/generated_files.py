"""Random ``tokenizer.json`` files of BPE models, and texts that are hard for them.

A file is drawn component by component. Most components are those that people publish; each kind that
this project reads is drawn in all its forms, in any order and number.
"""

from __future__ import annotations

import functools
import json
import random

from conftest import FIXTURES, SHARED
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
FLAGS = ["single_word", "lstrip", "rstrip", "normalized", "special"]
REGEXES = [
    r"\p{N}{1,3}",
    r"\p{N}",
    r"\s+(?!\S)|\s+",
    r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+",
    r"[^\W_]",
    r"[\p{L}&&[^\p{Han}a-f]\d]",
    r"[^(\s|[.,!?])]",
    r"\d{1,3}(?=(?:\d{3})*\b)",
    r"\b[a-z]|\w\B|\'\<",
    r"[\r\n]+",
    r" {2,}",
    r"\p{M}+",
    r"\w+|[^\w\s]+",
    r"[a-c]*b",
]
ADDED = ["<s>", "</s>", "<unk>", "<s>x", "s>", "<s", "the", " the", "\u0120the", "\u2581the", " ", "  ", "\n"]
ADDED += ["\t", "\u00e9", "e\u0301", "\u00c9", "a b", "x", "\u2581", "<0x41>", "\u4e2d", "The", ".", "12", "\u0301"]
ADDED += ["<|im_start|>", "<|im_start|>user", "\u00a0", "\u3000", "\u01c5", "\ufb01", "\u0130", "ab", "b", "abc"]
PARTS = ["a", "b", "c", "x", "the", "The", " the", " t", "ing", "and", "12", "3", "\u00bd", "\u0663", "_", "^", "-"]
PARTS += [" ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\u200c", "\u200d", "\u0120", "\u2581"]
PARTS += [".", ",", "'s", "'", "(", "]", "<", ">", "|", "$", "+", "=", "\u00e9", "\u00c9", "e\u0301", "\u0301"]
PARTS += ["\u0323", "\u0344", "\u4e2d", "\u3042", "\u017f", "\u00df", "\u0130", "\u01c5", "\U0001f600", "\u00c5"]
PARTS += ["\u212b", "\ufb01", "\uac00", "\u1161", "\u11a8", "\u0958", "\u2126", "\uff21", "\u06cc", "\U0001d400"]
PARTS += ["\u3002", "\uff01", "\u0103\u0323", "\x00", "\x7f", "\ufeff", "\ufffd", "\U0010ffff", "<0x41>", "<0xE4>"]
FALLBACK = [f"<0x{byte:02X}>" for byte in range(256)]


@functools.lru_cache(maxsize=None)
def trained(kind: str, prefix: str, suffix: str) -> str:
    """The ``model`` of a small vocabulary, whose tokens are bytes or text, as JSON."""
    if kind == "gpt2":
        folder = SHARED / "vocabs" / "gpt2"
        lines = (folder / "merges.txt").read_text("utf-8").splitlines()[1:]
        merges = [line.split(" ") for line in lines if line]
        return json.dumps({"vocab": json.loads((folder / "vocab.json").read_text("utf-8")), "merges": merges})
    byte_level = kind in ("bytes", "few bytes")
    affixes = {"continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
    affixes = {name: affix for name, affix in affixes.items() if affix}
    model = Tokenizer(models.BPE(**affixes))
    model.pre_tokenizer = {
        "bytes": pre_tokenizers.ByteLevel(add_prefix_space=False),
        "few bytes": pre_tokenizers.ByteLevel(add_prefix_space=False),
        "words": pre_tokenizers.Metaspace(),
        "lines": pre_tokenizers.Split("\n", "isolated"),
    }[kind]
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        initial_alphabet=ALPHABET if kind == "bytes" else [],
        limit_alphabet=256 if byte_level else 120,
        show_progress=False,
        **affixes,
    )
    lines = (FIXTURES / "corpus.txt").read_text("utf-8").splitlines(keepends=True)
    model.train_from_iterator(lines, trainer)
    fields = json.loads(model.to_str())["model"]
    return json.dumps({"vocab": fields["vocab"], "merges": fields["merges"]})


def flag(chosen: random.Random, probability: float = 0.5) -> bool:
    return chosen.random() < probability


def random_normalizer(chosen: random.Random) -> dict | None:
    steps = [normalizer_step(chosen) for _ in range(chosen.choice([0, 0, 0, 1, 1, 2, 3, 4]))]
    if len(steps) == 1 and flag(chosen):
        return steps[0]
    if not steps and flag(chosen):
        return None
    if len(steps) > 2 and flag(chosen, 0.2):
        steps[1:] = [{"type": "Sequence", "normalizers": steps[1:]}]
    return {"type": "Sequence", "normalizers": steps}


def normalizer_step(chosen: random.Random) -> dict:
    forms = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"]
    kind = chosen.choice([*forms, "Strip", "Prepend", "Prepend", "Replace", "Replace", "Replace"])
    if kind == "Strip":
        return {"type": kind, "strip_left": flag(chosen), "strip_right": flag(chosen)}
    if kind == "Prepend":
        return {"type": kind, "prepend": chosen.choice(["\u2581", "\u2581", " ", "xy", "\u0301", "\u00e9"])}
    if kind == "Replace":
        string = {"String": chosen.choice([" ", " ", "\u2581", "a", "\u00e9", "the", "\n", "  ", "aa", "''"])}
        regex = {"Regex": chosen.choice([r"\s+", r"[\r\n]+", " {2,}", r"\p{M}+", "a|ab", r"\d", r"^\s+", r"\s+$"])}
        content = chosen.choice(["\u2581", "\u2581", " ", "", "xyz", "\u00e9", "\n", "  "])
        return {"type": kind, "pattern": chosen.choice([string, regex]), "content": content}
    return {"type": kind}


def split_step(chosen: random.Random) -> dict:
    kind = chosen.choice(["Digits", "Punctuation", "Whitespace", "WhitespaceSplit", "CharDelimiterSplit"] + 6 * ["Split"])
    if kind == "Digits":
        return {"type": kind, "individual_digits": flag(chosen)}
    if kind == "Punctuation":
        return {"type": kind, "behavior": chosen.choice(BEHAVIORS)}
    if kind == "CharDelimiterSplit":
        return {"type": kind, "delimiter": chosen.choice("a -]^\u0120\u2581")}
    if kind == "Split":
        string = {"String": chosen.choice(["the", " ", "'", "]", "\u2581", "\u0120", "aa", "\n", "."])}
        regex = {"Regex": chosen.choice(REGEXES)}
        pattern = chosen.choice([string, regex, regex])
        return {"type": kind, "pattern": pattern, "behavior": chosen.choice(BEHAVIORS), "invert": flag(chosen, 0.3)}
    return {"type": kind}


def metaspace_step(chosen: random.Random) -> dict:
    return {
        "type": "Metaspace",
        "replacement": chosen.choice("\u2581\u2581\u2581_x^\u0120"),
        "prepend_scheme": chosen.choice(["always", "first", "never"]),
        "split": flag(chosen),
    }


def byte_level(chosen: random.Random) -> dict:
    return {
        "type": "ByteLevel",
        "add_prefix_space": flag(chosen, 0.3),
        "trim_offsets": flag(chosen),
        "use_regex": flag(chosen),
    }


def random_pre_tokenizer(chosen: random.Random, is_byte_level: bool) -> dict | None:
    before = chosen.choice([0, 0, 1, 1, 2, 3])
    steps = []
    for _ in range(before):
        rewrites = flag(chosen, 0.15 if is_byte_level else 0.4)
        steps.append(metaspace_step(chosen) if rewrites else split_step(chosen))
    if is_byte_level:
        steps.append(byte_level(chosen))
        steps += [split_step(chosen) for _ in range(chosen.choice([0, 0, 0, 1, 2]))]
    if len(steps) == 1 and flag(chosen):
        return steps[0]
    if not steps and flag(chosen):
        return None
    return {"type": "Sequence", "pretokenizers": steps}


def decoder_step(chosen: random.Random) -> dict:
    kinds = ["Replace", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace", "BPEDecoder", "ByteLevel", "WordPiece"]
    kind = chosen.choice(kinds)
    if kind == "Replace":
        string = {"String": chosen.choice(["\u2581", " ", "a", "th", "\u0120"])}
        pattern = chosen.choice([string, string, {"Regex": chosen.choice([r"\u2581+", "[ab]"])}])
        return {"type": kind, "pattern": pattern, "content": chosen.choice([" ", "", "xy"])}
    if kind == "Strip":
        sizes = {"start": chosen.choice([0, 1, 2]), "stop": chosen.choice([0, 0, 1])}
        return {"type": kind, "content": chosen.choice(" \u2581a"), **sizes}
    if kind == "Metaspace":
        return metaspace_step(chosen)
    if kind == "BPEDecoder":
        return {"type": kind, "suffix": chosen.choice(["</w>", "e", "\u2581", "\u0120"])}
    if kind == "WordPiece":
        return {"type": kind, "prefix": chosen.choice(["##", "", "t"]), "cleanup": flag(chosen)}
    if kind == "ByteLevel":
        return byte_level(chosen)
    return {"type": kind}


def random_decoder(chosen: random.Random, is_byte_level: bool) -> dict | None:
    chance = chosen.random()
    if chance < 0.4:
        steps = [decoder_step(chosen) for _ in range(chosen.choice([0, 1, 1, 2, 3, 5]))]
    elif is_byte_level:
        steps = [byte_level(chosen)]
    else:
        replace = {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}
        strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
        steps = [replace, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]
        steps = [step for step in steps if flag(chosen, 0.8)]
    if len(steps) == 1 and flag(chosen):
        return steps[0]
    if chance > 0.93:
        return None
    return {"type": "Sequence", "decoders": steps}


def random_processor(chosen: random.Random, vocab: dict[str, int]) -> dict | None:
    """A post-processor. Its ids need not be those of its tokens."""
    tokens = chosen.sample(sorted(vocab), 3)
    ends = {"cls": [tokens[0], vocab[tokens[0]]], "sep": [tokens[1], vocab[tokens[1]]]}
    kind = chosen.choice([None, "ByteLevel", "RobertaProcessing", "BertProcessing"] + 3 * ["TemplateProcessing"])
    trims = [flag(chosen), flag(chosen)]
    prefix = flag(chosen)
    byte_level = {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trims[0], "use_regex": True}
    if kind is None:
        return None
    if kind == "TemplateProcessing":
        made = random_template(chosen, [[vocab[token] for token in tokens], [vocab[tokens[0]]], []])
    elif kind == "RobertaProcessing":
        made = {"type": kind, "trim_offsets": trims[1], "add_prefix_space": flag(chosen), **ends}
    elif kind == "BertProcessing":
        made = {"type": kind, **ends}
    else:
        made = byte_level
    if flag(chosen, 0.3):
        steps = [made] if made is byte_level else chosen.sample([byte_level, made], 2)
        return {"type": "Sequence", "processors": steps}
    return made


def random_template(chosen: random.Random, ids: list[list[int]]) -> dict:
    names = [f"[{index}]" for index in range(len(ids))]

    def pieces(texts: list[str]) -> list[dict]:
        pieces = [{"Sequence": {"id": text}} for text in texts]
        for _ in range(chosen.randrange(4)):
            pieces.insert(chosen.randint(0, len(pieces)), {"SpecialToken": {"id": chosen.choice(names)}})
        for piece in pieces:
            next(iter(piece.values()))["type_id"] = chosen.choice([0, 0, 1, 2])
        return pieces

    special = {
        name: {"id": name, "ids": own, "tokens": ["t"] * len(own)} for name, own in zip(names, ids)
    }
    # With a text twice, `tokenizers` returns its ids twice even without special tokens.
    single = pieces(["A"])
    pair = pieces([chosen.choice("AB") for _ in range(chosen.choice([2, 2, 2, 1, 3]))])
    # As in Command R's files; these fields change nothing.
    ignored = {"add_prefix_space": flag(chosen), "trim_offsets": flag(chosen), "use_regex": True}
    template = {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}
    return template | (ignored if flag(chosen, 0.2) else {})


def random_model(chosen: random.Random, is_byte_level: bool, kinds: dict[bool, list[str]]) -> dict:
    """A trained model, changed in its fields, tokens, merges and ids."""
    prefix, suffix = chosen.choice([*9 * [("", "")], ("##", ""), ("", "</w>"), ("a", "th"), ("", "e")])
    kind = chosen.choice(kinds[is_byte_level])
    fields = json.loads(trained(kind, prefix, suffix))
    prefix, suffix = (prefix, suffix) if kind != "gpt2" else ("", "")
    vocab, merges = fields["vocab"], fields["merges"]
    special = chosen.sample(["<unk>", "<s>", "</s>"], chosen.randint(0, 3))
    tokens = [*special, *vocab] if flag(chosen) else [*vocab, *special]
    if not is_byte_level:
        tokens += FALLBACK if flag(chosen) else chosen.sample(FALLBACK, chosen.choice([0, 0, 200]))
    if flag(chosen, 0.3):
        # Holes in the alphabet.
        single = [token for token in vocab if len(token) == 1]
        dropped = set(chosen.sample(single, min(len(single) // 2, chosen.choice([1, 3, 20]))))
        tokens = [token for token in tokens if token not in dropped]
        # Longer tokens that remain are found with `ignore_merges` only.
        if flag(chosen):
            tokens = [token for token in tokens if dropped.isdisjoint(token)]
        known = set(tokens)
        merges = [pair for pair in merges if {*pair, pair[0] + pair[1].removeprefix(prefix)} <= known]
    if flag(chosen, 0.2):
        # For a byte-level model, those of other characters only decode.
        extra = ["\u4e2d\u4e2d", "thethe", "aaaa", "\u0120\u0120x", "\u2581\u2581x", "\u00c3\u00a9", "a b"]
        known = set(tokens)
        tokens += [token for token in extra if token not in known]
    if flag(chosen, 0.2):
        # A merge listed twice, or ranks in another order than that of the training.
        twice = [*merges, *chosen.sample(merges, min(3, len(merges)))]
        merges = twice if flag(chosen) else chosen.sample(merges, len(merges))
    ids = list(range(len(tokens)))
    if flag(chosen, 0.2):
        # Holes, but not where `tokenizers` numbers added tokens, from the size of the vocabulary on.
        last = len(ids) - chosen.randint(1, 9)
        ids[last:] = [id + 20 for id in ids[last:]]
    if flag(chosen, 0.2):
        chosen.shuffle(ids)
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": chosen.choice([*9 * ["<unk>"], *6 * [None], "the"]),
        "continuing_subword_prefix": prefix or None,
        "end_of_word_suffix": suffix or None,
        "fuse_unk": flag(chosen),
        "byte_fallback": flag(chosen, 0.05 if is_byte_level or prefix or suffix else 0.5),
        "ignore_merges": flag(chosen, 0.3),
        "vocab": dict(zip(tokens, ids)),
        "merges": merges,
    }
    if flag(chosen) and not any(" " in token for token in vocab):
        model["merges"] = [" ".join(pair) for pair in merges]
    if model["unk_token"] not in model["vocab"] and flag(chosen, 0.8):
        model["unk_token"] = None
    return model


def normalized(content: str, normalizer: dict | None) -> str:
    file = Tokenizer(models.BPE()).to_str()
    file = json.dumps({**json.loads(file), "normalizer": normalizer})
    made = Tokenizer.from_str(file).normalizer
    return made.normalize_str(content) if made else content


def random_added(chosen: random.Random, vocab: dict[str, int], normalizer: dict | None) -> list[dict]:
    """Added tokens, in the vocabulary or not, with the ids that ``tokenizers`` assigns. Of two with the same
    normalized content, it finds either."""
    contents = chosen.sample(ADDED, chosen.choice([0, 1, 2, 3, 5, 8]))
    if flag(chosen, 0.1):
        contents.append(chosen.choice(sorted(vocab)))
    tokens, next_id = [], len(vocab)
    for content in {normalized(content, normalizer): content for content in contents}.values():
        probability = chosen.choice([0.1, 0.5])
        flags = {name: flag(chosen, probability) for name in FLAGS}
        id = vocab.get(content, next_id)
        next_id += id == next_id
        tokens.append({"id": id, "content": content, **flags})
    if flag(chosen, 0.1):
        chosen.shuffle(tokens)
    return tokens


def random_file(seed: int) -> dict:
    """The content of a ``tokenizer.json``."""
    chosen = random.Random(seed)
    is_byte_level = flag(chosen)
    kinds = {True: ["bytes", "bytes", "few bytes"], False: ["words", "words", "lines"]}
    if (SHARED / "vocabs" / "gpt2").exists() and flag(chosen, 0.05):
        kinds = {True: ["gpt2"], False: ["words"]}
    model = random_model(chosen, is_byte_level, kinds)
    normalizer = random_normalizer(chosen)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": random_added(chosen, model["vocab"], normalizer),
        "normalizer": normalizer,
        "pre_tokenizer": random_pre_tokenizer(chosen, is_byte_level),
        "post_processor": random_processor(chosen, model["vocab"]),
        "decoder": random_decoder(chosen, is_byte_level),
        "model": model,
    }


def random_text(chosen: random.Random, contents: list[str], words: list[str]) -> str:
    """A text of random characters, words of a corpus, and the added tokens of a file."""
    parts = chosen.choice([PARTS, PARTS, words, PARTS[:60]])
    few = chosen.choices(parts, k=chosen.randint(1, 9)) + contents[: chosen.randrange(9)]
    return "".join(chosen.choice(few) for _ in range(chosen.choice([0, 1, 2, 3, 5, 8, 13, 30])))
