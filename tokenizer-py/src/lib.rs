//! The Python package: a thin translation of `tokenizer-core`.
//!
//! | module | what it translates |
//! | --- | --- |
//! | `errors` | failures into Python's exceptions; the one place where panics are caught |
//! | `interruptible` | long work that Ctrl-C can break off |
//! | `memory` | room for long results |
//! | `processors` | how many threads are of use |
//! | `text` | `str` and `bytes` without a copy; when to release the interpreter |
//! | `objects` | how lists and ints lie in memory |
//! | `strings` | how the characters of a `str` do; they are read and written there |
//! | `utf8`, `characters` | such characters to UTF-8, and UTF-8 to such characters |
//! | `lists` | lists of ids, from ints that are made once |
//! | `batches` | many texts to many lists, on threads |
//! | `ids` | ids as arrays, and ids that come from Python in any form |
//! | `array_memory` | the memory of such arrays, which comes back |
//! | `specials` | the special tokens that a call allows or refuses |
//! | `logging`, `progress` | how far long work is |
//! | `documents`, `arrow` | documents of a Python iterator, of columns of Arrow |
//! | `corpus` | what is counted, and the counting |
//! | `counts` | `tokenizer_py.PieceCounts` and `tokenizer_py.count_pieces` |
//! | `streams` | `tokenizer_py.EncodeStream` and `tokenizer_py.DecodeStream` |
//! | `tokenizer` | `tokenizer_py.Tokenizer` |
//! | `rustbpe` | `tokenizer_py.rustbpe.Tokenizer` |
//! | `aliases` | special tokens that share an id |
//! | `rules` | what tiktoken's `allowed_special` and `disallowed_special` mean |
//! | `ranks` | a `.tiktoken` file as a dict |
//! | `unstable` | tiktoken's `encode_with_unstable` |
//! | `tiktoken` | what `tokenizer_py.tiktoken.Encoding` is derived from |
//!
//! Every class is frozen and may be used from many threads at once.

#![deny(unsafe_code)]

mod aliases;
mod arch;
mod array_memory;
mod arrow;
mod batches;
mod characters;
mod corpus;
mod counts;
mod documents;
mod errors;
mod ids;
mod interruptible;
mod lists;
mod logging;
mod memory;
mod objects;
mod processors;
mod progress;
mod ranks;
mod rules;
mod rustbpe;
mod specials;
mod streams;
mod strings;
mod text;
mod tiktoken;
mod tokenizer;
mod unstable;
mod utf8;

use pyo3::prelude::*;

/// The native half of the package.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::install_panic_hook();
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<tokenizer::Tokenizer>()?;
    module.add_class::<tokenizer::AddedToken>()?;
    module.add_class::<streams::EncodeStream>()?;
    module.add_class::<streams::DecodeStream>()?;
    module.add_class::<counts::PieceCounts>()?;
    module.add_function(wrap_pyfunction!(counts::count_pieces, module)?)?;
    module.add("RustbpeTokenizer", py.get_type::<rustbpe::Tokenizer>())?;
    module.add_class::<tiktoken::BaseEncoding>()?;
    module.add_function(wrap_pyfunction!(objects::_layout, module)?)?;
    module.add_function(wrap_pyfunction!(strings::_long_utf8, module)?)?;
    module.add_function(wrap_pyfunction!(strings::_new_string, module)?)?;
    module.add_function(wrap_pyfunction!(ranks::_parse_ranks, module)?)?;
    #[cfg(debug_assertions)]
    module.add_function(wrap_pyfunction!(errors::_panic, module)?)?;
    Ok(())
}
