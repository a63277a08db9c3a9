//! The added tokens of a folder: those that transformers adds to the ones of the tokenizer itself
//! when `AutoTokenizer.from_pretrained` loads it.
//!
//! Follows `PreTrainedTokenizerBase._from_pretrained` and `TokenizersBackend.__init__` of
//! transformers 5 step by step, with the same order, so that new tokens get the same ids: a token
//! whose text is in the vocabulary has its id from there, the others are numbered from the size of
//! the vocabulary on. The ids that the files themselves name decide about the order alone.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::companions::Files;
use super::error::HuggingFaceError;
use super::json::{At, Json};
use super::vocabulary::Spellings;
use crate::hash::Seeds;
use crate::special::SpecialToken;
use crate::token::TokenId;

/// The special tokens that transformers knows by a name of their own, in its order.
const NAMED: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// Entries of a `tokenizer_config.json` that would replace parts of the tokenizer.
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

/// `AddedToken` of tokenizers, which has no id.
#[derive(Clone, Debug)]
struct Token {
    token: SpecialToken,
    /// Whether `normalized` is the opposite of `special`, also when that changes later.
    follows_special: bool,
}

impl Token {
    /// The `AddedToken` of an object. `special`, if given, stands in for its own flag.
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

/// A special token by its text or with flags.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Token(Token),
    /// A token of `tokenizer_config.json`, which transformers leaves as a dictionary until the
    /// other files are read; [`Arguments::legacy`] passes over those.
    Late(Token),
}

impl Value {
    fn read(at: &At<'_>) -> Result<Value, HuggingFaceError> {
        match at.value {
            Json::Text(text) => Ok(Value::Text(text.clone())),
            Json::Object(_) if is_typed(at) => Token::read(at, None).map(Value::Late),
            _ => Err(at.expected("a string or an object with \"__type\": \"AddedToken\"")),
        }
    }

    fn content(&self) -> &str {
        match self {
            Value::Text(text) => text,
            Value::Token(token) | Value::Late(token) => &token.token.content,
        }
    }

    /// Values are equal as in Python if these are: a string equals no `AddedToken`.
    fn key(&self) -> (bool, SpecialToken) {
        match self {
            Value::Text(text) => (true, SpecialToken::new(text, 0)),
            Value::Token(token) | Value::Late(token) => (false, token.numbered(0)),
        }
    }
}

/// The values without those that equal one before.
fn distinct(values: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut seen = HashSet::<_, Seeds>::default();
    let is_new = |value: &Value| seen.insert(value.key());
    values.into_iter().filter(is_new).collect()
}

fn is_typed(at: &At<'_>) -> bool {
    *at.field("__type").value == Json::from("AddedToken")
}

/// Values by name, in the order in which the names came first, as a `dict` of Python.
#[derive(Default)]
struct Table {
    order: Vec<(String, Option<Value>)>,
    places: HashMap<String, usize, Seeds>,
}

impl Table {
    fn set(&mut self, name: &str, value: Option<Value>) {
        match self.places.get(name) {
            Some(&place) => self.order[place].1 = value,
            None => {
                self.places.insert(name.to_owned(), self.order.len());
                self.order.push((name.to_owned(), value));
            }
        }
    }

    /// Whether the name is there, if only with `None`.
    fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.order[*self.places.get(name)?].1.as_ref()
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        self.order.iter().filter_map(|(_, value)| value.as_ref())
    }

    /// Inserts or replaces tokens, as Python's `dict.update` does.
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

/// The special tokens that a class of transformers names itself, and how it starts.
pub(super) struct ClassTokens {
    /// Special tokens where the files name no other.
    pub(super) defaults: &'static [(&'static str, Option<&'static str>)],
    /// Whether all special tokens are added once more, without flags.
    pub(super) again: bool,
}

/// `added_tokens_decoder` while it is made.
#[derive(Default)]
struct Listed {
    by_place: BTreeMap<u64, Token>,
    /// The last of each text, also when its place was taken by another.
    by_content: HashMap<String, Token, Seeds>,
}

