//! Piece counts as a Parquet table: the columns `piece` (binary) and `count` (uint64).
//!
//! The key `pattern` of the file's metadata stores the pattern ([`super::pattern_text`]). Tables by
//! other programs are accepted: signed or narrower counts, nullable columns without nulls, additional
//! columns, and pages compressed with Snappy, Zstandard or gzip. The pieces must be binary: strings
//! cannot represent invalid UTF-8, such as a part of a character, so programs that store strings have
//! probably altered such pieces.
//!
//! Memory: one page per column when reading, one row group when writing.

use std::io::{self, Write};
use std::sync::Arc;

use ::parquet::basic::{Compression, ConvertedType, Encoding, LogicalType, Type as PhysicalType};
use ::parquet::column::reader::{ColumnReader, get_typed_column_reader};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::{ColumnDescriptor, ColumnPath};
use bytes::Bytes;

use super::error::CountsError;
use super::pattern_text;
use crate::format::broken_parquet::{self, ColumnRows, is_inside};
use crate::pattern::Pattern;
use crate::token::Count;

const PIECE: &str = "piece";
const COUNT: &str = "count";
const PATTERN: &str = "pattern";
const SCHEMA: &str = "message counted_pieces {
    required binary piece;
    required int64 count (INTEGER(64, false));
}";

/// Rows per read.
const BATCH: usize = 4096;

/// A row group ends at this many rows or bytes of pieces, since many readers load a group as a whole.
const GROUP_ROWS: usize = 1 << 17;
const GROUP_BYTES: usize = 8 << 20;

/// Limit on the length of a written piece in bytes. A Parquet page must hold it and is shorter than 2 GiB.
const LONGEST_PIECE: usize = 1 << 30;

/// An open Parquet table of piece counts. Its schema is verified; its rows have not been read.
pub struct Table {
    reader: Box<dyn FileReader>,
    /// The indices of the columns.
    piece_column: usize,
    count_column: usize,
    /// Whether the counts are signed integers.
    is_signed: bool,
    pattern: Option<Pattern>,
}

impl Table {
    /// Opens a table and verifies its schema.
    ///
    /// # Errors
    /// If it is not Parquet, a column is missing or has the wrong type, or the pattern is invalid.
    pub fn open(source: impl ChunkReader + 'static) -> Result<Self, CountsError> {
        let length = source.len();
        let reader = guarded(|| SerializedFileReader::new(source))?;
        let file = reader.metadata().file_metadata();
        let columns = file.schema_descr().columns();
        let find = |column, wanted, has_type: fn(&ColumnDescriptor) -> bool| {
            let has_name = |found: &Arc<ColumnDescriptor>| *found.path().parts() == [column];
            let found = match columns.iter().position(has_name) {
                Some(index) if has_type(&columns[index]) => return Ok(index),
                Some(index) => type_of(&columns[index]),
                None => "no such column".to_owned(),
            };
            Err(CountsError::Column {
                column,
                wanted,
                found,
            })
        };
        let piece_column = find(PIECE, "binary", is_binary)?;
        let count_column = find(COUNT, "an integer of at most 64 bits", |column| {
            is_signed(column).is_some()
        })?;
        let is_inside = |group| {
            let mut columns = [piece_column, count_column].into_iter();
            columns.all(|column| is_inside(group, column, length))
        };
        if !reader.metadata().row_groups().iter().all(is_inside) {
            return Err(parquet("column outside the file"));
        }
        let metadata = file.key_value_metadata().into_iter().flatten();
        let text = metadata
            .filter(|entry| entry.key == PATTERN)
            .find_map(|entry| entry.value.as_deref());
        let pattern = text.map(pattern_text::read).transpose()?;
        Ok(Table {
            is_signed: is_signed(&columns[count_column]) == Some(true),
            reader: Box::new(reader),
            piece_column,
            count_column,
            pattern,
        })
    }

