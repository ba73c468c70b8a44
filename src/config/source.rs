//! `[[source]]`: where packages are fetched from.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::typed::{Given, Section};
use crate::base::units;
use crate::ingest::source::Settings;
use crate::ingest::source::address::Address;
use crate::ingest::source::document::{Pointers, is_pointer};
use crate::ingest::source::settings::{read_authorization, read_field, read_roots, system_roots, unreadable};

/// Sources are not polled more often: no authority's server would like it.
const EVERY_MIN: Duration = Duration::from_secs(1);
/// Letters of a name, which becomes part of file names and of a thread's.
const NAME_CHARS: usize = 32;
/// Sources; each has a thread and, while it fetches, a connection.
const SOURCES_MAX: usize = 32;

/// All of them; `None` only where a fault has been noted.
pub fn sources(top: &Section, folder: &Path) -> Option<Vec<Settings>> {
    let sections = top.sections("source");
    if sections.len() > SOURCES_MAX {
        top.missing(&format!("there are {} sources; {SOURCES_MAX} are the most", sections.len()));
    }
    // Read once: there are some 140 of them.
    let roots = if sections.is_empty() { Vec::new() } else { system_roots() };
    // Collected twice, so that the first fault does not hide the others.
    let all: Vec<_> = sections
        .iter()
        .enumerate()
        .map(|(n, section)| {
            let mut settings = source(section, n + 1, folder)?;
            let needs_roots = settings.address.origin().is_secure && settings.roots.is_empty() && roots.is_empty();
            if needs_roots {
                section
                    .missing("`source`: this machine has no root certificates; install ca-certificates, or name `ca`");
            }
            settings.roots.extend(roots.iter().cloned());
            Some(settings)
        })
        .collect();
    let all: Vec<Settings> = all.into_iter().collect::<Option<_>>()?;
    for (n, settings) in all.iter().enumerate() {
        if all[..n].iter().any(|other| other.name == settings.name) {
            top.missing(&format!("two sources have the name `{}`; give each its own", settings.name));
        }
    }
    Some(all)
}

fn source(section: &Section, number: usize, folder: &Path) -> Option<Settings> {
    let kind = section.text("kind", kind);
    let address = section.text("url", Address::parse);
    let name = section.text("name", name);
    let (pointer, sha256) = (section.text("pointer", pointer), section.text("sha256_pointer", pointer));
    if let (None, Some(sha256)) = (&pointer, &sha256) {
        section.note(sha256.span.clone(), "`source.sha256_pointer` needs a `pointer` beside it".into());
    }
    let (every, timeout) = (section.text("every", every), section.text("timeout", units::duration));
    let hosts = section.list("hosts", host);
    let headers = section.list("headers", read_field);
    let path = |text: &str| Ok(folder.join(text));
    let ca = section.text("ca", path).map(|given| file(section, "ca", given, read_roots));
    let authorization = section.text("authorization_file", path).map(|given| {
        file(section, "authorization_file", given, |bytes| {
            read_authorization(str::from_utf8(bytes).map_err(|_| "not text".to_owned())?)
        })
    });
    kind?;
    Some(Settings {
        name: name.map_or(format!("source-{number}"), |given| given.value),
        address: address?.value,
        pointers: pointer.map(|given| Pointers { package: given.value, sha256: sha256.map(|given| given.value) }),
        every: every?.value,
        timeout: timeout?.value,
        hosts: hosts?.into_iter().map(|given| given.value).collect(),
        fields: headers?.into_iter().map(|given| given.value).collect(),
        authorization: given_or_none(authorization)?,
        roots: given_or_none(ca)?.unwrap_or_default(),
    })
}

/// What may be left out, but not be wrong.
pub(super) fn given_or_none<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(given) => Some(given),
        None => Some(None),
    }
}

/// What a file holds; `None` where a fault has been noted.
pub(super) fn file<T>(
    section: &Section,
    key: &str,
    given: Given<PathBuf>,
    read: impl Fn(&[u8]) -> Result<T, String>,
) -> Option<T> {
    let found = fs::read(&given.value).map_err(|error| unreadable(&error)).and_then(|bytes| read(&bytes));
    found
        .map_err(|why| section.note(given.span, format!("`{}`: {}: {why}", section.full(key), given.value.display())))
        .ok()
}

