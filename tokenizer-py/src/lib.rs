//! The Python package: a thin translation of `tokenizer-core`.
//!
//! | module | what it translates |
//! | --- | --- |
//! | `errors` | failures into Python's exceptions; the one place where panics are caught |
//! | `text` | `str` and `bytes` without a copy; when to release the interpreter |
//! | `ids` | ids as lists and arrays |
//! | `interruptible` | long work that Ctrl-C can break off |
//! | `documents` | a Python iterator as a corpus |
//! | `tokenizer` | `tokenizer_py.Tokenizer` |
//! | `rustbpe` | `tokenizer_py.rustbpe.Tokenizer` |
//! | `tiktoken` | what `tokenizer_py.tiktoken.Encoding` stands on |
//!
//! Every class is frozen and may be used from many threads at once.

#![deny(unsafe_code)]

mod documents;
mod errors;
mod ids;
mod interruptible;
mod rustbpe;
mod text;
mod tiktoken;
mod tokenizer;

use pyo3::prelude::*;

/// The native half of the package.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::install_panic_hook();
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<tokenizer::Tokenizer>()?;
    module.add("RustbpeTokenizer", py.get_type::<rustbpe::Tokenizer>())?;
    module.add_class::<tiktoken::CoreBpe>()?;
    #[cfg(debug_assertions)]
    module.add_function(wrap_pyfunction!(errors::_panic, module)?)?;
    Ok(())
}
