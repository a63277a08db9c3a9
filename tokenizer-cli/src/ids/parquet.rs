//! A Parquet table of ids: one column, `ids`, with a list for each document.
//!
//! The numbers are uint16 where they fit and else uint32, which Arrow, pandas and Polars read as such.
//! A group of rows is written when it has about a million ids, so that much is in memory, or one
//! document if that is longer.

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

const GROUP: usize = 1 << 20;

/// Readers hold the ends of lists as numbers of 31 bits.
const MOST: usize = i32::MAX as usize;

pub(super) struct TableWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    /// The group under way. An empty list takes up levels, but has no id.
    ids: Vec<i32>,
    repetition: Vec<i16>,
    definition: Vec<i16>,
    /// Something of the document under way was given.
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

    /// Adds ids of a document, which may end with them.
    pub(super) fn ids(&mut self, ids: &[TokenId], ends_document: bool) -> io::Result<()> {
        for &id in ids {
            self.repetition
                .push(i16::from(std::mem::replace(&mut self.is_open, true)));
            self.definition.push(1);
            // The same 32 bits: the type of the column says that they have no sign.
            self.ids.push(id as i32);
        }
        if self.ids.len() > MOST {
            let message = "a document has more ids than a list of Parquet can have";
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

    /// Ends the table, and gives back where it was written to.
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
