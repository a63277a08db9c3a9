//! The added tokens of a folder, as `AutoTokenizer.from_pretrained` of transformers 5 collects them.
//!
//! Follows `PreTrainedTokenizerBase._from_pretrained` and `TokenizersBackend.__init__` step by step,
//! since the order decides the ids: a token whose text is in the vocabulary takes its id from there;
//! all others are numbered consecutively, after the vocabulary and the tokens that were added before.
//! Ids in the companion files affect only the order, and which of two tokens with the same id is kept.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::companions::Files;
use super::error::HuggingFaceError;
use super::json::{At, Json};
use super::vocabulary::Spellings;
use crate::hash::Seeds;
use crate::special::SpecialToken;
use crate::token::TokenId;

/// The standard roles of special tokens in transformers, in the order in which it lists them.
const ROLES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// Fields of a `tokenizer_config.json` that would replace a part of the tokenizer.
const REPLACING: [&str; 9] = [
    "gguf_file",
    "merges",
    "post_processor",
    "tokenizer_object",
    "tokenizer_padding",
    "tokenizer_truncation",
    "vocab",
    "_json_padding",
    "_json_truncation",
];

/// An `AddedToken` of `tokenizers`, not yet numbered: the id in `token` is ignored.
#[derive(Clone, Debug)]
struct Token {
    token: SpecialToken,
    /// Whether `normalized` is missing or `null` in the file. The flag is then the opposite of `special`, even
    /// if `special` changes later.
    follows_special: bool,
}

impl Token {
    /// Reads an `AddedToken`. `special`, if given, overrides the flag in the file.
    fn read(at: &At<'_>, special: Option<bool>) -> Result<Token, HuggingFaceError> {
        at.only("__type content single_word lstrip rstrip normalized special")?;
        let flag = |name| at.field(name).flag_or(false);
        let normalized = flag("normalized")?;
        let content = at.field("content").text()?;
        Ok(Token {
            token: SpecialToken {
                normalized,
                single_word: flag("single_word")?,
                lstrip: flag("lstrip")?,
                rstrip: flag("rstrip")?,
                special: special.map_or_else(|| flag("special"), Ok)?,
                ..SpecialToken::new(content, 0)
            },
            follows_special: at.field("normalized").is_null(),
        })
    }

    fn plain(content: &str, special: bool) -> Token {
        Token {
            token: SpecialToken {
                special,
                ..SpecialToken::new(content, 0)
            },
            follows_special: true,
        }
    }

    fn numbered(&self, id: TokenId) -> SpecialToken {
        let mut token = self.token.clone();
        token.id = id;
        if self.follows_special {
            token.normalized = !token.special;
        }
        token
    }
}

/// A token as a file gives it: text alone, or with flags.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Token(Token),
    /// A token with flags in `tokenizer_config.json`. transformers keeps it as a dictionary until all files
    /// are read, so [`Arguments::added_tokens_json`] must disregard it.
    Deferred(Token),
}

impl Value {
    fn read(at: &At<'_>) -> Result<Value, HuggingFaceError> {
        match at.value {
            Json::Text(text) => Ok(Value::Text(text.clone())),
            Json::Object(_) if is_typed(at) => Token::read(at, None).map(Value::Deferred),
            _ => Err(at.expected("a string or an object with \"__type\": \"AddedToken\"")),
        }
    }

    fn content(&self) -> &str {
        match self {
            Value::Text(text) => text,
            Value::Token(token) | Value::Deferred(token) => &token.token.content,
        }
    }

    /// Equality key. As in Python, a string never equals an `AddedToken`.
    fn key(&self) -> (bool, SpecialToken) {
        match self {
            Value::Text(text) => (true, SpecialToken::new(text, 0)),
            Value::Token(token) | Value::Deferred(token) => (false, token.numbered(0)),
        }
    }
}

/// Keeps the first of equal values.
fn distinct(values: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut seen = HashSet::<_, Seeds>::default();
    let is_new = |value: &Value| seen.insert(value.key());
    values.into_iter().filter(is_new).collect()
}

fn is_typed(at: &At<'_>) -> bool {
    *at.field("__type").value == Json::from("AddedToken")
}

/// An insertion-ordered map, like a Python `dict`.
#[derive(Default)]
struct Table {
    entries: Vec<(String, Option<Value>)>,
    indices: HashMap<String, usize, Seeds>,
}

