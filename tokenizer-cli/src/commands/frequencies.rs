//! How often the pair of each token occurred when it was merged, as a table.
//!
//! A first line of comment, then a line for each token in the order in which they were learned: id,
//! count, and the bytes in base64, between tabs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokenizer_core::{Count, Model, TokenId};

use crate::error::CommandError;
use crate::output::Output;

const HEADER: &str = "# id\tcount of the pair when it was merged\ttoken in base64\n";

pub(super) fn write(
    output: &Output,
    model: &Model,
    learned: &[(TokenId, Count)],
) -> Result<(), CommandError> {
    output.write(|out| {
        out.write_all(HEADER.as_bytes())?;
        for &(id, count) in learned {
            let token = STANDARD.encode(model.token(id).unwrap_or_default());
            out.write_all(format!("{id}\t{count}\t{token}\n").as_bytes())?;
        }
        Ok(())
    })
}
