//! Tar archives that are made to be read in two ways. What two readers may read differently is refused.

use std::io::Write;
use std::path::Path;

use difusor::base::disk::Disk;
use difusor::corte::{Limits, Nothing, read};
use proptest::prelude::*;

use crate::common::{CORTE, Tree, code, expecting, key, sh, signers_of, tool};
use crate::raw::{entry, header, pax, tar_with};

fn package() -> Tree {
    Tree::new(CORTE, &["index.html", "datos/total.json"])
}

/// The code under which these bytes are refused; "" where they are a package.
fn refused(bytes: &[u8]) -> &'static str {
    code(read::tar_from(bytes, &Limits::default(), &Nothing))
}

/// The package with these entries more.
fn and(more: &[u8]) -> &'static str {
    refused(&tar_with(&package(), more))
}

fn at(path: &Path) -> &'static str {
    code(read(&Disk::machine(), path, &Limits::default(), &Nothing))
}

#[test]
fn nothing_is_wrong_with_the_archives_that_are_spoilt_here() {
    assert_eq!(and(b""), "");
    assert_eq!(and(&entry(b'5', b"sitio/vacia/", b"")), "");
    assert_eq!(and(&entry(b'g', b"x", &pax("comment", "un comentario"))), "");
    let long = package().with("sitio/otro.html", "otro").sealed();
    let mut entries: Vec<u8> = long.0[..3].iter().flat_map(|(path, bytes)| entry(b'0', path, bytes)).collect();
    entries.extend([entry(b'x', b"x", &pax("path", "sitio/otro.html")), entry(b'0', b"y", b"otro")].concat());
    entries.extend(long.0[4..].iter().flat_map(|(path, bytes)| entry(b'0', path, bytes)));
    assert_eq!(refused(&[&entries[..], &[0; 1024]].concat()), "");
}

#[test]
fn an_archive_that_does_not_end_or_does_not_stop() {
    let whole = tar_with(&package(), b"");
    let body = whole.len() - 1024;
    assert_eq!(refused(&whole[..body + 512]), "", "one block of zeros is enough");
    for cut in [body, body - 1, body - 512, body - 1000, 700, 512, 100] {
        assert_eq!(refused(&whole[..cut]), "P003", "cut at {cut}");
    }
    assert_eq!(refused(&[&whole[..], &[0; 100_000]].concat()), "", "padding up to a record");
    assert_eq!(refused(&[&whole[..], b"x"].concat()), "P003");
    assert_eq!(refused(&[&whole[..], &whole].concat()), "P003", "two archives: tar -i reads both");
    let hidden = [&whole[..body + 512], &entry(b'0', b"sitio/x", b"x"), &[0; 1024]].concat();
    assert_eq!(refused(&hidden), "P003", "an entry behind a lone block of zeros");
    assert_eq!(and(&entry(b'L', b"././@LongLink", b"sitio/x\0")), "P003", "a name, and no entry");
}

#[test]
fn packed_streams_are_read_to_their_end() {
    let (dir, tar) = (tempfile::tempdir().unwrap(), tar_with(&package(), b""));
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        at(&dir.path().join(name))
    };
    let gzip = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let (packed, zstd) = (gzip(&tar), zstd::encode_all(&tar[..], 3).unwrap());
    assert_eq!(write("a.tar.gz", &packed), "");
    assert_eq!(write("a.tar.zst", &zstd), "");
    let (front, back) = tar.split_at(1000);
    assert_eq!(write("b.tar.gz", &[gzip(front), gzip(back)].concat()), "", "RFC 1952 2.2: members follow each other");
    let frames = [zstd::encode_all(front, 3).unwrap(), zstd::encode_all(back, 3).unwrap()].concat();
    assert_eq!(write("b.tar.zst", &frames), "", "RFC 8878 3: so do frames");
    assert_eq!(write("c.tar.gz", &[&packed[..], &gzip(&tar)].concat()), "P003", "a second archive in a second member");
    assert_eq!(write("d.tar.gz", &[&packed[..], b"garbage"].concat()), "P003");
    assert_eq!(write("d.tar.zst", &[&zstd[..], b"garbage"].concat()), "P003");
    for cut in 1..9 {
        assert_eq!(write("e.tar.gz", &packed[..packed.len() - cut]), "P003", "without all of its sum and size");
    }
    let mut spoilt = packed.clone();
    spoilt[packed.len() - 6] ^= 1;
    assert_eq!(write("f.tar.gz", &spoilt), "P003", "with another sum");
    // Frames that ask for more memory than `zstd -d` would give: 2 TiB, and 256 MiB.
    for exponent in [31, 18] {
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3][..], &[0x01, 0, 0]].concat();
        assert_eq!(write("g.tar.zst", &frame), "P003");
    }
}

