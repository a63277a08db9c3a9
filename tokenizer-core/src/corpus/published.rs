//! Published rank files, recognised by their SHA-256, and tiktoken's encodings by name.

use std::env;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::special::SpecialToken;
use crate::token::TokenId;

/// A published rank file.
#[derive(Debug)]
pub(super) struct RankFile {
    /// The name of the encoding that has this file and the special tokens of [`specials`].
    pub(super) name: &'static str,
    bytes: usize,
    sha256: &'static str,
    /// The name of the file in tiktoken's cache: the SHA-1 of its address.
    cached: &'static str,
    /// A name or a regex.
    pub(super) pattern: &'static str,
}

/// Hashes as in tiktoken's `openai_public.py`.
static RANK_FILES: [RankFile; 6] = [
    RankFile {
        name: "r50k_base",
        bytes: 835_554,
        sha256: "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        cached: "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4",
        pattern: "gpt2",
    },
    RankFile {
        name: "p50k_base",
        bytes: 836_186,
        sha256: "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
        cached: "ec7223a39ce59f226a68acc30dc1af2788490e15",
        pattern: "gpt2",
    },
    RankFile {
        name: "cl100k_base",
        bytes: 1_681_126,
        sha256: "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        cached: "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        pattern: "cl100k",
    },
    RankFile {
        name: "o200k_base",
        bytes: 3_613_922,
        sha256: "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        cached: "fb374d419588a4632f3f557e76b4b70aebbca790",
        pattern: "o200k",
    },
    // Llama 3's `tokenizer.model`. The special tokens of 3.0 and 3.1 have different names.
    RankFile {
        name: "",
        bytes: 2_183_982,
        sha256: "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55",
        cached: "",
        pattern: r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    },
    // Kimi K2's `tiktoken.model`. Its special tokens are in its `tokenizer_config.json`.
    RankFile {
        name: "",
        bytes: 2_795_286,
        sha256: "b6c497a7469b33ced9c38afb1ad6e47f03f5e5dc05f15930799210ec050c5103",
        cached: "",
        pattern: concat!(
            r"[\p{Han}]+",
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"|\p{N}{1,3}",
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*",
            r"|\s*[\r\n]+",
            r"|\s+(?!\S)",
            r"|\s+",
        ),
    },
];

/// The names of tiktoken's encodings.
pub const ENCODING_NAMES: [&str; 7] = [
    "gpt2",
    "r50k_base",
    "p50k_base",
    "p50k_edit",
    "cl100k_base",
    "o200k_base",
    "o200k_harmony",
];

impl RankFile {
    /// Recognises a file by its content. Hashes only contents of a published length.
    pub(super) fn of_content(content: &[u8]) -> Option<&'static RankFile> {
        RANK_FILES.iter().find(|file| file.is(content))
    }

    /// Returns the file of an encoding.
    pub(super) fn of_encoding(name: &str) -> Option<&'static RankFile> {
        let file = match name {
            "gpt2" => "r50k_base",
            "p50k_edit" => "p50k_base",
            "o200k_harmony" => "o200k_base",
            other => other,
        };
        let mut files = RANK_FILES.iter().filter(|file| !file.name.is_empty());
        files.find(|known| known.name == file)
    }

    /// Whether the file has this content.
    pub(super) fn is(&self, content: &[u8]) -> bool {
        self.bytes == content.len() && format!("{:x}", Sha256::digest(content)) == self.sha256
    }

    /// Returns the path of the file in tiktoken's cache; `None` if the cache is disabled by an empty variable.
    pub(super) fn in_cache(&self) -> Option<PathBuf> {
        let set = ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"];
        let set = set.iter().find_map(env::var_os).map(PathBuf::from);
        let folder = set.unwrap_or_else(|| env::temp_dir().join("data-gym-cache"));
        (!folder.as_os_str().is_empty()).then(|| folder.join(self.cached))
    }
}

/// Returns the special tokens of an encoding.
///
/// o200k_harmony has two texts for the id 200018; only `<|endofprompt|>` is returned, to which the id decodes.
pub(super) fn specials(encoding: &str) -> Vec<SpecialToken> {
    const TEXT: &str = "<|endoftext|>";
    const PROMPT: &str = "<|endofprompt|>";
    let fim = |first: TokenId| {
        let names = ["<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"];
        names.into_iter().zip(first..)
    };
    let mut tokens: Vec<(&str, TokenId)> = match encoding {
        "gpt2" | "r50k_base" | "p50k_base" | "p50k_edit" => vec![(TEXT, 50256)],
        "cl100k_base" => vec![(TEXT, 100_257), (PROMPT, 100_276)],
        "o200k_base" | "o200k_harmony" => vec![(TEXT, 199_999), (PROMPT, 200_018)],
        _ => Vec::new(),
    };
    match encoding {
        "p50k_edit" => tokens.extend(fim(50281)),
        "cl100k_base" => tokens.extend(fim(100_258)),
        "o200k_harmony" => tokens.extend([
            ("<|startoftext|>", 199_998),
            ("<|return|>", 200_002),
            ("<|constrain|>", 200_003),
            ("<|channel|>", 200_005),
            ("<|start|>", 200_006),
            ("<|end|>", 200_007),
            ("<|message|>", 200_008),
            ("<|call|>", 200_012),
        ]),
        _ => {}
    }
    let mut specials: Vec<SpecialToken> = tokens
        .into_iter()
        .map(|(content, id)| SpecialToken::new(content, id))
        .collect();
    if encoding == "o200k_harmony" {
        let reserved = (200_000..201_088).filter(|id| specials.iter().all(|known| known.id != *id));
        let reserved = reserved.map(|id| SpecialToken::new(format!("<|reserved_{id}|>"), id));
        let reserved: Vec<SpecialToken> = reserved.collect();
        specials.extend(reserved);
    }
    specials
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use crate::special::SpecialTokens;

    #[test]
    fn every_encoding_has_a_file_and_special_tokens() {
        // Numbers of special tokens in tiktoken 0.14; of o200k_harmony's 1,091, two share an id.
        for (name, count) in ENCODING_NAMES.iter().zip([1, 1, 1, 4, 5, 2, 1090]) {
            let file = RankFile::of_encoding(name).unwrap();
            assert_eq!(file.name.is_empty(), file.cached.is_empty());
            assert_eq!(
                SpecialTokens::new(specials(name)).unwrap().len(),
                count,
                "{name}"
            );
        }
        assert!(RankFile::of_encoding("").is_none());
        assert!(RankFile::of_encoding("cl100k").is_none());
        for file in &RANK_FILES {
            assert!(file.pattern.parse::<Pattern>().is_ok());
        }
    }
}
