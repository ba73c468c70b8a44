//! The inner parts, each by itself, timed by criterion: `cargo bench --bench inner`.
//!
//! The package is a corte of the invented night, in mid-count: 46 files, 1.2 MB.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use difusor::base::clock::Clock;
use difusor::base::digest::Digest;
use difusor::base::disk::Disk;
use difusor::corte::{self, CorteId, Expectations, InMemory, Limits, Signers, Tipo, Trust, Verified, read};
use difusor::http::answer::{Request, answer};
use difusor::http::fields::{Fields, Lines};
use difusor::http::recognise::recognise;
use difusor::ingest::{Gate, Plan};
use difusor::proxy::instant::Glance;
use difusor::rehearse::Night;
use difusor::snapshot::negotiate::Accepted;
use difusor::snapshot::{Content, Edition, Entry, Known, Level, Live, Looks, Public, Resource, Snapshot, media};
use http::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE};
use http::{HeaderValue, Method};
use serde_json::json;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

#[path = "../tests/common/always.rs"]
mod always;
#[path = "proxy/corridor.rs"]
mod corridor;
use always::always;

/// A corte in mid-night.
const MIDNIGHT: usize = 30;

/// Every byte of a package passes through here once: it must keep up with the disk and the network by far.
fn sha256(c: &mut Criterion) {
    let mut group = c.benchmark_group("sha256");
    for (name, size) in [("64 KB", 64 << 10), ("1 MB", 1 << 20)] {
        let bytes: Vec<u8> = (0..size).map(|i: u32| (i ^ i >> 8) as u8).collect();
        group.throughput(Throughput::Bytes(size.into()));
        group.bench_with_input(BenchmarkId::from_parameter(name), &bytes, |b, bytes| {
            b.iter(|| Digest::of(black_box(bytes)));
        });
    }
    group.finish();
}

/// A package on disk, and who may sign it.
struct Packed {
    dir: tempfile::TempDir,
    signers: Signers,
}

/// A corte of the invented night.
fn packed(n: usize) -> Packed {
    let corte = Night::synthetic(2026).corte(n);
    let id = CorteId::new(corte.stamp.datetime(), 0).to_string();
    let fecha_hora = corte.stamp.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    pack(&id, &fecha_hora, corte.files.into_iter().map(|(path, b)| (path, b.into())).collect())
}

fn pack(id: &str, fecha_hora: &str, files: Vec<(String, Bytes)>) -> Packed {
    let key: PrivateKey = Ed25519Keypair::from_seed(&[7; 32]).into();
    let about = json!({
        "formato": 1,
        "eleccion": "banco",
        "corte": id,
        "fecha_hora": fecha_hora,
        "tipo": "simulacro",
    });
    let dir = tempfile::tempdir().expect("a folder");
    let package = corte::pack::sign(about.to_string().as_bytes(), &files, &key).expect("signed");
    package.write(&dir.path().join("p.tar"), &Limits::default()).expect("written");
    let line = format!("demo {}\n", key.public_key().to_openssh().expect("a key"));
    Packed { dir, signers: Signers::parse(&line).expect("signers") }
}

impl Packed {
    fn verify(&self, known: &Known) -> Verified {
        let known = |digest: &Digest| known.bytes(digest);
        let package =
            read(&Disk::machine(), &self.dir.path().join("p.tar"), &Limits::default(), &InMemory { known: &known });
        let expected = Expectations {
            trust: Trust::Signed,
            eleccion: None,
            tipo: None,
            signers: &self.signers,
            identity: None,
            now: jiff::Timestamp::MAX,
        };
        package.and_then(|package| package.verify(&expected)).expect("verified")
    }
}

fn snapshot(n: usize) -> Arc<Snapshot> {
    let verified = packed(n).verify(&Known::default());
    Arc::new(Snapshot::usual(&verified, &Known::default(), verified.corte().instant, None))
}

