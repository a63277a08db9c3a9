//! Columns of Arrow, in and out, through its PyCapsule interface: nothing is copied on the way in.
//!
//! Whoever hands out arrays promises that they are as Arrow's C data interface says; that cannot be
//! checked, only their types can.

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

/// Arrays, one after the other. To be iterated with the interpreter released: a producer takes it if it
/// wants it.
pub(crate) type Stream = Box<dyn Iterator<Item = Result<ArrayRef, ArrowError>> + Send>;

/// Arrays of one type.
pub(crate) struct Arrays {
    pub(crate) field: FieldRef,
    pub(crate) arrays: Stream,
}

impl Arrays {
    /// Those of an object that hands out Arrow, and `None` of any other.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = object.py();
        if let Some(call) = object.getattr_opt(intern!(py, "__arrow_c_stream__"))? {
            let capsule = call.call0()?.cast_into::<PyCapsule>()?;
            let stream = capsule.pointer_checked(Some(STREAM))?.cast();
            // SAFETY: a capsule of this name points to a stream. It is moved out, and what stays in
            // the capsule is marked as released.
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
        // SAFETY: capsules of these names point to a schema and to an array of it. Both are moved
        // out, and what stays in the capsules is marked as released.
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

    /// The columns of a table: `None` for arrays that are no table.
    pub(crate) fn columns(&self) -> Option<&[FieldRef]> {
        match self.field.data_type() {
            DataType::Struct(columns) => Some(columns),
            _ => None,
        }
    }

    /// The one column of text or bytes that is meant: the arrays themselves, the column that is
    /// named, or the only one of a table.
    ///
    /// # Errors
    /// `ValueError` when there is none or it is not clear which, `TypeError` when it is of another
    /// type.
    pub(crate) fn texts(self, column: Option<&str>) -> PyResult<Stream> {
        let (place, field) = match (self.columns(), column) {
            (None, None) => (None, &self.field),
            (None, Some(column)) => {
                return Err(PyValueError::new_err(format!(
                    "there are no columns, and so none that is named {column:?}"
                )));
            }
            (Some([only]), None) => (Some(0), only),
            (Some(columns), column) => {
                let column = column.unwrap_or("text");
                match place(columns, column) {
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

fn place(columns: &[FieldRef], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name() == name)
}

fn no_column(name: &str, columns: &[FieldRef]) -> PyErr {
    let names: Vec<&str> = columns
        .iter()
        .map(|column| column.name().as_str())
        .collect();
    PyValueError::new_err(format!("there is no column {name:?} among {names:?}"))
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

/// The value of a row of text or bytes; `None` where it is null.
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

/// A table of counted pieces: where its columns `piece` and `count` are, which are of right types.
///
/// # Errors
/// `ValueError` when one is not there, `TypeError` when one is of another type.
pub(crate) fn piece_and_count(arrays: &Arrays) -> PyResult<(usize, usize)> {
    use DataType::{Binary, BinaryView, Int32, Int64, LargeBinary, UInt32, UInt64};
    let refused = |message: String| Err(PyTypeError::new_err(message));
    let Some(columns) = arrays.columns() else {
        let message = "counted pieces are a table with the columns \"piece\" and \"count\"";
        return refused(message.to_owned());
    };
    let find = |name| place(columns, name).ok_or_else(|| no_column(name, columns));
    let (piece, count) = (find("piece")?, find("count")?);
    match (columns[piece].data_type(), columns[count].data_type()) {
        (Binary | LargeBinary | BinaryView, Int32 | Int64 | UInt32 | UInt64) => Ok((piece, count)),
        (Binary | LargeBinary | BinaryView, other) => refused(format!(
            "\"count\" must be an integer of 32 or 64 bits, not {other}"
        )),
        (other, _) => refused(format!(
            "\"piece\" must be binary, not {other}: text cannot hold every piece"
        )),
    }
}

/// The integer of a row; `None` when it is null or negative.
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

/// A capsule with a stream of tables.
pub(crate) fn stream_capsule<'py>(
    py: Python<'py>,
    tables: impl RecordBatchReader + Send + 'static,
) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(tables)), STREAM)
}

/// A capsule with a schema.
pub(crate) fn schema_capsule<'py>(
    py: Python<'py>,
    schema: &Schema,
) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(value_error)?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}
