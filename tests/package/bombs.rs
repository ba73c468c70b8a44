//! What would fill memory or take all night is refused, or taken, within bounds: measured in a process of its own.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use difusor::base::clock::Monotonic;
use difusor::base::disk::Disk;
use difusor::corte::{Limits, Nothing, limits, read};

use crate::common::server::LOOK_EVERY;
use crate::common::{CORTE, Tree, code};
use crate::raw::{Item, entry, pax, zip};

const CHILD: &str = "DIFUSOR_TEST_BOMB";
/// Bytes that a check may take beyond what the paths of all its files take.
const MOST: u64 = 64 << 20;
/// Time after which a check hangs: all of these take a few seconds in a debug build.
const DEADLINE: Duration = Duration::from_secs(240);

/// Runs alone in a process of its own, started by the tests below; among the others it does nothing.
#[test]
fn child() {
    let Some(package) = std::env::var_os(CHILD) else { return };
    let code = code(read(&Disk::machine(), Path::new(&package), &Limits::default(), &Nothing));
    let status = fs::read_to_string("/proc/self/status").unwrap();
    println!("code {code:?} {}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
}

/// The code under which the package is refused, and the most memory that it took, in bytes.
fn measured(package: &Path) -> (String, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "bombs::child", "--nocapture"]).env(CHILD, package).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let started = Monotonic::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("{} takes more than {DEADLINE:?}", package.display());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.split_once("code \"")).unwrap_or_else(|| panic!("{text}")).1;
    let (code, rest) = line.split_once('"').unwrap();
    let peak: u64 = rest.split_whitespace().nth(1).unwrap().parse().unwrap();
    eprintln!("{}: {code:?}, {} MiB in {:.1?}", package.display(), peak >> 10, started.elapsed());
    (code.to_owned(), peak << 10)
}

fn refused(package: &Path, expected: &str, most: u64) {
    let (code, peak) = measured(package);
    assert_eq!(code, expected, "{}", package.display());
    assert!(peak < most, "{}: {peak} bytes", package.display());
}

/// Zeros, of which compression makes next to nothing.
const ZEROS: u64 = 200 << 20;

fn zeros(to: impl Write) -> impl Write {
    let mut to = BufWriter::with_capacity(1 << 20, to);
    to.write_all(&tar_head("sitio/bomba", ZEROS)).unwrap();
    std::io::copy(&mut std::io::repeat(0).take(ZEROS + 1024), &mut to).unwrap();
    to
}

fn tar_head(name: &str, size: u64) -> Vec<u8> {
    crate::raw::header(b'0', name.as_bytes(), size, |_| ())
}

#[test]
fn by_ratio() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let file = File::create(at("a.tar.gz")).unwrap();
    drop(zeros(flate2::write::GzEncoder::new(file, flate2::Compression::default())));
    let file = File::create(at("a.tar.zst")).unwrap();
    drop(zeros(zstd::Encoder::new(file, 1).unwrap().auto_finish()));
    let zeros = vec![0; ZEROS as usize];
    fs::write(at("a.zip"), zip(&[Item::deflated(b"sitio/bomba", &zeros)])).unwrap();
    // What is packed twice is large only once the second time: an archive within an archive is a file like any other.
    let inner = zip(&[Item::deflated(b"sitio/bomba", &zeros)]);
    drop(zeros);
    let nested = Tree::of(CORTE, &[("bomba.zip", &inner)]);
    fs::write(at("nested.tar"), nested.tar()).unwrap();
    for name in ["a.tar.gz", "a.tar.zst", "a.zip"] {
        assert!(fs::metadata(at(name)).unwrap().len() < ZEROS / 200);
        refused(&at(name), "P014", MOST);
    }
    refused(&at("nested.tar"), "", MOST);
}

/// Files that are larger than the disk they lie on.
#[test]
fn by_holes() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    Tree::new(CORTE, &["index.html"]).write(&at("p"));
    File::create(at("p/sitio/hueco")).unwrap().set_len(1 << 40).unwrap();
    refused(&at("p"), "P013", MOST);
    // A tar archive of which all but the headers is a hole.
    let mut tar = File::create(at("a.tar")).unwrap();
    tar.write_all(&tar_head("sitio/a", (8 << 30) - 1)).unwrap();
    tar.set_len(2 << 30).unwrap();
    refused(&at("a.tar"), "P013", MOST);
    for name in ["b.tar", "c.zip", "d.tar.gz", "e.tar.zst"] {
        let archive = File::create(at(name)).unwrap();
        archive.set_len(2 << 30).unwrap();
        refused(&at(name), "P003", MOST);
        // Whatever is in it: to get to its end would take all night.
        archive.set_len(1 << 40).unwrap();
        refused(&at(name), "P011", MOST);
    }
}

/// A package of so many empty files, with names of so many bytes.
fn empty_files(files: usize, name_len: usize) -> Tree {
    let names: Vec<String> = (0..files).map(|n| format!("{n:0name_len$}")).collect();
    Tree::of(CORTE, &names.iter().map(|name| (&name[..], &b""[..])).collect::<Vec<_>>())
}

/// So many files that with the three that say what the package is there are as many as there may be.
const FILES: usize = limits::FILES - 3;

#[test]
fn by_count() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // Paths, digests and the lists of sums, each several times.
    let most = MOST + limits::FILES as u64 * 2048;
    let package = empty_files(FILES, 8);
    fs::write(at("a.tar"), package.tar()).unwrap();
    fs::write(at("a.zip"), package.zip()).unwrap();
    for name in ["a.tar", "a.zip"] {
        refused(&at(name), "", most);
    }
    let package = empty_files(FILES + 1, 8);
    fs::write(at("b.tar"), package.tar()).unwrap();
    fs::write(at("b.zip"), package.zip()).unwrap();
    for name in ["b.tar", "b.zip"] {
        refused(&at(name), "P012", most);
    }
    // Folders count too, though nothing of them is left.
    let folders: Vec<u8> =
        (0..=limits::FILES).flat_map(|n| entry(b'5', format!("sitio/{n}/").as_bytes(), b"")).collect();
    fs::write(at("c.tar"), folders).unwrap();
    refused(&at("c.tar"), "P012", most);
}

#[test]
fn by_long_names() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut tar = BufWriter::new(File::create(at("a.tar")).unwrap());
    let files = FILES / 4;
    let items: Vec<Item> = (0..files)
        .map(|n| {
            let path = format!("sitio/{}/{n:08}", [&"x".repeat(200)[..]; 5].join("/"));
            tar.write_all(&[entry(b'x', b"x", &pax("path", &path)), entry(b'0', b"x", b"")].concat()).unwrap();
            Item::stored(path.as_bytes(), b"")
        })
        .collect();
    tar.write_all(&[0; 1024]).unwrap();
    tar.flush().unwrap();
    fs::write(at("a.zip"), zip(&items)).unwrap();
    // Paths of 1,024 bytes, as listed, as read, as sorted, and folded to be compared.
    let most = MOST + files as u64 * 4 * 1024;
    for name in ["a.tar", "a.zip"] {
        refused(&at(name), "P041", most);
    }
}
