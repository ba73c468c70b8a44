//! Packages fetched by the real binary: from Debian's nginx, over TLS with a private root, through a proxy.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::common::proxy::Proxy;
use crate::common::server::{Setup, until};
use crate::common::{Tree, corte, passed_over};

const ONE: &str = "20240602_2000";
const TWO: &str = "20240602_2010";
const TOKEN: &str = "Bearer abc";

fn package(id: &str) -> Vec<u8> {
    let noise: Vec<u8> = (0..40_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    Tree::of(&corte(id), &[("index.html", id.as_bytes()), ("datos/acta.mp4", &noise)]).tar()
}

/// nginx with a site of its own, in clear and over TLS; it ends with this.
struct Nginx {
    dir: tempfile::TempDir,
    child: Child,
    http: u16,
    https: u16,
}

/// Debian keeps it where a user's PATH does not look.
fn nginx() -> Option<PathBuf> {
    let found = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].map(PathBuf::from).into_iter().find(|path| path.exists());
    if found.is_none() {
        passed_over("nginx is not installed");
    }
    found
}

impl Nginx {
    /// `extra`: directives of its only location.
    fn start(extra: &str) -> Option<Nginx> {
        let program = nginx()?;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("sitio")).unwrap();
        private_root(dir.path());
        // Ports that were free a moment ago.
        let free: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = free.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(free);
        let temporary =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path tmp;"));
        let config = format!(
            "daemon off; master_process off; error_log stderr error; pid pid; events {{ }}\n\
             http {{\n{}\nlog_format brief '$server_port $request_uri $status $http_authorization';\n\
             access_log access.log brief;\nssl_certificate leaf.pem; ssl_certificate_key leaf.key;\n\
             server {{ listen 127.0.0.1:{}; listen 127.0.0.1:{} ssl; root sitio; location / {{ {extra} }} }}\n}}\n",
            temporary.concat(),
            ports[0],
            ports[1]
        );
        fs::write(at("nginx.conf"), config).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(dir.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let nginx = Nginx { dir, child, http: ports[0], https: ports[1] };
        until(|| std::net::TcpStream::connect(("127.0.0.1", nginx.http)).ok()).expect("nginx listens");
        Some(nginx)
    }

    /// Puts a file there in one step, as whoever publishes does.
    fn put(&self, name: &str, bytes: &[u8]) {
        let site = self.dir.path().join("sitio");
        fs::write(site.join(".draft"), bytes).unwrap();
        fs::rename(site.join(".draft"), site.join(name)).unwrap();
    }

