//! The component `normalizer`: read and written.

use super::error::HuggingFaceError;
use super::json::{At, Json, object};
use super::regex_dialect::{from_oniguruma, to_oniguruma};
use crate::normalize::{MAX_STEPS, Normalizer, Replace};

/// Reads a `normalizer`.
pub(super) fn read_normalizer(at: &At<'_>) -> Result<Option<Normalizer>, HuggingFaceError> {
    let mut steps = Vec::new();
    add_steps(at, &mut steps)?;
    let normalizer = Normalizer::sequence(steps);
    if let Some(Err(refused)) = normalizer.as_ref().map(Normalizer::check) {
        return Err(at.refused(refused));
    }
    Ok(normalizer)
}

fn add_steps(at: &At<'_>, steps: &mut Vec<Normalizer>) -> Result<(), HuggingFaceError> {
    let Some(name) = at.component()? else {
        return Ok(());
    };
    if steps.len() == MAX_STEPS {
        return Err(at.refused(&format!("{name} after {MAX_STEPS} steps")));
    }
    let without_fields = |step: Normalizer| at.only("type").map(|()| step);
    steps.push(match name {
        "NFC" => without_fields(Normalizer::Nfc)?,
        "NFD" => without_fields(Normalizer::Nfd)?,
        "NFKC" => without_fields(Normalizer::Nfkc)?,
        "NFKD" => without_fields(Normalizer::Nfkd)?,
        "Lowercase" => without_fields(Normalizer::Lowercase)?,
        "StripAccents" => without_fields(Normalizer::StripAccents)?,
        "Strip" => {
            at.only("type strip_left strip_right")?;
            Normalizer::Strip {
                left: at.field("strip_left").flag()?,
                right: at.field("strip_right").flag()?,
            }
        }
        "Prepend" => {
            at.only("type prepend")?;
            let prefix = at.field("prepend");
            match prefix.text()? {
                "" => return Err(prefix.unsupported("expected a string that is not empty")),
                text => Normalizer::Prepend(text.into()),
            }
        }
        "Replace" => Normalizer::Replace(read_replace(at)?),
        "Sequence" => {
            for step in at.sequence("normalizers")? {
                add_steps(&step, steps)?;
            }
            return Ok(());
        }
        other => return Err(at.refused(other)),
    });
    Ok(())
}

/// Reads a `Replace`, a normalizer or a decoder.
pub(super) fn read_replace(at: &At<'_>) -> Result<Replace, HuggingFaceError> {
    at.only("type pattern content")?;
    let (pattern, content) = (at.field("pattern"), at.field("content"));
    let content = content.text()?;
    let [(kind, _)] = pattern.entries()? else {
        return Err(pattern.expected("an object with Regex or String"));
    };
    let source = pattern.field(kind);
    let text = source.text()?;
    let replace = match kind.as_str() {
        "String" => Replace::text(text, content),
        "Regex" => {
            let own = from_oniguruma(text).map_err(|error| HuggingFaceError::Regex {
                source_text: text.to_owned(),
                error,
            })?;
            Replace::regex(&own, content)
        }
        other => return Err(pattern.refused(other)),
    };
    replace.map_err(|error| source.refused(&format!("{text:?}, which {error},")))
}

/// The component for a normalizer.
pub(super) fn normalizer_json(normalizer: Option<&Normalizer>) -> Result<Json, HuggingFaceError> {
    let steps = normalizer.map_or(&[][..], Normalizer::steps);
    let mut steps = steps
        .iter()
        .map(step_json)
        .collect::<Result<Vec<Json>, _>>()?;
    Ok(match steps.len() {
        0 => Json::Null,
        1 => steps.remove(0),
        _ => object([
            ("type", "Sequence".into()),
            ("normalizers", Json::List(steps)),
        ]),
    })
}

fn step_json(step: &Normalizer) -> Result<Json, HuggingFaceError> {
    let name = step.to_string();
    let kind = ("type", name.as_str().into());
    Ok(match step {
        Normalizer::Strip { left, right } => object([
            kind,
            ("strip_left", (*left).into()),
            ("strip_right", (*right).into()),
        ]),
        Normalizer::Prepend(prefix) => object([kind, ("prepend", (&**prefix).into())]),
        Normalizer::Replace(replace) => replace_json(replace)?,
        Normalizer::Spaces(_) => {
            return Err(HuggingFaceError::Unsupported {
                path: "normalizer".into(),
                component: name,
            });
        }
        _ => object([kind]),
    })
}

/// A `Replace`, a normalizer or a decoder.
pub(super) fn replace_json(replace: &Replace) -> Result<Json, HuggingFaceError> {
    let (field, source) = match (replace.as_text(), replace.as_regex()) {
        (Some(text), _) => ("String", text.to_owned()),
        (None, regex) => {
            let regex = regex.unwrap_or_default();
            let written = to_oniguruma(regex).map_err(|error| HuggingFaceError::Regex {
                source_text: regex.to_owned(),
                error,
            })?;
            ("Regex", written)
        }
    };
    Ok(object([
        ("type", "Replace".into()),
        ("pattern", object([(field, source.as_str().into())])),
        ("content", replace.content().into()),
    ]))
}
