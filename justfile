# Short names for the project's scripts. `just --list` prints this list.

_default:
    @just --list

# All tests: Rust, command line, Python
test:
    ./test

# Unit tests of the core and tests of the command line, with few random cases
quick:
    ./test --quick

# One test of the core, by a part of its name
one NAME:
    cargo test -p byte-level-bpe --features documents,parquet --lib -- {{ NAME }}

# Format the code
format:
    cargo fmt --all

# Lints and documentation, warnings are errors
lint:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps

# Links, workflows, packages
check:
    scripts/check-links
    scripts/check-workflows
    scripts/check-package

# Everything that must pass before a change lands
ci:
    .ci/run

# Rows of docs/benchmarks.md by name (`just bench --list`)
bench *ROWS:
    scripts/benchmark {{ ROWS }}

# Fuzz one target for ten minutes (fuzz/README.md lists the targets)
fuzz TARGET *OPTIONS="-max_total_time=600":
    cd fuzz && cargo +nightly fuzz run {{ TARGET }} -- {{ OPTIONS }}

# Unsafe code under the address sanitizer and valgrind
memory *TOOLS:
    scripts/test-memory-safety {{ TOOLS }}

# Lines of code by module
lines:
    scripts/code-lines
