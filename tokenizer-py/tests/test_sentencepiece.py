"""SentencePiece models: ids, offsets and decoded text as in `sentencepiece`, ids as in `tokenizers` when converted."""

from __future__ import annotations

import io
import random
import subprocess
from pathlib import Path

import mistral_common
import pytest
import sentencepiece
from conftest import FIXTURES, hard_cases, shared
from tokenizers import Tokenizer as Peer

import tokenizer_py

MODELS = sorted((FIXTURES / "sentencepiece").glob("*.model"))
PARTS = (
    ["<s>", "</s>", "<unk>", "[INST]", "<sep>", "\u2581", "\u2581\u2581", " ", "  ", "   ", "\n", "\n\n", "\t"]
    + ["a", "b", "the", "ing", "of", "1", "23", "\u4e2d", "\u4e00", "\U0001f600", "\u00e9", "e\u0301", "\u0378"]
    + ["<0x41>", "\ufffd", "\u00a0", "\u3000", "x", "[REF]", "</", "\0", "\r\n", "."]
)
USER_DEFINED = ["<sep>", "<sep><sep>", "ing", "\n", "\n\n", "\u2581\u2581", "[REF]", "e", "\u2581of", "<0x>"]


def both(model: bytes, folder: Path):
    path = folder / "any.name"
    path.write_bytes(model)
    peer = sentencepiece.SentencePieceProcessor(model_proto=model)
    return tokenizer_py.Tokenizer.from_file(path), peer


def random_texts(chosen: random.Random, count: int) -> list[str]:
    return ["".join(chosen.choices(PARTS, k=chosen.choice([1, 2, 3, 5, 9, 20]))) for _ in range(count)]


def assert_same(ours, peer, texts: list[str]) -> None:
    # A run of U+2581 in a text that is a user-defined piece has one range in `sentencepiece`, even if the
    # normalized text is divided in another way.
    defined = [token.content for token in ours.added_tokens if not token.special]
    has_exact_ranges = not any("\u2581" in piece for piece in defined)
    for text in texts:
        pieces = peer.encode(text, return_type="proto").pieces
        ids = [piece.id for piece in pieces]
        # Of bytes, the ranges are in bytes.
        found_ids, ranges = ours.encode_with_offsets(text.encode())
        assert found_ids == ids, repr(text)
        for piece, found in zip(pieces, ranges, strict=True):
            if has_exact_ranges and not peer.is_byte(piece.id):
                assert found == (piece.begin, piece.end), repr(text)
        assert ours.decode(ids) == peer.decode(ids), repr(text)


def assert_decodes(ours, peer, chosen: random.Random, count: int) -> None:
    for _ in range(count):
        most = chosen.choice([280, peer.get_piece_size()])
        ids = [chosen.randrange(min(most, peer.get_piece_size())) for _ in range(chosen.randint(0, 12))]
        # `decode` replaces invalid UTF-8 as Python does: a whole sequence, where `sentencepiece` replaces each byte.
        stream = ours.decode_stream()
        decoded = "".join(map(stream.push, ids)) + stream.finish()
        assert decoded == peer.decode(ids), ids


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_ids_offsets_and_text_are_those_of_sentencepiece(path, tmp_path):
    chosen = random.Random(path.stem)
    ours, peer = both(path.read_bytes(), tmp_path)
    assert_same(ours, peer, hard_cases() + random_texts(chosen, 3000))
    assert_decodes(ours, peer, chosen, 3000)


def random_options(chosen: random.Random) -> dict:
    return {
        "vocab_size": chosen.choice([1200, 2000]),
        "byte_fallback": chosen.random() < 0.5,
        "add_dummy_prefix": chosen.random() < 0.6,
        "remove_extra_whitespaces": chosen.random() < 0.5,
        "split_digits": chosen.random() < 0.5,
        "split_by_whitespace": chosen.random() < 0.7,
        "split_by_unicode_script": chosen.random() < 0.7,
        "allow_whitespace_only_pieces": chosen.random() < 0.5,
        "character_coverage": chosen.choice([0.98, 0.99, 0.9995]),
        "max_sentencepiece_length": chosen.choice([4, 16, 30]),
        "user_defined_symbols": chosen.sample(USER_DEFINED, chosen.randint(0, 5)),
        "control_symbols": chosen.sample(["[INST]", "<a>"], chosen.randint(0, 2)),
        "unk_surface": chosen.choice([" \u2047 ", "?", "\u2581u"]),
    }


def trained(options: dict, corpus: str) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for line in corpus.split("\n") if line),
        model_writer=model,
        model_type="bpe",
        normalization_rule_name="identity",
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    return model.getvalue()


def test_models_with_random_options(corpus, tmp_path, program):
    chosen = random.Random(7)
    for _ in range(12):
        options = random_options(chosen)
        ours, peer = both(trained(options, corpus), tmp_path)
        texts = random_texts(chosen, 500) + [corpus[start : start + 300] for start in range(0, 60000, 6000)]
        assert_same(ours, peer, texts)
        assert_decodes(ours, peer, chosen, 300)
        command = [program, "convert", "any.name", "-o", "tokenizer.json", "-q"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        if done.returncode:
            # Without a prefix of texts, user-defined pieces are added tokens of `tokenizers`, too.
            assert options["add_dummy_prefix"] and options["user_defined_symbols"], done.stderr
            assert "U+2581" in done.stderr
            continue
        converted = Peer.from_file(str(tmp_path / "tokenizer.json"))
        converted.encode_special_tokens = True
        for text in texts:
            assert converted.encode(text, add_special_tokens=False).ids == peer.encode(text), repr(text)


def test_mistrals_models(tmp_path):
    chosen = random.Random(3)
    paths = sorted((Path(mistral_common.__file__).parent / "data").glob("*.model.*"))
    assert len(paths) >= 4
    long = shared("corpora", "english_prose.txt").read_bytes()[:100_000].decode("utf-8", "ignore")
    for path in paths:
        ours = tokenizer_py.Tokenizer.from_file(path)
        peer = sentencepiece.SentencePieceProcessor(model_file=str(path))
        assert_same(ours, peer, [*hard_cases(), long, *random_texts(chosen, 2000)])
        assert_decodes(ours, peer, chosen, 1000)


def test_other_models_are_refused_by_name(corpus, tmp_path):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus.split("\n")[:400]),
        model_writer=model,
        vocab_size=900,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(ValueError, match="unsupported model_type UNIGRAM"):
        both(model.getvalue(), tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(MODELS[0].read_bytes())
    with pytest.raises(ValueError, match="no tokenizer.json"):
        tokenizer_py.Tokenizer.from_pretrained(tmp_path)
