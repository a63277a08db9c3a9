//! Selects the tokenizer class of a folder, as `AutoTokenizer` of transformers 5 does.
//!
//! Some classes use a `tokenizer.json` unchanged. Others take vocabulary and merges from it, or from `vocab.json`
//! and `merges.txt`, set normalizer and pattern themselves, and collect the added tokens of all files anew:
//!
//! | variant | classes of transformers 5 |
//! | --- | --- |
//! | [`Class::Gpt2`] | `GPT2Tokenizer`, `CodeGenTokenizer`; also OPT's |
//! | [`Class::Qwen2`], [`Class::Qwen35`] | `Qwen2Tokenizer`, `Qwen3_5Tokenizer` |
//! | [`Class::Roberta`] | `RobertaTokenizer`, `BartTokenizer`, `LongformerTokenizer`, `LEDTokenizer`, `MvpTokenizer` |
//! | [`Class::Blenderbot`], [`Class::Clip`], [`Class::Deberta`], [`Class::GptNeoX`], [`Class::Whisper`] | of the same names |
//! | [`Class::Llama`], [`Class::Gemma`] | `LlamaTokenizer` unless the file is byte-level, `GemmaTokenizer` |

use super::added::ClassTokens;
use super::companions::{CONFIG, Files, TOKENIZER_CONFIG};
use super::error::HuggingFaceError;
use super::json::{At, Json, object};
use super::write::byte_level_with;

/// What transformers does with a `tokenizer.json`, depending on the tokenizer class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Uses a `tokenizer.json` unchanged.
    AsFile,
    Gpt2,
    Qwen2,
    Qwen35,
    Roberta,
    Blenderbot,
    Clip,
    Deberta,
    GptNeoX,
    Whisper,
    /// Sets the decoder and the flags of the model, too, always differently from the files that it is used with.
    Llama,
    /// The same.
    Gemma,
    /// Any other class. It is refused.
    Other,
}

/// The class that a folder names, with the file and field that name it.
pub(super) struct NamedClass {
    pub(super) class: Class,
    file: &'static str,
    field: &'static str,
    name: String,
}

impl NamedClass {
    /// An error that refuses the class.
    pub(super) fn refused(&self, why: &'static str) -> HuggingFaceError {
        HuggingFaceError::Class {
            file: self.file,
            field: self.field,
            name: self.name.clone(),
            why,
        }
    }
}

impl Class {
    /// The special tokens that the class defines.
    pub(super) fn tokens(self) -> ClassTokens {
        const END: Option<&str> = Some("<|endoftext|>");
        const SENTENCE: [(&str, Option<&str>); 7] = [
            ("bos_token", Some("<s>")),
            ("eos_token", Some("</s>")),
            ("unk_token", Some("<unk>")),
            ("sep_token", Some("</s>")),
            ("pad_token", Some("<pad>")),
            ("cls_token", Some("<s>")),
            ("mask_token", Some("<mask>")),
        ];
        let defaults: &[(&str, Option<&str>)] = match self {
            Class::Gpt2 => &[
                ("unk_token", END),
                ("bos_token", END),
                ("eos_token", END),
                ("pad_token", None),
            ],
            Class::Qwen2 | Class::Qwen35 => &[
                ("unk_token", END),
                ("bos_token", None),
                ("eos_token", END),
                ("pad_token", END),
            ],
            Class::Roberta | Class::Blenderbot => &SENTENCE,
            Class::Clip => &[
                ("unk_token", END),
                ("bos_token", Some("<|startoftext|>")),
                ("eos_token", END),
                ("pad_token", END),
            ],
            Class::Deberta => &[
                ("bos_token", Some("[CLS]")),
                ("eos_token", Some("[SEP]")),
                ("unk_token", Some("[UNK]")),
                ("sep_token", Some("[SEP]")),
                ("cls_token", Some("[CLS]")),
                ("pad_token", Some("[PAD]")),
                ("mask_token", Some("[MASK]")),
            ],
            Class::GptNeoX => &[
                ("unk_token", END),
                ("bos_token", END),
                ("eos_token", END),
                ("pad_token", Some("<|padding|>")),
            ],
            Class::Whisper => &[("unk_token", END), ("bos_token", END), ("eos_token", END)],
            Class::Llama => &[
                ("unk_token", Some("<unk>")),
                ("bos_token", Some("<s>")),
                ("eos_token", Some("</s>")),
            ],
            Class::Gemma => &[
                ("unk_token", Some("<unk>")),
                ("bos_token", Some("<bos>")),
                ("eos_token", Some("<eos>")),
                ("pad_token", Some("<pad>")),
                ("mask_token", Some("<mask>")),
            ],
            Class::AsFile | Class::Other => &[],
        };
        ClassTokens {
            defaults,
            adds_twice: self == Class::Qwen2,
            mask_strips: self == Class::Blenderbot,
        }
    }

