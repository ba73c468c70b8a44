//! The two verbs, as a shell sees them: 0 done, 1 failed, 2 wrong use.

use std::fs;
use std::path::Path;
use std::process::Command;

use ssh_key::LineEnding;

use crate::common::{CORTE, key};

/// Exit code, standard output, standard error.
fn difusor(dir: &Path, line: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_difusor"));
    let out = command.args(line.split(' ')).current_dir(dir).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn pack_then_verify() {
    // The clock is the machine's here, so the corte is one of the past.
    let corte = CORTE.replace("20260607", "20240607").replace("2026-06-07", "2024-06-07");
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir_all(dir.join("src/sitio")).unwrap();
    fs::write(dir.join("src/corte.json"), corte).unwrap();
    fs::write(dir.join("src/sitio/index.html"), "hola").unwrap();
    fs::write(dir.join("key"), &*key().to_openssh(LineEnding::LF).unwrap()).unwrap();
    fs::write(dir.join("signers"), format!("iec {}\n", key().public_key().to_openssh().unwrap())).unwrap();
    let (code, out, fault) = difusor(dir, "pack src --key key --out corte.tar.gz");
    assert_eq!((code, out.as_str(), fault.as_str()), (0, "", ""));
    let (code, out, fault) = difusor(dir, "verify corte.tar.gz --signers signers --identity iec --kind oficial");
    assert_eq!((code, fault.as_str()), (0, ""));
    assert!(out.starts_with("verified\n") && out.contains("20240607_2010") && out.contains("iec, SHA256:"), "{out}");
    let (code, out, fault) = difusor(dir, "verify corte.tar.gz --signers signers --election otra --json");
    assert!(code == 1 && fault.contains("P071"), "{fault}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((json["verified"].as_bool(), json["code"].as_str()), (Some(false), Some("P071")));
    let (code, _, fault) = difusor(dir, "pack src --key key --out corte.tar.gz");
    assert!(code == 1 && fault.contains("exists"), "{fault}");
    fs::write(dir.join("signers"), "iec\niec x y\n").unwrap();
    let (code, _, fault) = difusor(dir, "verify corte.tar.gz --signers signers");
    assert!(code == 1 && fault.contains("line 1:") && fault.contains("line 2:"), "{fault}");
    assert_eq!(difusor(dir, "verify corte.tar.gz").0, 2);
}
