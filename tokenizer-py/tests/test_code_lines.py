"""``scripts/code-lines`` counts code and nothing else, and follows imports."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys

import pytest
from conftest import ROOT

SCRIPT = ROOT / "scripts" / "code-lines"


@pytest.fixture(scope="module")
def script():
    loader = importlib.machinery.SourceFileLoader("code_lines", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("code_lines", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        ('a = "// no"; // yes', 'a = "xx xx";       '),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r'"\"//"; r"\"; br"//"', r'"xxxx"; rxx"; bxxxx"'),
        ('r#"a " // b"# + r##"""#"##', "rxxx x xx xx# + rxxxxxxxx#"),
        ("f::<'a>('b', '\"', b'\\'', '\\u{27}', '//')", "f::<'a>('x', 'x', bxxx', 'xxxxxx', '"),
        ("&'a str 'l: loop {} '{'", "&'a str 'l: loop {} 'x'"),
        ('"a\n\n// b"', '"x\n\nxx x"'),
    ],
)
def test_comments_and_literals(script, source, masked):
    assert script.mask(source).rstrip() == masked.rstrip()


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("#[cfg(test)]\n#[rustfmt::skip]\nmod tests { fn f() { } }\nfn g() {}", "fn g() {}"),
        ("#[cfg(all(test, unix))] pub(crate) fn f(x: [u8; 2]) -> A { x } b", "b"),
        ("#[cfg(test)] use a::{b, c}; #[cfg(not(test))] x", "#[cfg(not(test))] x"),
        ("A { #[cfg(test)] a: [(u8, u8); 2], b: u8 }", "A { b: u8 }"),
        ("A { b, #[cfg(test)] a: 1 }", "A { b, }"),
        ("{ #[cfg(test)] { y } z }", "{ z }"),
        ("#[cfg(test)] const A: [u8; 1] = [1]; b", "b"),
        ("#[cfg(test)] const fn f() {} b", "b"),
    ],
)
def test_items_of_tests(script, source, left):
    code, modules = script.without_tests(script.mask(source))
    assert " ".join(code.split()) == left
    assert modules == []


def test_modules_of_tests(script):
    assert script.without_tests("#[cfg(test)] mod a; mod b;")[1] == ["a"]


def test_lines_and_functions(script):
    source = '/// Doc.\nfn f() { // why\n\n    "a\n\n   // b"\n}\n/* c\n*/\ntrait T { fn g(); }'
    code = script.mask(source)
    assert script.lines(code) == 5
    assert list(script.functions(code)) == [("f", 2, 4)]


def test_imports(script, tmp_path):
    files = {
        "lib.rs": "mod a; mod b; pub use a::A;",
        "a/mod.rs": "mod c; pub use c::C; pub use c::D; pub struct A; fn f(_: D) {}",
        "a/c.rs": "use super::A; pub struct C; pub struct D;",
        "b.rs": "use crate::{A, a::C as E}; #[cfg(test)] mod t { use crate::b::c; }",
        "d.rs": "use crate::a; use crate::A as B; fn f() { a::C::new(); let b = std::mem::take(); }",
    }
    for name, source in files.items():
        path = tmp_path / "x" / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.replace("; ", ";\n"))
    graph = script.Crate(tmp_path, "x").imports()
    a, b, c, d = ("a",), ("b",), ("a", "c"), ("d",)
    assert graph == {(): set(), a: {c}, c: {a}, b: {a, c}, d: {a, c}}
    assert script.components(graph) == [[()], [a, c], [b], [d]]
    assert script.longest_chain(graph) == [[b], [a, c]]


def test_this_project():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True)
    assert "\ntokenizer-core - corpus - format" in done.stdout
    assert "longest chain of imports in encode" in done.stdout
