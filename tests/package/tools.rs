//! The stock tools and ours, both ways, for every kind of key and form.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use difusor::base::digest::Digest;
use difusor::base::disk::Disk;
use difusor::corte::pack::{self, PackFault};
use difusor::corte::{InMemory, Limits, Nothing, Signers, Verified, read};

use crate::common::{CORTE, code_of, data, expecting, key, sh, signers_of, tool};

const FORMS: [&str; 5] = ["", ".tar", ".tar.gz", ".tar.zst", ".zip"];
const KEYS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

/// Keys of all kinds, and one signers file for all.
fn keys(dir: &Path) {
    for kind in KEYS {
        sh(
            dir,
            &format!(
                "ssh-keygen -q -t {kind} -N '' -C '' -f {kind}; echo \"iec $(cat {kind}.pub)\" >> allowed_signers"
            ),
        );
    }
}

/// `corte.json` and `sitio/` in `dir/PKG`.
fn source(dir: &Path) {
    fs::create_dir_all(dir.join("PKG/sitio/datos/ñandú y más")).unwrap();
    fs::write(dir.join("PKG/corte.json"), CORTE).unwrap();
    fs::write(dir.join("PKG/sitio/index.html"), "<h1>PREP</h1>").unwrap();
    fs::write(dir.join("PKG/sitio/vacío"), "").unwrap();
    fs::write(dir.join("PKG/sitio/-n \"comillas' *?.csv"), "a,b\n").unwrap();
    fs::write(dir.join("PKG/sitio/datos/ñandú y más/1.json"), "{}").unwrap();
    fs::write(dir.join(format!("PKG/sitio/{}", "largo-".repeat(40))), "x").unwrap();
    let noise = (0..50_000u32).flat_map(|i| *Digest::of(&i.to_le_bytes()).as_bytes());
    fs::write(dir.join("PKG/sitio/grande.bin"), noise.collect::<Vec<u8>>()).unwrap();
}

fn verified(package: &Path, signers: &Signers) -> Verified {
    let read = read(&Disk::machine(), package, &Limits::default(), &InMemory { known: &|_| None }).unwrap();
    read.verify(&expecting(signers)).unwrap_or_else(|refusal| panic!("{}: {refusal}", package.display()))
}

fn allowed(dir: &Path) -> Signers {
    Signers::parse(&fs::read_to_string(dir.join("allowed_signers")).unwrap()).unwrap()
}

#[test]
fn what_the_stock_tools_make_is_verified() {
    if ["ssh-keygen", "sha256sum", "tar", "gzip", "zstd", "zip"].iter().any(|name| tool(name).is_none()) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    keys(dir);
    source(dir);
    for kind in KEYS {
        sh(
            dir,
            &format!(
                "rm -f PKG/SHA256SUMS* *.tar* *.zip
                (cd PKG && {{ echo corte.json; find sitio -type f; }} | LC_ALL=C sort | xargs -d '\\n' sha256sum > SHA256SUMS)
                ssh-keygen -q -Y sign -f {kind} -n prep-corte PKG/SHA256SUMS
                tar cf top.tar PKG; tar czf top.tar.gz PKG; tar c PKG | zstd -q > top.tar.zst; zip -qr top.zip PKG
                tar cf dot.tar -C PKG .; tar czf pax.tar.gz --format=pax -C PKG corte.json SHA256SUMS SHA256SUMS.sig sitio
                
                (cd PKG && zip -qr ../root.zip . && zip -qr0 ../stored.zip . && zip -qr - . | cat > ../streamed.zip)"
            ),
        );
        for form in [
            "PKG",
            "top.tar",
            "top.tar.gz",
            "top.tar.zst",
            "top.zip",
            "dot.tar",
            "pax.tar.gz",
            "root.zip",
            "stored.zip",
            "streamed.zip",
        ] {
            let package = verified(&dir.join(form), &allowed(dir));
            assert_eq!(package.files().len(), 6, "{form}");
            assert!(package.files().is_sorted_by(|a, b| a.path < b.path));
            assert!(package.files().iter().all(|file| Digest::of(&file.bytes) == file.digest));
            assert_eq!(package.corte_json(), CORTE);
            assert_eq!(package.trust().signer(), Some("iec"));
        }
    }
}

#[test]
fn what_we_make_is_verified_by_the_stock_tools() {
    if ["ssh-keygen", "sha256sum", "tar", "gzip", "zstd", "unzip"].iter().any(|name| tool(name).is_none()) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    keys(dir);
    source(dir);
    for kind in KEYS {
        let key = pack::key(&fs::read_to_string(dir.join(kind)).unwrap()).unwrap();
        let package = pack::folder(&dir.join("PKG"), &Limits::default(), &key).unwrap();
        for form in FORMS {
            let name = format!("{kind}-pkg{form}");
            package.write(&dir.join(&name), &Limits::default()).unwrap();
            verified(&dir.join(&name), &allowed(dir));
            let unpack = match form {
                "" => format!("cp -r {name} out"),
                ".tar" => format!("mkdir out; tar xf {name} -C out"),
                ".tar.gz" => format!("mkdir out; tar xzf {name} -C out"),
                ".tar.zst" => format!("mkdir out; zstd -qdc {name} | tar x -C out"),
                _ => format!("LC_ALL=C.UTF-8 unzip -q {name} -d out"),
            };
            let found = sh(
                dir,
                &format!(
                    "rm -rf out; {unpack}
                    ssh-keygen -Y verify -f allowed_signers -I iec -n prep-corte -s out/SHA256SUMS.sig < out/SHA256SUMS
                    (cd out && sha256sum --check --strict --quiet SHA256SUMS && ls)
                    (cd out && {{ echo corte.json; find sitio -type f; }} | LC_ALL=C sort | xargs -d '\\n' sha256sum) | cmp - out/SHA256SUMS"
                ),
            );
            assert!(
                found.starts_with("Good \"prep-corte\" signature for iec") && found.ends_with("sitio\n"),
                "{found}"
            );
        }
    }
}

