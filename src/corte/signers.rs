//! The signers file: who may sign packages. ssh-keygen(1), ALLOWED SIGNERS.
//!
//! Read as `ssh-keygen -Y verify` does, with two differences: every fault in the file is an error at
//! once, with its line, instead of a line passed over; and times without `Z` are read in the zone of
//! the election, not in the machine's, so that a file means the same everywhere.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, PublicKey};

use super::pattern::PatternList;
use crate::base::shown::Shown;

/// The zone of times without `Z`: Coahuila's.
pub const ZONE: &str = "America/Monterrey";

/// RSA keys shorter than this are refused (FORMAT.md).
const RSA_LEAST_BITS: usize = 2048;

/// The allowed signers.
#[derive(Clone, Debug, Default)]
pub struct Signers {
    pub(super) list: Vec<Signer>,
}

/// One line of the file.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    pub line: usize,
    pub principals: PatternList,
    pub namespaces: Option<PatternList>,
    pub valid_after: Option<Timestamp>,
    pub valid_before: Option<Timestamp>,
    pub key: KeyData,
}

/// Everything that is wrong with a signers file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignersFault(Vec<(usize, String)>);

impl fmt::Display for SignersFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (line, what)) in self.0.iter().enumerate() {
            let between = if i == 0 { "" } else { "\n" };
            write!(f, "{between}signers file line {line}: {what}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SignersFault {}

impl SignersFault {
    /// Line numbers and what is wrong there, in order.
    pub fn lines(&self) -> &[(usize, String)] {
        &self.0
    }
}

impl Signers {
    pub fn parse(text: &str) -> Result<Signers, SignersFault> {
        let (mut list, mut faults) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_start_matches([' ', '\t']);
            if line.trim_end().is_empty() || line.starts_with('#') {
                continue;
            }
            match Signer::parse(number, line) {
                Ok(signer) => list.push(signer),
                Err(what) => faults.push((number, what)),
            }
        }
        if faults.is_empty() && list.is_empty() {
            faults.push((1, "no signer in the whole file; expected `PRINCIPAL KEYTYPE BASE64`".into()));
        }
        if faults.is_empty() { Ok(Signers { list }) } else { Err(SignersFault(faults)) }
    }

    /// Nobody: where no signature is asked for. Every one is refused (P051).
    pub fn none() -> Signers {
        Signers { list: vec![] }
    }

    /// One key that may sign always.
    pub(super) fn of(key: KeyData) -> Signers {
        let principals = PatternList::new("*");
        let always = Signer { line: 0, principals, namespaces: None, valid_after: None, valid_before: None, key };
        Signers { list: vec![always] }
    }

    /// True where some line lets this principal sign.
    pub fn knows(&self, identity: &str) -> bool {
        self.list.iter().any(|signer| signer.principals.matches(identity))
    }

    /// Each signer's line, principals and key fingerprint, in the file's order.
    pub fn summary(&self) -> impl Iterator<Item = (usize, &str, String)> {
        self.list.iter().map(|s| (s.line, s.principals.as_str(), s.key.fingerprint(HashAlg::Sha256).to_string()))
    }
}

impl Signer {
    fn parse(line: usize, text: &str) -> Result<Signer, String> {
        let (principals, rest) = word(text)?;
        if text.starts_with("-----BEGIN") {
            return Err("a file of another kind: private keys and certificates do not belong here; expected lines \
                        `PRINCIPAL KEYTYPE BASE64`"
                .into());
        }
        if key(text).is_some() {
            return Err("a bare public key: write before it who signs with it, such as `iec namespaces=\"prep-corte\" ssh-ed25519 AAAA...`".into());
        }
        if rest.is_empty() {
            return Err("the key is missing; expected `PRINCIPAL KEYTYPE BASE64`".into());
        }
        let (options, key) = match key(rest) {
            Some(key) => ("", key),
            None => {
                let (options, rest) = rest.split_at(options_end(rest)?);
                (options, key(rest.trim_start()).ok_or("no key of the form `KEYTYPE BASE64`; options take no spaces")?)
            }
        };
        accepted(&key)?;
        let mut signer = Signer {
            line,
            principals: PatternList::new(principals),
            namespaces: None,
            valid_after: None,
            valid_before: None,
            key,
        };
        signer.options(options)?;
        match (signer.valid_after, signer.valid_before) {
            (Some(after), Some(before)) if before <= after => Err("valid-before is not after valid-after".into()),
            _ => Ok(signer),
        }
    }

