"""Long texts, whose characters are read and written where they lie."""

from __future__ import annotations

import random
import sys
import sysconfig

import pytest
from conftest import GOLDEN, PATTERNS, golden_ranks, run_python
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer_py import Tokenizer, _native, rustbpe, tiktoken

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
IN_PLACE = pytest.mark.skipif(
    FREE_THREADED or sys.implementation.name != "cpython" or sys.version_info >= (3, 16),
    reason="nobody knows how a str lies there",
)
#: Longer than what is left to CPython.
LONG = 20_000
ALPHABETS = {
    "latin": "plain text, d\u00e9j\u00e0 vu",
    "latin of two bytes": "\u00e9\u00ff\u0080",
    "quotes": "mostly plain \u201ctext\u201d",
    "cyrillic": "\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440",
    "chinese": "\u4e2d\u6587\uffff\u0800\u3000",
    "emoji": "a\u00e9\u4e2d\U0001f600",
    "planes": "\U00010000\U0010ffff",
    "edges": "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000",
}


def native():
    return Tokenizer.from_file(GOLDEN / "cl100k.tiktoken", pattern="cl100k")


def stand_in(special_tokens=None):
    return tiktoken.Encoding(
        "x",
        pat_str=PATTERNS["cl100k"],
        mergeable_ranks=golden_ranks("cl100k"),
        special_tokens=special_tokens or {},
    )


def texts(alphabet, seed):
    """Single characters, runs of one, and blocks of plain text between them."""
    chance = random.Random(seed)
    parts, length = [], 0
    while length < LONG + seed % 40:
        part = chance.choice(
            [
                chance.choice(alphabet),
                chance.choice(alphabet) * chance.randrange(40),
                "plain " * chance.randrange(9),
                "".join(chance.choices(alphabet, k=chance.randrange(60))),
            ]
        )
        parts.append(part)
        length += len(part)
    return "".join(parts)


@IN_PLACE
@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_characters_are_read_in_place(alphabet):
    for seed in range(40):
        text = texts(alphabet, seed)
        assert _native._long_utf8(text) == text.encode()


