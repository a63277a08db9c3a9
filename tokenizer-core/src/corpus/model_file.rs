//! Models by name: files, whose format is chosen by the extension, folders, tiktoken's encodings, and models
//! in Hugging Face's cache.

use std::fmt;
#[cfg(feature = "huggingface")]
use std::fs;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hashbrown::HashSet;

use super::atomic::write_atomically;
use super::file::{FileError, read_file};
use super::hub::{self, is_hub_name};
use super::published::{ENCODING_NAMES, RankFile, specials};
#[cfg(feature = "huggingface")]
use crate::format::{huggingface, tekken};
use crate::format::{native, sentencepiece, tiktoken};
use crate::hash::Seeds;
use crate::model::Model;
#[cfg(feature = "huggingface")]
use crate::model::{Merging, ModelError};
use crate::pattern::Pattern;
use crate::special::SpecialToken;
#[cfg(feature = "huggingface")]
use crate::special::SpecialTokens;
use crate::token::TokenId;

/// The format of a model file, chosen by its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelFormat {
    /// `.bpe`: the whole model, in this project's own format.
    Native,
    /// `.tiktoken`: token bytes and ranks.
    Tiktoken,
    /// `.json`: Hugging Face's `tokenizer.json`, and to read, also `vocab.json` and `tekken.json`.
    HuggingFace,
    /// SentencePiece's protobuf, recognised by its content. Only read.
    SentencePiece,
}

impl ModelFormat {
    /// The format by extension; `None` for unknown extensions.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "bpe" => Some(ModelFormat::Native),
            "tiktoken" => Some(ModelFormat::Tiktoken),
            "json" => Some(ModelFormat::HuggingFace),
            _ => None,
        }
    }

    /// The format of a file to read: by extension, else by the first bytes of the file for SentencePiece, else
    /// by the names `tokenizer.model` and `tiktoken.model`, which files of ranks have.
    #[must_use]
    pub fn of_path_to_read(path: &Path) -> Option<Self> {
        if let Some(format) = Self::of_path(path) {
            return Some(format);
        }
        let is_named = |name: &&str| path.file_name() == Some((*name).as_ref());
        let is_ranks = RANK_MODEL_NAMES.iter().any(is_named);
        let head = head(path).unwrap_or_default();
        // A damaged SentencePiece model is reported as such: a file of ranks does not start with a line feed.
        let is_damaged = is_ranks && head.starts_with(b"\n");
        match is_damaged || sentencepiece::is_model(&head) {
            true => Some(ModelFormat::SentencePiece),
            false => is_ranks.then_some(ModelFormat::Tiktoken),
        }
    }
}

/// The first bytes of a file.
fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut head)?;
    Ok(head)
}

/// The names of rank files in folders: Kimi's, and Llama 3's. SentencePiece's models have the second name too.
const RANK_MODEL_NAMES: [&str; 2] = ["tiktoken.model", "tokenizer.model"];

/// The name of Mistral's files of ranks.
#[cfg(feature = "huggingface")]
const TEKKEN: &str = "tekken.json";

/// What a file of ranks does not store.
///
/// The files of r50k_base, p50k_base, cl100k_base and o200k_base are recognised by their SHA-256, and have
/// the pattern and special tokens of these encodings. So are those of Kimi K2 and Llama 3, which have a
/// pattern only. Options take precedence: a pattern replaces the published one, and a special token replaces
/// published ones of the same text or id.
#[derive(Clone, Debug, Default)]
pub struct RankOptions {
    /// The pattern. Required unless the file is recognised.
    pub pattern: Option<Pattern>,
    /// Special tokens.
    pub specials: Vec<SpecialToken>,
}

impl RankOptions {
    /// Checks that no options are given for the model at `path`, which stores its own.
    fn check_unused(&self, path: &Path) -> Result<(), LoadError> {
        match self {
            RankOptions {
                pattern: Some(_), ..
            } => Err(LoadError::PatternGiven(path.to_owned())),
            _ if !self.specials.is_empty() => Err(LoadError::SpecialsGiven(path.to_owned())),
            _ => Ok(()),
        }
    }
}

