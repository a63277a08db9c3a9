"""Random ``tokenizer.json`` files: equal to ``tokenizers`` in all that they return, or refused by name.

``GENERATED_FILES`` and ``GENERATED_TEXTS`` set the number of files and of random texts for each;
``GENERATED_CORPUS`` the number of characters of each corpus.
"""

from __future__ import annotations

import collections
import functools
import json
import os
import random
import re

import pytest
import tokenizers
from conftest import FIXTURES, SHARED
from generated_files import random_file, random_text

from tokenizer_py import Tokenizer

FILES = int(os.environ.get("GENERATED_FILES", "300"))
FIRST = int(os.environ.get("GENERATED_FIRST", "0"))
TEXTS = int(os.environ.get("GENERATED_TEXTS", "30"))
CORPUS = int(os.environ.get("GENERATED_CORPUS", "0"))
DROPPED = "\U0010fffe is not a token"
NAMED = ["normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens", "model", "regex ", "special token", "merge "]


@functools.lru_cache(maxsize=None)
def words() -> list[str]:
    """Words of the corpus with the white space before them."""
    text = (FIXTURES / "corpus.txt").read_text("utf-8")
    return sorted(set(re.findall(r"\s*\S+", text)))


@functools.lru_cache(maxsize=None)
def corpora() -> list[str]:
    """The beginning of each corpus; adversarial ones are short, since `tokenizers` takes quadratic time."""
    paths = [FIXTURES / "corpus.txt", *sorted((SHARED / "corpora").rglob("*.txt"))] if CORPUS else []
    sizes = [20_000 if "adversarial" in str(path) else CORPUS for path in paths]
    return [path.read_text("utf-8", errors="replace")[:size] for path, size in zip(paths, sizes)]


class Peer:
    """What ``tokenizers`` returns for a file."""

    def __init__(self, file: dict):
        self.tokenizer = tokenizers.Tokenizer.from_str(json.dumps(file))
        self.twin = None
        unknown = file["model"]["unk_token"]
        # A named token that is not in the vocabulary is an error of `tokenizers` for each text that needs it.
        if unknown is None:
            model = {**file["model"], "unk_token": DROPPED}
            self.dropped = max(model["vocab"].values()) + len(file["added_tokens"]) + 1000
            model["vocab"] = {**model["vocab"], DROPPED: self.dropped}
            twin = {**file, "model": model, "post_processor": None}
            self.twin = tokenizers.Tokenizer.from_str(json.dumps(twin))

    def encode(self, text: str, special: bool = True):
        """The encoding of a text; the index of the first character that is dropped; or the message of an
        error: `tokenizers` panics on white-space tokens that overlap stripped white space."""
        for tokenizer in (self.tokenizer, self.twin):
            if tokenizer is not None:
                tokenizer.encode_special_tokens = not special
        try:
            if self.twin is not None:
                encoding = self.twin.encode(text, add_special_tokens=False)
                if self.dropped in encoding.ids:
                    return Dropped(encoding.offsets[encoding.ids.index(self.dropped)][0])
            return self.tokenizer.encode(text, add_special_tokens=False)
        except BaseException as error:  # noqa: BLE001
            if type(error).__name__ not in ("PanicException", "Exception"):
                raise
            return str(error)


class Dropped(int):
    """The index of the first character without a token."""


def result(text: str, call):
    """The result of a call, or the place in its error."""
    try:
        return call()
    except ValueError as error:
        found = re.search(r"no token for .* at byte (\d+)", str(error), re.DOTALL)
        if not found:
            raise
        return Dropped(len(text.encode()[: int(found[1])].decode(errors="ignore")))


def stream(ours: Tokenizer, chunks, allowed) -> list[int]:
    made = ours.encode_stream(allowed_special=allowed)
    return [id for chunk in chunks for id in made.push(chunk)] + made.finish()


