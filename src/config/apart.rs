//! What must not lie where everything is published: with `trust = "transport"` the incoming folder is the site, or its
//! folders are, whatever is in them. A package lists its files, and nothing else that lies there is ever sent.

use std::fs;
use std::path::{Path, PathBuf};

use super::Rsync;
use super::typed::Section;
use crate::admin::Https;
use crate::http;
use crate::ingest::Intake;

/// Folders of `state` with what is not for everybody: withdrawn cortes, what is not verified, what was refused.
const NOT_PUBLIC: [&str; 3] = ["vault", "staging", "refused"];

/// Everything with secrets in it that the settings name.
pub struct Named<'s> {
    /// The settings file itself.
    pub file: PathBuf,
    pub http: Option<&'s http::Settings>,
    pub admin: Option<&'s Https>,
    pub rsync: Option<&'s Rsync>,
}

/// Notes a fault where something of ours would be published.
pub fn apart(top: &Section, folder: &Path, intake: &Intake, named: Named) {
    let (Some(incoming), Some(transport)) = (&intake.incoming, &intake.transport) else { return };
    // What cannot be found cannot be looked into, either.
    let Ok(incoming) = fs::canonicalize(incoming) else { return };
    let is_site = |path: &Path| is_site(&incoming, path, transport.is_mirror);
    let state = found(&intake.state);
    let ours = named.paths(top, folder).into_iter().map(|path| found(&path)).filter(|path| is_site(path));
    let ours: Vec<PathBuf> = ours.chain(is_site(&state).then(|| state.clone())).collect();
    for path in &ours {
        let what = format!(
            "{}: {} lies in it and would be published; with `trust = \"transport\"` it must hold nothing but the site: \
             name a folder of its own",
            incoming.display(),
            path.display()
        );
        top.fault_of("incoming", &what);
    }
    if let Some(name) = NOT_PUBLIC.into_iter().find(|name| incoming.starts_with(state.join(name))) {
        let what = format!("lies in `{name}` of `state`, which is not for everybody; name a folder of its own");
        top.fault_of("incoming", &what);
    }
}

impl Named<'_> {
    fn paths(self, top: &Section, folder: &Path) -> Vec<PathBuf> {
        let sources = top.sections("source").into_iter();
        let authorizations =
            sources.filter_map(|source| Some(source.text("authorization_file", |text| Ok(folder.join(text)))?.value));
        let certificates = self.http.into_iter().flat_map(|http| &http.certificates).map(|files| files.key.clone());
        let doors = self.admin.into_iter().flat_map(|door| [Some(door.certificate.key.clone()), door.tokens.clone()]);
        let login = self.rsync.and_then(|rsync| Some(rsync.login.as_ref()?.secrets.clone()));
        let all = [self.file].into_iter().chain(certificates).chain(doors.flatten()).chain(login);
        all.chain(authorizations).collect()
    }
}

/// Whether what lies at `path`, or in it, is part of what is published from this folder.
fn is_site(incoming: &Path, path: &Path, is_mirror: bool) -> bool {
    let Ok(inside) = path.strip_prefix(incoming) else { return false };
    let mut parts = inside.components();
    let first = parts.next().map(|part| part.as_os_str().as_encoded_bytes());
    // Otherwise each folder in it is a site, but for those whose names begin with a dot.
    let is_in_a_folder = path.is_dir() || parts.next().is_some();
    is_mirror || (is_in_a_folder && !first.is_some_and(|name| name.starts_with(b".")))
}