/// An error while reading a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// An unknown extension.
    #[error("{}: unknown model extension (expected .bpe, .json or .tiktoken)", .0.display())]
    UnknownFormat(PathBuf),
    /// No pattern was given for a `.tiktoken` file, which stores none.
    #[error("{}: a .tiktoken file stores no pattern: specify the pattern", .0.display())]
    PatternMissing(PathBuf),
    /// A pattern was given for a model that stores its own.
    #[error("{}: the model stores its own pattern: do not specify another", .0.display())]
    PatternGiven(PathBuf),
    /// Special tokens were given for a model that stores its own.
    #[error("{}: the model stores its own special tokens: do not specify others", .0.display())]
    SpecialsGiven(PathBuf),
    /// An invalid or unsupported SentencePiece model.
    #[error("{}: {}", .0.display(), .1)]
    SentencePiece(PathBuf, sentencepiece::SentencePieceError),
    /// A folder with a `tokenizer.model` and without `tokenizer.json`.
    #[error(
        "{}: no tokenizer.json, and transformers changes the tokenizer.model in ways that depend on the \
         tokenizer class: give the file itself for the ids of sentencepiece", .0.display()
    )]
    OnlyTokenizerModel(PathBuf),
    /// Not the name of one of tiktoken's encodings.
    #[error("unknown encoding {0:?} (expected {list})", list = ENCODING_NAMES.join(", "))]
    UnknownEncoding(String),
    /// The file of an encoding is not in tiktoken's cache.
    #[error(
        "{name}: not in tiktoken's cache (expected {}); to fetch it, run: python -c 'import tiktoken; \
         tiktoken.get_encoding(\"{name}\")'", .path.display()
    )]
    NotInTiktokenCache {
        /// The name of the encoding.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// tiktoken's cache is disabled.
    #[error(
        "{0}: tiktoken's cache is disabled, since TIKTOKEN_CACHE_DIR or DATA_GYM_CACHE_DIR is empty"
    )]
    TiktokenCacheDisabled(String),
    /// A file in tiktoken's cache is damaged.
    #[error("{}: not the file of {name}, since its SHA-256 differs: delete it", .path.display())]
    WrongHash {
        /// The name of the encoding.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// A model is not in Hugging Face's cache.
    #[error(
        "{name}: neither a file nor in Hugging Face's cache ({}); to fetch it, run: hf download {name} \
         --include '*token*' '*.json' merges.txt --exclude '*.index.json'", .path.display()
    )]
    NotInHubCache {
        /// `OWNER/NAME`.
        name: String,
        /// The folder of the model in the cache.
        path: PathBuf,
    },
    /// The crate was built without support for this format.
    #[error("{}: this program was built without Hugging Face support", .0.display())]
    NotBuilt(PathBuf),
    /// An invalid `.bpe` file.
    #[error("{}: {}", .0.display(), .1)]
    Native(PathBuf, native::NativeError),
    /// An invalid `.tiktoken` file.
    #[error("{}: {}", .0.display(), .1)]
    Tiktoken(PathBuf, tiktoken::TiktokenError),
    /// An invalid or unsupported `tokenizer.json` or `tekken.json`, or a file in the same folder.
    #[cfg(feature = "huggingface")]
    #[error("{}: {}", .0.display(), .1)]
    HuggingFace(PathBuf, huggingface::HuggingFaceError),
}

