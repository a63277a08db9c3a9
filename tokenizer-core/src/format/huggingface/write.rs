//! Writes a `tokenizer.json` in the form that `tokenizers` itself writes.

use std::collections::BTreeSet;

use super::decoder::decoder_json;
use super::error::HuggingFaceError;
use super::json::{Json, object};
use super::normalizer::normalizer_json;
use super::pre_tokenizer::byte_level_json;
use super::read::read;
use super::regex_dialect::to_oniguruma;
use super::sentencepiece::in_components;
use super::verify::verify;
use super::vocabulary::is_symbol;
use crate::byte_level::{bytes_of, spell};
use crate::merges::Merge;
use crate::model::{Merging, Model};
use crate::pattern::{Gaps, Pattern, PatternName};
use crate::post_processor::{PostProcessor, Template, TemplatePart, Trimming};
use crate::rank_merges::rank_merges;
use crate::rewrite::{Metaspace, PrependScheme, RewriteStep};
use crate::special::SpecialToken;
use crate::token::TokenId;

/// Writes a `tokenizer.json`. Deterministic: equal models give equal bytes.
///
/// A model that merges by rank is written with an equivalent list of merges. The result is read back and
/// compared with the model on every token, every special token and a set of edge cases.
///
/// # Errors
/// If the pattern has no equivalent in Oniguruma, two tokens have the same bytes, or the spelling of
/// a special token clashes with that of another token.
pub fn write(model: &Model) -> Result<Vec<u8>, HuggingFaceError> {
    let model = &*in_components(model)?;
    if let Some(id) = model.vocab().repeated().next() {
        let bytes = model.vocab().token(id).unwrap_or_default().to_vec();
        let first = model.vocab().id(&bytes).unwrap_or(id);
        return Err(HuggingFaceError::RepeatedBytes { bytes, first, id });
    }
    let added = model.specials().iter().map(added_token).collect();
    let settings = model.call_settings();
    let json = object([
        ("version", "1.0".into()),
        ("truncation", setting(&settings.truncation)?),
        ("padding", setting(&settings.padding)?),
        ("added_tokens", Json::List(added)),
        ("normalizer", normalizer_json(model.normalizer())?),
        ("pre_tokenizer", pre_tokenizer(model)?),
        ("post_processor", post_processor(model)),
        ("decoder", decoder_json(model.text_decoder())?),
        ("model", bpe(model)?),
    ]);
    let bytes = json.pretty()?;
    verify(model, read(&bytes)?)?;
    Ok(bytes)
}

/// `truncation` or `padding`, unchanged.
fn setting(json: &Option<String>) -> Result<Json, HuggingFaceError> {
    match json {
        None => Ok(Json::Null),
        Some(json) => Ok(Json::parse(json.as_bytes())?),
    }
}

fn added_token(token: &SpecialToken) -> Json {
    object([
        ("id", token.id.into()),
        ("content", token.content.as_str().into()),
        ("single_word", token.single_word.into()),
        ("lstrip", token.lstrip.into()),
        ("rstrip", token.rstrip.into()),
        ("normalized", token.normalized.into()),
        ("special", token.special.into()),
    ])
}

/// A `ByteLevel` component that neither splits, adds a prefix space nor trims offsets.
fn byte_level() -> Json {
    byte_level_with(false, false)
}

pub(super) fn byte_level_with(add_prefix_space: bool, use_regex: bool) -> Json {
    byte_level_json(add_prefix_space, false, use_regex)
}

/// The post-processor `ByteLevel`.
fn trimming(trimming: Option<Trimming>) -> Json {
    let keeps = trimming == Some(Trimming::KeepPrefixSpace);
    byte_level_json(keeps, trimming.is_some(), false)
}

/// How the tokens of a model are written: spelled byte by byte, or as text.
#[derive(Clone, Copy)]
struct Spelling {
    is_text: bool,
}

impl Spelling {
    fn of(model: &Model) -> Self {
        let symbols = model.symbols();
        let is_text = symbols.is_some_and(|symbols| symbols.characters);
        Spelling { is_text }
    }

    fn spell(self, token: &[u8]) -> String {
        match self.is_text {
            // A token that is not UTF-8 reads back as another one, which `verify` finds.
            true => String::from_utf8_lossy(token).into_owned(),
            false => spell(token),
        }
    }

    fn bytes_of(self, text: &str) -> Option<Vec<u8>> {
        match self.is_text {
            true => Some(text.as_bytes().to_vec()),
            false => bytes_of(text),
        }
    }
}

