//! Checking a package takes no memory for its size.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use difusor::base::digest::Hasher;
use difusor::base::disk::Disk;
use difusor::corte::{Limits, Nothing, read};

use crate::common::{CORTE, Tree, expecting, key, signers_of};

const BYTES: u64 = 300 << 20;
const MOST_KIB: u64 = 64 << 10;
const CHILD: &str = "DIFUSOR_TEST_MEMORY_OF";

/// Runs alone in a process of its own, started by the test below; among the others it does nothing.
#[test]
fn child() {
    let Some(package) = std::env::var_os(CHILD) else { return };
    let read = read(&Disk::machine(), Path::new(&package), &Limits::default(), &Nothing).unwrap();
    let signers = signers_of(&key());
    assert_eq!(read.verify(&expecting(&signers)).unwrap().files()[1].bytes, BYTES);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
}

#[test]
fn a_large_package_is_checked_in_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let block: Vec<u8> = (0..1u32 << 20).map(|i| (i / 5) as u8).collect();
    let folder = dir.path().join("pkg");
    let tree = Tree::new(CORTE, &["index.html"]);
    tree.write(&folder);
    let large = folder.join("sitio/large.bin");
    let (mut file, mut hasher) = (File::create(&large).unwrap(), Hasher::default());
    for _ in 0..BYTES / block.len() as u64 {
        file.write_all(&block).unwrap();
        hasher.update(&block);
    }
    let mut sums = tree.bytes("SHA256SUMS").to_vec();
    sums.extend(format!("{}  sitio/large.bin\n", hasher.finish()).into_bytes());
    tree.summed(sums).write(&folder);
    let archive = dir.path().join("pkg.tar");
    let mut tar = tar::Builder::new(File::create(&archive).unwrap());
    tar.append_dir_all("", &folder).unwrap();
    tar.finish().unwrap();
    for package in [folder, archive] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "memory::child", "--nocapture"]).env(CHILD, &package);
        let out = child.output().unwrap();
        let mut text = String::new();
        out.stdout.as_slice().read_to_string(&mut text).unwrap();
        assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
        let peak = text.lines().find_map(|line| line.split_once("VmHWM:")).unwrap().1;
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < MOST_KIB, "{}: {peak} KiB", package.display());
    }
}
