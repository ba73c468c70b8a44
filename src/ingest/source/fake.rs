//! For tests: a server that is a function, and a source that polls it on a disk that is a twin.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

use super::address::Address;
use super::fault::Fault;
use super::fetch::{Polled, Poller, Signals};
use super::part::Place;
use super::settings::Settings;
use super::wire::{Answer, Body, Wire};
use crate::base::disk::Disk;
use crate::ingest::handle::Outcome;
use crate::ingest::staging::Staging;

/// What the server says: status, fields, and a body that breaks after its last byte if `is_cut`.
#[derive(Clone, Default)]
pub struct Said {
    pub status: u16,
    pub fields: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub is_cut: bool,
}

pub type Script = Arc<Mutex<dyn FnMut(&Asked) -> Said + Send>>;

/// A request as it was sent.
pub struct Asked(pub String, Vec<(HeaderName, String)>);

impl Asked {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.1.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone)]
pub struct Fake {
    pub script: Script,
    pub log: Arc<Mutex<Vec<String>>>,
}

impl Wire for Fake {
    fn get(&self, address: &Address, fields: &[(HeaderName, String)], _: Duration) -> Result<Answer, Fault> {
        let asked = Asked(address.to_string(), fields.to_vec());
        self.log.lock().unwrap().push(fields.iter().fold(asked.0.clone(), |all, (n, v)| format!("{all} {n}: {v}")));
        let Said { status, fields, body, is_cut } = (self.script.lock().unwrap())(&asked);
        let fields: HeaderMap =
            fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        Ok(Answer { status, fields, body: Box::new(Pieces { left: body, is_cut }) })
    }
}

/// Two bytes at a time.
pub struct Pieces {
    left: Vec<u8>,
    pub is_cut: bool,
}

impl Body for Pieces {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Fault> {
        if self.left.is_empty() && self.is_cut {
            return Err(Fault::Broken { why: "cut".into() });
        }
        let n = self.left.len().min(2);
        into[..n].copy_from_slice(&self.left[..n]);
        self.left.drain(..n);
        Ok(n)
    }
}

/// A file as servers have it, with a strong tag and ranges; cut after so many bytes.
pub fn file(asked: &Asked, etag: &str, bytes: &[u8], cut: Option<usize>) -> Said {
    if asked.field("if-none-match") == Some(etag) {
        return Said { status: 304, ..Said::default() };
    }
    let from = asked.field("range").filter(|_| asked.field("if-range") == Some(etag));
    let from = from.map(|range| range["bytes=".len()..].trim_end_matches('-').parse::<usize>().unwrap());
    let at = from.unwrap_or(0);
    let body: Vec<u8> = bytes[at..].iter().copied().take(cut.unwrap_or(usize::MAX)).collect();
    let mut fields = vec![("etag", etag.to_owned()), ("content-length", (bytes.len() - at).to_string())];
    fields.extend(from.map(|at| ("content-range", format!("bytes {at}-{}/{}", bytes.len() - 1, bytes.len()))));
    let is_cut = body.len() < bytes.len() - at;
    Said { status: if from.is_some() { 206 } else { 200 }, fields, body, is_cut }
}

pub fn moved(to: &str) -> Said {
    Said { status: 302, fields: vec![("location", to.to_owned())], ..Said::default() }
}

pub fn plain(body: &[u8]) -> Said {
    let fields = vec![("content-length", body.len().to_string())];
    Said { status: 200, fields, body: body.to_vec(), is_cut: false }
}

/// Bytes that stay free on the disk.
pub const RESERVE: u64 = 1000;

pub const URL: &str = "https://prep.example/20260607_2010.tar";

pub struct Bench {
    pub disk: Disk,
    pub fake: Fake,
    pub poller: Poller<Fake>,
}

pub fn settings(url: &str) -> Settings {
    Settings {
        name: "iec".into(),
        address: Address::parse(url).unwrap(),
        pointers: None,
        every: Duration::from_secs(20),
        timeout: Duration::from_secs(60),
        hosts: vec!["cdn.example".into()],
        fields: Vec::new(),
        authorization: None,
        roots: Vec::new(),
    }
}

pub fn place(disk: &Disk) -> Place {
    Place { staging: Staging::of(disk, "/state".as_ref(), RESERVE), name: "iec".into() }
}

impl Bench {
    pub fn new(settings: Settings, script: impl FnMut(&Asked) -> Said + Send + 'static) -> Bench {
        Bench::on(Disk::twin().0, settings, script)
    }

    pub fn on(disk: Disk, settings: Settings, script: impl FnMut(&Asked) -> Said + Send + 'static) -> Bench {
        let fake = Fake { script: Arc::new(Mutex::new(script)), log: Arc::default() };
        let mut poller = Poller::new(settings, fake.clone(), place(&disk), 100);
        // As the thread does: until it goes, if it ever does.
        let _ = (0..3).any(|_| poller.begin().is_ok());
        Bench { disk, fake, poller }
    }

    /// Polls: the bytes of a package, nothing new, or the code of a fault. What is found is taken for good.
    pub fn poll(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        self.poll_and(&Outcome::Same { corte: "20260607_2010".parse().unwrap() })
    }

    pub fn poll_and(&mut self, outcome: &Outcome) -> Result<Option<Vec<u8>>, Fault> {
        match self.poller.poll(&Signals::default())? {
            Polled::Unchanged => Ok(None),
            Polled::Package(arrival) => {
                // A disk that fails once may fail here, which is not what is tested.
                let bytes = (0..2).find_map(|_| self.disk.read(&arrival.path, 1000).ok()).unwrap();
                (0..2).find_map(|_| self.disk.remove(&arrival.path).ok()).unwrap();
                self.poller.told(outcome);
                Ok(Some(bytes))
            }
        }
    }

    pub fn code(&mut self) -> &'static str {
        self.poll().unwrap_err().code()
    }

    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.fake.log.lock().unwrap())
    }

    pub fn staged(&self) -> Vec<String> {
        let folder = self.disk.folder("/state/staging".as_ref()).unwrap();
        folder.names().unwrap().into_iter().map(|(name, _)| name).collect()
    }
}
