//! Tokens that let in: made here, handed to whoever pushes, and kept as their SHA-256 alone.
//!
//! A fast digest is right: a token is 32 random bytes, which nobody guesses, however fast he can try.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use subtle::ConstantTimeEq;

use crate::base::digest::Digest;
use crate::base::disk::Disk;
use crate::base::shown::Shown;

/// Random bytes of a token.
pub const RANDOM_BYTES: usize = 32;
/// What tokens begin with, so that whoever finds one knows what it opens.
const PREFIX: &str = "difusor_";
/// The file of tokens: a line is 130 bytes at most, and nobody has 500 newsrooms.
const FILE_MAX_BYTES: u64 = 64 << 10;
const NAME_MAX: usize = 64;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub name: String,
    pub digest: Digest,
}

/// A new token of these random bytes, and the line for the file.
pub fn make(name: &str, random: &[u8; RANDOM_BYTES]) -> Result<(String, String), String> {
    let name = named(name)?;
    let token = format!("{PREFIX}{}", Digest::from_bytes(*random));
    let line = format!("{name} {}", Digest::of(token.as_bytes()));
    Ok((token, line))
}

fn named(name: &str) -> Result<&str, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let is_name = (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(fits);
    is_name.then_some(name).ok_or_else(|| {
        format!("`{}` is no name; expected 1 to {NAME_MAX} of A-Z, a-z, 0-9, `.`, `_` and `-`", Shown::text(name))
    })
}

/// Reads lines `NAME SHA256HEX`; empty ones and those that begin with `#` are passed over.
pub fn parse(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens: Vec<Token> = Vec::new();
    for (n, line) in text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, digest) = line.split_once(' ').ok_or_else(|| format!("line {n}: expected `NAME SHA256`"))?;
        let name = named(name).map_err(|why| format!("line {n}: {why}"))?.to_owned();
        let expected = "expected 64 hexadecimal digits, as `difusor token NAME` prints them";
        let digest = Digest::from_hex(digest.trim()).ok_or_else(|| format!("line {n}: {expected}"))?;
        if tokens.iter().any(|token| token.name == name) {
            return Err(format!("line {n}: `{name}` occurs twice; give each its own name"));
        }
        tokens.push(Token { name, digest });
    }
    Ok(tokens)
}

/// The name under which `given` may enter. Every line is compared, each in constant time, so that the time that it takes
/// says nothing.
pub fn find<'t>(tokens: &'t [Token], given: &[u8]) -> Option<&'t str> {
    let given = Digest::of(given);
    let mut found = None;
    for token in tokens {
        if bool::from(token.digest.as_bytes().ct_eq(given.as_bytes())) {
            found = Some(token.name.as_str());
        }
    }
    found
}

/// The file of tokens, read again when it changes: a token can be taken from somebody without a restart.
pub struct Tokens {
    disk: Disk,
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    mark: Option<u64>,
    tokens: Vec<Token>,
}

impl Tokens {
    pub fn open(disk: Disk, path: &Path) -> Result<Tokens, String> {
        // The mark comes first: what is written in between is read again.
        let mark = disk.stat(path).ok().map(|stat| stat.mark);
        let tokens = read(&disk, path)?;
        Ok(Tokens { disk, path: path.to_owned(), state: Mutex::new(State { mark, tokens }) })
    }

    /// The name under which `given` may enter, if any; and what is wrong with the file, once for each change of it. Then
    /// the tokens from before count.
    pub fn find(&self, given: &[u8]) -> (Option<String>, Result<(), String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fault = Ok(());
        let mark = self.disk.stat(&self.path).ok().map(|stat| stat.mark);
        if mark != state.mark {
            state.mark = mark;
            match read(&self.disk, &self.path) {
                Ok(tokens) => state.tokens = tokens,
                Err(why) => fault = Err(why),
            }
        }
        (find(&state.tokens, given).map(str::to_owned), fault)
    }
}

/// All tokens of a file.
pub fn read(disk: &Disk, path: &Path) -> Result<Vec<Token>, String> {
    let told = |why: String| format!("{}: {why}", path.display());
    let bytes = disk.read(path, FILE_MAX_BYTES).map_err(|error| told(error.to_string()))?;
    parse(&String::from_utf8_lossy(&bytes)).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    #[test]
    fn a_token_opens_under_its_name_and_nothing_like_it_does() {
        let (token, line) = make("redaccion", &[7; 32]).unwrap();
        let (other, second) = make("b", &[8; 32]).unwrap();
        assert_eq!(token.len(), PREFIX.len() + 64);
        let tokens = parse(&format!("# who may push\n\n{line}\r\n  {second}  \n")).unwrap();
        assert_eq!(find(&tokens, token.as_bytes()), Some("redaccion"));
        assert_eq!(find(&tokens, other.as_bytes()), Some("b"));
        let digest = line.split_once(' ').unwrap().1;
        for wrong in ["", "difusor_", &token[..token.len() - 1], &token.to_uppercase(), digest, "redaccion"] {
            assert_eq!(find(&tokens, wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_faulty_file_is_told_by_its_line() {
        let (_, line) = make("a", &[7; 32]).unwrap();
        for (text, told) in [
            ("x".to_owned(), "line 1: expected `NAME SHA256`"),
            (format!("{line}\nb 12"), "line 2: expected 64"),
            (format!("{line}\n\n{line}"), "line 3: `a` occurs twice"),
            (line.replace("a ", "á "), "is no name"),
        ] {
            let why = parse(&text).unwrap_err();
            assert!(why.contains(told), "{why}");
        }
        assert!(make("a b", &[0; 32]).is_err() && make("", &[0; 32]).is_err());
    }

    #[test]
    fn a_change_counts_at_once_and_a_faulty_one_leaves_what_was() {
        let (disk, _) = Disk::twin();
        let path = Path::new("/tokens");
        let write = |text: &str| {
            let _ = disk.remove(path);
            disk.create(path).unwrap().write_all(text.as_bytes()).unwrap();
        };
        assert!(Tokens::open(disk.clone(), path).is_err());
        let ((token, line), (other, second)) = (make("a", &[7; 32]).unwrap(), make("b", &[8; 32]).unwrap());
        write(&line);
        let tokens = Tokens::open(disk.clone(), path).unwrap();
        assert_eq!(tokens.find(token.as_bytes()), (Some("a".into()), Ok(())));
        write(&second);
        assert_eq!(tokens.find(token.as_bytes()), (None, Ok(())));
        write("spoilt");
        let (who, fault) = tokens.find(other.as_bytes());
        assert_eq!(who.as_deref(), Some("b"));
        assert!(fault.unwrap_err().contains("/tokens: line 1"));
        assert_eq!(tokens.find(other.as_bytes()), (Some("b".into()), Ok(())), "told once");
    }

    proptest! {
        #[test]
        fn never_panics(text in "([a-c]{0,3} [0-9a-f]{62,66}\n|.{0,20}\n){0,6}") {
            let _ = parse(&text);
        }
    }
}