/// An error while writing a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An unknown extension.
    #[error("{}: unknown model extension (expected .bpe, .json or .tiktoken)", .0.display())]
    UnknownFormat(PathBuf),
    /// The crate was built without support for this format.
    #[error("{}: this program was built without Hugging Face support", .0.display())]
    NotBuilt(PathBuf),
    /// A model that `.tiktoken` cannot store.
    #[error("{}: {}", .0.display(), .1)]
    Tiktoken(PathBuf, tiktoken::NotRanks),
    /// A model that a `tokenizer.json` cannot store.
    #[cfg(feature = "huggingface")]
    #[error("{}: {}", .0.display(), .1)]
    HuggingFace(PathBuf, huggingface::HuggingFaceError),
}

/// A model and the assumptions made while reading it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadedModel {
    /// The model.
    pub model: Model,
    /// Assumptions to report to the user.
    pub notes: Vec<LoadNote>,
    /// The folder whose files describe the model together; `None` if it was read from one file.
    pub folder: Option<PathBuf>,
}

impl LoadedModel {
    /// A model read from one file, without assumptions.
    fn of_file(model: Model) -> Self {
        let (notes, folder) = (Vec::new(), None);
        LoadedModel {
            model,
            notes,
            folder,
        }
    }
}

/// An assumption about something that the files leave open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadNote {
    /// This `vocab.json`, with its `merges.txt`, was read as GPT-2's tokenizer, because no file in the folder
    /// names a tokenizer class.
    AssumedGpt2(PathBuf),
}

impl fmt::Display for LoadNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadNote::AssumedGpt2(path) => write!(
                f,
                "{}: read as GPT-2's tokenizer, since no tokenizer_config.json or config.json in \
                 its folder names another",
                path.display()
            ),
        }
    }
}

/// Reads a model from a folder in Hugging Face's layout, as transformers does: the `tokenizer.json`, or
/// else `vocab.json` with `merges.txt`; and the added tokens of `tokenizer_config.json`,
/// `special_tokens_map.json` and `added_tokens.json`.
///
/// A folder with neither may have a `tekken.json`, or ranks in a `tiktoken.model` or `tokenizer.model`, whose
/// special tokens are those in `tokenizer_config.json`.
///
/// # Errors
/// If a file cannot be read, is invalid or is unsupported; the error names the file.
#[cfg(feature = "huggingface")]
pub fn load_folder(directory: &Path) -> Result<LoadedModel, LoadError> {
    load_any_folder(directory, RankOptions::default())
}

/// Reads a folder; `options` apply if it has ranks.
#[cfg(feature = "huggingface")]
fn load_any_folder(directory: &Path, options: RankOptions) -> Result<LoadedModel, LoadError> {
    let whole = directory.join("tokenizer.json");
    if !whole.exists() {
        let others = ["vocab.json", TEKKEN].iter().chain(&RANK_MODEL_NAMES);
        let other = others
            .map(|name| directory.join(name))
            .find(|path| path.exists());
        if let Some(path) = other {
            return match ModelFormat::of_path_to_read(&path) {
                Some(ModelFormat::Tiktoken) => load_rank_folder(&path, options),
                Some(ModelFormat::SentencePiece) => {
                    Err(LoadError::OnlyTokenizerModel(directory.to_owned()))
                }
                _ => load_model_with_notes(&path, options),
            };
        }
    }
    options.check_unused(directory)?;
    let bytes = read_file(&whole)?;
    let model = huggingface::read_folder(&bytes, &companions(directory)?)
        .map_err(|error| LoadError::HuggingFace(whole, error))?;
    Ok(LoadedModel {
        folder: Some(directory.to_owned()),
        ..LoadedModel::of_file(model)
    })
}

