//! Ids as files hold them: written by `encode`, read by `decode`.
//!
//! | format | content | documents |
//! | --- | --- | --- |
//! | text | decimal numbers between spaces | a line each |
//! | jsonl | `{"ids":[1,2,3]}` | a line each |
//! | u16, u32 | little-endian numbers | joined; `OUT.index` says where each ends |
//! | npy | NumPy's array file, one dimension, uint32 | joined; `OUT.index` says where each ends |
//! | megatron | little-endian numbers, uint16 or int32 | joined; the `.idx` beside it has their lengths |
//! | parquet | a column `ids` of lists of uint16 or uint32 | a row each |
//!
//! A file of joined ids has a header beside it, `OUT.json`: how the numbers are stored, how many there
//! are, and of which model. It is written last, so where it is, all is.

mod format;
mod header;
mod identity;
mod index;
mod npy;
mod parquet;
mod read;
mod write;

pub(crate) use format::IdFormat;
pub(crate) use header::{Header, Run};
pub(crate) use identity::{decoding_sha256, model_sha256, special_tokens};
pub(crate) use read::IdReader;
pub(crate) use write::IdWriter;
