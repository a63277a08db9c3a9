"""Folders in Hugging Face's layout, as ``transformers`` reads them.

Tokens may be named in five files, and the files may contradict each other. A folder gives the ids
that ``AutoTokenizer`` gives, or it is refused.
"""

import json
import os
import random
import subprocess
import sys

import pytest
from conftest import FIXTURES, shared
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

import tokenizer_py

FOLDERS = int(os.environ.get("TOKENIZER_FOLDERS", "400"))
SEED = int(os.environ.get("TOKENIZER_FOLDERS_SEED", "1"))
NAMED = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
FLAGS = ["single_word", "lstrip", "rstrip", "normalized"]
CONTENTS = ["<a>", "<b>", "<a><b>", "<pad>", "ab", "the", "a b", "<|endoftext|>", "e\u0301", "zz"]
TEXTS = [
    "a <a> b<b>  <a><b>x <pad>the ab abc zz zzz",
    " the  ab<|endoftext|> a b  e\u0301 \u00e9<a>  \n<b>",
    "".join(CONTENTS) + " ".join(CONTENTS),
]
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@pytest.fixture(scope="module")
def transformers():
    import transformers as module

    if int(module.__version__.split(".")[0]) < 5:
        pytest.skip("transformers 5 reads folders by the rules that are followed here")
    module.logging.set_verbosity_error()
    return module


def small_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    vocabulary = {token: id for id, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("t", "h"), ("th", "e"), ("a", "b"), ("\u0120", "the"), ("z", "z")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    return vocabulary, merges


def small_tokenizer(kind: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(*small_vocabulary()))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if kind == "qwen":
        split = pre_tokenizers.Split(Regex(QWEN), "isolated")
        bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_only])
        tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def write(folder, name: str, value) -> None:
    (folder / name).write_text(json.dumps(value, ensure_ascii=False), "utf-8")


def ours_of(folder):
    return tokenizer_py.Tokenizer.from_pretrained(folder)


def added_tokens_of(ours, folder) -> dict[int, tuple]:
    """Returns the added tokens with their flags, by id."""
    ours.save(folder / "written.json")
    tokens = json.loads((folder / "written.json").read_text("utf-8"))["added_tokens"]
    (folder / "written.json").unlink()
    return {token["id"]: tuple(token[key] for key in ["content", "special", *FLAGS]) for token in tokens}


def assert_equal(ours, theirs, folder, texts=TEXTS) -> None:
    decoder = theirs.added_tokens_decoder.items()
    want = {
        id: tuple(getattr(token, key) for key in ["content", "special", *FLAGS])
        for id, token in decoder
    }
    assert added_tokens_of(ours, folder) == want
    assert ours.vocab_size == len(theirs)
    for text in texts:
        ids = theirs.backend_tokenizer
        ids.no_truncation()
        ids.no_padding()
        ids = ids.encode(text, add_special_tokens=False).ids
        assert ours.encode(text, allowed_special="all") == ids, text


