//! The three files that say what a package is, judged before any other is read.

use std::fs;
use std::io::Write;
use std::path::Path;

use difusor::base::digest::Digest;
use difusor::base::disk::Disk;
use difusor::corte::{Announced, Limits, Nothing, Preamble, Refusal, preamble, read};

use crate::common::{CORTE, Tree, code, expecting, key, signers_of};

fn package() -> Tree {
    Tree::new(CORTE, &["index.html", "datos/total.json"])
}

/// In the order in which `pack` writes: what says what the package is comes first.
fn in_order(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    tree.0.sort_by_key(|(path, _)| path.windows(6).any(|part| part == b"sitio/"));
    tree
}

fn under(top: &str, tree: &Tree) -> Tree {
    Tree(tree.0.iter().map(|(path, bytes)| ([top.as_bytes(), path].concat(), bytes.clone())).collect())
}

fn check(found: Result<Option<Preamble>, Refusal>) -> Result<Announced, Refusal> {
    found?.expect("to be read by itself").check(&expecting(&signers_of(&key())))
}

/// The code of what the first step says, or "", or "whole" where all must be read.
fn first(path: &Path) -> &'static str {
    match preamble(&Disk::machine(), path, &Limits::default()) {
        Ok(None) => "whole",
        found => check(found).map_or_else(|refusal| refusal.code(), |_| ""),
    }
}

fn whole(path: &Path) -> &'static str {
    code(read(&Disk::machine(), path, &Limits::default(), &Nothing))
}

/// The tree in each form, each in a place of its own.
fn forms(dir: &Path, tree: &Tree) -> Vec<std::path::PathBuf> {
    let names = ["folder", "a.tar", "a.tar.gz", "a.tar.zst", "a.zip"];
    let tar = tree.tar();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&tar).unwrap();
    let packed = [vec![], tar.clone(), gz.finish().unwrap(), zstd::encode_all(&tar[..], 3).unwrap(), tree.zip()];
    tree.write(&dir.join("folder"));
    names.iter().zip(packed).skip(1).for_each(|(name, bytes)| fs::write(dir.join(name), bytes).unwrap());
    names.iter().map(|name| dir.join(name)).collect()
}

#[test]
fn every_form_says_what_it_is() {
    for top in ["", "20260607_2010/", "corte.json/"] {
        let dir = tempfile::tempdir().unwrap();
        for path in forms(dir.path(), &in_order(&under(top, &package()))) {
            let announced = check(preamble(&Disk::machine(), &path, &Limits::default()))
                .unwrap_or_else(|r| panic!("{path:?}: {r}"));
            assert_eq!(announced.corte.id.to_string(), "20260607_2010");
            assert_eq!(announced.sums, Digest::of(package().bytes("SHA256SUMS")));
        }
    }
}

#[test]
fn the_same_refusals_as_of_the_whole() {
    let sums = |text: &[u8]| package().summed(text.to_vec());
    let spoilt = [
        ("P041", package().without("corte.json")),
        ("P043", package().without("SHA256SUMS")),
        ("P046", package().without("SHA256SUMS.sig")),
        ("P041", Tree::new(CORTE, &["a"]).without("corte.json").without("SHA256SUMS").without("SHA256SUMS.sig")),
        ("P042", package().with("corte.json", "{}").sealed()),
        ("P063", package().with("corte.json", "{}")),
        ("P062", sums(format!("{}  sitio/index.html\n", Digest::of(b"x")).as_bytes())),
        ("P044", sums(b"nonsense\n")),
        ("P045", sums(format!("{}  otra\n", Digest::of(b"x")).as_bytes())),
        ("P047", package().with("SHA256SUMS.sig", "nonsense")),
        ("P056", package().with("SHA256SUMS", b"changed".to_vec())),
        ("P015", package().with("corte.json", vec![b' '; 70 << 10])),
        ("P074", Tree::new(&CORTE.replace("20260607", "20260608").replace("2026-06-07", "2026-06-08"), &["a"])),
    ];
    for (expected, tree) in spoilt {
        let dir = tempfile::tempdir().unwrap();
        for path in forms(dir.path(), &in_order(&tree)) {
            assert_eq!(whole(&path), expected, "{path:?}");
            let found = first(&path);
            // A tar archive tells what it lacks only at its end.
            let missing = matches!(expected, "P041" | "P043" | "P046") && path.to_string_lossy().contains(".tar");
            assert_eq!(found, if missing { "whole" } else { expected }, "{path:?}");
        }
    }
}

