//! A disk that runs full: what is shown stays, a restart shows it too, and what waits goes live once there is room.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common::server::{Setup, Site};
use crate::common::{Tree, corte, passed_over, tool};

/// A small file system that only those see who are started `through` it; gone with this, or with the test.
struct Small {
    keeper: Child,
    at: PathBuf,
    is_root: bool,
}

/// Root makes it as it is; anybody else becomes root in a world of their own.
const WORLDS: [&[&str]; 2] = [&["-m"], &["-U", "-r", "-m"]];

impl Small {
    /// `None` where this machine does not let us.
    fn mount(at: &Path, options: &str) -> Option<Small> {
        tool("unshare")?;
        tool("nsenter")?;
        fs::create_dir_all(at).unwrap();
        let small = WORLDS.iter().find_map(|world| Small::try_mount(at, options, world));
        if small.is_none() {
            passed_over("a tmpfs cannot be mounted, not even in a namespace");
        }
        small
    }

    fn try_mount(at: &Path, options: &str, world: &[&str]) -> Option<Small> {
        // Whatever becomes of the test: its end is the end of the input, and that of the namespace.
        let line = format!("mount -t tmpfs -o {options} tmpfs '{}' && echo mounted && exec cat", at.display());
        let mut keeper = Command::new("unshare");
        let keeper = keeper.args(world).args(["sh", "-c", &line]).stderr(Stdio::null());
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut told = String::new();
        BufReader::new(keeper.stdout.as_mut()?).read_line(&mut told).ok()?;
        let small = Small { keeper, at: at.to_owned(), is_root: world.len() == 1 };
        (told == "mounted\n").then_some(small)
    }

    fn through(&self) -> Vec<String> {
        let pid = self.keeper.id().to_string();
        let user: &[&str] = if self.is_root { &[] } else { &["-U", "--preserve-credentials"] };
        ["nsenter", "-t", &pid, "-m"].iter().chain(user).map(|part| (*part).to_owned()).collect()
    }

    /// A file in it, as it is seen from outside.
    fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(self.at.strip_prefix("/").unwrap()).join(name)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// What lies on the disk beside the state: whoever takes it away makes room.
const OTHERS: &str = "de-otros";

/// A server that keeps what it has on a small disk, of which others have so many bytes, and leaves nothing of it free.
fn on_small(options: &str, others: usize) -> Option<(Small, Site)> {
    on_small_keeping("", options, others)
}

fn on_small_keeping(vault: &str, options: &str, others: usize) -> Option<(Small, Site)> {
    let vault = format!("reserve = \"0 B\"\n{vault}");
    let setup = Setup::clear().with("vault", &vault).with("refused", "bytes = \"1 MiB\"");
    let small = Small::mount(&setup.dir.path().join("state"), options)?;
    fs::write(small.path(OTHERS), vec![1; others]).unwrap();
    let through = small.through();
    Some((small, setup.through(through).start()))
}

fn id(n: usize) -> String {
    format!("20240602_20{:02}", n * 10)
}

/// A corte with `len` bytes that no compression makes fewer.
fn package(n: usize, len: usize) -> Tree {
    let noise: Vec<u8> =
        (0..len as u32 / 4).flat_map(|k| (k + n as u32).wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    Tree::of(&corte(&id(n)), &[("index.html", id(n).as_bytes()), ("acta.mp4", &noise)])
}

fn is_served(site: &Site, n: usize, len: usize) {
    site.live(&id(n));
    assert_eq!(site.get("/").body, id(n).as_bytes());
    assert!(site.get("/acta.mp4").body == package(n, len).bytes("sitio/acta.mp4"), "{}", id(n));
}

#[test]
fn cortes_that_grow_until_nothing_fits() {
    let Some((small, mut site)) = on_small("size=12m", 6 << 20) else { return };
    let len = |n: usize| (n + 1) * 300_000;
    let mut n = 0;
    // Each takes its bytes and a second copy of them, and the earlier ones stay.
    let waiting = loop {
        let name = format!("{}.tar", id(n));
        site.deliver(&name, &package(n, len(n)));
        let line = site.log_line_of_any(&[&["INFO live ", &id(n)], &["not whole yet, waiting", &name]]);
        if line.contains("waiting") {
            break line;
        }
        is_served(&site, n, len(n));
        n += 1;
    };
    eprintln!("corte {n} of {} bytes does not fit: {waiting}", len(n));
    assert!(n >= 2 && (waiting.contains("P088") || waiting.contains("P089")), "corte {n}: {waiting}");
    is_served(&site, n - 1, len(n - 1));
    // A refused package must not take what is left, nor anything else.
    site.deliver("forjado.tar", &package(n, len(n)).with("sitio/index.html", "otra cosa"));
    site.log_line(&["refused, nothing has changed", "forjado.tar"]);
    is_served(&site, n - 1, len(n - 1));
    // To the last byte, and killed in the middle of it.
    let ballast = small.path("ballast");
    let _ = fs::write(&ballast, vec![1; 8 << 20]);
    for _ in 0..3 {
        site.kill_and_start();
        is_served(&site, n - 1, len(n - 1));
    }
    site.log_line(&["not whole yet, waiting", &id(n)]);
    assert_eq!(site.logged(&["damaged in the vault"]), [""; 0]);
    // There is room: what waits goes live by itself, and stays.
    fs::remove_file(&ballast).unwrap();
    fs::remove_file(small.path(OTHERS)).unwrap();
    assert!(small.path("vault").is_dir(), "the state is on the small disk");
    is_served(&site, n, len(n));
    site.kill_and_start();
    is_served(&site, n, len(n));
}

#[test]
fn old_cortes_go_for_new_ones_however_small_the_disk_is() {
    let Some((small, mut site)) = on_small_keeping("at_least = 2", "size=12m", 0) else { return };
    let len = 1_600_000;
    // What all of them take is a multiple of the disk.
    for n in 0..6 {
        site.deliver(&format!("{}.tar", id(n)), &package(n, len));
        is_served(&site, n, len);
        fs::remove_file(site.incoming().join(format!("{}.tar", id(n)))).unwrap();
    }
    site.kill_and_start();
    is_served(&site, 5, len);
    assert!(!small.path("refused").exists());
}

#[test]
fn a_disk_that_fails_in_the_middle_of_a_corte() {
    // There is room for the bytes, but not for so many files: only writing them shows it.
    let Some((small, mut site)) = on_small("size=8m,nr_inodes=200", 0) else { return };
    site.deliver("a.tar", &package(0, 40_000));
    is_served(&site, 0, 40_000);
    let names: Vec<String> = (0..400).map(|n| format!("casilla-{n}.txt")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    let many = Tree::of(&corte(&id(1)), &[&[("index.html", &b"muchos"[..])], &files[..]].concat());
    site.deliver("b.tar", &many);
    let line = site.log_line(&["not whole yet, waiting", "b.tar"]);
    assert!(line.contains("P089"), "{line}");
    is_served(&site, 0, 40_000);
    site.kill_and_start();
    is_served(&site, 0, 40_000);
    assert_eq!(site.logged(&["damaged in the vault"]), [""; 0]);
    // What it could not keep it has not kept either: a smaller one fits.
    site.deliver("c.tar", &package(2, 40_000));
    is_served(&site, 2, 40_000);
    drop(small);
}
