//! From the settings as typed to the settings as needed.

use std::cell::RefCell;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::faults::{Fault, Faults, Notes};
use super::settings::Settings;
use super::source::sources;
use super::transport::transport;
use super::typed::{Given, Section};
use crate::admin::socket_path;
use crate::base::disk::Disk;
use crate::base::network::Network;
use crate::base::{pool, units};
use crate::corte::{Limits, Signers, Trust};
use crate::http::clients::{self, Rules};
use crate::http::tickets::Tickets;
use crate::http::{self, Listen, tls};
use crate::ingest::{ContentCheck, Differing, Intake};
#[cfg(test)]
use crate::schedule::Calendar;
use crate::store::Policy;

/// Most serving threads; more than any machine that this runs on has cores.
const THREADS_MAX: u64 = 512;
/// Requests a second, and at once: more than one machine answers.
const REQUESTS_MAX: u64 = 1_000_000;
/// Most connections; each takes a descriptor, of which Linux gives a process at most about a million.
const CONNECTIONS_MAX: u64 = 1_000_000;
/// Most cortes that stay reachable: a whole night and the day after.
const KEEP_MAX: u64 = 300;
/// Most cortes that are dictionaries: half a day. Each costs what the first one does, and fewer readers have it.
const DICTIONARIES_MAX: u64 = 72;
/// Most cortes in the vault: ten weeks of one every 10 minutes.
const CORTES_MAX: u64 = 10_000;

/// Reads the file at `path`; relative paths in it start at its folder.
pub fn load(path: &Path) -> Result<Settings, Faults> {
    let file = path.display().to_string();
    parse(&text(path, &file)?, &file, path.parent().unwrap_or(Path::new("")))
}

fn text(path: &Path, file: &str) -> Result<String, Faults> {
    fs::read_to_string(path).map_err(|error| Faults {
        file: file.to_owned(),
        list: vec![Fault { at: None, message: format!("cannot be read: {error}; name it with --config") }],
    })
}

/// The state folder alone: what a verb needs that asks the running service, whose other settings it may not read.
pub fn state(path: &Path) -> Result<PathBuf, Faults> {
    let (file, folder) = (path.display().to_string(), path.parent().unwrap_or(Path::new("")));
    let text = text(path, &file)?;
    let notes = RefCell::new(Notes::new(&text));
    let document = document(&text, &notes);
    let state = Section::top(document.get_ref(), &notes).text("state", |text| Ok(folder.join(text)));
    notes.into_inner().into_faults(&file)?;
    state.map(|given| given.value).ok_or_else(|| Faults { file, list: Vec::new() })
}

/// Reads the text of a settings file that lies in `folder` under the name `file`.
pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Settings, Faults> {
    let notes = RefCell::new(Notes::new(text));
    let document = document(text, &notes);
    let settings = needed(&Section::top(document.get_ref(), &notes), folder);
    notes.into_inner().into_faults(file)?;
    settings.ok_or_else(|| Faults { file: file.to_owned(), list: Vec::new() })
}

/// The calendar of a settings file that has nothing else.
#[cfg(test)]
pub(super) fn parse_calendar(text: &str) -> Result<Arc<Calendar>, Faults> {
    let notes = RefCell::new(Notes::new(text));
    let document = document(text, &notes);
    let calendar = super::schedule::calendar(&Section::top(document.get_ref(), &notes));
    notes.into_inner().into_faults("d.toml")?;
    Ok(calendar.expect("a fault that was not noted"))
}

fn document<'t>(text: &'t str, notes: &RefCell<Notes<'t>>) -> Spanned<DeTable<'t>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let message = format!("not TOML: {}", error.message().replace('\n', "; "));
        notes.borrow_mut().at(error.span().unwrap_or(0..0), message);
    }
    document
}

