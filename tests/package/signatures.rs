//! Who signed: every way in which a signature does not count.

use std::fs;

use difusor::corte::{Limits, Nothing, Signers, Tipo, read};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use crate::common::{CORTE, Tree, code_of, expecting, key, now, sh, signers_of, tool};

fn package() -> Tree {
    Tree::new(CORTE, &["index.html"])
}

/// Verifies the package against a signers file whose lines are these, before the tests' key.
fn against(tree: &Tree, fronts: &[&str], identity: Option<&str>) -> &'static str {
    let key = key().public_key().to_openssh().unwrap();
    let lines: String = fronts.iter().map(|front| format!("{front} {key}\n")).collect();
    let signers = Signers::parse(&lines).unwrap();
    let mut expected = expecting(&signers);
    expected.identity = identity.map(str::to_string);
    let read = read::tar_from(&tree.tar()[..], &Limits::default(), &Nothing).unwrap();
    code_of(read.verify(&expected))
}

fn signed_by(key: &PrivateKey, namespace: &str) -> Tree {
    let tree = package();
    let signature = key.sign(namespace, HashAlg::Sha512, tree.bytes("SHA256SUMS")).unwrap();
    tree.with("SHA256SUMS.sig", signature.to_pem(LineEnding::LF).unwrap())
}

#[test]
fn malformed() {
    let armor = String::from_utf8(package().bytes("SHA256SUMS.sig").to_vec()).unwrap();
    let with = |armor: String| package().with("SHA256SUMS.sig", armor).code();
    assert_eq!(with(armor.clone()), "");
    assert_eq!(with(armor.replace('\n', "\r\n")), "P047", "as ssh-keygen");
    assert_eq!(with(format!("x\n{armor}")), "P047");
    assert_eq!(with(format!("{armor}x")), "P047");
    assert_eq!(with(armor.replace("END", "FIN")), "P047");
    assert_eq!(with(armor.replace("U1NI", "U1NJ")), "P047");
    assert_eq!(with(String::new()), "P047");
    let body: Vec<&str> = armor.lines().collect();
    let one_line = format!("{}\n{}\n{}\n", body[0], body[1..body.len() - 1].concat(), body[body.len() - 1]);
    assert_eq!(with(one_line), "", "lines of any length, as ssh-keygen");
}

/// A signature is published beside the sums: one that we take and ssh-keygen does not would be no proof to anybody.
#[test]
fn nothing_in_a_signature_can_be_changed() {
    let armor = package().bytes("SHA256SUMS.sig").to_vec();
    let body = "-----BEGIN SSH SIGNATURE-----\n".len()..armor.len() - "\n-----END SSH SIGNATURE-----\n".len();
    let signers = signers_of(&key());
    for at in body.filter(|at| armor[*at] != b'\n') {
        for other in *b"A/bg8=" {
            let mut changed = armor.clone();
            changed[at] = other;
            let read =
                read::tar_from(&package().with("SHA256SUMS.sig", &changed[..]).tar()[..], &Limits::default(), &Nothing);
            let is_taken = read.unwrap().verify(&expecting(&signers)).is_ok();
            assert_eq!(is_taken, changed == armor, "{at} {}", char::from(other));
        }
    }
}

#[test]
fn key_unknown() {
    let other: PrivateKey = Ed25519Keypair::from_seed(&[8; 32]).into();
    assert_eq!(signed_by(&other, "prep-corte").code(), "P051");
}

#[test]
fn namespace_other() {
    assert_eq!(signed_by(&key(), "file").code(), "P052");
}

#[test]
fn key_not_for_this_namespace() {
    assert_eq!(against(&package(), &["iec namespaces=\"git,file\""], None), "P053");
    assert_eq!(against(&package(), &["iec namespaces=\"git\"", "iec namespaces=\"prep-*\""], None), "");
}

#[test]
fn key_outside_its_dates() {
    // The moment is 20:12 of 7 June in Monterrey; both ends are within.
    for (dates, code) in [
        ("valid-after=\"20260608\"", "P054"),
        ("valid-after=\"20260607\"", ""),
        ("valid-before=\"20260607\"", "P054"),
        ("valid-before=\"202606080212Z\"", ""),
        ("valid-before=\"202606072012\"", ""),
        ("valid-before=\"202606072011\"", "P054"),
        ("valid-after=\"202606072012\",valid-before=\"20260608\"", ""),
    ] {
        assert_eq!(against(&package(), &[&format!("iec {dates}")], None), code, "{dates}");
    }
}

