//! The companion files of a tokenizer in a folder.

use super::error::{HuggingFaceError, MAX_BYTES};
use super::json::{At, Json};

pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const CONFIG: &str = "config.json";
const NAMES: [&str; 4] = [
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    CONFIG,
];

/// The files that affect a tokenizer and accompany it in its folder; `None` for a missing file.
#[derive(Clone, Debug, Default)]
pub struct Companions {
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<Vec<u8>>,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Option<Vec<u8>>,
    /// `added_tokens.json`.
    pub added_tokens: Option<Vec<u8>>,
    /// `config.json` of the model.
    pub config: Option<Vec<u8>>,
}

impl Companions {
    /// Pairs each file name with its field.
    pub fn by_name(&mut self) -> [(&'static str, &mut Option<Vec<u8>>); 4] {
        let [tokenizer_config, special_tokens_map, added_tokens, config] = NAMES;
        [
            (tokenizer_config, &mut self.tokenizer_config),
            (special_tokens_map, &mut self.special_tokens_map),
            (added_tokens, &mut self.added_tokens),
            (config, &mut self.config),
        ]
    }

    /// Whether all files are missing.
    pub(super) fn is_empty(&self) -> bool {
        self.contents().iter().all(|content| content.is_none())
    }

    fn contents(&self) -> [&Option<Vec<u8>>; 4] {
        let Companions {
            tokenizer_config,
            special_tokens_map,
            added_tokens,
            config,
        } = self;
        [tokenizer_config, special_tokens_map, added_tokens, config]
    }

    /// Parses the files. A missing file becomes `null`.
    pub(super) fn parse(&self) -> Result<Parsed, HuggingFaceError> {
        let mut parsed = Parsed(NAMES.map(|_| Json::Null));
        for ((file, bytes), json) in NAMES.into_iter().zip(self.contents()).zip(&mut parsed.0) {
            if let Some(bytes) = bytes {
                *json = object(bytes).map_err(|error| error.in_file(file))?;
            }
        }
        Ok(parsed)
    }
}

/// The parsed files, in the order of [`NAMES`].
pub(super) struct Parsed([Json; 4]);

impl Parsed {
    pub(super) fn files(&self) -> Files<'_> {
        let at = |index: usize| At::root_of(NAMES[index], &self.0[index]);
        Files {
            tokenizer_config: at(0),
            special_tokens_map: at(1),
            added_tokens: at(2),
            config: at(3),
        }
    }
}

fn object(bytes: &[u8]) -> Result<Json, HuggingFaceError> {
    if bytes.len() > MAX_BYTES {
        return Err(HuggingFaceError::TooLarge { bytes: bytes.len() });
    }
    let json = Json::parse(bytes)?;
    At::root(&json).entries()?;
    Ok(json)
}

/// The root of each parsed file. A missing file is `null`.
pub(super) struct Files<'f> {
    pub(super) tokenizer_config: At<'f>,
    pub(super) special_tokens_map: At<'f>,
    pub(super) added_tokens: At<'f>,
    pub(super) config: At<'f>,
}
