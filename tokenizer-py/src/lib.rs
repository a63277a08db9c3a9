//! The Python package: thin bindings of `tokenizer-core`.
//!
//! | module | content |
//! | --- | --- |
//! | `errors` | errors and panics as Python exceptions |
//! | `interruptible` | stopping long calls on Ctrl-C; releasing the interpreter |
//! | `cpython` | CPython's C API: characters of a `str`, ints of a list |
//! | `text` | conversion of `str` and `bytes` |
//! | `ids` | ids as lists and arrays; ids as arguments |
//! | `specials` | sets of allowed and disallowed special tokens |
//! | `request` | one call of the core's tokenizer with its options |
//! | `batches` | many texts to many lists, multithreaded |
//! | `progress` | the argument `progress` |
//! | `documents` | documents from a Python iterator |
//! | `arrow` | import and export of Arrow columns |
//! | `corpus` | sources of documents, and counting |
//! | `counts` | `tokenizer_py.PieceCounts` and `tokenizer_py.count_pieces` |
//! | `streams` | `tokenizer_py.EncodeStream` and `tokenizer_py.DecodeStream` |
//! | `tokenizer` | `tokenizer_py.Tokenizer`, also used by the modules `rustbpe` and `tiktoken` |
//! | `ranks` | a `.tiktoken` file as a dict |
//!
//! Every class is frozen and thread-safe.

#![deny(unsafe_code)]

mod arrow;
mod batches;
mod corpus;
mod counts;
mod cpython;
mod documents;
mod errors;
mod ids;
mod interruptible;
mod progress;
mod ranks;
mod request;
mod specials;
mod streams;
mod text;
mod tokenizer;

use pyo3::prelude::*;

/// The extension module. In a free-threaded CPython, importing it enables the GIL, because the package has
/// not been tested without one.
#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::install_panic_hook();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<tokenizer::Tokenizer>()?;
    module.add_class::<streams::EncodeStream>()?;
    module.add_class::<streams::DecodeStream>()?;
    module.add_class::<counts::PieceCounts>()?;
    module.add_function(wrap_pyfunction!(counts::count_pieces, module)?)?;
    module.add_function(wrap_pyfunction!(ranks::_parse_ranks, module)?)?;
    // Set as an attribute to keep it out of `__all__`.
    #[cfg(debug_assertions)]
    module.setattr("_panic", wrap_pyfunction!(errors::_panic, module)?)?;
    Ok(())
}
