//! Code shared by the fuzz targets. It belongs to the tests of the core, which run the same checks on
//! random inputs and on `regressions`. `loaded` and `pipeline` are used by fuzz targets only.

#[path = "../../tokenizer-core/tests/encoding/definition.rs"]
pub mod definition;
#[path = "../../tokenizer-core/tests/encoding/entry_points.rs"]
pub mod entry_points;
#[path = "../../tokenizer-core/tests/encoding/generated.rs"]
pub mod generated;
#[path = "../../tokenizer-core/tests/encoding/input.rs"]
pub mod input;

pub mod loaded;
pub mod pipeline;