    /// The pattern that split the pieces, if the table names it.
    #[must_use]
    pub fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    /// Calls `each` with the piece and count of each row, in order. Rows with a count of zero or an empty piece
    /// are skipped.
    ///
    /// # Errors
    /// At the first invalid row, the first error of `each`, or damage to the file.
    pub fn for_each_row<E: From<CountsError>>(
        &self,
        mut each: impl FnMut(&[u8], Count) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut row = 0;
        for group in 0..self.reader.num_row_groups() {
            let group = guarded(|| self.reader.get_row_group(group))?;
            let pieces = guarded(|| group.get_column_reader(self.piece_column))?;
            let counts = guarded(|| group.get_column_reader(self.count_column))?;
            let [piece_level, count_level] = [self.piece_column, self.count_column].map(|column| {
                group
                    .metadata()
                    .column(column)
                    .column_descr()
                    .max_def_level()
            });
            let mut pieces = ColumnRows::new(get_typed_column_reader(pieces), piece_level);
            let is_signed = self.is_signed;
            let rows = match counts {
                ColumnReader::Int32ColumnReader(counts) => {
                    let counts = ColumnRows::new(counts, count_level);
                    rows(&mut pieces, counts, row, &mut each, |n| match is_signed {
                        true => n.try_into().ok(),
                        false => Some(Count::from(n as u32)),
                    })?
                }
                ColumnReader::Int64ColumnReader(counts) => {
                    let counts = ColumnRows::new(counts, count_level);
                    rows(&mut pieces, counts, row, &mut each, |n| match is_signed {
                        true => n.try_into().ok(),
                        false => Some(n as Count),
                    })?
                }
                _ => {
                    return Err(
                        parquet("type of column \"count\" differs between row groups").into(),
                    );
                }
            };
            if Ok(rows) != u64::try_from(group.metadata().num_rows()) {
                return Err(
                    parquet("number of rows of a row group differs from its metadata").into(),
                );
            }
            row += rows;
        }
        if Ok(row) != u64::try_from(self.reader.metadata().file_metadata().num_rows()) {
            return Err(parquet("number of rows differs from the metadata").into());
        }
        Ok(())
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("rows", &self.reader.metadata().file_metadata().num_rows())
            .field("pattern", &self.pattern)
            .finish_non_exhaustive()
    }
}

/// Whether the source is a Parquet table with the columns `piece` and `count`, whatever their types.
#[must_use]
pub fn is_counts(source: impl ChunkReader + 'static) -> bool {
    let Ok(reader) = guarded(|| SerializedFileReader::new(source)) else {
        return false;
    };
    let columns = reader.metadata().file_metadata().schema_descr().columns();
    let has = |name| columns.iter().any(|column| column.path().string() == name);
    has(PIECE) && has(COUNT)
}

/// Writes row by row, so that the counts need not fit in memory.
pub struct Writer<W: Write> {
    file: SerializedFileWriter<W>,
    /// The concatenated pieces of the current row group.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    counts: Vec<i64>,
}

impl<W: Write + Send> Writer<W> {
    /// Writes the header of the file.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn new(out: W, pattern: &Pattern) -> io::Result<Self> {
        let pieces = ColumnPath::from(PIECE);
        let properties = WriterProperties::builder()
            .set_key_value_metadata(Some(vec![KeyValue::new(
                PATTERN.to_owned(),
                pattern_text::write(pattern),
            )]))
            .set_compression(Compression::ZSTD(Default::default()))
            .set_statistics_enabled(EnabledStatistics::None)
            // Pieces are distinct, so a dictionary is useless. Delta encoding of shared prefixes would be
            // smaller, but only the plain encoding is supported by every reader.
            .set_column_dictionary_enabled(pieces.clone(), false)
            .set_column_encoding(pieces, Encoding::PLAIN)
            .build();
        let schema = parse_message_type(SCHEMA).map_err(write_error)?;
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))
            .map_err(write_error)?;
        Ok(Writer {
            file,
            bytes: Vec::new(),
            ends: Vec::new(),
            counts: Vec::new(),
        })
    }

    /// Writes one piece.
    ///
    /// # Errors
    /// The errors of `out`; also if the piece is longer than 1 GiB and so may not fit in a Parquet page.
    pub fn row(&mut self, piece: &[u8], count: Count) -> io::Result<()> {
        if piece.len() > LONGEST_PIECE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "piece of {} bytes too long for Parquet (limit: {LONGEST_PIECE})",
                    piece.len()
                ),
            ));
        }
        self.bytes.extend_from_slice(piece);
        self.ends.push(self.bytes.len());
        // Parquet stores unsigned integers with the same bits as signed ones.
        self.counts.push(count as i64);
        if self.ends.len() == GROUP_ROWS || self.bytes.len() >= GROUP_BYTES {
            self.write_group().map_err(write_error)?;
        }
        Ok(())
    }

    /// Writes the last row group and the footer. Without a footer, the file is invalid.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.ends.is_empty() {
            self.write_group().map_err(write_error)?;
        }
        self.file.close().map_err(write_error)?;
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let mut start = 0;
        let pieces: Vec<ByteArray> = self
            .ends
            .drain(..)
            .map(|end| bytes.slice(std::mem::replace(&mut start, end)..end).into())
            .collect();
        let mut group = self.file.next_row_group()?;
        write_column::<_, ByteArrayType>(&mut group, &pieces)?;
        write_column::<_, Int64Type>(&mut group, &self.counts)?;
        self.counts.clear();
        group.close()?;
        Ok(())
    }
}

