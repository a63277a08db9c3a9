"""Training with the native class; piece counts; Arrow import and export."""

from __future__ import annotations

import collections
import logging
import os

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import rustbpe
from conftest import FIXTURES, PATTERNS, documents, run_python

import tokenizer_py
from tokenizer_py import PieceCounts, Tokenizer, count_pieces

TEXT = "low lower lowest, the slow owl flows below"


@pytest.fixture(scope="module")
def pieces(corpus):
    return count_pieces(documents(corpus), pattern="nanochat")


def reference(texts, vocab_size, pattern):
    trainer = rustbpe.Tokenizer()
    trainer.train_from_iterator(texts, vocab_size, pattern=PATTERNS[pattern])
    return dict((bytes(token), id) for token, id in trainer.get_mergeable_ranks())


def test_every_way_to_train_learns_what_rustbpe_learns(tmp_path, corpus, pieces):
    texts = documents(corpus)
    want = reference(texts, 1000, "nanochat")
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_bytes(text.encode())
    rules = {"vocab_size": 1000, "pattern": "nanochat"}
    table = pa.table({"text": texts, "n": range(len(texts))})
    for name, source in {
        "iterator": [texts, iter(texts), (text.encode() for text in texts), table, table["text"]],
        "files": [paths, map(str, paths)],
        "counts": [pieces, pa.table(pieces), pl.DataFrame(pieces)],
    }.items():
        for one in source:
            if isinstance(one, pl.DataFrame):
                assert Tokenizer.train(counts=one, **rules).vocab == want
                continue
            for threads in (1, 3) if name != "counts" else (None,):
                if hasattr(one, "__next__") and threads != 1:
                    continue
                trained = Tokenizer.train(**{name: one}, threads=threads, **rules)
                assert trained.vocab == want, (name, threads)
                assert trained.pattern == PATTERNS["nanochat"]


def test_special_tokens_come_after_the_merges(pieces):
    trained = Tokenizer.train(
        counts=pieces, vocab_size=500, special_tokens=["<|bos|>", "<|eos|>"]
    )
    assert trained.vocab_size == 500
    assert trained.special_tokens == {"<|bos|>": 498, "<|eos|>": 499}
    assert len(trained.merges) == 242


def test_options_of_training(pieces):
    short = Tokenizer.train(counts=pieces, vocab_size=2000, max_token_bytes=3)
    assert max(map(len, short.vocab)) == 3
    often = Tokenizer.train(counts=pieces, vocab_size=2**20, min_frequency=1000)
    assert 256 < often.vocab_size < 2000
    huggingface = Tokenizer.train(
        counts=pieces, vocab_size=400, tie_break="huggingface", special_tokens=["<s>"]
    )
    assert huggingface.special_tokens == {"<s>": 0}


def test_regexes_keep_gaps():
    trained = Tokenizer.train(iterator=["ab 12 ab 12"] * 3, pattern="[a-z]+", vocab_size=300)
    assert trained.decode(trained.encode("ab 12")) == "ab 12"
    assert (b"a", b"b") in trained.merges


def test_too_few_pairs_are_a_warning(caplog):
    with caplog.at_level(logging.INFO, logger="tokenizer_py"):
        trained = Tokenizer.train(iterator=["abab"], vocab_size=1000)
    assert trained.vocab_size < 1000
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "INFO"]
    assert "only" in caplog.text