/// What changes between the two looks is judged as it is then.
#[test]
fn what_was_proven_counts_for_the_same_bytes_alone() {
    let signers = signers_of(&key());
    let verified = |tree: &Tree| {
        let (proven, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        package().write(proven.path());
        tree.write(dir.path());
        let limits = Limits::default();
        let before = preamble(&Disk::machine(), proven.path(), &limits).unwrap().unwrap();
        let before = before.prove(&expecting(&signers)).unwrap();
        let package = read(&Disk::machine(), dir.path(), &limits, &Nothing).unwrap();
        package.verify_with(Some(before), &expecting(&signers)).map_or_else(|refusal| refusal.code(), |_| "")
    };
    assert_eq!(verified(&package()), "");
    assert_eq!(verified(&Tree::new(CORTE, &["other.html"])), "");
    assert_eq!(verified(&package().with("SHA256SUMS.sig", "nonsense")), "P047");
    assert_eq!(verified(&package().without("SHA256SUMS.sig")), "P046");
    assert_eq!(verified(&package().with("SHA256SUMS", b"changed".to_vec())), "P056");
    assert_eq!(verified(&package().with("corte.json", "{}")), "P063");
    assert_eq!(verified(&package().without("sitio/index.html")), "P061");
}

#[test]
fn nothing_else_is_read_of_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let count = 300;
    let paths: Vec<String> = (0..count).map(|i| format!("datos/{i}.json")).collect();
    Tree::new(CORTE, &paths.iter().map(String::as_str).collect::<Vec<_>>()).write(dir.path());
    // Larger than any limit, though it takes no place.
    fs::File::create(dir.path().join("sitio/sparse")).unwrap().set_len(1 << 40).unwrap();
    std::os::unix::fs::symlink("sparse", dir.path().join("sitio/link")).unwrap();
    let few = Limits { files: 4, ..Limits::default() };
    assert_eq!(check(preamble(&Disk::machine(), dir.path(), &few)).unwrap().corte.id.to_string(), "20260607_2010");
    assert_eq!(code(read(&Disk::machine(), dir.path(), &few, &Nothing)), "P012");
    assert_eq!(first(dir.path()), "");
    fs::remove_file(dir.path().join("sitio/link")).unwrap();
    assert_eq!(whole(dir.path()), "P013");
}

#[test]
fn nothing_behind_them_is_read_of_a_tar() {
    let dir = tempfile::tempdir().unwrap();
    let tree = in_order(&Tree::new(CORTE, &["index.html"]));
    let tar = tree.tar();
    // Three headers, three files of less than a block or two; the rest has not come yet.
    let three: usize = tree.0[..3].iter().map(|(_, bytes)| 512 + bytes.len().next_multiple_of(512)).sum();
    fs::write(dir.path().join("cut.tar"), &tar[..three]).unwrap();
    assert_eq!(first(&dir.path().join("cut.tar")), "");
    fs::write(dir.path().join("cut.tar"), [&tar[..three], &[b'x'; 2000]].concat()).unwrap();
    assert_eq!((first(&dir.path().join("cut.tar")), whole(&dir.path().join("cut.tar"))), ("", "P003"));
    let mut behind = tree.clone();
    behind.0.rotate_left(1);
    fs::write(dir.path().join("behind.tar"), behind.tar()).unwrap();
    assert_eq!((first(&dir.path().join("behind.tar")), whole(&dir.path().join("behind.tar"))), ("whole", ""));
}

#[test]
fn nothing_else_is_unpacked_of_a_zip() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zip");
    let tree = package().with("sitio/mark", b"here it is".to_vec()).sealed();
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, bytes) in &tree.0 {
        zip.start_file(str::from_utf8(path).unwrap(), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let mut bytes = zip.finish().unwrap().into_inner();
    let at = bytes.windows(10).position(|part| part == b"here it is").unwrap();
    bytes[at] = b'H';
    fs::write(&path, bytes).unwrap();
    assert_eq!((first(&path), whole(&path)), ("", "P003"));
}

#[test]
fn a_top_folder_that_is_not_sure_is_left_to_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    package().write(&dir.path().join("a"));
    assert_eq!(first(dir.path()), "");
    fs::create_dir(dir.path().join("empty")).unwrap();
    assert_eq!((first(dir.path()), whole(dir.path())), ("whole", ""));
    fs::write(dir.path().join("note.txt"), "").unwrap();
    assert_eq!((first(dir.path()), whole(dir.path())), ("P041", "P041"));
    assert_eq!(first(Path::new("/nowhere/at/all.tar")), "P001");
    assert_eq!(first(&dir.path().join("note.txt")), "P002");
}