fn kind(text: &str) -> Result<(), String> {
    if text == "http" { Ok(()) } else { Err(String::new()) }
}

/// What the log and the metrics call something.
pub(super) fn name(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_name = (1..=NAME_CHARS).contains(&text.len()) && text.bytes().all(fits);
    is_name.then(|| text.to_owned()).ok_or_else(String::new)
}

fn pointer(text: &str) -> Result<String, String> {
    is_pointer(text).then(|| text.to_owned()).ok_or_else(String::new)
}

fn every(text: &str) -> Result<Duration, String> {
    let every = units::duration(text)?;
    if every < EVERY_MIN { Err("less than a second".into()) } else { Ok(every) }
}

/// `HOST` or `HOST:PORT`, which together with a scheme make a URL.
fn host(text: &str) -> Result<String, String> {
    let is_host = !text.contains('/') && Address::parse(&format!("https://{text}/")).is_ok();
    is_host.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` is no host"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::parse;

    /// Faults of a file with this in its only `[[source]]`, and nothing else wrong with it.
    fn told(source: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let key = ssh_key::PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]));
        std::fs::write(dir.path().join("signers"), format!("iec {}\n", key.public_key().to_openssh().unwrap()))
            .unwrap();
        std::fs::write(dir.path().join("token"), "Bearer a\nb\n").unwrap();
        let text =
            format!("election = \"e\"\nsigners = \"signers\"\n[listen]\nhttp = [\"[::]:80\"]\n[[source]]\n{source}");
        match parse(&text, "d.toml", dir.path()) {
            Ok(settings) => {
                assert_eq!((settings.intake.incoming, settings.sources.len()), (None, 1));
                String::new()
            }
            Err(faults) => faults.to_string(),
        }
    }

    #[test]
    fn a_url_is_all_it_takes() {
        assert_eq!(told("url = \"http://prep.example/ultimo.tar\""), "");
        assert_eq!(told("kind = \"http\"\nurl = \"http://a/u.json\"\npointer = \"/ultimo\"\nhosts = [\"b:81\"]\n"), "");
    }

    #[test]
    fn all_faults_of_a_source_are_told_at_once() {
        let all = told(
            "kind = \"ftp\"\nurl = \"http://u:p@a/\"\nname = \"A b\"\npointer = \"ultimo\"\nevery = \"10ms\"\n\
             timeout = \"soon\"\nca = \"none.pem\"\nhosts = [\"a/b\"]\nheaders = [\"Host: x\"]\n\
             authorization_file = \"token\"\nevry = 1\n",
        );
        for expected in [
            "d.toml:6:8: `source.kind`: expected \"http\"",
            "d.toml:7:7: `source.url`: it holds a user",
            "d.toml:8:8: `source.name`: expected",
            "d.toml:9:11: `source.pointer`: expected a JSON pointer",
            "d.toml:10:9: `source.every`: less than a second",
            "d.toml:11:11: `source.timeout`: `soon` is not a duration",
            "d.toml:12:6: `source.ca`: ",
            "d.toml:13:10: `source.hosts`: `a/b` is no host",
            "d.toml:14:12: `source.headers`: `host` is set by this program",
            "d.toml:15:22: `source.authorization_file`: ",
            "d.toml:16:1: `source.evry` is no setting; did you mean `source.every`?",
        ] {
            assert!(all.contains(expected), "{expected}\nnot in\n{all}");
        }
        assert_eq!(all.lines().count(), 11, "{all}");
        assert!(told("sha256_pointer = \"/x\"\nurl = \"http://a/\"").contains("needs a `pointer`"));
        assert!(
            told("url = \"http://a/\"\n[[source]]\nname = \"source-1\"\nurl = \"http://b/\"\n").contains("two sources")
        );
        assert!(told("every = \"5s\"\n").contains("`source.url` is missing"));
    }

    #[test]
    fn there_has_to_be_a_way_in() {
        let text = "election = \"e\"\ntrust = \"checksums\"\n[listen]\nhttp = [\"[::]:80\"]\n";
        let told = parse(text, "d.toml", Path::new("/")).unwrap_err().to_string();
        assert!(told.contains("`incoming` is missing") && told.contains("[[source]]"), "{told}");
    }
}
