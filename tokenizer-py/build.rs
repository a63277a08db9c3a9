//! On macOS the linker must be told that Python's symbols come later; elsewhere that does nothing.
//! And the code must know whether the Python is a free-threaded one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    pyo3_build_config::use_pyo3_cfgs();
    pyo3_build_config::add_extension_module_link_args();
}