class Maker:
    """Random folders."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def maybe(self, chance: float) -> bool:
        return self.random.random() < chance

    def flags(self, special: bool = True) -> dict:
        names = [*FLAGS, "special"] if special else FLAGS
        return {name: self.maybe(0.4) for name in names if self.maybe(0.6)}

    def content(self) -> str:
        return self.random.choice(CONTENTS)

    def value(self, null: bool = False):
        """A token as an entry of tokenizer_config.json."""
        if null and self.maybe(0.15):
            return None
        if self.maybe(0.3):
            return {"__type": "AddedToken", "content": self.content(), **self.flags()}
        return self.content()

    def values(self) -> list:
        return [self.value() for _ in range(self.random.randrange(4))]

    def specials(self, config: dict, value, chance: float) -> None:
        for name in NAMED:
            if self.maybe(chance):
                config[name] = value(null=True)
        if self.maybe(0.2):
            config["image_token"] = value()

    def config(self) -> dict:
        config = {"model_max_length": 512, "add_bos_token": False, "hf_tokens": ["x"]}
        self.specials(config, self.value, 0.25)
        if self.maybe(0.3):
            config["additional_special_tokens"] = self.random.choice([None, self.values()])
        if self.maybe(0.3):
            tokens = {"b_token": self.value(), "eos_token": self.value(), "name": self.value()}
            config["extra_special_tokens"] = self.random.choice([None, {}, tokens, self.values()])
        if self.maybe(0.1):
            config["model_specific_special_tokens"] = {"c_token": self.value()}
        if self.maybe(0.4):
            config["added_tokens_decoder"] = {
                str(self.random.randrange(400)): {"content": self.content(), **self.flags()}
                for _ in range(self.random.randrange(4))
            }
        items = list(config.items())
        self.random.shuffle(items)
        return dict(items)

    def map(self) -> dict:
        def value(null: bool = False):
            if null and self.maybe(0.1):
                return None
            if self.maybe(0.5):
                special = {"special": True} if self.maybe(0.3) else {}
                return {"content": self.content(), **special, **self.flags(special=False)}
            return self.content()

        special_tokens_map = {}
        self.specials(special_tokens_map, value, 0.3)
        if self.maybe(0.2):
            special_tokens_map["additional_special_tokens"] = [self.content(), self.content()]
        if self.maybe(0.2):
            listed = [self.content(), {"content": self.content(), **self.flags(special=False)}]
            special_tokens_map["extra_special_tokens"] = listed
        return special_tokens_map

    def tokenizer(self, kind: str) -> Tokenizer:
        tokenizer = small_tokenizer(kind)
        for _ in range(self.random.randrange(4)):
            flags = self.flags()
            tokenizer.add_tokens([AddedToken(self.content(), **flags)])
        if self.maybe(0.2):
            tokenizer.enable_padding(pad_token=self.content(), length=7)
        if self.maybe(0.2):
            tokenizer.enable_truncation(5)
        return tokenizer

    def fill(self, folder) -> None:
        kind = self.random.choice(["gpt2", "gpt2", "qwen", "pair"])
        classes = [None, "PreTrainedTokenizerFast", "TokenizersBackend", "LlamaTokenizerFast"]
        classes += ["GPT2Tokenizer", "GPT2TokenizerFast", "Qwen2Tokenizer", "Qwen2TokenizerFast"]
        classes = ["GPT2Tokenizer", "GPT2TokenizerFast"] if kind == "pair" else classes
        chosen = self.random.choice(classes)
        if kind == "pair":
            vocabulary, merges = small_vocabulary()
            if self.maybe(0.5):
                vocabulary["<|endoftext|>"] = len(vocabulary)
            write(folder, "vocab.json", vocabulary)
            lines = ["#version: 0.2", *(" ".join(merge) for merge in merges), ""]
            (folder / "merges.txt").write_text("\n".join(lines), "utf-8")
        else:
            self.tokenizer(kind).save(str(folder / "tokenizer.json"))
        if kind == "pair" or self.maybe(0.85):
            config = self.config()
            if chosen is not None:
                config["tokenizer_class"] = chosen
            write(folder, "tokenizer_config.json", config)
        if self.maybe(0.4):
            write(folder, "special_tokens_map.json", self.map())
        if self.maybe(0.4):
            ids = list(range(300))
            self.random.shuffle(ids)
            names = {self.content() for _ in range(3)}
            write(folder, "added_tokens.json", {name: ids.pop() for name in sorted(names)})
        if self.maybe(0.3):
            types = ["gpt2", "qwen2", "qwen3", "llama", "phi3", "mistral", "granite"]
            types = ["gpt2", "llama"] if kind == "pair" else types
            write(folder, "config.json", {"model_type": self.random.choice(types)})


# Folders that transformers reads and this package refuses.
REFUSED = [
    "is listed both as special and as not special",
    "transformers sets normalizer, pre_tokenizer and ignore_merges itself",
    'model_type "llama" is not supported',
]


def test_folders_are_read_as_transformers_reads_them(transformers, tmp_path):
    read = refused = 0
    for number in range(SEED * 1_000_000, SEED * 1_000_000 + FOLDERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        Maker(number).fill(folder)
        try:
            theirs = transformers.AutoTokenizer.from_pretrained(str(folder))
        except Exception as error:
            theirs = error
        try:
            ours = ours_of(folder)
        except ValueError as error:
            known = any(reason in str(error) for reason in REFUSED)
            assert known or isinstance(theirs, Exception), f"folder {number}: {error}"
            refused += 1
            continue
        assert not isinstance(theirs, Exception), f"folder {number}: {theirs!r}"
        try:
            assert_equal(ours, theirs, folder)
        except AssertionError as error:
            raise AssertionError(f"folder {number}: {error}") from None
        read += 1
    assert read > 0.6 * FOLDERS, (read, refused)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("confirmed", [None, False, True])
def test_decoded_text_is_cleaned_up_if_transformers_does(asked, confirmed, transformers, tmp_path):
    small_tokenizer("gpt2").save(str(tmp_path / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": asked}
    if confirmed is not None:
        config["clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"] = confirmed
    write(tmp_path, "tokenizer_config.json", config)
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    ours = ours_of(tmp_path)
    ours.save(tmp_path / "again.bpe")
    ours.save(tmp_path / "again.json")
    read_again = [tokenizer_py.Tokenizer.from_file(tmp_path / f"again.{kind}") for kind in ["bpe", "json"]]
    chosen = random.Random(SEED)
    parts = [" ", ".", "?", "!", ",", "'", "n't", "'m", "do not", "'s", "'ve", "'re", "a", "\u00e9", "  "]
    for _ in range(300):
        ids = theirs.encode("".join(chosen.choices(parts, k=9)), add_special_tokens=False)
        ids = ids[chosen.randrange(2) :]
        want = theirs.decode(ids)
        assert [model.decode(ids, errors="replace") for model in [ours, *read_again]] == [want] * 3
    assert (ours.decode(ours.encode("a .")) == "a.") == (asked and confirmed is True)


def test_a_token_of_the_configuration_alone_has_an_id(transformers, tmp_path):
    small_tokenizer("gpt2").save(str(tmp_path / "tokenizer.json"))
    size = len(small_vocabulary()[0])
    write(tmp_path, "tokenizer_config.json", {"pad_token": "<pad>"})
    ours = ours_of(tmp_path)
    assert ours.vocab_size == size + 1
    assert ours.encode("<pad>", allowed_special="all") == [size]
    assert_equal(ours, transformers.AutoTokenizer.from_pretrained(str(tmp_path)), tmp_path)
    alone = tokenizer_py.Tokenizer.from_file(tmp_path / "tokenizer.json")
    assert alone.vocab_size == size, "a tokenizer.json by itself is read by itself"


def test_the_padding_of_a_file_names_a_token(transformers, tmp_path):
    tokenizer = small_tokenizer("gpt2")
    tokenizer.enable_padding(pad_token="<fill>")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    write(tmp_path, "tokenizer_config.json", {"tokenizer_class": "TokenizersBackend"})
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert "<fill>" in theirs.get_vocab()
    assert_equal(ours_of(tmp_path), theirs, tmp_path)


def test_many_tokens_are_read_in_linear_time(tmp_path):
    small_tokenizer("gpt2").save(str(tmp_path / "tokenizer.json"))
    tokens = [f"<{number}>" for number in range(20_000)]
    decoder = {str(id): {"content": token} for id, token in enumerate(tokens)}
    config = {"added_tokens_decoder": decoder, "extra_special_tokens": tokens}
    write(tmp_path, "tokenizer_config.json", config)
    script = f"import tokenizer_py as t; print(t.Tokenizer.from_pretrained({str(tmp_path)!r}).vocab_size)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=True)
    assert int(done.stdout) == len(small_vocabulary()[0]) + len(tokens)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("tokenizer_config.json", {"pad_token": 7}, "tokenizer_config.json: pad_token: expected"),
        ("tokenizer_config.json", {"pad_token": {"content": "x"}}, "pad_token: expected a string"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"x": {"content": "y"}}}, "decoder.x"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"1": {"new": 1}}}, "1.new: unknown field"),
        ("tokenizer_config.json", {"extra_special_tokens": "<a>"}, "extra_special_tokens"),
        ("tokenizer_config.json", {"fix_mistral_regex": True}, "fix_mistral_regex"),
        ("tokenizer_config.json", {"fast_tokenizer_files": ["tokenizer.4.json"]}, "fast_tokenizer"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a.B", None]}}, "auto_map"),
        ("tokenizer_config.json", [], "tokenizer_config.json: top level: expected an object"),
        ("special_tokens_map.json", {"eos_token": 1}, "special_tokens_map.json: eos_token"),
        ("added_tokens.json", {"<a>": "x"}, "added_tokens.json: <a>: expected"),
        ("tokenizer_config.json", {"tokenizer_class": "CohereTokenizer"}, '"CohereTokenizer" is not'),
        ("tokenizer_config.json", {"tokenizer_class": "Qwen2Tokenizer"}, '"Qwen2Tokenizer" is not'),
        ("config.json", {"model_type": "bert"}, 'model_type "bert" is not supported'),
        ("config.json", {"tokenizer_class": "CohereTokenizer"}, 'config.json: tokenizer_class "Cohere'),
    ],
)
def test_what_is_not_followed_is_named(name, content, named, tmp_path):
    small_tokenizer("gpt2").save(str(tmp_path / "tokenizer.json"))
    ours_of(tmp_path)
    write(tmp_path, name, content)
    with pytest.raises(ValueError) as error:
        ours_of(tmp_path)
    assert named in str(error.value)
    tokenizer_py.Tokenizer.from_file(tmp_path / "tokenizer.json")


def test_broken_companions_are_named(tmp_path):
    small_tokenizer("gpt2").save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "added_tokens.json").write_text("{", "utf-8")
    with pytest.raises(ValueError, match="added_tokens.json: invalid JSON"):
        ours_of(tmp_path)


def pair_in(folder, suffix: str = "") -> None:
    vocabulary, merges = small_vocabulary()
    if suffix:
        merges = [*merges, ("th", "e" + suffix), ("a", "b" + suffix), ("z", "z" + suffix)]
        ends = [token + suffix for token in vocabulary]
        vocabulary |= {token: len(vocabulary) + number for number, token in enumerate(ends)}
    vocabulary["<|endoftext|>"] = len(vocabulary)
    write(folder, "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), "utf-8")


OTHERS = ["CohereTokenizer", "PreTrainedTokenizerFast", "LlamaTokenizer", "GemmaTokenizer", "Made"]


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("file", ["tokenizer_config.json", "config.json"])
def test_a_pair_of_another_class_is_refused_by_name(name, file, tmp_path):
    pair_in(tmp_path)
    write(tmp_path, file, {"tokenizer_class": name})
    for read in [ours_of, lambda folder: tokenizer_py.Tokenizer.from_file(folder / "vocab.json")]:
        with pytest.raises(ValueError, match=f'{file}: tokenizer_class "{name}" is not supported'):
            read(tmp_path)


def test_a_pair_of_another_kind_of_model_is_refused(tmp_path):
    pair_in(tmp_path)
    write(tmp_path, "config.json", {"model_type": "cohere"})
    with pytest.raises(ValueError, match='model_type "cohere" is not supported'):
        ours_of(tmp_path)
    # The tokenizer class takes precedence, but transformers overrides it for some model types.
    write(tmp_path, "tokenizer_config.json", {"tokenizer_class": "GPT2Tokenizer"})
    ours_of(tmp_path)
    write(tmp_path, "config.json", {"model_type": "qwen3_5"})
    with pytest.raises(ValueError, match="is not supported"):
        ours_of(tmp_path)


def test_a_pair_without_a_class_is_taken_for_gpt2(tmp_path):
    pair_in(tmp_path)
    for read in [ours_of, lambda folder: tokenizer_py.Tokenizer.from_file(folder / "vocab.json")]:
        with pytest.warns(UserWarning, match="vocab.json: read as GPT-2's"):
            ours = read(tmp_path)
        assert ours.encode("the") == [small_vocabulary()[0]["the"]]


def test_tokens_beside_a_pair_are_read(transformers, tmp_path):
    pair_in(tmp_path)
    write(tmp_path, "added_tokens.json", {"<y>": 400, "<x>": 399})
    write(tmp_path, "special_tokens_map.json", {"pad_token": "<x>", "bos_token": "<s>"})
    write(tmp_path, "config.json", {"model_type": "gpt2"})
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    ours = tokenizer_py.Tokenizer.from_file(tmp_path / "vocab.json")
    size = len(small_vocabulary()[0]) + 1
    assert ours.encode("<x><y><s>", allowed_special="all") == [size, size + 1, size + 2]
    assert_equal(ours, theirs, tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.warns(UserWarning, match="read as GPT-2's"):
        assert added_tokens_of(ours_of(tmp_path), tmp_path) == added_tokens_of(ours, tmp_path)


PAIR_CLASSES = ["GPT2Tokenizer", "CodeGenTokenizerFast", "Qwen2Tokenizer", "RobertaTokenizer", "BartTokenizer"]
PAIR_CLASSES += ["LongformerTokenizer", "LEDTokenizer", "MvpTokenizer", "BlenderbotTokenizer"]
PAIR_CLASSES += ["DebertaTokenizer", "GPTNeoXTokenizer", "WhisperTokenizer", "CLIPTokenizer"]
CONFIGS = [
    {},
    {"add_prefix_space": True, "add_bos_token": True, "add_eos_token": True, "bos_token": "<a>"},
    {"add_prefix_space": False, "mask_token": "<a>", "additional_special_tokens": ["<|startoftranscript|>"]},
]


def assert_processed(ours, theirs, texts) -> None:
    for text in texts:
        want = theirs(text)["input_ids"]
        assert ours.encode(text, allowed_special="all", add_special_tokens=True) == want


def assert_decodes(ours, theirs) -> None:
    chosen = random.Random(SEED)
    known = sorted(theirs.get_vocab().values())
    for _ in range(200):
        ids = chosen.choices(known, k=chosen.randrange(12))
        assert ours.decode(ids, errors="replace") == theirs.decode(ids)
        want = theirs.decode(ids, skip_special_tokens=True)
        assert ours.decode(ids, errors="replace", skip_special_tokens=True) == want


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("name", PAIR_CLASSES)
def test_a_pair_is_read_as_its_class_says(name, config, transformers, tmp_path):
    pair_in(tmp_path, "</w>" if name == "CLIPTokenizer" else "")
    write(tmp_path, "tokenizer_config.json", {"tokenizer_class": name, **config})
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    ours = ours_of(tmp_path)
    assert_equal(ours, theirs, tmp_path)
    assert_processed(ours, theirs, TEXTS)
    assert_decodes(ours, theirs)
    # The class may have a tokenizer.json that transformers wrote.
    theirs.save_pretrained(str(tmp_path / "saved"))
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "saved"))
    ours = ours_of(tmp_path / "saved")
    assert_processed(ours, theirs, TEXTS)
    assert_decodes(ours, theirs)


@pytest.mark.parametrize("name", PAIR_CLASSES)
def test_the_published_pair_of_gpt2(name, transformers, tmp_path):
    for file in ["vocab.json", "merges.txt"]:
        (tmp_path / file).symlink_to(shared("vocabs", "gpt2", file))
    write(tmp_path, "tokenizer_config.json", {"tokenizer_class": name})
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    ours, texts = ours_of(tmp_path), [*TEXTS, "#include <a>\n"]
    assert_equal(ours, theirs, tmp_path, texts)
    assert_processed(ours, theirs, texts)


@pytest.mark.parametrize(("file", "name"), [("llama2", "LlamaTokenizer"), ("mistral03", "LlamaTokenizerFast")])
def test_llamas_class_replaces_the_components_of_the_file(file, name, transformers, tmp_path):
    (tmp_path / "tokenizer.json").symlink_to(shared("vocabs", "real", f"{file}.json"))
    for more in [{}, {"legacy": True}, {"add_prefix_space": False, "add_eos_token": True}]:
        write(tmp_path, "tokenizer_config.json", {"tokenizer_class": name, **more})
        theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
        ours = ours_of(tmp_path)
        for text in [*TEXTS, "<s> x</s>y  z<s>", " \u2581a"]:
            want = theirs.encode(text, add_special_tokens=False)
            assert ours.encode(text, allowed_special="all") == want
            assert ours.decode(want) == theirs.decode(want, clean_up_tokenization_spaces=False)
        assert_processed(ours, theirs, TEXTS)


def test_the_kinds_of_models_are_those_of_transformers(transformers):
    """The lists in ``class.rs`` against the version that they come from."""
    if not transformers.__version__.startswith("5.23."):
        pytest.skip("the lists are those of transformers 5.23")
    from transformers.models.auto import tokenization_auto as auto

    root = FIXTURES.parent / "tokenizer-core" / "src" / "format" / "huggingface" / "class.rs"
    source = root.read_text("utf-8")
    lists = {
        name: set(json.loads("[" + source.split(f"const {name}: &[&str] = &[")[1].split(",\n];")[0] + "]"))
        for name in ["AS_FILE", "GPT2", "QWEN2", "ROBERTA", "CLIP", "GPT_NEOX", "OVERRIDDEN"]
    }
    mapping = {kind: (name or "").removesuffix("Fast") for kind, name in auto.TOKENIZER_MAPPING_NAMES.items()}
    # Where mistral-common is not installed, its models are read with the first of these.
    generic = {"TokenizersBackend", "PreTrainedTokenizer", "PythonBackend", "MistralCommonBackend"}
    assert lists["AS_FILE"] == {kind for kind, name in mapping.items() if name in generic}
    assert lists["GPT2"] == {kind for kind, name in mapping.items() if name == "GPT2Tokenizer"}
    assert lists["QWEN2"] == {kind for kind, name in mapping.items() if name == "Qwen2Tokenizer"}
    roberta = {"RobertaTokenizer", "BartTokenizer", "LEDTokenizer", "MvpTokenizer"}
    assert lists["ROBERTA"] == {kind for kind, name in mapping.items() if name in roberta}
    assert lists["CLIP"] == {kind for kind, name in mapping.items() if name == "CLIPTokenizer"}
    assert lists["GPT_NEOX"] == {kind for kind, name in mapping.items() if name == "GPTNeoXTokenizer"}
    wrong = auto.MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS - lists["AS_FILE"]
    assert lists["OVERRIDDEN"] == wrong


def converted_source(name, folder):
    """Returns the argument of ``convert`` for a published tokenizer, and the folder with its files."""
    configs = {
        "gpt2": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True},
        "qwen": {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "chat_template": "{{ x }}"},
        "gpt_neox": {"tokenizer_class": "GPTNeoXTokenizerFast"},
        "modernbert": {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"},
        "llama2": {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"},
        "mistral03": {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": True},
    }
    files = {
        "gpt2": [("vocabs", "gpt2", "vocab.json"), ("vocabs", "gpt2", "merges.txt")],
        "qwen": [("vocabs", "qwen", "tokenizer.json")],
    }
    for path in files.get(name, [("vocabs", "real", f"{name}.json")]):
        kept = path[-1] if name in files else "tokenizer.json"
        (folder / kept).symlink_to(shared(*path))
    write(folder, "tokenizer_config.json", configs[name])
    (folder / "chat_template.jinja").write_text("{{ messages }}", "utf-8")


@pytest.mark.parametrize("name", ["gpt2", "qwen", "gpt_neox", "modernbert", "llama2", "mistral03"])
def test_converted_folders_are_read_by_transformers(name, transformers, program, tmp_path):
    source, folder = tmp_path / "source", tmp_path / "folder"
    source.mkdir()
    converted_source(name, source)
    subprocess.run([program, "convert", source, "-o", f"{folder}/", "-q"], check=True)
    before = transformers.AutoTokenizer.from_pretrained(str(source))
    after = transformers.AutoTokenizer.from_pretrained(str(folder))
    for role in NAMED:
        assert getattr(after, role) == getattr(before, role)
    assert after.chat_template == before.chat_template == "{{ messages }}"
    ours = ours_of(folder)
    for text in [*TEXTS, "<s> Hello[SEP]  world</s>", "<|im_end|>12345"]:
        want = before.encode(text, add_special_tokens=False)
        assert after.encode(text, add_special_tokens=False) == want
        assert ours.encode(text, allowed_special="all") == want
        assert after(text)["input_ids"] == before(text)["input_ids"]


def settings_of(path) -> tuple:
    file = json.loads(path.read_text("utf-8"))
    return file["truncation"], file["padding"]


SETTINGS = [
    ({"max_length": 5}, {}),
    ({"max_length": 512, "stride": 3, "strategy": "only_first", "direction": "left"}, None),
    (None, {"length": 9, "pad_id": 3, "pad_token": "<p>", "direction": "left", "pad_to_multiple_of": 8}),
]


@pytest.mark.parametrize(("truncation", "padding"), SETTINGS)
def test_truncation_and_padding_are_kept_and_not_applied(truncation, padding, tmp_path):
    theirs = small_tokenizer("gpt2")
    plain = tmp_path / "plain.json"
    theirs.save(str(plain))
    if truncation is not None:
        theirs.enable_truncation(**truncation)
    if padding is not None:
        theirs.enable_padding(**padding)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = tokenizer_py.Tokenizer.from_file(tmp_path / "tokenizer.json")
    ours.save(tmp_path / "again.json")
    ours.save(tmp_path / "native.bpe")
    tokenizer_py.Tokenizer.from_file(tmp_path / "native.bpe").save(tmp_path / "through.json")
    want = settings_of(tmp_path / "tokenizer.json")
    assert want != (None, None)
    assert settings_of(tmp_path / "again.json") == want
    assert settings_of(tmp_path / "through.json") == want
    assert settings_of(plain) == (None, None)
    again = Tokenizer.from_file(str(tmp_path / "again.json"))
    assert (again.truncation, again.padding) == (theirs.truncation, theirs.padding)
    theirs.no_truncation()
    theirs.no_padding()
    for text in TEXTS:
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids


def test_the_folder_that_transformers_saves_after_a_call(transformers, tmp_path):
    tokenizer_py.Tokenizer.from_file(FIXTURES / "golden" / "cl100k.tiktoken", pattern="cl100k").save(
        tmp_path / "tokenizer.json"
    )
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(tmp_path / "tokenizer.json"), eos_token="<end>", pad_token="<pad>"
    )
    theirs(["a text", "another, longer text"], padding=True, truncation=True, max_length=3)
    theirs.save_pretrained(str(tmp_path / "saved"))
    truncation, padding = settings_of(tmp_path / "saved" / "tokenizer.json")
    assert truncation["max_length"] == 3 and padding["pad_token"] == "<pad>"
    ours = ours_of(tmp_path / "saved")
    again = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "saved"))
    assert_equal(ours, again, tmp_path / "saved")
    ours.save(tmp_path / "saved" / "written.json")
    assert settings_of(tmp_path / "saved" / "written.json") == (truncation, padding)
