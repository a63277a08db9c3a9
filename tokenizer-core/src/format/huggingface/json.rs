//! JSON values in which keys keep their order and duplicate keys are an error.
//!
//! Values are accessed through [`At`], which carries the path for error messages.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::error::{FieldFault, HuggingFaceError};
use crate::hash::Seeds;
use crate::token::TokenId;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::format) enum Json {
    Null,
    Bool(bool),
    /// A non-negative whole number.
    Integer(u64),
    /// Any other number: negative, with a fraction or an exponent, or above `u64::MAX`.
    Float(f64),
    Text(String),
    List(Vec<Json>),
    /// The fields in the order of the file. No key occurs twice.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses `bytes`, which must be a single value. Lists and objects may be nested up to 127 levels.
    pub(in crate::format) fn parse(bytes: &[u8]) -> Result<Json, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The value as JSON, indented by two spaces per level as in Hugging Face's files.
    pub(in crate::format) fn pretty(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }

    /// A short description for an error message.
    fn describe(&self) -> String {
        match self {
            Json::Null => "null".into(),
            Json::Bool(value) => value.to_string(),
            Json::Integer(value) => value.to_string(),
            Json::Float(value) => value.to_string(),
            Json::Text(value) => format!("{value:?}"),
            Json::List(_) => "a list".into(),
            Json::Object(_) => "an object".into(),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(u64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut keys = hashbrown::HashSet::<String, Seeds>::default();
        let mut fields = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format!("duplicate key {key:?}")));
            }
            fields.push((key, map.next_value()?));
        }
        Ok(Json::Object(fields))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Integer(value) => serializer.serialize_u64(*value),
            Json::Float(value) => serializer.serialize_f64(*value),
            Json::Text(value) => serializer.serialize_str(value),
            Json::List(values) => serializer.collect_seq(values),
            Json::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Json::Text(text.into())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Json::Bool(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Json::Integer(value.into())
    }
}

impl Json {
    /// Sets a field of an object. Does nothing to other values.
    pub(in crate::format) fn set(&mut self, name: &str, value: Json) {
        let Json::Object(fields) = self else {
            return;
        };
        match fields.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => fields.push((name.to_owned(), value)),
        }
    }

    /// A field of an object.
    pub(in crate::format) fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        let Json::Object(fields) = self else {
            return None;
        };
        let found = fields.iter_mut().find(|(key, _)| key == name);
        found.map(|(_, value)| value)
    }
}

/// Builds an object.
pub(in crate::format) fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.map(|(key, value)| (key.to_owned(), value)).into())
}

/// A JSON value with its file and its path in the file. A missing field has the value `null`.
#[derive(Clone)]
pub(in crate::format) struct At<'j> {
    pub(in crate::format) value: &'j Json,
    path: String,
    /// The name of the file; `None` for the tokenizer itself.
    file: Option<&'static str>,
}

impl<'j> At<'j> {
    /// The root of the tokenizer's file.
    pub(in crate::format) fn root(value: &'j Json) -> Self {
        let path = String::new();
        let file = None;
        At { value, path, file }
    }

    /// The root of another file of the folder.
    pub(in crate::format) fn root_of(file: &'static str, value: &'j Json) -> Self {
        let file = Some(file);
        let path = String::new();
        At { value, path, file }
    }

    fn within(&self, name: &str, value: &'j Json) -> Self {
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let file = self.file;
        At { value, path, file }
    }

    pub(in crate::format) fn fault(&self, fault: FieldFault) -> HuggingFaceError {
        let path = match self.path.as_str() {
            "" => "top level".to_owned(),
            path => path.to_owned(),
        };
        self.in_file(HuggingFaceError::Field { path, fault })
    }

    /// An error for an unsupported component.
    pub(in crate::format) fn refused(&self, component: &str) -> HuggingFaceError {
        self.in_file(HuggingFaceError::Unsupported {
            path: self.path.clone(),
            component: component.to_owned(),
        })
    }

    fn in_file(&self, error: HuggingFaceError) -> HuggingFaceError {
        match self.file {
            Some(file) => error.in_file(file),
            None => error,
        }
    }

    pub(in crate::format) fn expected(&self, what: &'static str) -> HuggingFaceError {
        self.fault(FieldFault::Expected {
            what,
            found: self.value.describe(),
        })
    }

    /// An error for a valid but unsupported value.
    pub(in crate::format) fn unsupported(&self, why: &'static str) -> HuggingFaceError {
        self.fault(FieldFault::NotSupported {
            found: self.value.describe(),
            why,
        })
    }

    pub(in crate::format) fn is_null(&self) -> bool {
        *self.value == Json::Null
    }

