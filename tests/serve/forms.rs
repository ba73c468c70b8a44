//! Every form that a package may have, made by our own verb and by the stock tools.

use std::fs;
use std::process::Command;

use ssh_key::LineEnding;

use crate::common::server::Setup;
use crate::common::{Tree, corte, key, sh, tool};

#[test]
fn every_form_that_pack_writes_goes_live() {
    let site = Setup::clear().start();
    fs::write(site.path("key"), &*key().to_openssh(LineEnding::LF).unwrap()).unwrap();
    let forms = ["p0", "p1.tar", "p2.tar.gz", "p3.tar.zst", "p4.zip"];
    for (n, form) in forms.iter().enumerate() {
        let id = format!("20240602_20{n}0");
        let source = Tree::of(&corte(&id), &[("index.html", id.as_bytes()), ("ñandú y más.txt", b"ave")]);
        source.write(&site.path(&id));
        let mut pack = Command::new(env!("CARGO_BIN_EXE_difusor"));
        pack.arg("pack").arg(site.path(&id)).arg("--key").arg(site.path("key"));
        let done = pack.arg("--out").arg(site.incoming().join(form)).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        site.live(&id);
        assert_eq!(site.get("/").body, id.as_bytes());
        assert_eq!(site.get("/%C3%B1and%C3%BA%20y%20m%C3%A1s.txt").body, b"ave");
    }
    assert_eq!(site.logged(&["refused"]), [""; 0]);
}

#[test]
fn every_form_that_the_stock_tools_write_goes_live() {
    if ["tar", "gzip", "zstd", "zip"].iter().any(|name| tool(name).is_none()) {
        return;
    }
    let site = Setup::clear().start();
    let lines = [
        "tar cf incoming/a.tar ID",
        "tar czf incoming/b.tar.gz -C ID .",
        "tar c ID | zstd -q > incoming/c.tar.zst",
        "zip -qr incoming/d.zip ID",
        "(cd ID && zip -qr - .) | cat > incoming/e.zip",
    ];
    for (n, line) in lines.iter().enumerate() {
        let id = format!("20240602_20{n}0");
        Tree::of(&corte(&id), &[("index.html", id.as_bytes()), ("a/b/c.csv", b"1,2\n")]).write(&site.path(&id));
        sh(site.dir.path(), &line.replace("ID", &id));
        site.live(&id);
        assert_eq!(site.get("/a/b/c.csv").body, b"1,2\n");
    }
    assert_eq!(site.logged(&["refused"]), [""; 0]);
}