fn write_column<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    if let Some(mut column) = group.next_column()? {
        column.typed::<T>().write_batch(values, None, None)?;
        column.close()?;
    }
    Ok(())
}

impl<W: Write> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// Whether an integer column is signed; `None` for other columns.
fn is_signed(column: &ColumnDescriptor) -> Option<bool> {
    let (PhysicalType::INT32 | PhysicalType::INT64, 0) =
        (column.physical_type(), column.max_rep_level())
    else {
        return None;
    };
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Integer(integer)), _) => Some(integer.is_signed),
        (Some(_), _) => None,
        (None, ConvertedType::NONE) => Some(true),
        (None, ConvertedType::INT_8 | ConvertedType::INT_16) => Some(true),
        (None, ConvertedType::INT_32 | ConvertedType::INT_64) => Some(true),
        (None, ConvertedType::UINT_8 | ConvertedType::UINT_16) => Some(false),
        (None, ConvertedType::UINT_32 | ConvertedType::UINT_64) => Some(false),
        (None, _) => None,
    }
}

fn is_binary(column: &ColumnDescriptor) -> bool {
    column.physical_type() == PhysicalType::BYTE_ARRAY
        && column.max_rep_level() == 0
        && column.logical_type_ref().is_none()
        && column.converted_type() == ConvertedType::NONE
}

/// The type of a column, for error messages.
fn type_of(column: &ColumnDescriptor) -> String {
    let found = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::String), _) | (None, ConvertedType::UTF8) => "string".to_owned(),
        (Some(logical), _) => format!("{logical:?}"),
        (None, ConvertedType::NONE) => column.physical_type().to_string(),
        (None, converted) => converted.to_string(),
    };
    match column.max_rep_level() {
        0 => found,
        _ => format!("list of {found}"),
    }
}

/// Calls `each` with the rows of a row group, and returns their number. `rows_before` is the number of
/// rows in earlier groups.
fn rows<T: DataType, E: From<CountsError>>(
    pieces: &mut ColumnRows<ByteArrayType>,
    mut counts: ColumnRows<T>,
    rows_before: u64,
    each: &mut impl FnMut(&[u8], Count) -> Result<(), E>,
    count: impl Fn(T::T) -> Option<Count>,
) -> Result<u64, E> {
    let mut rows_read = 0;
    loop {
        let without_nulls = |found, fault| match found {
            Ok((_, None)) => Ok(()),
            Ok((_, Some(null))) => Err(CountsError::Row {
                row: rows_before + rows_read + null as u64 + 1,
                fault,
            }),
            Err(message) => Err(CountsError::Parquet(message)),
        };
        without_nulls(pieces.read(BATCH), "null piece")?;
        without_nulls(counts.read(BATCH), "null count")?;
        if pieces.values.len() != counts.values.len() {
            return Err(parquet("columns of different lengths").into());
        }
        if pieces.values.is_empty() {
            return Ok(rows_read);
        }
        for (piece, number) in pieces.values.iter().zip(counts.values.drain(..)) {
            rows_read += 1;
            let count = count(number).ok_or(CountsError::Row {
                row: rows_before + rows_read,
                fault: "negative count",
            })?;
            if count > 0 && !piece.is_empty() {
                each(piece.data(), count)?;
            }
        }
    }
}

fn parquet(fault: &str) -> CountsError {
    CountsError::Parquet(fault.to_owned())
}

fn guarded<R>(read: impl FnOnce() -> Result<R, ParquetError>) -> Result<R, CountsError> {
    broken_parquet::guarded(read).map_err(CountsError::Parquet)
}