    pub(in crate::format) fn text(&self) -> Result<&'j str, HuggingFaceError> {
        match self.value {
            Json::Text(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    pub(in crate::format) fn integer(&self) -> Result<u64, HuggingFaceError> {
        match self.value {
            Json::Integer(number) => Ok(*number),
            _ => Err(self.expected("a whole number")),
        }
    }

    /// A whole number of 32 bits, as ids are.
    pub(in crate::format) fn id(&self) -> Result<TokenId, HuggingFaceError> {
        TokenId::try_from(self.integer()?).map_err(|_| self.expected("an id"))
    }

    pub(in crate::format) fn flag(&self) -> Result<bool, HuggingFaceError> {
        match self.value {
            Json::Bool(value) => Ok(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A flag that may be missing or `null`.
    pub(in crate::format) fn flag_or(&self, default: bool) -> Result<bool, HuggingFaceError> {
        match self.is_null() {
            true => Ok(default),
            false => self.flag(),
        }
    }

    pub(in crate::format) fn list(&self) -> Result<Vec<At<'j>>, HuggingFaceError> {
        let Json::List(values) = self.value else {
            return Err(self.expected("a list"));
        };
        let at = |(index, value)| At {
            path: format!("{}[{index}]", self.path),
            value,
            file: self.file,
        };
        Ok(values.iter().enumerate().map(at).collect())
    }

    pub(in crate::format) fn entries(&self) -> Result<&'j [(String, Json)], HuggingFaceError> {
        match self.value {
            Json::Object(entries) => Ok(entries),
            _ => Err(self.expected("an object")),
        }
    }

    /// The fields of an object, in the order of the file.
    pub(in crate::format) fn fields(&self) -> Result<Vec<(&'j str, At<'j>)>, HuggingFaceError> {
        let entries = self.entries()?.iter();
        let at = |(name, value): &'j (String, Json)| (name.as_str(), self.within(name, value));
        Ok(entries.map(at).collect())
    }

    /// A field of an object; `None` if it is missing, but not if it is `null`.
    pub(in crate::format) fn get(&self, name: &str) -> Option<At<'j>> {
        let Json::Object(fields) = self.value else {
            return None;
        };
        let found = fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| self.within(name, value))
    }

    /// A field of an object; `null` if it is missing.
    pub(in crate::format) fn field(&self, name: &str) -> At<'j> {
        (self.get(name)).unwrap_or_else(|| self.within(name, &Json::Null))
    }

    /// Fails at the first field that is not in `known`, a list separated by spaces.
    pub(in crate::format) fn only(&self, known: &str) -> Result<(), HuggingFaceError> {
        let mut entries = self.entries()?.iter();
        match entries.find(|(key, _)| !known.split(' ').any(|known| known == key)) {
            None => Ok(()),
            Some((key, _)) => Err(self.field(key).fault(FieldFault::Unknown)),
        }
    }

    /// The type of a component; `None` for `null`.
    pub(in crate::format) fn component(&self) -> Result<Option<&'j str>, HuggingFaceError> {
        if self.is_null() {
            return Ok(None);
        }
        self.entries()?;
        self.field("type").text().map(Some)
    }

    /// The components of a `Sequence`.
    pub(in crate::format) fn sequence(&self, name: &str) -> Result<Vec<At<'j>>, HuggingFaceError> {
        self.only(&format!("type {name}"))?;
        self.field(name).list()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_duplicate_keys_are_refused() {
        let text = br#"{"b": [1, -1, 2.5, null], "a": {"c": true}}"#;
        let value = Json::parse(text).unwrap();
        let again = Json::parse(&value.pretty().unwrap()).unwrap();
        assert_eq!(value, again);
        assert!(
            value
                .pretty()
                .unwrap()
                .starts_with(b"{\n  \"b\": [\n    1,")
        );
        let error = Json::parse(br#"{"a": 1, "a": 2}"#).unwrap_err().to_string();
        assert!(error.contains("duplicate key \"a\""), "{error}");
        assert!(Json::parse(b"1 2").is_err());
        assert!(Json::parse(&b"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn errors_name_the_path() {
        let value = Json::parse(br#"{"a": {"b": [1, {"c": 2}]}}"#).unwrap();
        let root = At::root(&value);
        let inner = root.field("a").field("b").list().unwrap()[1].field("c");
        assert_eq!(
            inner.text().unwrap_err().to_string(),
            "a.b[1].c: expected a string, found 2"
        );
        let error = root.field("a").only("x").unwrap_err();
        assert_eq!(error.to_string(), "a.b: unknown field");
        assert!(root.field("z").is_null());
    }
}
