//! nginx from Debian as an origin, with files of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running nginx; it ends with this.
pub struct Nginx {
    pub address: SocketAddr,
    child: Child,
    _dir: TempDir,
}

impl Nginx {
    pub fn start(files: &[(&str, &[u8])]) -> Nginx {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("www")).unwrap();
        for (name, bytes) in files {
            fs::write(root.join("www").join(name), bytes).unwrap();
        }
        // nginx does not tell which port it took: one that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let shown = root.display();
        let settings = format!(
            "daemon off; master_process off; pid {shown}/pid; error_log {shown}/error.log;
            events {{}}
            http {{
                access_log off; client_body_temp_path {shown}/body; proxy_temp_path {shown}/proxy;
                fastcgi_temp_path {shown}/fastcgi; uwsgi_temp_path {shown}/uwsgi; scgi_temp_path {shown}/scgi;
                server {{ listen {address}; root {shown}/www; expires 10m; }}
            }}"
        );
        fs::write(root.join("nginx.conf"), settings).unwrap();
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-p"]).arg(root).arg("-c").arg(root.join("nginx.conf"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Nginx { address, child, _dir: dir }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
