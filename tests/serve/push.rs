//! Packages pushed over TLS, by curl and by `difusor push`; who is let in, and what each refusal says.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::common::server::{Setup, Site, until};
use crate::common::verbs::{Said, difusor};
use crate::common::wire::{Response, curl};
use crate::common::{Tree, corte, tool};

const FIRST: &str = "20240602_2010";
const SECOND: &str = "20240602_2020";

fn package(id: &str) -> Tree {
    Tree::of(&corte(id), &[("index.html", b"<p>hola"), ("total.json", b"{}")])
}

/// A site that listens for packages, with a token for `redaccion` in the file `token`.
fn setup(lines: &str) -> Setup {
    let setup = Setup::clear();
    let dir = setup.dir.path().to_owned();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(dir.join("admin.pem"), made.cert.pem()).unwrap();
    fs::write(dir.join("admin.key"), made.signing_key.serialize_pem()).unwrap();
    let said = difusor(&dir, &["token", "redaccion"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let (token, line) = said.out.split_once('\n').unwrap();
    fs::write(dir.join("token"), format!("{token}\n")).unwrap();
    fs::write(dir.join("tokens"), line).unwrap();
    let listen = "listen = \"127.0.0.1:0\"\nchain = \"admin.pem\"\nkey = \"admin.key\"";
    setup.with("admin", &format!("{listen}\n{lines}"))
}

fn with_token() -> Setup {
    setup("tokens = \"tokens\"")
}

/// An authority in `ca.pem`, and a certificate by it for `name`: `NAME.pem`, `NAME.key`.
fn authority(dir: &Path, ca: &str, name: &str) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(dir.join(format!("{ca}.pem")), issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn url(site: &Site, path: &str) -> String {
    format!("https://{}{path}", site.admin())
}

/// `curl -T` of these bytes.
fn put(site: &Site, name: &str, bytes: &[u8], args: &[&str]) -> Response {
    let file = site.path("body");
    fs::write(&file, bytes).unwrap();
    let (file, ca) = (file.display().to_string(), site.path("admin.pem").display().to_string());
    let url = url(site, &format!("/packages/{name}"));
    let mut all = vec!["--cacert", &ca, "-T", &file, &url];
    all.extend(args);
    let mut response = curl(&all);
    // curl shows `100 Continue` too, and what comes after it as its body.
    while response.status == 100 {
        let text = [&response.body[..]].concat();
        response = Response::read(&mut &text[..], false).unwrap();
    }
    response
}

fn bearer(site: &Site) -> String {
    format!("Authorization: Bearer {}", fs::read_to_string(site.path("token")).unwrap().trim())
}

fn push(site: &Site, package: &str, args: &[&str]) -> Said {
    let url = url(site, "");
    let mut all = vec!["push", package, "--to", &url, "--ca", "admin.pem"];
    all.extend(args);
    difusor(site.dir.path(), &all)
}

fn json(response: &Response) -> serde_json::Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&response.body)))
}

fn staged(site: &Site) -> usize {
    fs::read_dir(site.path("state/staging")).unwrap().count()
}

#[test]
fn curl_pushes_a_package_and_it_is_live_when_it_is_answered() {
    let Some(_) = tool("curl") else { return };
    let site = with_token().start();
    let token = bearer(&site);
    let name = format!("{FIRST}.tar");
    let response = put(&site, &name, &package(FIRST).tar(), &["-H", &token]);
    assert_eq!((response.status, &json(&response)["outcome"]), (201, &"live".into()), "{}", response.head);
    assert_eq!(site.get("/").field("corte"), Some(FIRST));
    let again = put(&site, &name, &package(FIRST).tar(), &["-H", &token]);
    assert_eq!((again.status, &json(&again)["outcome"]), (200, &"same".into()));
    // Refused: with its code, its sentence, and its line.
    let spoilt = package(SECOND).with("sitio/index.html", "x");
    let refused = put(&site, "spoilt.zip", &spoilt.zip(), &["-H", &token]);
    assert_eq!((refused.status, &json(&refused)["code"]), (422, &"P063".into()));
    assert_eq!(json(&refused)["title"], "Un archivo del paquete llegó distinto o cortado");
    let cut = put(&site, "cut.zip", &package(SECOND).zip()[..400], &["-H", &token]);
    assert_eq!((cut.status, &json(&cut)["code"]), (422, &"P003".into()));
    assert_eq!(site.get("/").field("corte"), Some(FIRST));
    assert_eq!(staged(&site), 0);
    let journal = fs::read_to_string(site.path("state/incidents.jsonl")).unwrap();
    assert!(journal.contains("\"code\":\"P063\"") && journal.contains("spoilt.zip"), "{journal}");
}