fn pre_tokenizer(model: &Model) -> Result<Json, HuggingFaceError> {
    let (pattern, mut rewrites) = (model.pattern(), model.rewrites());
    let mut prefix_space = None;
    if let [before @ .., RewriteStep::PrefixSpace] = rewrites {
        // `ByteLevel` adds the space, so it must also split, and with its own regex.
        let use_regex = pattern.name() == Some(PatternName::Gpt2);
        prefix_space = (use_regex || pattern.stages().len() == 0).then_some(use_regex);
        rewrites = if prefix_space.is_some() {
            before
        } else {
            rewrites
        };
    }
    let mut steps = Vec::new();
    for step in rewrites {
        match step {
            RewriteStep::Split(pattern) => push_splits(pattern, &mut steps)?,
            RewriteStep::Metaspace(metaspace) => steps.push(metaspace_json(metaspace)),
            RewriteStep::PrefixSpace => {
                return Err(HuggingFaceError::Unsupported {
                    path: "pre_tokenizer".into(),
                    component: "a split, other than GPT-2's, after ByteLevel's prefix space".into(),
                });
            }
        }
    }
    let is_text = Spelling::of(model).is_text;
    match prefix_space {
        Some(use_regex) => steps.push(byte_level_with(true, use_regex)),
        None => {
            push_splits(pattern, &mut steps)?;
            if !is_text && pattern.spelled_from().is_none() {
                steps.push(byte_level());
            }
        }
    }
    if is_text && steps.is_empty() {
        return Ok(Json::Null);
    }
    Ok(object([
        ("type", "Sequence".into()),
        ("pretokenizers", Json::List(steps)),
    ]))
}

fn metaspace_json(metaspace: &Metaspace) -> Json {
    let scheme = match metaspace.prepend_scheme() {
        PrependScheme::Always => "always",
        PrependScheme::First => "first",
        PrependScheme::Never => "never",
    };
    let replacement = metaspace.replacement().to_string();
    object([
        ("type", "Metaspace".into()),
        ("replacement", replacement.as_str().into()),
        ("prepend_scheme", scheme.into()),
        ("split", false.into()),
    ])
}

/// Appends a `Split` for each stage of a pattern, and `ByteLevel` before the stages that split the spelling of
/// the bytes.
fn push_splits(pattern: &Pattern, steps: &mut Vec<Json>) -> Result<(), HuggingFaceError> {
    for (stage, (source, gaps)) in pattern.stages().enumerate() {
        if pattern.spelled_from() == Some(stage) {
            steps.push(byte_level());
        }
        // With `Gaps::Keep`, a stage with an empty regex does not split.
        if source.is_empty() && gaps == Gaps::Keep {
            continue;
        }
        let regex = to_oniguruma(source).map_err(|error| HuggingFaceError::Regex {
            source_text: source.to_owned(),
            error,
        })?;
        // With `invert`, `Removed` removes the gaps between the matches.
        let (behavior, invert) = match gaps {
            Gaps::Keep => ("Isolated", false),
            Gaps::Drop => ("Removed", true),
            Gaps::Only => ("Removed", false),
            Gaps::WithNext => ("MergedWithPrevious", false),
            Gaps::WithPrevious => ("MergedWithNext", false),
            Gaps::Contiguous => ("Contiguous", false),
        };
        steps.push(object([
            ("type", "Split".into()),
            ("pattern", object([("Regex", regex.as_str().into())])),
            ("behavior", behavior.into()),
            ("invert", invert.into()),
        ]));
    }
    Ok(())
}

/// The post-processor.
fn post_processor(model: &Model) -> Json {
    let processor = model.post_processor();
    let trims = processor.trimming();
    let is_plain = processor.clone().with_trimming(None) == PostProcessor::default();
    match (is_plain, trims) {
        (true, None) if Spelling::of(model).is_text => Json::Null,
        (true, trims) => trimming(trims),
        (false, None) => templates(model),
        (false, trims) => object([
            ("type", "Sequence".into()),
            (
                "processors",
                Json::List(vec![trimming(trims), templates(model)]),
            ),
        ]),
    }
}