    fn options(&mut self, mut rest: &str) -> Result<(), String> {
        while !rest.is_empty() {
            let end = rest.find(['=', ',']).unwrap_or(rest.len());
            let name = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
            match name.as_str() {
                "namespaces" => set(&mut self.namespaces, &name, PatternList::new(&quoted(&mut rest, &name)?))?,
                "valid-after" => set(&mut self.valid_after, &name, time(&quoted(&mut rest, &name)?)?)?,
                "valid-before" => set(&mut self.valid_before, &name, time(&quoted(&mut rest, &name)?)?)?,
                "cert-authority" => return Err("cert-authority: certificates are not accepted; list the key".into()),
                _ => return Err(format!("unknown option `{}`", Shown::text(&name))),
            }
            rest = match rest.strip_prefix(',') {
                Some("") => return Err("the options end in a comma".into()),
                Some(more) => more,
                None if rest.is_empty() => rest,
                None => return Err(format!("no comma after option {name}")),
            };
        }
        Ok(())
    }

    /// The dates in words, for messages.
    pub fn dates(&self) -> String {
        match (self.valid_after, self.valid_before) {
            (Some(after), Some(before)) => format!("from {after} to {before}"),
            (Some(after), None) => format!("from {after} on"),
            (None, Some(before)) => format!("until {before}"),
            (None, None) => "always".into(),
        }
    }
}

fn set<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("option {name} is given twice")),
    }
}

/// The first word and what follows it; a word in double quotes may hold spaces.
fn word(text: &str) -> Result<(&str, &str), String> {
    let (word, rest) = match text.strip_prefix('"') {
        Some(inner) => inner.split_once('"').ok_or("a quote is not closed")?,
        None => text.split_at(text.find([' ', '\t']).unwrap_or(text.len())),
    };
    Ok((word, rest.trim_start_matches([' ', '\t']).trim_end()))
}

/// Where the options end: at the first blank outside double quotes.
fn options_end(text: &str) -> Result<usize, String> {
    let (mut inside, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => inside = !inside,
            ' ' | '\t' if !inside => return Ok(at),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    Err(if inside { "a quote is not closed" } else { "the key is missing after the options" }.into())
}

/// The value of `="..."` at the front of `rest`, which then begins behind it.
fn quoted(rest: &mut &str, name: &str) -> Result<String, String> {
    let want = || format!("option {name}: expected {name}=\"...\", in double quotes");
    let text = rest.strip_prefix("=\"").ok_or_else(want)?;
    let (mut value, mut chars) = (String::new(), text.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                *rest = &text[at + 1..];
                return Ok(value);
            }
            // Only a quote can be escaped; any other backslash stands for itself.
            '\\' if chars.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            _ => value.push(c),
        }
    }
    Err(want())
}

/// `YYYYMMDD[Z]`, `YYYYMMDDHHMM[Z]` or `YYYYMMDDHHMMSS[Z]`.
fn time(text: &str) -> Result<Timestamp, String> {
    let want = || format!("`{}` is no time; expected YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]", Shown::text(text));
    let (digits, utc) = match text.strip_suffix('Z') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(want());
    }
    let full = format!("{digits:0<14}");
    let field = |at: usize, n: usize| full[at..at + n].parse::<i16>().unwrap_or(-1);
    let small = |at: usize| field(at, 2) as i8;
    let civil = DateTime::new(field(0, 4), small(4), small(6), small(8), small(10), small(12), 0);
    let zone = if utc { Ok(TimeZone::UTC) } else { TimeZone::get(ZONE) };
    let zoned = civil.and_then(|civil| zone.and_then(|zone| zone.to_timestamp(civil)));
    zoned.map_err(|_| want())
}

/// `KEYTYPE BASE64 [comment]`.
fn key(text: &str) -> Option<KeyData> {
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    let (kind, base64) = (words.next()?, words.next()?);
    PublicKey::from_openssh(&format!("{kind} {base64}")).ok().map(Into::into)
}

