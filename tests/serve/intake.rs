//! Packages that arrive as people send them: whole, or bit by bit. None is published before it is whole.

use std::fs::{self, File};
use std::io::Write;

use crate::common::server::{Setup, Site, bytes, until};
use crate::common::{Tree, corte, sh, tool};

/// A package with a file of some size that no compression makes small.
fn package(id: &str) -> Tree {
    let noise: Vec<u8> = (0..40_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    Tree::of(&corte(id), &[("index.html", format!("<p>{id}").as_bytes()), ("datos/acta.mp4", &noise)])
}

/// The package `ID` and `ID.tar`, ready to be sent.
fn outbox(site: &Site, id: &str) {
    package(id).write(&site.path(&format!("out/{id}")));
    fs::write(site.path(&format!("out/{id}.tar")), package(id).tar()).unwrap();
}

fn nothing_is_served(site: &Site) {
    let response = site.get("/");
    assert_eq!((response.status, response.field("corte")), (503, None), "{}", response.head);
    assert_eq!(response.field("retry-after"), Some("15"));
}

fn is_served(site: &Site, id: &str) {
    site.live(id);
    assert_eq!(site.get("/").body, format!("<p>{id}").as_bytes());
    assert_eq!(site.get("/datos/acta.mp4").body, package(id).bytes("sitio/datos/acta.mp4"));
}

#[test]
fn by_cp_and_mv_as_folder_and_as_archive() {
    let site = Setup::clear().start();
    nothing_is_served(&site);
    let lines = [
        ("20240602_2000", "cp -r out/ID incoming/"),
        ("20240602_2010", "cp out/ID.tar incoming/"),
        ("20240602_2020", "mv out/ID incoming/"),
        ("20240602_2030", "mv out/ID.tar incoming/"),
        ("20240602_2030-1", "mv out/ID.tar incoming/20240602_2030.tar"),
        ("20240602_2040", "cp -r out/ID incoming/otro-nombre"),
    ];
    for (id, line) in lines {
        outbox(&site, id);
        sh(site.dir.path(), &line.replace("ID", id));
        is_served(&site, id);
    }
    assert_eq!(site.logged(&["refused"]), [""; 0]);
}

#[test]
fn by_rsync_as_folder_and_as_archive() {
    let Some(_) = tool("rsync") else { return };
    // A throttled rsync rests for longer than the tests' short settling time.
    let site = Setup::settling("20s").start();
    let lines = [
        ("20240602_2000", "rsync -a out/ID incoming/"),
        ("20240602_2010", "rsync -a out/ID.tar incoming/"),
        ("20240602_2020", "rsync -a --partial out/ID.tar incoming/"),
        ("20240602_2030", "rsync -a --inplace out/ID incoming/"),
        ("20240602_2040", "rsync -a --inplace --bwlimit=200 out/ID.tar incoming/"),
        ("20240602_2050", "rsync -a --inplace --bwlimit=200 out/ID incoming/"),
        ("20240602_2100", "rsync -a --delay-updates out/ID incoming/"),
    ];
    for (id, line) in lines {
        outbox(&site, id);
        sh(site.dir.path(), &line.replace("ID", id));
        is_served(&site, id);
    }
    assert_eq!(site.logged(&["refused"]), [""; 0]);
}

#[test]
fn names_that_rsync_gives_meanwhile_are_never_looked_at() {
    let Some(_) = tool("rsync") else { return };
    let site = Setup::clear().start();
    outbox(&site, "20240602_2000");
    let sending = "rsync -a --bwlimit=100 out/20240602_2000.tar incoming/";
    let mut rsync = std::process::Command::new("sh");
    let mut rsync = rsync.args(["-c", sending]).current_dir(site.dir.path()).spawn().unwrap();
    let hidden =
        || fs::read_dir(site.incoming()).unwrap().any(|e| e.unwrap().file_name().as_encoded_bytes()[0] == b'.');
    until(|| hidden().then_some(())).expect("rsync writes under a name with a dot");
    nothing_is_served(&site);
    assert!(rsync.wait().unwrap().success());
    is_served(&site, "20240602_2000");
    assert_eq!(site.logged(&["not whole yet"]), [""; 0]);
}

#[test]
fn half_an_archive_waits_for_the_other_half() {
    let site = Setup::settling("20s").start();
    for (id, name) in [("20240602_2000", "a.tar"), ("20240602_2010", "b.zip")] {
        let whole = if name.ends_with("tar") { package(id).tar() } else { package(id).zip() };
        let (first, rest) = whole.split_at(whole.len() / 2);
        let mut file = File::create(site.incoming().join(name)).unwrap();
        file.write_all(first).unwrap();
        let line = site.log_line(&["not whole yet, waiting", &format!("package=\"{name}\"")]);
        assert!(line.contains("code=\"P003\""), "{line}");
        assert_ne!(site.get("/").field("corte"), Some(id));
        file.write_all(rest).unwrap();
        is_served(&site, id);
    }
}

#[test]
fn an_archive_that_grows_slowly_is_published_when_it_is_whole() {
    let site = Setup::settling("20s").start();
    let whole = package("20240602_2000").tar();
    let mut file = File::create(site.incoming().join("lento.tar")).unwrap();
    // Ten writes with pauses shorter and longer than the quiet that comes before a try.
    for (n, part) in whole.chunks(whole.len() / 10 + 1).enumerate() {
        nothing_is_served(&site);
        file.write_all(part).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30 * n as u64));
    }
    is_served(&site, "20240602_2000");
    assert_eq!(site.logged(&["refused"]), [""; 0]);
}

