"""``train --tie-break huggingface`` learns the vocabulary and merges of ``BpeTrainer``."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest
from conftest import FIXTURES, read_text, shared
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import tokenizer_py


class Case:
    """A folder with documents for both trainers."""

    def __init__(self, program: str, folder: Path, texts: list[str]) -> None:
        self.program, self.folder, self.texts = program, folder, texts
        self.names = []
        for number, text in enumerate(texts):
            path = folder / f"{number}.txt"
            path.write_bytes(text.encode())
            self.names.append(path.name)

    def ours(self, vocab_size, pattern="gpt2", specials=(), **options):
        arguments = [f"--vocab-size={vocab_size}", f"--pattern={pattern}"]
        arguments += [f"--special={special}" for special in specials]
        arguments += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        command = [self.program, "train", *self.names, "-o", "tokenizer.json", "-q"]
        done = subprocess.run(
            [*command, "--tie-break=huggingface", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Tokenizer.from_file(str(self.folder / "tokenizer.json"))

    def theirs(self, vocab_size, pre_tokenizer, specials=(), **options):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizer
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=list(specials),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
            **options,
        )
        tokenizer.train_from_iterator(self.texts, trainer)
        return tokenizer

    def assert_same(self, vocab_size, max_token_bytes=None, **options):
        limit = {} if max_token_bytes is None else {"max_token_bytes": max_token_bytes}
        ours = self.ours(vocab_size, **limit, **options)
        options.pop("pattern", None)
        if max_token_bytes is not None:
            # The original's limit is exclusive.
            options["max_token_length"] = max_token_bytes + 1
        theirs = self.theirs(vocab_size, ours.pre_tokenizer, **options)
        one, two = model(ours), model(theirs)
        assert one["merges"] == two["merges"]
        assert one["vocab"] == two["vocab"]
        assert ours.get_vocab() == theirs.get_vocab()
        added = json.loads(theirs.to_str())["added_tokens"]
        assert json.loads(ours.to_str())["added_tokens"] == added
        return one


def model(tokenizer: Tokenizer) -> dict:
    return json.loads(tokenizer.to_str())["model"]


@pytest.fixture
def case(program, tmp_path):
    return lambda texts: Case(program, tmp_path, texts)


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k", "nanochat"])
def test_patterns(case, corpus, pattern):
    case([corpus]).assert_same(3000, pattern=pattern)


@pytest.mark.parametrize("max_token_bytes", [None, 1, 2, 3, 5, 16])
@pytest.mark.parametrize("min_frequency", [0, 2, 20])
@pytest.mark.parametrize("specials", [[], ["<|bos|>", "<|eos|>"]])
def test_options(case, corpus, max_token_bytes, min_frequency, specials):
    made = case([corpus[:60_000], corpus[60_000:90_000]]).assert_same(
        1500, max_token_bytes=max_token_bytes, min_frequency=min_frequency, specials=specials
    )
    assert list(made["vocab"].values())[: len(specials)] == list(range(len(specials)))


@pytest.mark.parametrize(
    ("name", "size", "vocab_size"),
    [
        ("english_prose.txt", 3_000_000, 16384),
        ("multilingual.txt", 3_000_000, 16384),
        ("web_mix.txt", 2_000_000, 8192),
    ],
)
def test_shared_corpora(case, name, size, vocab_size):
    text = shared("corpora", name).read_bytes()[:size].decode("utf-8", "ignore")
    specials = ["<|endoftext|>"]
    case([text]).assert_same(vocab_size, pattern="cl100k", specials=specials, min_frequency=2)


def test_source_code(case):
    """Runs of spaces, dashes and digits, more than prose has."""
    files = sorted(Path(json.__file__).parent.parent.glob("*.py"))[:60]
    texts = [file.read_bytes().decode("utf-8", "ignore") for file in files]
    case(texts).assert_same(6000, pattern="cl100k", specials=["<s>"])


def few_letters(seed: int) -> list[str]:
    """Few letters in few words: many ties and runs."""
    chosen = random.Random(seed)
    letters = chosen.choice(["ab", "aaaab", "abc", "a\u00e9\u6771", "-=", "  \n", "a"])
    word = lambda: "".join(chosen.choices(letters, k=chosen.randrange(1, 40)))  # noqa: E731
    return [" ".join(word() for _ in range(chosen.randrange(1, 20))) for _ in range(3)]


@pytest.mark.parametrize("start", range(0, 400, 40))
def test_few_letters(case, start):
    for seed in range(start, start + 40):
        chosen = random.Random(seed)
        case(few_letters(seed)).assert_same(
            chosen.choice([270, 300, 400]),
            pattern=chosen.choice(["gpt2", r"[\s\S]+", "cl100k"]),
            max_token_bytes=chosen.choice([None, None, 2, 3, 4, 7]),
            min_frequency=chosen.choice([0, 1, 2, 3]),
            specials=chosen.choice([[], ["<s>"], ["<s>", "<", ">"]]),
        )


def test_a_special_token_that_is_a_byte(case):
    made = case(["abab abba"]).assert_same(270, specials=["<s>", "b", "a"])
    assert (made["vocab"]["b"], made["vocab"]["a"], made["vocab"]["!"]) == (1, 2, 3)


def test_a_special_token_that_is_learned_is_refused(case):
    """The special token and the byte share an id."""
    one = case(["user users user used"] * 3)
    with pytest.raises(AssertionError, match='special token "user" was also learned as an ordinary token'):
        one.ours(280, specials=["<s>", "user"])
    pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs = model(one.theirs(280, pre_tokenizer, specials=["<s>", "user"]))
    assert theirs["vocab"]["user"] == 1 and ["use", "r"] in theirs["merges"]


def test_a_special_token_that_spells_another_byte_is_refused(case):
    """In the byte-level alphabet, the letter \u00e9 represents the byte E9."""
    with pytest.raises(AssertionError, match='special token "\u00e9" would share id 0'):
        case(["abc"]).ours(300, specials=["\u00e9"])


def test_a_limit_of_one_byte_is_one_of_two(case):
    """BpeTrainer does not check the length of pairs of bytes."""
    made = case(["abab abab"]).assert_same(300, max_token_bytes=1)
    assert made["merges"] == [["a", "b"]]


WORDS = ["a", "aa", "ab", "0", "00", "0a", "\u00e9", "\u6771", " ", "<s>", "0-0", "a0a0"]


def random_case(seed: int):
    """Documents, special tokens and options for edge cases."""
    chosen = random.Random(seed)
    texts = [
        " ".join("".join(chosen.choices(WORDS, k=chosen.randrange(1, 8))) for _ in range(8))
        for _ in range(chosen.randrange(1, 5))
    ]
    # One printable byte, several, with spaces, and outside the byte-level alphabet.
    specials = ["<s>", "0", "a", "-", "<", "~~", "[PAD]", "a b", " ", "\u6771", "\t"]
    return {
        "texts": texts,
        "specials": chosen.sample(specials, chosen.choice([0, 1, 1, 2, 5])),
        "more": chosen.choice([0, 1, 2, 3, 10, 60, 500]),
        "max_token_length": chosen.choice([None, 1, 2, 3, 4, 5, 6]),
        "min_frequency": chosen.choice([0, 1, 2, 3]),
    }


def learned(texts, specials, vocab_size, max_token_length, min_frequency):
    limit = None if max_token_length is None else max_token_length - 1
    ours = tokenizer_py.Tokenizer.train(
        iterator=texts,
        vocab_size=vocab_size,
        pattern="gpt2",
        special_tokens=specials,
        max_token_bytes=limit,
        min_frequency=min_frequency,
        tie_break="huggingface",
    )
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=specials,
        max_token_length=max_token_length,
        min_frequency=min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    theirs.train_from_iterator(texts, trainer)
    return ours, theirs


@pytest.mark.parametrize("start", range(0, 600, 100))
def test_vocabularies_of_random_cases(start, tmp_path):
    for seed in range(start, start + 100):
        drawn = random_case(seed)
        shared_bytes = sum(len(token) == 1 and "!" <= token <= "~" for token in drawn["specials"])
        least = 256 + len(drawn["specials"]) - shared_bytes
        ours, theirs = learned(
            drawn["texts"],
            drawn["specials"],
            least + drawn["more"],
            drawn["max_token_length"],
            drawn["min_frequency"],
        )
        ours.save(tmp_path / "tokenizer.json")
        one = model(Tokenizer.from_file(str(tmp_path / "tokenizer.json")))
        two = model(theirs)
        assert one["merges"] == two["merges"], seed
        vocab = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab()
        assert vocab == theirs.get_vocab(), seed
        assert ours.vocab_size == theirs.get_vocab_size()


def test_a_special_token_of_one_byte_is_counted_once():
    ours, theirs = learned(["low lower lowest"] * 3, ["0"], 260, None, 1)
    assert ours.vocab_size == theirs.get_vocab_size() == 260
    assert ours.special_tokens == {"0": 0}


def test_a_vocabulary_has_room_for_the_bytes_and_the_special_tokens():
    """BpeTrainer accepts a vocabulary size that is too small for them; this package refuses it."""
    for specials, least in ([], 256), (["0"], 256), (["<s>", "0", "\u6771"], 258):
        ours, theirs = learned(["ab ab"], specials, least, None, 1)
        assert ours.vocab_size == theirs.get_vocab_size() == least
        with pytest.raises(ValueError, match=f"must be from {least} "):
            learned(["ab ab"], specials, least - 1, None, 1)