fn write_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        other => io::Error::other(broken_parquet::message(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::counts::{CountedPieces, agreed_pattern};
    use crate::pattern::{Gaps, PatternName};
    use crate::piece_counts::{PieceCounts, PieceCountsError};
    use ::parquet::data_type::Int32Type;
    use proptest::prelude::*;

    fn read(bytes: Vec<u8>, wanted: Option<&Pattern>) -> Result<CountedPieces, CountsError> {
        let table = Table::open(Bytes::from(bytes))?;
        let pattern = agreed_pattern(table.pattern().cloned(), wanted)?;
        let mut words = PieceCounts::new();
        table.for_each_row(|piece, count| Ok::<(), CountsError>(words.add(piece, count)?))?;
        Ok(CountedPieces { pattern, words })
    }

    fn gpt2() -> Pattern {
        Pattern::named(PatternName::Gpt2)
    }

    fn rows_of(words: &PieceCounts) -> Vec<(&[u8], Count)> {
        let mut rows: Vec<_> = words.iter().collect();
        rows.sort();
        rows
    }

    fn written(counted: &CountedPieces) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, &counted.pattern).unwrap();
        for (piece, count) in rows_of(&counted.words) {
            writer.row(piece, count).unwrap();
        }
        writer.finish().unwrap();
        bytes
    }

    /// A table as another program may write it. A definition level of 0 marks a null.
    struct Foreign<'v> {
        schema: &'v str,
        pieces: &'v [&'v [u8]],
        piece_levels: Option<&'v [i16]>,
        compression: Compression,
    }

    impl<'v> Foreign<'v> {
        fn new(schema: &'v str, pieces: &'v [&'v [u8]]) -> Self {
            Foreign {
                schema,
                pieces,
                piece_levels: None,
                compression: Compression::SNAPPY,
            }
        }

        fn write<T: DataType>(&self, counts: &[T::T], levels: Option<&[i16]>) -> Vec<u8> {
            let properties = WriterProperties::builder()
                .set_compression(self.compression)
                .build();
            let schema = Arc::new(parse_message_type(self.schema).unwrap());
            let columns = schema.get_fields().len();
            let mut bytes = Vec::new();
            let mut file =
                SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
            let mut group = file.next_row_group().unwrap();
            for _ in 0..columns {
                let mut column = group.next_column().unwrap().unwrap();
                match column.untyped() {
                    ::parquet::column::writer::ColumnWriter::ByteArrayColumnWriter(writer) => {
                        let pieces: Vec<ByteArray> =
                            self.pieces.iter().map(|&piece| piece.into()).collect();
                        writer
                            .write_batch(&pieces, self.piece_levels, None)
                            .unwrap();
                    }
                    _ => {
                        column
                            .typed::<T>()
                            .write_batch(counts, levels, None)
                            .unwrap();
                    }
                }
                column.close().unwrap();
            }
            group.close().unwrap();
            file.close().unwrap();
            bytes
        }
    }

    fn error(bytes: Vec<u8>) -> String {
        read(bytes, Some(&gpt2())).unwrap_err().to_string()
    }

    #[test]
    fn large_counts_and_invalid_utf8_round_trip() {
        let mut words = PieceCounts::new();
        for (piece, count) in [(&b"the"[..], Count::MAX), (b"\xFF\0", 1 << 63), (b"a", 1)] {
            words.add(piece, count).unwrap();
        }
        let pattern = Pattern::regex("a\tb|%", Gaps::Drop).unwrap();
        let counted = CountedPieces::new(pattern.clone(), words);
        let read = read(written(&counted), None).unwrap();
        assert_eq!(read.pattern, pattern);
        assert_eq!(rows_of(&read.words), rows_of(&counted.words));
    }

    #[test]
    fn several_row_groups_and_long_pieces_round_trip() {
        let mut words = PieceCounts::new();
        for n in 0..GROUP_ROWS as u64 + 10 {
            words.add(&n.to_be_bytes(), n + 1).unwrap();
        }
        for byte in 0..3 {
            words.add(&vec![byte; GROUP_BYTES + 1], 1).unwrap();
        }
        let counted = CountedPieces::new(gpt2(), words);
        let bytes = written(&counted);
        let table = Table::open(Bytes::from(bytes.clone())).unwrap();
        assert!(table.reader.num_row_groups() > 3);
        let read = read(bytes, None).unwrap();
        assert!(rows_of(&read.words) == rows_of(&counted.words));
    }

    #[test]
    fn empty_tables_round_trip() {
        let counted = CountedPieces::new(gpt2(), PieceCounts::new());
        assert!(read(written(&counted), None).unwrap().words.is_empty());
    }

    #[test]
    fn signed_narrow_and_nullable_columns_are_read() {
        let pieces: [&[u8]; 4] = [b"a", b"b", b"a", b""];
        let want = [(&b"a"[..], 8), (b"b", 1 << 31)];
        let schema = "message t { optional int64 count; optional binary piece; }";
        let mut table = Foreign::new(schema, &pieces);
        table.piece_levels = Some(&[1; 4]);
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
        ] {
            table.compression = compression;
            let bytes = table.write::<Int64Type>(&[7, 1 << 31, 1, 5], Some(&[1; 4]));
            assert_eq!(rows_of(&read(bytes, Some(&gpt2())).unwrap().words), want);
        }
        let schema = "message t { required binary other (UTF8); required binary piece;
            required int32 count (INTEGER(32, false)); }";
        let bytes = Foreign::new(schema, &pieces).write::<Int32Type>(&[7, i32::MIN, 1, 5], None);
        assert_eq!(rows_of(&read(bytes, Some(&gpt2())).unwrap().words), want);
        let schema = "message t { required binary piece; required int32 count (INT_16); }";
        let bytes = Foreign::new(schema, &pieces).write::<Int32Type>(&[7, 9, 1, 5], None);
        let words = read(bytes, Some(&gpt2())).unwrap().words;
        assert_eq!(rows_of(&words), [(&b"a"[..], 8), (b"b", 9)]);
    }

    #[test]
    fn errors_name_the_row() {
        let pieces: [&[u8]; 3] = [b"a", b"b", b"c"];
        let schema = "message t { required binary piece; required int64 count; }";
        let bytes = Foreign::new(schema, &pieces).write::<Int64Type>(&[1, 0, -1], None);
        assert_eq!(error(bytes), "row 3: negative count");
        let schema = "message t { required binary piece; optional int64 count; }";
        let bytes = Foreign::new(schema, &pieces).write::<Int64Type>(&[1, 2], Some(&[1, 0, 1]));
        assert_eq!(error(bytes), "row 2: null count");
        let schema = "message t { optional binary piece; required int64 count; }";
        let mut table = Foreign::new(schema, &pieces[..2]);
        table.piece_levels = Some(&[1, 1, 0]);
        let bytes = table.write::<Int64Type>(&[1, 2, 3], None);
        assert_eq!(error(bytes), "row 3: null piece");
    }

    #[test]
    fn columns_of_other_types_are_refused() {
        let pieces: [&[u8]; 1] = [b"a"];
        let refused =
            |schema: &str| error(Foreign::new(schema, &pieces).write::<Int64Type>(&[1], None));
        let text = refused("message t { required binary piece (UTF8); required int64 count; }");
        assert_eq!(text, "column \"piece\": expected binary, found string");
        let text = refused("message t { required binary piece (STRING); required int64 count; }");
        assert_eq!(text, "column \"piece\": expected binary, found string");
        let text = refused("message t { required binary piece; required int64 n; }");
        assert!(text.ends_with("found no such column"), "{text}");
        let text = refused(
            "message t { required binary piece; required int64 count (TIMESTAMP(MILLIS,true)); }",
        );
        assert!(
            text.starts_with("column \"count\": expected an integer"),
            "{text}"
        );
        let schema = "message t { required binary piece; required double count; }";
        let bytes =
            Foreign::new(schema, &pieces).write::<::parquet::data_type::DoubleType>(&[1.0], None);
        assert!(error(bytes).ends_with("found DOUBLE"));
    }

    #[test]
    fn a_sum_beyond_u64_is_an_error() {
        let pieces: [&[u8]; 2] = [b"a", b"a"];
        let schema =
            "message t { required binary piece; required int64 count (INTEGER(64, false)); }";
        let bytes = Foreign::new(schema, &pieces).write::<Int64Type>(&[-1, 1], None);
        let piece = b"a".to_vec();
        let overflow = CountsError::PieceCounts(PieceCountsError::CountOverflow { piece });
        assert_eq!(read(bytes, Some(&gpt2())).unwrap_err(), overflow);
    }

    fn sample() -> Vec<u8> {
        let mut words = PieceCounts::new();
        for n in 0..3000u32 {
            words
                .add(format!("piece {n}").as_bytes(), Count::from(n % 40 + 1))
                .unwrap();
        }
        written(&CountedPieces::new(gpt2(), words))
    }

    #[test]
    fn truncated_tables_are_an_error() {
        let bytes = sample();
        for length in 0..bytes.len() {
            let cut = bytes[..length].to_vec();
            assert!(
                matches!(read(cut, None), Err(CountsError::Parquet(_))),
                "{length}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_bytes_make_it_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
        ) {
            let mut bytes = sample();
            let length = bytes.len();
            for (at, byte, near_the_end) in changes {
                // The metadata is in the last few hundred bytes.
                let from = if near_the_end { length.saturating_sub(400) } else { 0 };
                bytes[from + at.index(length - from)] = byte;
            }
            let _ = read(bytes, None);
        }
    }
}