/// Reads a file of ranks with the special tokens that `tokenizer_config.json` in its folder names. Those in
/// `options` take precedence.
#[cfg(feature = "huggingface")]
fn load_rank_folder(path: &Path, options: RankOptions) -> Result<LoadedModel, LoadError> {
    let RankOptions { pattern, specials } = options;
    let alone = RankOptions {
        pattern,
        ..RankOptions::default()
    };
    let loaded = load_model_with_notes(path, alone)?;
    let model = &loaded.model;
    if *model.merging() != Merging::Ranks {
        return Ok(loaded);
    }
    let directory = path.parent().unwrap_or(Path::new(""));
    let companions = companions(directory)?;
    let named = huggingface::read_rank_specials(&companions, model.vocab().len());
    let named = named.map_err(|error| LoadError::HuggingFace(path.to_owned(), error))?;
    let published = model.specials().iter().cloned().collect();
    let specials = replace_specials(replace_specials(published, named), specials);
    let specials = SpecialTokens::new(specials).map_err(ModelError::from);
    let model = specials.and_then(|specials| model.with_specials(specials));
    let model = model.map_err(|error| LoadError::Tiktoken(path.to_owned(), error.into()))?;
    Ok(LoadedModel {
        model,
        folder: Some(directory.to_owned()),
        ..loaded
    })
}

/// Returns the special tokens of both lists. Those of the second replace ones of the same text or id.
fn replace_specials(mut old: Vec<SpecialToken>, new: Vec<SpecialToken>) -> Vec<SpecialToken> {
    let contents: HashSet<&str, Seeds> = new.iter().map(|token| token.content.as_str()).collect();
    let ids: HashSet<TokenId, Seeds> = new.iter().map(|token| token.id).collect();
    old.retain(|token| !ids.contains(&token.id) && !contents.contains(token.content.as_str()));
    drop(contents);
    old.extend(new);
    old
}

/// Reads `vocab.json` and the `merges.txt` in the same folder.
#[cfg(feature = "huggingface")]
fn load_pair(path: &Path, vocab: &[u8]) -> Result<LoadedModel, LoadError> {
    let merges = read_file(&path.with_file_name("merges.txt"))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let companions = companions(directory)?;
    let (model, assumed) = huggingface::read_gpt2_folder(vocab, &merges, &companions)
        .map_err(|error| LoadError::HuggingFace(path.to_owned(), error))?;
    let note = assumed.then(|| LoadNote::AssumedGpt2(path.to_owned()));
    Ok(LoadedModel {
        model,
        notes: note.into_iter().collect(),
        folder: Some(directory.to_owned()),
    })
}