/// `None` only where a fault has been noted. Every section is read before the first `?`, so that all faults are.
fn needed(top: &Section, folder: &Path) -> Option<Settings> {
    let sources = sources(top, folder);
    // A source that is faulty is one that is meant.
    let is_fed = sources.as_ref().is_none_or(|sources| !sources.is_empty());
    let intake = intake(top, folder, is_fed);
    let looks = super::looks::looks(&top.section("difusor"), folder);
    let http = http(top, folder);
    let admin = super::admin::https(&top.section("admin"), folder);
    let rsync = super::rsync::rsync(&top.section("rsync"), folder);
    let proxy = super::proxy::proxy(top, folder);
    Some(Settings {
        intake: intake?,
        sources: sources?,
        looks: looks?,
        http: http?,
        admin: admin?,
        proxy: proxy?,
        rsync: rsync?,
    })
}

/// `is_fed`: packages come from elsewhere too.
fn intake(top: &Section, folder: &Path, is_fed: bool) -> Option<Intake> {
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

fn http(top: &Section, folder: &Path) -> Option<http::Settings> {
    let threads = top.number("threads", 0..THREADS_MAX + 1);
    let section = top.section("listen");
    let clear = section.list("http", address);
    let secure = section.list("https", address);
    let redirect = section.truth("redirect");
    let limits = top.section("limits");
    let connections = limits.number("connections", 1..CONNECTIONS_MAX + 1);
    let clients = clients(&limits);
    let grace = top.section("stop").text("grace", units::duration);
    let certificates = certificates(top, folder);
    let (clear, secure) = (clear?, secure?);
    match (secure.first(), certificates.is_empty()) {
        (Some(https), true) => {
            let remedy = "add a `[[certificate]]` with `chain` and `key`";
            section.note(https.span.clone(), format!("`listen.https` needs a certificate: {remedy}"));
        }
        (None, false) => top.missing("a certificate is given, but no address for it: add `https` to `[listen]`"),
        _ => {}
    }
    if clear.is_empty() && secure.is_empty() {
        top.missing("nowhere to listen: add `http` or `https` to `[listen]`, such as `https = [\"[::]:443\"]`");
    }
    let listen = |is_tls| move |given: Given<SocketAddr>| Listen { address: given.value, is_tls };
    Some(http::Settings {
        listen: clear.into_iter().map(listen(false)).chain(secure.into_iter().map(listen(true))).collect(),
        certificates,
        redirect: redirect?,
        threads: match threads? {
            0 => pool::cores(),
            n => usize::try_from(n).ok()?,
        },
        connections_max: usize::try_from(connections?).ok()?,
        grace: grace?.value,
        clients: clients?,
    })
}

fn clients(section: &Section) -> Option<Rules> {
    let connections = section.number("client_connections", 1..CONNECTIONS_MAX + 1);
    let requests = section.number("client_requests", 0..REQUESTS_MAX + 1);
    let burst = section.number("client_burst", 1..REQUESTS_MAX + 1);
    let number = |n: Option<u64>| u32::try_from(n?).ok();
    let exempt = section.list("client_exempt", Network::read);
    let (connections, requests, burst) = (number(connections)?, number(requests)?, number(burst)?);
    let exempt = exempt?.into_iter().map(|given| given.value).collect();
    Some(Rules { limits: clients::Limits { connections, requests, burst }, exempt })
}

fn certificates(top: &Section, folder: &Path) -> Vec<tls::CertificateFiles> {
    let path = |text: &str| Ok(folder.join(text));
    let mut all = Vec::new();
    for section in top.sections("certificate") {
        let (chain, key) = (section.text("chain", path), section.text("key", path));
        let (Some(chain), Some(key)) = (chain, key) else { continue };
        let files = tls::CertificateFiles { chain: chain.value, key: key.value };
        if let Err(fault) = tls::public(std::slice::from_ref(&files), Arc::new(Tickets::of(b"", 0))) {
            section.note(chain.span, format!("`certificate`: {fault}"));
        }
        all.push(files);
    }
    all
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

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not \"ADDRESS:PORT\""))
}

