//! A client that makes TLS 1.3 handshakes and asks for nothing: full ones, or resumed by session tickets.
//!
//! After each handshake it says close_notify and reads to the end, so that the server has finished its side, has
//! handed out its tickets and has closed before the handshake counts.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Fault;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    address: SocketAddr,
    /// The server's own certificate, the only one that is trusted
    #[arg(long)]
    chain: PathBuf,
    #[arg(long)]
    resumed: bool,
    #[arg(long)]
    seconds: u32,
    /// Handshakes under way at any time
    #[arg(long)]
    connections: usize,
}

/// What the client saw, printed as one line of JSON.
#[derive(Default, Serialize, Deserialize)]
pub struct Tally {
    /// Handshakes of the kind asked for.
    pub done: u64,
    /// Those of the other kind, beyond the first of each connection slot.
    pub other: u64,
    pub failed: u64,
    pub seconds: f64,
    pub fault: Option<String>,
}

pub fn run(args: Args) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let started = Instant::now();
    let end = started + Duration::from_secs(args.seconds.into());
    let wanted = if args.resumed { HandshakeKind::Resumed } else { HandshakeKind::Full };
    let mut total = Tally::default();
    local.block_on(&runtime, async {
        let mut slots = Vec::new();
        for _ in 0..args.connections {
            let connector = TlsConnector::from(Arc::new(config(&args.chain, args.resumed)?));
            slots.push(tokio::task::spawn_local(slot(connector, args.address, wanted, end)));
        }
        for slot in slots {
            let tally = slot.await?;
            total.done += tally.done;
            total.other += tally.other;
            total.failed += tally.failed;
            total.fault = total.fault.take().or(tally.fault);
        }
        Ok::<_, Fault>(())
    })?;
    total.seconds = started.elapsed().as_secs_f64();
    println!("{}", serde_json::to_string(&total)?);
    Ok(())
}

/// One handshake after the other until the end. Its configuration is its own, so that its tickets are too: a ticket of
/// TLS 1.3 is good for one handshake, and a shared store would run dry at times.
async fn slot(connector: TlsConnector, address: SocketAddr, wanted: HandshakeKind, end: Instant) -> Tally {
    let mut tally = Tally::default();
    let mut first = wanted == HandshakeKind::Resumed;
    while Instant::now() < end {
        match handshake(&connector, address).await {
            Ok(kind) if kind == wanted => tally.done += 1,
            Ok(_) if first => {}
            Ok(_) => tally.other += 1,
            Err(fault) => {
                tally.failed += 1;
                tally.fault = Some(fault.to_string());
            }
        }
        first = false;
    }
    tally
}

async fn handshake(connector: &TlsConnector, address: SocketAddr) -> Result<HandshakeKind, Fault> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
    let kind = stream.get_ref().1.handshake_kind().ok_or("a handshake without a kind")?;
    stream.shutdown().await?;
    match stream.read_to_end(&mut Vec::new()).await {
        // nginx closes without a close_notify of its own.
        Err(e) if e.kind() != ErrorKind::UnexpectedEof => Err(e.into()),
        _ => Ok(kind),
    }
}

pub fn config(chain: &Path, resumed: bool) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(chain)?)?;
    let mut provider = aws_lc_rs::default_provider();
    // What all servers here have: OpenSSL 3.0 knows no X25519MLKEM768, and a hybrid would cost the others more.
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = if resumed { Resumption::in_memory_sessions(8) } else { Resumption::disabled() };
    Ok(config)
}
