//! A disk that runs full: what is shown stays, a restart shows it too, and what waits goes live once there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::server::Setup;
use crate::common::{Tree, corte, passed_over};

/// A small file system of its own, gone with this.
struct Small(PathBuf);

impl Small {
    /// Needs root; `None` where this machine does not let us.
    fn mount(at: &Path) -> Option<Small> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        let done = mount.args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(at).output();
        if !done.is_ok_and(|out| out.status.success()) {
            passed_over("a tmpfs cannot be mounted without root");
            return None;
        }
        Some(Small(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_takes_nothing_away() {
    let setup = Setup::clear().with("vault", "reserve = \"64 KiB\"");
    let Some(small) = Small::mount(&setup.dir.path().join("state")) else { return };
    let mut site = setup.start();
    let noise: Vec<u8> = (0..250_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let package = |id: &str| {
        Tree::of(&corte(id), &[("index.html", id.as_bytes()), ("acta.mp4", &[&noise, id.as_bytes()].concat())])
    };
    site.deliver("a.tar", &package("20240602_2000"));
    site.live("20240602_2000");
    let ballast = small.0.join("ballast");
    fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    site.deliver("b.tar", &package("20240602_2010"));
    let line = site.log_line(&["waiting", "package=\"b.tar\""]);
    assert!(line.contains("P088") && line.contains("free some"), "{line}");
    assert_eq!(site.get("/").field("corte"), Some("20240602_2000"));
    // To the last byte, and killed in the middle of it.
    let _ = fs::write(small.0.join("more"), vec![1; 4 << 20]);
    site.kill_and_start();
    site.live("20240602_2000");
    assert_eq!(site.get("/acta.mp4").body.len(), noise.len() + 13);
    site.log_line(&["waiting", "package=\"b.tar\"", "P08"]);
    fs::remove_file(small.0.join("more")).unwrap();
    fs::remove_file(&ballast).unwrap();
    site.live("20240602_2010");
    site.kill_and_start();
    site.live("20240602_2010");
    drop(site);
}
