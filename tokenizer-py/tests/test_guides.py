"""The Python code in README.md and the guides of ``docs`` runs and returns the right ids.

The commands of the guides are run by a test of the command line; what they leave for the Python is
made by the package here.
"""

import json
import re

import numpy
import pytest
from conftest import FIXTURES, ROOT

from tokenizer_py import Tokenizer

SPECIAL = "<|endoftext|>"

# The hash of the model below, computed by the command line; see tokenizer-cli/tests/cli/headers.rs.
DECODING_SHA256 = "71f15be9b86d0c35386300c5f219da7fa1081e4e408afc5cdbeb1c8cbf4fd227"


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    corpus = FIXTURES / "corpus.txt"
    return Tokenizer.train(files=[corpus], vocab_size=4096, special_tokens=[SPECIAL])


def run(guide: str) -> dict:
    """Runs all Python blocks of a guide in order and returns their global names."""
    text = (ROOT / guide).read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks, guide
    names: dict = {}
    for block in blocks:
        exec(compile(block, guide, "exec"), names)
    return names


def test_transformers_loads_what_is_converted(model, tmp_path):
    model.save(tmp_path / "tokenizer.json")
    theirs = run("docs/huggingface.md")["tokenizer"]
    corpus = (FIXTURES / "corpus.txt").read_text("utf-8")
    lines = (FIXTURES / "hard_cases.jsonl").read_text("utf-8").splitlines()
    hard = [json.loads(line)["text"] for line in lines]
    for text in [corpus[:20_000], *hard, f"a{SPECIAL} {SPECIAL}b"]:
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        assert ids == model.encode(text, allowed_special="all"), repr(text[:80])


def test_numpy_reads_shards(model, tmp_path):
    documents = ["low lower", "", "slowest"]
    ids = [model.encode(text, append=SPECIAL) for text in documents]
    joined = numpy.array(sum(ids, []), dtype="<u2")
    joined.tofile(tmp_path / "train.bin")
    numpy.cumsum([len(one) for one in ids]).astype("<u8").tofile(tmp_path / "train.bin.index")
    model.save(tmp_path / "model.bpe")
    header = {"dtype": "uint16", "decoding_sha256": DECODING_SHA256}
    (tmp_path / "train.bin.json").write_text(json.dumps(header))
    names = run("docs/shards.md")
    starts = [0, *names["ends"][:-1]]
    read = [names["ids"][start:end].tolist() for start, end in zip(starts, names["ends"])]
    assert read == ids


def test_readme_trains_encodes_and_saves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").symlink_to(FIXTURES / "corpus.txt")
    names = run("README.md")
    assert names["tokenizer"].vocab_size == 4096
    assert names["rows"] == [names["tokenizer"].encode(text) for text in ("one text", "another")]
    assert Tokenizer.from_file("model.bpe").encode("hello world") == names["ids"]


def test_every_guide_with_python_is_run():
    with_python = [
        page.name for page in (ROOT / "docs").glob("*.md") if "```python" in page.read_text("utf-8")
    ]
    assert sorted(with_python) == ["huggingface.md", "shards.md"]
