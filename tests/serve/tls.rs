//! TLS, as openssl sees it: versions, names, protocols, resumption; and the clear port that sends everybody there.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::common::server::{Setup, Site};
use crate::common::wire::{Response, connect, raw};
use crate::common::{Tree, corte, sh, tool};

const ID: &str = "20240602_2010";
const REQUEST: &str = "GET / HTTP/1.1\\r\\nHost: a.example\\r\\nConnection: close\\r\\n\\r\\n";

fn published(site: Site) -> Site {
    site.deliver("p", &Tree::of(&corte(ID), &[("index.html", b"<p>hola"), ("datos/index.html", b"x")]));
    let id = || site.logged(&["INFO live ", ID]).pop();
    crate::common::server::until(id).expect("the corte goes live");
    site
}

/// What `openssl s_client` says, whether it succeeds or not. It sends one request and waits for the end of the answer.
fn s_client(site: &Site, args: &str) -> String {
    let line = format!("printf '{REQUEST}' | openssl s_client -connect {} -ign_eof {args} 2>&1", site.https());
    let out =
        Command::new("sh").args(["-c", &line]).current_dir(site.dir.path()).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn names_choose_the_certificate() {
    let Some(_) = tool("openssl") else { return };
    let site = published(Setup::both(&["a.example", "b.example", "*.c.example"]).start());
    let shown = |name: &str| {
        let said = s_client(&site, &format!("-servername {name} -tls1_3"));
        assert!(said.contains("<p>hola"), "{said}");
        let end = said.find("-----END CERTIFICATE-----").unwrap();
        let pem = &said[said.find("-----BEGIN CERTIFICATE-----").unwrap()..end];
        ["a.example", "b.example", "*.c.example"].into_iter().find(|name| {
            let own = std::fs::read_to_string(site.path(&format!("{name}.pem"))).unwrap().replace('\r', "");
            own.contains(pem.replace('\r', "").trim_end())
        })
    };
    assert_eq!(shown("a.example"), Some("a.example"));
    assert_eq!(shown("b.example"), Some("b.example"));
    assert_eq!(shown("B.Example"), Some("b.example"));
    assert_eq!(shown("x.c.example"), Some("*.c.example"));
    assert_eq!(shown("otro.example"), Some("a.example"), "the first one for every other name");
}

#[test]
fn protocols_and_versions() {
    let Some(_) = tool("openssl") else { return };
    let site = published(Setup::both(&["a.example"]).start());
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(&site, &format!("-alpn http/1.1 {version}"));
        assert!(said.contains("ALPN protocol: http/1.1") && said.contains("<p>hola"), "{said}");
        // Without anything to say, s_client ends by itself.
        let line = format!("openssl s_client -connect {} -alpn h2,http/1.1 {version} </dev/null 2>&1", site.https());
        let said = sh(site.dir.path(), &line);
        assert!(said.contains("ALPN protocol: h2"), "{said}");
    }
    let said = s_client(&site, "-tls1_1 -cipher DEFAULT@SECLEVEL=0");
    assert!(said.contains("alert") && !said.contains("<p>hola"), "{said}");
    let said = s_client(&site, "-alpn spdy/1");
    assert!(said.contains("alert") && !said.contains("<p>hola"), "{said}");
}

#[test]
fn sessions_are_resumed_by_tickets() {
    let Some(_) = tool("openssl") else { return };
    let site = published(Setup::both(&["a.example"]).start());
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(&site, &format!("{version} -sess_out session{version}"));
        assert!(said.contains("New, TLSv1") && said.contains("<p>hola"), "{said}");
        // Whichever core takes the connection.
        for _ in 0..4 {
            let said = s_client(&site, &format!("{version} -sess_in session{version}"));
            assert!(said.contains("Reused, TLSv1") && said.contains("<p>hola"), "{said}");
        }
    }
}

