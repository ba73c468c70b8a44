//! nginx from Debian as an origin, with files of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running nginx; it ends with this.
pub struct Nginx {
    pub address: SocketAddr,
    child: Child,
    pub dir: TempDir,
}

impl Nginx {
    pub fn start(files: &[(&str, &[u8])]) -> Nginx {
        Nginx::with(files, |address, root| {
            format!("access_log off; server {{ listen {address}; root {root}/www; expires 10m; }}")
        })
    }

    /// With what stands in its `http`, which is told an address to listen at, and the folder where `files` lie under `www`.
    pub fn with(files: &[(&str, &[u8])], serving: impl Fn(SocketAddr, &str) -> String) -> Nginx {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("www")).unwrap();
        for (name, bytes) in files {
            fs::write(root.join("www").join(name), bytes).unwrap();
        }
        // nginx does not tell which port it took: one that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let shown = root.display();
        let serving = serving(address, &shown.to_string());
        let settings = format!(
            "daemon off; master_process off; pid {shown}/pid; error_log {shown}/error.log;
            events {{}}
            http {{
                client_body_temp_path {shown}/body; proxy_temp_path {shown}/proxy;
                fastcgi_temp_path {shown}/fastcgi; uwsgi_temp_path {shown}/uwsgi; scgi_temp_path {shown}/scgi;
                {serving}
            }}"
        );
        fs::write(root.join("nginx.conf"), settings).unwrap();
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-p"]).arg(root).arg("-c").arg(root.join("nginx.conf"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Nginx { address, child, dir }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