@IN_PLACE
@settings(deadline=None)
@given(st.text(min_size=1))
def test_any_text_is_read_in_place(text):
    text = "\u00e9" + text * (LONG // len(text) + 1)
    try:
        utf8 = text.encode()
    except UnicodeEncodeError:
        utf8 = None
    assert _native._long_utf8(text) == utf8


@IN_PLACE
def test_characters_are_read_alike_without_vectors():
    """Every character, and blocks with every mix of lengths."""
    code = r"""
        import itertools
        from tokenizer_py import _native
        every = "".join(chr(n) for n in range(0x110000) if not 0xD800 <= n < 0xE000)
        mixed = "".join("".join(mix) * 3 for mix in itertools.product("a\u00e9\u4e2d\U0001f600", repeat=6))
        for text in (every, every[1:0xD000], every[0x80:0x100] * 200, mixed, mixed[5:]):
            assert _native._long_utf8(text) == text.encode()
            for place in range(20):
                assert _native._long_utf8(text[:place] + "\udfff" + text[place:]) is None
    """
    for tier in ("scalar", ""):
        run_python(code, TOKENIZER_SIMD=tier)


def test_what_is_left_to_python():
    class Derived(str):
        pass

    assert _native._long_utf8("\u00e9" * 100) is None
    assert _native._long_utf8("plain" * LONG) is None
    assert _native._long_utf8(Derived("\u00e9" * LONG)) is None
    for place in (0, 7, LONG - 1):
        for fill in ("\u00e9", "\u4e2d", "\U0001f600"):
            text = fill * place + "\udc80" + fill * (LONG - place)
            assert _native._long_utf8(text) is None


def test_the_stable_abi_reads_nothing_in_place():
    code = "from tokenizer_py import _native; print(_native._long_utf8('\\u00e9' * 20_000))"
    assert run_python(code, TOKENIZER_PY_STABLE_ABI="1").strip() == "None"


def test_once_and_again():
    """A text that comes again is known by CPython; the ids are the same."""
    tokenizer = native()
    encoding = stand_in()
    for alphabet in ALPHABETS.values():
        text = texts(alphabet, 3)
        ids = tokenizer.encode(text.encode())
        for _ in range(3):
            assert tokenizer.encode(text) == ids
            assert tokenizer.encode_numpy(text).tolist() == ids
            assert tokenizer.count(text) == len(ids)
            assert encoding.encode_ordinary(text) == ids
            assert encoding.encode(text) == ids


@IN_PLACE
@pytest.mark.parametrize(
    "encode",
    [
        lambda: native().encode,
        lambda: native().encode_numpy,
        lambda: stand_in().encode_ordinary,
        lambda: rustbpe.Tokenizer().encode,
    ],
    ids=["encode", "encode_numpy", "encode_ordinary", "rustbpe"],
)
def test_a_text_that_comes_again_keeps_its_utf8(encode):
    """The first time nothing is kept with it; the second time CPython makes its UTF-8, and later
    none is made."""
    encode, text = encode(), texts(ALPHABETS["cyrillic"], 4)
    # One of another place, which may be where a text of another test was.
    other = texts(ALPHABETS["cyrillic"], 5)
    encode(other)
    size, utf8 = sys.getsizeof(text), len(text.encode())
    sizes = []
    for _ in range(3):
        encode(text)
        sizes.append(sys.getsizeof(text) - size)
    assert sizes == [0, utf8 + 1, utf8 + 1]


def test_surrogates_of_long_texts():
    tokenizer = native()
    text = "\u4e2d" * LONG + "\udc80"
    for call in (tokenizer.encode, tokenizer.encode_numpy, tokenizer.count):
        with pytest.raises(UnicodeEncodeError):
            call(text)


@IN_PLACE
@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_characters_are_written_in_place(alphabet):
    for seed in range(40):
        text = texts(alphabet, seed)
        made = _native._new_string(text.encode())
        assert made == (None if text.isascii() else text)
        if made is not None:
            # It is as wide as any other, hashes alike, and ends with a zero.
            assert sys.getsizeof(made) == sys.getsizeof(text)
            assert hash(made) == hash(text)
            assert (made + "!").encode() == text.encode() + b"!"
            assert {made: 1}[text] == 1


@IN_PLACE
@settings(deadline=None)
@given(st.binary(max_size=40), st.sampled_from(["", "plain", "\u00e9", "\u4e2d\u6587", "\U0001f600"]))
def test_any_bytes_are_written_in_place_or_left_to_python(some, fill):
    """At every place within a block."""
    for before in range(0, 20, 3):
        whole = b"x" * before + fill.encode() * 70 + some + fill.encode() * 70
        if len(whole) < 256:
            continue
        made = _native._new_string(whole)
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            assert made is None
        else:
            assert made == (None if text.isascii() else text)


@IN_PLACE
def test_every_character_is_written():
    characters = [chr(n) for n in range(0x110000) if not 0xD800 <= n < 0xE000]
    for step in (1, 3, 0x1000):
        ordered = "".join("".join(characters[start::step]) for start in range(step))
        assert _native._new_string(ordered.encode()) == ordered


@IN_PLACE
@pytest.mark.parametrize(
    "wrong",
    [
        b"\x80",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xff",
        b"\xe4\xb8",
        b"\xf0\x9f\x98",
    ],
)
def test_what_is_not_utf8_is_left_to_python(wrong):
    tokenizer = native()
    for fill in ("x", "\u00e9", "\u4e2d", "\U0001f600"):
        for before in range(20):
            for times in (1, 2, 4, 5):
                whole = b"x" * before + fill.encode() * 99 + wrong * times + fill.encode() * 99
                assert _native._new_string(whole) is None
        assert tokenizer.decode(list(tokenizer.encode(whole))) == whole.decode(errors="replace")
        with pytest.raises(UnicodeDecodeError):
            tokenizer.decode(tokenizer.encode(whole), "strict")


def test_the_stable_abi_writes_nothing_in_place():
    code = """
        from tokenizer_py import Tokenizer, _native
        print(_native._new_string(b"\\xc3\\xa9" * 20_000))
    """
    assert run_python(code, TOKENIZER_PY_STABLE_ABI="1").strip() == "None"


def test_short_and_plain_texts_are_made_by_python():
    assert _native._new_string("\u00e9".encode() * 100) is None
    assert _native._new_string(b"plain" * LONG) is None


@IN_PLACE
def test_a_text_of_several_portions():
    """Between two of them Ctrl-C is looked for; characters lie across the places."""
    for fill in ("\u00e9", "x\u4e2d", "xy\U0001f600", "plain\u0416"):
        text = fill * (20_000_000 // len(fill.encode()))
        assert _native._new_string(text.encode()) == text


def in_many_parts(alphabet, end="<|endoftext|>"):
    """More than is turned into UTF-8 at a time, with special tokens everywhere."""
    parts = [texts(alphabet, seed) + end[: seed % 14] + end for seed in range(12)]
    return "".join(parts)


@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_texts_of_many_parts(alphabet):
    """Read in place once, by way of `bytes` and on threads: the ids are the same."""
    tokenizer = native()
    text = in_many_parts(alphabet)
    ids = tokenizer.encode(text.encode())
    assert tokenizer.encode(text) == ids
    assert tokenizer.encode_numpy(text[:-1] + text[-1:]).tolist() == ids
    assert tokenizer.encode_numpy(text[:-1] + text[-1:], threads=2).tolist() == ids
    encoding = stand_in({"<|endoftext|>": 5000})
    assert encoding.encode_ordinary(text[:-1] + text[-1:]) == ids
    allowed = encoding.encode(text, allowed_special="all")
    assert encoding.decode(allowed) == text
    assert allowed.count(5000) >= 12


@pytest.mark.parametrize("unit", [" ", "\n", ",", "\u0663", "\u4e2d", "a", "1", " \n"])
def test_texts_that_can_hardly_be_cut(unit):
    """Endless pieces, also behind text that is cut well: they are left to the usual way."""
    tokenizer = native()
    endless = unit * (400_000 // len(unit))
    for text in ("\u00e9" + endless, texts(ALPHABETS["cyrillic"], 1) * 5 + endless + " end"):
        ids = tokenizer.encode(text.encode())
        assert tokenizer.encode(text) == ids
        assert tokenizer.encode_numpy(text[:-1] + text[-1:]).tolist() == ids


def test_a_surrogate_in_a_later_part():
    tokenizer = native()
    encoding = stand_in()
    text = in_many_parts(ALPHABETS["chinese"])
    broken, repaired = text + "\udc80" + text, text + "\ufffd" + text
    with pytest.raises(UnicodeEncodeError):
        tokenizer.encode(broken)
    assert encoding.encode_ordinary(broken) == encoding.encode_ordinary(repaired)


def test_a_derived_str_may_say_anything_of_its_length():
    class Derived(str):
        def __len__(self):
            raise RuntimeError("not asked for")

    tokenizer = native()
    text = "\u00e9" * LONG
    assert tokenizer.encode(Derived(text)) == tokenizer.encode(text)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_memory_of_an_array_comes_back_when_it_goes(threads):
    tokenizer = native()
    texts = [word.encode() * 40_000 for word in (" some", " text", " and,", " word")]
    want = [tokenizer.encode(text) for text in texts]
    # All of them are kept: none may stand in the memory of another.
    arrays = [tokenizer.encode_numpy(text, threads) for text in texts]
    parts = [array[1000:2000] for array in arrays]
    arrays[0][:] = 7
    assert arrays[0].tolist() == [7] * len(want[0])
    for array, ids in zip(arrays[1:], want[1:]):
        assert array.tolist() == ids
    places = {array.ctypes.data for array in arrays}
    # A part of an array keeps its memory.
    del array, arrays
    again = tokenizer.encode_numpy(texts[1], threads)
    assert again.ctypes.data not in places
    assert [part.tolist() for part in parts[1:]] == [ids[1000:2000] for ids in want[1:]]
    del parts
    for text, ids in zip(texts, want):
        array = tokenizer.encode_numpy(text, threads)
        assert array.ctypes.data in places
        assert array.tolist() == ids
    del tokenizer
    assert array.tolist() == want[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel how much memory there is")
def test_the_memory_that_waits_for_arrays_has_a_bound():
    code = f"""
import gc
from tokenizer_py import Tokenizer

def megabytes():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

tokenizer = Tokenizer.from_file({str(GOLDEN / "cl100k.tiktoken")!r}, pattern="cl100k")
text = b" word" * 400_000
tokenizer.encode_numpy(text)
before = megabytes()
# All ids of one array take two megabytes or more.
arrays = [tokenizer.encode_numpy(text) for _ in range(100)]
size = sum(array.nbytes for array in arrays) / (1 << 20)
during = megabytes()
del arrays
gc.collect()
print(before, during, megabytes(), size)
"""
    before, during, after, size = map(float, run_python(code).split())
    assert size > 150
    assert during - before > size - 70
    assert after - before < 80