    /// Whether the class sets the decoder and the flags of the model as well.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Class::Llama | Class::Gemma)
    }

    /// The components that the class sets, in the form of a `tokenizer.json`; `None` if it keeps those of the
    /// file or is not supported. `config` is its `tokenizer_config.json`.
    pub(super) fn pipeline(self, config: &At<'_>) -> Result<Option<Json>, HuggingFaceError> {
        let is_prefix_default = matches!(self, Class::Blenderbot | Class::Llama);
        let prefix = config
            .field("add_prefix_space")
            .flag_or(is_prefix_default)?;
        let byte_level = |use_regex| byte_level_with(prefix, use_regex);
        let nfc = || object([("type", "NFC".into())]);
        let split = |regex| {
            let split = split(regex, "Isolated", false);
            sequence("pretokenizers", vec![split, byte_level(false)])
        };
        let (normalizer, pre_tokenizer) = match self {
            Class::Qwen2 => (nfc(), split(QWEN2_REGEX)),
            Class::Qwen35 => (nfc(), split(QWEN35_REGEX)),
            Class::Clip => clip_pipeline(),
            Class::GptNeoX => (nfc(), byte_level(true)),
            Class::Gpt2 | Class::Roberta | Class::Blenderbot | Class::Deberta | Class::Whisper => {
                (Json::Null, byte_level(true))
            }
            Class::Llama => {
                let is_legacy = config.field("legacy").flag_or(false)?;
                let scheme = match (prefix, is_legacy) {
                    (false, _) => "never",
                    (true, false) => "first",
                    (true, true) => "always",
                };
                let metaspace = object([
                    ("type", "Metaspace".into()),
                    ("replacement", "▁".into()),
                    ("prepend_scheme", scheme.into()),
                    ("split", false.into()),
                ]);
                (Json::Null, metaspace)
            }
            // The class also splits at spaces, of which its normalizer leaves none.
            Class::Gemma => (replace("String", " ", "▁"), Json::Null),
            Class::AsFile | Class::Other => return Ok(None),
        };
        let decoder = match self.is_text() {
            true => text_decoder(self == Class::Llama && prefix),
            false if self == Class::Clip => clip_decoder(),
            false => byte_level(true),
        };
        Ok(Some(object([
            ("normalizer", normalizer),
            ("pre_tokenizer", pre_tokenizer),
            ("decoder", decoder),
        ])))
    }

    /// Replaces the components and the flags of the model of a `tokenizer.json` by those that the class sets, if
    /// it sets any. Returns whether it does.
    pub(super) fn set_pipeline(
        self,
        tokenizer: &mut Json,
        config: &At<'_>,
    ) -> Result<bool, HuggingFaceError> {
        let Some(Json::Object(components)) = self.pipeline(config)? else {
            return Ok(false);
        };
        for (name, component) in components {
            tokenizer.set(&name, component);
        }
        let Some(model) = tokenizer.get_mut("model") else {
            return Ok(true);
        };
        model.set("dropout", Json::Null);
        model.set("continuing_subword_prefix", Json::Null);
        let suffix = (self == Class::Clip).then_some(CLIP_SUFFIX);
        model.set("end_of_word_suffix", suffix.map_or(Json::Null, Json::from));
        let unknown = config.field("unk_token");
        let assumed = match self {
            Class::Clip => Some("<|endoftext|>"),
            Class::Gemma => Some("<unk>"),
            _ => None,
        };
        let unknown = match assumed {
            Some(assumed) if unknown.is_null() => assumed.into(),
            Some(_) => unknown.get("content").unwrap_or(unknown).text()?.into(),
            None => Json::Null,
        };
        model.set("unk_token", unknown);
        model.set("fuse_unk", self.is_text().into());
        model.set("byte_fallback", self.is_text().into());
        model.set("ignore_merges", false.into());
        Ok(true)
    }

    fn of_name(name: &str) -> Class {
        match name.strip_suffix("Fast").unwrap_or(name) {
            "GPT2Tokenizer" | "CodeGenTokenizer" => Class::Gpt2,
            "Qwen2Tokenizer" => Class::Qwen2,
            "Qwen3_5Tokenizer" => Class::Qwen35,
            "RobertaTokenizer"
            | "BartTokenizer"
            | "LongformerTokenizer"
            | "LEDTokenizer"
            | "MvpTokenizer" => Class::Roberta,
            "BlenderbotTokenizer" => Class::Blenderbot,
            "CLIPTokenizer" => Class::Clip,
            "DebertaTokenizer" => Class::Deberta,
            "GPTNeoXTokenizer" => Class::GptNeoX,
            "WhisperTokenizer" => Class::Whisper,
            "LlamaTokenizer" => Class::Llama,
            "GemmaTokenizer" => Class::Gemma,
            "TokenizersBackend" | "PreTrainedTokenizer" | "PythonBackend" | "BloomTokenizer" => {
                Class::AsFile
            }
            _ => Class::Other,
        }
    }

    /// The class that transformers registers for a model type. `None` if it registers none, or one that is
    /// not supported here.
    fn of_model_type(model_type: &str) -> Option<Class> {
        match model_type {
            name if AS_FILE.contains(&name) => Some(Class::AsFile),
            name if GPT2.contains(&name) => Some(Class::Gpt2),
            name if QWEN2.contains(&name) => Some(Class::Qwen2),
            name if ROBERTA.contains(&name) => Some(Class::Roberta),
            name if GPT_NEOX.contains(&name) => Some(Class::GptNeoX),
            "blenderbot" => Some(Class::Blenderbot),
            name if CLIP.contains(&name) => Some(Class::Clip),
            "deberta" => Some(Class::Deberta),
            "whisper" => Some(Class::Whisper),
            name if OVERRIDDEN.contains(&name) => Some(Class::Other),
            _ => None,
        }
    }
}

