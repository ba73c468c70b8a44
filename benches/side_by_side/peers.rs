//! The servers that are compared: how each is configured, started and known to be ready.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Fault;
use crate::child::{self, Guard, Side};
use crate::inputs::Inputs;

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Kind {
    Nginx,
    H2o,
    Haproxy,
    Hyper,
    Difusor,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::H2o => "h2o",
            Kind::Haproxy => "haproxy",
            Kind::Hyper => "hyper",
            Kind::Difusor => "difusor",
        }
    }

    /// Whether it has an origin behind it here.
    pub fn is_proxy(self) -> bool {
        matches!(self, Kind::Nginx | Kind::Difusor)
    }
}

/// A server that answers on both ports.
pub struct Peer {
    pub kind: Kind,
    /// Version and where it comes from.
    pub about: String,
    pub http: u16,
    pub https: u16,
    pub chain: PathBuf,
    server: Guard,
}

/// How long a server may take until it answers 200 to `GET /`.
const START: Duration = Duration::from_secs(60);

const NGINX_BROTLI: &str = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so";

impl Peer {
    /// `origin`: the port of what both proxies have behind them.
    pub fn start(kind: Kind, inputs: &Inputs, origin: u16) -> Result<Peer, Fault> {
        let (http, https) = free_ports()?;
        let folder = inputs.folder(kind.name())?;
        let (command, about) = match kind {
            Kind::Nginx => nginx(inputs, &folder, [http, https, origin])?,
            Kind::H2o => h2o(inputs, &folder, http, https)?,
            Kind::Haproxy => haproxy(inputs, &folder, http, https)?,
            Kind::Hyper => bare_hyper(inputs, &folder, http, https)?,
            Kind::Difusor => difusor(inputs, &folder, [http, https, origin])?,
        };
        let log = folder.join("server.log");
        let mut server = Guard::start(command, &log)?;
        wait_until_ready(&mut server, http, &log)?;
        Ok(Peer { kind, about, http, https, chain: inputs.chain.clone(), server })
    }

    pub fn pid(&self) -> u32 {
        self.server.pid()
    }
}

/// Waits until GET / of a server that was just started is 200.
pub fn wait_until_ready(server: &mut Guard, port: u16, log: &Path) -> Result<(), Fault> {
    let url = format!("http://127.0.0.1:{port}/");
    let started = Instant::now();
    loop {
        child::check()?;
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "2", &url]);
        let code = curl.output().map_err(|e| format!("curl: {e}"))?.stdout;
        if code == b"200" {
            return Ok(());
        }
        let ended = server.ended();
        if ended || started.elapsed() > START {
            let what = if ended { "it ended at once" } else { "no 200 for GET / in time" };
            return Err(format!("{what}; it said: {}", last_lines(log)).into());
        }
        sleep(Duration::from_millis(50));
    }
}

pub fn nginx_program() -> Result<&'static str, Fault> {
    // Debian keeps it where a user's PATH does not look.
    let found = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].into_iter().find(|p| Path::new(p).exists());
    Ok(found.ok_or("no nginx here (Debian package nginx-light)")?)
}

/// As root its worker would become another user, who may not read the folder.
pub fn nginx_user() -> &'static str {
    if rustix::process::geteuid().is_root() { "user root root;" } else { "" }
}