WRONG = [
    ({}, TypeError),
    ({"files": [], "iterator": []}, TypeError),
    ({"iterator": "a text"}, TypeError),
    ({"iterator": b"a text"}, TypeError),
    ({"iterator": None}, TypeError),
    ({"iterator": 3}, TypeError),
    ({"iterator": ["a", 3]}, TypeError),
    ({"iterator": ["a", "\ud800"]}, UnicodeEncodeError),
    ({"files": "a.txt"}, TypeError),
    ({"files": [3]}, TypeError),
    ({"files": ["/no/such/file"]}, FileNotFoundError),
    ({"files": ["/"]}, IsADirectoryError),
    ({"counts": [(b"a", 1)]}, TypeError),
    ({"counts": 3}, TypeError),
    ({"iterator": [], "vocab_size": 255}, ValueError),
    ({"iterator": [], "vocab_size": 2**40}, ValueError),
    ({"iterator": [], "vocab_size": -1}, OverflowError),
    ({"iterator": [], "vocab_size": 300.5}, TypeError),
    ({"iterator": [], "vocab_size": 256, "special_tokens": ["<s>"]}, ValueError),
    ({"iterator": [], "special_tokens": "<s>"}, TypeError),
    ({"iterator": [], "special_tokens": [3]}, TypeError),
    ({"iterator": [], "special_tokens": [""]}, ValueError),
    ({"iterator": [], "special_tokens": ["<s>", "<s>"]}, ValueError),
    ({"iterator": [], "pattern": "("}, ValueError),
    ({"iterator": [], "pattern": "gpt9"}, ValueError),
    ({"iterator": [], "threads": 0}, ValueError),
    ({"iterator": [], "tie_break": "best"}, ValueError),
    ({"iterator": [], "progress": 3}, TypeError),
    ({"iterator": [], "column": "text"}, TypeError),
    ({"iterator": [], "min_frequency": -1}, OverflowError),
]


@pytest.mark.parametrize(("arguments", "error"), WRONG)
def test_what_training_refuses(arguments, error):
    with pytest.raises(error):
        Tokenizer.train(**arguments)


def test_what_is_refused_is_refused_before_anything_is_read():
    def never():
        raise AssertionError("read")
        yield

    for arguments in (
        {"vocab_size": 3},
        {"pattern": "("},
        {"threads": 0},
        {"special_tokens": "<s>"},
        {"tie_break": "x"},
        {"progress": 3},
    ):
        with pytest.raises((ValueError, TypeError)):
            Tokenizer.train(iterator=never(), **arguments)


def test_exceptions_of_the_iterator_pass_through():
    class Own(Exception):
        pass

    def texts():
        yield "some text"
        raise Own

    with pytest.raises(Own):
        Tokenizer.train(iterator=texts())
    with pytest.raises(Own):
        count_pieces(texts())


def test_an_iterator_may_use_the_package():
    def texts():
        for _ in range(20):
            yield Tokenizer.train(iterator=[TEXT], vocab_size=260).decode([104, 105])

    assert count_pieces(texts()).items() == [(b"hi", 20)]


def test_a_regex_that_gives_up_names_the_place(tmp_path):
    bomb = r"(?:a|a)+(?=c)|."
    text = "xé" + "a" * 64
    with pytest.raises(ValueError, match="document 2: .*byte 3"):
        count_pieces(["a", "b", text], pattern=bomb)
    (tmp_path / "a.txt").write_text("fine", "utf-8")
    (tmp_path / "b.txt").write_text(text, "utf-8")
    with pytest.raises(ValueError, match="b.txt: .*byte 3"):
        count_pieces(files=[tmp_path / "a.txt", tmp_path / "b.txt"], pattern=bomb)


def test_files_of_every_kind(tmp_path):
    import gzip
    import json

    import pyarrow.parquet as pq

    texts = ["to be or", " not to bé", ""]
    want = count_pieces(texts)
    lines = "".join(json.dumps({"n": 1, "text": text, "body": "x"}) + "\n" for text in texts)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    table = pa.table({"text": texts, "body": ["x"] * 3})
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "a.txt").write_text(texts[0], "utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(texts[1].encode()))
    for names in (["a.jsonl"], ["a.jsonl.gz"], ["a.parquet"], ["a.txt", "b.txt.gz"]):
        assert count_pieces(files=[tmp_path / name for name in names]) == want, names
    for name in ("a.jsonl", "a.parquet"):
        got = count_pieces(files=[tmp_path / name], column="body")
        assert got.items() == [(b"x", 3)]
        with pytest.raises(ValueError, match=f"{name}: .*zzz"):
            count_pieces(files=[tmp_path / name], column="zzz")
    with pytest.raises(ValueError, match="a.jsonl: line 2: .*byte 1"):
        (tmp_path / "a.jsonl").write_text('{"text": "b"}\n{"text": "x%s"}\n' % ("a" * 64))
        count_pieces(files=[tmp_path / "a.jsonl"], pattern=r"(?:a|a)+(?=c)|.")


def test_files_that_are_damaged(tmp_path):
    import gzip

    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"text" * 1000)[:-9])
    (tmp_path / "b.jsonl").write_text('{"text": "a"}\n{"text": 3}\n')
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    for name in ("a.txt.gz", "b.jsonl", "c.parquet"):
        with pytest.raises(ValueError, match=name):
            count_pieces(files=[tmp_path / name])


