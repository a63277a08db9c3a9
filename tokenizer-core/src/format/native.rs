//! `.bpe`: the whole model in one checksummed binary file.
//!
//! ```text
//! offset  bytes
//!      0      8  magic: 89 'B' 'P' 'E' 0D 0A 1A 0A  (detects line ending conversion, as PNG's does)
//!      8      4  version, 1
//!     12      4  CRC-32 of bytes 16 to the end
//!     16      8  length of the file in bytes
//!     24      8  number of sections, n
//!     32   24 n  section table: name (8 bytes, padded with zeros), offset (u64), length (u64)
//! ```
//!
//! Numbers are little-endian. Sections begin at multiples of 8. Within a section, each string is preceded by
//! its length in bytes (u32), and each list of ids by its number of ids (u32):
//!
//! | section | contents |
//! | --- | --- |
//! | `pattern` | u32 number of stages; for each, u32 gap rule and the regex |
//! | `tokens` | the bytes of all tokens, in order of their ids |
//! | `ends` | u32 for each id: the end of its token in `tokens`; an unused id repeats the previous end |
//! | `merging` | u32: 0 ranks, 1 merges, 2 merges with `ignore_merges` |
//! | `merges` | u32 left, right, result for each merge, by rank; empty if `merging` is 0 |
//! | `specials` | u32 number of tokens; for each, u32 id, u32 flags, the text and, if bit 5 of the flags is set, the decoded bytes |
//! | `extras` | u32 normalizer (0 none, 1 NFC, 2 in the section `normal`), the ids added before a text, the ids added after it |
//! | `normal` | u32 number of steps of the normalizer; for each, u32 code and its strings: 1 NFC, 2 NFD, 3 NFKC, 4 NFKD, 5 Lowercase, 6 StripAccents, 8 Strip (plus 1 left, 2 right), 16 Prepend (prefix), 17 Replace (string, content), 18 Replace (regex, content), 24 SentencePiece's spaces (plus 1 dummy prefix, 2 extra spaces removed) |
//! | `rewrites` | u32 number of pre-tokenizer steps before the pattern; for each, u32 code: 0 Split (a section `pattern`, preceded by its length), 1 prefix space, 2 Metaspace (u32 character, u32 scheme: 0 always, 1 first, 2 never) |
//! | `empty` | u32 id of the empty token, which looks unused in `ends`; the section is absent if there is none |
//! | `symbols` | u32 flags (bit 0 `characters`, bit 1 `byte_fallback`, bit 2 `fuse_unknown`, bit 3 whether an id follows, bit 4 whether affixes follow), the u32 id of the unknown token, `continuing_subword_prefix` and `end_of_word_suffix`, each preceded by its u32 length; absent if every byte is a token and a first symbol |
//! | `decoder` | u32 kind: 8 steps, 9 steps on the byte-level spelling of tokens, 10 SentencePiece's rules (u32 1 with byte fallback or 0, u32 number of tokens to strip). For the steps: u32 number and for each, u32 code: 0 Replace of a string, 1 of a regex (two strings each), 2 Strip (u32 character, u32 start, u32 stop), 3 Metaspace (u32 character), 4 BPEDecoder (suffix), 5 WordPiece, 6 with cleanup (prefix), 7 ByteFallback, 8 Fuse, 9 ByteLevel, 10 a space between tokens. Absent if tokens decode to their bytes |
//! | `settings` | `truncation` and `padding` of the original `tokenizer.json`, each as JSON in a string, empty if not set; the section is absent if both are empty |
//! | `template` | the templates for one text and for a pair: for each, u32 number of parts and, for each part, u32 kind (0 first text, 1 second text, 2 added id), u32 id (0 for a text), u32 type id; the template for a pair is absent if it is unknown |
//! | `trim` | u32: 1 if offsets exclude white space at the ends of tokens, 2 if they keep a single leading space at the start of the text |
//! | `known` | ignored and never written; earlier releases stored pieces with their ids in it |
//!
//! The gap rules are 0 keep, 1 drop, 2 only, 3 with next, 4 with previous and 5 contiguous. 256 is added for a
//! stage that acts on the byte-to-unicode spelling of a text; all stages after it must do so, too.
//!
//! The flags of a special token are, from bit 0: `special`, `normalized`, `lstrip`, `rstrip`, `single_word`,
//! and whether decoded bytes follow.
//!
//! Without the section `template`, the ids in `extras` are added with type id 0, and the template for a pair is
//! unknown unless there are none. With it, `extras` contains none.
//!
//! A reader accepts its own version only and refuses unknown sections. `normal`, `rewrites`,
//! `empty`, `symbols`, `decoder`, `template`, `trim` and `settings` are written only for models that need
//! them, so that older readers, which do not know these sections, accept all other models.

use std::borrow::Cow;

use crate::merges::{Merge, Merges, MergesError};
use crate::model::{CallSettings, Merging, Model, ModelError};
use crate::normalize::{
    MAX_STEPS as MAX_NORMALIZER_STEPS, Normalizer, Replace, ReplaceError, Spaces,
};
use crate::pattern::{Gaps, MAX_STAGES, Pattern, PatternError};
use crate::post_processor::{Affixes, PostProcessor, Template, TemplatePart, Trimming};
use crate::rewrite::{MAX_STEPS, Metaspace, PrependScheme, RewriteStep, never_fails};
use crate::special::{SpecialToken, SpecialTokens, check_normalized};
use crate::symbols::Symbols;
use crate::text_decoder::{DecodeStep, MAX_STEPS as MAX_DECODER_STEPS, PieceDecoder, TextDecoder};
use crate::vocab::{Repeats, Vocab};

/// The first bytes of every `.bpe` file.
pub const MAGIC: [u8; 8] = *b"\x89BPE\r\n\x1a\n";

