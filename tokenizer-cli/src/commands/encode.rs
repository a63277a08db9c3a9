//! `tokenizer encode`: documents to ids.

use std::fmt::Write;
use std::sync::Arc;

use tokenizer_core::{Model, TokenId, Tokenizer};

use crate::args::EncodeArguments;
use crate::commands::pipeline::Spent;
use crate::commands::shards::Shards;
use crate::commands::{load, pipeline};
use crate::error::{CommandError, UsageError};
use crate::ids::{IdFormat, Run, beside};
use crate::input::{InputText, Inputs};
use crate::output::{Output, check_not_read};
use crate::progress::{Progress, Stage, number};

pub(crate) fn run(arguments: &EncodeArguments, progress: &Progress) -> Result<(), CommandError> {
    let documents = &arguments.documents;
    let output = Output::new(arguments.output.as_deref());
    let inputs = Inputs::open(&documents.inputs, documents)?;
    let read = || inputs.paths().chain([arguments.model.model.as_path()]);
    output.check(read())?;
    let model = load(
        &arguments.model.model,
        arguments.model.pattern.pattern.as_ref(),
        progress,
    )?;
    let format = choose_format(arguments.format, &output, &model, progress)?;
    if let Some(path) = output.path() {
        for end in [".json", ".index"] {
            check_not_read(&beside(path, end), read())?;
        }
        check_not_read(&path.with_extension("idx"), read())?;
    }
    let around = Around {
        before: special_ids(&model, &arguments.prepend_special)?,
        behind: special_ids(&model, &arguments.append_special)?,
    };
    let model = Arc::new(model);
    let run = Run::new(format, Arc::clone(&model));
    let mut shards = open(arguments, run, &output, &inputs, &around)?;
    let done = shards.documents_done();
    if done > 0 {
        progress.note(&format!(
            "{output}: {} shards with {} documents are there already",
            number(shards.complete()),
            number(done)
        ));
    }
    let stage = progress
        .bytes_of("encoding", inputs.total_bytes())
        .unless(output.is_terminal());
    let (bytes, spent) = encode(arguments, model, &inputs, &around, &mut shards, &stage)?;
    let written = shards.finish()?;
    spent.say(progress, bytes, written.tokens);
    stage.tokens(written.tokens);
    drop(stage);
    progress.close(
        &format!(
            "encoded {} bytes into {} tokens, {:.2} bytes per token,",
            number(bytes),
            number(written.tokens),
            bytes as f64 / written.tokens.max(1) as f64,
        ),
        bytes,
    );
    Ok(())
}

/// Ids around every document.
struct Around {
    before: Vec<TokenId>,
    behind: Vec<TokenId>,
}

/// Where ids go.
fn open(
    arguments: &EncodeArguments,
    run: Run,
    output: &Output,
    inputs: &Inputs,
    around: &Around,
) -> Result<Shards, CommandError> {
    if output.path().is_some() {
        run.prepare();
    }
    match (arguments.shard_tokens, output.path()) {
        (None, _) => Shards::one(run, output.clone()),
        (Some(_), None) => Err(UsageError::ShardsToStandardOutput.into()),
        (Some(tokens), Some(path)) => {
            let what = what_decides(arguments, inputs, around);
            let run = run.of_shards(&what, inputs.fingerprints()?);
            Shards::several(run, path, tokens, arguments.resume, inputs.names())
        }
    }
}

/// Encodes all documents that are not in the shards; gives how many bytes of them there were.
fn encode(
    arguments: &EncodeArguments,
    model: Arc<Model>,
    inputs: &Inputs,
    Around { before, behind }: &Around,
    shards: &mut Shards,
    stage: &Stage,
) -> Result<(u64, Spent), CommandError> {
    let tokenizer = Tokenizer::new(model);
    let allowed = (arguments.allow_special).then(|| tokenizer.model().all_specials());
    let request = match &allowed {
        Some(allowed) => tokenizer.request().allow(allowed),
        None => tokenizer.request(),
    };
    let encode = |texts: &[InputText], threads| request.threads(threads).encode_batch(texts);
    // Special tokens may stand where a text could be cut.
    let cut = pipeline::cut_for(&tokenizer).filter(|_| !arguments.allow_special);
    let (mut bytes, mut is_open) = (0, false);
    let spent = pipeline::run(
        inputs,
        cut,
        shards.documents_done(),
        arguments.documents.threads(),
        encode,
        |texts, batch| {
            let mut read = 0;
            for (text, ids) in texts.iter().zip(batch.iter()) {
                read += text.as_ref().len() as u64;
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
            bytes += read;
            stage.advance(read);
            Ok(())
        },
    )?;
    Ok((bytes, spent))
}

fn choose_format(
    wanted: Option<IdFormat>,
    output: &Output,
    model: &Model,
    progress: &Progress,
) -> Result<IdFormat, CommandError> {
    let format = wanted.unwrap_or_else(|| IdFormat::of_path(output.path(), model.id_limit()));
    if !format.holds(model.id_limit()) {
        return Err(CommandError::IdsTooHigh {
            output: output.to_string(),
            highest: model.id_limit() - 1,
        });
    }
    if format.is_binary() && output.is_terminal() {
        return Err(UsageError::BinaryToTerminal(format.as_str()).into());
    }
    if format.needs_file() && output.path().is_none() {
        return Err(UsageError::NeedsFile(format.as_str()).into());
    }
    let is_bin = IdFormat::is_width_left_open(output.path());
    if format == IdFormat::Megatron && !is_bin {
        return Err(UsageError::MegatronName(output.to_string()).into());
    }
    if wanted.is_none() && is_bin {
        progress.note(&format!("{output}: ids are written as {}", format.as_str()));
    }
    Ok(format)
}

fn special_ids(model: &Model, names: &[String]) -> Result<Vec<TokenId>, UsageError> {
    let specials = model.specials();
    let id = |name: &String| {
        let found = specials.iter().find(|special| special.content == *name);
        found
            .map(|special| special.id)
            .ok_or_else(|| UsageError::NoSpecial {
                name: name.clone(),
                specials: specials.iter().map(|s| s.content.clone()).collect(),
            })
    };
    names.iter().map(id).collect()
}

/// All that decides what is in the shards of a run, but for the model, the format and what stands in
/// the inputs.
fn what_decides(
    arguments: &EncodeArguments,
    inputs: &Inputs,
    Around { before, behind }: &Around,
) -> String {
    let forms = &arguments.documents.forms;
    let mut what = format!(
        "{:?} {before:?} {behind:?} {} {:?}",
        arguments.shard_tokens,
        arguments.allow_special,
        forms.options(),
    );
    for name in inputs.names() {
        // Writing to a string cannot fail.
        let _ = write!(what, " {name:?}");
    }
    what
}
