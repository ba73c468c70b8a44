//! What intake needs: whose packages, from where, kept how long.

use std::fs;
use std::path::{Path, PathBuf};

use super::transport::transport;
use super::typed::{Given, Section};
use crate::admin::socket_path;
use crate::base::disk::Disk;
use crate::base::units;
use crate::corte::{Limits, Signers, Trust};
use crate::ingest::{ContentCheck, Differing, Intake};
use crate::store::Policy;

/// Most cortes that stay reachable: a whole night and the day after.
const KEEP_MAX: u64 = 300;
/// Most cortes that are dictionaries: half a day. Each costs what the first one does, and fewer readers have it.
const DICTIONARIES_MAX: u64 = 72;
/// Most cortes in the vault: ten weeks of one every 10 minutes.
const CORTES_MAX: u64 = 10_000;

/// `is_fed`: packages come from elsewhere too.
pub fn intake(top: &Section, folder: &Path, is_fed: bool) -> Option<Intake> {
    let path = |text: &str| Ok(folder.join(text));
    let election = top.text("election", election);
    let calendar = super::schedule::calendar(top);
    let trust = top.text("trust", trust);
    let signers = top.text("signers", path);
    let signers = match (signers, &trust) {
        (Some(given), _) => read_signers(top, given),
        (None, Some(Given { value: Trust::Signed, .. })) => {
            top.missing("`signers` is missing: who may sign packages; add `signers = \"allowed_signers\"`");
            None
        }
        (None, _) => Some(Signers::default()),
    };
    let section = top.section("transport");
    let transport = match &trust {
        Some(Given { value: Trust::Transport, .. }) => Some(transport(&section)),
        _ if section.is_given() => {
            top.missing("`[transport]` is for `trust = \"transport\"` only: set that, or remove the section");
            None
        }
        _ => None,
    };
    let identity = top.text("identity", |text| Ok(text.to_owned()));
    let incoming = top.text("incoming", path).and_then(|given| existing_folder(top, given));
    if !is_fed && !top.has("incoming") {
        top.missing(
            "`incoming` is missing: the folder that is watched for packages; add `incoming = \"incoming\"`, or a \
             `[[source]]` with a `url`",
        );
    }
    let state = top.text("state", path).and_then(|given| folder_to_be(top, given));
    let content_check = top.text("content_check", content_check);
    let cortes = top.section("cortes");
    let keep = cortes.number("keep", 0..KEEP_MAX + 1);
    let settle = cortes.text("settle", units::duration);
    let differing = differing(&top.section("differences"));
    let limits = limits(&top.section("limits"));
    let vault = top.section("vault");
    let (reserve, policy) = (vault.text("reserve", units::size), policy(&vault));
    let refused = top.section("refused").text("bytes", units::size);
    Some(Intake {
        disk: Disk::machine(),
        state: state?,
        incoming,
        election: election?.value,
        calendar: calendar?,
        trust: trust?.value,
        transport: match transport {
            Some(transport) => Some(transport?),
            None => None,
        },
        signers: signers?,
        identity: identity.map(|given| given.value),
        limits: limits?,
        content_check: content_check?.value,
        keep: usize::try_from(keep?).ok()?,
        differing: differing?,
        settle: settle?.value,
        policy: policy?,
        reserve: reserve?.value,
        refused_bytes: refused?.value,
    })
}

fn differing(section: &Section) -> Option<Differing> {
    let (cortes, memory) = (section.number("cortes", 0..DICTIONARIES_MAX + 1), section.text("memory", units::size));
    let time = section.text("time", units::duration);
    Some(Differing { cortes: usize::try_from(cortes?).ok()?, memory: memory?.value, time: time?.value })
}

fn policy(section: &Section) -> Option<Policy> {
    let bytes = section.text("bytes", units::size);
    let cortes = section.number("cortes", 0..CORTES_MAX + 1);
    let at_least = section.number("at_least", 1..CORTES_MAX + 1);
    let cortes = usize::try_from(cortes?).ok()?;
    Some(Policy {
        bytes: bytes?.value,
        cortes: (cortes > 0).then_some(cortes),
        at_least: usize::try_from(at_least?).ok()?,
    })
}

fn limits(section: &Section) -> Option<Limits> {
    let (total, file) = (section.text("package_bytes", units::size), section.text("file_bytes", units::size));
    Some(Limits { total_bytes: total?.value, file_bytes: file?.value, ..Limits::default() })
}

fn election(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_name = (1..=64).contains(&text.len()) && text.bytes().all(fits);
    is_name.then(|| text.to_owned()).ok_or_else(String::new)
}

fn trust(text: &str) -> Result<Trust, String> {
    match text {
        "signed" => Ok(Trust::Signed),
        "checksums" => Ok(Trust::Checksums),
        "transport" => Ok(Trust::Transport),
        _ => Err(String::new()),
    }
}

fn content_check(text: &str) -> Result<ContentCheck, String> {
    match text {
        "refuse" => Ok(ContentCheck::Refuse),
        "warn" => Ok(ContentCheck::Warn),
        "off" => Ok(ContentCheck::Off),
        _ => Err(String::new()),
    }
}

fn read_signers(top: &Section, given: Given<PathBuf>) -> Option<Signers> {
    let shown = given.value.display();
    let text = match fs::read_to_string(&given.value) {
        Ok(text) => text,
        Err(error) => {
            let remedy = match error.kind() {
                std::io::ErrorKind::PermissionDenied => "the service's user has to be able to read it",
                _ => "ask the authority for its public key",
            };
            top.note(given.span, format!("`signers`: {shown}: {error}; {remedy}"));
            return None;
        }
    };
    let faults = match Signers::parse(&text) {
        Ok(signers) => return Some(signers),
        Err(faults) => faults,
    };
    for (line, why) in faults.lines() {
        top.note(given.span.clone(), format!("`signers`: {shown}:{line}: {why}"));
    }
    None
}

fn existing_folder(top: &Section, given: Given<PathBuf>) -> Option<PathBuf> {
    if given.value.is_dir() {
        return Some(given.value);
    }
    top.note(given.span, format!("`incoming`: {} is no folder; make it, or name another", given.value.display()));
    None
}

/// A folder that is there, or can be made where it is wanted.
fn folder_to_be(top: &Section, given: Given<PathBuf>) -> Option<PathBuf> {
    let parent = given.value.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let message = match socket_path(&given.value) {
        Err(fault) => format!("`state`: {fault}"),
        Ok(_) if given.value.is_dir() || (parent.is_dir() && !given.value.exists()) => return Some(given.value),
        Ok(_) => format!("`state`: {} is no folder and cannot be made; name another", given.value.display()),
    };
    if given.span.is_empty() {
        top.missing(&message)
    } else {
        top.note(given.span, message)
    }
    None
}
