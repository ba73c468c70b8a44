//! `SHA256SUMS`: what a package must hold, read and written as sha256sum(1) does.
//!
//! Read more strictly than `sha256sum --check --strict`: whatever passes here passes there, but comments,
//! blank lines, indented lines and escaped names, which our format never needs, are refused. As there, a
//! digest may be upper case, a line may end in CRLF, and the last one in nothing.

use std::fmt::Write as _;

use super::{Refusal, path};
use crate::base::digest::Digest;
use crate::base::shown::Shown;

/// A well-formed `SHA256SUMS`.
#[derive(Debug, PartialEq, Eq)]
pub struct Sums {
    /// What is said of `corte.json`, if anything.
    pub corte_json: Option<Digest>,
    /// Paths relative to `sitio/`, sorted, each once.
    pub files: Vec<(String, Digest)>,
}

impl Sums {
    pub fn parse(text: &[u8]) -> Result<Sums, Refusal> {
        let mut lines = Vec::new();
        let body = text.strip_suffix(b"\n").unwrap_or(text);
        for (number, line) in (1..).zip(body.split(|b| *b == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let (digest, name) = split(line).map_err(|why| Refusal::SumsMalformed { line: number, why })?;
            lines.push((path::check(name)?, digest));
        }
        path::distinct(lines.iter().map(|(path, _)| *path))?;
        let mut sums = Sums { corte_json: None, files: Vec::with_capacity(lines.len()) };
        for (path, digest) in lines {
            match path.strip_prefix("sitio/") {
                Some(below) => sums.files.push((below.to_string(), digest)),
                None if path == "corte.json" => sums.corte_json = Some(digest),
                None => return Err(Refusal::SumsForeign { path: Shown::text(path) }),
            }
        }
        sums.files.sort_unstable();
        Ok(sums)
    }

    /// As the line of shell in FORMAT.md writes it: `LC_ALL=C sort`, then sha256sum.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Some(digest) = self.corte_json {
            let _ = writeln!(text, "{digest}  corte.json");
        }
        for (path, digest) in &self.files {
            let _ = writeln!(text, "{digest}  sitio/{path}");
        }
        text
    }
}

fn split(line: &[u8]) -> Result<(Digest, &[u8]), &'static str> {
    match line.first() {
        None => return Err("it is empty"),
        Some(b'\\') => return Err("it begins with a backslash, which stands for an escaped name"),
        Some(_) => {}
    }
    let (hex, rest) = line.split_at_checked(64).ok_or("it is too short for a SHA-256 and a path")?;
    let digest = str::from_utf8(hex).ok().and_then(Digest::from_hex);
    let digest = digest.ok_or("it does not begin with the 64 hexadecimal digits of a SHA-256")?;
    match rest.strip_prefix(b"  ").or(rest.strip_prefix(b" *")) {
        Some(name) => Ok((digest, name)),
        None => Err("the SHA-256 is not followed by two spaces, or a space and `*`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn code(text: &str) -> &'static str {
        Sums::parse(text.as_bytes()).map_or_else(|refusal| refusal.code(), |_| "")
    }

    #[test]
    fn reads_the_forms_of_sha256sum() {
        let expected = Sums {
            corte_json: Some(Digest::of(b"abc")),
            files: vec![("a b".into(), Digest::of(b"abc")), ("x".into(), Digest::of(b"abc"))],
        };
        let upper = HEX.to_uppercase();
        for text in [
            format!("{HEX}  corte.json\n{HEX}  sitio/x\n{HEX}  sitio/a b\n"),
            format!("{HEX} *corte.json\n{upper}  sitio/x\n{HEX}  sitio/a b"),
            format!("{HEX}  corte.json\r\n{HEX}  sitio/x\r\n{HEX}  sitio/a b\r\n"),
        ] {
            assert_eq!(Sums::parse(text.as_bytes()).unwrap(), expected, "{text}");
        }
        assert_eq!(expected.text(), format!("{HEX}  corte.json\n{HEX}  sitio/a b\n{HEX}  sitio/x\n"));
    }

    #[test]
    fn refuses_the_rest() {
        for bad in [
            "".into(),
            "\n".into(),
            format!("{HEX}  sitio/x\n\n"),
            format!("# sums\n{HEX}  sitio/x\n"),
            format!(" {HEX}  sitio/x\n"),
            format!("\\{HEX}  sitio/x\n"),
            format!("{HEX} sitio/x\n"),
            format!("{HEX}\tsitio/x\n"),
            format!("{}  sitio/x\n", &HEX[1..]),
            format!("SHA256 (sitio/x) = {HEX}\n"),
        ] {
            assert_eq!(code(&bad), "P044", "{bad}");
        }
        assert_eq!(code(&format!("{HEX}  SHA256SUMS\n")), "P045");
        assert_eq!(code(&format!("{HEX}  sitio\n")), "P045");
        assert_eq!(code(&format!("{HEX}  sitio/../x\n")), "P023");
        assert_eq!(code(&format!("{HEX}  ./corte.json\n")), "P025");
        assert_eq!(code(&format!("{HEX}  sitio/x\n{HEX}  sitio/x\n")), "P028");
        assert_eq!(code(&format!("{HEX}  sitio/x\n{HEX}  sitio/X\n")), "P029");
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<Vec<u8>>(), line in "[0-9a-f]{60,66}[ *\\\\]{0,3}.{0,20}") {
            let _ = Sums::parse(&text);
            let _ = Sums::parse(line.as_bytes());
        }

        #[test]
        fn written_and_read_back(names in proptest::collection::btree_set("[a-z0-9 ._-]{1,6}x(/[a-z]{1,3}y){0,2}", 0..8)) {
            let files = names.iter().map(|name| (name.clone(), Digest::of(name.as_bytes()))).collect();
            let sums = Sums { corte_json: Some(Digest::of(b"{}")), files };
            prop_assume!(path::distinct(names.iter().map(String::as_str)).is_ok());
            prop_assert_eq!(Sums::parse(sums.text().as_bytes()).unwrap(), sums);
        }
    }
}
