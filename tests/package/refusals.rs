//! What is refused while reading, and for what is inside. One test a reason.

use std::io::{Cursor, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use difusor::base::disk::Disk;
use difusor::corte::{Limits, Nothing, Refusal, Unverified, preamble, read};
use tar::EntryType;

use crate::common::{CORTE, Tree, code, entry};

fn package() -> Tree {
    Tree::new(CORTE, &["index.html", "datos/total.json"])
}

fn tar(bytes: &[u8], limits: &Limits) -> Result<Unverified<u64>, Refusal> {
    read::tar_from(bytes, limits, &Nothing)
}

fn from(path: &Path) -> &'static str {
    code(read(&Disk::machine(), path, &Limits::default(), &Nothing))
}

/// The package, put in a directory with something else.
fn in_folder(spoil: impl FnOnce(&Path)) -> &'static str {
    let dir = tempfile::tempdir().unwrap();
    package().write(dir.path());
    spoil(dir.path());
    from(dir.path())
}

/// The package as tar, with one entry more.
fn with_entry(kind: EntryType, name: &[u8]) -> &'static str {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in package().0 {
        entry(&mut builder, EntryType::Regular, &path, &bytes);
    }
    entry(&mut builder, kind, name, b"");
    code(tar(&builder.into_inner().unwrap(), &Limits::default()))
}

fn zip(bytes: Vec<u8>, limits: &Limits) -> &'static str {
    code(read::zip_from(Cursor::new(bytes), limits, &Nothing))
}

#[test]
fn nothing_is_wrong_with_the_package_itself() {
    assert_eq!(package().code(), "");
    assert_eq!(in_folder(|_| ()), "");
    assert_eq!(zip(package().zip(), &Limits::default()), "");
    assert_eq!(with_entry(EntryType::Directory, b"sitio/empty/"), "");
    assert_eq!(Tree::new(CORTE, &[]).code(), "", "no file is asked for by the format");
}

#[test]
fn unreadable() {
    assert_eq!(from(Path::new("/nowhere/at/all.tar")), "P001");
}

#[test]
fn unknown_form() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.rar"), "Rar!").unwrap();
    assert_eq!(from(&dir.path().join("x.rar")), "P002");
}

#[test]
fn broken_archive() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("a.tar", &package().tar()[..1000]),
        ("b.tar", &[b'x'; 2000]),
        ("c.tar.gz", &gzip(&package().tar())[..300]),
        ("d.tar.gz", b"no gzip"),
        ("e.tar.zst", b"no zstd"),
        ("f.zip", b"no zip"),
        ("g.zip", &package().zip()[10..]),
    ] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        assert_eq!(from(&dir.path().join(name)), "P003", "{name}");
    }
    let mut spoilt = package().zip();
    let at = spoilt.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    spoilt[at + 8] |= 1;
    assert_eq!(zip(spoilt, &Limits::default()), "P003", "encrypted");
}

#[test]
fn long_headers_take_no_memory() {
    let mut builder = tar::Builder::new(Vec::new());
    entry(&mut builder, EntryType::GNULongName, b"x", &[b'a'; 100_000]);
    entry(&mut builder, EntryType::Regular, b"x", b"");
    assert_eq!(code(tar(&builder.into_inner().unwrap(), &Limits::default())), "P003");
    let mut builder = tar::Builder::new(Vec::new());
    entry(&mut builder, EntryType::XHeader, b"x", b"15 size=123456\n");
    entry(&mut builder, EntryType::Regular, b"x", b"");
    assert_eq!(code(tar(&builder.into_inner().unwrap(), &Limits::default())), "P003");
}

