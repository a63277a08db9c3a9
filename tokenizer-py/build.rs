//! Linker flags for macOS, where the symbols of Python are resolved at load time, and the `cfg` of pyo3, which
//! includes whether this Python is free-threaded.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    pyo3_build_config::use_pyo3_cfgs();
    pyo3_build_config::add_extension_module_link_args();
}
