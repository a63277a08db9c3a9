"""nanochat's tokenizer class on the original packages and on this one."""

from __future__ import annotations

import pickle

import pytest
import rustbpe
import tiktoken
from conftest import PATTERNS, documents

import tokenizer_py
import tokenizer_py.pickles

SPECIALS = ["<|bos|>"] + [
    f"<|{name}_{end}|>"
    for name in ("user", "assistant", "python", "output")
    for end in ("start", "end")
]
STACKS = {
    "packages": (rustbpe, tiktoken),
    "ours": (tokenizer_py.rustbpe, tokenizer_py.tiktoken),
}


class ChatTokenizer:
    def __init__(self, enc, bos):
        self.enc = enc
        self.bos = enc.encode_single_token(bos)

    @classmethod
    def train(cls, stack, texts, vocab_size):
        trainer_module, encoding_module = stack
        trainer = trainer_module.Tokenizer()
        size = vocab_size - len(SPECIALS)
        trainer.train_from_iterator(texts, size, pattern=PATTERNS["nanochat"])
        ranks = {bytes(token): rank for token, rank in trainer.get_mergeable_ranks()}
        enc = encoding_module.Encoding(
            name="rustbpe",
            pat_str=trainer.get_pattern(),
            mergeable_ranks=ranks,
            special_tokens={name: len(ranks) + i for i, name in enumerate(SPECIALS)},
        )
        return cls(enc, "<|bos|>")

    def save(self, path):
        with open(path, "wb") as file:
            pickle.dump(self.enc, file)

    @classmethod
    def load(cls, path):
        with open(path, "rb") as file:
            return cls(pickle.load(file), "<|bos|>")

    def encode(self, text, prepend=None, append=None, num_threads=8):
        if isinstance(text, str):
            ids = self.enc.encode_ordinary(text)
            if prepend is not None:
                ids.insert(0, prepend)
            if append is not None:
                ids.append(append)
            return ids
        ids = self.enc.encode_ordinary_batch(text, num_threads=num_threads)
        for row in ids:
            if prepend is not None:
                row.insert(0, prepend)
        return ids


@pytest.fixture(scope="module")
def both(corpus, tmp_path_factory):
    made = []
    for name, stack in STACKS.items():
        texts = (text[:10_000] for text in documents(corpus))
        path = tmp_path_factory.mktemp(name) / "tokenizer.pkl"
        ChatTokenizer.train(stack, texts, 2000).save(path)
        made.append(ChatTokenizer.load(path))
    return made


def test_the_vocabularies_are_equal(both):
    one, two = (chat.enc for chat in both)
    assert one.n_vocab == two.n_vocab == 2000
    assert one.special_tokens_set == two.special_tokens_set == set(SPECIALS)
    for token in range(one.n_vocab):
        assert one.decode_single_token_bytes(token) == two.decode_single_token_bytes(token)
        assert one.is_special_token(token) == two.is_special_token(token)
    for name in SPECIALS:
        assert one.encode_single_token(name) == two.encode_single_token(name)


def test_the_ids_are_equal(both, corpus):
    texts = documents(corpus, 1000)
    rows = [chat.encode(texts, prepend=chat.bos, num_threads=4) for chat in both]
    assert rows[0] == rows[1]
    assert all(row[0] == both[0].bos for row in rows[1])
    whole = [chat.encode(corpus, prepend=chat.bos, append=chat.bos) for chat in both]
    assert whole[0] == whole[1]
    assert both[1].enc.decode(whole[1][1:-1]) == corpus


def test_a_conversation(both):
    rows = []
    for chat in both:
        special = chat.enc.encode_single_token
        ids = [chat.bos, special("<|user_start|>"), *chat.encode("Hi, 12345!"), special("<|user_end|>")]
        rows.append((ids, chat.enc.decode(ids)))
    assert rows[0] == rows[1]
    assert rows[1][1] == "<|bos|><|user_start|>Hi, 12345!<|user_end|>"


def test_special_tokens_in_text_are_text(both):
    text = "<|bos|> and <|user_start|>"
    assert both[0].encode(text) == both[1].encode(text)
    assert both[1].bos not in both[1].encode(text)


def test_token_bytes(both):
    """The lengths in bytes, and 0 for special tokens, computed as in nanochat."""
    theirs, ours = (chat.enc for chat in both)
    native = tokenizer_py.Tokenizer.from_tiktoken(ours)
    for encoding in (theirs, ours):
        lengths = [
            0 if encoding.is_special_token(id) else len(encoding.decode_single_token_bytes(id))
            for id in range(encoding.n_vocab)
        ]
        assert native.token_bytes().tolist() == lengths
    # Part of a character counts as one byte, not as the three bytes of U+FFFD.
    assert lengths[128:256] == [1] * 128


def test_token_bytes_as_text(both):
    """Computed as in nanochat before July 2026."""
    theirs, ours = (chat.enc for chat in both)
    strings = [theirs.decode([id]) for id in range(theirs.n_vocab)]
    lengths = [0 if text in SPECIALS else len(text.encode()) for text in strings]
    native = tokenizer_py.Tokenizer.from_tiktoken(ours)
    assert native.token_bytes(as_text=True).tolist() == lengths


def test_an_existing_checkpoint_is_converted(both, tmp_path, corpus):
    """A pickle written with the originals, converted in place and loaded as in nanochat."""
    path = tmp_path / "tokenizer.pkl"
    both[0].save(path)
    tokenizer_py.pickles.main([str(path), str(path)])
    taken = ChatTokenizer.load(path)
    assert type(taken.enc) is tokenizer_py.tiktoken.Encoding
    assert taken.encode(corpus) == both[0].encode(corpus)
    assert taken.bos == both[0].bos


def test_the_native_class(both, corpus):
    """The native class replaces nanochat's in single calls."""
    texts = [text[:10_000] for text in documents(corpus)]
    native = tokenizer_py.Tokenizer.train(
        iterator=texts, vocab_size=2000, pattern="nanochat", special_tokens=SPECIALS
    )
    theirs = both[0]
    assert native.vocab == theirs.enc._mergeable_ranks
    assert native.special_tokens == theirs.enc._special_tokens
    rows = theirs.encode(texts, prepend=theirs.bos)
    assert native.encode_batch(texts, threads=2, prepend="<|bos|>") == rows
    matrix, lengths = native.encode_padded(texts, "<|bos|>", 64, prepend="<|bos|>")
    for row, length, want in zip(matrix, lengths, rows):
        assert row.tolist() == (want + [theirs.bos] * 64)[:64]
        assert length == min(len(want), 64)
