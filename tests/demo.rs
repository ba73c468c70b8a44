//! The demo, as a newcomer runs it: the real binary, its screen, its page in a real browser, and nothing left behind.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running demo; ended by its process ID if the test does not.
struct Demo {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // By the signal that lets it clear its folder away; where the test has ended it, there is nobody to tell.
        if let Ok(None) = self.child.try_wait() {
            let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
            let _ = self.child.wait();
        }
    }
}

impl Demo {
    fn start(args: &[&str]) -> Demo {
        let mut child = Command::new(env!("CARGO_BIN_EXE_difusor"))
            .arg("demo")
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Demo { child, lines }
    }

    /// Reads on until a line holds `text`; fails when the demo ends before.
    fn until(&mut self, text: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.lines.read_line(&mut line).expect("lines"), 0, "ended before `{text}`");
            if line.contains(text) {
                return line.trim().to_owned();
            }
        }
    }

    fn interrupt(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("lines");
        (self.child.wait().expect("ends").code(), rest)
    }
}

fn last_word(line: &str) -> String {
    line.split_whitespace().last().unwrap_or_default().to_owned()
}

#[test]
fn it_plays_and_leaves_nothing_behind() {
    let mut demo = Demo::start(&["--every", "1s"]);
    let folder = PathBuf::from(last_word(&demo.until("packages in")));
    assert!(folder.is_dir(), "{}", folder.display());
    let audit = demo.until("difusor audit");
    for corte in ["20260607_1830", "20260607_1840", "20260607_1850"] {
        demo.until(&format!("{corte}  live:"));
    }
    // The line that it prints, as somebody copies it.
    let words: Vec<&str> = audit.split_whitespace().skip_while(|word| *word != "audit").collect();
    let run = Command::new(env!("CARGO_BIN_EXE_difusor")).args(words).args(["--sample", "2"]).output().expect("runs");
    let told = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&run.stderr));
    assert!(told.contains("signed by demo"), "{told}");
    let (code, rest) = demo.interrupt();
    assert_eq!(code, Some(0));
    assert!(rest.contains("leaves nothing behind"), "{rest}");
    assert!(!folder.parent().expect("its folder").exists(), "{} is still there", folder.display());
}

#[test]
fn a_real_night_is_rebuilt() {
    let Some(zip) = common::data("qroo-2019/20190603_0547_PREP_DIP_QROO.zip") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let Some(unzip) = common::tool("unzip") else { return };
    let csv = dir.path().join("QROO_DIP_LOC_2019.csv");
    assert!(Command::new(unzip).arg("-q").arg(&zip).arg("-d").arg(dir.path()).status().expect("unzip").success());
    let mut demo = Demo::start(&["--every", "1s", "--from", &csv.to_string_lossy()]);
    demo.until("1/66 20190602_1900  7 of 2136 actas");
    demo.until("20190602_1900  live:");
    assert_eq!(demo.interrupt().0, Some(0));
}

#[test]
fn a_file_that_is_no_database_is_refused_before_anything_starts() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("x.csv");
    std::fs::write(&path, "<html>403</html>").expect("written");
    let args = ["demo".as_ref(), "--from".as_ref(), path.as_os_str()];
    let run = Command::new(env!("CARGO_BIN_EXE_difusor")).args(args).output().expect("runs");
    assert_eq!(run.status.code(), Some(2), "{run:?}");
    assert!(run.stdout.is_empty() && !run.stderr.is_empty());
}

#[test]
fn a_real_browser_shows_the_results() {
    let Some(chromium) = common::tool("chromium") else { return };
    let mut demo = Demo::start(&["--every", "2s"]);
    let url = last_word(&demo.until("results  "));
    // By then the first actas are in.
    demo.until("20260607_1910  live:");
    let page = dom(&chromium, &url);
    assert!(page.contains("SIMULACRO"), "{page}");
    assert!(page.contains("7 de junio de 2026, 19:"), "{page}");
    // Drawn by its script from the JSON: 16 seats, and a district each.
    assert!(page.matches("href=\"#/distrito/").count() >= 16, "{page}");
    assert_eq!(demo.interrupt().0, Some(0));
}

/// The page as the browser has it once its scripts have run.
fn dom(chromium: &Path, url: &str) -> String {
    let profile = tempfile::tempdir().expect("a folder");
    let run = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=3000", "--dump-dom", url])
        .stderr(Stdio::null())
        .output()
        .expect("chromium runs");
    String::from_utf8_lossy(&run.stdout).into_owned()
}