#[test]
fn nobody_comes_in_without_a_token_that_holds() {
    let Some(_) = tool("curl") else { return };
    let site = with_token().start();
    let bytes = package(FIRST).tar();
    let none = put(&site, "a.tar", &bytes, &[]);
    assert_eq!((none.status, none.field("www-authenticate")), (401, Some("Bearer realm=\"difusor\"")));
    let good = bearer(&site);
    let last = good.pop_char();
    for wrong in [format!("{good}x"), last.clone(), good.replace("Bearer", "Basic"), "Authorization: Bearer".into()] {
        let refused = put(&site, "a.tar", &bytes, &["-H", &wrong]);
        assert_eq!(refused.status, 401, "{wrong}");
        assert!(json(&refused)["title"].as_str().is_some_and(|title| title.contains("contraseña")));
    }
    assert_eq!(site.get("/").status, 503);
    // What only the machine itself may do.
    let ca = site.path("admin.pem").display().to_string();
    for (path, status) in [("/hold", 403), ("/notify", 403), ("/state", 403), ("/metrics", 405), ("/", 404)] {
        let response = curl(&["--cacert", &ca, "-X", "POST", "-H", &good, &url(&site, path)]);
        assert_eq!(response.status, status, "{path}");
    }
    let metrics = curl(&["--cacert", &ca, "-H", &good, &url(&site, "/metrics")]);
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(text.contains("difusor_uploads_total") || text.contains("difusor_start_seconds"), "{text}");
    // Besides five that were refused: whether anybody keeps this machine's clock right.
    let journal = fs::read_to_string(site.path("state/incidents.jsonl")).unwrap();
    let all = 5 + usize::from(journal.contains("\"C001\""));
    assert!(text.contains(&format!("difusor_incidents_total{{severity=\"advertencia\"}} {all}\n")), "{text}");
    // Taken from him while the service runs.
    fs::write(site.path("tokens"), "# nobody\n").unwrap();
    assert_eq!(put(&site, "a.tar", &bytes, &["-H", &good]).status, 401);
}

trait PopChar {
    fn pop_char(&self) -> String;
}

impl PopChar for String {
    fn pop_char(&self) -> String {
        let mut text = self.clone();
        text.pop();
        text
    }
}

#[test]
fn too_large_is_413_however_it_comes() {
    let Some(_) = tool("curl") else { return };
    let site = with_token().with("limits", "package_bytes = \"1 MiB\"\nfile_bytes = \"1 MiB\"").start();
    let token = bearer(&site);
    let large = vec![0; 3 << 20];
    for args in
        [&["-H", &token][..], &["-H", &token, "-H", "Transfer-Encoding: chunked"], &["-H", &token, "-H", "Expect:"]]
    {
        let response = put(&site, "a.tar", &large, args);
        assert_eq!(response.status, 413, "{args:?}");
        assert!(json(&response)["detail"].as_str().is_some_and(|why| why.contains("limits.package_bytes")));
    }
    assert_eq!(staged(&site), 0);
}

#[test]
fn a_push_that_is_cut_leaves_nothing() {
    let Some(_) = tool("curl") else { return };
    let site = with_token().start();
    fs::write(site.path("large.tar"), vec![7; 4 << 20]).unwrap();
    let ca = site.path("admin.pem");
    let mut command = Command::new("curl");
    command.args(["-sS", "--limit-rate", "200k", "-H", &bearer(&site), "--cacert"]).arg(ca);
    command.arg("-T").arg(site.path("large.tar")).arg(url(&site, "/packages/large.tar"));
    let mut sending = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| (staged(&site) == 1).then_some(())).expect("it arrives");
    sending.kill().unwrap();
    sending.wait().unwrap();
    until(|| (staged(&site) == 0).then_some(())).expect("it goes away");
    let journal = || fs::read_to_string(site.path("state/incidents.jsonl")).ok();
    let noted = until(|| journal().filter(|text| text.contains("\"code\":\"A012\"")));
    assert!(noted.unwrap().contains("push redaccion"));
    assert_eq!(site.get("/").status, 503);
}

