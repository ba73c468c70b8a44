//! Packages that are no good: each is reported with its code, and changes nothing that is served.

use std::fs;

use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use crate::common::server::{Setup, Site};
use crate::common::wire::Response;
use crate::common::{Tree, corte};

const LIVE: &str = "20240602_2010";
const PATHS: [&str; 6] =
    ["/", "/total.json", "/nada", "/.prep/corte.json", "/.prep/SHA256SUMS", "/.prep/c/20240602_2010/total.json"];

fn package(id: &str) -> Tree {
    Tree::of(&corte(id), &[("index.html", b"<p>"), ("total.json", format!("{{\"corte\": \"{id}\"}}").as_bytes())])
}

/// Everything that a reader can see, but for the clock's second.
fn seen(site: &Site) -> Vec<(String, Vec<u8>)> {
    let shown = |response: Response| {
        let fields: Vec<_> = response.fields().filter(|(name, _)| !name.eq_ignore_ascii_case("date")).collect();
        (format!("{} {fields:?}", response.status), response.body)
    };
    PATHS.iter().map(|path| shown(site.get(path))).collect()
}

fn signed_by_a_stranger(tree: Tree) -> Tree {
    let stranger: PrivateKey = Ed25519Keypair::from_seed(&[9; 32]).into();
    let signature = stranger.sign("prep-corte", HashAlg::Sha512, tree.bytes("SHA256SUMS")).unwrap();
    tree.with("SHA256SUMS.sig", signature.to_pem(LineEnding::LF).unwrap())
}

#[test]
fn each_is_reported_with_its_code_and_nothing_that_is_served_changes() {
    let site = Setup::clear().start();
    site.deliver("0", &package(LIVE));
    site.live(LIVE);
    let before = seen(&site);
    let next = || package("20240602_2020");
    let changed = |from: &str, to: &str| {
        let text = corte("20240602_2020").replace(from, to);
        assert_ne!(text, corte("20240602_2020"));
        next().with("corte.json", text).sealed()
    };
    let later = package("20240602_2030").bytes("SHA256SUMS").to_vec();
    let cases = [
        ("P002", "other.tgz", None),
        ("P003", "cut.tar", None),
        ("P004", "link", Some(next())),
        ("P041", "no-corte", Some(next().without("corte.json"))),
        ("P042", "no-json", Some(next().with("corte.json", "{").sealed())),
        ("P043", "no-sums", Some(next().without("SHA256SUMS"))),
        ("P044", "no-list", Some(next().summed(b"hello\n".to_vec()))),
        ("P046", "no-signature.tar", Some(next().without("SHA256SUMS.sig"))),
        ("P047", "no-ssh.zip", Some(next().with("SHA256SUMS.sig", "hello"))),
        ("P051", "stranger", Some(signed_by_a_stranger(next()))),
        ("P056", "other-sums", Some(next().with("SHA256SUMS", later))),
        ("P061", "missing.zip", Some(next().without("sitio/total.json"))),
        ("P062", "extra", Some(next().with("sitio/extra.html", "x"))),
        ("P062", "extra-beside.tar", Some(next().with("LEEME.txt", "x"))),
        ("P063", "changed", Some(next().with("sitio/total.json", "{}"))),
        ("P071", "other-election", Some(changed("coahuila-2026", "durango-2026"))),
        ("P072", "drill", Some(changed("oficial", "simulacro"))),
        ("P073", "other-minute", Some(changed("20:20:00", "20:21:00"))),
        ("P074", "future", Some(package("20991231_2350"))),
        ("P081", "older", Some(package("20240602_2000"))),
        ("P082", "same-id", Some(next().with("corte.json", corte(LIVE)).with("sitio/total.json", "[]").sealed())),
        ("P083", "empty", Some(Tree::new(&corte("20240602_2020"), &[]))),
        ("P084", "403", Some(next().with("sitio/total.json", "<html><title>403 Forbidden").sealed())),
    ];
    for (_, name, package) in &cases {
        match package {
            Some(package) => site.deliver(name, package),
            None => fs::write(site.incoming().join(name), &next().tar()[..1000]).unwrap(),
        }
        if *name == "link" {
            std::os::unix::fs::symlink("index.html", site.incoming().join("link/sitio/other.html")).unwrap();
        }
    }
    for (code, name, _) in &cases {
        let line = site.log_line(&["WARN refused, nothing has changed", &format!("package=\"{name}\"")]);
        assert!(line.contains(&format!("code=\"{code}\"")) && line.contains("why="), "{line}");
    }
    assert_eq!(seen(&site), before);
    // The very same package again is no fault.
    site.deliver("again.tar", &package(LIVE));
    site.log_line(&["INFO was accepted before", "package=\"again.tar\""]);
    assert_eq!(seen(&site), before);
    // And what was refused may be put right under its own name.
    for (path, bytes) in next().0 {
        fs::write(site.incoming().join("changed").join(String::from_utf8(path).unwrap()), bytes).unwrap();
    }
    site.live("20240602_2020");
}

#[test]
fn a_403_page_is_published_only_where_the_settings_say_so() {
    for (check, line) in [("warn", "live all the same"), ("off", "INFO live ")] {
        let site = Setup::clear().with("", &format!("content_check = \"{check}\"")).start();
        let page = "<html><title>403 Forbidden";
        site.deliver("p", &package(LIVE).with("sitio/total.json", page).sealed());
        site.live(LIVE);
        site.log_line(&[line]);
        assert_eq!(site.get("/total.json").body, page.as_bytes());
    }
}

#[test]
fn only_the_identity_that_is_configured_may_sign() {
    let site = Setup::clear().with("", "identity = \"ine\"").start();
    site.deliver("p", &package(LIVE));
    site.log_line(&["refused", "P055"]);
    assert_eq!(site.get("/").status, 503);
}
