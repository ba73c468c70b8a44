//! Settings: all faults at once, with their places; exit code 2; `--check`; the printed example works.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::server::Setup;

/// Exit code, standard output, standard error.
fn serve(file: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_difusor"));
    let out = command.args(["serve", "--config"]).arg(file).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn all_faults_are_told_at_once_with_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("difusor.toml");
    let text = "\
election = \"Coahuila 2026\"
content_check = \"drill\"
signers = \"nobody\"
incomming = \"incoming\"
threads = -1

[listen]
http = [\"8080\"]
https = [\"127.0.0.1:0\"]
redirect = \"yes\"

[cortes]
settle = \"10\"
keep = 1000

[limits]
package_bytes = 7

[stop]
grace = \"0s\"

[stopp]
";
    fs::write(&file, text).unwrap();
    for args in [&[][..], &["--check"]] {
        let (code, out, faults) = serve(&file, args);
        assert_eq!((code, out.as_str()), (2, ""), "{faults}");
        // Line, column, and a word of the remedy or the reason.
        let expected = [
            (1, 12, "a-z"),
            (2, 17, "warn"),
            (3, 11, "authority"),
            (4, 1, "`incoming`"),
            (5, 11, "threads"),
            (8, 9, "ADDRESS:PORT"),
            (10, 12, "true or false"),
            (13, 10, "unit"),
            (14, 8, "300"),
            (17, 17, "a size"),
            (20, 9, "30s"),
            (22, 2, "`stop"),
        ];
        for (line, column, word) in expected {
            let place = format!("difusor.toml:{line}:{column}: ");
            let fault =
                faults.lines().find(|fault| fault.contains(&place)).unwrap_or_else(|| panic!("{place}\n{faults}"));
            assert!(fault.contains(word), "{fault}");
        }
        assert!(faults.contains("`incoming` is missing"), "{faults}");
    }
}

#[test]
fn what_is_no_toml_or_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.toml");
    let (code, _, fault) = serve(&file, &[]);
    assert!(code == 2 && fault.contains("x.toml: cannot be read") && fault.contains("--config"), "{fault}");
    fs::write(&file, "election = \"a\"\n[listen\nhttp = 1\n").unwrap();
    let (code, _, fault) = serve(&file, &[]);
    assert!(code == 2 && fault.contains("x.toml:2:8: not TOML"), "{fault}");
}

#[test]
fn certificates_are_tried_before_the_start() {
    let setup = Setup::both(&["a.example", "b.example"]);
    fs::copy(setup.dir.path().join("a.example.key"), setup.dir.path().join("b.example.key")).unwrap();
    let (code, _, fault) = serve(&setup.write(), &[]);
    assert!(code == 2 && fault.contains("b.example") && !fault.contains("a.example.pem"), "{fault}");
    let bare = Setup::new().with("listen", "https = [\"127.0.0.1:0\"]");
    let (code, _, fault) = serve(&bare.write(), &["--check"]);
    assert!(code == 2 && fault.contains("[[certificate]]"), "{fault}");
    let (code, _, fault) = serve(&Setup::new().write(), &["--check"]);
    assert!(code == 2 && fault.contains("nowhere to listen"), "{fault}");
}

#[test]
fn check_finds_no_fault_and_starts_nothing() {
    let setup = Setup::both(&["a.example"]);
    let (code, out, fault) = serve(&setup.write(), &["--check"]);
    assert_eq!((code, fault.as_str()), (0, ""));
    assert!(out.contains("no fault found"), "{out}");
}

/// The service could start so, and nobody would see the results.
#[test]
fn check_warns_of_what_would_spoil_the_night() {
    let warned = |setup: &Setup| {
        let (code, out, warnings) = serve(&setup.write(), &["--check"]);
        assert!(code == 0 && out.contains("no fault found"), "{warnings}");
        warnings
    };
    let dated = |from: i32, to: i32| {
        let setup = Setup::both(&["a.example"]);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(to, 1, 1));
        fs::write(setup.dir.path().join("a.example.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(setup.dir.path().join("a.example.key"), key.serialize_pem()).unwrap();
        setup
    };
    let warnings = warned(&dated(2020, 2021));
    assert!(warnings.contains("a.example.pem") && warnings.contains("ended at 2021-01-01"), "{warnings}");
    let warnings = warned(&dated(2190, 2191));
    assert!(warnings.contains("begins at 2190-01-01") && warnings.contains("clock"), "{warnings}");
    let until_2199 = "opens = \"2024-06-02T18:30\"\ncloses = \"2199-06-09T23:59\"";
    let warnings = warned(&dated(2020, 2191).window(until_2199));
    assert!(warnings.contains("ends at 2191-01-01") && warnings.contains("closes, at 2199"), "{warnings}");
    assert_eq!(warned(&dated(2020, 2200).window(until_2199)), "");
    let warnings = warned(&Setup::both(&["a.example"]).with("", "identity = \"IEC\""));
    assert!(warnings.contains("`IEC`") && warnings.contains("P055"), "{warnings}");
}

#[test]
fn a_port_that_is_taken_is_told_and_fails() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let setup = Setup::new().with("listen", &format!("http = [\"{address}\"]"));
    let (code, _, fault) = serve(&setup.write(), &[]);
    assert!(code == 1 && fault.contains(&address.to_string()) && fault.contains("ss -ltnp"), "{fault}");
}

#[test]
fn the_printed_example_has_no_fault_once_its_files_are_there() {
    let out = Command::new(env!("CARGO_BIN_EXE_difusor")).arg("config").output().unwrap();
    let example = String::from_utf8(out.stdout).unwrap();
    let setup = Setup::new().certificate("a.example");
    let dir = setup.dir.path();
    fs::rename(dir.join("signers"), dir.join("allowed_signers")).unwrap();
    fs::rename(dir.join("a.example.pem"), dir.join("fullchain.pem")).unwrap();
    fs::rename(dir.join("a.example.key"), dir.join("privkey.pem")).unwrap();
    let example = example.replace("# http = ", "http = ").replace("# https = ", "https = ");
    fs::write(dir.join("e.toml"), example).unwrap();
    let (code, _, fault) = serve(&dir.join("e.toml"), &["--check"]);
    assert_eq!((code, fault.as_str()), (0, ""));
}

/// Exit code, standard output, standard error.
fn config(setup: &Setup, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_difusor"));
    setup.write();
    let out = command.arg("config").args(args).current_dir(setup.dir.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn what_rsyncd_needs_is_printed_with_whole_paths() {
    let setup = Setup::both(&["a.example"]).with("rsync", "trusted = [\"203.0.113.10\"]\nports = [8873]");
    let at = |name: &str| setup.dir.path().join(name).display().to_string();
    let (code, conf, told) = config(&setup, &["rsyncd"]);
    assert_eq!((code, told.as_str()), (0, ""));
    let program = env!("CARGO_BIN_EXE_difusor");
    for line in [
        "hosts allow = 203.0.113.10".to_owned(),
        format!("path = {}", at("incoming")),
        format!("post-xfer exec = {program} notify --config {}", at("difusor.toml")),
    ] {
        assert!(conf.lines().any(|other| other == line), "{line}\n{conf}");
    }
    let (code, unit, told) = config(&setup, &["rsyncd", "--config", "difusor.toml", "--unit"]);
    assert_eq!((code, told.as_str()), (0, ""));
    for part in [format!("--config={} --port=%i", at("rsyncd.conf")), "@8873\n".into(), at("a.example.key")] {
        assert!(unit.contains(&part), "{part}\n{unit}");
    }
    // What would have nobody come in is told, and is no fault.
    let setup = Setup::clear().with("rsync", "user = \"iec\"\nsecrets = \"s\"");
    let (code, conf, told) = config(&setup, &["rsyncd"]);
    assert!(code == 0 && conf.contains("hosts allow = \n"), "{conf}");
    assert!(told.contains("rsync.trusted") && told.contains("iec:PASSWORD"), "{told}");
    let setup = Setup::clear().with("rsync", "user = \"iec\"\nports = [0]");
    let (code, conf, told) = config(&setup, &["rsyncd"]);
    assert!(code == 2 && conf.is_empty(), "{conf}");
    assert!(told.contains("`rsync.user` needs") && told.contains("`rsync.ports`: expected 1"), "{told}");
}