def tar_of(data):
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zip_of(data):
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", data)
    return out.getvalue()


def arrow_of(stream):
    table = pa.table({"text": ["low"]})
    out = pa.BufferOutputStream()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue().to_pybytes()


def npy_of():
    import io

    out = io.BytesIO()
    np.save(out, np.arange(9, dtype=np.uint16))
    return out.getvalue()


def test_files_are_read_by_content_and_name_or_refused(tmp_path):
    """Every kind of content under every extension."""
    import bz2
    import gzip
    import lzma

    lines = b'{"text": "low"}\n{"text": "lower"}\n'
    records = count_pieces(["low", "lower"])
    never = {
        "zip": (zip_of(lines), "a zip archive"),
        "tar": (tar_of(lines), "a tar archive"),
        "arrow file": (arrow_of(stream=False), "an Arrow IPC file"),
        "arrow stream": (arrow_of(stream=True), "an Arrow IPC stream"),
        "npy": (npy_of(), "a NumPy array"),
        "utf-16": ("low".encode("utf-16"), "UTF-16"),
        "utf-32": ("low".encode("utf-32"), "UTF-32"),
        "model": (Tokenizer.train(iterator=["low"], vocab_size=257).to_bytes(), "a .bpe model"),
        "xz": (lzma.compress(lines), "xz compression"),
        "bz2": (bz2.compress(lines), "bzip2 compression"),
        "empty bz2": (bz2.compress(b""), "bzip2 compression"),
    }
    json = {
        "array": b'[{"text": "low"}]',
        "indented": b'{\n "text": "low"\n}\n',
        "broken": b'{"text": "lo\n',
        "text": b"low lower",
    }
    plain = {"a", "a.txt", "a.md"}
    for name in ("a", "a.txt", "a.md", "a.json", "a.JSON", "a.jsonl", "a.Jl", "a.ndjson", "a.jsonlines"):
        for end, compress in (("", bytes), (".GZ", gzip.compress)):
            path = tmp_path / (name + end)

            def read(data, path=path, compress=compress, **how):
                path.write_bytes(compress(data))
                return count_pieces(files=[path], **how)

            for kind, (data, words) in never.items():
                for how in ({}, {"text": True}, {"json_lines": True}):
                    words = "compressed with" if end and "compression" in words else words
                    with pytest.raises(ValueError, match=f"{path.name}: .*{words}"):
                        read(data, **how)
            assert read(lines, json_lines=True) == records
            assert read(lines, text=True) == count_pieces([lines])
            if name in plain:
                with pytest.raises(ValueError, match="json_lines=True or text=True"):
                    read(lines)
            else:
                assert read(lines) == records
            for kind, data in json.items():
                assert read(data, text=True) == count_pieces([data])
                if name in plain:
                    assert read(data) == count_pieces([data]), kind
                else:
                    words = "text=True" if "json" == name[2:].lower() else "line 1"
                    with pytest.raises(ValueError, match=words):
                        read(data)
    with pytest.raises(ValueError, match="both"):
        count_pieces(files=[], text=True, json_lines=True)
    for how in ({"text": True}, {"json_lines": True}, {"recursive": True}, {"include": ["*"]}):
        with pytest.raises(TypeError, match="are for files"):
            count_pieces(["low"], **how)
        with pytest.raises(TypeError, match="are for files"):
            Tokenizer.train(iterator=["low"], vocab_size=256, **how)


