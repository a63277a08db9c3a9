"""``tokenizer.json`` between this project and the packages that read it.

What ``tokenizers`` and ``transformers`` make of a file that is written here, and what is made here
of theirs, must be the same ids: for plain text, and for text with special tokens in it.
"""

import json
import random

import pytest
from conftest import FIXTURES, SHARED, shared
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

import tokenizer_py

PATTERNS = ["gpt2", "cl100k", "o200k", "nanochat"]
PUBLISHED = ["qwen", "deepseek"]


def hard_texts() -> list[str]:
    lines = (FIXTURES / "hard_cases.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def corpus_texts(count: int = 200) -> list[str]:
    """Parts of the fixture corpus and, if available, of the shared corpora."""
    chosen = random.Random(1)
    files = [FIXTURES / "corpus.txt", *sorted((SHARED / "corpora").glob("*.txt"))]
    texts = []
    for file in files:
        text = file.read_text("utf-8")[:2_000_000]
        for _ in range(count):
            start = chosen.randrange(len(text))
            texts.append(text[start : start + chosen.randrange(1, 2000)])
    return texts


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return hard_texts() + corpus_texts()


def assert_same_ids(ours, theirs: Tokenizer, texts: list[str]) -> None:
    for text in texts:
        want = theirs.encode(text, add_special_tokens=False).ids
        assert ours.encode(text, allowed_special="all") == want, repr(text[:80])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ranks_are_written_for_tokenizers(pattern, texts, tmp_path):
    path = FIXTURES / "golden" / f"{pattern}.tiktoken"
    ours = tokenizer_py.Tokenizer.from_file(path, pattern=pattern)
    ours.save(tmp_path / "tokenizer.json")
    theirs = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert_same_ids(ours, theirs, texts)
    for text in texts[:200]:
        assert theirs.decode(theirs.encode(text).ids) == text


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_written_file_is_the_one_tokenizers_would_save(pattern, tmp_path):
    path = FIXTURES / "golden" / f"{pattern}.tiktoken"
    tokenizer_py.Tokenizer.from_file(path, pattern=pattern).save(tmp_path / "ours.json")
    Tokenizer.from_file(str(tmp_path / "ours.json")).save(str(tmp_path / "theirs.json"))
    assert (tmp_path / "ours.json").read_bytes() == (tmp_path / "theirs.json").read_bytes()


def test_transformers_reads_a_written_file(texts, tmp_path):
    import transformers

    with pytest.warns(UserWarning, match="read as GPT-2's"):
        ours = tokenizer_py.Tokenizer.from_file(FIXTURES / "gpt2_style" / "vocab.json")
    ours.save(tmp_path / "tokenizer.json")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    for text in [*texts[:400], "a<|endoftext|> <|endoftext|>b"]:
        want = theirs.encode(text, add_special_tokens=False)
        assert ours.encode(text, allowed_special="all") == want, repr(text[:80])


def byte_level(use_regex: bool):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


@pytest.mark.parametrize("normalizer", [None, normalizers.NFC()])
@pytest.mark.parametrize(
    "pre_tokenizer",
    [
        byte_level(True),
        byte_level(False),
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(r"\p{N}{1,3}+"), "isolated"),
                pre_tokenizers.Split("the", "isolated"),
                byte_level(True),
            ]
        ),
        pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(r" ?\p{L}+|\s+$"), "isolated"), byte_level(False)]
        ),
        pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(r"\p{L}+"), "removed", invert=True), byte_level(False)]
        ),
    ],
)
def test_a_file_of_tokenizers_is_read(normalizer, pre_tokenizer, texts, tmp_path):
    theirs = Tokenizer(models.BPE())
    if normalizer is not None:
        theirs.normalizer = normalizer
    theirs.pre_tokenizer = pre_tokenizer
    theirs.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "</s>"],
        show_progress=False,
    )
    lines = (FIXTURES / "corpus.txt").read_text("utf-8").splitlines()
    theirs.train_from_iterator(lines, trainer)
    theirs.add_tokens(
        [
            AddedToken("[strip]", lstrip=True, rstrip=True, normalized=False),
            AddedToken("word", single_word=True, normalized=True),
            AddedToken("e\u0301 \u00e9", normalized=True, special=True),
        ]
    )
    theirs.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", theirs.token_to_id("<s>"))]
    )
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = tokenizer_py.Tokenizer.from_file(tmp_path / "tokenizer.json")
    marked = ["a  [strip]\n b[strip]", "word words _word word.", "x e\u0301 \u00e9y <s></s>"]
    assert_same_ids(ours, theirs, [*marked, *texts])
    ours.save(tmp_path / "again.json")
    again = Tokenizer.from_file(str(tmp_path / "again.json"))
    for text in [*marked, *texts[:300]]:
        assert again.encode(text).ids == theirs.encode(text).ids, repr(text[:80])


BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
CLASSES = [
    r"[\w]",
    r"[^\W_]",
    r"[\p{L}&&[^\p{Han}a-f]\d]",
    r"[^(\s|[.,!?])]",
    r"[^a-z&&\S]",
    r"\w",
    r"\W",
]
SPLITS = [
    *CLASSES,
    r"\d{1,3}(?=(?:\d{3})*\b)",
    r"(?:\r?\n)+(?!\r?\n)",
    r"\b[a-z]|\w\B|\'\<",
    r" ?\p{L}+",
]


def random_step(chosen: random.Random):
    behavior = chosen.choice(BEHAVIORS)
    return chosen.choice(
        [
            lambda: pre_tokenizers.Digits(individual_digits=chosen.random() < 0.5),
            lambda: pre_tokenizers.Punctuation(behavior),
            pre_tokenizers.Whitespace,
            pre_tokenizers.WhitespaceSplit,
            lambda: pre_tokenizers.CharDelimiterSplit(chosen.choice("a -]^\u0120")),
            lambda: pre_tokenizers.Split(chosen.choice(["the", " ", "'", "]"]), behavior),
            *3 * [
                lambda: pre_tokenizers.Split(
                    Regex(chosen.choice(SPLITS)), behavior, invert=chosen.random() < 0.5
                )
            ],
        ]
    )()


def with_pre_tokenizer(pre_tokenizer: dict, path) -> Tokenizer:
    """A tokenizer with GPT-2's small vocabulary of the fixtures, written to `path`."""
    ranks = tokenizer_py.Tokenizer.from_file(FIXTURES / "golden" / "gpt2.tiktoken", pattern="gpt2")
    ranks.save(path)
    file = json.loads(path.read_text("utf-8"))
    file["pre_tokenizer"] = pre_tokenizer
    path.write_text(json.dumps(file), "utf-8")
    return Tokenizer.from_file(str(path))


def random_texts(count: int) -> list[str]:
    chosen = random.Random(7)
    characters = "abZ 0129 \t\n\r'.,!?;-_()[]$+=^`|~\u00e9\u00df\u00b2\u00bd\u0663"
    characters += "\u4e00\u3042\uff01\u3002\u060c\u200c\u200d\u00a0\u2028\u3000\U0001f389"
    characters += "\U00011de1\U00016ff5\u166d\U000111c9\u061d\u2e52\u24d0\u0120"
    texts = []
    for _ in range(count):
        some = [chosen.choice(characters) for _ in range(chosen.randrange(1, 8))]
        texts.append("".join(chosen.choice(some) for _ in range(chosen.randrange(30))))
    return texts


def test_random_steps_around_byte_level(texts, tmp_path):
    chosen = random.Random(3)
    hard = [*random_texts(400), *chosen.sample(texts, 60)]
    for _ in range(100):
        before = [random_step(chosen) for _ in range(chosen.randrange(4))]
        after = [random_step(chosen) for _ in range(chosen.choice([0, 0, 1, 2]))]
        steps = pre_tokenizers.Sequence([*before, byte_level(chosen.random() < 0.4), *after])
        model = Tokenizer(models.BPE())
        model.pre_tokenizer = steps
        component = json.loads(model.to_str())["pre_tokenizer"]
        theirs = with_pre_tokenizer(component, tmp_path / "tokenizer.json")
        ours = tokenizer_py.Tokenizer.from_file(tmp_path / "tokenizer.json")
        assert_same_ids(ours, theirs, hard)
        ours.save(tmp_path / "again.json")
        again = Tokenizer.from_file(str(tmp_path / "again.json"))
        for text in hard[:100]:
            assert again.encode(text).ids == theirs.encode(text).ids, (component, text[:80])