const QWEN2_REGEX: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35_REGEX: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const CLIP_REGEX: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
const CLIP_SUFFIX: &str = "</w>";

/// White space at the ends, as Python's `str.strip` defines it.
const OUTER_SPACE: &str = r"\A[\s\x1C-\x1F]+|[\s\x1C-\x1F]+\z";

/// The normalizer and pre-tokenizer of CLIP's class.
fn clip_pipeline() -> (Json, Json) {
    let simple = |name: &str| object([("type", name.into())]);
    let spaces = replace("Regex", r"\s+", " ");
    let steps = vec![simple("NFC"), spaces, simple("Lowercase")];
    let split = split(CLIP_REGEX, "Removed", true);
    let steps_of_text = vec![split, byte_level_with(false, true)];
    (
        sequence("normalizers", steps),
        sequence("pretokenizers", steps_of_text),
    )
}

/// The decoder of CLIP's class, which replaces suffixes by spaces, but not at the ends.
fn clip_decoder() -> Json {
    let steps = vec![
        byte_level_with(false, true),
        replace("String", CLIP_SUFFIX, " "),
        replace("Regex", OUTER_SPACE, ""),
    ];
    sequence("decoders", steps)
}

fn split(regex: &str, behavior: &str, invert: bool) -> Json {
    object([
        ("type", "Split".into()),
        ("pattern", object([("Regex", regex.into())])),
        ("behavior", behavior.into()),
        ("invert", invert.into()),
    ])
}

fn sequence(name: &str, steps: Vec<Json>) -> Json {
    object([("type", "Sequence".into()), (name, Json::List(steps))])
}

/// Replaces a `kind` of pattern, `String` or `Regex`.
fn replace(kind: &str, from: &str, to: &str) -> Json {
    object([
        ("type", "Replace".into()),
        ("pattern", object([(kind, from.into())])),
        ("content", to.into()),
    ])
}

/// The decoder of the classes of text models, which may strip one space at the start.
fn text_decoder(strips: bool) -> Json {
    let simple = |name: &str| object([("type", name.into())]);
    let mut steps = vec![
        replace("String", "▁", " "),
        simple("ByteFallback"),
        simple("Fuse"),
    ];
    if strips {
        steps.push(object([
            ("type", "Strip".into()),
            ("content", " ".into()),
            ("start", 1.into()),
            ("stop", 0.into()),
        ]));
    }
    sequence("decoders", steps)
}

/// The class that `tokenizer_config.json` or `config.json` names, directly or by a model type; `None` if
/// neither does.
pub(super) fn named_class(files: &Files<'_>) -> Result<Option<NamedClass>, HuggingFaceError> {
    let text = |at: At<'_>| match at.is_null() {
        true => Ok(None),
        false => at.text().map(|text| Some(text.to_owned())),
    };
    let code = files
        .tokenizer_config
        .field("auto_map")
        .field("AutoTokenizer");
    if !code.is_null() {
        return Err(code.unsupported("custom tokenizer code is not run"));
    }
    let mut found = None;
    for (file, at) in [
        (TOKENIZER_CONFIG, &files.tokenizer_config),
        (CONFIG, &files.config),
    ] {
        if found.is_none() {
            let name = text(at.field("tokenizer_class"))?;
            found = name.map(|name| (file, "tokenizer_class", name));
        }
    }
    let model_type = text(files.config.field("model_type"))?;
    let registered = model_type.as_deref().and_then(Class::of_model_type);
    let is_overridden = model_type
        .as_deref()
        .is_some_and(|name| OVERRIDDEN.contains(&name));
    // For some model types, transformers ignores the class in the files.
    let overriding = registered.filter(|&class| class == Class::AsFile || is_overridden);
    let class = match (overriding, &found) {
        (Some(class), _) => class,
        (None, Some((_, _, name))) => Class::of_name(name),
        (None, None) => registered.unwrap_or(Class::Other),
    };
    let found = found.filter(|_| overriding.is_none());
    let found = found.or_else(|| model_type.map(|name| (CONFIG, "model_type", name)));
    Ok(found.map(|(file, field, name)| NamedClass {
        class,
        file,
        field,
        name,
    }))
}