/// The templates. If the template for a pair is unknown, it is that for one text, twice.
fn templates(model: &Model) -> Json {
    let processor = model.post_processor();
    let spelling = Spelling::of(model);
    let name = |id: TokenId| match model.specials().by_id(id) {
        Some(token) => token.content.clone(),
        None => spelling.spell(model.token(id).unwrap_or_default()),
    };
    let piece = |kind: &str, id: &str, type_id: u32| {
        let fields = object([("id", id.into()), ("type_id", type_id.into())]);
        object([(kind, fields)])
    };
    let pieces = |parts: &[TemplatePart]| -> Vec<Json> {
        let pieces = parts.iter().map(|part| match *part {
            TemplatePart::First { type_id } => piece("Sequence", "A", type_id),
            TemplatePart::Second { type_id } => piece("Sequence", "B", type_id),
            TemplatePart::Added { id, type_id } => piece("SpecialToken", &name(id), type_id),
        });
        pieces.collect()
    };
    let single = processor.single().parts();
    let pair = match processor.pair() {
        Some(pair) => pieces(pair.parts()),
        None => [pieces(single), pieces(&single_of_second(single))].concat(),
    };
    let ids = processor.single().added();
    let ids = ids.chain(processor.pair().into_iter().flat_map(Template::added));
    let tokens: BTreeSet<(String, TokenId)> = ids.map(|id| (name(id), id)).collect();
    let tokens = tokens.into_iter().map(|(name, id)| {
        let fields = object([
            ("id", name.as_str().into()),
            ("ids", Json::List(vec![id.into()])),
            ("tokens", Json::List(vec![name.as_str().into()])),
        ]);
        (name, fields)
    });
    object([
        ("type", "TemplateProcessing".into()),
        ("single", Json::List(pieces(single))),
        ("pair", Json::List(pair)),
        ("special_tokens", Json::Object(tokens.collect())),
    ])
}

/// The template of one text, for the second text of a pair: its type id is 1.
fn single_of_second(single: &[TemplatePart]) -> Vec<TemplatePart> {
    let type_id = 1;
    let second = single.iter().map(|part| match *part {
        TemplatePart::Added { id, .. } => TemplatePart::Added { id, type_id },
        _ => TemplatePart::Second { type_id },
    });
    second.collect()
}

fn bpe(model: &Model) -> Result<Json, HuggingFaceError> {
    let spelling = Spelling::of(model);
    let spelled =
        |id: TokenId| Json::Text(spelling.spell(model.vocab().token(id).unwrap_or_default()));
    let symbols = model.symbols().cloned().unwrap_or_default();
    let affix = |affix: &[u8]| match affix {
        [] => Json::Null,
        affix => Json::Text(spelling.spell(affix)),
    };
    let unknown = symbols.unknown.map(|id| match model.specials().by_id(id) {
        Some(token) => Json::Text(token.content.clone()),
        None => spelled(id),
    });
    let pair = |merge: &Merge| Json::List(vec![spelled(merge.left), spelled(merge.right)]);
    let (merges, ignore_merges) = match model.merging() {
        Merging::Ranks => {
            let list = rank_merges(model.vocab());
            (list.rules.iter().map(pair).collect(), !list.reaches_all)
        }
        Merging::Merges {
            merges,
            ignore_merges,
        } => (merges.iter().map(pair).collect(), *ignore_merges),
    };
    let entries = vocabulary(model, ignore_merges)?.into_iter();
    let entries = entries.map(|(id, spelling)| (spelling, id.into()));
    Ok(object([
        ("type", "BPE".into()),
        ("dropout", Json::Null),
        ("unk_token", unknown.unwrap_or(Json::Null)),
        (
            "continuing_subword_prefix",
            affix(&symbols.continuing_subword_prefix),
        ),
        ("end_of_word_suffix", affix(&symbols.end_of_word_suffix)),
        ("fuse_unk", symbols.fuse_unknown.into()),
        ("byte_fallback", symbols.byte_fallback.into()),
        ("ignore_merges", ignore_merges.into()),
        ("vocab", Json::Object(entries.collect())),
        ("merges", Json::List(merges)),
    ]))
}