def test_classes_have_the_same_characters(tmp_path):
    every = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    # Shorter runs than those of all characters, which would be one slow piece each.
    text = "".join(f"{every[at : at + 7]}a " for at in range(0, len(every), 7))
    components = [{"type": "Digits", "individual_digits": False}, {"type": "Punctuation"}]
    components += [{"type": "Whitespace"}, {"type": "WhitespaceSplit"}]
    split = {"type": "Split", "behavior": "Isolated", "invert": False}
    sources = [*CLASSES, r"\ba", r"a\b"]
    components += [{**split, "pattern": {"Regex": source}} for source in sources]
    byte = {"type": "ByteLevel", "use_regex": False}
    byte |= {"add_prefix_space": False, "trim_offsets": True}
    for component in components:
        sequence = {"type": "Sequence", "pretokenizers": [component, byte]}
        theirs = with_pre_tokenizer(sequence, tmp_path / "tokenizer.json")
        ours = tokenizer_py.Tokenizer.from_file(tmp_path / "tokenizer.json")
        got = ours.encode(text, allowed_special="all")
        assert got == theirs.encode(text, add_special_tokens=False).ids, component


def test_published_chains(texts, tmp_path):
    chains = json.loads(shared("chains.json").read_text("utf-8"))
    read = 0
    for chain in chains:
        if "true" in json.dumps(chain["pre_tokenizer"]).split("add_prefix_space")[-1][:8]:
            continue
        theirs = with_pre_tokenizer(chain["pre_tokenizer"], tmp_path / "tokenizer.json")
        ours = tokenizer_py.Tokenizer.from_file(tmp_path / "tokenizer.json")
        assert_same_ids(ours, theirs, [*random_texts(300), *texts])
        read += 1
    assert read >= 18


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_are_read_and_written(name, texts, tmp_path):
    path = shared("vocabs", name, "tokenizer.json")
    theirs = Tokenizer.from_file(str(path))
    ours = tokenizer_py.Tokenizer.from_file(path)
    assert_same_ids(ours, theirs, texts)
    ours.save(tmp_path / "tokenizer.json")
    again = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in texts[:500]:
        assert again.encode(text).ids == theirs.encode(text).ids, repr(text[:80])


# Affixes of tokens, as in CLIP's file.


def with_affixes(prefix, suffix, byte_level, unknown, fuse) -> Tokenizer:
    """A small vocabulary trained by ``tokenizers`` with affixes. Some symbols are not tokens."""
    chosen = {"continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
    affixes = {name: affix for name, affix in chosen.items() if affix}
    theirs = Tokenizer(models.BPE(unk_token=unknown, fuse_unk=fuse, **affixes))
    replaced = [decoders.Replace("\u2581", " "), decoders.Fuse()]
    if byte_level:
        theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        theirs.decoder = decoders.ByteLevel()
    else:
        theirs.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
        theirs.decoder = decoders.Sequence(replaced)
    special = ["<s>", *([unknown] if unknown else [])]
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=special, show_progress=False, **affixes
    )
    theirs.train_from_iterator(corpus_texts(20)[:20], trainer)
    return theirs


