//! The three degrees of trust, and what was accepted made a `Verified` again.

use std::path::Path;

use bytes::Bytes;
use difusor::base::digest::Digest;
use difusor::base::disk::Disk;
use difusor::corte::{self, Expectations, File, InMemory, Limits, Proof, Refusal, Signers, Trust, Verified, read};
use difusor::snapshot::{Entry, Known, Snapshot};

use crate::common::{CORTE, Tree, code_of, expecting, key, now, signers_of};

fn package() -> Tree {
    Tree::new(CORTE, &["index.html", "datos/total.json"])
}

fn under(trust: Trust, signers: &Signers) -> Expectations<'_> {
    Expectations { trust, ..expecting(signers) }
}

fn verify(tree: &Tree, trust: Trust) -> Result<Verified, Refusal> {
    let read = read::tar_from(&tree.tar()[..], &Limits::default(), &InMemory { known: &|_| None })?;
    read.verify(&under(trust, &signers_of(&key())))
}

#[test]
fn sums_are_enough_where_no_signature_is_asked_for() {
    for tree in [package(), package().without("SHA256SUMS.sig"), package().with("SHA256SUMS.sig", "nonsense")] {
        let verified = verify(&tree, Trust::Checksums).unwrap();
        assert_eq!(verified.trust(), &Proof::Checksums);
        assert_eq!((verified.trust().signature(), verified.trust().signer()), (None, None), "nothing unproven goes on");
        assert_eq!(verified.files().len(), 2);
    }
    let signed = verify(&package(), Trust::Signed).unwrap();
    let Proof::Signed { signer, fingerprint, signature } = signed.trust() else { panic!("{:?}", signed.trust()) };
    assert!(signer == "iec" && fingerprint.starts_with("SHA256:"));
    assert_eq!(&signature[..], package().bytes("SHA256SUMS.sig"));
}

#[test]
fn all_the_rest_holds_without_a_signature_too() {
    let later = CORTE.replace("20260607", "20260608").replace("2026-06-07", "2026-06-08");
    for (expected, tree) in [
        ("P041", package().without("corte.json")),
        ("P043", package().without("SHA256SUMS")),
        ("P044", package().with("SHA256SUMS", "x")),
        ("P061", package().without("sitio/index.html")),
        ("P062", package().with("sitio/más", "")),
        ("P063", package().with("sitio/index.html", "other")),
        ("P063", package().with("corte.json", "{}")),
        ("P042", package().with("corte.json", "{}").sealed()),
        ("P074", Tree::new(&later, &["a"])),
    ] {
        assert_eq!(code_of(verify(&tree, Trust::Checksums)), expected);
    }
    assert_eq!(code_of(verify(&package().without("SHA256SUMS.sig"), Trust::Signed)), "P046");
    let nobody = Signers::none();
    let read = read::tar_from(&package().tar()[..], &Limits::default(), &corte::Nothing).unwrap();
    assert_eq!(code_of(read.verify(&under(Trust::Signed, &nobody))), "P051");
}

/// The files as a vault hands them back.
fn kept(verified: &Verified) -> Vec<File> {
    let mut files: Vec<File> = verified.files().to_vec();
    files.reverse();
    files
}

#[test]
fn what_was_accepted_is_restored() {
    for trust in [Trust::Signed, Trust::Checksums, Trust::Transport] {
        let accepted = verify(&package(), trust).unwrap();
        let signature = accepted.trust().signature().cloned();
        // What is asked for now is another matter; the files come in any order.
        let signers = signers_of(&key());
        let expected = under(Trust::Signed, &signers);
        let (json, sums) = (accepted.corte_json().clone(), accepted.sums().clone());
        let restore = |json: &Bytes, sums: &Bytes, signature: &Option<Bytes>, files: Vec<File>| {
            corte::restore(json.clone(), sums.clone(), signature.clone(), files, trust, &expected)
        };
        let restored = restore(&json, &sums, &signature, kept(&accepted)).unwrap();
        assert_eq!(restored.trust(), accepted.trust());
        assert_eq!(restored.corte(), accepted.corte());
        assert_eq!(restored.sums(), accepted.sums());
        assert!(restored.files().is_sorted_by(|a, b| a.path < b.path));

        let mut damaged = kept(&accepted);
        damaged[0].digest = Digest::of(b"rotten");
        assert_eq!(code_of(restore(&json, &sums, &signature, damaged)), "P063");
        let lost = kept(&accepted).split_off(1);
        assert_eq!(code_of(restore(&json, &sums, &signature, lost)), "P061");
        let mut added = kept(&accepted);
        added.push(File { path: "../x".into(), ..added[0].clone() });
        assert_eq!(code_of(restore(&json, &sums, &signature, added)), "P062");
        assert_eq!(code_of(restore(&Bytes::from("{}"), &sums, &signature, kept(&accepted))), "P063");
    }
    let signed = verify(&package(), Trust::Signed).unwrap();
    let (json, sums) = (signed.corte_json().clone(), signed.sums().clone());
    let signers = signers_of(&key());
    let without = corte::restore(json, sums, None, kept(&signed), Trust::Signed, &expecting(&signers));
    assert_eq!(code_of(without), "P046", "the ledger's word alone is no signature");
}