/// Reads the companion files that exist.
#[cfg(feature = "huggingface")]
fn companions(directory: &Path) -> Result<huggingface::Companions, LoadError> {
    let mut companions = huggingface::Companions::default();
    for (name, content) in companions.by_name() {
        match read_file(&directory.join(name)) {
            Ok(bytes) => *content = Some(bytes),
            Err(error) if error.error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(companions)
}

/// Reads a model by name. In order of precedence:
///
/// - a folder: see `load_folder`,
/// - a file: see [`load_model_with_notes`],
/// - one of [`ENCODING_NAMES`]: see [`load_encoding`],
/// - `OWNER/NAME`: see [`load_hub`].
///
/// # Errors
/// If the model is not found or invalid, or options are given for a model that is not a file of ranks.
pub fn load(source: &Path, options: RankOptions) -> Result<LoadedModel, LoadError> {
    let format = ModelFormat::of_path_to_read(source);
    if format.is_none() && source.is_dir() {
        return load_any_folder(source, options);
    }
    if format.is_none()
        && let Some(name) = source.to_str().filter(|_| !source.exists())
    {
        if ENCODING_NAMES.contains(&name) {
            return load_encoding(name, options).map(LoadedModel::of_file);
        }
        if is_hub_name(name) {
            return load_hub(name, options);
        }
    }
    load_model_with_notes(source, options)
}

/// Reads one of tiktoken's encodings from tiktoken's cache: the folder `TIKTOKEN_CACHE_DIR`, else
/// `DATA_GYM_CACHE_DIR`, else `data-gym-cache` in the folder for temporary files. Nothing is downloaded.
///
/// `gpt2` is read from the file of r50k_base, which has the same ids. Of the two texts that o200k_harmony has
/// for the id 200018, only `<|endofprompt|>` is a special token; `<|reserved_200018|>` is not.
///
/// # Errors
/// If the encoding is unknown, or its file is missing or has another SHA-256 than the published one.
pub fn load_encoding(name: &str, options: RankOptions) -> Result<Model, LoadError> {
    let owned = || name.to_owned();
    let file = RankFile::of_encoding(name).ok_or_else(|| LoadError::UnknownEncoding(owned()))?;
    let path = file.in_cache();
    let path = path.ok_or_else(|| LoadError::TiktokenCacheDisabled(owned()))?;
    if !path.exists() {
        return Err(LoadError::NotInTiktokenCache {
            name: owned(),
            path,
        });
    }
    let bytes = read_file(&path)?;
    if !file.is(&bytes) {
        return Err(LoadError::WrongHash {
            name: owned(),
            path,
        });
    }
    read_ranks(&path, &bytes, Some(file), specials(name), options)
}

/// Reads `OWNER/NAME` from Hugging Face's cache: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in
/// `~/.cache/huggingface`. The commit is that of `refs/main`. Nothing is downloaded.
///
/// # Errors
/// If the model is not in the cache, or those of `load_folder`.
pub fn load_hub(name: &str, options: RankOptions) -> Result<LoadedModel, LoadError> {
    let path = hub::folder(name);
    match hub::snapshot(&path) {
        Some(snapshot) => load_any_folder(&snapshot, options),
        None => Err(LoadError::NotInHubCache {
            name: name.to_owned(),
            path,
        }),
    }
}

#[cfg(not(feature = "huggingface"))]
fn load_any_folder(directory: &Path, _: RankOptions) -> Result<LoadedModel, LoadError> {
    Err(LoadError::NotBuilt(directory.to_owned()))
}

/// Reads a file of ranks. `published` are its special tokens, `known` is the file if it is a published one.
fn read_ranks(
    path: &Path,
    bytes: &[u8],
    known: Option<&RankFile>,
    published: Vec<SpecialToken>,
    options: RankOptions,
) -> Result<Model, LoadError> {
    let RankOptions { pattern, specials } = options;
    let parsed = || known.and_then(|file| file.pattern.parse().ok());
    let pattern = pattern.or_else(parsed);
    let pattern = pattern.ok_or_else(|| LoadError::PatternMissing(path.to_owned()))?;
    tiktoken::read_with_specials(bytes, pattern, replace_specials(published, specials))
        .map_err(|error| LoadError::Tiktoken(path.to_owned(), error))
}

/// Reads the model at `path`. `pattern` is required for `.tiktoken`, unless the file is one of those that
/// [`RankOptions`] lists, and refused for other formats.
///
/// GPT-2's `vocab.json` is read together with the other files of its folder, as `load_folder` does. A
/// `tokenizer.json` is read alone.
///
/// # Errors
/// If the file cannot be read or is invalid; the error names the file.
pub fn load_model(path: &Path, pattern: Option<Pattern>) -> Result<Model, LoadError> {
    let specials = Vec::new();
    load_model_with_notes(path, RankOptions { pattern, specials }).map(|loaded| loaded.model)
}

/// Like [`load_model`], but accepts special tokens, and also returns the assumptions made while reading.
///
/// A `tokenizer.model` or `tiktoken.model` is read as ranks, if it has ranks. A `tekken.json` is recognised by
/// its name or content, and a SentencePiece model by its content, whatever its name, unless it has another
/// format's extension.
///
/// # Errors
/// Those of [`load_model`].
pub fn load_model_with_notes(path: &Path, options: RankOptions) -> Result<LoadedModel, LoadError> {
    let owned = || path.to_owned();
    let format = ModelFormat::of_path_to_read(path);
    let format = format.ok_or_else(|| LoadError::UnknownFormat(owned()))?;
    let bytes = read_file(path)?;
    if format != ModelFormat::Tiktoken {
        options.check_unused(path)?;
    }
    let model = match format {
        ModelFormat::SentencePiece => {
            sentencepiece::read(&bytes).map_err(|error| LoadError::SentencePiece(owned(), error))?
        }
        ModelFormat::Tiktoken => {
            let known = RankFile::of_content(&bytes);
            let published = known.map_or_else(Vec::new, |file| specials(file.name));
            read_ranks(path, &bytes, known, published, options)?
        }
        ModelFormat::Native => {
            native::read(&bytes).map_err(|error| LoadError::Native(owned(), error))?
        }
        #[cfg(feature = "huggingface")]
        ModelFormat::HuggingFace if huggingface::is_vocab(&bytes) => {
            return load_pair(path, &bytes);
        }
        #[cfg(feature = "huggingface")]
        ModelFormat::HuggingFace
            if path.file_name() == Some(TEKKEN.as_ref()) || tekken::is_tekken(&bytes) =>
        {
            tekken::read(&bytes).map_err(|error| LoadError::HuggingFace(owned(), error))?
        }
        #[cfg(feature = "huggingface")]
        ModelFormat::HuggingFace => {
            huggingface::read(&bytes).map_err(|error| LoadError::HuggingFace(owned(), error))?
        }
        #[cfg(not(feature = "huggingface"))]
        ModelFormat::HuggingFace => return Err(LoadError::NotBuilt(owned())),
    };
    Ok(LoadedModel::of_file(model))
}

/// Writes a folder that transformers 4 and 5 read: `tokenizer.json` and `tokenizer_config.json`. Creates it if it is
/// missing.
///
/// `source` is the folder from which the model was read ([`LoadedModel::folder`]). The special tokens in their roles,
/// the chat template (also that in `chat_template.jinja`) and the settings that change no id are those of its files.
/// Returns the paths of the written files.
///
/// # Errors
/// If a file cannot be read or written, or a `tokenizer.json` cannot store the model.
#[cfg(feature = "huggingface")]
pub fn save_folder(
    model: &Model,
    directory: &Path,
    source: Option<&Path>,
) -> Result<Vec<PathBuf>, SaveError> {
    const TEMPLATE: &str = "chat_template.jinja";
    let companions = match source {
        Some(source) => companions(source).map_err(|error| match error {
            LoadError::File(error) => SaveError::File(error),
            other => SaveError::File(FileError::new(source, io::Error::other(other))),
        })?,
        None => huggingface::Companions::default(),
    };
    let at = |name: &str| directory.join(name);
    let of = |name: &str, bytes: Result<Vec<u8>, huggingface::HuggingFaceError>| match bytes {
        Ok(bytes) => Ok((at(name), bytes)),
        Err(error) => Err(SaveError::HuggingFace(at(name), error)),
    };
    let mut files = vec![
        of("tokenizer.json", huggingface::write(model))?,
        of(
            "tokenizer_config.json",
            huggingface::write_config(model, &companions),
        )?,
    ];
    if let Some(template) = source
        .map(|source| source.join(TEMPLATE))
        .filter(|path| path.exists())
    {
        files.push((at(TEMPLATE), read_file(&template)?));
    }
    fs::create_dir_all(directory).map_err(|error| FileError::new(directory, error))?;
    let mut written = Vec::new();
    for (path, bytes) in files {
        write_atomically(&path, |file| {
            let written = file.write_all(&bytes);
            written.map_err(|error| SaveError::File(FileError::new(&path, error)))
        })?;
        written.push(path);
    }
    Ok(written)
}

/// Writes `model` to `path` atomically.
///
/// # Errors
/// If the file cannot be written or the format cannot store the model.
pub fn save_model(model: &Model, path: &Path) -> Result<(), SaveError> {
    let owned = || path.to_owned();
    let format = ModelFormat::of_path(path);
    let bytes = match format.ok_or_else(|| SaveError::UnknownFormat(owned()))? {
        ModelFormat::Native => native::write(model),
        // Never the format of an extension.
        ModelFormat::SentencePiece => return Err(SaveError::UnknownFormat(owned())),
        ModelFormat::Tiktoken => {
            tiktoken::write(model).map_err(|error| SaveError::Tiktoken(owned(), error))?
        }
        #[cfg(feature = "huggingface")]
        ModelFormat::HuggingFace => {
            huggingface::write(model).map_err(|error| SaveError::HuggingFace(owned(), error))?
        }
        #[cfg(not(feature = "huggingface"))]
        ModelFormat::HuggingFace => return Err(SaveError::NotBuilt(owned())),
    };
    write_atomically(path, |file| {
        let written = file.write_all(&bytes);
        written.map_err(|error| SaveError::File(FileError::new(path, error)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::pattern::PatternName;

    #[test]
    fn the_extension_selects_the_format_and_errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let pattern = Pattern::named(PatternName::Gpt2);
        let model = Model::from_merges(pattern.clone(), Merges::default(), &[] as &[&str]).unwrap();
        for name in ["m.bpe", "m.tiktoken"] {
            save_model(&model, &at(name)).unwrap();
        }
        assert_eq!(load_model(&at("m.bpe"), None).unwrap(), model);
        assert!(load_model(&at("m.tiktoken"), Some(pattern.clone())).is_ok());
        let error = |name: &str, pattern| load_model(&at(name), pattern).unwrap_err();
        assert!(matches!(
            error("m.tiktoken", None),
            LoadError::PatternMissing(_)
        ));
        assert!(matches!(
            error("m.bpe", Some(pattern)),
            LoadError::PatternGiven(_)
        ));
        assert!(matches!(error("m.txt", None), LoadError::UnknownFormat(_)));
        assert!(matches!(error("none.bpe", None), LoadError::File(_)));
        std::fs::write(at("bad.bpe"), "text").unwrap();
        assert!(
            error("bad.bpe", None)
                .to_string()
                .contains("bad.bpe: not a .bpe model")
        );
        let error = save_model(&model, &at("m.txt")).unwrap_err();
        assert!(matches!(error, SaveError::UnknownFormat(_)));
    }

    #[cfg(feature = "huggingface")]
    #[test]
    fn folders_keep_roles_and_chat_templates() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        let pattern = Pattern::named(PatternName::Gpt2);
        let model = Model::from_merges(pattern, Merges::default(), &["<s>", "</s>"]).unwrap();
        let written = save_folder(&model, &from, None).unwrap();
        assert_eq!(
            written,
            ["tokenizer.json", "tokenizer_config.json"].map(|name| from.join(name))
        );
        let config = r#"{"bos_token": {"__type": "AddedToken", "content": "<s>"}, "eos_token": "</s>",
            "pad_token": "<pad>", "chat_template": "{{ x }}", "additional_special_tokens": ["<x>"],
            "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": false, "auto_map": {}}"#;
        std::fs::write(from.join("tokenizer_config.json"), config).unwrap();
        std::fs::write(from.join("chat_template.jinja"), "{{ y }}").unwrap();
        let loaded = load_folder(&from).unwrap();
        save_folder(&loaded.model, &to, loaded.folder.as_deref()).unwrap();
        let again = load_folder(&to).unwrap();
        assert_eq!(again.model, loaded.model);
        assert_eq!(
            std::fs::read(to.join("chat_template.jinja")).unwrap(),
            b"{{ y }}"
        );
        let config = std::fs::read(to.join("tokenizer_config.json")).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        let want = serde_json::json!({
            "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
            "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<|endoftext|>",
            "chat_template": "{{ x }}", "additional_special_tokens": ["<x>"]
        });
        assert_eq!(config, want);
        save_folder(&again.model, &to, again.folder.as_deref()).unwrap();
        let twice = std::fs::read(to.join("tokenizer_config.json")).unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&twice).unwrap(),
            want
        );
    }
}