def check_text(ours: Tokenizer, peer: Peer, file: dict, text: str, chosen: random.Random) -> str:
    """Compares everything about a text. Returns the kind of result."""
    want = peer.encode(text)
    got = result(text, lambda: ours.encode_with_offsets(text, allowed_special="all"))
    if isinstance(want, str):
        # With a missing unknown token, both fail; otherwise `tokenizers` panicked on valid text.
        assert isinstance(got, Dropped) or "UnkToken" not in want, (want, got)
        return "error" if "UnkToken" in want else "panic"
    if isinstance(want, Dropped):
        # Tokens of byte fallback overtake the unknown token, and its offsets are theirs.
        assert isinstance(got, Dropped) and (got == want or file["model"]["byte_fallback"]), (got, want)
        streamed = functools.partial(stream, ours, [text[: got // 2], text[got // 2 :]], "all")
        for call in (ours.encode, ours.count, ours.encode_numpy):
            assert result(text, lambda: call(text, allowed_special="all")) == got
        assert result(text, lambda: ours.encode_batch(["", text], 2, allowed_special="all")) == got
        if "NFC" not in json.dumps(file["normalizer"]):
            assert result(text, streamed) == got
        return "dropped"
    assert got == (want.ids, want.offsets), (got, want.ids, want.offsets)
    check_decoding(ours, peer, file, want.ids)
    return "equal"


def check_decoding(ours: Tokenizer, peer: Peer, file: dict, ids: list[int]) -> None:
    for skip in (False, True):
        try:
            want = peer.tokenizer.decode(ids, skip_special_tokens=skip)
        except BaseException as error:  # noqa: BLE001
            # `Strip` of more characters than a token has.
            if type(error).__name__ != "PanicException" or '"Strip"' not in json.dumps(file["decoder"]):
                raise
            continue
        got = ours.decode(ids, skip_special_tokens=skip)
        assert got == want, (ids, skip, got, want)
        decoder = ours.decode_stream(skip_special_tokens=skip)
        assert "".join(decoder.push(id) for id in ids) + decoder.finish() == want, (ids, skip)


def check_calls(ours: Tokenizer, peer: Peer, text: str, chosen: random.Random) -> None:
    """Compares the other calls that return ids or numbers of ids."""
    for special, allowed in ((True, "all"), (False, ())):
        want = peer.encode(text, special)
        if not isinstance(want, tokenizers.Encoding):
            continue
        ids = want.ids
        assert ours.encode(text, allowed_special=allowed) == ids
        cut = chosen.randint(0, len(text))
        for chunks in ([text[:cut], text[cut:]], text):
            assert stream(ours, chunks, allowed) == ids, cut
        threads = chosen.randint(1, 3)
        assert ours.encode_numpy(text, threads, allowed_special=allowed).tolist() == ids
        assert ours.count(text, threads, allowed_special=allowed) == len(ids)
        assert ours.encode_batch([text] * 2, threads, allowed_special=allowed) == [ids] * 2
        if not special:
            assert ours.count_till_limit(text, len(ids)) == len(ids)
            assert not ids or ours.count_till_limit(text, len(ids) - 1) is None
            limit = chosen.randint(0, len(ids) + 1)
            beginning, count = ours.truncate(text, limit)
            assert text.startswith(beginning) and count <= limit, (beginning, count, limit)
            assert len(ours.encode(beginning)) == count, (beginning, count, limit)


def check_processing(ours: Tokenizer, peer: Peer, first: str, second: str) -> None:
    """Compares the results of the post-processor."""
    if not all(isinstance(peer.encode(text), tokenizers.Encoding) for text in (first, second)):
        return
    want = peer.tokenizer.encode(first).ids
    assert ours.encode(first, allowed_special="all", add_special_tokens=True) == want
    for add in (True, False):
        pair = peer.tokenizer.encode(first, second, add_special_tokens=add)
        got = ours.encode_pair(first, second, add_special_tokens=add, allowed_special="all")
        assert got == (pair.ids, pair.type_ids), (second, add)


def check_ids(ours: Tokenizer, peer: Peer, file: dict, chosen: random.Random) -> None:
    """Compares the ids of tokens, and the text of random ids."""
    added = peer.tokenizer.get_added_tokens_decoder()
    assert {token.id: token.content for token in ours.added_tokens} == {
        id: token.content for id, token in added.items()
    }
    known = sorted(peer.tokenizer.get_vocab().values())
    fallback = [id for token, id in file["model"]["vocab"].items() if token.startswith("<0x")]
    for _ in range(30):
        some = chosen.choice([known, known, [*added, *known[:20]], fallback or known])
        check_decoding(ours, peer, file, chosen.choices(some, k=chosen.randrange(8)))


def check_file(seed: int, tmp_path) -> collections.Counter:
    """Compares a file. Returns the number of texts by the kind of their result."""
    file = random_file(seed)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(file), "utf-8")
    try:
        ours = Tokenizer.from_file(path)
    except ValueError as error:
        message = str(error).removeprefix(str(path))
        assert "\n" not in message and any(part in message for part in NAMED), message
        try:
            tokenizers.Tokenizer.from_file(str(path))
        except Exception as refused:  # noqa: BLE001
            # It fails on added tokens that the normalizer empties.
            assert "pattern.len() must be" in str(refused), refused
        return collections.Counter([f"refused: {message[:110]}"])
    peer = Peer(file)
    chosen = random.Random(seed)
    check_ids(ours, peer, file, chosen)
    copies = [Tokenizer.from_bytes(ours.to_bytes())]
    results = collections.Counter(files=1)
    try:
        ours.save(tmp_path / "again.json")
        copies.append(Tokenizer.from_file(tmp_path / "again.json"))
        written = json.loads((tmp_path / "again.json").read_text("utf-8"))
        peer_of_written = Peer(written)
    except ValueError as error:
        assert "\n" not in str(error)
        results[f"not written: {str(error)[:110]}"] += 1
        written = None
    contents = [token["content"] for token in file["added_tokens"]]
    texts = [random_text(chosen, contents, words()) for _ in range(TEXTS)]
    previous = ""
    for number, text in enumerate([*texts, *corpora()]):
        try:
            results[check_text(ours, peer, file, text, chosen)] += 1
            if number < TEXTS and number % 3 == 0 or number == TEXTS:
                check_calls(ours, peer, text, chosen)
            if number < TEXTS and number % 5 == 0:
                check_processing(ours, peer, previous, text)
                check_processing(ours, peer, text, previous)
                for copy in copies:
                    check_text(copy, peer, file, text, chosen)
                    check_processing(copy, peer, text, previous)
                if written is not None:
                    check_text(copies[-1], peer_of_written, written, text, chosen)
        except Exception as error:
            components = {name: part for name, part in file.items() if name != "model"}
            components |= {name: v for name, v in file["model"].items() if name not in ("vocab", "merges")}
            raise AssertionError(f"seed {seed}, text {text[:200]!r}, {components}") from error
        previous = text
    return results


def test_generated_files_are_equal_or_refused_by_name(tmp_path):
    results = collections.Counter()
    for seed in range(FIRST, FIRST + FILES):
        results += check_file(seed, tmp_path)
    print(*(f"{count:8} {kind}" for kind, count in results.most_common()), sep="\n")
    # Neither refusals nor dropped text hide most of the comparison.
    texts = sum(results[kind] for kind in ("equal", "dropped", "error", "panic"))
    assert results["files"] >= 0.6 * FILES and results["equal"] >= 0.5 * texts, results
    assert results["panic"] <= 0.1 * texts, results