def clip() -> Tokenizer:
    """CLIP's pipeline over a small vocabulary."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    theirs = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    steps = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    theirs.normalizer = normalizers.Sequence(steps)
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    theirs.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    theirs.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    theirs.train_from_iterator(corpus_texts(20)[:20], trainer)
    # As in CLIP's file, every byte is a token with the suffix too.
    file = json.loads(theirs.to_str())
    vocab = file["model"]["vocab"]
    for byte in sorted(alphabet):
        vocab.setdefault(byte + "</w>", len(vocab))
    theirs = Tokenizer.from_str(json.dumps(file))
    theirs.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", theirs.token_to_id("<|endoftext|>")),
        ("<|startoftext|>", theirs.token_to_id("<|startoftext|>")),
        trim_offsets=False,
        add_prefix_space=False,
    )
    return theirs


def affix_texts() -> list[str]:
    chosen = random.Random(3)
    letters = ["a", "b", "e", "the", " ", "\n", "</w>", "##", "\u00e9", "\u4e2d", "e\u0301", "'s"]
    letters.append("<s>")
    made = ["".join(chosen.choices(letters, k=chosen.randrange(20))) for _ in range(500)]
    return [*hard_texts(), *corpus_texts(40), *made]


@pytest.mark.parametrize(
    ("prefix", "suffix"), [("", "</w>"), ("##", ""), ("##", "</w>"), ("", "e"), ("a", "th")]
)
@pytest.mark.parametrize("byte_level", [True, False])
@pytest.mark.parametrize(("unknown", "fuse"), [(None, False), ("[U]", False), ("[U]", True)])
def test_affixes_equal_tokenizers(prefix, suffix, byte_level, unknown, fuse, tmp_path):
    theirs = with_affixes(prefix, suffix, byte_level, unknown, fuse)
    assert_equal_with_affixes(theirs, tmp_path, drops=unknown is None)


def test_clip_pipeline_equals_tokenizers(tmp_path):
    theirs = clip()
    ours = assert_equal_with_affixes(theirs, tmp_path, drops=False)
    text = "A photo  of Two Cats\u2019 eyes, 1990s"
    want = theirs.encode(text)
    assert ours.encode(text, add_special_tokens=True) == want.ids


def assert_equal_with_affixes(theirs, tmp_path, *, drops):
    """Ids, offsets and decoded text, also after a round trip. If `drops`, ``tokenizers`` drops text
    without a token: there, ours is an error."""
    path = tmp_path / "theirs.json"
    theirs.save(str(path))
    ours = tokenizer_py.Tokenizer.from_file(path)
    ours.save(tmp_path / "ours.json")
    ours.save(tmp_path / "ours.bpe")
    again = [tokenizer_py.Tokenizer.from_file(tmp_path / f"ours.{end}") for end in ("json", "bpe")]
    written = Tokenizer.from_file(str(tmp_path / "ours.json"))
    # The same file with an unknown token tells which texts lack a token.
    file = json.loads(theirs.to_str())
    unknown = file["model"]["vocab"].setdefault("[U]", len(file["model"]["vocab"]))
    file["model"]["unk_token"] = "[U]"
    twin = Tokenizer.from_str(json.dumps(file))
    encoded = 0
    for text in affix_texts():
        want = theirs.encode(text, add_special_tokens=False)
        try:
            ids, offsets = ours.encode_with_offsets(text, allowed_special="all")
        except ValueError as error:
            assert drops and "no token for" in str(error)
            assert unknown in twin.encode(text, add_special_tokens=False).ids
            continue
        assert not drops or unknown not in twin.encode(text, add_special_tokens=False).ids
        encoded += 1
        assert ids == want.ids, repr(text[:80])
        assert [tuple(pair) for pair in offsets] == want.offsets, repr(text[:80])
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)
        assert written.encode(text, add_special_tokens=False).ids == ids
        for other in again:
            assert other.encode(text, allowed_special="all") == ids
    assert encoded > 20
    return ours


BERT = {"type": "BertProcessing", "sep": ["a", 1], "cls": ["b", 2]}


@pytest.mark.parametrize(
    ("part", "value", "named"),
    [
        ("normalizer", {"type": "Nmt"}, "Nmt"),
        ("pre_tokenizer", {"type": "BertPreTokenizer"}, "BertPreTokenizer"),
        ("post_processor", {"type": "Sequence", "processors": [BERT, BERT]}, "second"),
        ("decoder", {"type": "CTC", "pad_token": "a", "word_delimiter_token": "b", "cleanup": True}, "CTC"),
        ("truncation", [1], "truncation"),
        ("model", {"type": "Unigram", "vocab": [], "unk_id": 0}, "Unigram"),
    ],
)
def test_what_is_not_supported_is_named(part, value, named, tmp_path):
    path = FIXTURES / "golden" / "gpt2.tiktoken"
    tokenizer_py.Tokenizer.from_file(path, pattern="gpt2").save(tmp_path / "tokenizer.json")
    file = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    file[part] = value
    (tmp_path / "tokenizer.json").write_text(json.dumps(file), "utf-8")
    with pytest.raises(ValueError, match=named):
        tokenizer_py.Tokenizer.from_file(tmp_path / "tokenizer.json")
