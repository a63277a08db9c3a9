//! Import and export of Arrow columns through the PyCapsule interface. Import copies nothing.
//!
//! The producer guarantees that arrays conform to Arrow's C data interface; only their types can be
//! checked.

#![allow(unsafe_code)]

use std::ffi::CStr;

use arrow_array::cast::AsArray;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{Array, ArrayReader, ArrayRef, RecordBatchReader, make_array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods, PyTuple};

use crate::errors::value_error;

const STREAM: &CStr = c"arrow_array_stream";
const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";

/// A stream of arrays. Call `next` detached from the interpreter (`Python::detach`); producers
/// written in Python attach by themselves.
pub(crate) type Stream = Box<dyn Iterator<Item = Result<ArrayRef, ArrowError>> + Send>;

/// A stream of arrays with their type.
pub(crate) struct Arrays {
    pub(crate) field: FieldRef,
    pub(crate) arrays: Stream,
}

impl Arrays {
    /// Imports the arrays of an object; `None` if it does not export Arrow.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = object.py();
        if let Some(call) = object.getattr_opt(intern!(py, "__arrow_c_stream__"))? {
            let capsule = call.call0()?.cast_into::<PyCapsule>()?;
            let stream = capsule.pointer_checked(Some(STREAM))?.cast();
            // SAFETY: a capsule of this name points to a stream. `from_raw` moves it out and marks
            // the capsule's copy as released.
            let reader = unsafe { ArrayStreamReader::from_raw(stream.as_ptr()) };
            let reader = reader.map_err(value_error)?;
            return Ok(Some(Arrays {
                field: reader.field().clone(),
                arrays: Box::new(reader),
            }));
        }
        let Some(call) = object.getattr_opt(intern!(py, "__arrow_c_array__"))? else {
            return Ok(None);
        };
        let capsules = call.call0()?.cast_into::<PyTuple>()?;
        let capsule = |place| Ok::<_, PyErr>(capsules.get_item(place)?.cast_into::<PyCapsule>()?);
        let schema = capsule(0)?.pointer_checked(Some(SCHEMA))?.cast();
        let array = capsule(1)?.pointer_checked(Some(ARRAY))?.cast();
        // SAFETY: capsules of these names point to a schema and an array of this schema. `from_raw`
        // moves both out and marks the capsules' copies as released.
        let (field, data) = unsafe {
            let schema = FFI_ArrowSchema::from_raw(schema.as_ptr());
            let array = FFI_ArrowArray::from_raw(array.as_ptr());
            let field = Field::try_from(&schema).map_err(value_error)?;
            (field, from_ffi(array, &schema).map_err(value_error)?)
        };
        Ok(Some(Arrays {
            field: field.into(),
            arrays: Box::new(std::iter::once(Ok(make_array(data)))),
        }))
    }

    /// Returns the columns if the arrays are tables, otherwise `None`.
    pub(crate) fn columns(&self) -> Option<&[FieldRef]> {
        match self.field.data_type() {
            DataType::Struct(columns) => Some(columns),
            _ => None,
        }
    }

    /// Returns the column of text or bytes. For a table, this is the named column; without a name, its
    /// only column, or else its column "text". Arrays that are not tables are returned as they are.
    ///
    /// # Errors
    /// `ValueError` if there is no such column, `TypeError` if its type is neither text nor binary.
    pub(crate) fn texts(self, column: Option<&str>) -> PyResult<Stream> {
        let (place, field) = match (self.columns(), column) {
            (None, None) => (None, &self.field),
            (None, Some(column)) => {
                return Err(PyValueError::new_err(format!(
                    "no column {column:?}: not a table"
                )));
            }
            (Some([only]), None) => (Some(0), only),
            (Some(columns), column) => {
                let column = column.unwrap_or("text");
                match index_of(columns, column) {
                    Some(place) => (Some(place), &columns[place]),
                    None => return Err(no_column(column, columns)),
                }
            }
        };
        require_bytes(field)?;
        let Some(place) = place else {
            return Ok(self.arrays);
        };
        let column = move |table: ArrayRef| table.as_struct().column(place).clone();
        Ok(Box::new(self.arrays.map(move |table| table.map(column))))
    }
}

fn index_of(columns: &[FieldRef], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name() == name)
}

fn no_column(name: &str, columns: &[FieldRef]) -> PyErr {
    let names: Vec<&str> = columns
        .iter()
        .map(|column| column.name().as_str())
        .collect();
    PyValueError::new_err(format!("no column {name:?} among {names:?}"))
}

fn require_bytes(field: &Field) -> PyResult<()> {
    use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
    match field.data_type() {
        Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView => Ok(()),
        other => {
            let name = field.name();
            let message = format!("{name:?} must be text or binary, not {other}; cast it");
            Err(PyTypeError::new_err(message))
        }
    }
}

/// Returns the value of a row of text or bytes; `None` if null.
pub(crate) fn bytes_at(array: &ArrayRef, row: usize) -> Option<&[u8]> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).as_bytes(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).as_bytes(),
        DataType::Utf8View => array.as_string_view().value(row).as_bytes(),
        DataType::Binary => array.as_binary::<i32>().value(row),
        DataType::LargeBinary => array.as_binary::<i64>().value(row),
        DataType::BinaryView => array.as_binary_view().value(row),
        _ => return None,
    })
}

/// Returns the indices of the columns `piece` and `count` of a table of counts.
///
/// # Errors
/// `ValueError` if a column is missing, `TypeError` if it has a different type.
pub(crate) fn piece_and_count(arrays: &Arrays) -> PyResult<(usize, usize)> {
    use DataType::{Binary, BinaryView, Int32, Int64, LargeBinary, UInt32, UInt64};
    let refused = |message: String| Err(PyTypeError::new_err(message));
    let Some(columns) = arrays.columns() else {
        let message = "expected a table with the columns \"piece\" and \"count\"";
        return refused(message.to_owned());
    };
    let find = |name| index_of(columns, name).ok_or_else(|| no_column(name, columns));
    let (piece, count) = (find("piece")?, find("count")?);
    match (columns[piece].data_type(), columns[count].data_type()) {
        (Binary | LargeBinary | BinaryView, Int32 | Int64 | UInt32 | UInt64) => Ok((piece, count)),
        (Binary | LargeBinary | BinaryView, other) => refused(format!(
            "\"count\" must be an integer of 32 or 64 bits, not {other}"
        )),
        (other, _) => refused(format!(
            "\"piece\" must be binary, not {other}: a piece may be invalid UTF-8"
        )),
    }
}

/// Returns the integer of a row; `None` if null or negative.
pub(crate) fn integer_at(array: &ArrayRef, row: usize) -> Option<u64> {
    use arrow_array::types::{Int32Type, Int64Type, UInt32Type, UInt64Type};
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).try_into().ok(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).try_into().ok(),
        DataType::UInt32 => Some(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Some(array.as_primitive::<UInt64Type>().value(row)),
        _ => None,
    }
}

/// Wraps a stream of tables in a capsule.
pub(crate) fn stream_capsule<'py>(
    py: Python<'py>,
    tables: impl RecordBatchReader + Send + 'static,
) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(tables)), STREAM)
}

/// Wraps a schema in a capsule.
pub(crate) fn schema_capsule<'py>(
    py: Python<'py>,
    schema: &Schema,
) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(value_error)?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}
