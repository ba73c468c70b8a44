//! `[admin]`: the operators' door that others reach.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::counter::address;
use super::typed::{Given, Section};
use crate::admin::{Https, tokens};
use crate::base::disk::Disk;
use crate::http::tls;

/// `Some(None)` where there is no such door; `None` only where a fault has been noted.
pub fn https(section: &Section, folder: &Path) -> Option<Option<Https>> {
    let path = |text: &str| Ok(folder.join(text));
    let listen = section.text("listen", address);
    let (chain, key) = (section.text("chain", path), section.text("key", path));
    let (client_ca, tokens) = (section.text("client_ca", path), section.text("tokens", path));
    if let Some(listen) = listen {
        return door(section, &listen, [chain, key, client_ca, tokens]).map(Some);
    }
    for given in [&chain, &key, &client_ca, &tokens].into_iter().flatten() {
        section.note(given.span.clone(), "`admin`: this is for nobody without `admin.listen`".into());
    }
    Some(None)
}

/// Everything that the door needs, tried as the service would.
fn door(section: &Section, listen: &Given<SocketAddr>, files: [Option<Given<PathBuf>>; 4]) -> Option<Https> {
    let [chain, key, client_ca, tokens] = files;
    let at = || listen.span.clone();
    if client_ca.is_none() && tokens.is_none() {
        let remedy = "add `client_ca` or `tokens` to `[admin]`";
        section.note(at(), format!("`admin.listen`: nobody could come in there: {remedy}"));
    }
    if let Some(given) = &tokens
        && let Err(why) = tokens::read(&Disk::machine(), &given.value)
    {
        section.note(given.span.clone(), format!("`admin.tokens`: {why}; `difusor token NAME` prints a line for it"));
    }
    let (Some(chain), Some(key)) = (chain, key) else {
        section.note(at(), "`admin.listen` needs a certificate: add `chain` and `key` to `[admin]`".into());
        return None;
    };
    let certificate = tls::CertificateFiles { chain: chain.value, key: key.value };
    let path = |given: Option<Given<PathBuf>>| given.map(|given| given.value);
    let https = Https { address: listen.value, certificate, client_ca: path(client_ca), tokens: path(tokens) };
    if let Err(fault) = tls::private(https.certificate.clone(), https.clients().as_ref()) {
        section.note(chain.span, format!("`admin`: {fault}"));
    }
    Some(https)
}