impl Listed {
    /// `of_file` are the tokens of the `tokenizer.json`. Where `tokenizer_config.json` has no list, the
    /// other files add to the `arguments`.
    fn read(
        files: &Files<'_>,
        of_file: Option<&[SpecialToken]>,
        arguments: &mut Arguments,
    ) -> Result<Listed, HuggingFaceError> {
        let mut listed = Listed::default();
        if let Some(decoder) = files.tokenizer_config.get("added_tokens_decoder") {
            for (index, at) in decoder.fields()? {
                let place = index.parse();
                let place = place.map_err(|_| at.expected("an id as its name"))?;
                listed.insert(place, Token::read(&at, None)?);
            }
            return Ok(listed);
        }
        arguments.merge(&files.special_tokens_map)?;
        if !files.added_tokens.is_null() {
            for (place, token) in arguments.legacy(&files.added_tokens)? {
                listed.insert(place, token);
            }
        }
        for token in of_file.unwrap_or_default() {
            let of_file = Token {
                token: token.clone(),
                follows_special: false,
            };
            listed.insert(token.id.into(), of_file);
        }
        Ok(listed)
    }

    fn insert(&mut self, place: u64, token: Token) {
        let content = token.token.content.clone();
        self.by_content.insert(content, token.clone());
        self.by_place.insert(place, token);
    }
}

/// The tokens that all files name, before they are numbered.
pub(super) struct Named {
    /// `added_tokens_decoder`, by the ids that the files name.
    listed: BTreeMap<u64, Token>,
    /// By what they are used for; first those of [`NAMED`].
    specials: Table,
    extra: Vec<Value>,
}

impl Named {
    /// Gathers the tokens. `of_file` are those of the `tokenizer.json`, `pad_token` is what its
    /// padding fills up with.
    pub(super) fn gather(
        files: &Files<'_>,
        of_file: Option<&[SpecialToken]>,
        pad_token: Option<&str>,
        class: &ClassTokens,
    ) -> Result<Named, HuggingFaceError> {
        let mut arguments = Arguments::read(&files.tokenizer_config)?;
        let listed = Listed::read(files, of_file, &mut arguments)?;
        arguments.take_flags(&listed.by_content);
        let pad_token = pad_token.map(|text| ("pad_token", Some(text)));
        for (name, default) in class.defaults.iter().copied().chain(pad_token) {
            if !arguments.table.has(name) {
                let value = default.map(|text| Value::Text(text.to_owned()));
                arguments.table.set(name, value);
            }
        }
        let mut specials = Table::default();
        for name in NAMED {
            specials.set(name, arguments.table.get(name).cloned());
        }
        let arguments_in_order = arguments.table.order.into_iter();
        for (name, value) in arguments_in_order.chain(arguments.specific.order) {
            if !NAMED.contains(&name.as_str()) || value.is_some() {
                specials.set(&name, value);
            }
        }
        let extra = arguments.extra.or(arguments.additional);
        Ok(Named {
            listed: listed.by_place,
            specials,
            extra: extra.flatten().unwrap_or_default(),
        })
    }

    /// The text of a special token by its use.
    pub(super) fn special(&self, name: &str) -> Option<&str> {
        self.specials.get(name).map(Value::content)
    }

    /// All added tokens with their ids. `added` are those that the tokenizer has before.
    pub(super) fn add_to(
        &self,
        added: &[SpecialToken],
        spellings: &Spellings<'_>,
        class: &ClassTokens,
    ) -> Result<Vec<SpecialToken>, HuggingFaceError> {
        let listed = self.listed.values();
        let present: HashSet<&str, Seeds> = added
            .iter()
            .map(|token| token.content.as_str())
            .chain(listed.clone().map(|token| token.token.content.as_str()))
            .collect();
        let values = self.specials.values().chain(&self.extra);
        let new = values.filter(|value| !present.contains(value.content()));
        let tokens = listed.cloned().map(Value::Token);
        let tokens = tokens.chain(distinct(new.cloned()));
        let names: HashSet<&str, Seeds> = self.specials.values().map(Value::content).collect();
        let mut adding = Adding::new(added, spellings);
        adding.add(tokens.map(|value| match value {
            Value::Text(text) => Token::plain(&text, true),
            Value::Token(mut token) | Value::Late(mut token) => {
                token.token.special |= names.contains(token.token.content.as_str());
                token
            }
        }));
        if class.again {
            let all = self.specials.values().chain(&self.extra);
            adding.add(all.map(|value| Token::plain(value.content(), true)));
        }
        adding.finish()
    }
}