fn read_signers(top: &Section, given: Given<PathBuf>) -> Option<Signers> {
    let shown = given.value.display();
    let text = match fs::read_to_string(&given.value) {
        Ok(text) => text,
        Err(error) => {
            top.note(given.span, format!("`signers`: {shown}: {error}; ask the authority for its public key"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Rsync, table};
    use proptest::prelude::*;

    /// A folder with everything that the example names, but certificates.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let key = ssh_key::PrivateKey::random(&mut ssh_key::rand_core::OsRng, ssh_key::Algorithm::Ed25519).unwrap();
        let line = format!("iec namespaces=\"prep-corte\" {}\n", key.public_key().to_openssh().unwrap());
        fs::write(dir.path().join("allowed_signers"), line).unwrap();
        fs::create_dir(dir.path().join("incoming")).unwrap();
        dir
    }

    const LEAST: &str = "election = \"e-1\"\nsigners = \"allowed_signers\"\nincoming = \"incoming\"\n";

    fn faults(text: &str) -> String {
        parse(text, "d.toml", folder().path()).unwrap_err().to_string()
    }

    #[test]
    fn the_least_that_is_needed_has_all_defaults() {
        let dir = folder();
        let settings = parse(&format!("{LEAST}[listen]\nhttp = [\"[::]:80\"]\n"), "d.toml", dir.path()).unwrap();
        assert_eq!((settings.intake.calendar.windows().len(), settings.intake.keep), (4, 6));
        assert_eq!(settings.intake.incoming, Some(dir.path().join("incoming")));
        assert_eq!(settings.http.listen, [Listen { address: "[::]:80".parse().unwrap(), is_tls: false }]);
        assert_eq!(settings.intake.limits.total_bytes, Limits::default().total_bytes);
        assert_eq!(settings.intake.limits.file_bytes, Limits::default().file_bytes);
        assert_eq!(settings.http.threads, pool::cores());
    }

    #[test]
    fn all_faults_are_told_at_once_where_they_stand() {
        let text = "electin = \"e\"\nsigners = \"nobody\"\nthreads = \"two\"\n[listen]\nhttp = [\"80\"]\n[cortes]\n\
                    settle = \"soon\"\nkep = 3\n[limits]\nconnections = 0\n";
        let told = faults(text);
        for expected in [
            "d.toml:1:1: `electin` is no setting; did you mean `election`?",
            "d.toml:2:11: `signers`:",
            "d.toml:3:11: `threads`: expected a whole number, such as 0",
            "d.toml:5:9: `listen.http`: `80` is not \"ADDRESS:PORT\"",
            "d.toml:7:10: `cortes.settle`: `soon` is not a duration",
            "d.toml:8:1: `cortes.kep` is no setting; did you mean `cortes.keep`?",
            "d.toml:10:15: `limits.connections`: expected 1 to 1000000",
            "d.toml: `election` is missing",
            "d.toml: `incoming` is missing",
        ] {
            assert!(told.contains(expected), "{expected}\nnot in\n{told}");
        }
        assert_eq!(told.lines().count(), 9, "{told}");
    }

    #[test]
    fn tls_needs_both_an_address_and_a_certificate() {
        assert!(faults(&format!("{LEAST}[listen]\nhttps = [\"[::]:443\"]\n")).contains("needs a certificate"));
        let told =
            faults(&format!("{LEAST}[listen]\nhttp = [\"[::]:80\"]\n[[certificate]]\nchain = \"c\"\nkey = \"k\"\n"));
        assert!(told.contains("no address for it") && told.contains("d.toml:7:9: `certificate`: "), "{told}");
        assert!(faults(LEAST).contains("nowhere to listen"));
        assert!(faults("= 1\n").contains("d.toml:1:1: not TOML"));
    }

    #[test]
    fn the_admin_side_needs_a_certificate_and_somebody_who_may_come_in() {
        let dir = folder();
        let parsed = |rest: &str| {
            let text = format!("{LEAST}{rest}[listen]\nhttp = [\"[::]:80\"]\n");
            parse(&text, "d.toml", dir.path()).map_err(|faults| faults.to_string())
        };
        assert_eq!(parsed("").unwrap().admin, None);
        let told = parsed("[admin]\nlisten = \"127.0.0.1:8443\"\n").unwrap_err();
        assert!(told.contains("d.toml:5:10: `admin.listen`: nobody could come in"), "{told}");
        assert!(told.contains("d.toml:5:10: `admin.listen` needs a certificate"), "{told}");
        let told = parsed("[admin]\nlisten = \"a\"\n").unwrap_err();
        assert!(told.contains("`admin.listen`: `a` is not \"ADDRESS:PORT\""), "{told}");
        let told = parsed("[admin]\ntokens = \"t\"\n").unwrap_err();
        assert!(told.contains("without `admin.listen`"), "{told}");
        fs::write(dir.path().join("t"), "spoilt").unwrap();
        let told = parsed("[admin]\nlisten = \"[::]:1\"\ntokens = \"t\"\nchain = \"c\"\nkey = \"k\"\n").unwrap_err();
        assert!(told.contains("`admin.tokens`: ") && told.contains("line 1") && told.contains("`admin`: "), "{told}");
        let told = parsed(&format!("state = \"{}\"\n", "s".repeat(120))).unwrap_err();
        assert!(told.contains("d.toml:4:9: `state`: ") && told.contains("107 bytes"), "{told}");
    }

    #[test]
    fn the_state_alone_can_be_read_where_the_rest_cannot() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("d.toml");
        fs::write(&file, "signers = \"nobody\"\nstate = \"s\"\n").unwrap();
        assert_eq!(state(&file).unwrap(), dir.path().join("s"));
        fs::write(&file, "signers = 1\n").unwrap();
        assert_eq!(state(&file).unwrap(), dir.path().join("state"));
        fs::write(&file, "state = 1\n").unwrap();
        assert!(state(&file).unwrap_err().to_string().contains("d.toml:1:9: `state`: expected a path"));
    }

    #[test]
    fn the_example_lacks_nothing_but_its_certificate() {
        let told = faults(&table::example().replace("# https", "https"));
        assert!(told.lines().all(|line| line.contains("`certificate`: ")), "{told}");
    }

    #[test]
    fn who_may_push_by_rsync_is_told_all_at_once_too() {
        let dir = folder();
        let parsed = |rsync: &str| {
            let text = format!("{LEAST}[listen]\nhttp = [\"[::]:80\"]\n{rsync}");
            parse(&text, "d.toml", dir.path()).map(|s| s.rsync).map_err(|faults| faults.to_string())
        };
        assert_eq!(parsed("").unwrap(), Rsync::default(), "the table says the same");
        let given = parsed("[rsync]\ntrusted = [\"10.0.0.0/8\"]\nuser = \"iec\"\nsecrets = \"s\"\n").unwrap();
        assert_eq!(given.login.unwrap().secrets, dir.path().join("s"));
        let text = "[rsync]\ntrusted = [\"10.0.0.1/8\", \"x\", \"::/0\"]\nports = [873, 0, 873]\nmodule = \"a b\"\n\
                    user = \"iec\"\nconnections = 0\nmodul = 1\n";
        let told = parsed(text).unwrap_err();
        for expected in [
            "d.toml:7:12: `rsync.trusted`: `10.0.0.1/8` is no network; one begins at `10.0.0.0/8`",
            "d.toml:7:26: `rsync.trusted`: `x` is no address or network, such as [\"203.0.113.10\"",
            "d.toml:7:31: `rsync.trusted`: `::/0` is everybody",
            "d.toml:8:15: `rsync.ports`: expected 1 to 65535",
            "d.toml:9:10: `rsync.module`: expected 1 to 64",
            "d.toml:10:8: `rsync.user` needs `secrets`",
            "d.toml:11:15: `rsync.connections`: expected 1 to 1000",
            "d.toml:12:1: `rsync.modul` is no setting; did you mean `rsync.module`?",
        ] {
            assert!(told.contains(expected), "{expected}\nnot in\n{told}");
        }
        assert_eq!(told.lines().count(), 8, "{told}");
        assert!(
            parsed("[rsync]\nsecrets = \"s\"\n").unwrap_err().contains("d.toml:7:11: `rsync.secrets` needs `user`")
        );
        assert!(parsed("[rsync]\nports = []\n").unwrap_err().contains("d.toml:7:9: `rsync.ports` is empty"));
        assert!(
            parsed("[rsync]\nports = [873, 873]\n")
                .unwrap_err()
                .contains("d.toml:7:15: `rsync.ports`: 873 is there twice")
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in "(election|[a-z.\\[\\]=\" \n0-9]){0,60}") {
            let _ = parse(&text, "d.toml", Path::new("/nowhere"));
        }
    }
}
