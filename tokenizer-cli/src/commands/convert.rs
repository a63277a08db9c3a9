//! `tokenizer convert`: a model in another format.

use tokenizer_core::Merging;
use tokenizer_core::corpus::ModelFormat;

use crate::args::ConvertArguments;
use crate::commands::{load, save, warn_of_known_pieces, warn_of_loss};
use crate::error::CommandError;
use crate::output::check_place;
use crate::progress::Progress;

pub(crate) fn run(arguments: &ConvertArguments, progress: &Progress) -> Result<(), CommandError> {
    check_place(&arguments.output)?;
    if !arguments.warm.inputs.is_empty() {
        warn_of_known_pieces("--warm");
    }
    let model = load(
        &arguments.model,
        arguments.pattern.pattern.as_ref(),
        progress,
    )?;
    save(&model, &arguments.output, progress)?;
    warn_of_loss(&model, &arguments.output);
    if ModelFormat::of_path(&arguments.output) == Some(ModelFormat::Tiktoken)
        && matches!(model.merging(), Merging::Merges { .. })
    {
        progress.note(&format!(
            "{}: the tokens of a .tiktoken file merge by rank, those of {} by a list of pairs: in \
             rare cases a text has other ids",
            arguments.output.display(),
            arguments.model.display()
        ));
    }
    Ok(())
}
