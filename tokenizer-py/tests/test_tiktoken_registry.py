"""Encodings by name: files, cache, plugins and the table of models, compared with tiktoken."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import pytest
import tiktoken as theirs
import tiktoken.load
import tiktoken.model
import tiktoken.registry
import tiktoken_ext.openai_public
from conftest import GOLDEN, outcome, run_python, shared

import tokenizer_py.tiktoken.load
import tokenizer_py.tiktoken.model
import tokenizer_py.tiktoken.openai_public
import tokenizer_py.tiktoken.registry
from tokenizer_py import tiktoken as ours

MODULES = {"ours": ours, "theirs": theirs}
FILE = GOLDEN / "cl100k.tiktoken"
HASH = hashlib.sha256(FILE.read_bytes()).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def server():
    """Serves the file at ``/file`` and records requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            server.asked.append(self.path)
            found = self.path == "/file"
            self.send_response(200 if found else 404)
            self.end_headers()
            if found:
                self.wfile.write(server.content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.content = [], FILE.read_bytes()
    server.address = f"http://127.0.0.1:{server.server_port}/file"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def sha1(text):
    return hashlib.sha1(text.encode()).hexdigest()


def test_downloads_are_cached_for_tiktoken(server, cache):
    want = theirs.load.load_tiktoken_bpe(str(FILE))
    shutil.rmtree(cache)  # tiktoken also caches local files
    for _ in range(2):
        assert ours.load.load_tiktoken_bpe(server.address, HASH) == want
    assert os.listdir(cache) == [sha1(server.address)]
    assert theirs.load.load_tiktoken_bpe(server.address, HASH) == want
    assert len(server.asked) == 1


def test_the_cache_of_tiktoken_is_used(server, cache):
    want = theirs.load.load_tiktoken_bpe(server.address, HASH)
    assert ours.load.load_tiktoken_bpe(server.address, HASH) == want
    assert len(server.asked) == 1


def test_a_damaged_file_in_the_cache_is_fetched_again(server, cache):
    cache.mkdir()
    path = cache / sha1(server.address)
    path.write_bytes(FILE.read_bytes()[:-1])
    assert ours.load.read_file_cached(server.address, HASH) == FILE.read_bytes()
    assert path.read_bytes() == FILE.read_bytes()
    assert len(server.asked) == 1


@pytest.mark.parametrize("module", MODULES)
def test_a_corrupt_download_is_not_cached(server, cache, module):
    server.content = b"other\n"
    with pytest.raises(ValueError, match="Hash mismatch"):
        MODULES[module].load.load_tiktoken_bpe(server.address, HASH)
    assert not cache.exists() or not os.listdir(cache)


@pytest.mark.parametrize("module", MODULES)
def test_an_empty_name_means_no_cache(server, monkeypatch, module):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    for _ in range(2):
        MODULES[module].load.read_file_cached(server.address, HASH)
    assert len(server.asked) == 2


def test_the_other_variable_and_the_default_folder(server, monkeypatch, tmp_path):
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path / "gym"))
    ours.load.read_file_cached(server.address)
    assert os.listdir(tmp_path / "gym") == [sha1(server.address)]
    monkeypatch.delenv("DATA_GYM_CACHE_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ours.load.read_file_cached(server.address)
    assert os.listdir(tmp_path / "data-gym-cache") == [sha1(server.address)]


def test_a_cache_that_cannot_be_written(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="file"):
        ours.load.read_file_cached(server.address)
    # An unwritable default directory is ignored.
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert ours.load.read_file_cached(server.address) == server.content


def test_errors_of_the_server_and_of_the_network(server, cache):
    with pytest.raises(OSError, match="404") as raised:
        ours.load.read_file_cached(server.address + "s")
    assert str(cache / sha1(server.address + "s")) in str(raised.value)
    address = "http://127.0.0.1:1/file"
    with pytest.raises(ConnectionError, match="cannot fetch") as raised:
        ours.load.read_file_cached(address)
    assert address in str(raised.value)
    assert str(cache / sha1(address)) in str(raised.value)


def test_without_a_network_the_error_names_the_cache_path(cache):
    code = """
        import urllib.request
        from tokenizer_py import tiktoken
        def refuse(*_, **__):
            raise urllib.request.URLError("no network")
        urllib.request.urlopen = refuse
        try:
            tiktoken.get_encoding("cl100k_base")
        except ConnectionError as error:
            print(error)
    """
    message = run_python(code)
    assert "cl100k_base.tiktoken: no network" in message
    assert "9b5ad71b2ce5302211f9c61530b329a4922fc6a4" in message


def test_other_addresses_require_blobfile(cache):
    for module in MODULES.values():
        with mock.patch.dict(sys.modules, blobfile=None):
            with pytest.raises(ImportError, match="blobfile"):
                module.load.read_file_cached("az://there/file")


def test_a_local_file(tmp_path):
    want = theirs.load.load_tiktoken_bpe(str(FILE))
    assert ours.load.load_tiktoken_bpe(str(FILE)) == want
    assert ours.load.load_tiktoken_bpe(str(FILE), HASH) == want
    with pytest.raises(ValueError, match="Hash mismatch"):
        ours.load.load_tiktoken_bpe(str(FILE), "0" * 64)
    with pytest.raises(FileNotFoundError):
        ours.load.load_tiktoken_bpe(str(tmp_path / "none"))


LINES = [
    b"YQ== 0\nYg== 1\n",
    b"YQ== 0\r\nYg== 1",
    b"\n\nYQ== 0\n\n",
    b"  YQ==   0  \n",
    b"YQ== 0\tYg== 1",
    b"YQ==",
    b"YQ== x",
    b"YQ== 1_0",
    b"YQ== -5",
    b"YQ== +5",
    b"YQ== 99999999999",
    b"Y 0",
    b"Y!Q== 0",
    b"YR== 0",
    b"= 0",
    b"YQ== 0 0",
    b"YQ== 0\nYQ== 1\n",
    b"YQ== \xd9\xa3",
    b"",
]


@pytest.mark.parametrize("content", LINES)
def test_lines_are_read_as_tiktoken_reads_them(tmp_path, content, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    path = tmp_path / "ranks"
    path.write_bytes(content)
    one, two = (outcome(lambda m=m: m.load.load_tiktoken_bpe(str(path))) for m in MODULES.values())
    assert one == two


def test_dump_and_load(tmp_path):
    ranks = ours.load.load_tiktoken_bpe(str(FILE))
    shuffled = dict(sorted(ranks.items()))
    ours.load.dump_tiktoken_bpe(shuffled, str(tmp_path / "ranks"))
    assert (tmp_path / "ranks").read_bytes() == FILE.read_bytes()
    with pytest.raises(FileNotFoundError):
        ours.load.load_tiktoken_bpe(str(tmp_path / "none"))
    assert os.listdir(tmp_path) == ["ranks"]


def gpt2_files(tmp_path):
    """A small vocabulary in GPT-2's two files."""
    letters = [chr(byte) for byte in range(256) if chr(byte).isprintable() and byte != 32]
    letters += [chr(256 + place) for place in range(256 - len(letters))]
    merges = [("a", "b"), ("ab", "c"), ("Ġ", "a")]
    words = letters + [left + right for left, right in merges] + ["<|endoftext|>"]
    (tmp_path / "vocab.bpe").write_text(
        "#version: 0.2\n" + "".join(f"{left} {right}\n" for left, right in merges), "utf-8"
    )
    (tmp_path / "encoder.json").write_text(
        json.dumps({word: id for id, word in enumerate(words)}), "utf-8"
    )
    return str(tmp_path / "vocab.bpe"), str(tmp_path / "encoder.json")


def test_the_files_of_gpt2(tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    files = gpt2_files(tmp_path)
    for clobber in (False, True):
        one, two = (
            m.load.data_gym_to_mergeable_bpe_ranks(*files, clobber_one_byte_tokens=clobber)
            for m in MODULES.values()
        )
        assert one == two
        assert list(one) == list(two)
    encoder = json.loads((tmp_path / "encoder.json").read_text("utf-8"))
    (tmp_path / "encoder.json").write_text(json.dumps({**encoder, "zz": 300}), "utf-8")
    for module in MODULES.values():
        with pytest.raises(AssertionError):
            module.load.data_gym_to_mergeable_bpe_ranks(*files)


def test_the_same_names_and_models():
    assert ours.list_encoding_names() == theirs.list_encoding_names()
    assert ours.__version__ == theirs.__version__
    for table in ("MODEL_TO_ENCODING", "MODEL_PREFIX_TO_ENCODING"):
        one, two = (getattr(module.model, table) for module in MODULES.values())
        assert list(one.items()) == list(two.items())
    names = [*theirs.model.MODEL_TO_ENCODING, "gpt-4o-2024-05-13", "ft:gpt-4o:x", "gpt-oss-120b"]
    for name in [*names, "gpt-9", "", "GPT-4", None, 4]:
        one, two = (
            outcome(lambda m=m: m.encoding_name_for_model(name)) for m in MODULES.values()
        )
        assert one == two


def recorded(module, load, name):
    """Returns the arguments of an encoding with the names of its files instead of their content."""
    with (
        mock.patch.object(module, "load_tiktoken_bpe", lambda path, expected_hash: (path, expected_hash)),
        mock.patch.object(module, "data_gym_to_mergeable_bpe_ranks", lambda **files: files),
    ):
        return module.ENCODING_CONSTRUCTORS[name]()


@pytest.mark.parametrize("name", theirs.list_encoding_names())
def test_the_same_encodings(name):
    one = recorded(ours.openai_public, ours.load, name)
    two = recorded(tiktoken_ext.openai_public, theirs.load, name)
    assert one == two
    # An id with two special tokens decodes to the first.
    assert list(one["special_tokens"])[:3] == list(two["special_tokens"])[:3]


@pytest.mark.parametrize("name", [None, 3, b"gpt2", "", "gpt3"])
def test_no_such_encoding(name):
    for module in MODULES.values():
        with pytest.raises(ValueError, match="Unknown encoding|Expected a string"):
            module.get_encoding(name)


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """A folder for modules of ``tiktoken_ext``; resets the plugin search of both packages."""
    folder = tmp_path / "tiktoken_ext"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    import tiktoken_ext

    monkeypatch.setattr(tiktoken_ext, "__path__", [*tiktoken_ext.__path__, str(folder)])
    for module in MODULES.values():
        monkeypatch.setattr(module.registry, "ENCODING_CONSTRUCTORS", None)
        monkeypatch.setattr(module.registry, "ENCODINGS", {})
    theirs.registry._available_plugin_modules.cache_clear()
    yield folder
    theirs.registry._available_plugin_modules.cache_clear()
    for name in [name for name in sys.modules if name.startswith("tiktoken_ext.plugin_")]:
        del sys.modules[name]


PLUGIN = """
def tiny():
    ranks = {bytes([byte]): byte for byte in range(256)}
    return {"name": "tiny", "pat_str": ".", "mergeable_ranks": ranks, "special_tokens": {"<s>": 256}}
ENCODING_CONSTRUCTORS = {"tiny": tiny}
"""


def test_plugins(plugins):
    (plugins / "plugin_a.py").write_text(PLUGIN)
    assert ours.get_encoding("tiny").encode("a<s>", allowed_special="all") == [97, 256]
    assert ours.get_encoding("tiny") is ours.get_encoding("tiny")
    assert sorted(ours.list_encoding_names()) == sorted(theirs.list_encoding_names())
    assert "tiny" in ours.list_encoding_names()


@pytest.mark.parametrize(
    ("plugin", "message"),
    [("", "does not define"), (PLUGIN.replace('"tiny": ', '"gpt2": '), "Duplicate encoding name gpt2")],
)
def test_invalid_plugins(plugins, plugin, message):
    (plugins / "plugin_b.py").write_text(plugin)
    for module in MODULES.values():
        for _ in range(2):
            with pytest.raises(ValueError, match=message):
                module.list_encoding_names()


def test_without_tiktoken_there_are_openais_encodings():
    code = """
        import sys
        sys.modules["tiktoken"] = sys.modules["tiktoken_ext"] = None
        from tokenizer_py import tiktoken
        print(tiktoken.list_encoding_names())
    """
    assert run_python(code).strip() == str(theirs.list_encoding_names())


def test_registered_encodings_are_pickled_by_name(plugins):
    (plugins / "plugin_c.py").write_text(PLUGIN)
    encoding = ours.get_encoding("tiny")
    data = pickle.dumps(encoding)
    assert len(data) < 200
    again = pickle.loads(data)
    assert again.encode("abc") == encoding.encode("abc")
    assert again._mergeable_ranks is encoding._mergeable_ranks
    # An unregistered encoding with the same name is pickled with its tables.
    other = ours.Encoding(**{**ours.registry.ENCODING_CONSTRUCTORS["tiny"](), "special_tokens": {}})
    assert pickle.loads(pickle.dumps(other)).n_vocab == 256


def test_many_threads_get_one_encoding(plugins):
    (plugins / "plugin_d.py").write_text(PLUGIN)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(ours.get_encoding("tiny"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


# With the vocabularies beside the repository

ADDRESS = "https://openaipublic.blob.core.windows.net"
FILES = {
    **{
        f"{ADDRESS}/encodings/{name}.tiktoken": (f"{name}.tiktoken",)
        for name in ("r50k_base", "p50k_base", "cl100k_base", "o200k_base")
    },
    f"{ADDRESS}/gpt-2/encodings/main/vocab.bpe": ("gpt2", "merges.txt"),
    f"{ADDRESS}/gpt-2/encodings/main/encoder.json": ("gpt2", "vocab.json"),
}


@pytest.fixture(scope="module")
def full_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    for address, parts in FILES.items():
        shutil.copyfile(shared("vocabs", *parts), folder / sha1(address))
    return folder


@pytest.mark.parametrize("name", theirs.list_encoding_names())
def test_encodings_from_the_cache(full_cache, name, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(full_cache))
    one, two = (module.get_encoding(name) for module in MODULES.values())
    assert one.name == two.name
    assert one.n_vocab == two.n_vocab
    assert one._mergeable_ranks == two._mergeable_ranks
    assert one._special_tokens == two._special_tokens
    text = "hello world, 1234 it's <|endoftext|> \u6f22\u5b57 \n\n x" * 20
    for rules in ({"allowed_special": "all"}, {"disallowed_special": ()}):
        assert one.encode(text, **rules) == two.encode(text, **rules)
    for text in ("hello fanta", "x  \n\n", "\u6f22\u5b57"):
        stable, completions = one.encode_with_unstable(text)
        stable_there, completions_there = two.encode_with_unstable(text)
        assert stable == stable_there
        assert sorted(completions) == sorted(map(list, completions_there))
    assert pickle.loads(pickle.dumps(one)).encode("hello") == two.encode("hello")


def test_encodings_for_models_from_the_cache(full_cache, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(full_cache))
    assert ours.encoding_for_model("gpt-4") is ours.get_encoding("cl100k_base")
