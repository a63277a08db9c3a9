//! Arguments of `convert`.

use std::path::PathBuf;

use clap::Args;

use super::heading;
use super::input::InputArguments;
use super::models::{ModelArguments, model_or_folder_path};
use super::train::CountingArguments;

/// Write a model in another format
#[derive(Debug, Args)]
#[command(mut_args(|arg| match arg.get_id().as_str() {
    "model" => arg.short(None).long(None).help_heading(None::<&str>).help("Model to convert")
        .long_help("Model to convert: .bpe, .json, .tiktoken, a folder in Hugging Face's layout, \
        or a name such as cl100k_base"),
    "output" | "pattern" | "specials" => arg,
    "inputs" => arg.long("warm").value_name("CORPUS").num_args(1..).required(false).hide(true),
    _ => arg.requires("inputs").hide(true),
}))]
#[command(after_help = "\
Examples:
  tokenizer convert ranks.tiktoken --pattern o200k -o model.bpe
  tokenizer convert tokenizer.json -o model.bpe
  tokenizer convert Qwen/Qwen2.5-7B -o folder/")]
pub(crate) struct ConvertArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Write the model here: .bpe, .json, .tiktoken or a folder
    ///
    /// The extension decides the format. A path that ends in `/`, or an existing folder, gets a tokenizer.json
    /// and a tokenizer_config.json, which transformers 4 and 5 read. Its special tokens such as bos_token and its
    /// chat template are those of the folder that MODEL names, if it names one.
    #[arg(short, long, value_name = "MODEL", value_parser = model_or_folder_path())]
    #[arg(help_heading = heading::OUTPUT)]
    pub(crate) output: PathBuf,

    /// The hidden option `--warm`, whose value was a corpus, and the options for reading that corpus. They
    /// have no effect, and are accepted so that old command lines run.
    #[command(flatten)]
    pub(crate) warm: InputArguments,

    #[command(flatten)]
    _counting: CountingArguments,

    #[arg(long = "known-pieces", value_name = "N")]
    _known_pieces: Option<usize>,
}
