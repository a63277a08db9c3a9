//! Selects the tokenizer class of a folder, as `AutoTokenizer` of transformers 5 does.
//!
//! Some classes use a `tokenizer.json` unchanged. Others take vocabulary and merges from it, set normalizer and
//! pattern themselves, and collect the added tokens of all files anew; two of these are supported, GPT-2's
//! and Qwen2's.

use super::added::ClassTokens;
use super::companions::{CONFIG, Files, TOKENIZER_CONFIG};
use super::error::HuggingFaceError;
use super::json::At;

/// What transformers does with a `tokenizer.json`, depending on the tokenizer class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Uses a `tokenizer.json` unchanged.
    AsFile,
    /// `GPT2Tokenizer`.
    Gpt2,
    /// `Qwen2Tokenizer`.
    Qwen2,
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
        let defaults: &[(&str, Option<&str>)] = match self {
            Class::Gpt2 => &[
                ("unk_token", END),
                ("bos_token", END),
                ("eos_token", END),
                ("pad_token", None),
            ],
            Class::Qwen2 => &[
                ("unk_token", END),
                ("bos_token", None),
                ("eos_token", END),
                ("pad_token", END),
            ],
            Class::AsFile | Class::Other => &[],
        };
        ClassTokens {
            defaults,
            adds_twice: self == Class::Qwen2,
        }
    }

    /// The normalizer and pre-tokenizer that the class sets, in the form of a `tokenizer.json`; `None` if it
    /// keeps those of the file or is not supported.
    pub(super) fn pipeline(self) -> Option<&'static str> {
        match self {
            Class::Gpt2 => Some(
                r#"{"normalizer": null, "pre_tokenizer": {"type": "ByteLevel",
                "add_prefix_space": false, "trim_offsets": true, "use_regex": true}}"#,
            ),
            Class::Qwen2 => Some(
                r#"{"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": {"Regex":
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
                {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}}"#,
            ),
            Class::AsFile | Class::Other => None,
        }
    }

    fn of_name(name: &str) -> Class {
        match name.strip_suffix("Fast").unwrap_or(name) {
            "GPT2Tokenizer" => Class::Gpt2,
            "Qwen2Tokenizer" => Class::Qwen2,
            // Llama's class uses a `tokenizer.json` of byte-level BPE unchanged.
            "TokenizersBackend"
            | "PreTrainedTokenizer"
            | "PythonBackend"
            | "BloomTokenizer"
            | "LlamaTokenizer" => Class::AsFile,
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
            name if OVERRIDDEN.contains(&name) => Some(Class::Other),
            _ => None,
        }
    }
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

/// Besides those in [`AS_FILE`], the model types for which transformers 5.23 uses the registered class
/// whatever class the files name.
#[rustfmt::skip]
const OVERRIDDEN: &[&str] = &[
    "hyperclovax_vision_v2", "qwen2", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe_text", "qwen4_exp",
    "siglip2",
];