/// Model types for which transformers 5.23 uses a `tokenizer.json` unchanged, whatever class the files
/// name.
#[rustfmt::skip]
const AS_FILE: &[&str] = &[
    "EvollaModel", "arctic", "aria", "beam", "bigbird_pegasus", "camembertv2-base", "canary",
    "chatlm", "cohere_asr", "ernie4_5", "ernie4_5_moe", "flex_olmo", "fuyu", "glm", "glm4",
    "glm4_moe", "glm4_moe_lite", "glm4v", "glm4v_moe", "glm_image", "glmasr", "got_ocr2",
    "gpt_bigcode", "gradium_phonon_tts", "granite", "granitemoe", "granitemoehybrid",
    "granitemoeshared", "h2ovl_chat", "hyperclovax", "hyperclovax_vlm", "internlm2", "internlm3",
    "iquestcoder", "jamba", "kimi_k25", "kimi_linear", "kosmos-2", "llava", "llava_next",
    "mimo_v2_flash", "minicpm3", "minicpm_ocr", "minicpmv", "minicpmv4_6", "minicpmv4_7",
    "minimax_m2", "ministral", "ministral3", "mistral", "mistral3", "mistral_large4", "mixtral",
    "modernbert", "modernbert-decoder", "molmo", "molmo2", "nemo_speechlm", "nemotron", "nvfp4",
    "nystromformer", "olmo2", "olmo3", "olmo_hybrid", "opencua", "openvla", "paddleocr_vl",
    "pegasus_x", "persimmon", "phi3", "phi3_v", "phimoe", "pix2struct", "pixtral", "pocket_tts",
    "smolvlm", "stablelm", "step3_vl", "umt5", "vipllava", "voxtral", "voxtral_realtime",
    "xlm-roberta-xl",
];

/// Model types whose class is `GPT2Tokenizer`.
#[rustfmt::skip]
const GPT2: &[&str] = &[
    "blip-2", "codegen", "dbrx", "emu3", "gpt2", "gpt_neo", "gptj", "hyperclovax_vision_v2",
    "instructblip", "instructblipvideo", "jais2", "opt", "phi", "starcoder2",
];

/// Model types whose class is `Qwen2Tokenizer`.
#[rustfmt::skip]
const QWEN2: &[&str] = &[
    "audioflamingo3", "colqwen2", "cosmos3_omni", "dots3_note", "fun_asr_nano", "hunyuan_vl",
    "internvl", "lighton_ocr", "moss_transcribe_diarize", "ovis2", "qianfan_ocr", "qwen2",
    "qwen2_5_omni", "qwen2_5_vl", "qwen2_audio", "qwen2_moe", "qwen2_vl", "qwen3", "qwen3_asr",
    "qwen3_moe", "qwen3_next", "qwen3_omni_moe", "qwen3_vl", "qwen3_vl_moe", "vibevoice",
];

/// Model types whose class is `RobertaTokenizer` or one of its aliases.
#[rustfmt::skip]
const ROBERTA: &[&str] = &[
    "bart", "bridgetower", "clap", "data2vec-text", "florence2", "ibert", "led", "lilt",
    "longformer", "mega", "mra", "mvp", "roberta", "roberta-prelayernorm",
];

/// Model types whose class is `CLIPTokenizer`.
#[rustfmt::skip]
const CLIP: &[&str] = &[
    "aimv2", "clip", "clipseg", "groupvit", "omdet-turbo", "oneformer", "owlv2", "owlvit", "sam3",
    "sam3_video", "xclip",
];

/// Model types whose class is `GPTNeoXTokenizer`.
#[rustfmt::skip]
const GPT_NEOX: &[&str] = &[
    "falcon_mamba", "gpt_neox", "mamba", "mamba2", "mpt", "olmo", "olmoe", "rwkv", "xlstm",
];

/// Besides those in [`AS_FILE`], the model types for which transformers 5.23 uses the registered class
/// whatever class the files name.
#[rustfmt::skip]
const OVERRIDDEN: &[&str] = &[
    "hyperclovax_vision_v2", "qwen2", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe_text", "qwen4_exp",
    "siglip2",
];
