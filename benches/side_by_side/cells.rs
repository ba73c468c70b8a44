//! The cells of the tables: what is asked, over which wire. No idea of how a load is made, nor of who is asked.

use crate::inputs::{Body, Inputs};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wire {
    /// HTTP/1.1 in clear
    Clear,
    /// HTTP/1.1 over TLS 1.3
    Tls,
    /// HTTP/2 over TLS 1.3
    H2,
}

impl Wire {
    const ALL: [(Wire, &'static str); 3] = [(Wire::Clear, "clear"), (Wire::Tls, "tls"), (Wire::H2, "h2")];
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// The whole body, gzip'd
    Body,
    /// The same with If-None-Match and the tag of what is served: a 304
    Again,
    /// The whole body, gzip'd, over a connection that is made for it and closed behind it
    Once,
    /// TLS handshakes without a session before them
    FullHandshakes,
    /// TLS handshakes by session tickets
    Resumptions,
    /// The whole body, gzip'd, of an origin that is not asked again: it lies in the cache
    Hit,
    /// The same, and the origin is asked each time
    Miss,
}

/// Which table a cell stands in: who is compared differs between them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// The server's own files
    Own,
    /// What an origin behind it has
    Proxied,
}

pub struct Cell {
    pub name: String,
    pub wire: Wire,
    pub ask: Ask,
    /// Name of the file.
    pub file: &'static str,
    /// Bytes of the gzip'd body.
    pub size: usize,
}

impl Cell {
    /// Every cell whose name holds one of `only`, in the order of the tables.
    pub fn all(inputs: &Inputs, only: &[String]) -> Vec<Cell> {
        let mut cells = Vec::new();
        let middle = &inputs.bodies[1];
        for (wire, prefix) in Wire::ALL {
            for body in &inputs.bodies {
                cells.push(Cell::of(format!("{prefix} {}", body.label), wire, Ask::Body, body));
            }
            cells.push(Cell::of(format!("{prefix} 304"), wire, Ask::Again, middle));
        }
        cells.push(Cell::of("clear new connection".into(), Wire::Clear, Ask::Once, &inputs.bodies[0]));
        for (ask, name) in [(Ask::FullHandshakes, "handshakes, full"), (Ask::Resumptions, "handshakes, resumed")] {
            cells.push(Cell { name: name.into(), wire: Wire::Tls, ask, file: "", size: 0 });
        }
        for (wire, prefix) in Wire::ALL {
            for body in &inputs.bodies[..2] {
                cells.push(Cell::of(format!("{prefix} hit {}", body.label), wire, Ask::Hit, body));
            }
        }
        cells.push(Cell::of(format!("clear miss {}", middle.label), Wire::Clear, Ask::Miss, middle));
        cells.retain(|cell| only.is_empty() || only.iter().any(|part| cell.name.contains(part)));
        cells
    }

    /// A body over connections that are kept.
    pub fn kept(wire: Wire, body: &Body) -> Cell {
        Cell::of(body.label.into(), wire, Ask::Body, body)
    }

    fn of(name: String, wire: Wire, ask: Ask, body: &Body) -> Cell {
        Cell { name, wire, ask, file: body.name, size: body.gzip.len() }
    }

    pub fn table(&self) -> Table {
        if matches!(self.ask, Ask::Hit | Ask::Miss) { Table::Proxied } else { Table::Own }
    }

    pub fn is_handshake(&self) -> bool {
        matches!(self.ask, Ask::FullHandshakes | Ask::Resumptions)
    }
}
