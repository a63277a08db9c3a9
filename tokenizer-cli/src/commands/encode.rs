//! `tokenizer encode`: documents to ids.

use std::sync::Arc;

use tokenizer_core::{Model, TokenId, Tokenizer};

use super::models::load;
use super::pipeline::{self, Spent};
use super::shards::Shards;
use crate::args::EncodeArguments;
use crate::error::{Result, ensure, failed, nearest, usage};
use crate::ids::{IdFormat, Run};
use crate::input::{InputText, Inputs};
use crate::output::{Output, beside, check_not_read};
use crate::progress::{Progress, Stage, number};

const GIVE_FILE: &str = "give a file with -o";

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
    let around = [
        special_ids(&model, &arguments.prepend_special)?,
        special_ids(&model, &arguments.append_special)?,
    ];
    let mut run = Run::new(format, Arc::clone(&model));
    if output.path().is_some() {
        run.prepare();
    }
    let (wanted, resume) = (arguments.shard_tokens, arguments.resume);
    if wanted.is_some() {
        ensure(output.path().is_some(), || {
            usage("shards are files, and cannot be written to standard output").hint(GIVE_FILE)
        })?;
        run = run.of_shards(
            &what_decides(arguments, &inputs, &around),
            inputs.fingerprints()?,
        );
    }
    let mut shards = Shards::open(run, output.clone(), wanted, resume, &inputs.names)?;
    let done = shards.documents;
    if done > 0 {
        let (shards, done) = (number(shards.number), number(done));
        progress.note(&format!(
            "{output}: {shards} shards with {done} documents are there already"
        ));
    }
    let stage = progress.bytes_of("encoding", inputs.total_bytes);
    let stage = stage.unless(output.is_terminal());
    let spent = encode(arguments, model, &inputs, &around, &mut shards, &stage)?;
    let (bytes, tokens) = (stage.bytes(), shards.finish()?);
    spent.end(progress, stage, tokens);
    let (all, made) = (number(bytes), number(tokens));
    progress.close_coding(
        &format!("encoded {all} bytes into {made} tokens"),
        bytes,
        tokens,
    );
    Ok(())
}

/// Encodes all documents that are not in the shards, with ids before and behind each.
fn encode(
    arguments: &EncodeArguments,
    model: Arc<Model>,
    inputs: &Inputs,
    [before, behind]: &[Vec<TokenId>; 2],
    shards: &mut Shards,
    stage: &Stage,
) -> Result<Spent> {
    let allowed = match arguments.allow_special {
        true => model.all_specials(),
        false => model.special_set(&[""; 0]),
    };
    let tokenizer = Tokenizer::new(model);
    let request = tokenizer.request().allow(&allowed);
    let encode = |texts: &[InputText], threads| request.threads(threads).encode_batch(texts);
    // Special tokens may stand where a text could be cut.
    let cut = pipeline::cut_for(&tokenizer).filter(|_| !arguments.allow_special);
    let done = shards.documents;
    let mut is_open = false;
    pipeline::run(inputs, cut, done, stage, encode, |texts, batch| {
        for (text, ids) in texts.iter().zip(batch.iter()) {
            let ends = text.stretch.ends_document;
            if !is_open && !before.is_empty() {
                shards.ids(before, false)?;
            }
            shards.ids(ids, ends && behind.is_empty())?;
            if ends && !behind.is_empty() {
                shards.ids(behind, true)?;
            }
            is_open = !ends;
        }
        Ok(())
    })
}

fn choose_format(
    wanted: Option<IdFormat>,
    output: &Output,
    model: &Model,
    progress: &Progress,
) -> Result<IdFormat> {
    let format = wanted.unwrap_or_else(|| IdFormat::of_path(output.path(), model.id_limit()));
    ensure(format.holds(model.id_limit()), || {
        let (highest, most) = (model.id_limit() - 1, u16::MAX);
        let ids = format!("ids of the model go up to {highest}, and u16 holds them up to {most}");
        failed(format!("{output}: {ids}")).hint("--format u32 holds every id")
    })?;
    ensure(!format.is_binary() || !output.is_terminal(), || {
        let error = format!("standard output is a terminal, and {format} is not for reading");
        usage(error).hint(GIVE_FILE)
    })?;
    let needs_file = matches!(format, IdFormat::Megatron | IdFormat::Parquet);
    ensure(!needs_file || output.path().is_some(), || {
        usage(format!("{format} needs a file")).hint(GIVE_FILE)
    })?;
    let is_bin = IdFormat::is_width_left_open(output.path());
    ensure(is_bin || format != IdFormat::Megatron, || {
        let rule = "the name of Megatron's file of ids ends in .bin; its index is named .idx";
        usage(format!("{output}: {rule}"))
    })?;
    if wanted.is_none() && is_bin {
        progress.note(&format!("{output}: ids are written as {format}"));
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

/// All that decides what is in the shards of a run, but for the model, the format and what stands in
/// the inputs.
fn what_decides(
    arguments: &EncodeArguments,
    inputs: &Inputs,
    [before, behind]: &[Vec<TokenId>; 2],
) -> String {
    let (tokens, allow) = (arguments.shard_tokens, arguments.allow_special);
    let options = arguments.documents.options();
    let mut what = format!("{tokens:?} {before:?} {behind:?} {allow} {options:?}");
    for name in &inputs.names {
        what += &match name.path() {
            Some(path) => format!(" File({path:?})"),
            None => " Standard".to_owned(),
        };
    }
    what
}