/// Only the kinds that FORMAT.md names.
pub(super) fn accepted(key: &KeyData) -> Result<(), String> {
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 } => Ok(()),
        Algorithm::Rsa { .. } => {
            let n = key.rsa().and_then(|rsa| rsa.n.as_positive_bytes()).unwrap_or_default();
            let bits = n.len() * 8 - n.first().map_or(0, |b| b.leading_zeros() as usize);
            if bits < RSA_LEAST_BITS {
                return Err(format!("the RSA key has {bits} bits; expected {RSA_LEAST_BITS} or more"));
            }
            let usable = key.rsa().map(rsa::RsaPublicKey::try_from);
            match usable {
                Some(Ok(_)) => Ok(()),
                _ => Err(format!("the RSA key ({bits} bits) is not usable; expected 2048 to 4096 bits")),
            }
        }
        other => Err(format!(
            "keys of type {} are not accepted; expected ssh-ed25519, ecdsa-sha2-nistp256 or ssh-rsa",
            Shown::text(other.as_str())
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn one(front: &str) -> Result<Signer, String> {
        let parsed = Signers::parse(&format!("{front} {KEY} comment here\n"));
        parsed.map(|mut s| s.list.remove(0)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn reads_what_ssh_keygen_reads() {
        let text = format!("# authority\n\n  iec,*@iec.org.mx {KEY}\n\"iec\" NAMESPACES=\"a b,prep-*\" {KEY}\r\n");
        let signers = Signers::parse(&text).unwrap();
        assert_eq!(signers.list.iter().map(|s| s.line).collect::<Vec<_>>(), [3, 4]);
        assert!(signers.list[1].namespaces.as_ref().unwrap().matches("prep-corte"));
        let dated = one(r#"iec valid-after="20260601",valid-before="202606142359Z",namespaces="x\"y""#).unwrap();
        assert_eq!(dated.valid_after, Some("2026-06-01T06:00:00Z".parse().unwrap()), "Monterrey is UTC-6");
        assert_eq!(dated.valid_before, Some("2026-06-14T23:59:00Z".parse().unwrap()));
        assert_eq!(dated.namespaces.unwrap().as_str(), "x\"y");
    }

    #[test]
    fn every_fault_has_its_line() {
        let text = format!("iec\niec {KEY}\niec foo {KEY}\niec ssh-ed25519 AAAA\n");
        let fault = Signers::parse(&text).unwrap_err();
        assert_eq!(fault.lines().iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4]);
        assert!(Signers::parse("# nobody\n").is_err());
    }

    #[test]
    fn the_wrong_file_is_called_what_it_is() {
        let fault = |text: &str| Signers::parse(text).unwrap_err().to_string();
        assert!(fault(&format!("{KEY} ana@diario\n")).contains("a bare public key"));
        assert!(fault("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n").contains("private keys"));
        let signers = Signers::parse(&format!("iec,*@iec.org.mx {KEY}\n")).unwrap();
        assert!(signers.knows("iec") && signers.knows("ana@iec.org.mx") && !signers.knows("IEC"));
    }

    #[test]
    fn refuses_faulty_options() {
        for (front, what) in [
            ("iec cert-authority", "certificates"),
            ("iec namespaces=prep-corte", "double quotes"),
            ("iec valid-after=20260601", "double quotes"),
            ("iec valid-after=\"2026060112\"", "is no time"),
            ("iec valid-after=\"20260231\"", "is no time"),
            ("iec valid-after=\"20260601\",valid-after=\"20260601\"", "twice"),
            ("iec valid-after=\"20260601\",valid-before=\"20260601\"", "not after"),
            ("iec namespaces=\"a\",", "comma"),
            ("iec namespaces=\"a\"x", "no comma"),
            ("iec namespaces=\"a", "not closed"),
            ("\"iec", "not closed"),
            ("iec verify-required", "unknown option"),
        ] {
            let fault = one(front).unwrap_err();
            assert!(fault.contains(what), "{front}: {fault}");
        }
    }

    #[test]
    fn refuses_other_kinds_of_key() {
        let sk = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICFo/k5LU8863u66YC9\
                  eUO2170QduohPURkQnbLa/dczAAAABHNzaDo=";
        let fault = Signers::parse(&format!("iec {sk}")).unwrap_err().to_string();
        assert!(fault.contains("not accepted"), "{fault}");
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}", front in "[a-z\"=,! \\\\0-9Z-]{0,40}") {
            let _ = Signers::parse(&text);
            let _ = one(&front);
            let _ = time(&front);
        }
    }
}
