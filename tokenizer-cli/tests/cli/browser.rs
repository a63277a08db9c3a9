//! Pages as a browser sees them: Chromium, where it is installed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::Folder;

/// Markup that would make elements, and change the title, if it came through.
const HOSTILE: &str = "</script></title></svg><img src=x onerror=document.title='pwned'>\
                       \"'><svg onload=document.title='pwned'></svg><script>document.title='pwned'</script>";

/// The first of these programs that there is.
fn browser() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.into_iter().find(|name| {
        let run = Command::new(name)
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        run.is_ok_and(|run| run.status.success())
    });
    if found.is_none() {
        crate::absent::skip("browser", &format!("none of {names:?} is installed"));
    }
    found
}

/// The document that a browser makes of a page, once scripts had their time, as text.
fn document(browser: &str, page: &Path) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut profile_option = std::ffi::OsString::from("--user-data-dir=");
    profile_option.push(profile.path());
    let run = assert_cmd::Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-quic", "--no-first-run", "--disable-sync"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args(["--virtual-time-budget=2000", "--dump-dom"])
        .arg(profile_option)
        .arg(page)
        .timeout(Duration::from_secs(100))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{stderr}");
    String::from_utf8(run.stdout).unwrap()
}

/// Nothing of what was shown has become an element.
#[track_caller]
fn assert_harmless(document: &str, title: &str) {
    assert!(
        document.contains(&format!("<title>{title}</title>")),
        "{document}"
    );
    for element in ["<img", "<script", "<svg onload", "<svg xmlns"] {
        assert!(!document.contains(element), "{element}: {document}");
    }
}

#[test]
fn a_browser_makes_no_elements_of_tokens() {
    let Some(browser) = browser() else {
        return;
    };
    let folder = Folder::new();
    folder.write("corpus.txt", format!("{HOSTILE} low\n").repeat(50));
    let train = [
        "train",
        "corpus.txt",
        "-o",
        "m.bpe",
        "--vocab-size",
        "900",
        "--pattern",
        "[^\\n]+",
        "--special",
        HOSTILE,
        "-q",
    ];
    folder.run(&train).succeeds();
    for option in [&["--allow-special"][..], &[]] {
        let inspect = ["inspect", HOSTILE, "-m", "m.bpe", "--html", "page.html"];
        folder.run(&[&inspect[..], option].concat()).succeeds();
        let document = document(browser, &folder.path("page.html"));
        assert_harmless(&document, "Tokens of m.bpe");
        assert!(document.contains("&lt;/script&gt;"), "{document}");
        // It is all there, as one token or as several.
        let tokens = document.matches("<span").count();
        assert_eq!(tokens == 1, !option.is_empty(), "{document}");
    }
}

#[cfg(unix)]
#[test]
fn a_browser_makes_no_elements_of_names() {
    let Some(browser) = browser() else {
        return;
    };
    let folder = Folder::with_model();
    // What stands between slashes in a path is its last part.
    let name = "\"'><img src=x onerror=document.title='pwned'>&lt;";
    let (corpus, model) = (format!("{name}.txt"), format!("{name}.bpe"));
    folder.write(&corpus, "low lower");
    folder.write(&model, folder.read("m.bpe"));
    let compare = [
        "compare",
        &corpus,
        "-m",
        &model,
        "-m",
        "m.bpe",
        "--html",
        "page.html",
    ];
    folder.run(&compare).succeeds();
    let document = document(browser, &folder.path("page.html"));
    assert_harmless(&document, "Tokenizers compared");
    assert!(document.contains("&lt;img src=x"), "{document}");
    assert_eq!(document.matches("role=\"img\"").count(), 3);
    assert_eq!(document.matches("<rect ").count(), 2);
}