fn nginx(inputs: &Inputs, folder: &Path, [http, https, origin]: [u16; 3]) -> Result<(Command, String), Fault> {
    let program = nginx_program()?;
    let version = Command::new(program).arg("-v").output()?.stderr;
    let version = String::from_utf8_lossy(&version).trim().replace("nginx version: nginx/", "");
    let brotli = Path::new(NGINX_BROTLI).exists();
    inputs.write_site(&folder.join("sitio"), true)?;
    let settings = include_str!("nginx.conf")
        .replace("@load_module@", if brotli { "load_module" } else { "#" })
        .replace("@brotli_static@", if brotli { "brotli_static on;" } else { "" })
        .replace("@module@", NGINX_BROTLI)
        .replace("@user@", nginx_user())
        .replace("@cache@", text(inputs.memory())?)
        .replace("@origin@", &origin.to_string())
        .replace("@folder@", text(folder)?)
        .replace("@chain@", text(&inputs.chain)?)
        .replace("@key@", text(&inputs.key)?)
        .replace("@http@", &http.to_string())
        .replace("@https@", &https.to_string());
    let file = folder.join("nginx.conf");
    fs::write(&file, settings)?;
    let mut command = child::pinned(Side::Server, program);
    command.arg("-p").arg(folder).arg("-c").arg(&file);
    let statics = if brotli { "gzip_static, brotli_static" } else { "gzip_static" };
    Ok((command, format!("{version} ({statics}, one worker)")))
}

/// As its manual says for static files that are compressed already.
fn h2o(inputs: &Inputs, folder: &Path, http: u16, https: u16) -> Result<(Command, String), Fault> {
    let version = first_line("h2o", "--version", "h2o")?;
    inputs.write_site(&folder.join("sitio"), true)?;
    let settings = include_str!("h2o.conf")
        .replace("@user@", if rustix::process::geteuid().is_root() { "user: root" } else { "" })
        .replace("@folder@", text(folder)?)
        .replace("@chain@", text(&inputs.chain)?)
        .replace("@key@", text(&inputs.key)?)
        .replace("@http@", &http.to_string())
        .replace("@https@", &https.to_string());
    let file = folder.join("h2o.conf");
    fs::write(&file, settings)?;
    let mut command = child::pinned(Side::Server, "h2o");
    command.arg("-c").arg(&file);
    Ok((command, format!("{version} (file.send-compressed, one thread)")))
}

/// It serves no files; what it returns by itself lies in its memory.
fn haproxy(inputs: &Inputs, folder: &Path, http: u16, https: u16) -> Result<(Command, String), Fault> {
    // Debian keeps it where a user's PATH does not look.
    let program = "/usr/sbin/haproxy";
    let version = first_line(program, "-v", "haproxy")?;
    inputs.write_site(&folder.join("sitio"), true)?;
    let pem = folder.join("both.pem");
    fs::write(&pem, [fs::read(&inputs.chain)?, fs::read(&inputs.key)?].concat())?;
    let rules: Vec<String> = inputs.bodies.iter().map(|body| haproxy_rules(folder, body.name)).collect();
    let settings = include_str!("haproxy.cfg")
        .replace("@rules@", &rules.concat())
        .replace("@folder@", text(folder)?)
        .replace("@pem@", text(&pem)?)
        .replace("@http@", &http.to_string())
        .replace("@https@", &https.to_string());
    let file = folder.join("haproxy.cfg");
    fs::write(&file, settings)?;
    let mut command = child::pinned(Side::Server, program);
    command.arg("-f").arg(&file);
    Ok((command, format!("{version} (http-request return, one thread)")))
}

/// A 304 to the tag that it gave, else the whole.
fn haproxy_rules(folder: &Path, name: &str) -> String {
    let fields = format!("hdr etag '\"{name}\"' hdr vary accept-encoding hdr cache-control 'public, max-age=60'");
    let file = folder.join("sitio").join(format!("{name}.gz"));
    format!(
        "    http-request return status 304 {fields} if {{ path /{name} }} {{ req.hdr(if-none-match) -m str '\"{name}\"' }}\n    \
         http-request return status 200 content-type application/json hdr content-encoding gzip {fields} \
         file {} if {{ path /{name} }}\n",
        file.display()
    )
}

fn first_line(program: &str, flag: &str, package: &str) -> Result<String, Fault> {
    let said = Command::new(program).arg(flag).output();
    let said = said.map_err(|e| format!("{program}: {e} (Debian package {package})"))?.stdout;
    Ok(String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned())
}

