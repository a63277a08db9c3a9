use crate::support::Folder;

#[test]
fn lines_hold_tokens_bytes_and_names() {
    let folder = Folder::with_model();
    folder.write("a.txt", "ab");
    folder.write("b c.txt", "héllo");
    let count = |inputs: &[&str]| {
        let arguments = [&["count"], inputs, &["-m", "m.bpe"]].concat();
        folder
            .run_with("xyz", &arguments)
            .succeeds()
            .says_nothing()
            .text()
            .to_owned()
    };
    assert_eq!(count(&["a.txt"]), "2\t2\ta.txt\n");
    // "lo" is the one merge in "héllo", whose é has two bytes.
    assert_eq!(
        count(&["a.txt", "b c.txt", "-", "a.txt"]),
        "2\t2\ta.txt\n5\t6\tb c.txt\n3\t3\t-\n2\t2\ta.txt\n12\t13\ttotal\n"
    );
}

#[test]
fn counts_are_how_many_ids_encode_gives() {
    let folder = Folder::with_model();
    let run = folder
        .run(&["encode", "corpus.txt", "-m", "m.bpe", "-q"])
        .succeeds();
    let ids = run.text().split_whitespace().count();
    let run = folder
        .run(&["count", "corpus.txt", "-m", "m.bpe"])
        .succeeds();
    assert_eq!(run.text(), format!("{ids}\t333\tcorpus.txt\n"));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_utf8_come_out_as_they_are() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::with_model();
    let name = OsStr::from_bytes(b"\xff.txt");
    std::fs::write(folder.path("").join(name), "a").unwrap();
    let mut command = folder.command(&["count", "-m", "m.bpe"]);
    let output = command.arg(name).output().unwrap();
    assert_eq!(output.stdout, b"1\t1\t\xff.txt\n");
}

#[test]
fn invalid_utf8_is_refused_when_asked() {
    let folder = Folder::with_model();
    folder.write("bad", b"a\xff");
    folder
        .run(&["count", "bad", "-m", "m.bpe", "--errors", "strict"])
        .fails(1, &["bad: byte 1 is not UTF-8"]);
}
