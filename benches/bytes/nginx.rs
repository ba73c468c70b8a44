//! nginx from Debian with the files that it would be given: what its heads take, and what it sends.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use difusor::base::clock::Monotonic;

/// Where Debian puts what.
const PROGRAM: &str = "/usr/sbin/nginx";
const BROTLI: &str = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so";
/// How long it may take to listen.
const START: Duration = Duration::from_secs(5);

/// Where it listens: with coded files beside the files, and as Debian sets it up, which is `gzip on` and nothing else of the kind;
/// each in clear, over HTTP/1.1 and HTTP/2.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    pub coded: [SocketAddr; 2],
    pub stock: [SocketAddr; 2],
}

/// A running nginx; it ends with this.
pub struct Nginx {
    pub doors: Doors,
    pub has_brotli: bool,
    child: Child,
    dir: tempfile::TempDir,
}

impl Nginx {
    /// On this machine; `None` where there is none.
    pub fn start() -> Option<Nginx> {
        Nginx::start_at(Ipv4Addr::LOCALHOST.into(), &[])
    }

    /// At an address, run by `through`, a command with its arguments, where it has some.
    pub fn start_at(ip: IpAddr, through: &[String]) -> Option<Nginx> {
        if !Path::new(PROGRAM).exists() {
            return None;
        }
        let has_brotli = Path::new(BROTLI).exists();
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().display();
        fs::create_dir(dir.path().join("www")).unwrap();
        // nginx does not tell which ports it took: those that were free a moment ago.
        let held: Vec<_> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let free = |n: usize| SocketAddr::new(ip, held[n].local_addr().unwrap().port());
        let doors = Doors { coded: [free(0), free(1)], stock: [free(2), free(3)] };
        let (load, brotli) =
            if has_brotli { (format!("load_module {BROTLI};"), "brotli_static on;") } else { Default::default() };
        // As root its worker would become another user, who may not read the folder.
        let user = if rustix::process::geteuid().is_root() { "user root root;" } else { "" };
        let server = |[http1, http2]: [SocketAddr; 2], coded: &str| {
            format!("server {{ listen {http1}; listen {http2} http2; root {root}/www; {coded} }}")
        };
        let settings = format!(
            "{load} {user} daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
            events {{ worker_connections 4096; }}
            http {{
                types {{ text/html html; application/json json; text/csv csv; }}
                client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
                uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
                access_log off; server_tokens off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
                {} {}
            }}",
            server(doors.coded, &format!("gzip_static on; gzip_vary on; {brotli}")),
            server(doors.stock, "gzip on;")
        );
        fs::write(dir.path().join("nginx.conf"), settings).unwrap();
        drop(held);
        let all: Vec<&str> = through.iter().map(String::as_str).chain([PROGRAM]).collect();
        let mut command = Command::new(all[0]);
        command
            .args(&all[1..])
            .args(["-e", "stderr", "-p"])
            .arg(dir.path())
            .arg("-c")
            .arg(dir.path().join("nginx.conf"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let nginx = Nginx { doors, has_brotli, child, dir };
        let started = Monotonic::now();
        // It is written when nginx listens.
        while !nginx.dir.path().join("pid").exists() {
            assert!(started.elapsed() < START, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(nginx)
    }

    /// Without any file, as at first.
    pub fn clear(&self) {
        let www = self.dir.path().join("www");
        fs::remove_dir_all(&www).unwrap();
        fs::create_dir(www).unwrap();
    }

    /// A file, and what lies beside it: the ends of names with the bytes. What is there already with the same bytes stays as it is.
    /// `stamp_s`: seconds since 1970, of which nginx makes validators.
    pub fn put(&self, path: &str, body: &[u8], beside: &[(&str, &[u8])], stamp_s: u64) {
        let file = self.dir.path().join("www").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        if fs::read(&file).is_ok_and(|there| there == body) {
            return;
        }
        let write = |path: &Path, bytes: &[u8]| {
            fs::write(path, bytes).unwrap();
            let stamp = SystemTime::UNIX_EPOCH + Duration::from_secs(stamp_s);
            File::options().write(true).open(path).unwrap().set_modified(stamp).unwrap();
        };
        write(&file, body);
        for (end, bytes) in beside {
            write(format!("{}.{end}", file.display()).as_ref(), bytes);
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that the master takes its worker along.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
