//! What a restart finds in the vault: the same corte, byte for byte, with nothing compressed again and no source there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::server::{Setup, Site};
use crate::common::verbs::difusor;
use crate::common::wire::Talk;
use crate::common::{ELECTION, Tree, corte};

const IDS: [&str; 3] = ["20240602_2000", "20240602_2010", "20240602_2020"];

fn package(id: &str) -> Tree {
    let table: String = (0..4_000).map(|n| format!("{n};{id};{}\n", n * 7919 % 1000)).collect();
    let page = format!("<!doctype html><p>{id}");
    Tree::of(&corte(id), &[("index.html", page.as_bytes()), ("datos/actas.csv", table.as_bytes())])
}

fn vault(site: &Site) -> PathBuf {
    site.path("state/vault").join(ELECTION).join("oficial")
}

/// A server that has taken three cortes in, compressed them as well as pays, and has nothing left in its folder.
fn with_three() -> Site {
    let site = Setup::clear().start();
    for id in IDS {
        site.deliver(&format!("{id}.tar"), &package(id));
        site.live(id);
        site.log_line(&["compressed best", id]);
    }
    for id in IDS {
        fs::remove_file(site.incoming().join(format!("{id}.tar"))).unwrap();
    }
    site
}

/// What readers get of a file, whichever coding they take: status, validators and bytes.
fn everything(site: &Site, path: &str) -> Vec<String> {
    let one = |coding: &str| {
        let response = Talk::with(site.http()).get(path, &format!("accept-encoding: {coding}\r\n"));
        let field = |name| response.field(name).unwrap_or("-").to_owned();
        let about = ["content-encoding", "etag", "last-modified"].map(field).join(" ");
        format!("{coding}: {} {about} {}", response.status, sum(&response.body))
    };
    ["identity", "gzip", "br", "zstd"].map(one).to_vec()
}

#[test]
fn a_kill_changes_nothing_that_readers_see() {
    let mut site = with_three();
    let paths = ["/datos/actas.csv", "/.prep/c/20240602_2000/datos/actas.csv", "/.prep/SHA256SUMS"];
    let before = paths.map(|path| everything(&site, path));
    assert!(before[0][2].contains(" br ") && before[1][1].contains(" gzip "), "{before:?}");
    for _ in 0..2 {
        site.kill_and_start();
        site.live(IDS[2]);
        site.log_line(&["live again, from the vault", IDS[2]]);
        // Earlier cortes come back one after the other.
        let pinned = || (site.get(paths[1]).status == 200).then_some(());
        crate::common::server::until(pinned).expect("the earlier cortes are back");
        assert_eq!(paths.map(|path| everything(&site, path)), before);
    }
}

fn sum(bytes: &[u8]) -> String {
    difusor::base::digest::Digest::of(bytes).to_string()
}

