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


@pytest.mark.parametrize(
    ("part", "value", "named"),
    [
        ("normalizer", {"type": "Nmt"}, "Nmt"),
        ("pre_tokenizer", {"type": "Whitespace"}, "Whitespace"),
        ("post_processor", {"type": "BertProcessing", "sep": ["a", 1], "cls": ["b", 2]}, "Bert"),
        ("decoder", {"type": "WordPiece", "prefix": "##", "cleanup": True}, "WordPiece"),
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
