//! Files of ids: written by `encode`, read by `decode`.
//!
//! | format | content | documents |
//! | --- | --- | --- |
//! | text | decimal numbers, separated by spaces | a line each |
//! | jsonl | `{"ids":[1,2,3]}` | a line each |
//! | u16, u32 | little-endian numbers | concatenated; ends in `OUT.index` |
//! | npy | NumPy's array file, one dimension, uint32 | concatenated; ends in `OUT.index` |
//! | megatron | little-endian numbers, uint16 or int32 | concatenated; lengths in the `.idx` beside it |
//! | parquet | a column `ids` of lists of uint16 or uint32 | a row each |
//!
//! A file of concatenated documents, and a shard in any format, has a header beside it, `OUT.json`: the type
//! and number of its ids, and the model. The header is written last: if it exists, the other files are
//! complete.

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