#[test]
fn a_second_process_is_told_who_has_the_vault() {
    let site = with_three();
    let other = site.path("other.toml");
    let text = fs::read_to_string(site.path("difusor.toml")).unwrap();
    fs::write(&other, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_difusor"));
    let out = command.args(["serve", "--config"]).arg(&other).output().unwrap();
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{told}");
    let pid = site.pid().as_raw_nonzero().to_string();
    assert!(told.contains("held by another process") && told.contains(&format!("process {pid},")), "{told}");
    assert_eq!(site.get("/").field("corte"), Some(IDS[2]));
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect()
}

#[test]
fn what_is_damaged_is_never_served_and_the_next_copy_mends_it() {
    let mut site = with_three();
    let wanted = package(IDS[2]);
    let digest = sum(wanted.bytes("sitio/datos/actas.csv"));
    let damage = |kind: &str| {
        let path = vault(&site).join(kind).join(&digest[..2]).join(&digest);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    damage("blobs");
    site.kill_and_start();
    site.log_line(&["the vault was damaged and is mended", IDS[2]]);
    site.live(IDS[2]);
    assert_eq!(sum(&site.get("/datos/actas.csv").body), sum(wanted.bytes("sitio/datos/actas.csv")));
    damage_both(&vault(&site), &digest);
    site.kill_and_start();
    site.log_line(&["damaged in the vault", IDS[2]]);
    site.live(IDS[1]);
    assert_eq!(sum(&site.get("/datos/actas.csv").body), sum(package(IDS[1]).bytes("sitio/datos/actas.csv")));
    site.deliver("otra-vez.zip", &wanted);
    site.live(IDS[2]);
    assert_eq!(sum(&site.get("/datos/actas.csv").body), sum(wanted.bytes("sitio/datos/actas.csv")));
    assert!(files(&vault(&site)).len() > 10);
}

fn damage_both(vault: &Path, digest: &str) {
    for kind in ["blobs", "coded"] {
        let path = vault.join(kind).join(&digest[..2]).join(digest);
        let len = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![0; usize::try_from(len).unwrap()]).unwrap();
    }
}

#[test]
fn what_is_refused_is_kept_for_a_look_and_never_served() {
    let site = with_three();
    let forged = package("20240602_2030").with("sitio/index.html", "<p>otra cosa");
    site.deliver("forjado.tar", &forged);
    site.log_line(&["refused", "forjado.tar"]);
    let refused = fs::read_dir(site.path("state/refused")).unwrap().next().unwrap().unwrap().path();
    let note: serde_json::Value = serde_json::from_slice(&fs::read(refused.join("refused.json")).unwrap()).unwrap();
    assert_eq!((note["codigo"].as_str(), note["paquete"].as_str()), (Some("P063"), Some("forjado.tar")));
    assert_eq!(fs::read(refused.join("forjado.tar")).unwrap(), forged.tar());
    assert_eq!(site.get("/").field("corte"), Some(IDS[2]));
}

#[test]
fn the_vault_is_listed_and_shown_while_it_is_in_use() {
    let site = with_three();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_difusor"));
        let out = command.args(args).args(["--config"]).arg(site.path("difusor.toml")).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    let listed = String::from_utf8(run(&["cortes", "--json"])).unwrap();
    let rows: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let column = |name: &str| rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(column("corte"), [IDS[2], IDS[1], IDS[0]]);
    assert_eq!(column("state"), ["live", "earlier", "earlier"]);
    assert_eq!(column("signer"), ["iec", "iec", "iec"]);
    let table = String::from_utf8(run(&["cortes"])).unwrap();
    assert!(table.lines().count() == 4 && table.contains("LIVE SINCE"), "{table}");
    let shown = String::from_utf8(run(&["show", IDS[1]])).unwrap();
    assert!(shown.contains("all verified again") && shown.contains("sitio/datos/actas.csv"), "{shown}");
    assert_eq!(run(&["show", IDS[0], "sitio/datos/actas.csv"]), package(IDS[0]).bytes("sitio/datos/actas.csv"));
    assert_eq!(run(&["show", IDS[0], "SHA256SUMS"]), package(IDS[0]).bytes("SHA256SUMS"));
}

#[test]
fn a_rehearsal_is_listed_apart_and_each_package_has_its_window() {
    let begins = "2024-06-02T19:59:00-06:00";
    let drill = "kind = \"simulacro\"\nopens = \"2024-06-02T18:30\"\ncloses = \"2024-06-02T23:59\"";
    let election = "opens = \"2024-06-09T18:30\"\ncloses = \"2024-06-16T23:59\"";
    let site = Setup::clear().window(drill).window(election).clock(begins, 1).start();
    let drilled = Tree::of(&corte(IDS[0]).replace("oficial", "simulacro"), &[("index.html", b"<p>")]);
    site.deliver("drill.tar", &drilled);
    site.live(IDS[0]);
    let run = |args: &[&str]| {
        let said = difusor(site.dir.path(), &[args, &["--config", "difusor.toml"]].concat());
        assert_eq!(said.code, 0, "{args:?}: {}", said.err);
        said.out
    };
    assert!(run(&["cortes", "--clock", begins]).contains(IDS[0]));
    assert!(run(&["show", IDS[0], "--clock", begins]).contains("all verified again"));
    assert!(run(&["cortes"]).contains("empty"), "what is rehearsed is none of the real vault");
    assert!(run(&["verify", "incoming/drill.tar"]).contains("simulacro, opens 2024-06-02T18:30:00-06:00"));
    fs::write(site.path("other.tar"), package(IDS[1]).tar()).unwrap();
    assert!(run(&["verify", "other.tar"]).contains("NONE: at its hour only `simulacro` is taken"));
}
