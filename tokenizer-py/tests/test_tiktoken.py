"""The drop-in class for tiktoken: members, ids and exceptions."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import sys

import numpy as np
import pytest
import tiktoken as theirs
import tiktoken.load
import tokenizers
from conftest import GOLDEN, PATTERNS, golden_ranks, hard_cases, outcome

import tokenizer_py.tiktoken.load
from tokenizer_py import Tokenizer
from tokenizer_py import tiktoken as ours

SPECIALS = {"<|endoftext|>": 2048, "<|bos|>": 2060}


def make(module, pattern="cl100k", **changes):
    arguments = {
        "pat_str": PATTERNS[pattern],
        "mergeable_ranks": golden_ranks(pattern),
        "special_tokens": SPECIALS,
        **changes,
    }
    return module.Encoding("x", **arguments)


@pytest.fixture(scope="module")
def pair():
    return make(ours), make(theirs)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_golden_ids(pattern):
    specials = {"<|endoftext|>": 2048, "<|bos|>": 2049}
    encoding = make(ours, pattern, special_tokens=specials)
    for line in (GOLDEN / f"{pattern}.jsonl").read_text().splitlines():
        case = json.loads(line)
        text, ids = case["text"], case["ids"]
        special_ids = case.get("special_ids", ids)
        assert encoding.encode_ordinary(text) == ids
        assert encoding.encode(text, disallowed_special=()) == ids
        assert encoding.encode(text, allowed_special="all") == special_ids
        assert encoding.encode_to_numpy(text, allowed_special="all").tolist() == special_ids
        assert encoding.decode(ids) == encoding.decode(special_ids) == text


ATTRIBUTES = [
    "name",
    "n_vocab",
    "max_token_value",
    "special_tokens_set",
    "eot_token",
    "_pat_str",
    "_mergeable_ranks",
    "_special_tokens",
]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes(pair, name):
    assert getattr(pair[0], name) == getattr(pair[1], name)


LONE = "a\ud83d\ude00b\ud800c\udc00"
CALLS = """
repr(e)
e.token_byte_values()
e.is_special_token(2060)
e.is_special_token(2061)
e.encode("a<|bos|>", allowed_special={"<|bos|>"})
e.encode("a<|bos|>", allowed_special=frozenset({"<|bos|>"}))
e.encode("a<|bos|>", allowed_special=["<|bos|>"])
e.encode("a<|bos|>", allowed_special=["<|bos|>"], disallowed_special=())
e.encode("a<|bos|>", allowed_special=None, disallowed_special=())
e.encode("a<|bos|>", allowed_special="all", disallowed_special=["<|bos|>"])
e.encode("a<|bos|>", disallowed_special=())
e.encode("a<|bos|>", disallowed_special=None)
e.encode("a<|bos|>", disallowed_special=["zzz"])
e.encode("a<|bos|>", disallowed_special=e.special_tokens_set - {"<|bos|>"})
e.encode("azzz", allowed_special={"zzz"}, disallowed_special=())
e.encode("abc", allowed_special={3}, disallowed_special=())
e.encode("abc", disallowed_special={3})
e.encode("<|endoftext|><|bos|>x<|bos|>", allowed_special="all")
e.encode("<|endoftext|> <|bos", allowed_special={"<|bos|>"}, disallowed_special=())
e.encode(b"abc")
e.encode(None)
e.encode(["abc"])
e.encode(LONE)
e.encode_ordinary(LONE)
e.encode_ordinary("")
e.encode_ordinary(b"abc")
e.encode_ordinary(None)
e.encode_ordinary_batch(["a b", "", LONE, "c"])
e.encode_ordinary_batch(["a"] * 100, num_threads=3)
e.encode_ordinary_batch(["a"] * 100, num_threads=100_000)
e.encode_ordinary_batch("ab")
e.encode_ordinary_batch(iter(["ab"]))
e.encode_ordinary_batch([])
e.encode_ordinary_batch(["a", b"b"])
e.encode_ordinary_batch(None)
e.encode_ordinary_batch(["a"], num_threads=0)
e.encode_ordinary_batch(["a"], num_threads=-1)
e.encode_ordinary_batch(["a"], num_threads=None)
e.encode_ordinary_batch(["a"], 4)
e.encode_batch(["a b", "", LONE, "c"])
e.encode_batch(["a<|bos|>", "c"])
e.encode_batch(["a<|bos|>", LONE, "c"], allowed_special="all")
e.encode_batch(["a<|bos|>", LONE, "c"], disallowed_special=())
e.encode_batch(["a", None])
e.encode_batch(["a"], num_threads=0)
e.encode_to_numpy("a<|bos|>")
e.encode_to_numpy("a<|bos|>", allowed_special="all").tolist()
e.encode_to_numpy("").tolist()
e.encode_to_numpy("").dtype
e.encode_to_numpy(b"a")
e.encode_single_token("<|bos|>")
e.encode_single_token("he")
e.encode_single_token(b"\\xff")
e.encode_single_token("zzzzzzq")
e.encode_single_token("")
e.encode_single_token("\\ud800")
e.encode_single_token(3)
e.encode_single_token(bytearray(b"a"))
e._encode_single_piece("hello world")
e._encode_single_piece(b"hello \\xff world")
e._encode_single_piece(3)
e._encode_bytes(b"hello world")
e._encode_bytes("hello \u6f22".encode()[:-1])
e._encode_bytes(b"hello \n \n\xe6\xbc")
e._encode_bytes(b"\xff\xfe")
e._encode_bytes(b"")
e._encode_bytes("hello")
e._encode_only_native_bpe("hello world, 12 \u6f22")
e.decode([2060, 97])
e.decode([])
e.decode([2049])
e.decode([-1])
e.decode([2**32])
e.decode([1.5])
e.decode(["a"])
e.decode(None)
e.decode("abc")
e.decode(b"abc")
e.decode(iter([97]))
e.decode((97, 98))
e.decode(range(97, 100))
e.decode(np.array([97, 98]))
e.decode(np.array([97, 98], dtype=np.uint16))
e.decode(np.array([97.5]))
e.decode(np.array([-1]))
e.decode([np.uint16(97), True])
e.decode({97: 1})
e.decode({97})
e.decode([228, 255, 97])
e.decode([255], errors="strict")
e.decode([255], errors="ignore")
e.decode([255], errors="bogus")
e.decode([255], errors=None)
e.decode_bytes([228, 2060])
e.decode_bytes([9999])
e.decode_single_token_bytes(2060)
e.decode_single_token_bytes(300)
e.decode_single_token_bytes(2049)
e.decode_single_token_bytes(-1)
e.decode_single_token_bytes(2**32)
e.decode_single_token_bytes(1.5)
e.decode_single_token_bytes("a")
e.decode_tokens_bytes([97, 2060])
e.decode_tokens_bytes([97, 2061])
e.decode_with_offsets(e.encode("a\\u201cé漢字 \\U0001f600 b"))
e.decode_with_offsets([255])
e.decode_with_offsets([])
e.decode_batch([[97], [98]])
e.decode_batch([[97], [255]], errors="ignore")
e.decode_batch([[97], [-98]])
e.decode_batch([[97], [98]], num_threads=0)
e.decode_bytes_batch([[97], [255]])
e.decode_bytes_batch([[97], [9999]])
e.__getstate__()
e.no_such_name
""".strip().splitlines()


@pytest.mark.parametrize("expression", CALLS)
def test_the_same_outcome(pair, expression):
    names = {"np": np, "LONE": LONE}
    one, two = (outcome(lambda e=e: eval(expression, {"e": e, **names})) for e in pair)
    assert one == two
    assert type(one) is type(two)


@pytest.mark.parametrize("call", ["encode", "encode_to_numpy"])
def test_a_disallowed_special_token_has_tiktokens_message(pair, call):
    for text in ["a<|bos|>", "<|endoftext|><|bos|>", LONE + "<|bos|>"]:
        messages = []
        for encoding in pair:
            with pytest.raises(ValueError, match="disallowed special token") as raised:
                getattr(encoding, call)(text)
            messages.append(str(raised.value))
        assert messages[0] == messages[1]


@pytest.mark.parametrize(("call", "argument"), [("decode", [9]), ("decode_single_token_bytes", 9)])
def test_messages_of_unknown_ids(call, argument):
    ranks = {bytes([b]): b + 10 for b in range(256)}
    messages = []
    for module in (ours, theirs):
        with pytest.raises(KeyError) as raised:
            getattr(make(module, mergeable_ranks=ranks, special_tokens={}), call)(argument)
        messages.append(raised.value.args)
    assert messages[0] == messages[1]


def test_an_unknown_token_is_a_key_error_with_its_bytes(pair):
    for encoding in pair:
        with pytest.raises(KeyError) as raised:
            encoding.encode_single_token("zzzzzzq")
        assert raised.value.args == (b"zzzzzzq",)


def test_lone_surrogates_are_repaired_in_arrays_too(pair):
    assert pair[0].encode_to_numpy(LONE).tolist() == pair[1].encode(LONE)


def test_arrays_are_the_callers_own(pair):
    ids = pair[0].encode_to_numpy("hello")
    ids[0] = 7
    assert ids.flags.writeable
    assert pair[0].encode_to_numpy("hello")[0] != 7


def test_ids_are_lists_of_the_callers_own(pair):
    ids = pair[0].encode_ordinary_batch(["hello", "hello"])
    ids[0].insert(0, 2060)
    assert [2060, *ids[1]] == ids[0]


BYTES = {bytes([b]): b for b in range(256)}


@pytest.mark.parametrize(
    "changes",
    [
        {"pat_str": "("},
        {"pat_str": None},
        {"mergeable_ranks": {}},
        {"mergeable_ranks": {b"a": -1}},
        {"mergeable_ranks": {b"a": 1.5}},
        {"mergeable_ranks": {b"a": 1 << 32}},
        {"mergeable_ranks": {"a": 1}},
        {"mergeable_ranks": [(b"a", 1)]},
        {"mergeable_ranks": None},
        {"special_tokens": {b"a": 8}},
        {"special_tokens": {"a": "b"}},
        {"special_tokens": {"\ud800": 3000}},
        {"special_tokens": {"a": 2**32}},
        {"special_tokens": None},
        {"explicit_n_vocab": 5},
    ],
)
def test_the_same_refusals(changes):
    want = outcome(lambda: make(theirs, **changes))
    assert isinstance(want, type)
    assert outcome(lambda: make(ours, **changes)) is want


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mergeable_ranks": {b"a": 0}}, "single byte"),
        ({"mergeable_ranks": {**BYTES, b"ab": 97}}, "id 97"),
        ({"mergeable_ranks": {**BYTES, b"ab": 1 << 24}}, "above"),
        ({"special_tokens": {"": 9000}}, "empty"),
        ({"special_tokens": {"<s>": 65}}, "<s>"),
    ],
)
def test_invalid_tables_that_tiktoken_accepts_or_panics_on(changes, message):
    with pytest.raises(ValueError, match=message):
        make(ours, **changes)


def test_special_tokens_that_share_an_id():
    """o200k_harmony has two such tokens. In tiktoken, the decoded one depends on hash order."""
    specials = {"<|a|>": 9000, "<|c|>": 2050, "<|b|>": 9000, "<|d|>": 2050, "<|e|>": 9000}
    one, two = (make(module, special_tokens=specials) for module in (ours, theirs))
    assert one.n_vocab == two.n_vocab == 9001
    text = "x<|b|>y<|a|><|d|><|e|><|c|>"
    for allowed in ("all", {"<|b|>", "<|d|>"}, {"<|a|>"}):
        want = two.encode(text, allowed_special=allowed, disallowed_special=())
        assert one.encode(text, allowed_special=allowed, disallowed_special=()) == want
        batch = one.encode_batch([text] * 3, allowed_special=allowed, disallowed_special=())
        assert batch == [want] * 3
    assert one.encode_to_numpy(text, allowed_special="all").tolist() == one.encode(
        text, allowed_special="all"
    )
    for name, id in specials.items():
        assert one.encode_single_token(name) == id
        with pytest.raises(ValueError, match="disallowed special token"):
            one.encode(name)
    assert one.decode([2050, 9000]) == "<|c|><|a|>"
    assert one.decode_single_token_bytes(9000) == b"<|a|>"
    for unknown in range(9001, 9010):
        assert not one.is_special_token(unknown)
        for call in (one.decode_single_token_bytes, lambda id: one.decode([97, id])):
            with pytest.raises(KeyError):
                call(unknown)
    again = pickle.loads(pickle.dumps(one))
    assert again.encode(text, allowed_special="all") == one.encode(text, allowed_special="all")


def test_explicit_n_vocab():
    specials = {"<|endoftext|>": 2048}
    assert make(ours, special_tokens=specials, explicit_n_vocab=2049).n_vocab == 2049
    with pytest.raises(AssertionError):
        make(ours, explicit_n_vocab=2050)


def test_the_longest_special_token_counts():
    specials = {"<|a|>": 3000, "<|a|><|b|>": 3001, "<|a|><": 3002}
    encoding = make(ours, special_tokens=specials)
    assert encoding.encode("<|a|><|b|><|a|>", allowed_special="all") == [3001, 3000]
    assert encoding.encode("<|a|><|a|>", allowed_special="all")[0] == 3002
    with pytest.raises(ValueError, match=r"token '<\|a\|><\|b\|>'"):
        encoding.encode("x<|a|><|b|>")
    with pytest.raises(ValueError, match=r"token 'x<'"):
        encoding.encode("x<|a|><|b|>", disallowed_special=["x", "x<", "<|a|>"])


def test_the_whole_piece_comes_first_and_ranks_merge_any_split():
    for tokens in [[b"abc"], [b"bc", b"ab", b"abc"], [b"ab", b"abab", b"ababab", b"ba"]]:
        ranks = {**BYTES, **{token: 256 + n for n, token in enumerate(tokens)}}
        one, two = (
            make(module, mergeable_ranks=ranks, special_tokens={}, pat_str=r"\w+|\W+")
            for module in (ours, theirs)
        )
        for text in ["abc", "xabc", "abababababab", "ab" * 400, "a" * 700 + "bc", "bcabc"]:
            assert one.encode(text) == two.encode(text), text
            assert one._encode_single_piece(text) == two._encode_single_piece(text), text


@pytest.mark.parametrize("pattern", ["[a-z]+", r"\w+|[^\w\s]+", "."])
def test_patterns_that_leave_gaps_drop_them(pattern):
    one, two = make(ours, pat_str=pattern), make(theirs, pat_str=pattern)
    for text in hard_cases():
        assert one.encode_ordinary(text) == two.encode_ordinary(text), text


def test_an_empty_piece_has_no_ids(pair):
    """tiktoken panics in these cases."""
    assert pair[0]._encode_single_piece("") == []
    assert make(ours, pat_str="x*").encode_ordinary("axxb") == pair[0]._encode_single_piece("xx")
    assert make(ours, pat_str="(?=a)|").encode_ordinary("abc") == []


@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        *(
            lambda e, protocol=protocol: pickle.loads(pickle.dumps(e, protocol))
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_pickling_and_copying(pair, again):
    encoding = pair[0]
    other = again(encoding)
    assert other is not encoding
    assert type(other) is ours.Encoding
    for name in ATTRIBUTES:
        assert getattr(other, name) == getattr(encoding, name)
    for text in hard_cases():
        assert other.encode_ordinary(text) == encoding.encode_ordinary(text)
    assert other.encode("<|bos|>", allowed_special="all") == [2060]


def test_a_deep_copy_shares_no_dict(pair):
    deep = copy.deepcopy(pair[0])
    assert deep._mergeable_ranks is not pair[0]._mergeable_ranks
    assert copy.copy(pair[0])._mergeable_ranks is pair[0]._mergeable_ranks


def test_the_state_is_tiktokens(pair):
    """Each package can load the state pickled by the other."""
    moved = ours.Encoding.__new__(ours.Encoding)
    moved.__setstate__(pair[1].__getstate__())
    back = object.__new__(theirs.Encoding)
    back.__setstate__(pair[0].__getstate__())
    assert moved.encode_ordinary("hello world") == back.encode_ordinary("hello world")


def test_subclasses():
    class Sub(ours.Encoding):
        pass

    encoding = make(type("m", (), {"Encoding": Sub}))
    assert type(copy.copy(encoding)) is Sub
    assert type(copy.deepcopy(encoding)) is Sub


def test_a_failing_regex_raises_an_error_with_the_offset():
    encoding = make(ours, pat_str=r"(?:a|a)+(?=c)|.")
    text = "xé" + "a" * 64
    with pytest.raises(ValueError, match="byte 3"):
        encoding.encode(text)
    with pytest.raises(ValueError, match="text 2: .*byte 3"):
        encoding.encode_ordinary_batch(["a", "b", text])
    assert encoding.encode("fine")


def test_no_id_leaks_a_reference(pair):
    before = sys.getrefcount(pair[0])
    for _ in range(100):
        pair[0].encode_ordinary("hello world")
    assert sys.getrefcount(pair[0]) <= before + 1


def test_the_private_core(pair):
    """`_core_bpe` is private in tiktoken, but other libraries read it."""
    cores = [encoding._core_bpe for encoding in pair]
    public = [{name for name in dir(core) if not name.startswith("__")} for core in cores]
    assert public[1] <= public[0]
    calls = [
        lambda core: core.encode_ordinary("hello <|bos|>"),
        lambda core: core.encode_ordinary(5),
        lambda core: core.encode("hello <|bos|>", {"<|bos|>"}),
        lambda core: core.encode("hello <|bos|>", set()),
        lambda core: core.encode("hello <|bos|>", allowed_special={"<|bos|>"}),
        lambda core: core.encode("hello"),
        lambda core: bytes(memoryview(core.encode_to_tiktoken_buffer("hello", set()))),
        lambda core: np.frombuffer(core.encode_to_tiktoken_buffer("a b", set()), np.uint32).tolist(),
        lambda core: core._encode_bytes(b" hello \xe4\xb8"),
        lambda core: core.encode_with_unstable("hello fan", set())[0],
        lambda core: {tuple(ids) for ids in core.encode_with_unstable("hello fan", set())[1]},
        lambda core: core.encode_single_token(b"<|bos|>"),
        lambda core: core.encode_single_token(b"ab"),
        lambda core: core.encode_single_token(b"no token at all"),
        lambda core: core.encode_single_piece(b"helloqqqq"),
        lambda core: core.decode_bytes([104, 2060]),
        lambda core: core.decode_bytes([2055]),
        lambda core: core.decode_single_token_bytes(2060),
        lambda core: core.decode_single_token_bytes(2055),
        lambda core: core.token_byte_values(),
    ]
    for call in calls:
        ours_, theirs_ = (outcome(lambda core=core: call(core)) for core in cores)
        assert ours_ == theirs_
    assert copy.copy(pair[0])._core_bpe.encode_ordinary("hello") == pair[0].encode("hello")


def test_the_educational_class_on_our_tables(pair):
    from tiktoken import _educational as educational

    bpe = educational.SimpleBytePairEncoding(
        pat_str=pair[0]._pat_str, mergeable_ranks=pair[0]._mergeable_ranks
    )
    for text in ("hello world", "d\u00e9j\u00e0 vu, 123"):
        assert bpe.encode(text, visualise=None) == pair[0].encode(text)
        assert bpe.decode(pair[0].encode(text)) == text


# An empty token, as in Whisper's multilingual vocabulary


def whisper_file(tmp_path, pattern="gpt2"):
    """A small file in the form of Whisper's: the last token is empty and written as "="."""
    ranks = golden_ranks(pattern)
    empty = max(ranks.values()) + 1
    path = tmp_path / "multilingual.tiktoken"
    path.write_bytes((GOLDEN / f"{pattern}.tiktoken").read_bytes() + f"= {empty}\n".encode())
    return path, empty


