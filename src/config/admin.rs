//! The state folder and `[admin]`, as needed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::load::address;
use super::typed::{Given, Section};
use crate::admin::{Https, Settings, socket_path, tokens};
use crate::base::disk::Disk;
use crate::corte::Limits;
use crate::http::tls;

/// `None` only where a fault has been noted.
pub fn needed(top: &Section, folder: &Path, limits: Option<&Limits>) -> Option<Settings> {
    let state = top.text("state", |text| Ok(folder.join(text)));
    let state = state.and_then(|given| usable(top, given));
    let section = top.section("admin");
    let path = |text: &str| Ok(folder.join(text));
    let listen = section.text("listen", address);
    let (chain, key) = (section.text("chain", path), section.text("key", path));
    let (client_ca, tokens) = (section.text("client_ca", path), section.text("tokens", path));
    let https = match listen {
        None => {
            for given in [&chain, &key, &client_ca, &tokens].into_iter().flatten() {
                section.note(given.span.clone(), "`admin`: nobody comes in by this without `admin.listen`".into());
            }
            None
        }
        Some(listen) => Some(https(&section, &listen, [chain, key, client_ca, tokens])?),
    };
    Some(Settings { state: state?, package_bytes: limits?.total_bytes, https })
}

/// A folder that is there, or whose parent is: then the service makes it.
fn usable(top: &Section, given: Given<PathBuf>) -> Option<PathBuf> {
    let Given { value: state, span } = given;
    let shown = state.display();
    let parent = state.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !(state.is_dir() || !state.exists() && parent.is_dir()) {
        top.note(span, format!("`state`: {shown} is no folder and cannot become one; make it, or name another"));
        return None;
    }
    match socket_path(&state) {
        Ok(_) => Some(state),
        Err(fault) => {
            top.note(span, format!("`state`: {fault}"));
            None
        }
    }
}

/// Everything that the door needs, tried as the service would.
fn https(section: &Section, listen: &Given<SocketAddr>, files: [Option<Given<PathBuf>>; 4]) -> Option<Https> {
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