def test_files_of_folders(tmp_path):
    folder = tmp_path / "all"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("low")
    (folder / "deep" / "b.txt").write_text("lower")
    (folder / "deep" / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "d.json").write_text("[1]")
    with pytest.raises(IsADirectoryError):
        count_pieces(files=[folder])
    with pytest.raises(ValueError, match="2 files are refused: .*d.json: .*c.png: a PNG") as error:
        Tokenizer.train(files=[folder], recursive=True)
    assert "b.txt" not in str(error.value)

    def read(**how):
        return count_pieces(files=[folder], recursive=True, **how)

    assert read(include=["*.txt"]) == count_pieces(["low", "lower"])
    assert read(exclude=["deep/*", "*.json"]) == count_pieces(["low"])
    assert read(include=("**/b.*",), exclude=[]) == count_pieces(["lower"])
    trained = Tokenizer.train(files=[folder], recursive=True, include=["*.txt"], vocab_size=258)
    assert trained.vocab == Tokenizer.train(iterator=["low", "lower"], vocab_size=258).vocab
    with pytest.raises(ValueError, match="no file matches"):
        read(include=["*.md"])
    with pytest.raises(ValueError, match="invalid glob"):
        read(include=["[a"])
    with pytest.raises(ValueError, match="recursive=True"):
        count_pieces(files=[folder], include=["*"])
    with pytest.raises(TypeError, match="include"):
        read(include="*.txt")


def test_files_that_may_not_be_text_are_warned_of(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"low\0")
    (tmp_path / "b.txt").write_text("世界" * 100, "gbk")
    (tmp_path / "c.txt").write_text("low")
    with pytest.warns(UserWarning) as warned:
        count_pieces(files=[tmp_path / name for name in ("a.txt", "b.txt", "c.txt")])
    messages = [str(warning.message) for warning in warned]
    assert len(messages) == 2
    assert messages[0].endswith("a.txt: may not be text: NUL at byte 3")
    assert "b.txt: may not be text: " in messages[1]


