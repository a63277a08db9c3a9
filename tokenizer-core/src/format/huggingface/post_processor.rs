//! Reads the component `post_processor`.

use hashbrown::HashMap;

use super::error::HuggingFaceError;
use super::json::{At, Json};
use super::pre_tokenizer::check_byte_level;
use crate::hash::Seeds;
use crate::post_processor::{PostProcessor, Template, TemplatePart, Trimming};
use crate::token::TokenId;

/// Limit on the ids that a template adds. A special token of a template stands for a list of ids, so without
/// a limit their number could be the square of the length of the file.
const MAX_PARTS: usize = 1 << 20;

/// Limit on the texts in a template, each of which repeats the ids of the whole text.
const MAX_TEXTS: usize = 16;

/// Reads a post-processor.
pub(super) fn read_post_processor(at: &At<'_>) -> Result<PostProcessor, HuggingFaceError> {
    let (mut templates, mut trimming) = (None, None);
    read(at, &mut templates, &mut trimming)?;
    Ok(templates.unwrap_or_default().with_trimming(trimming))
}

/// Reads the templates and the trimming of offsets.
fn read(
    at: &At<'_>,
    templates: &mut Option<PostProcessor>,
    trimming: &mut Option<Trimming>,
) -> Result<(), HuggingFaceError> {
    let read = match at.component()? {
        None => return Ok(()),
        Some("Sequence") => {
            let mut steps = at.sequence("processors")?.into_iter();
            return steps.try_for_each(|step| read(&step, templates, trimming));
        }
        Some("ByteLevel") => {
            check_byte_level(at)?;
            read_trimming(at, templates.is_some(), trimming)?;
            return Ok(());
        }
        Some("TemplateProcessing") => read_templates(at)?,
        Some("RobertaProcessing") => {
            at.only("type sep cls trim_offsets add_prefix_space")?;
            read_trimming(at, templates.is_some(), trimming)?;
            read_classifier(at, 0)?
        }
        Some("BertProcessing") => {
            at.only("type sep cls")?;
            read_classifier(at, 1)?
        }
        Some(other) => return Err(at.refused(other)),
    };
    match templates.replace(read) {
        Some(_) => Err(at.refused("a second post-processor that adds ids")),
        None => Ok(()),
    }
}

/// Reads `trim_offsets` and `add_prefix_space`. Trimming twice, or when ids were added before, is refused.
fn read_trimming(
    at: &At<'_>,
    has_added: bool,
    trimming: &mut Option<Trimming>,
) -> Result<(), HuggingFaceError> {
    let trims = at.field("trim_offsets").flag()?;
    let read = match at.field("add_prefix_space").flag()? {
        true => Trimming::KeepPrefixSpace,
        false => Trimming::All,
    };
    if !trims {
        return Ok(());
    }
    if has_added || trimming.replace(read).is_some() {
        let field = at.field("trim_offsets");
        return Err(field.unsupported("offsets are trimmed twice, or after ids were added"));
    }
    Ok(())
}

/// Reads `cls` and `sep`. BERT's pair is `cls A sep B sep`, with type id 1 from `B` on; RoBERTa's is
/// `cls A sep sep B sep`, with type id 0 throughout.
fn read_classifier(at: &At<'_>, second: u32) -> Result<PostProcessor, HuggingFaceError> {
    let added = |name: &str, type_id| {
        let id = token_id(&at.field(name))?;
        Ok::<_, HuggingFaceError>(TemplatePart::Added { id, type_id })
    };
    let single = vec![
        added("cls", 0)?,
        TemplatePart::First { type_id: 0 },
        added("sep", 0)?,
    ];
    let mut pair = single.clone();
    if second == 0 {
        pair.push(added("sep", 0)?);
    }
    pair.push(TemplatePart::Second { type_id: second });
    pair.push(added("sep", second)?);
    PostProcessor::new(single.into(), Some(pair.into()))
        .map_err(|_| at.expected("a template with the text"))
}

/// The id in a list of a token and its id.
fn token_id(at: &At<'_>) -> Result<TokenId, HuggingFaceError> {
    match at.list()?.as_slice() {
        [token, id] => token.text().and_then(|_| id.id()),
        _ => Err(at.expected("a token and its id")),
    }
}