#[test]
fn restored_by_the_clock_of_its_acceptance() {
    let line = format!(r#"iec valid-before="202606080213Z" {}"#, key().public_key().to_openssh().unwrap());
    let signers = Signers::parse(&line).unwrap();
    let accepted = verify(&package(), Trust::Signed).unwrap();
    let restored_at = |now| {
        let expected = Expectations { now, ..expecting(&signers) };
        let (json, sums) = (accepted.corte_json().clone(), accepted.sums().clone());
        let signature = accepted.trust().signature().cloned();
        code_of(corte::restore(json, sums, signature, kept(&accepted), Trust::Signed, &expected))
    };
    assert_eq!(restored_at(now()), "");
    assert_eq!(restored_at(now() + jiff::SignedDuration::from_hours(24)), "P054");
}

#[test]
fn a_bare_tree_is_read_but_for_what_rsync_makes_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let published = ["index.html", "corte.json", "SHA256SUMS", ".well-known/x", "datos/.a.12345"];
    let meanwhile =
        [".index.html.Ab3dE9", ".~tmp~/index.html", "datos/.~tmp~/a", "datos/.rsync-partial/b", "datos/.c.abcdef"];
    let write = |path: &&str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    };
    published.iter().for_each(write);
    let large = Limits { corte_json_bytes: 0, sums_bytes: 0, ..Limits::default() };
    let paths = |from: &Path| -> Vec<String> {
        let bare = corte::read_bare(&Disk::machine(), from, &large, &corte::Nothing).unwrap();
        bare.files().iter().map(|file| file.path.clone()).collect()
    };
    let mut expected = published.map(str::to_string).to_vec();
    expected.sort_unstable();
    assert_eq!(paths(dir.path()), expected, "no file of it says what the others are");
    meanwhile.iter().for_each(write);
    assert_eq!(paths(dir.path()), expected);
    let tree = Tree(published.iter().map(|path| (path.as_bytes().to_vec(), b"x".to_vec())).collect());
    let archives = tempfile::tempdir().unwrap();
    std::fs::write(archives.path().join("a.tar"), tree.tar()).unwrap();
    std::fs::write(archives.path().join("a.zip"), tree.zip()).unwrap();
    assert_eq!(paths(&archives.path().join("a.tar")), expected);
    assert_eq!(paths(&archives.path().join("a.zip")), expected);
}

#[test]
fn a_bare_tree_is_held_to_paths_and_limits() {
    let code = |tree: &Tree, limits: &Limits| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.tar"), tree.tar()).unwrap();
        let read = corte::read_bare(&Disk::machine(), &dir.path().join("a.tar"), limits, &corte::Nothing);
        read.map_or_else(|refusal| refusal.code(), |_| "")
    };
    let tree = |paths: &[&str]| Tree(paths.iter().map(|path| (path.as_bytes().to_vec(), b"xyz".to_vec())).collect());
    let limits = Limits::default();
    assert_eq!(code(&tree(&["a", "b/c"]), &limits), "");
    assert_eq!(code(&tree(&["../a"]), &limits), "P023");
    assert_eq!(code(&tree(&["a", "A"]), &limits), "P029");
    assert_eq!(code(&tree(&["a", "b"]), &Limits { files: 1, ..limits.clone() }), "P012");
    assert_eq!(code(&tree(&["a"]), &Limits { file_bytes: 2, ..limits.clone() }), "P013");
    assert_eq!(code(&tree(&["a", "b"]), &Limits { total_bytes: 5, ..limits }), "P011");
}

#[test]
fn what_is_published_says_how_it_was_trusted() {
    for (trust, word, signed_by) in [
        (Trust::Signed, "signed", Some("iec")),
        (Trust::Checksums, "checksums", None),
        (Trust::Transport, "transport", None),
    ] {
        let snapshot = Snapshot::usual(&verify(&package(), trust).unwrap(), &Known::default(), now(), None);
        let Some(Entry::File(about)) = snapshot.get(".prep/corte.json") else { panic!("it is not there") };
        let about: serde_json::Value = serde_json::from_slice(&about.content.identity().body).unwrap();
        assert_eq!((about["confianza"].as_str(), about["firmante"].as_str()), (Some(word), signed_by));
        assert!(about.as_object().unwrap().contains_key("firmante"));
        assert_eq!(snapshot.get(".prep/SHA256SUMS.sig").is_some(), trust == Trust::Signed);
        assert!(snapshot.get(".prep/SHA256SUMS").is_some());
    }
}
