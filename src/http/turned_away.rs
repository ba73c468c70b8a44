//! What is refused, by reason: one counter each, kept ready, for it is counted while there is little time.

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;

use super::framing::Refused;
use crate::portal::Notice;
use crate::record::Metrics;

/// Why a connection or a request comes to nothing, beyond what one client may have (see `clients`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No whole head in time.
    Head,
    /// Nothing of a head, from the beginning: browsers open connections that they then do not need.
    Unused,
    /// No handshake in time.
    Handshake,
    /// Takes what it asked for too slowly.
    SendRate,
    /// Sends a body too slowly.
    ReceiveRate,
    /// Idle, while others found no room.
    Shed,
    /// No descriptors left: it has to wait in the kernel's queue.
    Descriptors,
    /// A trusted address that does not say for whom it speaks, or not as it has to.
    ProxyProtocol,
    /// More frames than any client needs (HTTP/2).
    Flood,
    /// Frames that break the protocol (HTTP/2).
    Protocol,
    /// More requests at once than there are streams (HTTP/2).
    RefusedStream,
    /// No request (400; in HTTP/2, or its stream is reset).
    Malformed,
    /// More or longer fields than anybody needs (431).
    HeadTooLarge,
    /// A longer target than anybody needs (414).
    TargetTooLong,
}

impl Reason {
    /// In the order of their declaration: that is how a counter is found.
    const ALL: [Reason; 14] = [
        Reason::Head,
        Reason::Unused,
        Reason::Handshake,
        Reason::SendRate,
        Reason::ReceiveRate,
        Reason::Shed,
        Reason::Descriptors,
        Reason::ProxyProtocol,
        Reason::Flood,
        Reason::Protocol,
        Reason::RefusedStream,
        Reason::Malformed,
        Reason::HeadTooLarge,
        Reason::TargetTooLong,
    ];

    /// For an answer of ours with this status, whoever gives it; `None` where it refuses nothing.
    pub fn of(status: StatusCode) -> Option<Reason> {
        match status {
            StatusCode::BAD_REQUEST => Some(Reason::Malformed),
            StatusCode::URI_TOO_LONG => Some(Reason::TargetTooLong),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Some(Reason::HeadTooLarge),
            _ => None,
        }
    }

    /// As metrics and manual have it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Head => "head-timeout",
            Reason::Unused => "unused",
            Reason::Handshake => "handshake-timeout",
            Reason::SendRate => "send-rate",
            Reason::ReceiveRate => "receive-rate",
            Reason::Shed => "shed",
            Reason::Descriptors => "descriptors",
            Reason::ProxyProtocol => "proxy-protocol",
            Reason::Flood => "flood",
            Reason::Protocol => "protocol-error",
            Reason::RefusedStream => "refused-stream",
            Reason::Malformed => "malformed",
            Reason::HeadTooLarge => "head-too-large",
            Reason::TargetTooLong => "target-too-long",
        }
    }
}

/// What is said to bytes that are no request that is answered.
pub fn told(refused: Refused) -> (StatusCode, Notice) {
    match refused {
        Refused::Malformed => (StatusCode::BAD_REQUEST, Notice::BadRequest),
        Refused::HeadTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Notice::HeadTooLarge),
        Refused::TargetTooLong => (StatusCode::URI_TOO_LONG, Notice::TargetTooLong),
    }
}

/// See above; the same counters for all cores.
#[derive(Debug)]
pub struct TurnedAway([Counter; Reason::ALL.len()]);

impl TurnedAway {
    pub fn new(metrics: &Metrics) -> TurnedAway {
        TurnedAway(Reason::ALL.map(|reason| metrics.turned_away(reason.name())))
    }

    pub fn count(&self, reason: Reason) {
        self.0[reason as usize].inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_counter_and_stands_in_the_table() {
        let metrics = Metrics::new();
        let all = TurnedAway::new(&metrics);
        let row = crate::record::METRICS.iter().find(|row| row.name == "difusor_turned_away").unwrap();
        for (n, reason) in Reason::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| all.count(reason));
            let line = format!("difusor_turned_away_total{{reason=\"{}\"}} {}\n", reason.name(), n + 1);
            assert!(metrics.text().contains(&line), "{line}");
            assert!(row.labels.contains(reason.name()), "{reason:?}");
        }
    }
}