def whisper(module, path):
    """Constructed as in whisper/tokenizer.py."""
    with open(path) as file:
        lines = (line.split() for line in file if line)
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    n_vocab = len(ranks)
    specials = {}
    for token in ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|0.00|>"]:
        specials[token] = n_vocab
        n_vocab += 1
    return module.Encoding(
        name=path.name,
        explicit_n_vocab=n_vocab,
        pat_str=PATTERNS["gpt2"],
        mergeable_ranks=ranks,
        special_tokens=specials,
    )


EMPTY_CALLS = """
(e.n_vocab, e.max_token_value, e.special_tokens_set)
e.encode("")
e.encode("a few words, and \u6771\u4eac <|en|>", disallowed_special=())
e.encode(" words<|en|>", allowed_special="all")
e.encode_ordinary_batch(["", "two words"])
e.decode([i])
e.decode([i, i, 64, i, e.eot_token, i])
e.decode_bytes([64, i, i, 65])
e.decode_single_token_bytes(i)
e.decode_tokens_bytes([64, i, 65])
e.decode_with_offsets([64, 65])
e.decode_with_offsets([64, i, 65])
e.decode_batch([[i], [64, i]])
e.encode_single_token(b"")
e.encode_single_token("")
e.token_byte_values()
e.is_special_token(i)
e._encode_single_piece("")
e._encode_single_piece("and")
e._encode_bytes(b"")
e._encode_bytes(b"\\xe6\\x9d")
sorted(e.encode_with_unstable("")[1])
(lambda stable, more: (stable, sorted(more)))(*e.encode_with_unstable("a wor"))
e.decode_single_token_bytes(i + 5)
pickle.loads(pickle.dumps(e)).decode([64, i])
copy.deepcopy(e).encode_single_token(b"")
"""