fn read_templates(at: &At<'_>) -> Result<PostProcessor, HuggingFaceError> {
    // Command R's files have the fields of a `ByteLevel` here, which `tokenizers` ignores.
    at.only("type single pair special_tokens add_prefix_space trim_offsets use_regex")?;
    let tokens = match at.field("special_tokens").is_null() {
        true => Vec::new(),
        false => at.field("special_tokens").fields()?,
    };
    let tokens: HashMap<&str, At<'_>, Seeds> = tokens.into_iter().collect();
    let single = read_template(&at.field("single"), &tokens, at)?;
    let pair = read_template(&at.field("pair"), &tokens, at)?;
    PostProcessor::new(single, Some(pair)).map_err(|_| {
        at.field("single")
            .expected(r#"a list that contains {"Sequence": {"id": "A"}} and no "B""#)
    })
}

fn read_template<'j>(
    pieces: &At<'j>,
    tokens: &HashMap<&str, At<'j>, Seeds>,
    at: &At<'j>,
) -> Result<Template, HuggingFaceError> {
    let (mut parts, mut texts) = (Vec::new(), 0);
    for piece in pieces.list()? {
        let [(kind, _)] = piece.entries()? else {
            return Err(piece.expected("an object with Sequence or SpecialToken"));
        };
        let inside = piece.field(kind);
        inside.only("id type_id")?;
        let (id, type_id) = (inside.field("id"), inside.field("type_id").id()?);
        match (kind.as_str(), id.text()?) {
            ("Sequence", name @ ("A" | "B")) => {
                texts += 1;
                parts.push(match name {
                    "A" => TemplatePart::First { type_id },
                    _ => TemplatePart::Second { type_id },
                });
            }
            ("Sequence", _) => return Err(id.unsupported("expected \"A\" or \"B\"")),
            ("SpecialToken", name) => {
                let Some(token) = tokens.get(name) else {
                    return Err(at.field("special_tokens").field(name).expected("an object"));
                };
                token.only("id ids tokens")?;
                let ids = token.field("ids");
                let Json::List(list) = ids.value else {
                    return Err(ids.expected("a list"));
                };
                if parts.len() + list.len() > MAX_PARTS {
                    return Err(pieces.unsupported("more than 1,048,576 ids in a template"));
                }
                for id in ids.list()? {
                    let id = id.id()?;
                    parts.push(TemplatePart::Added { id, type_id });
                }
            }
            (other, _) => return Err(piece.refused(other)),
        }
        if texts > MAX_TEXTS || parts.len() > MAX_PARTS {
            return Err(pieces.unsupported("more than 16 texts or 1,048,576 ids in a template"));
        }
    }
    Ok(parts.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<PostProcessor, HuggingFaceError> {
        read_post_processor(&At::root(&Json::parse(text.as_bytes()).unwrap()))
    }

    /// The ids of `[1, 2]`, those of the pair `[1, 2]` and `[3]`, and the type ids of the pair.
    fn results(text: &str) -> (Vec<TokenId>, Vec<TokenId>, Vec<u32>) {
        let processor = read_text(text).unwrap();
        let mut single = Vec::new();
        let encode = |ids: &mut Vec<TokenId>| {
            ids.extend([1, 2]);
            Ok::<(), ()>(())
        };
        processor.process(&mut single, encode).unwrap();
        let (ids, type_ids) = processor.process_pair(&[1, 2], &[3], true).unwrap();
        (single, ids, type_ids)
    }

    #[test]
    fn processors_give_the_results_of_tokenizers() {
        let roberta = r#"{"type": "RobertaProcessing", "sep": ["s", 8], "cls": ["c", 7],
            "trim_offsets": true, "add_prefix_space": false}"#;
        let bert = r#"{"type": "BertProcessing", "sep": ["s", 8], "cls": ["c", 7]}"#;
        let template = r#"{"type": "Sequence", "processors": [{"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "x", "type_id": 4}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 1}}],
            "pair": [{"Sequence": {"id": "B", "type_id": 2}}, {"SpecialToken": {"id": "x", "type_id": 4}},
                     {"Sequence": {"id": "A", "type_id": 1}}],
            "special_tokens": {"x": {"id": "x", "ids": [8, 9], "tokens": ["8", "9"]}}}]}"#;
        let single = vec![7, 1, 2, 8];
        let want = (single.clone(), vec![7, 1, 2, 8, 8, 3, 8], vec![0; 7]);
        assert_eq!(results(roberta), want);
        let type_ids = vec![0, 0, 0, 0, 1, 1];
        assert_eq!(results(bert), (single, vec![7, 1, 2, 8, 3, 8], type_ids));
        let (single, pair) = (vec![8, 9, 1, 2, 1, 2], vec![3, 8, 9, 1, 2]);
        assert_eq!(results(template), (single, pair, vec![2, 4, 4, 1, 1]));
        assert_eq!(read_text("null").unwrap(), PostProcessor::default());
    }

    #[test]
    fn templates_are_read_in_linear_time() {
        // With a linear search for each special token, this took over a minute.
        let number = 100_000;
        let join = |one: fn(usize) -> String| Vec::from_iter((0..number).map(one)).join(",");
        let pieces = join(|i| format!(r#"{{"SpecialToken": {{"id": "t{i}", "type_id": 0}}}}"#));
        let tokens =
            join(|i| format!(r#""t{i}": {{"id": "t{i}", "ids": [{i}], "tokens": ["t"]}}"#));
        let text = r#"{"Sequence": {"id": "A", "type_id": 0}}"#;
        let file = format!(
            r#"{{"type": "TemplateProcessing", "single": [{text}, {pieces}], "pair": [],
                "special_tokens": {{{tokens}}}}}"#
        );
        let started = std::time::Instant::now();
        let processor = read_text(&file).unwrap();
        assert!(started.elapsed().as_secs() < 20);
        assert_eq!(processor.affixes().unwrap().after.len(), number);
    }

    #[test]
    fn the_size_of_a_template_is_limited() {
        let text = r#"{"Sequence": {"id": "A", "type_id": 0}}"#;
        let token = r#"{"SpecialToken": {"id": "x", "type_id": 0}}"#;
        let file = |piece: &str, times: usize| {
            let (pieces, ids) = (vec![piece; times].join(","), vec!["1"; 2000].join(","));
            let file = format!(
                r#"{{"type": "TemplateProcessing", "single": [{text}, {pieces}], "pair": [],
                    "special_tokens": {{"x": {{"id": "x", "ids": [{ids}], "tokens": []}}}}}}"#
            );
            read_text(&file)
        };
        assert!(file(text, 15).is_ok());
        assert!(
            file(text, 16)
                .unwrap_err()
                .to_string()
                .contains("more than 16 texts")
        );
        assert!(file(token, 524).is_ok());
        assert!(
            file(token, 525)
                .unwrap_err()
                .to_string()
                .contains("1,048,576 ids")
        );
    }

    #[test]
    fn trimming_is_read() {
        let byte_level = |trims, keeps| {
            format!(
                r#"{{"type": "ByteLevel", "trim_offsets": {trims}, "add_prefix_space": {keeps}, "use_regex": true}}"#
            )
        };
        let sequence = |steps: &[&str]| {
            let steps = steps.join(",");
            read_text(&format!(
                r#"{{"type": "Sequence", "processors": [{steps}]}}"#
            ))
        };
        let trimming = |text: &str| read_text(text).unwrap().trimming();
        assert_eq!(
            trimming(&byte_level(true, true)),
            Some(Trimming::KeepPrefixSpace)
        );
        assert_eq!(trimming(&byte_level(true, false)), Some(Trimming::All));
        assert_eq!(trimming(&byte_level(false, true)), None);
        let roberta = r#"{"type": "RobertaProcessing", "sep": ["s", 8], "cls": ["c", 7],
            "trim_offsets": true, "add_prefix_space": false}"#;
        assert_eq!(trimming(roberta), Some(Trimming::All));
        let bert = r#"{"type": "BertProcessing", "sep": ["s", 8], "cls": ["c", 7]}"#;
        let trims = byte_level(true, true);
        assert!(sequence(&[&trims, bert]).is_ok());
        for steps in [[bert, &trims], [&trims, &trims], [&trims, roberta]] {
            let error = sequence(&steps).unwrap_err().to_string();
            assert!(
                error.contains("trim_offsets: true is not supported"),
                "{error}"
            );
        }
    }

    #[test]
    fn two_components_that_add_ids_are_refused() {
        let bert = r#"{"type": "BertProcessing", "sep": ["s", 8], "cls": ["c", 7]}"#;
        let twice = format!(r#"{{"type": "Sequence", "processors": [{bert}, {bert}]}}"#);
        let error = read_text(&twice).unwrap_err().to_string();
        assert!(
            error.starts_with("processors[1]: a second post-processor"),
            "{error}"
        );
    }
}