def test_lone_surrogates_in_json_are_repaired_as_tiktoken_does(tmp_path):
    import json
    import random

    random = random.Random(5)
    parts = [r"\ud83d", r"\uDE42", r"\udbff", r"\udc00", r"\u0041", r"\\\\", r"\n", "é", "🙂", "ud83d"]
    texts = ["".join(random.choices(parts, k=random.randrange(9))) for _ in range(5000)]
    lines = [f'{{"{text}": 1, "text": "{text}"}}' for text in texts]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), "utf-8")

    def repaired(text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    want = [repaired(json.loads(f'"{text}"')) for text in texts]
    whole = r"(?s).+"
    assert count_pieces(files=[path], pattern=whole) == count_pieces(want, pattern=whole)


def test_large_files_are_counted_as_one_document(tmp_path, corpus):
    text = corpus * 40
    path = tmp_path / "large.txt"
    path.write_bytes(text.encode())
    told = []
    got = count_pieces(files=[path], progress=lambda *how: told.append(how))
    assert got == count_pieces([text])
    assert len(told) > 2
    assert told[-1] == ("counting", len(text.encode()), len(text.encode()))


# Progress


def test_progress_is_told(corpus):
    told = []
    texts = documents(corpus)
    Tokenizer.train(iterator=texts, vocab_size=1000, progress=lambda *how: told.append(how))
    stages = [stage for stage, _, _ in told]
    assert stages == sorted(stages, key=["counting", "merging"].index)
    counting = [done for stage, done, _ in told if stage == "counting"]
    assert counting == sorted(counting)
    assert counting[-1] == len(corpus.encode())
    merging = [(done, total) for stage, done, total in told if stage == "merging"]
    assert len(merging) == 100
    assert merging[-1] == (744, 744)


def test_an_exception_of_progress_passes_through(corpus):
    for stage in ("counting", "merging"):

        def tell(now, done, total, stage=stage):
            if now == stage:
                raise KeyError(stage)

        with pytest.raises(KeyError, match=stage):
            Tokenizer.train(iterator=documents(corpus), vocab_size=1000, progress=tell)


def test_a_bar(capfd, monkeypatch):
    Tokenizer.train(iterator=[TEXT] * 100, vocab_size=270, progress=True)
    shown = capfd.readouterr().err
    assert "counting" in shown
    assert "merging" in shown
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    Tokenizer.train(iterator=[TEXT] * 100, vocab_size=270, progress=True)
    assert "merging: 14 of 14" in capfd.readouterr().err
    Tokenizer.train(iterator=[TEXT] * 100, vocab_size=270, progress=False)
    assert capfd.readouterr().err == ""


# Counted pieces


def test_items(corpus):
    counts = count_pieces(["to be or", " not to be", b"\xff"])
    assert counts.items() == [
        (b" be", 2), (b" not", 1), (b" or", 1), (b" to", 1), (b"to", 1), (b"\xff", 1),
    ]  # fmt: skip
    assert (len(counts), counts.total, counts.pattern) == (6, 7, "cl100k")
    assert repr(counts) == '<tokenizer_py.PieceCounts 7 pieces, 6 distinct, pattern="cl100k">'
    assert count_pieces([]).items() == []


def test_adding():
    one, two = count_pieces(["to be"]), count_pieces(["to do"])
    assert one + two == count_pieces(["to be", "to do"])
    assert one.items() == [(b" be", 1), (b"to", 1)]
    assert one != two
    assert one != 3
    with pytest.raises(ValueError, match="gpt2"):
        one + count_pieces(["a"], pattern="gpt2")
    with pytest.raises(TypeError):
        one + 3


def test_files_of_counts(tmp_path, pieces):
    pieces.save(tmp_path / "a.tsv")
    assert PieceCounts.load(tmp_path / "a.tsv") == pieces
    assert PieceCounts.load(tmp_path / "a.tsv", str(tmp_path / "a.tsv")) == pieces + pieces
    with pytest.raises(ValueError, match="other pattern|nanochat"):
        PieceCounts.load(tmp_path / "a.tsv", pattern="gpt2")
    with pytest.raises(FileNotFoundError):
        PieceCounts.load(tmp_path / "none.tsv")
    with pytest.raises(TypeError):
        PieceCounts.load()
    with pytest.raises(ValueError, match="tsv"):
        pieces.save(tmp_path / "a.txt")
    (tmp_path / "b.tsv").write_text("x\n")
    with pytest.raises(ValueError, match="b.tsv"):
        PieceCounts.load(tmp_path / "b.tsv")


def test_counts_are_made_by_functions():
    with pytest.raises(TypeError, match="count_pieces"):
        PieceCounts()


# Arrow

TEXTS = ["to be or", None, "", " not to bé"]
COLUMNS = {
    "string": pa.array(TEXTS, pa.string()),
    "large_string": pa.array(TEXTS, pa.large_string()),
    "string_view": pa.array(TEXTS, pa.string_view()),
    "binary": pa.array([t and t.encode() for t in TEXTS], pa.binary()),
    "large_binary": pa.array([t and t.encode() for t in TEXTS], pa.large_binary()),
    "binary_view": pa.array([t and t.encode() for t in TEXTS], pa.binary_view()),
    "chunks": pa.chunked_array([TEXTS[:2], TEXTS[2:], []], pa.string()),
    "a slice": pa.array(["x", *TEXTS, "y"]).slice(1, 4),
    "polars": pl.Series(TEXTS),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_text(name):
    column = COLUMNS[name]
    want = count_pieces([text for text in TEXTS if text])
    assert count_pieces(column) == want
    if name == "polars":
        tables = [column.to_frame("any"), pl.DataFrame({"text": column, "n": [1, 2, 3, 4]})]
    else:
        tables = [pa.table({"any": column}), pa.table({"n": [1, 2, 3, 4], "text": column})]
    for table in tables:
        assert count_pieces(table) == want
    assert count_pieces(tables[0], column="any") == want


def test_batches_and_readers():
    table = pa.table({"text": [TEXT] * 1000})
    want = count_pieces([TEXT] * 1000)
    batch = table.to_batches()[0]
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=7))
    for source in (batch, reader, table.schema.empty_table()):
        got = count_pieces(source)
        assert got == (want if source is not table else got) or not len(got)
    # A reader is exhausted after one pass.
    assert len(count_pieces(pa.RecordBatchReader.from_batches(table.schema, []))) == 0


def test_columns_that_are_none():
    table = pa.table({"a": ["x"], "b": [1]})
    with pytest.raises(ValueError, match="'?\"?text"):
        count_pieces(table)
    with pytest.raises(ValueError, match="zzz"):
        count_pieces(table, column="zzz")
    with pytest.raises(ValueError, match="not a table"):
        count_pieces(table["a"], column="a")
    with pytest.raises(TypeError, match="Int64"):
        count_pieces(table, column="b")
    with pytest.raises(TypeError, match="cast"):
        count_pieces(pa.array(["x"]).dictionary_encode())
    with pytest.raises(TypeError):
        count_pieces()
    with pytest.raises(TypeError):
        count_pieces(table, files=["x"])


