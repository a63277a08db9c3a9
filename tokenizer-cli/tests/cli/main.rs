//! The command line as its users meet it: exit codes, messages, files.

mod absent;
mod browser;
mod compare;
mod convert;
mod count;
mod counts;
mod decode;
mod encode;
mod extend;
mod golden;
mod guides;
mod headers;
mod help;
mod info;
mod inputs;
mod inspect;
mod interrupt;
mod large;
mod models;
mod names;
mod outputs;
mod process;
mod support;
mod terminal;
mod train;
mod usage;
