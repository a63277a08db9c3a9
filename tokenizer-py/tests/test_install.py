"""``tokenizer_py.install``: other packages import this one under the names of the originals."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
import rustbpe as original_rustbpe
import tiktoken as original
import tiktoken._educational
import tiktoken._tiktoken
import tiktoken.load
import tiktoken.model
import tiktoken.registry
import tiktoken_ext.openai_public
from conftest import FIXTURES, GOLDEN, PATTERNS, golden_ranks, run_python

import tokenizer_py

NAMES = ("rustbpe", "tiktoken", "tiktoken_ext")


def imported():
    """All modules of the originals, and the finders."""
    modules = {
        name: module for name, module in sys.modules.items() if name.partition(".")[0] in NAMES
    }
    return modules, list(sys.meta_path)


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = imported()
    yield
    tokenizer_py.uninstall()
    after = imported()
    assert before[0].keys() == after[0].keys()
    assert all(before[0][name] is after[0][name] for name in before[0])
    assert before[1] == after[1]


@pytest.fixture
def installed():
    with pytest.warns(RuntimeWarning, match="^rustbpe and tiktoken imported before"):
        return tokenizer_py.install()


def test_every_way_to_import(installed):
    import rustbpe
    import tiktoken
    import tiktoken.core
    import tiktoken.load as load
    from tiktoken import Encoding, model, registry
    from tiktoken.load import load_tiktoken_bpe
    from tiktoken_ext import openai_public

    ours = tokenizer_py.tiktoken
    assert (tiktoken, rustbpe) == (ours, tokenizer_py.rustbpe)
    assert tiktoken.core is ours.core
    assert Encoding is ours.core.Encoding
    assert (model, load, registry) == (ours.model, ours.load, ours.registry)
    assert load_tiktoken_bpe is ours.load.load_tiktoken_bpe
    assert openai_public is importlib.import_module("tokenizer_py.tiktoken.openai_public")
    assert importlib.import_module("tiktoken._tiktoken").CoreBPE is type(
        ours.Encoding("x", pat_str=".", mergeable_ranks=golden_ranks("gpt2"), special_tokens={})._core_bpe
    )
    assert tiktoken.model.MODEL_TO_ENCODING["gpt-4"] == "cl100k_base"


def test_modules_keep_their_specs(installed):
    import tiktoken.core

    assert tiktoken.core.__spec__.name == "tokenizer_py.tiktoken.core"
    assert importlib.util.find_spec("tiktoken") is tokenizer_py.tiktoken.__spec__
    assert importlib.util.find_spec("tiktoken.load").name in (
        "tiktoken.load",
        "tokenizer_py.tiktoken.load",
    )
    assert importlib.util.find_spec("tiktoken.none") is None
    with pytest.raises(ModuleNotFoundError, match=r"tiktoken\.none"):
        importlib.import_module("tiktoken.none")


def test_the_version_of_the_original(installed):
    import tiktoken

    assert importlib.metadata.version("tiktoken") == tiktoken.__version__ == original.__version__


def test_uninstall(installed):
    tokenizer_py.uninstall()
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    assert tiktoken is original
    assert load_tiktoken_bpe is original.load.load_tiktoken_bpe
    tokenizer_py.uninstall()


def is_installed():
    return importlib.import_module("tiktoken") is tokenizer_py.tiktoken


@pytest.mark.filterwarnings("ignore:.*imported before:RuntimeWarning")
def test_blocks():
    with tokenizer_py.install():
        assert is_installed()
        with tokenizer_py.install(), pytest.raises(ZeroDivisionError), tokenizer_py.install():
            raise ZeroDivisionError
        assert is_installed()
    assert not is_installed()
    block = tokenizer_py.install()
    for _ in range(2):
        with block, block:
            assert is_installed()
        assert not is_installed()


@pytest.mark.filterwarnings("ignore:.*imported before:RuntimeWarning")
def test_repeated_calls():
    for _ in range(3):
        tokenizer_py.install()
    with tokenizer_py.install():
        pass
    assert is_installed()
    tokenizer_py.uninstall()
    assert not is_installed()
    with tokenizer_py.install():
        tokenizer_py.uninstall()
        assert not is_installed()
        tokenizer_py.install()
    assert is_installed()


def test_warnings_as_errors_change_nothing():
    before = imported()
    with pytest.raises(RuntimeWarning, match="call install"):
        tokenizer_py.install()
    assert imported() == before


def test_the_warning_points_at_the_caller():
    with pytest.warns(RuntimeWarning) as caught:
        tokenizer_py.install()
    assert caught[0].filename == __file__


def test_no_warning_without_the_originals():
    code = """
        import sys, warnings
        warnings.simplefilter("error")
        import tokenizer_py
        sys.modules["tiktoken"] = tokenizer_py.tiktoken
        tokenizer_py.install()
        import tiktoken.load
        tokenizer_py.uninstall()
        print(sys.modules["tiktoken"].__name__, sorted(m for m in sys.modules if m[:4] == "tikt"))
    """
    assert run_python(code).strip() == "tokenizer_py.tiktoken ['tiktoken']"


def test_pickles_of_the_original_load_as_ours(installed):
    encoding = original.Encoding(
        "sample", pat_str=PATTERNS["cl100k"], mergeable_ranks=golden_ranks("cl100k"), special_tokens={}
    )
    tokenizer_py.uninstall()
    data = pickle.dumps(encoding)
    assert type(pickle.loads(data)) is original.Encoding
    with pytest.warns(RuntimeWarning):
        tokenizer_py.install()
    again = pickle.loads(data)
    assert type(again) is tokenizer_py.tiktoken.Encoding
    assert again.encode("hello world") == encoding.encode("hello world")


PLUGIN = f"""
from tiktoken.load import load_tiktoken_bpe
from tiktoken_ext.openai_public import ENDOFTEXT

