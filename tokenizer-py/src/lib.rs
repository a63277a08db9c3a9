//! The Python package: a thin translation of `tokenizer-core`.
//!
//! | module | what it translates |
//! | --- | --- |
//! | `errors` | failures into Python's exceptions; the one place where panics are caught |
//! | `interruptible` | long work that Ctrl-C can break off; when to release the interpreter |
//! | `cpython` | CPython's C API: characters of a `str`, ints of a list |
//! | `text` | `str` and `bytes`, both ways |
//! | `ids` | ids as lists and arrays, and ids that come from Python in any form |
//! | `specials` | the special tokens that a call allows or refuses |
//! | `request` | a call of the core's tokenizer |
//! | `batches` | many texts to many lists, on threads |
//! | `progress` | how far long work is |
//! | `documents`, `arrow` | documents of a Python iterator, of columns of Arrow |
//! | `corpus` | what is counted, and the counting |
//! | `counts` | `tokenizer_py.PieceCounts` and `tokenizer_py.count_pieces` |
//! | `streams` | `tokenizer_py.EncodeStream` and `tokenizer_py.DecodeStream` |
//! | `tokenizer` | `tokenizer_py.Tokenizer`, on which `rustbpe` and `tiktoken` stand too |
//! | `ranks` | a `.tiktoken` file as a dict |
//!
//! Every class is frozen and may be used from many threads at once.

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

/// The native half of the package. A free-threaded CPython turns its GIL on when it imports the module:
/// the tests have not run without one.
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
    // Not in `__all__`, which the stubs list.
    #[cfg(debug_assertions)]
    module.setattr("_panic", wrap_pyfunction!(errors::_panic, module)?)?;
    Ok(())
}