def test_a_stream_that_fails():
    def batches():
        yield pa.record_batch({"text": ["a"]})
        raise OSError("the disk is gone")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"text": pa.string()}), batches())
    with pytest.raises(ValueError, match="the disk is gone"):
        count_pieces(reader)


def test_out_and_in_again(pieces):
    table = pa.table(pieces)
    assert table.schema.names == ["piece", "count"]
    assert (table.schema.types[0], table.schema.types[1]) == (pa.binary(), pa.uint64())
    assert table.schema.metadata == {b"pattern": b"nanochat"}
    assert table.to_pydict() == {
        "piece": [piece for piece, _ in pieces.items()],
        "count": [count for _, count in pieces.items()],
    }
    assert PieceCounts.from_arrow(table) == pieces
    assert PieceCounts.from_arrow(pieces) == pieces
    frame = pl.DataFrame(pieces)
    assert PieceCounts.from_arrow(frame, pattern="nanochat") == pieces
    assert pa.schema(pieces).names == ["piece", "count"]
    empty = count_pieces([])
    assert pa.table(empty).num_rows == 0
    assert PieceCounts.from_arrow(pa.table(empty)) == empty


def test_counts_that_were_made_elsewhere():
    counter = collections.Counter({b"the": 3, b" cat": 2, b"\xff": 1})
    for kind in (pa.int32(), pa.int64(), pa.uint32(), pa.uint64()):
        for binary in (pa.binary(), pa.large_binary(), pa.binary_view()):
            table = pa.table(
                {
                    "count": pa.array(counter.values(), kind),
                    "piece": pa.array(counter.keys(), binary),
                }
            )
            counts = PieceCounts.from_arrow(table, pattern="cl100k")
            assert dict(counts.items()) == counter
            twice = PieceCounts.from_arrow(pa.concat_tables([table, table]), pattern="cl100k")
            assert twice == counts + counts
    frame = pl.DataFrame({"piece": list(counter), "count": list(counter.values())})
    summed = pl.concat([frame, frame]).group_by("piece").agg(pl.col("count").sum())
    assert PieceCounts.from_arrow(summed, pattern="cl100k") == counts + counts


def table(pieces, counts, kind=None, binary=None):
    return pa.table({"piece": pa.array(pieces, binary or pa.binary()), "count": pa.array(counts, kind)})


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (table([b"a", None], [1, 1]), ValueError, "row 1: the piece is null"),
        (table([b"a", b"b"], [1, None]), ValueError, "row 1: the count is null"),
        (table([b"a", b"b"], [1, -1]), ValueError, "row 1: the count is null or negative"),
        (table([b"a", b"a"], [2**64 - 1, 1], pa.uint64()), ValueError, "row 1"),
        (table(["a"], [1], binary=pa.string()), TypeError, "piece.*binary"),
        (table([b"a"], [1.0]), TypeError, "count.*integer"),
        (pa.table({"piece": [b"a"]}), ValueError, "count"),
        (pa.array([b"a"]), TypeError, "table"),
        ([(b"a", 1)], TypeError, "Arrow"),
        (None, TypeError, "Arrow"),
    ],
)
def test_tables_that_are_wrong(wrong, error, message):
    with pytest.raises(error, match=message):
        PieceCounts.from_arrow(wrong, pattern="cl100k")


def test_the_pattern_of_a_table():
    right = table([b"a"], [1])
    with pytest.raises(ValueError, match="pattern"):
        PieceCounts.from_arrow(right)
    with pytest.raises(ValueError, match="gpt2|cl100k"):
        PieceCounts.from_arrow(pa.table(count_pieces(["a"])), pattern="gpt2")
    assert PieceCounts.from_arrow(right, pattern="[a-z]+").pattern == "keep:[a-z]+"
    with pytest.raises(ValueError, match="gpt2|cl100k"):
        Tokenizer.train(counts=count_pieces(["a"]), pattern="gpt2")


def test_parquet_of_the_command_line(tmp_path, program, pieces):
    import subprocess

    import pyarrow.parquet as pq

    path = tmp_path / "counts.parquet"
    command = [program, "count-pieces", FIXTURES / "corpus.txt", "-o", path]
    subprocess.run([*command, "--pattern", "nanochat"], check=True, capture_output=True)
    counts = PieceCounts.from_arrow(pq.read_table(path))
    assert counts == count_pieces(files=[FIXTURES / "corpus.txt"], pattern="nanochat")