#[test]
fn not_a_plain_file() {
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        assert_eq!(with_entry(kind, b"sitio/x"), "P004", "{kind:?}");
    }
    assert_eq!(with_entry(EntryType::Continuous, b"sitio/x"), "P004");
    assert_eq!(in_folder(|dir| symlink("index.html", dir.join("sitio/x")).unwrap()), "P004");
    assert_eq!(in_folder(|dir| symlink("datos", dir.join("sitio/x")).unwrap()), "P004");
    // In the package's own place, too: somebody may put one there after we have looked.
    let dir = tempfile::tempdir().unwrap();
    package().write(&dir.path().join("real"));
    std::fs::write(dir.path().join("real.tar"), package().tar()).unwrap();
    for name in ["real", "real.tar"] {
        let (real, link) = (dir.path().join(name), dir.path().join(format!("link-{name}")));
        symlink(name, &link).unwrap();
        assert_eq!((from(&real), from(&link)), ("", "P004"), "{name}");
        assert_eq!(preamble(&Disk::machine(), &link, &Limits::default()).unwrap_err().code(), "P004");
    }
    assert_eq!(from(&dir.path().join("link-real/.")), "", "what it leads to, for who means that");
    assert_eq!(in_folder(|dir| drop(std::os::unix::net::UnixListener::bind(dir.join("sitio/x")).unwrap())), "P004");
    let mut zipped = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zipped.add_symlink("sitio/x", "/etc/passwd", zip::write::SimpleFileOptions::default()).unwrap();
    assert_eq!(zip(zipped.finish().unwrap().into_inner(), &Limits::default()), "P004");
}

#[test]
fn total_bytes() {
    let limits = Limits { total_bytes: 900, ..Limits::default() };
    assert_eq!(code(tar(&package().tar(), &limits)), "");
    let limits = Limits { total_bytes: 300, ..Limits::default() };
    assert_eq!(code(tar(&package().tar(), &limits)), "P011");
    assert_eq!(zip(package().zip(), &limits), "P011");
    let dir = tempfile::tempdir().unwrap();
    package().write(dir.path());
    assert_eq!(code(read(&Disk::machine(), dir.path(), &limits, &Nothing)), "P011");
}

#[test]
fn too_many_files() {
    let limits = Limits { files: 4, ..Limits::default() };
    assert_eq!(code(tar(&package().tar(), &limits)), "P012");
    assert_eq!(zip(package().zip(), &limits), "P012");
}