/// The entries of `vocab`, by ascending id.
///
/// `tokenizers` numbers the added tokens that are not in the vocabulary itself, from the size of the vocabulary
/// on. Those up to the last one with another id, and up to the unknown token, are written to the vocabulary.
fn vocabulary(
    model: &Model,
    ignore_merges: bool,
) -> Result<Vec<(TokenId, String)>, HuggingFaceError> {
    let (vocab, spelling) = (model.vocab(), Spelling::of(model));
    let symbols = model.symbols().cloned().unwrap_or_default();
    let tokens = vocab.iter();
    let mut entries: Vec<(TokenId, String)> = tokens
        .map(|(id, token)| (id, spelling.spell(token)))
        .collect();
    let is_entry = |token: &SpecialToken| {
        let bytes = spelling.bytes_of(&token.content);
        bytes.is_some_and(|bytes| vocab.id(&bytes) == Some(token.id))
    };
    let specials = model.specials().iter();
    let others: Vec<&SpecialToken> = specials.filter(|token| !is_entry(token)).collect();
    let unknown = symbols.unknown;
    let is_numbered = |(index, token): (usize, &&SpecialToken)| {
        token.id as usize == vocab.len() + index && unknown != Some(token.id)
    };
    let last = others
        .iter()
        .enumerate()
        .rposition(|other| !is_numbered(other));
    let written = last.map_or(0, |last| last + 1);
    for (index, token) in others.iter().enumerate() {
        let refuse = |why| {
            let content = token.content.clone();
            let id = token.id;
            Err(HuggingFaceError::SpecialNotTold { content, id, why })
        };
        let bytes = spelling.bytes_of(&token.content);
        let is_literal = bytes.as_deref() == Some(token.bytes());
        if bytes
            .as_ref()
            .is_some_and(|bytes| vocab.id(bytes).is_some())
        {
            return refuse("an ordinary token has the same spelling");
        }
        if vocab.token(token.id).is_some() {
            return refuse("an ordinary token has the same id and another spelling");
        }
        if index >= written {
            continue;
        }
        if let Some(bytes) = bytes {
            if is_symbol(&bytes, &symbols) {
                return refuse("with this id, its text would be a symbol of ordinary text");
            }
            if ignore_merges && (!is_literal || is_piece(model, &bytes)) {
                return refuse("its text spells bytes that can occur as a piece");
            }
        }
        entries.push((token.id, token.content.clone()));
    }
    entries.sort();
    Ok(entries)
}

