//! `tokenizer convert`: a model to another format.

use tokenizer_core::Merging;
use tokenizer_core::corpus::ModelFormat;

use super::models::{load, save, warn_of_known_pieces, warn_of_loss};
use crate::args::ConvertArguments;
use crate::error::Result;
use crate::output::Output;
use crate::progress::Progress;

pub(crate) fn run(arguments: &ConvertArguments, progress: &Progress) -> Result<()> {
    let (from, to) = (&arguments.model, &arguments.output);
    Output::new(to).check([])?;
    if !arguments.warm.inputs.is_empty() {
        warn_of_known_pieces("--warm");
    }
    let model = load(from, progress)?;
    save(&model, to, progress)?;
    warn_of_loss(&model, to);
    if ModelFormat::of_path(to) == Some(ModelFormat::Tiktoken)
        && matches!(model.merging(), Merging::Merges { .. })
    {
        progress.note(&format!(
            "{}: a .tiktoken file merges by rank, {} by a list of pairs: in rare cases ids differ",
            to.display(),
            from.path.display()
        ));
    }
    progress.wrote(&[to]);
    Ok(())
}
