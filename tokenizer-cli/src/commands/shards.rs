//! Ids into one file, or into several, each of which is whole before the next is begun.
//!
//! A shard ends with the document with which it has as many ids as are wanted. Its header is written
//! last. So whenever a run is ended, the shards with a header are complete, the headers say how many
//! documents they hold, and the next run goes on with the document behind them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokenizer_core::TokenId;

use crate::error::CommandError;
use crate::ids::{Counts, Header, IdWriter, Run, beside};
use crate::input::InputName;
use crate::output::Output;

/// How ids are spread over files.
pub(super) struct Shards {
    run: Run,
    output: Output,
    /// Ids after which a file ends with the document; `None` is one file for all.
    tokens: Option<u64>,
    /// The number of the file under way, or to be begun.
    number: u64,
    writer: Option<IdWriter>,
    /// Documents in the files before it.
    documents: u64,
    all: Counts,
}

impl Shards {
    /// One output for everything.
    pub(super) fn one(run: Run, output: Output) -> Result<Self, CommandError> {
        let writer = IdWriter::new(run.clone(), output.clone())?;
        Ok(Shards {
            run,
            output,
            tokens: None,
            number: 0,
            writer: Some(writer),
            documents: 0,
            all: Counts::default(),
        })
    }

    /// Files of so many ids, beside each other. `resume` goes on behind those that are there.
    ///
    /// Fails when there are any and it is not asked to, and when they are not of this run, or an input,
    /// of which these are the names, has changed.
    pub(super) fn several(
        run: Run,
        path: &Path,
        tokens: u64,
        resume: bool,
        names: &[InputName],
    ) -> Result<Self, CommandError> {
        let mut shards = Shards {
            run,
            output: Output::File(path.to_owned()),
            tokens: Some(tokens),
            number: 0,
            writer: None,
            documents: 0,
            all: Counts::default(),
        };
        if !resume {
            let first = numbered(path, 0);
            return match first.exists() || beside(&first, ".json").exists() {
                true => Err(CommandError::ShardsAreThere(first)),
                false => Ok(shards),
            };
        }
        loop {
            let path = numbered(path, shards.number);
            let Some(header) = Header::beside(&path)? else {
                return Ok(shards);
            };
            if let Some(difference) = shards.run.difference(&header) {
                let shard = path;
                return Err(CommandError::ShardOfOtherModel { shard, difference });
            }
            let shard = header.shard.as_ref();
            let shard =
                shard.filter(|shard| path.exists() && shard.first_document == shards.documents);
            let Some(shard) = shard else {
                return Err(CommandError::OtherShards(path));
            };
            if Some(shard.run.as_str()) != shards.run.name() {
                return Err(match shards.run.changed_input(shard) {
                    Some(input) => CommandError::InputChanged {
                        input: names[input].clone(),
                        shard: path,
                    },
                    None => CommandError::OtherShards(path),
                });
            }
            shards.number += 1;
            shards.documents += header.counts.documents;
        }
    }

    /// Documents that stand in complete files already.
    pub(super) fn documents_done(&self) -> u64 {
        self.documents
    }

    /// Files that are complete.
    pub(super) fn complete(&self) -> u64 {
        self.number
    }

    /// Adds ids of a document, which may end with them.
    pub(super) fn ids(&mut self, ids: &[TokenId], ends_document: bool) -> Result<(), CommandError> {
        if self.writer.is_none() {
            self.writer = Some(IdWriter::new(self.run.clone(), self.place())?);
        }
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        writer.ids(ids, ends_document)?;
        let tokens = writer.counts().tokens;
        if ends_document && self.tokens.is_some_and(|wanted| tokens >= wanted) {
            self.end_shard()?;
        }
        Ok(())
    }

    /// Ends the last file, and gives how much was written by this run.
    pub(super) fn finish(mut self) -> Result<Counts, CommandError> {
        if self.writer.is_none() && self.number == 0 {
            // A corpus without documents: there is to be a file that says so.
            self.writer = Some(IdWriter::new(self.run.clone(), self.place())?);
        }
        self.end_shard()?;
        Ok(self.all)
    }

    fn end_shard(&mut self) -> Result<(), CommandError> {
        if let Some(writer) = self.writer.take() {
            let counts = writer.finish(self.number, self.documents)?;
            self.number += 1;
            self.documents += counts.documents;
            self.all.tokens += counts.tokens;
            self.all.documents += counts.documents;
        }
        Ok(())
    }

    fn place(&self) -> Output {
        match (&self.output, self.tokens) {
            (Output::File(path), Some(_)) => Output::File(numbered(path, self.number)),
            (output, _) => output.clone(),
        }
    }
}

/// `ids-00007.bin` of `ids.bin`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(format!("-{number:05}"));
    if let Some(end) = path.extension() {
        name.push(".");
        name.push(end);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_before_the_ending() {
        let name = |path: &str, number| numbered(Path::new(path), number);
        assert_eq!(name("a/ids.bin", 7), Path::new("a/ids-00007.bin"));
        assert_eq!(name("ids", 123_456), Path::new("ids-123456"));
    }
}
