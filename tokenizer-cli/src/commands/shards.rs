//! Ids into one file, or into several, each of which is whole before the next is begun.
//!
//! A shard ends with the document with which it has as many ids as are wanted. Its header is written
//! last. So whenever a run is ended, the shards with a header are complete, the headers say how many
//! documents they hold, and the next run goes on with the document behind them.

use std::path::Path;

use tokenizer_core::TokenId;

use crate::error::{Result, ensure, failed};
use crate::ids::{Header, IdWriter, Run};
use crate::input::InputName;
use crate::output::{Output, beside, numbered};

/// How ids are spread over files.
pub(super) struct Shards {
    run: Run,
    output: Output,
    /// Ids after which a file ends with the document; `None` is one file for all.
    wanted: Option<u64>,
    /// The number of the file under way, or to be begun: so many are complete.
    pub(super) number: u64,
    writer: Option<IdWriter>,
    /// Documents in the files before it.
    pub(super) documents: u64,
    /// Ids that were written to these by this run.
    tokens: u64,
}

impl Shards {
    /// One output for everything, or files of so many ids, beside each other. `resume` goes on behind
    /// those that are there.
    ///
    /// Fails if shards exist without `resume`, if they are of another run, or if an input (`names`) has
    /// changed.
    pub(super) fn open(
        run: Run,
        output: Output,
        wanted: Option<u64>,
        resume: bool,
        names: &[InputName],
    ) -> Result<Self> {
        let mut shards = Shards {
            run,
            output,
            wanted,
            number: 0,
            writer: None,
            documents: 0,
            tokens: 0,
        };
        if wanted.is_none() {
            shards.writer()?;
            return Ok(shards);
        }
        while let Some(path) = shards.place().path() {
            let is_there = path.exists() || beside(path, ".json").exists();
            ensure(resume || !is_there, || {
                let error = failed(format!("{}: shards are there already", path.display()));
                error.hint("--resume goes on behind them; or remove them")
            })?;
            let Some(header) = Header::beside(path)? else {
                break;
            };
            shards.check(path, &header, names)?;
            shards.number += 1;
            shards.documents += header.documents;
        }
        Ok(shards)
    }

    /// Checks that a shard is the next one of this run.
    fn check(&self, path: &Path, header: &Header, names: &[InputName]) -> Result<()> {
        let file = path.display();
        let other = |fault: String| {
            let error = failed(format!("{file}: this shard {fault}"));
            Err(error.hint("give what they were made with, or remove them"))
        };
        if let Some(difference) = self.run.difference(header) {
            return other(format!(
                "was encoded with a model that decodes otherwise: {difference}"
            ));
        }
        let is_next = path.exists() && header.first_document == Some(self.documents);
        if is_next && header.run == self.run.name {
            return Ok(());
        }
        match self.run.changed_input(header).filter(|_| is_next) {
            None => {
                other("is of another run: of another model, other inputs or options".to_owned())
            }
            Some(input) => {
                let fault = format!("is not what it was when {file} was written");
                let hint = "bring back what it was, or remove the shards and begin anew";
                Err(names[input].fail(fault).hint(hint))
            }
        }
    }

    /// Adds ids of a document, which may end with them.
    pub(super) fn ids(&mut self, ids: &[TokenId], ends_document: bool) -> Result<()> {
        let writer = self.writer()?;
        writer.ids(ids, ends_document)?;
        let tokens = writer.counts.tokens;
        match ends_document && self.wanted.is_some_and(|wanted| tokens >= wanted) {
            true => self.end_shard(),
            false => Ok(()),
        }
    }

    /// Ends the last file, and gives how many ids were written by this run.
    pub(super) fn finish(mut self) -> Result<u64> {
        if self.number == 0 {
            // A corpus without documents: there is to be a file that says so.
            self.writer()?;
        }
        self.end_shard()?;
        Ok(self.tokens)
    }

    fn end_shard(&mut self) -> Result<()> {
        if let Some(writer) = self.writer.take() {
            let counts = writer.finish(self.number, self.documents)?;
            self.number += 1;
            self.documents += counts.documents;
            self.tokens += counts.tokens;
        }
        Ok(())
    }

    /// The writer of the file under way, which is begun if there is none.
    fn writer(&mut self) -> Result<&mut IdWriter> {
        if self.writer.is_none() {
            self.writer = Some(IdWriter::new(self.run.clone(), self.place())?);
        }
        let writer = self.writer.as_mut();
        writer.ok_or_else(|| failed("no file is under way"))
    }

    /// Where the file under way is.
    fn place(&self) -> Output {
        match (self.output.path(), self.wanted) {
            (Some(path), Some(_)) => Output::new(&numbered(path, format!("{:05}", self.number))),
            _ => self.output.clone(),
        }
    }
}
