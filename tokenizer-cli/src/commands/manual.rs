//! `tokenizer completions` and `tokenizer man`: what the arguments say, for shells and for `man`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Arguments;
use crate::error::{Result, standard_output, usage};
use crate::output::Output;

pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(shell, &mut command, "tokenizer", &mut script);
    Output::STANDARD.write_all(script)
}

pub(crate) fn man(command: Option<&str>) -> Result<()> {
    let mut program = Arguments::command();
    program.build();
    let command = match command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name);
            let command = found.ok_or_else(|| usage(format!("no command {name:?}")))?;
            command.clone().display_name(format!("tokenizer-{name}"))
        }
    };
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(standard_output)?;
    Output::STANDARD.write_all(page)
}