#[test]
fn identity_other() {
    assert_eq!(against(&package(), &["iec,prep@*"], Some("prep@iec.org.mx")), "");
    assert_eq!(against(&package(), &["iec,prep@*"], Some("ine")), "P055");
    assert_eq!(against(&package(), &["*,!ine"], Some("ine")), "P055");
}

#[test]
fn signature_of_something_else() {
    let tree = package();
    let sums = [tree.bytes("SHA256SUMS"), b"\n"].concat();
    assert_eq!(tree.with("SHA256SUMS", sums).code(), "P056");
}

#[test]
fn rsa_with_sha_1_or_too_short() {
    if tool("ssh-keygen").is_none() || tool("base64").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("SHA256SUMS"), package().bytes("SHA256SUMS")).unwrap();
    sh(dir, "ssh-keygen -q -t rsa -b 2048 -N '' -f rsa; ssh-keygen -q -Y sign -f rsa -n prep-corte SHA256SUMS");
    sh(dir, "grep -v -- - SHA256SUMS.sig | base64 -d > blob");
    let verify = |dir: &std::path::Path| {
        let signers = format!("iec {}", fs::read_to_string(dir.join("rsa.pub")).unwrap());
        let armor = fs::read(dir.join("SHA256SUMS.sig")).unwrap();
        let tree = package().with("SHA256SUMS.sig", armor);
        let read = read::tar_from(&tree.tar()[..], &Limits::default(), &Nothing).unwrap();
        code_of(read.verify(&expecting(&Signers::parse(&signers).unwrap())))
    };
    assert_eq!(verify(dir), "");
    // The same signature under the name that stands for SHA-1: 5 bytes shorter, and so is what holds it.
    let blob = fs::read(dir.join("blob")).unwrap();
    let at = blob.windows(12).position(|w| w == b"rsa-sha2-512").unwrap();
    let held = u32::from_be_bytes(blob[at - 8..at - 4].try_into().unwrap()) - 5;
    let parts: [&[u8]; 4] = [&blob[..at - 8], &held.to_be_bytes(), b"\0\0\0\x07ssh-rsa", &blob[at + 12..]];
    fs::write(dir.join("blob"), parts.concat()).unwrap();
    sh(
        dir,
        "{ echo '-----BEGIN SSH SIGNATURE-----'; base64 -w 70 blob; echo '-----END SSH SIGNATURE-----'; } > SHA256SUMS.sig",
    );
    assert_eq!(verify(dir), "P047");
    sh(dir, "rm rsa rsa.pub; ssh-keygen -q -t rsa -b 1024 -N '' -f rsa");
    let fault = Signers::parse(&format!("iec {}", fs::read_to_string(dir.join("rsa.pub")).unwrap())).unwrap_err();
    assert!(fault.to_string().contains("1024 bits"), "{fault}");
}

#[test]
fn election_type_and_clock() {
    let signers = crate::common::signers_of(&key());
    let check = |change: &dyn Fn(&mut difusor::corte::Expectations<'_>)| {
        let mut expected = expecting(&signers);
        change(&mut expected);
        let read = read::tar_from(&package().tar()[..], &Limits::default(), &Nothing).unwrap();
        code_of(read.verify(&expected))
    };
    assert_eq!(check(&|e| e.eleccion = Some("coahuila-2026-diputaciones".into())), "");
    assert_eq!(check(&|e| e.eleccion = Some("coahuila-2026-ayuntamientos".into())), "P071");
    assert_eq!(check(&|e| e.tipo = Some(Tipo::Oficial)), "");
    assert_eq!(check(&|e| e.tipo = Some(Tipo::Simulacro)), "P072");
    assert_eq!(Tree::new(&CORTE.replace("T20:10", "T20:11"), &["a"]).code(), "P073");
    let corte = now() - jiff::SignedDuration::from_mins(2);
    assert_eq!(check(&|e| e.now = corte - jiff::SignedDuration::from_mins(5)), "");
    assert_eq!(check(&|e| e.now = corte - jiff::SignedDuration::from_secs(301)), "P074");
}