#[test]
fn aes_128_is_preferred_but_to_the_chacha_of_who_names_that_first() {
    let Some(_) = tool("openssl") else { return };
    let site = published(Setup::both(&["a.example"]).start());
    for (way, aes_256, aes_128, chacha) in [
        ("-tls1_3 -ciphersuites", "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
        (
            "-tls1_2 -cipher",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ),
    ] {
        for (suites, chosen) in [
            (vec![aes_256, chacha, aes_128], aes_128),
            (vec![aes_128, aes_256, chacha], aes_128),
            (vec![chacha, aes_256, aes_128], chacha),
            (vec![chacha], chacha),
            (vec![aes_256], aes_256),
        ] {
            let session = format!("{way} {} -sess_out session", suites.join(":"));
            let said = s_client(&site, &session);
            assert!(said.contains(&format!("Cipher is {chosen}")) && said.contains("<p>hola"), "{said}");
            let said = s_client(&site, &session.replace("-sess_out", "-sess_in"));
            assert!(said.contains("Reused, TLSv1") && said.contains(&format!("Cipher is {chosen}")), "{said}");
        }
    }
    // Whoever has a ticket of another hash begins anew.
    let said = s_client(&site, "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384 -sess_out session");
    assert!(said.contains("New, TLSv1.3"), "{said}");
    let both = "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";
    let said = s_client(&site, &format!("{both} -sess_in session -sess_out session"));
    assert!(said.contains("New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256") && said.contains("<p>hola"), "{said}");
    let said = s_client(&site, &format!("{both} -sess_in session"));
    assert!(said.contains("Reused, TLSv1.3") && said.contains("<p>hola"), "{said}");
}

#[test]
fn sessions_outlive_a_restart() {
    let Some(_) = tool("openssl") else { return };
    let mut site = published(Setup::both(&["a.example"]).start());
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(s_client(&site, &format!("{version} -sess_out session{version}")).contains("New, TLSv1"));
    }
    let keys = site.path("state/tickets");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&keys).unwrap());
    assert_eq!(mode & 0o777, 0o600, "nobody else's");
    site.kill_and_start();
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(&site, &format!("{version} -sess_in session{version}"));
        assert!(said.contains("Reused, TLSv1") && said.contains("<p>hola"), "{said}");
    }
    // With keys that are none, everybody starts anew.
    std::fs::write(&keys, "roto").unwrap();
    site.kill_and_start();
    assert!(s_client(&site, "-tls1_3 -sess_in session-tls1_3").contains("New, TLSv1"));
}

#[test]
fn the_clear_port_sends_everybody_to_tls() {
    let setup = Setup::new().with("listen", "http = [\"127.0.0.1:0\"]\nhttps = [\"127.0.0.1:0\"]");
    let site = published(setup.certificate("a.example").start());
    let port = site.https().port();
    let asked = |head: &str| raw(site.http(), format!("{head}\r\n\r\n")).remove(0);
    let cases = [
        ("GET / HTTP/1.1\r\nHost: a.example", "a.example", "/"),
        ("GET /datos?x=%20 HTTP/1.1\r\nHost: a.example:80", "a.example", "/datos?x=%20"),
        ("HEAD /a HTTP/1.1\r\nHost: 127.0.0.1:8080", "127.0.0.1", "/a"),
        ("GET http://b.example/a HTTP/1.1\r\nHost: b.example", "b.example", "/a"),
        ("GET /a HTTP/1.1\r\nHost: [::1]:80", "[::1]", "/a"),
    ];
    for (head, host, target) in cases {
        let moved = asked(head);
        assert_eq!((moved.status, moved.field("corte")), (301, Some(ID)), "{head}");
        assert_eq!(moved.field("location"), Some(&*format!("https://{host}:{port}{target}")));
    }
    // What would be refused there is refused here.
    for (head, status) in [
        ("POST /a HTTP/1.1\r\nHost: a.example", 405),
        ("GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: a.example", 204),
    ] {
        let refused = asked(head);
        assert_eq!((refused.status, refused.field("location")), (status, None), "{head}");
    }
    // Where nobody can be sent on, there is the ordinary answer.
    assert_eq!(asked("GET / HTTP/1.0").status, 200);
    assert_eq!(asked("GET / HTTP/1.1").status, 400);
    assert_eq!(asked("GET / HTTP/1.1\r\nHost: user@evil").status, 400);
    if tool("curl").is_some() {
        let followed = format!(
            "curl -sSL --cacert a.example.pem --connect-to ::127.0.0.1: http://a.example:{}/",
            site.http().port()
        );
        assert_eq!(sh(site.dir.path(), &followed), "<p>hola");
    }
}