#[test]
fn difusor_push_sends_archives_and_folders_and_tells_the_verdict() {
    let site = with_token().start();
    package(FIRST).write(&site.path(FIRST));
    fs::write(site.path(&format!("{SECOND}.zip")), package(SECOND).zip()).unwrap();
    let token = ["--token-file", "token"];
    let said = push(&site, FIRST, &token);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.err);
    assert_eq!(said.out, format!("live {FIRST}\n"));
    let said = push(&site, &format!("{SECOND}.zip"), &token);
    assert!(said.code == 0 && said.out.starts_with(&format!("live {SECOND}")), "{said:?}");
    let said = push(&site, &format!("{SECOND}.zip"), &token);
    assert!(said.code == 0 && said.out.starts_with(&format!("same {SECOND}")), "{said:?}");
    let line = difusor(site.dir.path(), &["hold", "--reason", "revisión"]);
    assert_eq!(line.code, 0, "{}", line.err);
    fs::write(site.path("third.tar"), package("20240602_2030").tar()).unwrap();
    let said = push(&site, "third.tar", &token);
    assert!(said.code == 0 && said.out.starts_with("held 20240602_2030"), "{said:?}");
    assert_eq!(site.get("/").field("corte"), Some(SECOND));
    // Refused: 1, with the code.
    fs::write(site.path("bad.tar"), package("20240602_2040").with("sitio/total.json", "x").tar()).unwrap();
    let said = push(&site, "bad.tar", &token);
    assert!(said.code == 1 && said.out.is_empty() && said.err.contains("P063"), "{said:?}");
    // Not let in: 1, and tried once only.
    fs::write(site.path("wrong"), "difusor_0\n").unwrap();
    let said = push(&site, "bad.tar", &["--token-file", "wrong"]);
    assert!(
        said.code == 1 && said.err.contains("no line of admin.tokens") && said.err.lines().count() == 1,
        "{said:?}"
    );
    // Wrong use: 2.
    for args in [&[][..], &["--token-file", "nowhere"], &["--cert", "admin.pem"], &["--cert", "a", "--key", "b"]] {
        assert_eq!(push(&site, "bad.tar", args).code, 2, "{args:?}");
    }
    assert_eq!(push(&site, "nowhere.tar", &token).code, 2);
    let clear = difusor(site.dir.path(), &["push", "bad.tar", "--to", "http://127.0.0.1", "--token-file", "token"]);
    assert!(clear.code == 2 && clear.err.contains("https://"), "{clear:?}");
}

#[test]
fn nobody_is_given_a_package_who_is_not_whom_it_is_for() {
    let site = with_token().start();
    fs::write(site.path("a.tar"), package(FIRST).tar()).unwrap();
    authority(site.dir.path(), "other", "x");
    let url = url(&site, "");
    let args = ["push", "a.tar", "--to", &url, "--token-file", "token", "--ca", "other.pem"];
    let said = difusor(site.dir.path(), &args);
    assert!(said.code == 1 && said.err.contains("certificate") && said.err.lines().count() == 1, "{said:?}");
    assert_eq!(site.get("/").status, 503);
}

#[test]
fn a_certificate_lets_in_by_its_name() {
    let setup = setup("client_ca = \"ca.pem\"");
    authority(setup.dir.path(), "ca", "iec.example");
    authority(setup.dir.path(), "other", "stranger");
    let site = setup.start();
    fs::write(site.path("a.tar"), package(FIRST).tar()).unwrap();
    for args in [&["--cert", "stranger.pem", "--key", "stranger.key"][..], &["--token-file", "token"]] {
        let said = push(&site, "a.tar", args);
        assert_eq!((said.code, said.err.lines().count()), (1, 1), "{said:?}");
    }
    let said = push(&site, "a.tar", &["--cert", "iec.example.pem", "--key", "iec.example.key"]);
    assert!(said.code == 0 && said.out.starts_with("live"), "{said:?}");
    fs::write(site.path("b.exe.zip"), "no zip").unwrap();
    let said = push(&site, "b.exe.zip", &["--cert", "iec.example.pem", "--key", "iec.example.key"]);
    assert!(said.code == 1 && said.err.contains("P003"), "{said:?}");
}
