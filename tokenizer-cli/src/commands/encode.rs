//! `tokenizer encode`: documents to ids.

use std::sync::Arc;

use tokenizer_core::{Affixes, Model, Request, TokenId, Tokenizer};

use super::models::{affixes, load};
use super::pipeline::{self, Spent};
use super::shards::Shards;
use crate::args::EncodeArguments;
use crate::error::{Result, ensure, failed, nearest, usage};
use crate::ids::{IdFormat, Run};
use crate::input::{InputText, Inputs};
use crate::output::{Output, beside, check_not_read};
use crate::progress::{Progress, Stage, number, plural};

const OUTPUT_HINT: &str = "name a file with -o";

pub(crate) fn run(arguments: &EncodeArguments, progress: &Progress) -> Result<()> {
    let output = Output::new(&arguments.output);
    let inputs = arguments.documents.open()?;
    let read = || inputs.paths().chain([arguments.model.path.as_path()]);
    output.check(read())?;
    let model = Arc::new(load(&arguments.model, progress)?);
    let format = choose_format(arguments.format, &output, &model, progress)?;
    if let Some(path) = output.path() {
        check_not_read(&beside(path, ".json"), read())?;
        check_not_read(&beside(path, ".index"), read())?;
        check_not_read(&path.with_extension("idx"), read())?;
    }
    let Affixes { before, after } = affixes(&model, arguments.post_process)?;
    let prepended = special_ids(&model, &arguments.prepend_special)?;
    let appended = special_ids(&model, &arguments.append_special)?;
    let added = [[prepended, before].concat(), [after, appended].concat()];
    let mut run = Run::new(format, Arc::clone(&model));
    if output.path().is_some() {
        run.prepare();
    }
    let (shard_tokens, resume) = (arguments.shard_tokens, arguments.resume);
    if shard_tokens.is_some() {
        ensure(output.path().is_some(), || {
            usage("shards cannot be written to standard output").hint(OUTPUT_HINT)
        })?;
        run = run.of_shards(
            &describe_run(arguments, &inputs, &added),
            inputs.fingerprints()?,
        );
    }
    let mut shards = Shards::open(run, output.clone(), shard_tokens, resume, &inputs.names)?;
    if shards.number > 0 {
        let complete = plural(shards.number, "complete shard");
        let documents = plural(shards.documents, "document");
        progress.note(&format!(
            "{output}: resuming after {complete} with {documents}"
        ));
    }
    let stage = progress.bytes_of("encoding", inputs.total_bytes);
    let spent = encode(arguments, model, &inputs, &added, &mut shards, &stage)?;
    let (bytes, written) = (stage.bytes(), shards.finish()?);
    let tokens = written.tokens;
    spent.end(progress, stage, tokens);
    let (text, ids) = (plural(bytes, "byte"), plural(tokens, "token"));
    progress.close_coding(&format!("encoded {text} into {ids}"), bytes, tokens);
    progress.wrote(&written.files);
    Ok(())
}

/// Encodes the documents that are not in a complete shard yet, and writes each between the ids `prepended`
/// and `appended`.
fn encode(
    arguments: &EncodeArguments,
    model: Arc<Model>,
    inputs: &Inputs,
    [prepended, appended]: &[Vec<TokenId>; 2],
    shards: &mut Shards,
    stage: &Stage,
) -> Result<Spent> {
    let allowed = match arguments.allow_special {
        true => model.all_specials(),
        false => model.special_set(&[""; 0]),
    };
    let tokenizer = Tokenizer::new(model);
    let request = tokenizer.request().allow(&allowed);
    let encode = |request: Request<'_>, texts: &[InputText]| request.encode_batch(texts);
    // With --allow-special, a cut could fall within a special token.
    let cut = pipeline::cut_for(&tokenizer).filter(|_| !arguments.allow_special);
    let done = shards.documents;
    let mut is_inside_document = false;
    pipeline::run(inputs, cut, done, stage, request, encode, |texts, batch| {
        for (text, ids) in texts.iter().zip(batch.iter()) {
            let ends = text.stretch.ends_document;
            if !is_inside_document && !prepended.is_empty() {
                shards.ids(prepended, false)?;
            }
            shards.ids(ids, ends && appended.is_empty())?;
            if ends && !appended.is_empty() {
                shards.ids(appended, true)?;
            }
            is_inside_document = !ends;
        }
        Ok(())
    })
}

fn choose_format(
    given: Option<IdFormat>,
    output: &Output,
    model: &Model,
    progress: &Progress,
) -> Result<IdFormat> {
    let format = given.unwrap_or_else(|| IdFormat::of_path(output.path(), model.id_limit()));
    ensure(format.holds(model.id_limit()), || {
        let (highest, limit) = (model.id_limit() - 1, u16::MAX);
        let fault =
            format!("the highest id of the model, {highest}, exceeds {limit}, the limit of u16");
        failed(format!("{output}: {fault}")).hint("--format u32 holds every id")
    })?;
    ensure(!format.is_binary() || !output.is_terminal(), || {
        usage(format!(
            "standard output is a terminal, and {format} is a binary format"
        ))
        .hint(OUTPUT_HINT)
    })?;
    let needs_file = matches!(format, IdFormat::Megatron | IdFormat::Parquet);
    ensure(!needs_file || output.path().is_some(), || {
        usage(format!("{format} needs a file")).hint(OUTPUT_HINT)
    })?;
    let is_bin = IdFormat::is_width_ambiguous(output.path());
    ensure(is_bin || format != IdFormat::Megatron, || {
        let rule = "Megatron's ids need a name that ends in .bin; the index gets .idx";
        usage(format!("{output}: {rule}"))
    })?;
    if given.is_none() && is_bin {
        progress.note(&format!("{output}: writing ids as {format}"));
    }
    Ok(format)
}

fn special_ids(model: &Model, names: &[String]) -> Result<Vec<TokenId>> {
    let specials = model.specials();
    let id = |name: &String| {
        let special = specials.by_content(name);
        special.map(|special| special.id).ok_or_else(|| {
            let error = usage(format!("the model has no special token {name:?}"));
            let all = specials.iter().map(|token| token.content.as_str());
            let nearest = nearest(name, all);
            error.hint(match specials.len() {
                0 => "it has no special tokens".to_owned(),
                1..=5 => format!("it has {nearest}"),
                all => format!(
                    "the nearest of its {} special and added tokens: {nearest}; `tokenizer info` lists all",
                    number(all as u64)
                ),
            })
        })
    };
    names.iter().map(id).collect()
}

/// Describes the options and input names that decide the content of shards. [`Run::of_shards`] also hashes
/// the model, the format and the fingerprints of the inputs, which are not repeated here.
fn describe_run(
    arguments: &EncodeArguments,
    inputs: &Inputs,
    [prepended, appended]: &[Vec<TokenId>; 2],
) -> String {
    let (tokens, allow) = (arguments.shard_tokens, arguments.allow_special);
    let options = arguments.documents.options();
    let mut description = format!("{tokens:?} {prepended:?} {appended:?} {allow} {options:?}");
    for name in &inputs.names {
        description += &match name.path() {
            Some(path) => format!(" File({path:?})"),
            None => " Standard".to_owned(),
        };
    }
    description
}
