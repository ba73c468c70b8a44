//! The upper reference: hyper with static bodies, the fewest headers, no negotiation and no decision but the path.
//!
//! One thread, tokio's current-thread runtime, tokio-rustls with aws-lc-rs, TCP_NODELAY: what a server on this stack
//! could do if it had nothing else to do.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::Fault;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    chain: PathBuf,
    #[arg(long)]
    key: PathBuf,
    #[arg(long)]
    http: u16,
    #[arg(long)]
    https: u16,
}

/// One path's answer, made once.
struct Asset {
    path: String,
    body: Bytes,
    length: HeaderValue,
    kind: HeaderValue,
    tag: HeaderValue,
    coded: bool,
}

type Site = Arc<[Asset]>;

pub fn run(args: Args) -> Result<(), Fault> {
    let site: Site = load(&args.dir)?.into();
    let tls = TlsAcceptor::from(Arc::new(tls(&args.chain, &args.key)?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let clear = TcpListener::bind(("127.0.0.1", args.http)).await?;
        let secure = TcpListener::bind(("127.0.0.1", args.https)).await?;
        loop {
            tokio::select! {
                accepted = clear.accept() => if let Ok((stream, _)) = accepted {
                    tokio::spawn(plain(stream, site.clone()));
                },
                accepted = secure.accept() => if let Ok((stream, _)) = accepted {
                    tokio::spawn(encrypted(stream, tls.clone(), site.clone()));
                },
            }
        }
    })
}

async fn plain(stream: TcpStream, site: Site) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| std::future::ready(answer(&site, &request)));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn encrypted(stream: TcpStream, tls: TlsAcceptor, site: Site) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(stream);
    let service = service_fn(move |request| std::future::ready(answer(&site, &request)));
    if h2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
    }
}

fn answer(site: &Site, request: &Request<Incoming>) -> Result<Response<Once>, Infallible> {
    let Some(asset) = site.iter().find(|a| a.path == request.uri().path()) else {
        let mut response = Response::new(Once(None));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    };
    let fresh = request.headers().get(IF_NONE_MATCH).is_some_and(|tag| *tag == asset.tag);
    let mut response = Response::new(Once((!fresh).then(|| asset.body.clone())));
    let headers = response.headers_mut();
    headers.insert(ETAG, asset.tag.clone());
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    headers.insert(CONTENT_LENGTH, asset.length.clone());
    headers.insert(CONTENT_TYPE, asset.kind.clone());
    if asset.coded {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// Every file of the folder that has a `.gz` beside it, as that; `index.html` as it is, at `/`.
fn load(dir: &Path) -> Result<Vec<Asset>, Fault> {
    let mut site = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (path_served, kind, coded) = match name.strip_suffix(".gz") {
            Some(plain) => (format!("/{plain}"), "application/json", true),
            None if name == "index.html" => ("/".to_owned(), "text/html", false),
            None => continue,
        };
        let body = Bytes::from(std::fs::read(&path)?);
        let tag = HeaderValue::from_str(&format!("\"{}-gzip\"", difusor::base::digest::Digest::of(&body)))?;
        let (length, kind) = (HeaderValue::from(body.len()), HeaderValue::from_static(kind));
        site.push(Asset { path: path_served, body, length, kind, tag, coded });
    }
    Ok(site)
}

fn tls(chain: &Path, key: &Path) -> Result<rustls::ServerConfig, Fault> {
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

/// A body of one piece or none.
struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |b| b.len() as u64))
    }
}