@pytest.mark.parametrize("call", EMPTY_CALLS.strip().splitlines())
def test_an_empty_token(tmp_path, call):
    path, empty = whisper_file(tmp_path)
    names = {"i": empty, "pickle": pickle, "copy": copy}
    one, two = (
        outcome(lambda module=module: eval(call, {**names, "e": whisper(module, path)}))
        for module in (ours, theirs)
    )
    assert one == two


def test_an_empty_token_is_counted(tmp_path):
    path, empty = whisper_file(tmp_path)
    for module in (ours, theirs):
        encoding = whisper(module, path)
        with pytest.raises(AssertionError):
            module.Encoding(**{**encoding.__getstate__(), "explicit_n_vocab": empty})


def test_files_with_an_empty_token(tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    path, empty = whisper_file(tmp_path)
    ranks = theirs.load.load_tiktoken_bpe(str(path))
    assert ranks[b""] == empty
    assert ours.load.load_tiktoken_bpe(str(path)) == ranks
    other = tmp_path / "other.tiktoken"
    ours.load.dump_tiktoken_bpe(ranks, str(other))
    assert other.read_bytes() == path.read_bytes()
    other.write_bytes(path.read_bytes().replace(b"\n= ", b"\n=== "))
    assert ours.load.load_tiktoken_bpe(str(other)) == ranks
    # A line with an empty field before the rank.
    other.write_bytes(path.read_bytes().replace(b"\n= ", b"\n "))
    for module in (ours, theirs):
        with pytest.raises(ValueError, match="Error parsing line"):
            module.load.load_tiktoken_bpe(str(other))


def test_models_with_an_empty_token(tmp_path):
    """The native class reads the file and preserves the token in all formats."""
    path, empty = whisper_file(tmp_path)
    reference = whisper(theirs, path)
    text = "a few words, and \u6771\u4eac"
    made = Tokenizer.from_file(path, pattern="gpt2")
    for name in ("m.bpe", "m.tiktoken", "tokenizer.json"):
        made.save(tmp_path / name)
        pattern = {"pattern": "gpt2"} if name.endswith(".tiktoken") else {}
        again = Tokenizer.from_file(tmp_path / name, **pattern)
        for tokenizer in (made, again, pickle.loads(pickle.dumps(again))):
            assert tokenizer.encode(text) == reference.encode(text)
            assert tokenizer.decode([64, empty, 65]) == reference.decode([64, empty, 65])
            assert tokenizer.decode([empty]) == ""
            assert tokenizer.id_to_token(empty) == b""
            assert tokenizer.token_to_id(b"") == empty
            assert tokenizer.vocab == reference._mergeable_ranks
            assert tokenizer.vocab_size == empty + 1
            assert tokenizer.token_bytes()[empty] == 0
            assert tokenizer.encode_with_offsets(text)[0] == tokenizer.encode(text)
            stream = tokenizer.decode_stream()
            assert stream.push(empty) + stream.push(64) + stream.finish() == reference.decode([64])
    assert (tmp_path / "m.tiktoken").read_bytes() == path.read_bytes()
    theirs_json = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs_json.encode(text).ids == made.encode(text)
    assert theirs_json.decode([64, empty, 65]) == made.decode([64, empty, 65])
    assert theirs_json.get_vocab_size() == empty + 1
    encoding = Tokenizer.from_tiktoken(whisper(ours, path))
    assert encoding.decode([empty, 64]) == reference.decode([64])
    assert encoding.special_tokens["<|en|>"] == empty + 3