    /// As if it had been there for years: a tag of this very second is not trusted with the rest of a file.
    fn put_long_ago(&self, name: &str, bytes: &[u8]) {
        self.put(name, bytes);
        let file = fs::File::options().write(true).open(self.dir.path().join("sitio").join(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
    }

    /// Port, path, status and credentials of each request so far.
    fn log(&self) -> Vec<String> {
        fs::read_to_string(self.dir.path().join("access.log")).unwrap().lines().map(str::to_owned).collect()
    }

    fn count(&self, part: &str) -> usize {
        self.log().iter().filter(|line| line.contains(part)).count()
    }

    fn root(&self) -> String {
        self.dir.path().join("root.pem").display().to_string()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("nginx's log:\n{}", self.log().join("\n"));
        }
    }
}

/// An authority that no system knows (`root.pem`), and a certificate of its for localhost.
fn private_root(dir: &Path) {
    let (own, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(dir.join("root.pem"), root.self_signed(&own).unwrap().pem()).unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    fs::write(dir.join("leaf.pem"), leaf.signed_by(&key, &Issuer::new(root, own)).unwrap().pem()).unwrap();
    fs::write(dir.join("leaf.key"), key.serialize_pem()).unwrap();
}

#[test]
fn by_tls_with_a_private_root_and_a_document_that_names_the_newest() {
    let Some(nginx) = Nginx::start(&format!("if ($http_authorization != \"{TOKEN}\") {{ return 403; }}")) else {
        return;
    };
    let name = |id: &str| format!("{{\"cortes\": [{{\"archivo\": \"{id}.tar\"}}]}}");
    nginx.put(&format!("{ONE}.tar"), &package(ONE));
    nginx.put("ultimo.json", name(ONE).as_bytes());
    let source = |name: &str, more: &str| {
        let url = format!("https://localhost:{}/ultimo.json", nginx.https);
        format!("name = \"{name}\"\nurl = \"{url}\"\npointer = \"/cortes/0/archivo\"\nevery = \"1s\"\n{more}")
    };
    let ca = format!("ca = \"{}\"\n", nginx.root());
    let setup = Setup::clear()
        .source(&source("iec", &format!("{ca}authorization_file = \"token\"\n")))
        .source(&source("sin-llave", &ca))
        .source(&source("sin-raiz", "authorization_file = \"token\"\n"));
    fs::write(setup.dir.path().join("token"), format!("{TOKEN}\n")).unwrap();
    let site = setup.start();
    site.live(ONE);
    site.log_line(&["WARN", "a source fails", "source=\"sin-llave\"", "S005", "403"]);
    site.log_line(&["WARN", "a source fails", "source=\"sin-raiz\"", "S003"]);
    nginx.put(&format!("{TWO}.tar"), &package(TWO));
    nginx.put("ultimo.json", name(TWO).as_bytes());
    site.live(TWO);
    let polls = || (nginx.count("ultimo.json 304") >= 2).then_some(());
    until(polls).expect("polls that find nothing new");
    assert_eq!(nginx.count(&format!("/{TWO}.tar 200")), 1, "a package comes once");
    assert_eq!(site.logged(&["a source fails", "source=\"iec\""]), [""; 0]);
    assert!(!site.logged(&[]).iter().any(|line| line.contains("abc")), "secrets stay out of the log");
}

#[test]
fn a_slow_transfer_goes_on_by_range() {
    // 160 kB at 100 kB a second: a second is not enough, but it is kept.
    let Some(nginx) = Nginx::start("limit_rate 100k;") else { return };
    nginx.put_long_ago("ultimo.tar", &package(ONE));
    let url = format!("http://127.0.0.1:{}/ultimo.tar", nginx.http);
    let site = Setup::clear().source(&format!("url = \"{url}\"\nevery = \"1s\"\ntimeout = \"1s\"\n")).start();
    site.live(ONE);
    site.log_line(&["a source fails", "source=\"source-1\"", "S004"]);
    site.log_line(&["a source is back", "source=\"source-1\""]);
    assert!(nginx.count("/ultimo.tar 206") >= 1, "{:?}", nginx.log());
    nginx.put("ultimo.tar", &package(TWO));
    site.live(TWO);
}

#[test]
fn through_a_proxy_where_the_environment_says_so() {
    let Some(nginx) = Nginx::start("") else { return };
    nginx.put("a.tar", &package(ONE));
    nginx.put("b.tar", &package(TWO));
    nginx.put("c.tar", &package(ONE));
    let proxy = Proxy::start();
    let ca = format!("ca = \"{}\"\n", nginx.root());
    let url = |scheme: &str, host: &str, port: u16, name: &str| format!("url = \"{scheme}://{host}:{port}/{name}\"\n");
    let setup = Setup::clear()
        .source(&url("http", "localhost", nginx.http, "a.tar"))
        .source(&format!("{}{ca}", url("https", "localhost", nginx.https, "b.tar")))
        .source(&url("http", "127.0.0.1", nginx.http, "c.tar"))
        .env("http_proxy", proxy.url())
        .env("HTTPS_PROXY", proxy.url())
        .env("no_proxy", "127.0.0.1".into());
    let site = setup.start();
    site.live(TWO);
    until(|| (nginx.count("/c.tar 200") == 1 && nginx.count("/a.tar 200") == 1).then_some(()))
        .expect("all are fetched");
    let mut heard = proxy.heard();
    heard.sort();
    let (clear, secure) = (nginx.http, nginx.https);
    let expected =
        [format!("CONNECT localhost:{secure} HTTP/1.1"), format!("GET http://localhost:{clear}/a.tar HTTP/1.1")];
    assert_eq!(heard, expected);
    assert_eq!(site.logged(&["a source fails"]), [""; 0]);
}

#[test]
fn a_proxy_that_refuses_is_told_without_its_password() {
    let proxy = Proxy::start();
    let url = proxy.url().replace("secret", "forgotten");
    let setup = Setup::clear()
        .source("name = \"clara\"\nurl = \"http://a.invalid/a.tar\"\n")
        .source("name = \"cifrada\"\nurl = \"https://a.invalid/a.tar\"\n")
        .source("name = \"lejana\"\nurl = \"https://b.invalid/a.tar\"\n");
    let site = setup.env("all_proxy", url).start();
    site.log_line(&["source=\"clara\"", "S005", "407"]);
    site.log_line(&["source=\"cifrada\"", "S012", "407"]);
    site.log_line(&["source=\"lejana\"", "S012"]);
    assert!(!site.logged(&[]).iter().any(|line| line.contains("forgotten")));
}

#[test]
fn told_to_stop_in_the_middle_it_keeps_what_has_come() {
    let Some(nginx) = Nginx::start("limit_rate 20k;") else { return };
    nginx.put_long_ago("ultimo.tar", &package(ONE));
    let setup = Setup::clear().source(&format!("url = \"http://127.0.0.1:{}/ultimo.tar\"\n", nginx.http));
    let mut site = setup.start();
    let part = site.path("state/staging/.pull-source-1.part");
    until(|| fs::metadata(&part).is_ok_and(|meta| meta.len() > 0).then_some(())).expect("it arrives");
    site.terminate();
    assert_eq!(site.ended(), Some(0));
    assert!(part.exists() && site.path("state/staging/.pull-source-1.part.json").exists());
}