def sample():
    ranks = load_tiktoken_bpe({str(GOLDEN / "cl100k.tiktoken")!r})
    return {{
        "name": "sample",
        "pat_str": {PATTERNS["cl100k"]!r},
        "mergeable_ranks": ranks,
        "special_tokens": {{ENDOFTEXT: len(ranks)}},
    }}

ENCODING_CONSTRUCTORS = {{"sample": sample}}
"""


@pytest.fixture
def plugin(tmp_path):
    """A folder with a plugin that defines the encoding ``sample``."""
    (tmp_path / "tiktoken_ext").mkdir()
    (tmp_path / "tiktoken_ext" / "sample.py").write_text(PLUGIN)
    return tmp_path


def run(code, *options):
    """Runs code in a new process and returns its output."""
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": ""}
    command = [sys.executable, *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("has_plugin", [True, False])
def test_originals_that_are_not_installed(plugin, tmp_path_factory, has_plugin):
    folder = tmp_path_factory.mktemp("packages")
    (folder / "tokenizer_py").symlink_to(Path(tokenizer_py.__file__).parent)
    code = f"""
import sys
import threading
import warnings
sys.path += [{str(folder)!r}, {str(plugin)!r}][:{1 + has_plugin}]
import tokenizer_py
for _ in range(2):
    with tokenizer_py.install():
        import tiktoken_ext, tiktoken, rustbpe
        from tiktoken_ext.openai_public import ENCODING_CONSTRUCTORS
        assert tiktoken.get_encoding is tokenizer_py.tiktoken.get_encoding
        assert set(ENCODING_CONSTRUCTORS) <= set(tiktoken.list_encoding_names())
        if {has_plugin}:
            assert tiktoken.get_encoding("sample").encode_ordinary("hello")
    for name in ("tiktoken", "rustbpe", "tiktoken_ext.openai_public"):
        try:
            __import__(name)
        except ModuleNotFoundError:
            continue
        raise AssertionError(name)
print(tiktoken.list_encoding_names()[-1])
"""
    output = run(code, "-I", "-S", "-W", "error")
    assert output == ("sample" if has_plugin else "o200k_harmony")


LIBRARIES = {
    "langchain_text_splitters": """
from langchain_text_splitters import CharacterTextSplitter, TokenTextSplitter
token_splitter = TokenTextSplitter(encoding_name="sample", chunk_size=50, chunk_overlap=7)
paragraphs = CharacterTextSplitter.from_tiktoken_encoder(
    encoding_name="sample", chunk_size=100, chunk_overlap=20, separator="\\n", keep_separator=True
)
results = [token_splitter.split_text(text), paragraphs.split_text(text)]
""",
    "semchunk": """
import semchunk
import tiktoken
chunker = semchunk.chunkerify(tiktoken.get_encoding("sample"), chunk_size=40)
results = [chunker(text), chunker(text, offsets=True, overlap=0.25)]
""",
    "litellm": """
import litellm
from litellm.utils import trim_messages
messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "hello"}]
ids = litellm.encode(model="gpt-4", text=text)
results = [
    litellm.token_counter(model="gpt-4", messages=messages),
    litellm.token_counter(model="gpt-4o", text=text),
    trim_messages(messages, model="gpt-4", max_tokens=300),
    ids,
    litellm.decode(model="gpt-4", tokens=ids),
]
""",
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries(library, plugin):
    """Results with the original and with ours are equal."""
    if importlib.util.find_spec(library) is None:
        required = os.environ.get("TOKENIZER_REQUIRE", "").split(",")
        (pytest.fail if "libraries" in required else pytest.skip)(f"no {library}")
    code = f"""
