//! Ids written to one file, or to shards, each of which is complete before the next one begins.
//!
//! A shard ends with the document that brings it to `--shard-tokens` ids or more. Its header is written last,
//! so after an interrupted run every shard with a header is complete. Each header has the number of documents
//! in its shard, so `--resume` knows how many documents of the inputs to skip.

use std::path::{Path, PathBuf};

use tokenizer_core::TokenId;

use crate::error::{Result, ensure, failed};
use crate::ids::{Header, IdWriter, Run};
use crate::input_name::InputName;
use crate::output::{Output, beside, numbered};

/// Writes ids to one file after another.
pub(super) struct Shards {
    run: Run,
    output: Output,
    /// A shard ends with the document that brings it to this many ids; `None` for a single file.
    shard_tokens: Option<u64>,
    /// The number of complete shards, which is also the number of the current one, as they start at 0.
    pub(super) number: u64,
    writer: Option<IdWriter>,
    /// Documents in the complete shards.
    pub(super) documents: u64,
    /// Files and ids that this run has written.
    written: Written,
}

/// The result of a run.
#[derive(Default)]
pub(super) struct Written {
    pub(super) tokens: u64,
    pub(super) files: Vec<PathBuf>,
}

impl Shards {
    /// Creates the single output file or, if `shard_tokens` is set, finds the first incomplete shard, which the
    /// first write creates.
    ///
    /// # Errors
    /// If a shard exists and `resume` is not set, or if a complete shard belongs to a run with another model,
    /// other inputs or other options. `names` are the inputs, for an error that names one that has changed.
    pub(super) fn open(
        run: Run,
        output: Output,
        shard_tokens: Option<u64>,
        resume: bool,
        names: &[InputName],
    ) -> Result<Self> {
        let mut shards = Shards {
            run,
            output,
            shard_tokens,
            number: 0,
            writer: None,
            documents: 0,
            written: Written::default(),
        };
        if shard_tokens.is_none() {
            shards.writer()?;
            return Ok(shards);
        }
        while let Some(path) = shards.current().path() {
            let exists = path.exists() || beside(path, ".json").exists();
            ensure(resume || !exists, || {
                let error = failed(format!("{}: shard exists already", path.display()));
                error.hint("pass --resume to continue after the complete shards, or remove the existing shards")
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
        let refuse = |fault: String| {
            let error = failed(format!("{file}: shard {fault}"));
            Err(error.hint("use the model, inputs and options of that run, or remove the shards"))
        };
        if let Some(difference) = self.run.difference(header) {
            return refuse(format!(
                "encoded with a model that decodes differently: {difference}"
            ));
        }
        let is_next = path.exists() && header.first_document == Some(self.documents);
        if is_next && header.run == self.run.name {
            return Ok(());
        }
        match self.run.changed_input(header).filter(|_| is_next) {
            None => refuse("of another run: model, inputs or options differ".to_owned()),
            Some(input) => {
                let fault = format!("changed since {file} was written");
                let hint = "restore the input, or remove the shards and start again";
                Err(names[input].fail(fault).hint(hint))
            }
        }
    }

    /// Appends ids to the current document, and ends it if `ends_document`.
    pub(super) fn ids(&mut self, ids: &[TokenId], ends_document: bool) -> Result<()> {
        let writer = self.writer()?;
        writer.ids(ids, ends_document)?;
        let tokens = writer.counts.tokens;
        match ends_document && self.shard_tokens.is_some_and(|limit| tokens >= limit) {
            true => self.end_file(),
            false => Ok(()),
        }
    }

    /// Ends the last file, and returns what this run has written.
    pub(super) fn finish(mut self) -> Result<Written> {
        if self.number == 0 {
            // An empty corpus still produces one file, with no ids in it.
            self.writer()?;
        }
        self.end_file()?;
        Ok(self.written)
    }

    fn end_file(&mut self) -> Result<()> {
        if let Some(writer) = self.writer.take() {
            let (counts, files) = writer.finish(self.number, self.documents)?;
            self.number += 1;
            self.documents += counts.documents;
            self.written.tokens += counts.tokens;
            // For a shard, list only the file of ids, not the index or header beside it.
            let listed_count = if self.shard_tokens.is_some() {
                1
            } else {
                files.len()
            };
            self.written
                .files
                .extend(files.into_iter().take(listed_count));
        }
        Ok(())
    }

    /// The writer of the current file, which is created if necessary.
    fn writer(&mut self) -> Result<&mut IdWriter> {
        if self.writer.is_none() {
            self.writer = Some(IdWriter::new(self.run.clone(), self.current())?);
        }
        let writer = self.writer.as_mut();
        writer.ok_or_else(|| failed("no current file"))
    }

    /// The current file.
    fn current(&self) -> Output {
        match (self.output.path(), self.shard_tokens) {
            (Some(path), Some(_)) => Output::new(&numbered(path, format!("{:05}", self.number))),
            _ => self.output.clone(),
        }
    }
}