/// Where something lies behind all links, or will once it is there.
fn found(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let to_be = || Some(fs::canonicalize(parent).ok()?.join(path.file_name()?));
    fs::canonicalize(path).ok().or_else(to_be).unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const TRANSPORT: &str = "trust = \"transport\"\n[transport]\nstamp = \"names\"\nregex = '^(\\d{8}_\\d{4})_PREP'\n\
                             format = \"%Y%m%d_%H%M\"\nzone = \"America/Cancun\"\n";

    /// A folder as an operator may have it: `d.toml`, the state, and everything secret side by side.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["incoming/sub", "state/refused", "tls", ".hidden", "real"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("d.toml"), "").unwrap();
        for file in ["rsyncd.secrets", "tls/rsyncd.secrets", ".hidden/rsyncd.secrets", "real/secrets"] {
            fs::write(dir.path().join(file), "iec:x\n").unwrap();
        }
        fs::write(dir.path().join("tls/authorization"), "Bearer x\n").unwrap();
        dir
    }

    fn told(dir: &Path, folder: &Path, top: &str, rest: &str) -> String {
        let text = format!("election = \"e-1\"\n{top}{rest}[listen]\nhttp = [\"[::]:80\"]\n");
        let told = parse(&text, "d.toml", folder).map(|_| String::new()).unwrap_or_else(|faults| faults.to_string());
        told.replace(&*fs::canonicalize(dir).unwrap().to_string_lossy(), "DIR")
    }

    #[test]
    fn nothing_secret_lies_in_a_mirror() {
        let (dir, elsewhere) = (folder(), tempfile::tempdir().unwrap());
        let state = format!("state = \"{}\"\n", elsewhere.path().join("state").display());
        let all = |top: &str, rest: &str| told(dir.path(), dir.path(), top, rest);
        let told = all(&format!("incoming = \".\"\n{state}"), TRANSPORT);
        assert!(
            told.starts_with("d.toml:2:12: `incoming` DIR: DIR/d.toml lies in it and would be published"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
        let rsync = "[rsync]\nuser = \"iec\"\nsecrets = \"tls/rsyncd.secrets\"\n\
                     [[source]]\nurl = \"http://192.0.2.1/a.zip\"\nauthorization_file = \"tls/authorization\"\n";
        let told = all(&format!("incoming = \"tls\"\n{state}"), &format!("{TRANSPORT}{rsync}"));
        for path in ["DIR/tls/rsyncd.secrets", "DIR/tls/authorization"] {
            assert!(told.contains(&format!("`incoming` DIR/tls: {path} lies in it")), "{told}");
        }
        assert_eq!(told.lines().count(), 2, "{told}");
        let told = all("incoming = \"state\"\n", TRANSPORT);
        assert!(told.contains("`incoming` DIR/state: DIR/state lies in it"), "{told}");
        let told = all("incoming = \"state/refused\"\n", TRANSPORT);
        assert!(told.contains("`incoming` lies in `refused` of `state`"), "{told}");
        // The folder that is meant, also where `state` is above it, or is still to be made.
        assert_eq!(all("incoming = \"incoming\"\n", TRANSPORT), "");
        assert_eq!(all("incoming = \"incoming\"\nstate = \"to-be\"\n", TRANSPORT), "");
        assert_eq!(all("incoming = \"incoming\"\nstate = \".\"\n", TRANSPORT), "");
        let told = all("incoming = \"incoming\"\nstate = \"incoming/to-be\"\n", TRANSPORT);
        assert!(told.contains("DIR/incoming/to-be lies in it"), "{told}");
    }

    #[test]
    fn links_hide_nothing() {
        let dir = folder();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        let rsync = "[rsync]\nuser = \"iec\"\nsecrets = \"real/secrets\"\n";
        let told = told(dir.path(), dir.path(), "incoming = \"link\"\n", &format!("{TRANSPORT}{rsync}"));
        assert!(told.contains("`incoming` DIR/real: DIR/real/secrets lies in it"), "{told}");
    }

    #[test]
    fn where_nothing_of_it_would_be_sent_nothing_is_wrong() {
        let (dir, elsewhere) = (folder(), tempfile::tempdir().unwrap());
        let state = format!("incoming = \".\"\nstate = \"{}\"\n", elsewhere.path().join("state").display());
        let all = |rest: &str| told(dir.path(), dir.path(), &state, rest);
        let each = TRANSPORT.replace("[transport]\n", "[transport]\nmirror = false\n");
        let secrets = |path: &str| format!("{each}[rsync]\nuser = \"iec\"\nsecrets = \"{path}\"\n");
        assert_eq!(all(&secrets("rsyncd.secrets")), "", "beside the folders");
        assert_eq!(all(&secrets(".hidden/rsyncd.secrets")), "", "these are not looked into");
        assert!(all(&secrets("tls/rsyncd.secrets")).contains("DIR/tls/rsyncd.secrets lies in it"));
        assert_eq!(all("trust = \"checksums\"\n"), "", "a package lists what is sent");
    }
}
