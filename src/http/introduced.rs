//! For whom a connection speaks, where it comes from a server before this one that says so (`proxy_protocol`): heard before
//! anything else, TLS too. From then on the client is the one who was named.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::clients::Clients;
use super::proxy_protocol::{SAID_MAX_BYTES, Said, read};
use super::service::Service;
use super::turned_away::Reason;
use crate::proxy::upstream::Caller;

/// A connection whose client is known, and bytes of it that were taken though they say nothing of him.
pub type Introduced = (TcpStream, BytesMut, Service);

/// Hears what is said, and makes it the service's client. `None`: the connection ends here. The limit of a handshake's time
/// holds.
pub async fn hear(mut stream: TcpStream, mut service: Service, clients: &Arc<Clients>) -> Option<Introduced> {
    service.seat.shakes_hands();
    let caller = match said(&mut stream).await {
        Ok(Heard::Client(caller)) => caller,
        Ok(Heard::Itself) => return Some((stream, BytesMut::new(), service)),
        Ok(Heard::Nothing(taken)) if clients.may_say_nothing() => return Some((stream, taken, service)),
        // The connection itself broke off.
        Err(_) => return None,
        Ok(Heard::Nothing(_) | Heard::Malformed) => {
            service.seat.turned_away(Reason::ProxyProtocol);
            clients.tell(service.guest.address(), "a trusted address does not speak the PROXY protocol as it has to");
            return None;
        }
    };
    service.guest = Arc::new(clients.admit(caller.from.ip())?.by(caller));
    Some((stream, BytesMut::new(), service))
}

enum Heard {
    Client(Caller),
    Itself,
    /// And these bytes of something else were taken.
    Nothing(BytesMut),
    Malformed,
}

/// Takes what is said from the stream, and nothing behind it.
async fn said(stream: &mut TcpStream) -> io::Result<Heard> {
    let (mut bytes, mut taken) = (vec![0; SAID_MAX_BYTES], 0);
    loop {
        let seen = taken + stream.peek(&mut bytes[taken..]).await?;
        if seen == taken {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (heard, len) = match read(&bytes[..seen]) {
            // All of it belongs to what is said, or to nothing that is: what was seen is not looked at again and again.
            Said::Partial => (None, seen),
            Said::Client(caller, len) => (Some(Heard::Client(caller)), len),
            Said::Itself(len) => (Some(Heard::Itself), len),
            // A request may begin like it, and come in pieces: `P`, or CRLF (RFC 9112, 2.2).
            Said::Nothing => return Ok(Heard::Nothing(BytesMut::from(&bytes[..taken]))),
            Said::Malformed => return Ok(Heard::Malformed),
        };
        stream.read_exact(&mut bytes[taken..len]).await?;
        if let Some(heard) = heard {
            return Ok(heard);
        }
        taken = len;
    }
}