import json, os, sys
os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", HF_HUB_OFFLINE="1")
sys.path.append({str(plugin)!r})
with open({str(FIXTURES / "corpus.txt")!r}, encoding="utf-8", newline="") as file:
    text = file.read()[:30_000]
{LIBRARIES[library]}
print(json.dumps([sys.modules["tiktoken"].__name__, results]))
"""
    used, want = json.loads(run(code))
    assert used == "tiktoken"
    used, got = json.loads(run("import tokenizer_py; tokenizer_py.install()\n" + code))
    assert used == "tokenizer_py.tiktoken"
    assert got == want


MODULES = ["", ".core", ".load", ".model", ".registry", "._educational", "._tiktoken"]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_of_the_original(module):
    """Functions, classes and constants; not the modules and types that the original imports."""
    theirs = importlib.import_module("tiktoken" + module)
    ours = importlib.import_module("tokenizer_py.tiktoken" + module)
    for name, value in vars(theirs).items():
        defined = getattr(value, "__module__", theirs.__name__).startswith(("tiktoken", "builtins"))
        if defined and type(value) is not type(sys) and not name.startswith("__") and name != "annotations":
            assert hasattr(ours, name), name
            if isinstance(value, type):
                assert not [attribute for attribute in dir(value) if not hasattr(getattr(ours, name), attribute)]


def test_every_public_name_of_the_plugin_and_of_rustbpe():
    from tokenizer_py.tiktoken import openai_public

    assert vars(openai_public).keys() >= vars(tiktoken_ext.openai_public).keys()
    names = {name for name in vars(original_rustbpe) if not name.startswith("__")} - {"rustbpe"}
    assert vars(tokenizer_py.rustbpe).keys() >= names
    assert set(dir(tokenizer_py.rustbpe.Tokenizer)) >= set(dir(original_rustbpe.Tokenizer))


def test_the_native_half():
    """``CoreBPE``, made as the original makes it."""
    parts = golden_ranks("cl100k"), {"<s>": 5000}, PATTERNS["cl100k"]
    ours, theirs = (
        module.CoreBPE(*parts)
        for module in (importlib.import_module("tokenizer_py.tiktoken._tiktoken"), tiktoken._tiktoken)
    )
    text = "hello <s> world 漢字"
    assert ours.encode(text, {"<s>"}) == theirs.encode(text, {"<s>"})
    assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)
    assert ours.decode_bytes([5000, 104]) == theirs.decode_bytes([5000, 104])
    assert bytes(ours.encode_to_tiktoken_buffer(text, set())) == bytes(
        theirs.encode_to_tiktoken_buffer(text, set())
    )


@pytest.mark.parametrize("visualise", ["colour", "simple", None])
def test_the_educational_module(visualise, capsys):
    text = "aaa aaaa low lower lowest 漢字 漢 " * 3
    results = []
    for name in ("tiktoken", "tokenizer_py.tiktoken"):
        module = importlib.import_module(name + "._educational")
        ranks = module.bpe_train(text, 270, PATTERNS["gpt2"], visualise)
        encoding = module.SimpleBytePairEncoding(pat_str=PATTERNS["gpt2"], mergeable_ranks=ranks)
        ids = encoding.encode("lowest aaaaa 漢", visualise)
        decoded = encoding.decode(ids), encoding.decode_tokens_bytes(ids)
        results.append((list(ranks.items()), ids, decoded, capsys.readouterr().out))
    assert results[0] == results[1]


def test_uninstall_after_the_finders_are_gone():
    saved = list(sys.meta_path)
    with pytest.warns(RuntimeWarning):
        tokenizer_py.install()
    sys.meta_path[:] = saved
    tokenizer_py.uninstall()
    assert sys.modules["tiktoken"] is original


def test_other_threads_import_meanwhile():
    """Modules come and go in ``sys.modules`` while it is searched."""
    done = threading.Event()

    def change() -> None:
        number = 0
        while not done.is_set():
            number += 1
            name = f"made_up_{number % 50}"
            sys.modules[name] = original
            sys.modules.pop(name, None)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                tokenizer_py.install()
            assert sys.modules["tiktoken"] is tokenizer_py.tiktoken
            tokenizer_py.uninstall()
            assert sys.modules["tiktoken"] is original
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