#[test]
fn headers_that_readers_differ_on() {
    let file = |change: fn(&mut [u8; 512])| and(&header(b'0', b"sitio/x", 0, change));
    assert_eq!(file(|_| ()), "P062", "in order, but not listed in SHA256SUMS");
    // The size: base 256, small; negative; all blanks; signed; beyond 64 bits.
    assert_eq!(file(|h| h[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\0\0")), "P003");
    assert_eq!(file(|h| h[124..136].copy_from_slice(b"\x80\0\0\x01\0\0\0\0\0\0\0\0")), "P003");
    assert_eq!(file(|h| h[124..136].fill(0xff)), "P003");
    assert_eq!(file(|h| h[124..136].fill(b' ')), "P003");
    assert_eq!(file(|h| h[124..136].fill(0)), "P003");
    assert_eq!(file(|h| h[124..136].copy_from_slice(b"+0000000000\0")), "P003");
    assert_eq!(file(|h| h[124..136].copy_from_slice(b"-0000000001\0")), "P003");
    assert_eq!(file(|h| h[124..136].copy_from_slice(b"0\x000000000010")), "P003");
    assert_eq!(file(|h| h[124..136].copy_from_slice(b"777777777777")), "P013", "64 GiB, before a byte is read");
    // The kind of header, and what only one kind has.
    assert_eq!(file(|h| h[257..265].copy_from_slice(b"ustar  \0")), "P062", "GNU's");
    assert_eq!(file(|h| h[257..265].fill(0)), "P062", "of 1979");
    assert_eq!(file(|h| h[257..265].copy_from_slice(b"ustar\x0001")), "P003");
    assert_eq!(file(|h| h[257..265].copy_from_slice(b"USTAR\x0000")), "P003");
    assert_eq!(file(|h| h[345..350].copy_from_slice(b"sitio")), "P062", "a name in two fields");
    for magic in [&b"ustar  \0"[..], &[0; 8]] {
        let prefixed = header(b'0', b"sitio/x", 0, |h| {
            h[257..265].copy_from_slice(magic);
            h[345..350].copy_from_slice(b"sitio");
        });
        assert_eq!(and(&prefixed), "P003", "a field that only some readers take for a name");
    }
    // Python takes the archive to end where a number is none, and bsdtar passes over the entry.
    assert_eq!(file(|h| h[108..112].copy_from_slice(b"root")), "P003");
    assert_eq!(file(|h| h[136..148].fill(b'x')), "P003");
    assert_eq!(file(|h| h[329..337].fill(b'-')), "P003");
    let mut tab = header(b'0', b"sitio/x", 0, |_| ());
    assert_eq!(tab[148], b'0');
    tab[148] = b'\t';
    assert_eq!(and(&tab), "P003", "a tab where a checksum begins");
    let mut wrong = entry(b'0', b"sitio/x", b"");
    wrong[0] ^= 1;
    assert_eq!(and(&wrong), "P003", "the checksum");
    wrong[148..156].fill(b'9');
    assert_eq!(and(&wrong), "P003");
    assert_eq!(and(&entry(b'5', b"sitio/x/", b"contents")), "P003", "a folder with contents");
    assert_eq!(and(&entry(b'0', b"sitio/x/", b"contents")), "P024", "a file with a slash");
}

#[test]
fn pax_headers_that_change_what_follows() {
    let with = |records: &[u8]| and(&[entry(b'x', b"x", records), entry(b'0', b"sitio/x", b"")].concat());
    assert_eq!(with(&pax("mtime", "1780000000.5")), "P062", "in order, but not listed in SHA256SUMS");
    assert_eq!(with(&pax("size", "512")), "P003");
    assert_eq!(with(&pax("SCHILY.realsize", "512")), "P003");
    assert_eq!(with(&pax("hdrcharset", "BINARY")), "P003");
    assert_eq!(with(&[pax("path", "sitio/x"), pax("path", "sitio/y")].concat()), "P003");
    assert_eq!(with(&pax("path", "")), "P024");
    assert_eq!(with(&pax("path", "sitio/x\0/../../y")), "P027");
    assert_eq!(with(b"+11 a=bcde\n"), "P003");
    assert_eq!(with(b"9999999999999999999999 a=b\n"), "P003");
    for sparse in ["GNU.sparse.major", "GNU.sparse.size", "GNU.sparse.map", "GNU.sparse.name", "GNU.sparse.realsize"] {
        assert_eq!(with(&pax(sparse, "1")), "P003", "{sparse}");
    }
    assert_eq!(and(&entry(b'g', b"x", &pax("path", "sitio/x"))), "P003", "one name for all");
    let twice = [entry(b'L', b"x", b"sitio/a\0"), entry(b'x', b"x", &pax("path", "sitio/b")), entry(b'0', b"c", b"")];
    assert_eq!(and(&twice.concat()), "P003", "GNU's long name and another by pax");
    let again = [entry(b'L', b"x", b"sitio/a\0"), entry(b'L', b"x", b"sitio/b\0"), entry(b'0', b"c", b"")];
    assert_eq!(and(&again.concat()), "P003");
    let many: Vec<u8> = (0..6).flat_map(|_| entry(b'x', b"x", &pax("comment", "x"))).collect();
    assert_eq!(and(&many), "P003");
}

#[test]
fn what_is_no_file() {
    // Links hard and soft, devices, pipes, contiguous and sparse files, volumes, folders of dumps, what nobody knows.
    for kind in *b"123467SVMDNXAZ" {
        assert_eq!(and(&entry(kind, b"sitio/x", b"")), "P004", "{}", char::from(kind));
    }
}

#[test]
fn names() {
    let named = |name: &[u8]| and(&entry(b'0', name, b""));
    assert_eq!(named(b"/sitio/x"), "P022");
    assert_eq!(named(b"sitio/../../x"), "P023");
    assert_eq!(named(b"sitio/a\nb"), "P027");
    assert_eq!(named("sitio/\u{202e}lmth.x".as_bytes()), "P027");
    assert_eq!(named(b"sitio/\xf1"), "P021");
    assert_eq!(named(b"sitio/index.html"), "P028");
    assert_eq!(named(b"sitio/INDEX.html"), "P029");
    assert_eq!(named(b"sitio/index.html/x"), "P031");
    assert_eq!(and(&entry(b'5', b"sitio/index.html/", b"")), "P031", "a folder with the name of a file");
    assert_eq!(and(&entry(b'5', b"../x/", b"")), "P023");
    let twins = ["sitio/\u{e1}", "sitio/a\u{301}"].map(|name| entry(b'0', name.as_bytes(), b""));
    assert_eq!(and(&twins.concat()), "P030");
}

/// What tar(1) makes of holes, in each of the ways that it knows.
#[test]
fn sparse_files() {
    let Some(_) = tool("tar") else { return };
    let dir = tempfile::tempdir().unwrap();
    sh(dir.path(), "mkdir sitio; truncate -s 8G sitio/hueco; echo fin >> sitio/hueco");
    for format in ["gnu", "posix --sparse-version=0.0", "posix --sparse-version=0.1", "posix --sparse-version=1.0"] {
        sh(dir.path(), &format!("tar cSf a.tar --format={format} sitio && test $(stat -c %s a.tar) -lt 20000"));
        let code = at(&dir.path().join("a.tar"));
        assert!(["P003", "P004"].contains(&code), "{format}: {code}");
    }
}

fn change() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let bytes = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        prop::sample::select(vec![
            &b"0"[..],
            b"L",
            b"x",
            b"g",
            b"5",
            b"\0",
            b"ustar  \0",
            b"sitio/a/",
            b"0000001000\0"
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    (any::<usize>(), bytes)
}

#[test]
fn headers_that_describe_nothing_or_the_same_twice() {
    let package = package();
    for kind in [b'K', b'x', b'L'] {
        let bytes: &[u8] = if kind == b'x' { &pax("comment", "nada") } else { b"nada\0" };
        let describing = entry(kind, b"x", bytes);
        let mut twice = tar_with(&package, &[&describing[..], &describing[..]].concat());
        assert_eq!(code(read::tar_from(&twice[..], &Limits::default(), &Nothing)), "P003", "{}", kind as char);
        twice = tar_with(&package, &describing);
        assert_eq!(code(read::tar_from(&twice[..], &Limits::default(), &Nothing)), "P003", "{}", kind as char);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// What is verified holds the files of the package by its sums; whoever reads it otherwise must not find other ones.
    #[test]
    fn what_is_taken_is_the_same_for_every_reader(changes in prop::collection::vec(change(), 1..4)) {
        let package = package();
        let mut bytes = tar_with(&package, &entry(b'g', b"x", &pax("comment", "sitio/index.html")));
        for (at, new) in changes {
            let at = at % (bytes.len() - new.len());
            bytes[at..at + new.len()].copy_from_slice(&new);
        }
        for at in (0..bytes.len()).step_by(512) {
            let block: &mut [u8; 512] = (&mut bytes[at..at + 512]).try_into().unwrap();
            // A checksum that agrees, wherever there may be a header.
            if block[257..262] == *b"ustar" {
                let sum: u32 = block[..148].iter().chain(&block[156..]).map(|b| u32::from(*b)).sum::<u32>() + 256;
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let signers = signers_of(&key());
        let read = read::tar_from(&bytes[..], &Limits::default(), &Nothing);
        if read.is_ok_and(|package| package.verify(&expecting(&signers)).is_ok()) {
            let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
                let mut entry = entry.unwrap();
                if entry.header().entry_type().is_file() {
                    let mut body = Vec::new();
                    std::io::copy(&mut entry, &mut body).unwrap();
                    found.push((entry.path_bytes().into_owned(), body));
                }
            }
            found.retain(|(name, _)| !name.ends_with(b"/"));
            prop_assert_eq!(found, package.0);
        }
    }
}
