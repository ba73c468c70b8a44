//! `difusor push`: sends a package to a difusor that listens for it.

use std::cell::RefCell;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::{FAILED, WRONG_USE};
use crate::admin::push::{Destination, Push, PushFault};
use crate::admin::{Parcel, ParcelFault};
use crate::base::clock::Monotonic;
use crate::base::units::show_size;
use crate::http::tls::CertificateFiles;

/// From one line of progress to the next: often enough to see, seldom enough to cost nothing.
const SHOW_EVERY: Duration = Duration::from_millis(100);
/// A file with a token in it; anything larger is another file.
const TOKEN_MAX_BYTES: usize = 1024;

/// Send a package over HTTPS to a difusor, and hear what becomes of it
///
/// What may be over soon (no connection, too many at once, a service that is being restarted) is tried again for half a
/// minute: sending a package twice does nothing. Exit codes: 0 it is live, held, or was there already; 1 it was refused,
/// or not delivered; 2 wrong use.
#[derive(clap::Args)]
pub struct Args {
    /// The package: a .tar, .tar.gz, .tar.zst or .zip, or a folder, which is sent as a .tar
    package: PathBuf,
    /// The difusor's `admin.listen`, such as https://prep.example.mx:8443
    #[arg(long, value_name = "URL")]
    to: String,
    /// A file with the token that `difusor token` has printed
    #[arg(long, value_name = "FILE", conflicts_with = "cert", required_unless_present = "cert")]
    token_file: Option<PathBuf>,
    /// A certificate by one of the difusor's `admin.client_ca`, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The authority of the difusor's own certificate, in PEM; without it, those that this machine trusts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

pub fn run(args: &Args) -> ExitCode {
    let (push, mut parcel) = match prepared(args) {
        Ok(prepared) => prepared,
        Err(why) => {
            eprintln!("difusor push: {why}");
            return ExitCode::from(WRONG_USE);
        }
    };
    // Shared by what is under way and what has to wait: both write to the same line.
    let bar = RefCell::new(Bar::of(parcel.len));
    let mut progress = |sent| bar.borrow_mut().show(sent);
    let mut wait = |why: &str, length: Duration| {
        bar.borrow_mut().clear();
        eprintln!("difusor push: {why}; trying again in {} s", length.as_secs());
        std::thread::sleep(length);
    };
    let verdict = push.send(&mut parcel, &mut progress, &mut wait);
    bar.borrow_mut().clear();
    match verdict {
        Ok(verdict) => {
            println!("{} {}", verdict.outcome, verdict.corte);
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("difusor push: {fault}");
            ExitCode::from(FAILED)
        }
    }
}

fn prepared(args: &Args) -> Result<(Push, Parcel), String> {
    let told = |fault: PushFault| fault.to_string();
    let certificate = args.cert.clone().zip(args.key.clone()).map(|(chain, key)| CertificateFiles { chain, key });
    let token = args.token_file.as_ref().map(token).transpose()?;
    let destination = Destination { url: args.to.clone(), token, certificate, authorities: args.ca.clone() };
    let push = Push::to(&destination).map_err(told)?;
    let parcel = Parcel::of(&args.package).map_err(|fault: ParcelFault| fault.to_string())?;
    Ok((push, parcel))
}

/// The first line of the file: `difusor token` prints the token there.
fn token(path: &PathBuf) -> Result<String, String> {
    let told = |why: &str| format!("{}: {why}", path.display());
    let text = fs::read_to_string(path).map_err(|error| told(&error.to_string()))?;
    let token = text.lines().next().unwrap_or_default().trim();
    let is_token = !token.is_empty() && token.len() <= TOKEN_MAX_BYTES && token.bytes().all(|b| b.is_ascii_graphic());
    is_token
        .then(|| token.to_owned())
        .ok_or_else(|| told("expected a token, as `difusor token` prints it, in the first line"))
}

/// A line on the terminal; nothing where standard error is none.
struct Bar {
    total: u64,
    is_shown: bool,
    started: Monotonic,
    last: Option<Monotonic>,
}

impl Bar {
    fn of(total: u64) -> Bar {
        Bar { total, is_shown: io::stderr().is_terminal(), started: Monotonic::now(), last: None }
    }

    fn show(&mut self, sent: u64) {
        if sent == 0 {
            self.started = Monotonic::now();
        }
        let is_due = sent == self.total || self.last.is_none_or(|last| last.elapsed() >= SHOW_EVERY);
        if !self.is_shown || !is_due {
            return;
        }
        self.last = Some(Monotonic::now());
        let _ = write!(io::stderr(), "\r{}\x1b[K", line(sent, self.total, self.started.elapsed()));
    }

    fn clear(&mut self) {
        if self.is_shown && self.last.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// `[##########..........]  50 %  12.3 MB of 24.6 MB, 4.1 MB/s`
fn line(sent: u64, total: u64, took: Duration) -> String {
    let part = if total == 0 { 1.0 } else { sent as f64 / total as f64 };
    let full = "#".repeat((part * 20.0) as usize);
    let rate = (sent as f64 / took.as_secs_f64().max(0.001)) as u64;
    if sent == total {
        return format!("[{full}] 100 %  {} sent; waiting for the verdict", show_size(total));
    }
    let (percent, sent, total, rate) = ((part * 100.0) as u64, show_size(sent), show_size(total), show_size(rate));
    format!("[{full:.<20}] {percent:3} %  {sent} of {total}, {rate}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_grows_to_its_end() {
        let second = Duration::from_secs(1);
        assert_eq!(line(0, 100, Duration::ZERO), "[....................]   0 %  0 B of 100 B, 0 B/s");
        assert_eq!(line(50, 100, second), "[##########..........]  50 %  50 B of 100 B, 50 B/s");
        assert!(line(100, 100, second).starts_with("[####################] 100 %  100 B sent"));
        assert!(line(0, 0, second).contains("100 %"));
    }
}
