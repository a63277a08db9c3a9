//! A module for each command, and modules that several commands share.

pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod count;
pub(crate) mod count_pieces;
mod counts;
pub(crate) mod decode;
pub(crate) mod encode;
mod html;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod manual;
mod models;
mod pipeline;
mod places;
mod report;
mod shards;
pub(crate) mod train;
mod training;