def test_files_of_both_forms_are_loaded_and_added_up(tmp_path):
    one, two = count_pieces(["to be or"], pattern="gpt2"), count_pieces(["to do"], pattern="gpt2")
    one.save(tmp_path / "one.tsv")
    two.save(tmp_path / "two.parquet")
    assert (tmp_path / "two.parquet").read_bytes()[:4] == b"PAR1"
    assert PieceCounts.load(tmp_path / "two.parquet") == two
    both = PieceCounts.load(tmp_path / "one.tsv", str(tmp_path / "two.parquet"), pattern="gpt2")
    assert both == one + two and both.pattern == "gpt2"
    for name in ("one.tsv", "two.parquet"):
        with pytest.raises(ValueError, match="another pattern: gpt2"):
            PieceCounts.load(tmp_path / name, pattern="cl100k")


def test_a_file_of_arrow_without_a_pattern_is_loaded_with_one(tmp_path):
    import pyarrow.parquet as pq

    path = tmp_path / "counts.parquet"
    pq.write_table(pa.table({"piece": pa.array([b"to"]), "count": pa.array([2])}), path)
    with pytest.raises(ValueError, match="pattern"):
        PieceCounts.load(path)
    assert PieceCounts.load(path, pattern="cl100k").items() == [(b"to", 2)]


@pytest.mark.parametrize("bytes", [b"", b"PAR1", b"PAR1" + bytes(64) + b"PAR1"])
def test_a_damaged_file_of_counts(tmp_path, bytes):
    path = tmp_path / "counts.parquet"
    path.write_bytes(bytes)
    with pytest.raises(ValueError, match="counts.parquet"):
        PieceCounts.load(path, pattern="cl100k")


def test_what_is_no_file_of_counts(tmp_path):
    with pytest.raises(TypeError, match="at least one file"):
        PieceCounts.load()
    with pytest.raises(ValueError, match="counts.csv"):
        PieceCounts.load(tmp_path / "counts.csv")
    with pytest.raises(FileNotFoundError):
        PieceCounts.load(tmp_path / "counts.parquet")


# Ctrl-C


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are other ones here")
def test_ctrl_c_breaks_counting_and_encoding_off():
    code = """
        import os, signal, sys, threading, time
        import tokenizer_py
        from tokenizer_py import Tokenizer, count_pieces, rustbpe
        text = "some words that are counted again and again, and %d more. " * 1000 % tuple(range(1000))
        long, longer = text * 600, text * 6000
        tokenizer = Tokenizer.train(iterator=[text], vocab_size=300)
        slow = Tokenizer.train(iterator=[text], vocab_size=300, pattern=r"[a-z]+(?=[ ,.])| ")
        forever = lambda: iter(lambda: text, None)
        calls = [
            lambda: count_pieces(forever()),
            lambda: count_pieces([long] * 20),
            lambda: rustbpe.Tokenizer().train_from_iterator(forever(), 300),
            lambda: tokenizer.encode_numpy(longer),
            lambda: tokenizer.encode_numpy(longer, threads=2),
            lambda: slow.encode_numpy(long),
            lambda: slow.count(long),
            lambda: slow.count_batch([long]),
            lambda: slow.encode_batch_numpy([long, long], threads=2),
            lambda: slow.encode_batch([long, long], threads=2),
            lambda: slow.encode(long),
        ]
        for number, call in enumerate(calls):
            started = []
            def interrupt():
                time.sleep(0.1)
                started.append(time.monotonic())
                os.kill(os.getpid(), signal.SIGINT)
            thread = threading.Thread(target=interrupt)
            thread.start()
            try:
                call()
                thread.join()
                time.sleep(0.5)
            except KeyboardInterrupt:
                took = time.monotonic() - started.pop()
                print(number, "interrupted", took < 1 or took)
                print(number, f"{took * 1000:.0f} ms", file=sys.stderr)
            thread.join()
    """
    lines = [f"{number} interrupted True" for number in range(11)]
    assert run_python(code, timeout=300).splitlines() == lines