#[test]
fn file_bytes() {
    let limits = Limits { file_bytes: 100, ..Limits::default() };
    assert_eq!(code(tar(&package().tar(), &limits)), "P013");
    assert_eq!(zip(package().zip(), &limits), "P013");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn compression_ratio() {
    let bomb = package().with("sitio/bomba", vec![0; 8 << 20]).sealed();
    assert_eq!(bomb.code(), "", "unpacked it is only large");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.tar.gz"), gzip(&bomb.tar())).unwrap();
    std::fs::write(dir.path().join("a.tar.zst"), zstd::encode_all(&bomb.tar()[..], 3).unwrap()).unwrap();
    assert_eq!(from(&dir.path().join("a.tar.gz")), "P014");
    assert_eq!(from(&dir.path().join("a.tar.zst")), "P014");
    assert_eq!(zip(bomb.zip(), &Limits::default()), "P014");
    let small = package().with("sitio/ceros", vec![0; 900 << 10]).sealed();
    std::fs::write(dir.path().join("b.tar.gz"), gzip(&small.tar())).unwrap();
    assert_eq!(from(&dir.path().join("b.tar.gz")), "", "below the floor");
}

#[test]
fn metadata_bytes() {
    for name in ["corte.json", "SHA256SUMS.sig", "top/corte.json"] {
        assert_eq!(package().with(name, vec![b' '; 65 << 10]).code(), "P015", "{name}");
    }
    assert_eq!(package().with("sitio/corte.json", vec![b' '; 65 << 10]).sealed().code(), "");
}

#[test]
fn path_too_long() {
    let long = |path: &str| {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        builder.append_data(&mut header, path, &b""[..]).unwrap();
        code(tar(&builder.into_inner().unwrap(), &Limits::default()))
    };
    assert_eq!(long(&"x".repeat(256)), "P016");
    assert_eq!(long(&"x/".repeat(512)[..1023]), "P041", "within the limits, but no package");
    assert_eq!(long(&"x/".repeat(520)), "P003", "not even read");
    assert_eq!(long(&"x".repeat(255)), "P041");
}

#[test]
fn paths() {
    let with = |path: &[u8]| package().with(path, "").code();
    assert_eq!(with(b"sitio/\xff"), "P021");
    assert_eq!(with(b"/sitio/x"), "P022");
    assert_eq!(with(b"sitio/../../x"), "P023");
    assert_eq!(with(b"sitio//x"), "P024");
    assert_eq!(with(b"sitio/./x"), "P025");
    assert_eq!(with(b"sitio\\x"), "P026");
    assert_eq!(with(b"sitio/\x1b[2J"), "P027");
    assert_eq!(in_folder(|dir| std::fs::write(dir.join("sitio/a\\b"), "").unwrap()), "P026");
    assert_eq!(in_folder(|dir| std::fs::write(dir.join("sitio/a\tb"), "").unwrap()), "P027");
    use std::os::unix::ffi::OsStrExt;
    let latin = std::ffi::OsStr::from_bytes(b"sitio/\xf1");
    assert_eq!(in_folder(|dir| std::fs::write(dir.join(latin), "").unwrap()), "P021");
}

#[test]
fn paths_taken_together() {
    let mut twice = package();
    twice.0.push((b"sitio/index.html".to_vec(), b"otro".to_vec()));
    assert_eq!(twice.code(), "P028");
    let mut dotted = package();
    dotted.0.push((b"./sitio/index.html".to_vec(), b"otro".to_vec()));
    assert_eq!(dotted.code(), "P028");
    let zipped = package().with("sitio/index.htmm", "otro").zip();
    let zipped = String::from_utf8_lossy(&zipped).contains("index.htmm").then_some(zipped).unwrap();
    assert_eq!(zip(replaced(zipped, b"sitio/index.htmm", b"sitio/index.html"), &Limits::default()), "P028");
    assert_eq!(Tree::new(CORTE, &["a", "A"]).code(), "P029");
    assert_eq!(in_folder(|dir| std::fs::write(dir.join("sitio/INDEX.html"), "").unwrap()), "P029");
    assert_eq!(Tree::new(CORTE, &["\u{e1}", "a\u{301}"]).code(), "P030");
    assert_eq!(Tree::new(CORTE, &["a", "a/b"]).code(), "P031");
}

fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    while let Some(at) = bytes.windows(from.len()).position(|w| w == from) {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

#[test]
fn missing_or_malformed() {
    assert_eq!(package().without("corte.json").code(), "P041");
    assert_eq!(code(tar(&[], &Limits::default())), "P003", "no byte at all, not even an end");
    assert_eq!(Tree(vec![]).code(), "P041", "an empty archive");
    assert_eq!(Tree::new("{\"formato\": 1}", &["a"]).code(), "P042");
    assert_eq!(package().without("SHA256SUMS").code(), "P043");
    assert_eq!(package().summed(b"no sums\n".to_vec()).code(), "P044");
    assert_eq!(package().with("notas.txt", "").sealed().code(), "P045");
    assert_eq!(package().without("SHA256SUMS.sig").code(), "P046");
    // A malformed signature is among `signatures`.
}

#[test]
fn file_missing() {
    assert_eq!(package().without("sitio/index.html").code(), "P061");
}

#[test]
fn file_extra() {
    assert_eq!(package().with("sitio/x", "").code(), "P062");
    assert_eq!(package().with("notas.txt", "").code(), "P062");
    assert_eq!(in_folder(|dir| std::fs::write(dir.join("sitio/.index.html.Xy12"), "").unwrap()), "P062");
    let unlisted = package().bytes("SHA256SUMS").to_vec();
    let unlisted = unlisted.splitn(2, |b| *b == b'\n').nth(1).unwrap().to_vec();
    assert_eq!(package().summed(unlisted).code(), "P062", "corte.json must be listed");
}

#[test]
fn file_differs() {
    assert_eq!(package().with("sitio/index.html", "<h1>otro</h1>").code(), "P063");
    assert_eq!(package().with("corte.json", CORTE.replace("oficial", "simulacro")).code(), "P063");
}
