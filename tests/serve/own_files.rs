//! What is published can be checked by anybody with stock tools; earlier cortes stay reachable.

use std::fs;

use crate::common::server::{Setup, Site};
use crate::common::{Tree, corte, sh, tool};

fn package(n: usize) -> Tree {
    let id = format!("20240602_20{n}0");
    let table = format!("{id},1,2\n").repeat(400);
    let page = format!("<p>{id}");
    let files: [(&str, &[u8]); 4] = [
        ("index.html", page.as_bytes()),
        ("datos/tabla.csv", table.as_bytes()),
        ("datos/100% ñ.json", b"{}"),
        ("fijo.js", b"let a = 1;"),
    ];
    Tree::of(&corte(&id), &files)
}

fn deliver(site: &Site, n: usize) {
    site.deliver(&format!("{n}.tar"), &package(n));
    site.live(&format!("20240602_20{n}0"));
}

#[test]
fn what_curl_downloads_agrees_with_the_authoritys_signed_list() {
    if ["curl", "sha256sum", "ssh-keygen"].iter().any(|name| tool(name).is_none()) {
        return;
    }
    let site = Setup::clear().start();
    deliver(&site, 1);
    let base = format!("http://{}", site.http());
    fs::create_dir(site.path("copy")).unwrap();
    let dir = &site.path("copy");
    // As a citizen would: the list, then whatever it names. `%` first, for it is what the others are written with.
    sh(
        dir,
        &format!(
            "curl -fsS --remote-name-all {base}/.prep/SHA256SUMS {base}/.prep/SHA256SUMS.sig
            ssh-keygen -Y verify -f ../signers -I iec -n prep-corte -s SHA256SUMS.sig < SHA256SUMS
            sed -n 's/^[0-9a-f]*  sitio\\///p' SHA256SUMS | while read -r path; do
                url=$(printf %s \"$path\" | sed 's/%/%25/g; s/ /%20/g')
                curl -fsS --compressed --create-dirs -o \"sitio/$path\" \"{base}/$url\"
            done"
        ),
    );
    let checked = sh(dir, "sha256sum --check --strict --ignore-missing SHA256SUMS");
    let expected = ["datos/100% ñ.json", "datos/tabla.csv", "fijo.js", "index.html"];
    for path in expected {
        assert!(checked.contains(&format!("sitio/{path}: OK")), "{checked}");
    }
    // One byte more, and it does not agree.
    fs::write(dir.join("sitio/fijo.js"), "let a = 1; ").unwrap();
    let out =
        std::process::Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(dir).output().unwrap();
    assert!(!out.status.success());
}

#[test]
fn the_current_corte_is_told() {
    let site = Setup::clear().start();
    let whole = package(1).with("corte.json", corte("20240602_2010").replace('}', ", \"actas\": {\"esperadas\": 10}}"));
    site.deliver("p", &whole.sealed());
    site.live("20240602_2010");
    let told = site.get("/.prep/corte.json");
    assert_eq!(told.field("content-type"), Some("application/json"));
    let told: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!((&told["corte"], &told["tipo"]), (&"20240602_2010".into(), &"oficial".into()));
    assert_eq!(told["fecha_hora"], "2024-06-02T20:10:00-06:00");
    assert_eq!(told["actas"]["esperadas"], 10);
    let list = site.get("/.prep/SHA256SUMS");
    assert_eq!(list.field("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn a_package_cannot_put_words_into_our_mouth() {
    let site = Setup::clear().start();
    let whole = package(1).with("sitio/.prep/corte.json", "{}").with("sitio/.prep/x", "x").sealed();
    site.deliver("p", &whole);
    site.log_line(&["refused", "P085", "sitio/.prep/corte.json"]);
    assert_eq!(site.get("/.prep/x").status, 503);
}

#[test]
fn earlier_cortes_stay_reachable_under_their_ids() {
    let site = Setup::clear().with("cortes", "keep = 2").start();
    let pinned = |n: usize, path: &str| site.get(&format!("/.prep/c/20240602_20{n}0{path}"));
    for n in 0..5 {
        deliver(&site, n);
    }
    for n in 2..5 {
        let id = format!("20240602_20{n}0");
        for (path, file) in [("/", "index.html"), ("/datos/tabla.csv", "datos/tabla.csv"), ("/fijo.js", "fijo.js")] {
            let got = pinned(n, path);
            assert_eq!((got.status, got.field("corte")), (200, Some(&*id)), "{n}{path}");
            assert_eq!(got.body, package(n).bytes(&format!("sitio/{file}")));
            assert_eq!(got.field("cache-control"), Some("max-age=604800, immutable"));
        }
        assert_eq!(pinned(n, "/.prep/SHA256SUMS").body, package(n).bytes("SHA256SUMS"));
        assert_eq!(pinned(n, "/nada").status, 404);
        assert_eq!(pinned(n, "").field("location"), Some(&*format!("/.prep/c/{id}/")));
    }
    for gone in [pinned(1, "/"), pinned(9, "/")] {
        assert_eq!((gone.status, gone.field("corte")), (404, Some("20240602_2040")));
        assert!(String::from_utf8(gone.body).unwrap().contains("ya no está disponible"));
    }
}

/// The lines of shell that docs/format.md gives for the chain, for this site.
fn check_chain(site: &Site) -> String {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/format.md")).unwrap();
    let (_, rest) = text.split_once("## The chain of accepted cortes").unwrap();
    let (_, rest) = rest.split_once("```sh\n").unwrap();
    let lines = rest.split_once("```").unwrap().0;
    sh(site.dir.path(), &lines.replace("https://prep2026.example.mx", &format!("http://{}", site.http())))
}

/// ID, the link before and the own one, of each corte in the chain.
fn chain(site: &Site) -> Vec<(String, String, String)> {
    let response = site.get("/.prep/cortes");
    assert_eq!((response.status, response.field("content-type")), (200, Some("application/json")));
    let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = json["cortes"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "corte"), text(row, "anterior"), text(row, "eslabon"))).collect()
}

#[test]
fn every_accepted_corte_is_linked_to_the_one_before() {
    let mut site = Setup::clear().with("vault", "cortes = 3\nat_least = 2").start();
    for n in 0..3 {
        deliver(&site, n);
    }
    let first = chain(&site);
    let ids = |chain: &[(String, String, String)]| chain.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ["20240602_2000", "20240602_2010", "20240602_2020"]);
    assert_eq!(first[0].1, "0".repeat(64));
    // The chain up to it, under its own URL.
    assert_eq!(site.get("/.prep/c/20240602_2010/.prep/cortes").status, 200);
    if ["curl", "sed", "awk", "sha256sum"].iter().all(|name| tool(name).is_some()) {
        assert_eq!(check_chain(&site), "");
        let checked = fs::read_to_string(site.path("chain")).unwrap();
        let last = checked.lines().last().unwrap().to_owned();
        assert!(checked.lines().count() == 3 && last.ends_with(&first[2].2), "{checked}");
    }
    // What goes live after a restart is linked to what was there before, and what had to go is still named.
    site.kill_and_start();
    site.live("20240602_2020");
    assert_eq!(chain(&site), first);
    deliver(&site, 3);
    site.log_line(&["in the vault", "removed=1"]);
    deliver(&site, 4);
    let later = chain(&site);
    assert_eq!(ids(&later)[later.len() - 2..], ["20240602_2030", "20240602_2040"]);
    assert!(!ids(&later).contains(&"20240602_2000".to_owned()));
    for pair in later.windows(2) {
        assert_eq!(pair[0].2, pair[1].1);
    }
    let kept = first.iter().find(|row| row.0 == later[0].0).unwrap();
    assert_eq!(&later[0], kept);
}