impl Table {
    fn set(&mut self, name: &str, value: Option<Value>) {
        match self.indices.get(name) {
            Some(&index) => self.entries[index].1 = value,
            None => {
                self.indices.insert(name.to_owned(), self.entries.len());
                self.entries.push((name.to_owned(), value));
            }
        }
    }

    /// Whether the name is present, even with the value `None`.
    fn has(&self, name: &str) -> bool {
        self.indices.contains_key(name)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.entries[*self.indices.get(name)?].1.as_ref()
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        self.entries.iter().filter_map(|(_, value)| value.as_ref())
    }

    /// Inserts or replaces tokens, like Python's `dict.update`.
    fn update(&mut self, at: &At<'_>) -> Result<(), HuggingFaceError> {
        for (name, at) in at.fields()? {
            self.set(name, Some(Value::read(&at)?));
        }
        Ok(())
    }
}

/// A list of tokens; `None` for `null`.
type List = Option<Vec<Value>>;

fn read_list(at: &At<'_>) -> Result<List, HuggingFaceError> {
    if at.is_null() {
        return Ok(None);
    }
    at.list()?
        .iter()
        .map(Value::read)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The special tokens that a tokenizer class of transformers defines.
pub(super) struct ClassTokens {
    /// Defaults for roles that no file assigns.
    pub(super) defaults: &'static [(&'static str, Option<&'static str>)],
    /// Whether the class adds all special tokens a second time, without flags.
    pub(super) adds_twice: bool,
    /// Whether a mask token without flags also matches the white space before it.
    pub(super) mask_strips: bool,
}

/// The constructor argument `added_tokens_decoder` of a transformers tokenizer: added tokens by id.
#[derive(Default)]
struct Decoder {
    by_id: BTreeMap<u64, Token>,
    /// For each text, the token inserted last, even if a token of another text replaced it in `by_id`.
    by_content: HashMap<String, Token, Seeds>,
}

impl Decoder {
    /// Reads the field `added_tokens_decoder` of `tokenizer_config.json`. If the
    /// field is missing, first merges `special_tokens_map.json` into `arguments`, then builds the argument from
    /// `added_tokens.json` (both are older files) and from `of_tokenizer`, the added tokens of the
    /// `tokenizer.json`.
    fn read(
        files: &Files<'_>,
        of_tokenizer: Option<&[SpecialToken]>,
        arguments: &mut Arguments,
    ) -> Result<Decoder, HuggingFaceError> {
        let mut decoder = Decoder::default();
        if files.tokenizer_config.get("added_tokens_decoder").is_some() {
            for (id, at) in listed(&files.tokenizer_config)? {
                decoder.insert(id, Token::read(&at, None)?);
            }
            return Ok(decoder);
        }
        arguments.merge(&files.special_tokens_map)?;
        if !files.added_tokens.is_null() {
            for (id, token) in arguments.added_tokens_json(&files.added_tokens)? {
                decoder.insert(id, token);
            }
        }
        for token in of_tokenizer.unwrap_or_default() {
            let unnumbered = Token {
                token: token.clone(),
                follows_special: false,
            };
            decoder.insert(token.id.into(), unnumbered);
        }
        Ok(decoder)
    }

    fn insert(&mut self, id: u64, token: Token) {
        let content = token.token.content.clone();
        self.by_content.insert(content, token.clone());
        self.by_id.insert(id, token);
    }
}

/// The tokens of all files of a folder, not yet numbered.
pub(super) struct FolderTokens {
    /// `added_tokens_decoder`, by the ids in the files.
    decoder: BTreeMap<u64, Token>,
    /// Special tokens by role or other name; [`ROLES`] first.
    specials: Table,
    /// Special tokens without a name.
    extra: Vec<Value>,
}

impl FolderTokens {
    /// Collects the tokens. `of_tokenizer` holds the added tokens of the `tokenizer.json`; `pad_token` is
    /// the `pad_token` in the field `padding` of the same file.
    pub(super) fn gather(
        files: &Files<'_>,
        of_tokenizer: Option<&[SpecialToken]>,
        pad_token: Option<&str>,
        class: &ClassTokens,
    ) -> Result<FolderTokens, HuggingFaceError> {
        let mut arguments = Arguments::read(&files.tokenizer_config)?;
        let decoder = Decoder::read(files, of_tokenizer, &mut arguments)?;
        arguments.take_flags(&decoder.by_content);
        let pad_token = pad_token.map(|text| ("pad_token", Some(text)));
        for (name, default) in class.defaults.iter().copied().chain(pad_token) {
            if !arguments.table.has(name) {
                let value = default.map(|text| Value::Text(text.to_owned()));
                arguments.table.set(name, value);
            }
        }
        if class.mask_strips
            && let Some(Value::Text(text)) = arguments.table.get("mask_token")
        {
            let mut mask = Token::plain(text, true);
            mask.token.lstrip = true;
            arguments.table.set("mask_token", Some(Value::Token(mask)));
        }
        let mut specials = Table::default();
        for name in ROLES {
            specials.set(name, arguments.table.get(name).cloned());
        }
        let arguments_in_order = arguments.table.entries.into_iter();
        for (name, value) in arguments_in_order.chain(arguments.specific.entries) {
            if !ROLES.contains(&name.as_str()) || value.is_some() {
                specials.set(&name, value);
            }
        }
        let extra = arguments.extra.or(arguments.additional);
        Ok(FolderTokens {
            decoder: decoder.by_id,
            specials,
            extra: extra.flatten().unwrap_or_default(),
        })
    }

    /// The special tokens in the standard roles: role and text.
    pub(super) fn roles(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let text = |name: &'static str| Some((name, self.special(name)?));
        ROLES.into_iter().filter_map(text)
    }

    /// The text of the special token in a role.
    pub(super) fn special(&self, name: &str) -> Option<&str> {
        self.specials.get(name).map(Value::content)
    }

    /// Numbers all added tokens. The tokenizer starts with the tokens in `added`, which have ids already.
    pub(super) fn add_to(
        &self,
        added: &[SpecialToken],
        spellings: &Spellings<'_>,
        class: &ClassTokens,
    ) -> Result<Vec<SpecialToken>, HuggingFaceError> {
        let listed = self.decoder.values();
        let present: HashSet<&str, Seeds> = added
            .iter()
            .map(|token| token.content.as_str())
            .chain(listed.clone().map(|token| token.token.content.as_str()))
            .collect();
        let values = self.specials.values().chain(&self.extra);
        let new = values.filter(|value| !present.contains(value.content()));
        let tokens = listed.cloned().map(Value::Token);
        let tokens = tokens.chain(distinct(new.cloned()));
        let special: HashSet<&str, Seeds> = self.specials.values().map(Value::content).collect();
        let mut adding = AddedTokens::new(added, spellings);
        adding.add(tokens.map(|value| match value {
            Value::Text(text) => Token::plain(&text, true),
            Value::Token(mut token) | Value::Deferred(mut token) => {
                token.token.special |= special.contains(token.token.content.as_str());
                token
            }
        }));
        if class.adds_twice {
            let all = self.specials.values().chain(&self.extra);
            adding.add(all.map(|value| Token::plain(value.content(), true)));
        }
        adding.finish()
    }
}

/// Those constructor arguments of a transformers tokenizer that name tokens.
#[derive(Default)]
struct Arguments {
    /// The roles, and other arguments named `*_token`. In a `tokenizer_config.json`, other names only if the
    /// value is an `AddedToken`; strings go to `specific`.
    table: Table,
    /// `model_specific_special_tokens`: other special tokens by name.
    specific: Table,
    /// `extra_special_tokens`, if present.
    extra: Option<List>,
    /// `additional_special_tokens`, if present.
    additional: Option<List>,
}

impl Arguments {
    /// Reads the arguments in a `tokenizer_config.json`.
    fn read(config: &At<'_>) -> Result<Arguments, HuggingFaceError> {
        let mut arguments = Arguments::default();
        if config.is_null() {
            return Ok(arguments);
        }
        let mut replacing = REPLACING.into_iter().map(|name| config.field(name));
        if let Some(at) = replacing.find(|at| !at.is_null()) {
            return Err(at.unsupported("it would replace a part of the tokenizer"));
        }
        refuse_replacements(config)?;
        let mut specific = Table::default();
        for (name, at) in config.fields()? {
            let is_role = ROLES.contains(&name);
            match at.value {
                Json::Null if is_role => arguments.table.set(name, None),
                _ if is_role => arguments.table.set(name, Some(Value::read(&at)?)),
                Json::Text(text) if name.ends_with("_token") => {
                    specific.set(name, Some(Value::Text(text.clone())));
                }
                Json::Object(_) if name.ends_with("_token") && is_typed(&at) => {
                    arguments.table.set(name, Some(Value::read(&at)?));
                }
                _ => {}
            }
        }
        let mut extra = config.get("extra_special_tokens");
        let additional = config.get("additional_special_tokens");
        let is_empty = |at: &At<'_>| match at.value {
            Json::List(values) => values.is_empty(),
            Json::Object(fields) => fields.is_empty(),
            _ => at.is_null(),
        };
        if additional.is_some() && extra.as_ref().is_none_or(is_empty) {
            extra = additional;
        } else if let Some(additional) = additional {
            arguments.additional = Some(read_list(&additional)?);
        }
        match extra {
            Some(at) if matches!(at.value, Json::Object(_)) => specific.update(&at)?,
            Some(at) => arguments.extra = Some(read_list(&at)?),
            None => {}
        }
        let at = config.field("model_specific_special_tokens");
        if specific.entries.is_empty() && !at.is_null() {
            specific.update(&at)?;
        }
        arguments.specific = specific;
        Ok(arguments)
    }

    /// Adds the arguments in a `special_tokens_map.json`. A list of `extra_special_tokens` extends the
    /// earlier one; an object adds its entries to `specific`. Every other token argument replaces the earlier
    /// one of the same name.
    fn merge(&mut self, map: &At<'_>) -> Result<(), HuggingFaceError> {
        if map.is_null() {
            return Ok(());
        }
        for (name, at) in map.fields()? {
            let is_token = name.ends_with("_token");
            match (name, at.value) {
                ("extra_special_tokens", Json::List(_)) => {
                    let mut list = self.extra.take().flatten().unwrap_or_default();
                    for token in at.list()? {
                        list.push(match (token.value, token.get("special")) {
                            (Json::Object(_), Some(special)) => {
                                return Err(special.unsupported(
                                    "remove the field: tokens in this list are always special",
                                ));
                            }
                            (Json::Object(_), None) => {
                                Value::Token(Token::read(&token, Some(true))?)
                            }
                            _ => Value::Text(token.text()?.to_owned()),
                        });
                    }
                    self.extra = Some(Some(distinct(list)));
                }
                ("extra_special_tokens", Json::Object(_)) => {
                    self.extra = None;
                    self.specific.update(&at)?;
                }
                ("extra_special_tokens", _) => self.extra = Some(read_list(&at)?),
                ("additional_special_tokens", _) => self.additional = Some(read_list(&at)?),
                (_, Json::Object(_)) if is_token => {
                    let token = Token::read(&at, Some(true))?;
                    self.table.set(name, Some(Value::Token(token)));
                }
                (_, Json::Text(text)) if is_token => {
                    self.table.set(name, Some(Value::Text(text.clone())));
                }
                (_, Json::Null) if is_token => self.table.set(name, None),
                (_, _) if ROLES.contains(&name) => {
                    return Err(at.expected("a string or an object"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The tokens of an `added_tokens.json`. A token is special if its text is that of a role or is in
    /// `extra_special_tokens`; values that are [`Value::Deferred`] do not count.
    fn added_tokens_json(&self, added: &At<'_>) -> Result<Vec<(u64, Token)>, HuggingFaceError> {
        let known = |value: &&Value| !matches!(value, Value::Deferred(_));
        let named = ROLES.iter().filter_map(|name| self.table.get(name));
        let extra = self.extra.iter().flatten().flatten();
        let special: HashSet<&str, Seeds> = named
            .chain(extra)
            .filter(known)
            .map(Value::content)
            .collect();
        let mut tokens = Vec::new();
        for (content, at) in added.fields()? {
            let mut token = Token::plain(content, special.contains(content));
            token.token.normalized = !token.token.special;
            token.follows_special = false;
            tokens.push((at.integer()?, token));
        }
        Ok(tokens)
    }

    /// Replaces the token of each role with the token of the same text in `added_tokens_decoder`, if there is
    /// one, to take over its flags.
    fn take_flags(&mut self, by_content: &HashMap<String, Token, Seeds>) {
        for name in ROLES {
            let found = self.table.get(name);
            if let Some(token) = found.and_then(|value| by_content.get(value.content())) {
                self.table.set(name, Some(Value::Token(token.clone())));
            }
        }
    }
}

/// The entries of `added_tokens_decoder` in a `tokenizer_config.json`, by their ids in the file.
fn listed<'f>(config: &At<'f>) -> Result<Vec<(u64, At<'f>)>, HuggingFaceError> {
    let Some(entries) = config.get("added_tokens_decoder") else {
        return Ok(Vec::new());
    };
    let entry = |(id, at): (&str, At<'f>)| match id.parse() {
        Ok(id) => Ok((id, at)),
        Err(_) => Err(at.unsupported("the key must be an id")),
    };
    entries.fields()?.into_iter().map(entry).collect()
}

/// The tokens of `added_tokens_decoder`, each with its id in the file and its place. The ids in the tokens
/// are not set.
pub(super) fn listed_tokens<'f>(
    config: &At<'f>,
) -> Result<Vec<(u64, SpecialToken, At<'f>)>, HuggingFaceError> {
    let read = |(id, at): (u64, At<'f>)| Ok((id, Token::read(&at, None)?.token, at));
    listed(config)?.into_iter().map(read).collect()
}

/// Fails if a `tokenizer_config.json` refers to other files, to extra inputs or to another pattern.
fn refuse_replacements(config: &At<'_>) -> Result<(), HuggingFaceError> {
    let files = config.field("fast_tokenizer_files");
    if !files.is_null() {
        for file in files.list()? {
            if file.text()? != "tokenizer.json" {
                return Err(file.unsupported("expected \"tokenizer.json\""));
            }
        }
    }
    let inputs = config.field("init_inputs");
    if !inputs.is_null() && !inputs.list()?.is_empty() {
        return Err(inputs.unsupported("expected an empty list"));
    }
    let fix = config.field("fix_mistral_regex");
    match fix.flag_or(false)? {
        true => Err(fix.unsupported(
            "it replaces the pattern; load the tokenizer with transformers and save it again",
        )),
        false => Ok(()),
    }
}

/// The added tokens of a tokenizer under construction, numbered as `tokenizers` numbers them.
struct AddedTokens<'a, 's> {
    spellings: &'a Spellings<'s>,
    ids: HashMap<String, TokenId, Seeds>,
    tokens: BTreeMap<TokenId, SpecialToken>,
    /// The texts of all tokens that were special when added. `tokenizers` omits these texts when decoding,
    /// even if a later token of the same text is not special.
    were_special: HashSet<String, Seeds>,
}

impl<'a, 's> AddedTokens<'a, 's> {
    fn new(added: &[SpecialToken], spellings: &'a Spellings<'s>) -> Self {
        let mut tokens = AddedTokens {
            spellings,
            ids: HashMap::default(),
            tokens: BTreeMap::new(),
            were_special: HashSet::default(),
        };
        for token in added {
            tokens.insert(token.clone());
        }
        tokens
    }

    fn insert(&mut self, token: SpecialToken) {
        if token.special {
            self.were_special.insert(token.content.clone());
        }
        self.ids.insert(token.content.clone(), token.id);
        self.tokens.insert(token.id, token);
    }

    /// `add_tokens` of `tokenizers`.
    fn add(&mut self, tokens: impl IntoIterator<Item = Token>) {
        let size = self.spellings.len() as TokenId;
        let last = self.tokens.last_key_value();
        let mut next = last.map_or(size, |(&last, _)| size.max(last + 1));
        for token in tokens {
            let content = &token.token.content;
            if content.is_empty() {
                continue;
            }
            let known = self.ids.get(content).copied();
            let id = known.or_else(|| self.spellings.id(content));
            let id = id.unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            self.insert(token.numbered(id));
        }
    }

    fn finish(self) -> Result<Vec<SpecialToken>, HuggingFaceError> {
        let is_both =
            |token: &&SpecialToken| !token.special && self.were_special.contains(&token.content);
        match self.tokens.values().find(is_both) {
            Some(token) => Err(HuggingFaceError::SpecialAndNot {
                content: token.content.clone(),
            }),
            None => Ok(self.tokens.into_values().collect()),
        }
    }
}