#[test]
fn equal_packages_are_equal_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let files = [("b/ñ.json".to_string(), Bytes::from("2")), ("a".to_string(), Bytes::from("1"))];
    for form in &FORMS[1..] {
        let make = |name: &str, files: &[(String, Bytes)]| {
            let out = dir.path().join(format!("{name}{form}"));
            pack::sign(CORTE.as_bytes(), files, &key()).unwrap().write(&out, &Limits::default()).unwrap();
            fs::read(out).unwrap()
        };
        assert_eq!(make("one", &files), make("two", &[files[1].clone(), files[0].clone()]), "{form}");
    }
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 8, "no draft is left: {left:?}");
}

#[test]
fn pack_refuses_what_verify_would_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let make = |corte: &str, paths: &[&str]| {
        let files: Vec<_> = paths.iter().map(|path| (path.to_string(), Bytes::from("x"))).collect();
        let made = pack::sign(corte.as_bytes(), &files, &key());
        match made
            .and_then(|package| package.write(&dir.path().join("out.tar"), &Limits { files: 5, ..Limits::default() }))
        {
            Ok(()) => "",
            Err(PackFault::Refused(refusal)) => refusal.code(),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(make("{}", &["a"]), "P042");
    assert_eq!(make(CORTE, &["../a"]), "P023");
    assert_eq!(make(CORTE, &["a", "A"]), "P029");
    assert_eq!(make(CORTE, &["a", "b", "c"]), "P012");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
    assert_eq!(make(CORTE, &["a", "b"]), "");
    fs::create_dir_all(dir.path().join("src/sitio")).unwrap();
    fs::write(dir.path().join("src/corte.json"), CORTE).unwrap();
    fs::write(dir.path().join("src/notas.txt"), "").unwrap();
    let fault = pack::folder(&dir.path().join("src"), &Limits::default(), &key()).unwrap_err();
    assert!(matches!(fault, PackFault::Refused(refusal) if refusal.code() == "P062"));
}

#[test]
fn keys_that_cannot_sign_say_why() {
    if tool("ssh-keygen").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    sh(dir.path(), "ssh-keygen -q -t ed25519 -N secreto -f locked; ssh-keygen -q -t ecdsa -b 384 -N '' -f p384");
    for (name, why) in [("locked", "passphrase"), ("p384", "not accepted"), ("locked.pub", "the public one")] {
        let fault = pack::key(&fs::read_to_string(dir.path().join(name)).unwrap()).unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}");
    }
}

#[test]
fn a_file_that_is_known_is_shared() {
    let dir = tempfile::tempdir().unwrap();
    let old = Bytes::from("igual");
    let files = [("a".to_string(), Bytes::from("igual")), ("b".to_string(), Bytes::from("nuevo"))];
    let out = dir.path().join("p.tar");
    pack::sign(CORTE.as_bytes(), &files, &key()).unwrap().write(&out, &Limits::default()).unwrap();
    let known = |digest: &Digest| (*digest == Digest::of(&old)).then(|| old.clone());
    let read = read(&Disk::machine(), &out, &Limits::default(), &InMemory { known: &known }).unwrap();
    let package = read.verify(&expecting(&signers_of(&key()))).unwrap();
    assert_eq!(package.files()[0].bytes.as_ptr(), old.as_ptr());
    assert_eq!(package.files()[1].bytes, "nuevo");
}

#[test]
fn a_real_site_in_every_form() {
    let Some(site) = data("qroo-2019/site-api-json.tar.xz") else { return };
    if ["tar", "xz"].iter().any(|name| tool(name).is_none()) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir_all(dir.join("PKG/sitio")).unwrap();
    fs::write(dir.join("PKG/corte.json"), CORTE).unwrap();
    sh(dir, &format!("tar xJf '{}' -C PKG/sitio", site.display()));
    let package = pack::folder(&dir.join("PKG"), &Limits::default(), &key()).unwrap();
    for form in FORMS {
        let out = dir.join(format!("qroo{form}"));
        package.write(&out, &Limits::default()).unwrap();
        assert_eq!(verified(&out, &signers_of(&key())).files().len(), 69, "{form}");
        let light = read(&Disk::machine(), &out, &Limits::default(), &Nothing).unwrap();
        let signers = signers_of(&key());
        let light = light.verify(&expecting(&signers));
        assert!(light.as_ref().is_ok_and(|light| light.files().iter().map(|file| file.bytes).sum::<u64>() > 3_000_000));
        assert_eq!(code_of(light), "");
    }
}
