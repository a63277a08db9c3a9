//! What the fuzz targets share. It is part of the core's tests, where the same checks run on random
//! inputs and on `regressions`.

#[path = "../../tokenizer-core/tests/encoding/definition.rs"]
pub mod definition;
#[path = "../../tokenizer-core/tests/encoding/input.rs"]
pub mod input;
#[path = "../../tokenizer-core/tests/encoding/made.rs"]
pub mod made;
#[path = "../../tokenizer-core/tests/encoding/ways.rs"]
pub mod ways;
