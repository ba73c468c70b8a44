//! Who is compared in a cell: a server, and the path at which it is asked.

use crate::cells::{Ask, Cell, Table};
use crate::peers::{Kind, Peer};

/// Where the proxies have what is stored, and what is always asked for again; the settings of all say the same.
const HIT: &str = "hit";
const MISS: &str = "miss";
/// The column of difusor's own files beside its stored answers.
const PACKAGE: &str = "package";

/// One column of a cell.
pub struct Contender<'p> {
    pub name: &'static str,
    pub peer: &'p Peer,
    /// Below the root, without a slash in front.
    pub path: String,
}

/// Everybody who is in `cell`.
pub fn of<'p>(cell: &Cell, peers: &'p [Peer]) -> Vec<Contender<'p>> {
    let folder = match cell.ask {
        Ask::Hit => Some(HIT),
        Ask::Miss => Some(MISS),
        _ => None,
    };
    let mut all = Vec::new();
    for peer in peers {
        let name = peer.kind.name();
        match folder {
            None => all.push(Contender { name, peer, path: cell.file.to_owned() }),
            // It has no cache, or was given no origin.
            Some(_) if !peer.kind.is_proxy() => {}
            Some(folder) => all.push(Contender { name, peer, path: format!("{folder}/{}", cell.file) }),
        }
        if cell.ask == Ask::Hit && peer.kind == Kind::Difusor {
            all.push(Contender { name: PACKAGE, peer, path: cell.file.to_owned() });
        }
    }
    all
}

/// Everybody who may be in a table, in the order of its columns.
pub fn columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Own => &["nginx", "h2o", "haproxy", "hyper", "difusor"],
        Table::Proxied => &["nginx", PACKAGE, "difusor"],
    }
}

/// The ratios that a table shows: of the first to the second.
pub fn pairs(table: Table) -> &'static [(&'static str, &'static str)] {
    match table {
        Table::Own => {
            &[("h2o", "nginx"), ("haproxy", "nginx"), ("hyper", "nginx"), ("difusor", "nginx"), ("difusor", "hyper")]
        }
        Table::Proxied => &[("difusor", "nginx"), ("difusor", PACKAGE)],
    }
}
