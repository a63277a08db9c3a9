//! `tokenizer convert`: a model to another format.

use tokenizer_core::corpus::{ModelFormat, save_folder};
use tokenizer_core::format::tiktoken::merges_are_ranks;

use super::models::{load_with_folder, save, warn_of_known_pieces, warn_of_loss};
use crate::args::{ConvertArguments, is_folder};
use crate::error::Result;
use crate::output::Output;
use crate::progress::Progress;

pub(crate) fn run(arguments: &ConvertArguments, progress: &Progress) -> Result<()> {
    let (from, to) = (&arguments.model, &arguments.output);
    let is_folder = is_folder(to);
    if !is_folder {
        Output::new(to).check([])?;
    }
    if !arguments.warm.inputs.is_empty() {
        warn_of_known_pieces("--warm");
    }
    let (model, folder) = load_with_folder(from, progress)?;
    if is_folder {
        progress.wrote(&save_folder(&model, to, folder.as_deref())?);
        return Ok(());
    }
    save(&model, to, progress)?;
    warn_of_loss(&model, to);
    if ModelFormat::of_path(to) == Some(ModelFormat::Tiktoken) && !merges_are_ranks(&model) {
        progress.note(&format!(
            "{}: a .tiktoken file merges by rank, {} by a list of pairs: in rare cases ids differ",
            to.display(),
            from.path.display()
        ));
    }
    progress.wrote(&[to]);
    Ok(())
}
