use crate::support::Folder;

fn npy(descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [
        b"\x93NUMPY\x01\x00",
        &length[..],
        header.as_bytes(),
        numbers,
    ]
    .concat()
}

fn numbers<const N: usize>(numbers: &[i64]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes()[..N].to_vec())
        .collect()
}

#[test]
fn text_may_have_any_white_space() {
    let folder = Folder::with_model();
    let decode = |ids: &str| folder.run_with(ids, &["decode", "-", "-m", "m.bpe", "-q"]);
    assert_eq!(decode("104 105\n\n  33\r\n\t10").succeeds().text(), "hi!\n");
    assert_eq!(decode("").succeeds().text(), "");
    assert_eq!(decode("255").succeeds().stdout, [255]);
    assert_eq!(decode("269").succeeds().text(), "<s>");
}

#[test]
fn skip_special_drops_special_tokens_and_keeps_added_ones() {
    let folder = Folder::with_model();
    let convert = ["convert", "m.bpe", "-o", "m.json"];
    folder.run(&convert).succeeds();
    let json = String::from_utf8(folder.read("m.json")).unwrap();
    let special = r#""special": true"#;
    assert_eq!(json.matches(special).count(), 1);
    folder.write("added.json", json.replace(special, r#""special": false"#));
    for (model, want) in [("m.bpe", "hi"), ("m.json", "hi"), ("added.json", "h<s>i")] {
        let decode = |skip: &[&str], ids: &str| {
            let arguments = ["decode", "-", "-m", model, "-q"];
            folder.run_with(ids, &[&arguments[..], skip].concat())
        };
        assert_eq!(decode(&[], "104 269 105").succeeds().text(), "h<s>i");
        let skipped = decode(&["--skip-special"], "104 269 105").succeeds();
        assert_eq!(skipped.text(), want, "{model}");
        decode(&["--skip-special"], "104 269 105 270")
            .fails(1, &["unknown token id 270 (at position 3 of the line)"]);
    }
    let encode = |model: &str| {
        let encode = ["encode", "-", "-m", model, "-q"];
        folder
            .run_with("a<s>b", &encode)
            .succeeds()
            .text()
            .to_owned()
    };
    assert_eq!(encode("m.bpe"), encode("m.json"));
    assert!(!encode("m.json").contains("269"));
    assert!(encode("added.json").contains(" 269 "));
}

#[test]
fn errors_in_text_name_the_line() {
    let folder = Folder::with_model();
    let decode = |ids: &str| folder.run_with(ids, &["decode", "-", "-m", "m.bpe", "-o", "out"]);
    decode("1 2\n3 x 4").fails(1, &["standard input: line 2: invalid id \"x\""]);
    decode("1, 2").fails(1, &["line 1: invalid id \"1,\""]);
    decode("-1").fails(1, &["line 1: invalid id \"-1\""]);
    decode("\n\n4294967296").fails(1, &["line 3: invalid id \"4294967296\""]);
    decode("1 2\n3 270 4").fails(
        1,
        &["line 2: unknown token id 270 (at position 1 of the line)"],
    );
    decode("\u{1b}[2J").fails(1, &["line 1: "]);
    assert!(!folder.exists("out"));
}

#[test]
fn json_lines_may_have_other_fields() {
    let folder = Folder::with_model();
    let decode = |ids: &str| {
        let options = ["-m", "m.bpe", "-q", "--format", "jsonl"];
        folder.run_with(ids, &[&["decode", "-"], &options[..]].concat())
    };
    let text = "{\"text\": \"hi\", \"ids\": [104, 105]}\n\n{\"ids\":[]}\n{\"ids\":[33]}";
    assert_eq!(decode(text).succeeds().text(), "hi!");
    decode("{\"ids\":[1]}\n{\"ids\":[1}").fails(1, &["line 2: not JSON at column"]);
    decode("[1]").fails(1, &["line 1: expected {\"ids\": [...]}"]);
    decode("{\"ids\": 3}").fails(1, &["line 1: expected"]);
    decode("{\"ids\": [1.5]}").fails(1, &["line 1: invalid id \"1.5\""]);
    decode("{\"ids\": [-1]}").fails(1, &["invalid id \"-1\""]);
    decode("{\"ids\": [1, 999]}").fails(1, &["line 1: unknown token id 999 (at position 1"]);
    decode(&"[".repeat(100_000)).fails(1, &["line 1: not JSON"]);
}

#[test]
fn truncated_and_unknown_raw_ids_are_errors() {
    let folder = Folder::with_model();
    folder.write("cut.u16", [97, 0, 98]);
    folder.write("cut.u32", [97, 0, 0, 0, 98, 0]);
    folder.write("empty.u16", []);
    let many = numbers::<4>(&[vec![97; 70_000], vec![300]].concat());
    folder.write("unknown.u32", many);
    let decode = |name: &str| folder.run(&["decode", name, "-m", "m.bpe", "-q"]);
    decode("cut.u16").fails(
        1,
        &["cut.u16", "position 1", "3 bytes are not a multiple of 2"],
    );
    decode("cut.u32").fails(
        1,
        &["cut.u32", "position 1", "6 bytes are not a multiple of 4"],
    );
    decode("unknown.u32").fails(
        1,
        &["unknown.u32: unknown token id 300 (at position 70000)"],
    );
    assert_eq!(decode("empty.u16").succeeds().text(), "");
}

#[test]
fn a_u32_bin_file_is_not_read_as_u16() {
    let folder = Folder::with_model();
    folder.write("ids.bin", numbers::<4>(&[104, 105]));
    folder
        .run(&["decode", "ids.bin", "-m", "m.bpe", "-q"])
        .fails(1, &["ids.bin: ", "look like u32"])
        .says(&["tip: use --format u32"]);
    let decode = |format: &str| {
        let run = folder.run(&["decode", "ids.bin", "-m", "m.bpe", "-q", "--format", format]);
        run.succeeds().stdout
    };
    assert_eq!(decode("u32"), b"hi");
    assert_eq!(decode("u16"), b"h\0i\0");
}

#[test]
fn arrays_of_the_usual_types_are_read() {
    let folder = Folder::with_model();
    let ids = [104, 105, 269];
    for (descr, numbers) in [
        ("<u2", numbers::<2>(&ids)),
        ("<u4", numbers::<4>(&ids)),
        ("<i4", numbers::<4>(&ids)),
        ("<i8", numbers::<8>(&ids)),
        ("<u8", numbers::<8>(&ids)),
    ] {
        folder.write("ids.npy", npy(descr, "(3,)", &numbers));
        let run = folder
            .run(&["decode", "ids.npy", "-m", "m.bpe", "-q"])
            .succeeds();
        assert_eq!(run.text(), "hi<s>", "{descr}");
    }
}

#[test]
fn other_arrays_are_refused() {
    let folder = Folder::with_model();
    let decode = |bytes: Vec<u8>| {
        folder.write("ids.npy", bytes);
        folder.run(&["decode", "ids.npy", "-m", "m.bpe"])
    };
    let one = numbers::<8>(&[97]);
    decode(npy("<f8", "(1,)", &one)).fails(1, &["ids.npy: array of <f8"]);
    decode(npy(">i8", "(1,)", &one)).fails(1, &["ids.npy: array of >i8"]);
    decode(npy("<i4", "(1, 2)", &one)).fails(1, &["shape (1, 2)"]);
    decode(npy("<i8", "(2,)", &one)).fails(1, &["8 bytes of ids, and the .npy header declares 16"]);
    decode(npy("<i8", "(1,)", &[&one[..], b"x"].concat())).fails(1, &["9 bytes of ids"]);
    decode(npy("<i8", "(1,)", &numbers::<8>(&[-7])))
        .fails(1, &["unknown token id -7 (at position 0)"]);
    decode(npy("<i8", "(1,)", &numbers::<8>(&[1 << 40])))
        .fails(1, &["unknown token id 1099511627776"]);
    decode(b"97 98".to_vec()).fails(1, &["not a .npy file"]);
    decode(vec![]).fails(1, &["not a .npy file"]);
    decode(npy("<i8", "(1,)", &one)[..30].to_vec()).fails(1, &["truncated"]);
}

#[test]
fn an_input_that_cannot_be_read_is_named() {
    let folder = Folder::with_model();
    let decode = |name: &str| folder.run(&["decode", name, "-m", "m.bpe"]);
    decode("missing").fails(1, &["missing: No such file"]);
    decode(".").fails(1, &[".: is a directory"]);
}