/// Whether the pattern keeps the text as one piece. `ignore_merges` would look this piece up whole.
fn is_piece(model: &Model, text: &[u8]) -> bool {
    if !model.rewrites().is_empty() {
        return true;
    }
    let first = model.pattern().split(text).next();
    first.is_none_or(|piece| piece.is_ok_and(|piece| piece == (0..text.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::normalize::Normalizer;
    use crate::special::SpecialTokens;
    use crate::symbols::Symbols;
    use crate::text_decoder::TextDecoder;
    use crate::token::Pair;
    use crate::tokenizer::Tokenizer;
    use crate::vocab::{Repeats, Vocab};
    use proptest::prelude::*;

    fn trained(specials: &[&str]) -> Model {
        let pairs = [(97, 98), (256, 99), (32, 257)].map(|(l, r)| Pair::new(l, r));
        let merges = Merges::trained(&pairs).unwrap();
        Model::from_merges(Pattern::named(PatternName::Cl100k), merges, specials).unwrap()
    }

    fn ranks(tokens: &[Vec<u8>], specials: &[SpecialToken]) -> Model {
        let bytes: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
        let tokens = bytes.iter().chain(tokens).map(Vec::as_slice).zip(0..);
        let pattern = Pattern::named(PatternName::Gpt2);
        Model::from_ranks(pattern, tokens, specials.iter().cloned()).unwrap()
    }

    /// In the vocabulary, a token of one character would be a symbol of other text.
    #[test]
    fn added_tokens_are_written_to_the_vocabulary_only_for_their_ids() {
        let model = |added: &[(&str, TokenId)]| {
            let tokens = [0, 1, 3]
                .into_iter()
                .zip(["a", "b", "ab"].map(str::as_bytes));
            let vocab = Vocab::new(tokens, Repeats::Refuse).unwrap();
            let (left, right, token) = (0, 1, 3);
            let merging = Merging::Merges {
                merges: Merges::new(vec![Merge { left, right, token }]).unwrap(),
                ignore_merges: false,
            };
            let added = added.iter().map(|&(content, id)| SpecialToken {
                single_word: true,
                ..SpecialToken::new(content, id)
            });
            let symbols = Symbols {
                characters: true,
                byte_fallback: true,
                ..Symbols::default()
            };
            let specials = SpecialTokens::new(added).unwrap();
            let pattern = Pattern::sequence([]);
            let model = Model::with_symbols(pattern, vocab, merging, specials, symbols).unwrap();
            model.with_text_decoder(Some(TextDecoder::of_steps(vec![], false)))
        };
        // The added tokens, of which `<s>` is written to the vocabulary, or the one that is refused.
        type Case<'c> = (&'c [(&'c str, TokenId)], Option<&'c str>);
        let cases: [Case<'_>; 5] = [
            (&[("<s>", 2), ("c", 4), ("<0x41>", 5)], None),
            (&[("<s>", 2), ("ab", 3), ("c", 4)], None),
            (&[("<s>", 2), ("c", 5)], Some("c")),
            (&[("<0x41>", 2)], Some("<0x41>")),
            (&[("<s>", 2), ("c", 9), ("<e>", 10)], Some("c")),
        ];
        for (added, refused) in cases {
            let model = model(added);
            let written = write(&model);
            if let Some(content) = refused {
                let error = written.unwrap_err().to_string();
                assert!(error.contains(&format!("{content:?}")), "{error}");
                continue;
            }
            let written = written.unwrap();
            assert_eq!(read(&written).unwrap(), model);
            let text = String::from_utf8(written).unwrap();
            let entries = text.split("\"vocab\": {").nth(1).unwrap();
            let entries = entries.split('}').next().unwrap();
            assert_eq!(entries.matches(':').count(), 4, "{entries}");
        }
    }

    #[test]
    fn trained_models_round_trip() {
        let added = |id, type_id| TemplatePart::Added { id, type_id };
        let first = TemplatePart::First { type_id: 0 };
        let second = TemplatePart::Second { type_id: 1 };
        let single = vec![added(259, 0), added(259, 2), first, added(260, 0), first];
        let pair = vec![second, added(97, 5), first];
        let processor = PostProcessor::new(single.into(), Some(pair.into())).unwrap();
        let processor = processor.with_trimming(Some(Trimming::All));
        let model = trained(&["<|bos|>", "ende ü"])
            .with_normalizer(Some(Normalizer::Nfc))
            .with_post_processor(processor)
            .unwrap();
        let bytes = write(&model).unwrap();
        assert_eq!(read(&bytes).unwrap(), model);
        assert_eq!(write(&model).unwrap(), bytes);
        let plain = trained(&[]).with_pattern(Pattern::sequence([]));
        assert_eq!(read(&write(&plain).unwrap()).unwrap(), plain);
        let trims = PostProcessor::default().with_trimming(Some(Trimming::KeepPrefixSpace));
        let trims = plain.with_post_processor(trims).unwrap();
        assert_eq!(read(&write(&trims).unwrap()).unwrap(), trims);
    }

    #[test]
    fn ids_with_gaps_are_kept() {
        let specials = [
            SpecialToken::new("<|end|>", 300),
            SpecialToken::new("é ", 310),
        ];
        let model = ranks(&[b"ab".to_vec(), b"abc".to_vec()], &specials);
        let read = read(&write(&model).unwrap()).unwrap();
        assert_eq!(read.vocab(), model.vocab());
        assert_eq!(read.specials(), model.specials());
    }

    #[test]
    fn tokens_that_merging_never_reaches_set_ignore_merges() {
        let model = ranks(&[b"ab".to_vec(), b"xyz".to_vec()], &[]);
        let written = write(&model).unwrap();
        assert!(String::from_utf8_lossy(&written).contains("\"ignore_merges\": true"));
        let encoder = Tokenizer::new(read(&written).unwrap());
        assert_eq!(
            encoder.encode(b"xyz axyz").unwrap(),
            [257, 32, 97, 120, 121, 122]
        );
        let written = write(&ranks(&[b"ab".to_vec()], &[])).unwrap();
        assert!(String::from_utf8_lossy(&written).contains("\"ignore_merges\": false"));
    }

    #[test]
    fn gap_rules_and_the_spelling_are_kept() {
        let spelled = Pattern::regex("Ġ|[0-9]{3}", Gaps::Keep).unwrap();
        for gaps in Gaps::ALL {
            let pattern = Pattern::regex("[a-z]+", gaps).unwrap();
            for pattern in [
                pattern.clone(),
                pattern.clone().on_spelling(),
                Pattern::sequence([pattern, spelled.clone().on_spelling(), spelled.clone()]),
            ] {
                let model = trained(&[]).with_pattern(pattern);
                assert_eq!(read(&write(&model).unwrap()).unwrap(), model);
            }
        }
    }

    #[test]
    fn models_without_equivalent_are_refused() {
        let words = trained(&[]).with_pattern(Pattern::regex(r"a*", Gaps::Keep).unwrap());
        let error = write(&words).unwrap_err();
        assert!(matches!(error, HuggingFaceError::Regex { .. }), "{error}");

        let pairs = [(97, 97), (97, 256), (256, 97)].map(|(l, r)| Pair::new(l, r));
        let merges = Merges::trained(&pairs).unwrap();
        let pattern = Pattern::named(PatternName::Gpt2);
        let twice = Model::from_merges(pattern, merges, &[] as &[&str]).unwrap();
        let error = write(&twice).unwrap_err();
        assert!(matches!(
            error,
            HuggingFaceError::RepeatedBytes {
                first: 257,
                id: 258,
                ..
            }
        ));

        for special in [
            SpecialToken::new("ab", 300),
            SpecialToken::new("Ġ", 300),
            SpecialToken::new("é", 257),
        ] {
            let tokens = [b"ab".to_vec(), "é".as_bytes().to_vec()];
            let error = write(&ranks(&tokens, &[special])).unwrap_err();
            assert!(
                matches!(error, HuggingFaceError::SpecialNotTold { .. }),
                "{error}"
            );
        }
        let same = write(&ranks(&[b"ab".to_vec()], &[SpecialToken::new("ab", 256)]));
        assert!(same.is_ok(), "the same bytes under the same id: {same:?}");
    }

    /// Special tokens with any flags, and ids with or without gaps.
    fn any_specials() -> impl Strategy<Value = Vec<SpecialToken>> {
        let contents = prop::collection::btree_set("[<a-c é]{1,4}", 0..4);
        (contents, any::<[bool; 5]>(), 1..4u32).prop_map(|(contents, flags, step)| {
            let token = |(content, index): (String, u32)| SpecialToken {
                content,
                id: 400 + index * step,
                decoded: None,
                special: flags[0],
                normalized: flags[1],
                lstrip: flags[2],
                rstrip: flags[3],
                single_word: flags[4],
            };
            contents.into_iter().zip(0..).map(token).collect()
        })
    }

    proptest! {
        #[test]
        fn written_models_give_the_same_ids(
            table in prop::collection::hash_set(
                prop::collection::vec(prop::sample::select(&b"ab c"[..]), 2..6), 0..30),
            specials in any_specials(),
            nfc: bool,
            text in "[a-c< é\u{301}]{0,60}",
        ) {
            let tokens: Vec<Vec<u8>> = table.into_iter().collect();
            let normalizer = nfc.then_some(Normalizer::Nfc);
            let model = ranks(&tokens, &specials).with_normalizer(normalizer);
            match write(&model) {
                Ok(written) => {
                    let [again, model] = [read(&written).unwrap(), model].map(Tokenizer::new);
                    let ids = |encoder: &Tokenizer| {
                        let all = encoder.model().all_specials();
                        let mut ids = Vec::new();
                        encoder.request().allow(&all).encode_into(text.as_bytes(), &mut ids).unwrap();
                        (ids, encoder.encode(text.as_bytes()).unwrap())
                    };
                    prop_assert_eq!(ids(&again), ids(&model));
                }
                Err(HuggingFaceError::SpecialNotTold { .. }) => {}
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
        }

        #[test]
        fn changed_bytes_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            static WRITTEN: std::sync::LazyLock<Vec<u8>> =
                std::sync::LazyLock::new(|| write(&trained(&["<|bos|>"])).unwrap());
            let mut bytes = WRITTEN.clone();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = read(&bytes);
            let _ = read(&bytes[..cut.index(bytes.len())]);
        }
    }

    #[test]
    fn ids_may_be_in_any_order() {
        let tokens: Vec<Vec<u8>> = (0..=255u8).rev().map(|byte| vec![byte]).collect();
        let mut entries: Vec<(TokenId, Vec<u8>)> = (1000..).zip(tokens).collect();
        entries.push((5, b"ab".to_vec()));
        let vocab = Vocab::new(
            entries.iter().map(|(id, token)| (*id, token.as_slice())),
            Repeats::Refuse,
        );
        let vocab = vocab.unwrap();
        let (left, right) = (vocab.id(b"a").unwrap(), vocab.id(b"b").unwrap());
        let merging = Merging::Merges {
            merges: Merges::new(vec![Merge {
                left,
                right,
                token: 5,
            }])
            .unwrap(),
            ignore_merges: false,
        };
        let specials = SpecialTokens::new([SpecialToken::new("<s>", 0)]).unwrap();
        let model = Model::new(Pattern::named(PatternName::O200k), vocab, merging, specials);
        let model = model.unwrap();
        assert_eq!(read(&write(&model).unwrap()).unwrap(), model);
    }
}
