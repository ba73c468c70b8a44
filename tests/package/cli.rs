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
    assert!(code == 1 && fault.contains("already exists") && fault.contains("another name"), "{fault}");
    // A folder of that name is not what was meant.
    let (code, _, fault) = difusor(dir, "pack src --key key --out corte.tgz");
    assert!(code == 1 && fault.contains("ends in `.tgz`") && !dir.join("corte.tgz").exists(), "{fault}");
    fs::write(dir.join("key.pub"), key().public_key().to_openssh().unwrap()).unwrap();
    let (code, _, fault) = difusor(dir, "pack src --key key.pub --out otro.zip");
    assert!(code == 1 && fault.contains("the public one"), "{fault}");
    fs::write(dir.join("signers"), "iec\niec x y\n").unwrap();
    let (code, _, fault) = difusor(dir, "verify corte.tar.gz --signers signers");
    assert!(code == 2 && fault.contains("line 1:") && fault.contains("line 2:"), "{fault}");
    assert_eq!(difusor(dir, "verify corte.tar.gz").0, 2);
}

#[test]
fn a_bare_tree_is_tried_with_the_rule_of_the_settings() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir_all(dir.join("sitio")).unwrap();
    fs::create_dir(dir.join("incoming")).unwrap();
    fs::write(dir.join("sitio/index.html"), "<p>Corte: 2 de junio de 2024, 20:57 hrs").unwrap();
    let settings = |regex: &str| {
        let text = format!(
            "election = \"prueba-2024\"\ntrust = \"transport\"\nincoming = \"incoming\"\nstate = \"state\"\n[transport]\n\
             stamp = \"text\"\nfile = \"index.html\"\nregex = '{regex}'\nformat = \"%d de %B de %Y %H:%M\"\n\
             zone = \"America/Mexico_City\"\n[listen]\nhttp = [\"127.0.0.1:0\"]\n"
        );
        fs::write(dir.join("difusor.toml"), text).unwrap();
    };
    settings("Corte: ([^<]*?), ([0-9:]+) hrs");
    std::os::unix::fs::symlink("sitio", dir.join("ultimo")).unwrap();
    for tree in ["sitio", "ultimo"] {
        let (code, out, fault) = difusor(dir, &format!("verify {tree} --config difusor.toml"));
        assert_eq!((code, fault.as_str()), (0, ""));
        let lines = ["20240602_2057", "2024-06-02T20:57:00-06:00", "prueba-2024", "nobody (trust: transport)"];
        assert!(lines.iter().all(|line| out.contains(line)), "{out}");
    }
    settings("Actualizado: ([^<]*?), ([0-9:]+) hrs");
    let (code, _, fault) = difusor(dir, "verify sitio --config difusor.toml");
    assert!(code == 1 && fault.contains("P103") && fault.contains("index.html"), "{fault}");
    settings("(");
    let (code, _, fault) = difusor(dir, "verify sitio --config difusor.toml");
    assert!(code == 2 && fault.starts_with("difusor.toml:") && fault.contains("regex"), "{fault}");
    assert_eq!(difusor(dir, "verify sitio --config difusor.toml --signers x").0, 2);
    assert!(!dir.join("state").exists(), "nothing is kept");
}