#[test]
fn a_folder_waits_until_its_sums_hold() {
    let site = Setup::settling("20s").start();
    let id = "20240602_2000";
    let whole = package(id);
    whole.clone().without("sitio/index.html").write(&site.incoming().join(id));
    let line = site.log_line(&["not whole yet, waiting", "P061"]);
    assert!(line.contains("sitio/index.html"), "{line}");
    nothing_is_served(&site);
    // The file is there, but not all of it.
    fs::write(site.incoming().join(id).join("sitio/index.html"), "<p>2024").unwrap();
    site.log_line(&["not whole yet, waiting", "P063"]);
    nothing_is_served(&site);
    fs::write(site.incoming().join(id).join("sitio/index.html"), whole.bytes("sitio/index.html")).unwrap();
    is_served(&site, id);
}

#[test]
fn the_incoming_folder_itself_may_be_the_package() {
    let Some(_) = tool("rsync") else { return };
    let site = Setup::settling("20s").start();
    // The authority mirrors one tree over and over. By `-c`, for these files have equal sizes and the same second.
    for id in ["20240602_2000", "20240602_2010", "20240602_2020"] {
        outbox(&site, id);
        sh(site.dir.path(), &format!("rsync -ac --delete out/{id}/ incoming/"));
        is_served(&site, id);
    }
    assert_eq!(site.logged(&["refused"]), [""; 0]);
}

#[test]
fn of_what_is_there_at_the_start_the_latest_wins_and_does_so_again() {
    let setup = Setup::clear();
    let ids = ["20240602_1950", "20240602_2010", "20240602_2000"];
    for id in ids {
        package(id).write(&setup.dir.path().join("incoming").join(id));
    }
    let mut site = setup.start();
    is_served(&site, "20240602_2010");
    // Those that are older are told of, and change nothing.
    for id in [ids[0], ids[2]] {
        site.log_line(&["passed over, a later one is live", &format!("package=\"{id}\"")]);
    }
    is_served(&site, "20240602_2010");
    site.terminate();
    assert_eq!(site.ended(), Some(0));
}

#[test]
fn what_is_published_outlives_its_package() {
    let site = Setup::clear().start();
    site.deliver("p", &package("20240602_2000"));
    is_served(&site, "20240602_2000");
    fs::remove_dir_all(site.incoming().join("p")).unwrap();
    site.deliver("q.tar", &package("20240602_2010"));
    is_served(&site, "20240602_2010");
    assert_eq!(bytes(&site.incoming().join("q.tar")), package("20240602_2010").tar(), "packages are left as they are");
    assert_eq!(site.get("/.prep/c/20240602_2000/").body, b"<p>20240602_2000");
}
