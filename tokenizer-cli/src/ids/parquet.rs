//! A Parquet table of ids: one column, `ids`, with one list per document.
//!
//! The numbers are uint16 if they fit, else uint32; Arrow, pandas and Polars read both types. A row group has
//! about a million ids, or a single longer document, and is held in memory.

use std::io::{self, Write};
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::data_type::Int32Type;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use tokenizer_core::TokenId;

use super::format::Number;

/// Ids that complete a row group. An empty document counts as one.
const GROUP: usize = 1 << 20;

/// Readers store the offsets of lists as i32.
const MAX_LIST: usize = i32::MAX as usize;

pub(super) struct TableWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    /// The ids of the current row group, and their levels. An empty list has levels, but no id.
    ids: Vec<i32>,
    repetition: Vec<i16>,
    definition: Vec<i16>,
    /// Whether the current document has ids so far.
    is_open: bool,
}

impl<W: Write + Send> TableWriter<W> {
    pub(super) fn new(to: W, number: Number) -> io::Result<Self> {
        let bits = if number == Number::U16 { 16 } else { 32 };
        let schema = parse_message_type(&format!(
            "message documents {{
                required group ids (LIST) {{
                    repeated group list {{ required int32 element (INTEGER({bits}, false)); }}
                }}
            }}"
        ));
        let schema = schema.map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .set_statistics_enabled(EnabledStatistics::None)
            .set_dictionary_enabled(false)
            .build();
        let file = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties));
        Ok(TableWriter {
            file: file.map_err(failed)?,
            ids: Vec::new(),
            repetition: Vec::new(),
            definition: Vec::new(),
            is_open: false,
        })
    }

    /// Appends ids to the current document, and ends it if `ends_document`.
    pub(super) fn ids(&mut self, ids: &[TokenId], ends_document: bool) -> io::Result<()> {
        for &id in ids {
            self.repetition
                .push(i16::from(std::mem::replace(&mut self.is_open, true)));
            self.definition.push(1);
            // Parquet stores uint32 in the bits of an int32.
            self.ids.push(id as i32);
        }
        if self.ids.len() > MAX_LIST {
            let message = "document of more than 2,147,483,647 ids, the limit of a Parquet list";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        if ends_document {
            if !std::mem::replace(&mut self.is_open, false) {
                self.repetition.push(0);
                self.definition.push(0);
            }
            if self.repetition.len() >= GROUP {
                self.write_group().map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Completes the table and returns the underlying writer.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.repetition.is_empty() {
            self.write_group().map_err(failed)?;
        }
        self.file.into_inner().map_err(failed)
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            let (definition, repetition) = (Some(&self.definition[..]), Some(&self.repetition[..]));
            column
                .typed::<Int32Type>()
                .write_batch(&self.ids, definition, repetition)?;
            column.close()?;
        }
        group.close()?;
        self.ids.clear();
        self.repetition.clear();
        self.definition.clear();
        Ok(())
    }
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        other => io::Error::other(other.to_string()),
    }
}