/// The format version, written and accepted.
pub const VERSION: u32 = 1;

/// The sizes in bytes of the header and of an entry of the section table.
const HEADER: usize = 32;
const SECTION_ENTRY: usize = 24;

/// An invalid `.bpe` file, or one of another version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NativeError {
    /// The first bytes are not [`MAGIC`].
    #[error("not a .bpe model: wrong first bytes")]
    Magic,
    /// Another version of the format.
    #[error("unsupported .bpe version {found} (supported: {VERSION}); update this program")]
    Version {
        /// The version of the file.
        found: u32,
    },
    /// The file is shorter or longer than its header states.
    #[error("truncated or extended .bpe model: {found} bytes instead of {expected}")]
    Length {
        /// The length in the header.
        expected: u64,
        /// The actual length.
        found: u64,
    },
    /// The file was changed after it was written.
    #[error("checksum mismatch: the .bpe model was modified or damaged")]
    Checksum,
    /// A section is missing, repeated, unknown or malformed.
    #[error("section {name:?} of the .bpe model: {fault}")]
    Section {
        /// The section's name.
        name: String,
        /// The fault.
        fault: &'static str,
    },
    /// The pattern does not compile.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The merges contradict each other.
    #[error(transparent)]
    Merges(#[from] MergesError),
    /// The sections contradict each other.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Returns the model as bytes. Deterministic: equal models give equal bytes.
#[must_use]
pub fn write(model: &Model) -> Vec<u8> {
    let mut sections = deciding_sections(model);
    if *model.call_settings() != CallSettings::default() {
        let settings = settings_section(model.call_settings());
        sections.push(("settings", settings.into()));
    }
    assemble(&sections)
}

/// Like [`write()`], but without the [`CallSettings`], which affect no id: equal models give equal bytes even
/// if these differ.
#[must_use]
pub fn write_deciding(model: &Model) -> Vec<u8> {
    assemble(&deciding_sections(model))
}

/// The sections that decide ids: all except `settings`.
fn deciding_sections(model: &Model) -> Vec<(&'static str, Cow<'_, [u8]>)> {
    let mut sections = vec![
        ("pattern", pattern_section(model.pattern()).into()),
        ("ends", u32s(model.vocab().ends().iter().copied()).into()),
        ("tokens", model.vocab().arena().into()),
        ("merging", u32s([merging_code(model.merging())]).into()),
        ("merges", merges_section(model.merging()).into()),
        ("specials", specials_section(model.specials()).into()),
        ("extras", extras_section(model).into()),
    ];
    if normalizer_code(model) == OTHER_NORMALIZER {
        let normalizer = model.normalizer().map_or(&[][..], Normalizer::steps);
        sections.push(("normal", normalizer_section(normalizer).into()));
    }
    if !model.rewrites().is_empty() {
        sections.push(("rewrites", rewrites_section(model.rewrites()).into()));
    }
    if let Some(id) = model.vocab().empty_id() {
        sections.push(("empty", u32s([id]).into()));
    }
    if let Some(symbols) = model.symbols() {
        sections.push(("symbols", symbols_section(symbols).into()));
    }
    if let Some(decoder) = model.text_decoder() {
        sections.push(("decoder", decoder_section(decoder).into()));
    }
    if simple_affixes(model).is_none() {
        sections.push(("template", template_section(model.post_processor()).into()));
    }
    if let Some(trimming) = model.post_processor().trimming() {
        sections.push(("trim", u32s([trimming_code(trimming)]).into()));
    }
    sections
}

fn assemble(sections: &[(&'static str, Cow<'_, [u8]>)]) -> Vec<u8> {
    let padded = |content: &[u8]| content.len().next_multiple_of(8);
    let mut offset = HEADER + sections.len() * SECTION_ENTRY;
    let length = offset
        + sections
            .iter()
            .map(|(_, content)| padded(content))
            .sum::<usize>();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&MAGIC);
    // The upper half of the first number holds the checksum, which is filled in last.
    bytes.extend(u64s([VERSION.into(), length as u64, sections.len() as u64]));
    for (name, content) in sections {
        bytes.extend_from_slice(name.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(u64s([offset as u64, content.len() as u64]));
        offset += padded(content);
    }
    for (_, content) in sections {
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    let checksum = crc32fast::hash(&bytes[16..]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Reads the merge rule.
fn read_merging(sections: &Sections<'_>) -> Result<Merging, NativeError> {
    let merges = sections.get("merges")?;
    let rules = merges.u32s()?;
    if !rules.len().is_multiple_of(3) {
        return Err(merges.fault("incomplete last merge"));
    }
    let rules = rules.chunks_exact(3).map(|rule| Merge {
        left: rule[0],
        right: rule[1],
        token: rule[2],
    });
    let mut code = sections.get("merging")?;
    let merging = match code.u32()? {
        0 if rules.len() == 0 => Merging::Ranks,
        0 => return Err(merges.fault("not empty, although the model merges by rank")),
        code @ (1 | 2) => Merging::Merges {
            merges: Merges::new(rules.collect())?,
            ignore_merges: code == 2,
        },
        _ => return Err(code.fault("unknown merge rule")),
    };
    code.end()?;
    Ok(merging)
}

/// Reads a model.
///
/// # Errors
/// If the bytes are not a valid model. Lengths and ids are checked before they are used.
pub fn read(bytes: &[u8]) -> Result<Model, NativeError> {
    let sections = Sections::open(bytes)?;
    let pattern = read_pattern(sections.get("pattern")?)?;
    let merging = read_merging(&sections)?;
    let repeats = match merging {
        Merging::Ranks => Repeats::Refuse,
        Merging::Merges { .. } => Repeats::LowestId,
    };
    let ends = sections.get("ends")?.u32s()?;
    let empty = sections.find("empty").map(|mut section| {
        let id = section.u32()?;
        section.end().map(|()| id)
    });
    let tokens = sections.get("tokens")?.bytes;
    let vocab = Vocab::from_arena_with_empty(tokens, ends, empty.transpose()?, repeats);
    let vocab = vocab.map_err(ModelError::from)?;
    let specials = read_specials(sections.get("specials")?)?;
    let mut extras = sections.get("extras")?;
    let normalizer = match extras.u32()? {
        0 => None,
        1 => Some(Normalizer::Nfc),
        OTHER_NORMALIZER => Some(read_normalizer(sections.get("normal")?)?),
        _ => return Err(extras.fault("unknown normalizer")),
    };
    let affixes = Affixes {
        before: extras.counted_u32s()?,
        after: extras.counted_u32s()?,
    };
    extras.end()?;
    let processor = match sections.find("template") {
        None => affixes.into(),
        Some(section) if affixes == Affixes::default() => read_templates(section)?,
        Some(_) => return Err(extras.fault("ids around a text, although there is a template")),
    };
    let trimming = sections.find("trim").map(read_trimming).transpose()?;
    if normalizer.as_ref().is_none_or(|n| *n == Normalizer::Nfc)
        && let Some(section) = sections.find("normal")
    {
        return Err(section.fault("contradicts the section extras"));
    }
    check_normalized(specials.iter(), normalizer.as_ref()).map_err(ModelError::from)?;
    let rewrites = sections.find("rewrites").map(read_rewrites).transpose()?;
    let settings = sections.find("settings").map(read_settings).transpose()?;
    let model = match sections.find("symbols").map(read_symbols).transpose()? {
        None => Model::new(pattern, vocab, merging, specials)?,
        Some(symbols) => Model::with_symbols(pattern, vocab, merging, specials, symbols)?,
    };
    let decoder = sections.find("decoder").map(read_decoder).transpose()?;
    Ok(model
        .with_text_decoder(decoder)
        .with_normalizer(normalizer)
        .with_rewrites(rewrites.unwrap_or_default())
        .with_post_processor(processor.with_trimming(trimming))?
        .with_call_settings(settings.unwrap_or_default()))
}

fn u32s(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn u64s<const N: usize>(numbers: [u64; N]) -> impl Iterator<Item = u8> {
    numbers.into_iter().flat_map(u64::to_le_bytes)
}

fn push_string(bytes: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    bytes.extend_from_slice(&(text.as_ref().len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_ref());
}

/// Flag in the code of a gap rule: the stage acts on the spelling of the text.
const ON_SPELLING: u32 = 1 << 8;

fn pattern_section(pattern: &Pattern) -> Vec<u8> {
    let mut bytes = u32s([pattern.stages().len() as u32]);
    for (stage, (source, gaps)) in pattern.stages().enumerate() {
        let rule = Gaps::ALL.iter().position(|rule| *rule == gaps);
        let is_spelled = pattern.spelled_from().is_some_and(|from| from <= stage);
        let flag = if is_spelled { ON_SPELLING } else { 0 };
        bytes.extend(u32s([rule.unwrap_or_default() as u32 | flag]));
        push_string(&mut bytes, source);
    }
    bytes
}

fn read_pattern(mut section: Section<'_>) -> Result<Pattern, NativeError> {
    let mut stages = Vec::new();
    let mut is_spelled = false;
    let count = section.u32()?;
    if count as usize > MAX_STAGES {
        return Err(section.fault("more than 16 stages"));
    }
    for _ in 0..count {
        let code = section.u32()?;
        let rule = Gaps::ALL.get((code & !ON_SPELLING) as usize);
        let gaps = *rule.ok_or_else(|| section.fault("unknown gap rule"))?;
        let pattern = Pattern::regex(section.string()?, gaps)?;
        if is_spelled && code & ON_SPELLING == 0 {
            return Err(section.fault("a stage on the text after one on its spelling"));
        }
        is_spelled = code & ON_SPELLING != 0;
        stages.push(match is_spelled {
            true => pattern.on_spelling(),
            false => pattern,
        });
    }
    section.end()?;
    Ok(Pattern::sequence(stages))
}

fn merging_code(merging: &Merging) -> u32 {
    match merging {
        Merging::Ranks => 0,
        Merging::Merges { ignore_merges, .. } => 1 + u32::from(*ignore_merges),
    }
}

fn merges_section(merging: &Merging) -> Vec<u8> {
    match merging {
        Merging::Ranks => Vec::new(),
        Merging::Merges { merges, .. } => {
            let rules = merges.iter();
            u32s(rules.flat_map(|rule| [rule.left, rule.right, rule.token]))
        }
    }
}

/// Flag of a special token whose decoded bytes differ from its text.
const HAS_DECODED: u32 = 1 << 5;

/// The flags of a special token, in the order of their bits.
fn flags(token: &mut SpecialToken) -> [&mut bool; 5] {
    [
        &mut token.special,
        &mut token.normalized,
        &mut token.lstrip,
        &mut token.rstrip,
        &mut token.single_word,
    ]
}

fn specials_section(specials: &SpecialTokens) -> Vec<u8> {
    let mut bytes = u32s([specials.len() as u32]);
    for mut token in specials.iter().cloned() {
        let bits = flags(&mut token).into_iter().zip(0..);
        let bits: u32 = bits.map(|(flag, bit)| u32::from(*flag) << bit).sum();
        let has_decoded = token.decoded.as_ref().map_or(0, |_| HAS_DECODED);
        bytes.extend(u32s([token.id, bits | has_decoded]));
        push_string(&mut bytes, &token.content);
        if let Some(decoded) = &token.decoded {
            push_string(&mut bytes, decoded);
        }
    }
    bytes
}

fn read_specials(mut section: Section<'_>) -> Result<SpecialTokens, NativeError> {
    let mut tokens = Vec::new();
    for _ in 0..section.u32()? {
        let (id, bits) = (section.u32()?, section.u32()?);
        let mut token = SpecialToken::new(section.string()?, id);
        if bits >> 6 != 0 {
            return Err(section.fault("unknown flags"));
        }
        if bits & HAS_DECODED != 0 {
            token.decoded = Some(section.counted_bytes()?.to_vec());
        }
        for (flag, bit) in flags(&mut token).into_iter().zip(0..) {
            *flag = bits >> bit & 1 == 1;
        }
        tokens.push(token);
    }
    section.end()?;
    Ok(SpecialTokens::new(tokens).map_err(ModelError::from)?)
}

fn extras_section(model: &Model) -> Vec<u8> {
    let affixes = simple_affixes(model).unwrap_or_default();
    let mut bytes = u32s([normalizer_code(model)]);
    for ids in [&affixes.before, &affixes.after] {
        bytes.extend(u32s([ids.len() as u32]));
        bytes.extend(u32s(ids.iter().copied()));
    }
    bytes
}

/// Flag of symbols with an unknown token.
const HAS_UNKNOWN: u32 = 1 << 3;

/// Flag of symbols with affixes.
const HAS_AFFIXES: u32 = 1 << 4;

fn symbols_section(symbols: &Symbols) -> Vec<u8> {
    let flags = u32::from(symbols.characters)
        | u32::from(symbols.byte_fallback) << 1
        | u32::from(symbols.fuse_unknown) << 2;
    let has_unknown = [0, HAS_UNKNOWN][usize::from(symbols.unknown.is_some())];
    let has_affixes = [0, HAS_AFFIXES][usize::from(symbols.has_affixes())];
    let flags = flags | has_unknown | has_affixes;
    let mut bytes = u32s([flags].into_iter().chain(symbols.unknown));
    if symbols.has_affixes() {
        push_string(&mut bytes, &symbols.continuing_subword_prefix);
        push_string(&mut bytes, &symbols.end_of_word_suffix);
    }
    bytes
}

fn read_symbols(mut section: Section<'_>) -> Result<Symbols, NativeError> {
    let flags = section.u32()?;
    if flags >> 5 != 0 {
        return Err(section.fault("unknown flags"));
    }
    let unknown = (flags & HAS_UNKNOWN != 0)
        .then(|| section.u32())
        .transpose()?;
    let mut affix = || match flags & HAS_AFFIXES {
        0 => Ok(Vec::new()),
        _ => section.counted_bytes().map(<[u8]>::to_vec),
    };
    let (continuing_subword_prefix, end_of_word_suffix) = (affix()?, affix()?);
    section.end()?;
    Ok(Symbols {
        characters: flags & 1 != 0,
        byte_fallback: flags & 1 << 1 != 0,
        unknown,
        fuse_unknown: flags & 1 << 2 != 0,
        continuing_subword_prefix,
        end_of_word_suffix,
    })
}

fn decoder_section(decoder: &TextDecoder) -> Vec<u8> {
    match decoder {
        TextDecoder::Steps { steps, spelled } => {
            let mut bytes = u32s([8 + u32::from(*spelled), steps.len() as u32]);
            steps
                .iter()
                .for_each(|step| push_decode_step(step, &mut bytes));
            bytes
        }
        TextDecoder::SentencePiece(pieces) => {
            u32s([10, pieces.byte_fallback.into(), pieces.strips])
        }
    }
}

fn push_decode_step(step: &DecodeStep, bytes: &mut Vec<u8>) {
    let (code, numbers, strings) = match step {
        DecodeStep::Replace(replace) => match (replace.as_text(), replace.as_regex()) {
            (Some(text), _) => (0, vec![], vec![text, replace.content()]),
            (None, regex) => (
                1,
                vec![],
                vec![regex.unwrap_or_default(), replace.content()],
            ),
        },
        DecodeStep::Strip {
            character,
            start,
            stop,
        } => (2, vec![(*character).into(), *start, *stop], vec![]),
        DecodeStep::Metaspace(character) => (3, vec![(*character).into()], vec![]),
        DecodeStep::BpeDecoder(suffix) => (4, vec![], vec![&**suffix]),
        DecodeStep::WordPiece { prefix, cleanup } => {
            (5 + u32::from(*cleanup), vec![], vec![&**prefix])
        }
        DecodeStep::ByteFallback => (7, vec![], vec![]),
        DecodeStep::Fuse => (8, vec![], vec![]),
        DecodeStep::ByteLevel => (9, vec![], vec![]),
        DecodeStep::Spaced => (10, vec![], vec![]),
    };
    bytes.extend(u32s([code]));
    bytes.extend(u32s(numbers));
    for string in strings {
        push_string(bytes, string);
    }
}

fn read_decoder(mut section: Section<'_>) -> Result<TextDecoder, NativeError> {
    let decoder = match section.u32()? {
        kind @ 8..=9 => {
            let mut steps = Vec::new();
            for _ in 0..section.u32()? {
                if steps.len() == MAX_DECODER_STEPS {
                    return Err(section.fault("more than 64 steps"));
                }
                steps.push(read_decode_step(&mut section)?);
            }
            TextDecoder::of_steps(steps, kind == 9)
        }
        10 => TextDecoder::SentencePiece(PieceDecoder {
            byte_fallback: section.flag()?,
            strips: section.u32()?,
        }),
        _ => return Err(section.fault("unknown kind")),
    };
    section.end()?;
    decoder.check().map_err(|fault| section.fault(fault))?;
    Ok(decoder)
}

fn read_decode_step(section: &mut Section<'_>) -> Result<DecodeStep, NativeError> {
    Ok(match section.u32()? {
        0 => DecodeStep::Replace(section.replace(Replace::text)?),
        1 => DecodeStep::Replace(section.replace(Replace::regex)?),
        2 => DecodeStep::Strip {
            character: section.character()?,
            start: section.u32()?,
            stop: section.u32()?,
        },
        3 => DecodeStep::Metaspace(section.character()?),
        4 => DecodeStep::BpeDecoder(section.string()?.into()),
        code @ 5..=6 => DecodeStep::WordPiece {
            prefix: section.string()?.into(),
            cleanup: code == 6,
        },
        7 => DecodeStep::ByteFallback,
        8 => DecodeStep::Fuse,
        9 => DecodeStep::ByteLevel,
        10 => DecodeStep::Spaced,
        _ => return Err(section.fault("unknown step")),
    })
}

/// Code of a normalizer that has a section of its own.
const OTHER_NORMALIZER: u32 = 2;

fn normalizer_code(model: &Model) -> u32 {
    match model.normalizer() {
        None => 0,
        Some(Normalizer::Nfc) => 1,
        Some(_) => OTHER_NORMALIZER,
    }
}

fn normalizer_section(steps: &[Normalizer]) -> Vec<u8> {
    let mut bytes = u32s([steps.len() as u32]);
    for step in steps {
        let (code, strings) = match step {
            Normalizer::Nfc | Normalizer::Sequence(_) => (1, vec![]),
            Normalizer::Nfd => (2, vec![]),
            Normalizer::Nfkc => (3, vec![]),
            Normalizer::Nfkd => (4, vec![]),
            Normalizer::Lowercase => (5, vec![]),
            Normalizer::StripAccents => (6, vec![]),
            Normalizer::Strip { left, right } => {
                (8 + u32::from(*left) + 2 * u32::from(*right), vec![])
            }
            Normalizer::Prepend(prefix) => (16, vec![&**prefix]),
            Normalizer::Replace(replace) => match (replace.as_text(), replace.as_regex()) {
                (Some(text), _) => (17, vec![text, replace.content()]),
                (None, regex) => (18, vec![regex.unwrap_or_default(), replace.content()]),
            },
            Normalizer::Spaces(spaces) => {
                let remove_extra = 2 * u32::from(spaces.remove_extra);
                (24 + u32::from(spaces.dummy_prefix) + remove_extra, vec![])
            }
        };
        bytes.extend(u32s([code]));
        for string in strings {
            push_string(&mut bytes, string);
        }
    }
    bytes
}

fn read_normalizer(mut section: Section<'_>) -> Result<Normalizer, NativeError> {
    let mut steps = Vec::new();
    for _ in 0..section.u32()? {
        steps.push(match section.u32()? {
            1 => Normalizer::Nfc,
            2 => Normalizer::Nfd,
            3 => Normalizer::Nfkc,
            4 => Normalizer::Nfkd,
            5 => Normalizer::Lowercase,
            6 => Normalizer::StripAccents,
            code @ 8..=11 => Normalizer::Strip {
                left: code & 1 != 0,
                right: code & 2 != 0,
            },
            16 => Normalizer::Prepend(section.string()?.into()),
            17 => Normalizer::Replace(section.replace(Replace::text)?),
            18 => Normalizer::Replace(section.replace(Replace::regex)?),
            code @ 24..=27 => Normalizer::Spaces(Spaces {
                dummy_prefix: code & 1 != 0,
                remove_extra: code & 2 != 0,
            }),
            _ => return Err(section.fault("unknown step")),
        });
        if steps.len() > MAX_NORMALIZER_STEPS {
            return Err(section.fault("more than 64 steps"));
        }
    }
    section.end()?;
    match Normalizer::sequence(steps) {
        Some(normalizer) if normalizer != Normalizer::Nfc => {
            let checked = normalizer.check();
            checked.map_err(|fault| section.fault(fault))?;
            Ok(normalizer)
        }
        _ => Err(section.fault("no steps, or only NFC")),
    }
}

fn rewrites_section(steps: &[RewriteStep]) -> Vec<u8> {
    let mut bytes = u32s([steps.len() as u32]);
    for step in steps {
        match step {
            RewriteStep::Split(pattern) => {
                bytes.extend(u32s([0]));
                push_string(&mut bytes, pattern_section(pattern));
            }
            RewriteStep::PrefixSpace => bytes.extend(u32s([1])),
            RewriteStep::Metaspace(metaspace) => {
                let scheme = match metaspace.prepend_scheme() {
                    PrependScheme::Always => 0,
                    PrependScheme::First => 1,
                    PrependScheme::Never => 2,
                };
                bytes.extend(u32s([2, metaspace.replacement().into(), scheme]));
            }
        }
    }
    bytes
}

fn read_rewrites(mut section: Section<'_>) -> Result<Vec<RewriteStep>, NativeError> {
    let mut steps = Vec::new();
    for _ in 0..section.u32()? {
        if steps.len() == MAX_STEPS {
            return Err(section.fault("more than 16 steps"));
        }
        steps.push(match section.u32()? {
            0 => {
                let bytes = section.counted_bytes()?;
                let name = section.name;
                let pattern = read_pattern(Section { name, bytes })?;
                if !never_fails(&pattern) {
                    return Err(section.fault("a split whose regex may fail"));
                }
                RewriteStep::Split(pattern)
            }
            1 => RewriteStep::PrefixSpace,
            2 => {
                let replacement = char::from_u32(section.u32()?);
                let scheme = match section.u32()? {
                    0 => Some(PrependScheme::Always),
                    1 => Some(PrependScheme::First),
                    2 => Some(PrependScheme::Never),
                    _ => None,
                };
                match replacement.zip(scheme) {
                    Some((replacement, scheme)) => {
                        RewriteStep::Metaspace(Metaspace::new(replacement, scheme))
                    }
                    None => return Err(section.fault("invalid Metaspace")),
                }
            }
            _ => return Err(section.fault("unknown step")),
        });
    }
    section.end()?;
    match steps.last() {
        None | Some(RewriteStep::Split(_)) => {
            Err(section.fault("the last step does not change text"))
        }
        Some(_) => Ok(steps),
    }
}

/// Returns the ids around a text, if they determine the post-processor.
fn simple_affixes(model: &Model) -> Option<Affixes> {
    let processor = model.post_processor();
    let affixes = processor.affixes()?;
    let simple = PostProcessor::from(affixes.clone()).with_trimming(processor.trimming());
    (simple == *processor).then_some(affixes)
}

fn trimming_code(trimming: Trimming) -> u32 {
    match trimming {
        Trimming::All => 1,
        Trimming::KeepPrefixSpace => 2,
    }
}

fn read_trimming(mut section: Section<'_>) -> Result<Trimming, NativeError> {
    let code = section.u32()?;
    section.end()?;
    let known = [Trimming::All, Trimming::KeepPrefixSpace];
    let mut known = known.into_iter();
    known
        .find(|&trimming| trimming_code(trimming) == code)
        .ok_or_else(|| section.fault("unknown trimming"))
}

fn template_section(processor: &PostProcessor) -> Vec<u8> {
    let templates = [Some(processor.single()), processor.pair()];
    let mut bytes = Vec::new();
    for template in templates.into_iter().flatten() {
        bytes.extend(u32s([template.parts().len() as u32]));
        bytes.extend(u32s(template.parts().iter().flat_map(|part| match *part {
            TemplatePart::First { type_id } => [0, 0, type_id],
            TemplatePart::Second { type_id } => [1, 0, type_id],
            TemplatePart::Added { id, type_id } => [2, id, type_id],
        })));
    }
    bytes
}

fn read_templates(mut section: Section<'_>) -> Result<PostProcessor, NativeError> {
    let single = read_template(&mut section)?;
    let pair = match section.bytes.is_empty() {
        true => None,
        false => Some(read_template(&mut section)?),
    };
    section.end()?;
    PostProcessor::new(single, pair)
        .map_err(|_| section.fault("a template for one text without it or with a second text"))
}

fn read_template(section: &mut Section<'_>) -> Result<Template, NativeError> {
    let mut parts = Vec::new();
    for _ in 0..section.u32()? {
        let (kind, id, type_id) = (section.u32()?, section.u32()?, section.u32()?);
        parts.push(match (kind, id) {
            (0, 0) => TemplatePart::First { type_id },
            (1, 0) => TemplatePart::Second { type_id },
            (2, id) => TemplatePart::Added { id, type_id },
            _ => return Err(section.fault("unknown kind of part")),
        });
    }
    Ok(parts.into())
}

fn settings_section(settings: &CallSettings) -> Vec<u8> {
    let mut bytes = Vec::new();
    for json in [&settings.truncation, &settings.padding] {
        push_string(&mut bytes, json.as_deref().unwrap_or_default());
    }
    bytes
}

fn read_settings(mut section: Section<'_>) -> Result<CallSettings, NativeError> {
    let mut json = || -> Result<Option<String>, NativeError> {
        let text = section.string()?;
        Ok((!text.is_empty()).then(|| text.to_owned()))
    };
    let settings = CallSettings {
        truncation: json()?,
        padding: json()?,
    };
    section.end()?;
    match settings == CallSettings::default() {
        true => Err(section.fault("neither truncation nor padding is set")),
        false => Ok(settings),
    }
}

const SECTION_NAMES: [&str; 16] = [
    "pattern", "ends", "tokens", "merging", "merges", "specials", "extras", "empty", "symbols",
    "decoder", "known", "settings", "normal", "rewrites", "template", "trim",
];

/// The sections of a file whose header and checksum were verified.
struct Sections<'b>(Vec<Section<'b>>);

impl<'b> Sections<'b> {
    fn open(bytes: &'b [u8]) -> Result<Self, NativeError> {
        let number = |at: usize| -> Option<u64> {
            Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
        };
        if !bytes.starts_with(&MAGIC) {
            return Err(NativeError::Magic);
        }
        let short = NativeError::Length {
            expected: HEADER as u64,
            found: bytes.len() as u64,
        };
        let (Some(version), Some(length), Some(count)) = (number(8), number(16), number(24)) else {
            return Err(short);
        };
        let (version, checksum) = (version as u32, (version >> 32) as u32);
        if version != VERSION {
            return Err(NativeError::Version { found: version });
        }
        if length != bytes.len() as u64 {
            return Err(NativeError::Length {
                expected: length,
                found: bytes.len() as u64,
            });
        }
        if crc32fast::hash(&bytes[16..]) != checksum {
            return Err(NativeError::Checksum);
        }
        let mut sections: Vec<Section<'b>> = Vec::new();
        for index in 0..count.min(bytes.len() as u64) as usize {
            let at = HEADER + index * SECTION_ENTRY;
            let (Some(name), Some(offset), Some(length)) =
                (bytes.get(at..at + 8), number(at + 8), number(at + 16))
            else {
                return Err(short);
            };
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            let fault = |fault| NativeError::Section {
                name: String::from_utf8_lossy(name).into_owned(),
                fault,
            };
            let Some(name) = SECTION_NAMES.into_iter().find(|n| n.as_bytes() == name) else {
                return Err(fault("unknown section"));
            };
            let offset = usize::try_from(offset).ok();
            let content = offset.and_then(|offset| {
                let length = usize::try_from(length).ok()?;
                bytes.get(offset..offset.checked_add(length)?)
            });
            let bytes = content.ok_or_else(|| fault("outside the file"))?;
            if sections.iter().any(|section| section.name == name) {
                return Err(fault("duplicate section"));
            }
            sections.push(Section { name, bytes });
        }
        Ok(Sections(sections))
    }

    fn find(&self, name: &str) -> Option<Section<'b>> {
        self.0.iter().find(|section| section.name == name).cloned()
    }

    fn get(&self, name: &'static str) -> Result<Section<'b>, NativeError> {
        self.find(name).ok_or_else(|| NativeError::Section {
            name: name.into(),
            fault: "missing section",
        })
    }
}

/// A cursor over a section: the bytes that are still unread.
#[derive(Clone)]
struct Section<'b> {
    name: &'static str,
    bytes: &'b [u8],
}

impl<'b> Section<'b> {
    fn fault(&self, fault: &'static str) -> NativeError {
        NativeError::Section {
            name: self.name.into(),
            fault,
        }
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], NativeError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or_else(|| self.fault("truncated"))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// Fails if bytes are left.
    fn end(&self) -> Result<(), NativeError> {
        match self.bytes.is_empty() {
            true => Ok(()),
            false => Err(self.fault("trailing bytes")),
        }
    }

    fn u32(&mut self) -> Result<u32, NativeError> {
        let Some((number, rest)) = self.bytes.split_first_chunk() else {
            return Err(self.fault("truncated"));
        };
        self.bytes = rest;
        Ok(u32::from_le_bytes(*number))
    }

    fn counted_bytes(&mut self) -> Result<&'b [u8], NativeError> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    fn string(&mut self) -> Result<&'b str, NativeError> {
        let bytes = self.counted_bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.fault("text that is not UTF-8"))
    }

    fn character(&mut self) -> Result<char, NativeError> {
        char::from_u32(self.u32()?).ok_or_else(|| self.fault("not a character"))
    }

    fn flag(&mut self) -> Result<bool, NativeError> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.fault("not a flag")),
        }
    }

    /// Reads the string or regex to replace, and its replacement.
    fn replace(
        &mut self,
        new: fn(&str, &str) -> Result<Replace, ReplaceError>,
    ) -> Result<Replace, NativeError> {
        let (matched, content) = (self.string()?, self.string()?);
        new(matched, content).map_err(|_| self.fault("invalid replacement"))
    }

    /// Reads a list of numbers, preceded by its length.
    fn counted_u32s(&mut self) -> Result<Vec<u32>, NativeError> {
        let count = self.u32()? as usize;
        let bytes = self.take(count.saturating_mul(4))?;
        let name = self.name;
        Section { name, bytes }.u32s()
    }

    /// Returns all unread bytes as numbers.
    fn u32s(&self) -> Result<Vec<u32>, NativeError> {
        let (numbers, []) = self.bytes.as_chunks::<4>() else {
            return Err(self.fault("incomplete last number"));
        };
        let numbers = numbers.iter().copied();
        Ok(numbers.map(u32::from_le_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::PatternName;
    use crate::token::Pair;
    use proptest::prelude::*;

    fn model() -> Model {
        let stages = [
            Pattern::regex(r"\p{N}{1,3}", Gaps::Drop).unwrap(),
            Pattern::named(PatternName::O200k),
        ];
        let merges = Merges::trained(&[Pair::new(97, 98), Pair::new(256, 99)]).unwrap();
        let model = Model::from_merges(Pattern::sequence(stages), merges, &["<s>", "é"]).unwrap();
        let mut flagged = SpecialToken::new("[x]", 300);
        (flagged.special, flagged.rstrip) = (false, true);
        flagged.decoded = Some(b"\xFF[x".to_vec());
        let specials = model.specials().iter().cloned().chain([flagged]);
        let specials = SpecialTokens::new(specials).unwrap();
        let parts = (model.pattern().clone(), model.vocab().clone());
        let affixes = Affixes {
            before: vec![258],
            after: vec![],
        };
        Model::new(parts.0, parts.1, model.merging().clone(), specials)
            .unwrap()
            .with_normalizer(Some(Normalizer::Nfc))
            .with_post_processor(
                PostProcessor::from(affixes).with_trimming(Some(Trimming::KeepPrefixSpace)),
            )
            .unwrap()
    }

    /// The bytes with their checksum corrected.
    fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.len() >= HEADER {
            let checksum = crc32fast::hash(&bytes[16..]);
            bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn models_round_trip() {
        let bytes = write(&model());
        let again = read(&bytes).unwrap();
        assert_eq!(again, model());
        assert_eq!(write(&again), bytes);
    }

    /// The model as earlier versions wrote it, with a section of known pieces.
    fn with_known<'m>(model: &'m Model, content: &'m [u8]) -> Vec<u8> {
        let mut sections = deciding_sections(model);
        sections.push(("known", content.into()));
        assemble(&sections)
    }

    #[test]
    fn known_pieces_are_ignored() {
        let model = model();
        for content in [&[][..], &[0xFF; 8], b"\x01\0\0\0"] {
            let again = read(&with_known(&model, content)).unwrap();
            assert_eq!(again, model);
            assert_eq!(write(&again), write(&model));
        }
        let mut damaged = with_known(&model, &[0; 16]);
        *damaged.last_mut().unwrap() = 1;
        assert_eq!(read(&damaged), Err(NativeError::Checksum));
    }

    #[test]
    fn empty_tokens_round_trip() {
        let bytes: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let ranks = |empty: Option<u32>| {
            let bytes = bytes.iter().map(|byte| &byte[..]).zip(0..);
            let empty = empty.map(|id| (&b""[..], id));
            let ranks = bytes.chain([(&b"ab"[..], 300)]).chain(empty);
            Model::from_ranks(Pattern::sequence([]), ranks, []).unwrap()
        };
        for id in [256, 400] {
            let model = ranks(Some(id));
            let bytes = write(&model);
            let again = read(&bytes).unwrap();
            assert_eq!((again.token(id), &again), (Some(&b""[..]), &model));
            assert_eq!(write(&again), bytes);
            let at = HEADER + 7 * SECTION_ENTRY;
            assert!(bytes[at..].starts_with(b"empty\0\0\0"));
            let offset = u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap()) as usize;
            for wrong in [97, 300, 401, u32::MAX] {
                let mut other = bytes.clone();
                other[offset..offset + 4].copy_from_slice(&wrong.to_le_bytes());
                let error = read(&with_checksum(other)).unwrap_err().to_string();
                assert!(error.contains("invalid end offset"), "{wrong}: {error}");
            }
        }
        let without = write(&ranks(None));
        assert!(!without.windows(6).any(|bytes| bytes == b"empty\0"));
    }

    #[test]
    fn models_without_merges_or_splits_round_trip() {
        let tokens: Vec<Vec<u8>> = (0..=255u8)
            .map(|b| vec![b])
            .chain([b"ab".to_vec()])
            .collect();
        let ranks = tokens.iter().zip(0..).map(|(t, id)| (t.as_slice(), id + 1));
        let model = Model::from_ranks(Pattern::sequence([]), ranks, []).unwrap();
        assert_eq!(read(&write(&model)).unwrap(), model);
        let nothing = Pattern::regex("", Gaps::Drop).unwrap();
        let model = model.with_pattern(nothing);
        assert_eq!(read(&write(&model)).unwrap(), model);
    }

    #[test]
    fn call_settings_are_kept_in_a_section_of_their_own() {
        let settings = CallSettings {
            truncation: None,
            padding: Some(r#"{"pad_id":0}"#.into()),
        };
        let model = model();
        let plain = write(&model);
        let carrying = write(&model.with_call_settings(settings.clone()));
        assert_eq!(read(&carrying).unwrap().call_settings(), &settings);
        assert_eq!(read(&carrying).unwrap(), read(&plain).unwrap());
        assert!(!plain.windows(8).any(|bytes| bytes == b"settings"));
        let text = carrying.len() - 16;
        for (at, value, message) in [
            (text - 4, u32::MAX, "truncated"),
            (text - 4, 8, "trailing bytes"),
            (text - 8, 1, "truncated"),
        ] {
            let mut other = carrying.clone();
            other[at..at + 4].copy_from_slice(&value.to_le_bytes());
            let error = read(&with_checksum(other)).unwrap_err().to_string();
            assert!(error.contains(message), "{value}: {error}");
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let bytes = write(&model());
        assert_eq!(read(b"{}"), Err(NativeError::Magic));
        let mut other = bytes.clone();
        other[8] = 9;
        assert_eq!(read(&other), Err(NativeError::Version { found: 9 }));
        for cut in [9, 30, 100, bytes.len() - 1] {
            let error = read(&bytes[..cut]).unwrap_err();
            assert!(
                matches!(error, NativeError::Length { .. }),
                "{cut}: {error}"
            );
        }
        let mut other = bytes.clone();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(read(&other), Err(NativeError::Checksum));
        let mut other = bytes.clone();
        other[HEADER + 8 + 6] = 0xFF;
        let error = read(&with_checksum(other)).unwrap_err();
        assert!(error.to_string().contains("outside the file"), "{error}");
        let mut other = bytes.clone();
        other[HEADER] = b'P';
        let error = read(&with_checksum(other)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("\"Pattern\" of the .bpe model: unknown section")
        );
    }

    #[test]
    fn gap_rules_and_the_spelling_are_kept() {
        let stage = |gaps| Pattern::regex("[a-z]+", gaps).unwrap();
        let last = stage(Gaps::Only).on_spelling();
        let stages = Gaps::ALL.map(stage).into_iter().chain([last]);
        let model = model().with_pattern(Pattern::sequence(stages));
        let bytes = write(&model);
        assert_eq!(read(&bytes).unwrap(), model);
        let section = bytes.windows(6).position(|part| part == b"[a-z]+").unwrap();
        let refused = |code: u32| {
            let mut other = bytes.clone();
            other[section - 8..section - 4].copy_from_slice(&code.to_le_bytes());
            read(&with_checksum(other)).unwrap_err().to_string()
        };
        assert!(refused(6).contains("unknown gap rule"));
        assert!(refused(1 << 9).contains("unknown gap rule"));
        assert!(refused(1 << 8).contains("a stage on the text after one on its spelling"));
    }

    #[test]
    fn excess_stages_and_unknown_flags_are_refused() {
        let stages = vec![Pattern::regex("a", Gaps::Keep).unwrap(); MAX_STAGES + 1];
        let many = model().with_pattern(Pattern::sequence(stages));
        let error = read(&write(&many)).unwrap_err();
        assert!(error.to_string().contains("more than 16 stages"), "{error}");
        let mut flags = write(&model());
        let text = "[x]".as_bytes();
        let at = flags.windows(3).rposition(|part| part == text).unwrap() - 5;
        flags[at] = 0x80;
        let error = read(&with_checksum(flags)).unwrap_err();
        assert!(error.to_string().contains("unknown flags"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn changed_bytes_under_a_valid_checksum_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = write(&model());
            for (at, byte) in changes {
                // Half of the changes hit lengths and offsets.
                let ranges = [0..HEADER + 8 * SECTION_ENTRY, 0..bytes.len()];
                let range = ranges[usize::from(byte) % 2].clone();
                bytes[range.start + at.index(range.len())] = byte;
            }
            if let Ok(model) = read(&with_checksum(bytes)) {
                prop_assert!(read(&write(&model)).is_ok());
            }
        }
    }
}
