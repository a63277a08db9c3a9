//! Titles of the option groups in help texts.

pub(super) const MODEL: &str = "Model";
pub(super) const TRAINING: &str = "Training";
pub(super) const OUTPUT: &str = "Output";
pub(super) const INPUT: &str = "Input";
pub(super) const PERFORMANCE: &str = "Performance";
pub(super) const GENERAL: &str = "General";