/// From a file on disk to a proven package, and from there to a snapshot: all new, and as usual, most of it known.
fn verify_and_build(c: &mut Criterion) {
    let after = packed(MIDNIGHT);
    let old = snapshot(MIDNIGHT - 1);
    let known = Known::of(old.contents());
    let verified = after.verify(&Known::default());
    let at = verified.corte().instant;
    c.bench_function("verify", |b| b.iter(|| after.verify(&Known::default())));
    let mut group = c.benchmark_group("build");
    group.sample_size(20);
    group.bench_function("first corte", |b| b.iter(|| Snapshot::usual(&verified, &Known::default(), at, None)));
    group.bench_function("next corte", |b| b.iter(|| Snapshot::usual(&verified, &known, at, None)));
    group.finish();
}

/// Real material where it is: DIFUSOR_DATA, or `shared/data` beside the checkout. Unpacked by tar(1).
fn real_files(archive: &str) -> Option<Vec<(String, Bytes)>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let archive = std::env::var_os("DIFUSOR_DATA").map_or_else(beside, PathBuf::from).join(archive);
    let dir = tempfile::tempdir().ok()?;
    let tar = Command::new("tar").arg("xJf").arg(&archive).arg("-C").arg(dir.path()).stderr(Stdio::null()).status();
    if !tar.is_ok_and(|status| status.success()) {
        eprintln!("passed over: {} is not there", archive.display());
        return None;
    }
    let mut files = Vec::new();
    let mut folders = vec![dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir.path()).ok()?.to_string_lossy().into_owned();
                files.push((name, std::fs::read(&path).ok()?.into()));
            }
        }
    }
    files.sort();
    Some(files)
}

/// The publication site of Quintana Roo 2019, and the one file of a real difusor in 2018 as successive cortes.
fn real(c: &mut Criterion) {
    const STAMP: &str = "2019-06-03T05:47:00-06:00";
    let mut group = c.benchmark_group("real");
    group.sample_size(10);
    if let Some(files) = real_files("qroo-2019/site-api-json.tar.xz") {
        let site = pack("20190603_0547", STAMP, files);
        group.bench_function("Quintana Roo, verify", |b| b.iter(|| site.verify(&Known::default())));
        let verified = site.verify(&Known::default());
        let at = verified.corte().instant;
        group.bench_function("Quintana Roo, build", |b| {
            b.iter(|| Snapshot::usual(&verified, &Known::default(), at, None));
        });
    }
    if let Some(files) = real_files("mx-2018-diputados/snapshots.tar.xz") {
        let cortes: Vec<Packed> = files
            .into_iter()
            .map(|(_, bytes)| pack("20190603_0547", STAMP, vec![("Diputados_MR_NACIONAL.json".into(), bytes)]))
            .collect();
        group.bench_function("the night of 2018, 127 fetches, verify and build", |b| {
            b.iter(|| {
                let mut known = Known::default();
                for corte in &cortes {
                    let verified = corte.verify(&known);
                    let snapshot = Snapshot::usual(&verified, &known, verified.corte().instant, None);
                    known = Known::of(snapshot.contents());
                }
            });
        });
    }
    group.finish();
}

/// All codings of one file: results of the state, about 20 KB.
fn compress(c: &mut Criterion) {
    let snapshot = snapshot(MIDNIGHT);
    let Some(Entry::File(Resource { content, .. })) = snapshot.get("datos/resultados.json") else { return };
    let bytes = content.identity().body.clone();
    let mut group = c.benchmark_group("compress");
    group.sample_size(20).throughput(Throughput::Bytes(bytes.len() as u64));
    for (name, level) in [("fast", Level::Fast), ("best", Level::Best)] {
        group.bench_function(name, |b| {
            b.iter(|| Content::new(bytes.clone(), content.digest, media::of("a.json"), level));
        });
    }
    group.finish();
}

const HEAD: &[u8] = b"GET /datos/resultados.json HTTP/1.1\r\nHost: prep2026.example.mx\r\nConnection: keep-alive\r\n\
    User-Agent: Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36\r\nAccept: */*\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: es-MX,es;q=0.9\r\n\r\n";

/// What readers see of an edition.
fn public(edition: Edition) -> Arc<Public> {
    let live = Arc::new(Live::default());
    let plan = Plan { election: "banco".into(), calendar: always(Tipo::Simulacro), looks: Looks::default() };
    let gate = Gate::new(plan, live.clone(), Clock::machine(), Arc::new(|_| {}));
    live.publish(edition);
    gate.public()
}

