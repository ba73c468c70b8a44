//! The cells of the table: what is asked, over which wire. No idea of how a load is made.

use crate::inputs::Inputs;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wire {
    /// HTTP/1.1 in clear
    Clear,
    /// HTTP/1.1 over TLS 1.3
    Tls,
    /// HTTP/2 over TLS 1.3
    H2,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// The whole body, gzip'd
    Body,
    /// The same with If-None-Match and the tag of what is served: a 304
    Again,
    /// TLS handshakes without a session before them
    FullHandshakes,
    /// TLS handshakes by session tickets
    Resumptions,
}

pub struct Cell {
    pub name: String,
    pub wire: Wire,
    pub ask: Ask,
    /// Below the root, without a slash in front.
    pub path: &'static str,
    /// Bytes of the gzip'd body.
    pub size: usize,
}

impl Cell {
    /// Every cell whose name holds one of `only`, in the order of the table.
    pub fn all(inputs: &Inputs, only: &[String]) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (wire, prefix) in [(Wire::Clear, "clear"), (Wire::Tls, "tls"), (Wire::H2, "h2")] {
            for body in &inputs.bodies {
                let name = format!("{prefix} {}", body.label);
                cells.push(Cell { name, wire, ask: Ask::Body, path: body.name, size: body.gzip.len() });
            }
            let body = &inputs.bodies[1];
            let name = format!("{prefix} 304");
            cells.push(Cell { name, wire, ask: Ask::Again, path: body.name, size: body.gzip.len() });
        }
        for (ask, name) in [(Ask::FullHandshakes, "handshakes, full"), (Ask::Resumptions, "handshakes, resumed")] {
            cells.push(Cell { name: name.into(), wire: Wire::Tls, ask, path: "", size: 0 });
        }
        cells.retain(|cell| only.is_empty() || only.iter().any(|part| cell.name.contains(part)));
        cells
    }

    pub fn is_handshake(&self) -> bool {
        matches!(self.ask, Ask::FullHandshakes | Ask::Resumptions)
    }
}
