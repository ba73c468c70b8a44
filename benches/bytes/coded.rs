//! A resource's versions through a night, each in every coding that the product makes, at its best level.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;
use difusor::base::pool;
use difusor::snapshot::{Coding, Content, Difference, Level, media};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Bytes of one version's body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    pub plain: usize,
    pub gzip: usize,
    pub br: usize,
    pub zstd: usize,
    /// By zlib: `gzip -9` as people run it, and nginx's own `gzip on`, which is level 1.
    pub gzip_9: usize,
    pub gzip_1: usize,
    /// As a difference from the version before; `None` where it is the first, or that does not pay.
    pub dcb: Option<usize>,
    pub dcz: Option<usize>,
    /// `dcz` as it goes live with the corte.
    pub dcz_fast: Option<usize>,
    /// The same bytes as before.
    pub is_same: bool,
}

impl Sizes {
    /// The shortest that needs no dictionary.
    pub fn shortest(&self) -> usize {
        self.plain.min(self.gzip).min(self.br).min(self.zstd)
    }

    /// The shortest of all.
    pub fn difference(&self) -> usize {
        self.dcb.into_iter().chain(self.dcz).min().unwrap_or(usize::MAX).min(self.shortest())
    }

    /// What nginx has for it with brotli 11, as its static module wants it: `.br` beside the file.
    pub fn nginx(&self) -> usize {
        self.br.min(self.plain)
    }
}

/// Every version of `path`; and the seconds of CPU that best codings and differences took.
pub fn versions(path: &str, bodies: &[Bytes]) -> (Vec<Sizes>, f64) {
    let (next, seconds) = (AtomicUsize::new(0), Mutex::new(0.0));
    let sizes = Mutex::new(vec![Sizes::default(); bodies.len()]);
    std::thread::scope(|scope| {
        for _ in 0..pool::cores() {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(body) = bodies.get(n) else { return };
                    let started = Monotonic::now();
                    let one = version(path, body, n.checked_sub(1).map(|before| &bodies[before]));
                    *seconds.lock().unwrap() += started.elapsed().as_secs_f64();
                    sizes.lock().unwrap()[n] = one;
                }
            });
        }
    });
    (sizes.into_inner().unwrap(), seconds.into_inner().unwrap())
}

fn gzip(body: &[u8], level: Compression) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory").len()
}

fn version(path: &str, body: &Bytes, before: Option<&Bytes>) -> Sizes {
    let content = |body: &Bytes, level| Content::new(body.clone(), Digest::of(body), media::of(path), level);
    let is_same = before == Some(body);
    let now = content(body, if is_same { Level::Plain } else { Level::Best });
    let size = |coding| now.get(coding).map_or(body.len(), |rep| rep.body.len());
    let mut sizes = Sizes {
        plain: body.len(),
        gzip: size(Coding::Gzip),
        br: size(Coding::Br),
        zstd: size(Coding::Zstd),
        gzip_9: gzip(body, Compression::best()),
        gzip_1: gzip(body, Compression::fast()),
        is_same,
        ..Sizes::default()
    };
    if let Some(before) = before.filter(|_| !is_same && media::of(path).compressible) {
        let before = content(before, Level::Plain);
        let difference = |coding, level| {
            Difference::new(&now, &before, coding, level).map(|difference| difference.representation().body.len())
        };
        sizes.dcb = difference(Coding::Dcb, Level::Best);
        sizes.dcz = difference(Coding::Dcz, Level::Best);
        sizes.dcz_fast = difference(Coding::Dcz, Level::Fast);
    }
    sizes
}