fn bare_hyper(inputs: &Inputs, folder: &Path, http: u16, https: u16) -> Result<(Command, String), Fault> {
    inputs.write_site(folder, true)?;
    let mut command = child::pinned(Side::Server, std::env::current_exe()?);
    command.arg("bare-hyper").arg("--dir").arg(folder);
    command.arg("--chain").arg(&inputs.chain).arg("--key").arg(&inputs.key);
    command.arg("--http").arg(http.to_string()).arg("--https").arg(https.to_string());
    Ok((command, format!("{} profile, static bodies, tokio-rustls, mimalloc", profile(&std::env::current_exe()?))))
}

fn difusor(inputs: &Inputs, folder: &Path, [http, https, origin]: [u16; 3]) -> Result<(Command, String), Fault> {
    let program = difusor_program();
    let (key, _) = inputs.signer(folder)?;
    let package = folder.join("paquete");
    inputs.write_site(&package.join("sitio"), false)?;
    fs::create_dir_all(folder.join("incoming"))?;
    pack(&package, &key, 0, &folder.join("incoming"))?;
    let settings = include_str!("difusor.toml")
        .replace("@origin@", &origin.to_string())
        .replace("@chain@", text(&inputs.chain)?)
        .replace("@key@", text(&inputs.key)?)
        .replace("@http@", &http.to_string())
        .replace("@https@", &https.to_string());
    let file = folder.join("difusor.toml");
    fs::write(&file, settings)?;
    let mut command = child::pinned(Side::Server, &program);
    command.arg("serve").arg("--config").arg(&file).current_dir(folder);
    Ok((command, format!("{} ({} profile)", env!("CARGO_PKG_VERSION"), profile(&program))))
}

/// The one that is measured; another one if the environment names it.
fn difusor_program() -> PathBuf {
    std::env::var_os("DIFUSOR_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_difusor").into()).into()
}

/// Makes a signed package of a folder, of the `n`th minute after the first corte's: as many hours ago as leave room for more.
pub fn pack(package: &Path, key: &Path, n: u32, into: &Path) -> Result<PathBuf, Fault> {
    let first = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(6);
    let at = (first + jiff::SignedDuration::from_mins(n.into())).in_tz("America/Monterrey")?;
    let (id, stamp) = (at.strftime("%Y%m%d_%H%M"), at.strftime("%Y-%m-%dT%H:%M:00%:z"));
    let corte = serde_json::json!({
        "formato": 1, "eleccion": "banco-2026", "corte": id.to_string(),
        "fecha_hora": stamp.to_string(), "tipo": "oficial",
    });
    fs::write(package.join("corte.json"), format!("{corte:#}\n"))?;
    let parcel = into.join(format!("{id}.tar"));
    let mut pack = Command::new(difusor_program());
    child::output(pack.arg("pack").arg(package).arg("--key").arg(key).arg("--out").arg(&parcel))?;
    if parcel.is_file() { Ok(parcel) } else { Err("difusor pack: made no package".into()) }
}

/// Two ports that were free a moment ago.
pub fn free_ports() -> Result<(u16, u16), Fault> {
    let (a, b) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok((a.local_addr()?.port(), b.local_addr()?.port()))
}

/// The build profile, which cargo writes into the path: `.../release/difusor`, `.../quick/deps/side_by_side-...`.
fn profile(program: &Path) -> String {
    let folders = program.ancestors().skip(1).filter_map(Path::file_name);
    folders.map(|n| n.to_string_lossy()).find(|n| n != "deps").unwrap_or("unknown".into()).into_owned()
}

pub fn text(path: &Path) -> Result<&str, Fault> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()).into())
}

fn last_lines(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    let tail = lines[lines.len().saturating_sub(5)..].join(" | ");
    if tail.is_empty() { "nothing".into() } else { tail }
}
