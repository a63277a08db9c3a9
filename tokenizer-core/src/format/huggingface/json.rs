//! JSON as it stands in a file: the order of keys is kept, and a key that stands twice is an error.
//!
//! Every value is handed out with its path, so that what is wrong can be named.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{FieldFault, HuggingFaceError};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// A whole number from 0 on.
    Integer(u64),
    /// Any other number.
    Float(f64),
    Text(String),
    List(Vec<Json>),
    /// In the order of the file, without repeated keys.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value that takes up all of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Json, serde_json::Error> {
        // The parser gives up on more than 128 values within each other.
        let mut parser = serde_json::Deserializer::from_slice(bytes);
        let value = AnyValue.deserialize(&mut parser)?;
        parser.end()?;
        Ok(value)
    }

    /// The value over many lines, two spaces a level, as Hugging Face writes its files.
    pub(super) fn pretty(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }

    /// What kind of value it is, for a message.
    fn kind(&self) -> String {
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

struct AnyValue;

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

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

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(AnyValue)? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut keys = hashbrown::HashSet::<String, ahash::RandomState>::default();
        let mut fields = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format!("the key {key:?} stands twice")));
            }
            fields.push((key, map.next_value_seed(AnyValue)?));
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
            Json::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Json::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, value)?;
                }
                map.end()
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

/// An object with these fields, in this order.
pub(super) fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.map(|(key, value)| (key.to_owned(), value)).into())
}

/// A value and where it stands. What is not there is `null`.
#[derive(Clone)]
pub(super) struct At<'j> {
    pub(super) value: &'j Json,
    pub(super) path: String,
}

impl<'j> At<'j> {
    pub(super) fn fault(&self, fault: FieldFault) -> HuggingFaceError {
        HuggingFaceError::Field {
            path: self.path.clone(),
            fault,
        }
    }

    pub(super) fn expected(&self, what: &'static str) -> HuggingFaceError {
        self.fault(FieldFault::Expected {
            what,
            found: self.value.kind(),
        })
    }

    /// A value that is understood, but cannot be had here.
    pub(super) fn unsupported(&self, why: &'static str) -> HuggingFaceError {
        self.fault(FieldFault::NotSupported {
            found: self.value.kind(),
            why,
        })
    }

    pub(super) fn is_null(&self) -> bool {
        *self.value == Json::Null
    }

    pub(super) fn text(&self) -> Result<&'j str, HuggingFaceError> {
        match self.value {
            Json::Text(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    pub(super) fn integer(&self) -> Result<u64, HuggingFaceError> {
        match self.value {
            Json::Integer(number) => Ok(*number),
            _ => Err(self.expected("a whole number")),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, HuggingFaceError> {
        match self.value {
            Json::Bool(value) => Ok(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A flag that may be left out.
    pub(super) fn flag_or(&self, default: bool) -> Result<bool, HuggingFaceError> {
        if self.is_null() {
            Ok(default)
        } else {
            self.flag()
        }
    }

    pub(super) fn list(&self) -> Result<Vec<At<'j>>, HuggingFaceError> {
        let Json::List(values) = self.value else {
            return Err(self.expected("a list"));
        };
        let at = |(place, value)| At {
            value,
            path: format!("{}[{place}]", self.path),
        };
        Ok(values.iter().enumerate().map(at).collect())
    }

    pub(super) fn entries(&self) -> Result<&'j [(String, Json)], HuggingFaceError> {
        match self.value {
            Json::Object(entries) => Ok(entries),
            _ => Err(self.expected("an object")),
        }
    }

    /// The fields of an object, in its order.
    pub(super) fn fields(&self) -> Result<Vec<(&'j str, At<'j>)>, HuggingFaceError> {
        let at = |(name, value): &'j (String, Json)| {
            let path = match self.path.as_str() {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            (name.as_str(), At { value, path })
        };
        Ok(self.entries()?.iter().map(at).collect())
    }

    /// A field of an object, `null` when it is not there.
    pub(super) fn field(&self, name: &str) -> At<'j> {
        static ABSENT: Json = Json::Null;
        let found = match self.value {
            Json::Object(fields) => fields.iter().find(|(key, _)| key == name),
            _ => None,
        };
        At {
            value: found.map_or(&ABSENT, |(_, value)| value),
            path: match self.path.as_str() {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            },
        }
    }

    /// Whether an object has a field, if only with `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        match self.value {
            Json::Object(fields) => fields.iter().any(|(key, _)| key == name),
            _ => false,
        }
    }

    /// Fails at the first field that is not among `known`: it could mean anything.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), HuggingFaceError> {
        match self
            .entries()?
            .iter()
            .find(|(key, _)| !known.contains(&key.as_str()))
        {
            None => Ok(()),
            Some((key, _)) => Err(self.field(key).fault(FieldFault::Unknown)),
        }
    }

    /// The name of a component: its field `type`.
    pub(super) fn component(&self) -> Result<&'j str, HuggingFaceError> {
        self.entries()?;
        self.field("type").text()
    }

    /// The component is one that is not supported.
    pub(super) fn refused(&self, component: &str) -> HuggingFaceError {
        HuggingFaceError::Unsupported {
            path: self.path.clone(),
            component: component.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_repeated_keys_are_refused() {
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
        assert!(error.contains("\"a\" stands twice"), "{error}");
        assert!(Json::parse(b"1 2").is_err());
        assert!(Json::parse(&b"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn faults_have_a_path() {
        let value = Json::parse(br#"{"a": {"b": [1, {"c": 2}]}}"#).unwrap();
        let root = At {
            value: &value,
            path: String::new(),
        };
        let inner = root.field("a").field("b").list().unwrap()[1].field("c");
        assert_eq!(
            inner.text().unwrap_err().to_string(),
            "a.b[1].c: expected a string, found 2"
        );
        let error = root.field("a").only(&["x"]).unwrap_err();
        assert_eq!(error.to_string(), "a.b: this field is not known");
        assert!(root.field("z").is_null());
    }
}