/// What a request costs without protocol and kernel.
fn request(c: &mut Criterion) {
    let edition = Edition::first(snapshot(MIDNIGHT));
    let public = public(edition.clone());
    let showing = public.load();
    let line: &[u8] = b"gzip, deflate, br, zstd";
    let Some(Entry::File(Resource { content, .. })) = edition.live().get("datos/resultados.json") else { return };
    c.bench_function("recognise", |b| b.iter(|| recognise(black_box(HEAD))));
    c.bench_function("negotiate", |b| b.iter(|| Accepted::read([black_box(line)]).choose(content)));
    let tag = content.identity().etag.as_bytes();
    let ask = |if_none_match| Request {
        method: &Method::GET,
        path: "/datos/resultados.json",
        query: None,
        fields: Fields { accept_encoding: Lines::One(line), if_none_match, ..Fields::default() },
        host_is_known: true,
        spread: difusor::http::Spread::default(),
        is_secure: false,
    };
    let (plain, held) = (ask(Lines::None), ask(Lines::One(tag)));
    c.bench_function("answer 200", |b| b.iter(|| answer(black_box(&plain), &showing)));
    c.bench_function("answer 304", |b| b.iter(|| answer(black_box(&held), &showing)));
}

/// An origin with one answer for everything, of 8 KB; its threads end with the process.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let mut line = String::from(" ");
            while !line.trim_end().is_empty() {
                line.clear();
                let _ = reader.read_line(&mut line);
            }
            let head = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\n\
                ETag: \"6660f0a0-2000\"\r\nVary: Accept-Encoding\r\nContent-Encoding: gzip\r\n\
                Cache-Control: max-age=86400\r\nConnection: close\r\nContent-Length: 8192\r\n\r\n";
            let _ = (&stream).write_all(&[head.as_bytes(), &[b'.'; 8192]].concat());
        }
    });
    address
}

/// What a hit costs without protocol and kernel: found, judged, and made a response.
fn hit(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let corridor = corridor::open(origin());
    let fields = [(ACCEPT_ENCODING, "gzip, deflate, br, zstd"), (ACCEPT_LANGUAGE, "es-MX,es;q=0.9"), (ACCEPT, "*/*")];
    let mut request = corridor::request("/notas/2026/06/07/computo");
    for (name, value) in fields {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    runtime.block_on(corridor::fetch(&corridor, &request));
    let route = corridor.route(Some(corridor::HOST), request.uri().path()).expect("a route that has all");
    let client = [127, 0, 0, 1].into();
    assert_eq!(corridor.ready(route, &request, client, None).expect("it is stored").body().len(), 8192);
    c.bench_function("hit", |b| b.iter(|| corridor.ready(route, black_box(&request), client, None)));
    let glance = Glance {
        host: corridor::HOST,
        path: request.uri().path(),
        query: None,
        accept_encoding: Some(b"gzip, deflate, br, zstd"),
        if_none_match: None,
        is_secure: false,
        corte: None,
    };
    let (mut room, mut out) = (String::new(), Vec::new());
    c.bench_function("hit at a glance", |b| {
        b.iter(|| {
            out.clear();
            corridor.glance(route, black_box(&glance), &mut room, &mut out).expect("it is stored")
        })
    });
}

/// Loading the edition while another thread swaps it without a pause: readers never wait.
fn swap_under_load(c: &mut Criterion) {
    let (a, b) = (snapshot(MIDNIGHT), snapshot(MIDNIGHT + 1));
    let live = Arc::new(Live::default());
    live.publish(Edition::first(a.clone()));
    let load = |live: &Live| live.load().as_ref().map(|edition| edition.live().sums());
    c.bench_function("load, quiet", |bench| bench.iter(|| load(&live)));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                live.publish(Edition::first(b.clone()));
                live.publish(Edition::first(a.clone()));
            }
        });
        c.bench_function("load, swapped without a pause", |bench| bench.iter(|| load(&live)));
        stop.store(true, Ordering::Relaxed);
    });
}

criterion_group!(inner, sha256, verify_and_build, real, compress, request, hit, swap_under_load);
criterion_main!(inner);
