//! A client of exact bytes, in clear or under TLS.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::wire::Response;

enum Carrier {
    Clear(TcpStream),
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Carrier {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Carrier::Clear(stream) => stream.read(room),
            Carrier::Secure(stream) => stream.read(room),
        }
    }
}

/// See above.
pub struct Client(BufReader<Carrier>);

/// Under TLS, to `prep.example` with the certificate in this file, and with this protocol.
pub fn client(stream: TcpStream, certificate: &Path, protocol: &[u8]) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("prep.example").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Client(BufReader::new(Carrier::Secure(Box::new(StreamOwned::new(connection, stream)))))
}

impl Client {
    pub fn clear(stream: TcpStream) -> Client {
        Client(BufReader::new(Carrier::Clear(stream)))
    }

    pub fn say(&mut self, bytes: &[u8]) {
        // A server that has heard enough may have closed already.
        let _ = match self.0.get_mut() {
            Carrier::Clear(stream) => stream.write_all(bytes),
            Carrier::Secure(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
    }

    /// Ends the sending half.
    pub fn has_said_all(&mut self) {
        match self.0.get_mut() {
            Carrier::Clear(stream) => drop(stream.shutdown(Shutdown::Write)),
            Carrier::Secure(stream) => {
                stream.conn.send_close_notify();
                let _ = stream.flush();
                let _ = stream.sock.shutdown(Shutdown::Write);
            }
        }
    }

    /// The next response; `None` at the end.
    pub fn hear(&mut self, to_head: bool) -> Option<Response> {
        Response::read(&mut self.0, to_head)
    }

    pub fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(room)
    }

    pub fn read_exact(&mut self, room: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact(room)
    }
}