#[test]
fn a_client_that_speaks_no_tls_is_nobody_elses_trouble() {
    let site = published(Setup::both(&["a.example"]).start());
    assert!(raw_bytes(&site, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").iter().all(|b| *b != b'<'));
    assert_eq!(site.get("/").status, 200);
}

fn raw_bytes(site: &Site, bytes: &[u8]) -> Vec<u8> {
    use std::io::{Read, Write};
    let mut stream = crate::common::wire::connect(site.https());
    stream.write_all(bytes).unwrap();
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got);
    got
}

/// The serial number that a client is shown.
fn serial(site: &Site, args: &str) -> String {
    let line = format!(
        "openssl s_client -connect {} {args} </dev/null 2>/dev/null | openssl x509 -noout -serial",
        site.https()
    );
    sh(site.dir.path(), &line)
}

type Secure = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// A connection over TLS that trusts the site's own certificate.
fn secure(site: &Site) -> Secure {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(site.path("a.example.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = Arc::new(config.with_no_client_auth());
    let client = ClientConnection::new(config, "a.example".try_into().unwrap()).unwrap();
    BufReader::new(StreamOwned::new(client, connect(site.https())))
}

fn get(connected: &mut Secure) -> Response {
    connected.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    Response::read(connected, false).unwrap()
}

#[test]
fn certificates_are_renewed_while_connections_go_on() {
    let Some(_) = tool("openssl") else { return };
    let site = published(Setup::both(&["a.example"]).start());
    let (chain, key) = (site.path("a.example.pem"), site.path("a.example.key"));
    let first = serial(&site, "");
    let mut connected = secure(&site);
    assert_eq!(get(&mut connected).status, 200);
    let make = |called: &str, extra: &str| {
        let line = format!(
            "openssl req -x509 -newkey {extra} -nodes -keyout {called}.key -out {called}.pem -days 2 -subj /CN=a \\
             -addext subjectAltName=DNS:a.example 2>/dev/null"
        );
        sh(site.dir.path(), &line);
        (site.path(&format!("{called}.pem")), site.path(&format!("{called}.key")))
    };
    let hangup = || rustix::process::kill_process(site.pid(), rustix::process::Signal::HUP).unwrap();
    let (new_chain, new_key) = make("nuevo", "ec -pkeyopt ec_paramgen_curve:P-256");
    std::fs::rename(new_chain, &chain).unwrap();
    std::fs::rename(new_key, &key).unwrap();
    hangup();
    site.log_line(&["new certificates are in use", "public"]);
    let second = serial(&site, "");
    assert!(first != second && second.starts_with("serial="), "{first} {second}");
    // Without a signal they are found too, and broken ones change nothing.
    std::fs::write(&key, "no es una llave").unwrap();
    site.log_line(&["the old ones stay", "a.example.key"]);
    assert_eq!(serial(&site, ""), second);
    assert_eq!(get(&mut connected).status, 200, "who was connected stays so");
    let told = std::fs::read_to_string(site.path("state/incidents.jsonl")).unwrap();
    assert!(told.contains("\"T001\"") && told.contains("\"T002\""), "{told}");
}

#[test]
fn old_clients_get_the_rsa_certificate_of_the_same_name() {
    let Some(_) = tool("openssl") else { return };
    let site = Setup::both(&["a.example"]);
    let made = tempfile::tempdir().unwrap();
    let line = "openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -days 2 -subj /CN=a \
                -addext subjectAltName=DNS:a.example 2>/dev/null";
    sh(made.path(), line);
    let at = |name: &str| made.path().join(name).display().to_string();
    let site = published(site.certificate_of(&at("rsa.pem"), &at("rsa.key")).start());
    let kind = |args: &str| {
        let line = format!(
            "openssl s_client -connect {} -servername a.example {args} </dev/null 2>/dev/null | openssl x509 -noout -text \
             | grep 'Public Key Algorithm'",
            site.https()
        );
        sh(site.dir.path(), &line)
    };
    assert!(kind("").contains("id-ecPublicKey"));
    assert!(kind("-sigalgs RSA-PSS+SHA256").contains("rsaEncryption"));
    assert!(kind("-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256").contains("rsaEncryption"));
    for (suites, chosen) in [
        ("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
    ] {
        let said = s_client(&site, &format!("-tls1_2 -cipher {suites}"));
        assert!(said.contains(&format!("Cipher is {chosen}")) && said.contains("<p>hola"), "{said}");
    }
}