/// The arguments of a tokenizer's constructor that name tokens.
#[derive(Default)]
struct Arguments {
    /// Every `*_token`.
    table: Table,
    /// `model_specific_special_tokens`.
    specific: Table,
    /// `extra_special_tokens`, if it is there.
    extra: Option<List>,
    /// `additional_special_tokens`, if it is there.
    additional: Option<List>,
}

impl Arguments {
    /// Those in a `tokenizer_config.json`.
    fn read(config: &At<'_>) -> Result<Arguments, HuggingFaceError> {
        let mut arguments = Arguments::default();
        if config.is_null() {
            return Ok(arguments);
        }
        let mut replacing = REPLACING.into_iter().map(|name| config.field(name));
        if let Some(at) = replacing.find(|at| !at.is_null()) {
            return Err(at.unsupported("it replaces a part of the tokenizer"));
        }
        refuse_other_files(config)?;
        let mut specific = Table::default();
        for (name, at) in config.fields()? {
            let is_named = NAMED.contains(&name);
            match at.value {
                Json::Null if is_named => arguments.table.set(name, None),
                _ if is_named => arguments.table.set(name, Some(Value::read(&at)?)),
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
        if specific.order.is_empty() && !at.is_null() {
            specific.update(&at)?;
        }
        arguments.specific = specific;
        Ok(arguments)
    }

    /// Adds those of a `special_tokens_map.json`.
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
                                return Err(special.unsupported("it is always true"));
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
                (_, _) if NAMED.contains(&name) => {
                    return Err(at.expected("a string or an object"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The tokens of an `added_tokens.json`, which are special where another file names them so.
    fn legacy(&self, added: &At<'_>) -> Result<Vec<(u64, Token)>, HuggingFaceError> {
        let known = |value: &&Value| !matches!(value, Value::Late(_));
        let named = NAMED.iter().filter_map(|name| self.table.get(name));
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

    /// A special token that is listed has the flags that it has there.
    fn take_flags(&mut self, by_content: &HashMap<String, Token, Seeds>) {
        for name in NAMED {
            let found = self.table.get(name);
            if let Some(token) = found.and_then(|value| by_content.get(value.content())) {
                self.table.set(name, Some(Value::Token(token.clone())));
            }
        }
    }
}

/// Fails where a `tokenizer_config.json` sends its reader to other files or another pattern.
fn refuse_other_files(config: &At<'_>) -> Result<(), HuggingFaceError> {
    let files = config.field("fast_tokenizer_files");
    if !files.is_null() {
        for file in files.list()? {
            if file.text()? != "tokenizer.json" {
                return Err(file.unsupported("only tokenizer.json is read"));
            }
        }
    }
    let inputs = config.field("init_inputs");
    if !inputs.is_null() && !inputs.list()?.is_empty() {
        return Err(inputs.unsupported("only a list without entries is"));
    }
    let fix = config.field("fix_mistral_regex");
    match fix.flag_or(false)? {
        true => Err(fix.unsupported("it replaces the pattern; save the tokenizer as it is then")),
        false => Ok(()),
    }
}

/// The added tokens of `tokenizers`, to which more are added.
struct Adding<'a, 's> {
    spellings: &'a Spellings<'s>,
    ids: HashMap<String, TokenId, Seeds>,
    tokens: BTreeMap<TokenId, SpecialToken>,
    /// All that were special once: `tokenizers` leaves them out of decoded text for good.
    were_special: HashSet<String, Seeds>,
}

impl<'a, 's> Adding<'a, 's> {
    fn new(added: &[SpecialToken], spellings: &'a Spellings<'s>) -> Self {
        let mut adding = Adding {
            spellings,
            ids: HashMap::default(),
            tokens: BTreeMap::new(),
            were_special: HashSet::default(),
        };
        for token in added {
            adding.insert(token.clone());
        }
        adding
    }

    fn insert(&mut self, token: SpecialToken) {
        if token.special {
            self.were_special.insert(token.content.clone());
        }
        self.ids.insert(token.content.clone(), token.id);
        self.tokens.insert(token.id, token);
    }

    /// One call of `add_tokens`.
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
