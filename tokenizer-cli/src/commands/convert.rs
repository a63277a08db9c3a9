//! `tokenizer convert`: a model in another format.

use tokenizer_core::Merging;
use tokenizer_core::corpus::{ModelFormat, save_model};

use crate::args::ConvertArguments;
use crate::commands::{load, warn_of_loss};
use crate::error::CommandError;
use crate::output::check_place;
use crate::progress::Progress;

pub(crate) fn run(arguments: &ConvertArguments, progress: &Progress) -> Result<(), CommandError> {
    check_place(&arguments.output)?;
    let model = load(&arguments.model, arguments.pattern.pattern.as_ref())?;
    save_model(&model, &arguments.output)?;
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
