//! Structured fields (RFC 9651), as much of them as is needed: a dictionary for directives is read strictly, parameters and
//! the members of inner lists are read and forgotten; so is an item that is bytes.

use base64ct::{Base64Unpadded, Encoding};

use super::list::is_token_byte;

/// More members than any honest field has; what has more is read as no dictionary at all.
const MEMBERS_MOST: usize = 64;

/// The value of a member of a dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Integer(i64),
    Text(String),
    Token(String),
    Boolean(bool),
    /// A decimal, bytes, a date, a text in any script, or an inner list: no directive has such a value.
    Other,
}

/// The members in order, the last of equal keys alone (3.2); `None` where the text is no dictionary (4.2.2).
pub fn dictionary(text: &[u8]) -> Option<Vec<(String, Value)>> {
    let mut reader = Reader(text);
    let mut members: Vec<(String, Value)> = Vec::new();
    reader.skip(b" ");
    while !reader.0.is_empty() {
        let key = reader.key()?;
        let value = if reader.take(b'=') { reader.member()? } else { Value::Boolean(true) };
        reader.parameters()?;
        match members.iter().position(|(known, _)| *known == key) {
            Some(at) => members[at].1 = value,
            None if members.len() == MEMBERS_MOST => return None,
            None => members.push((key, value)),
        }
        reader.skip(b" \t");
        if reader.0.is_empty() {
            break;
        }
        if !reader.take(b',') {
            return None;
        }
        reader.skip(b" \t");
        if reader.0.is_empty() {
            return None;
        }
    }
    Some(members)
}

/// The bytes of a field that is an item of that type (3.3.5), whatever its parameters are; `None` where the text is none
/// (4.2), or has more bytes than `most`. Padding may be missing (4.2.7).
pub fn byte_sequence(text: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut reader = Reader(text);
    reader.skip(b" ");
    if !reader.take(b':') {
        return None;
    }
    let base64 = reader.run(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    if !reader.take(b':') || base64.len() > most.div_ceil(3) * 4 {
        return None;
    }
    reader.parameters()?;
    reader.skip(b" ");
    let (bare, is_padded) = match base64.strip_suffix(b"==").or_else(|| base64.strip_suffix(b"=")) {
        Some(bare) => (bare, base64.len() % 4 == 0),
        None => (base64, true),
    };
    let bytes = Base64Unpadded::decode_vec(str::from_utf8(bare).ok()?).ok()?;
    (reader.0.is_empty() && is_padded && bytes.len() <= most).then_some(bytes)
}

struct Reader<'t>(&'t [u8]);

impl<'t> Reader<'t> {
    fn take(&mut self, byte: u8) -> bool {
        let is = self.0.first() == Some(&byte);
        self.0 = &self.0[usize::from(is)..];
        is
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, bytes: &[u8]) {
        self.run(|byte| bytes.contains(&byte));
    }

    fn run(&mut self, holds: impl Fn(u8) -> bool) -> &'t [u8] {
        let end = self.0.iter().position(|byte| !holds(*byte)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    /// 4.2.3.3
    fn key(&mut self) -> Option<String> {
        self.0.first().filter(|byte| byte.is_ascii_lowercase() || **byte == b'*')?;
        Some(ascii(self.run(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b))))
    }

    /// 4.2.1.1: an item or an inner list, without its parameters.
    fn member(&mut self) -> Option<Value> {
        if !self.take(b'(') {
            return self.item();
        }
        loop {
            self.skip(b" ");
            if self.take(b')') {
                return Some(Value::Other);
            }
            self.item()?;
            self.parameters()?;
            if !matches!(self.0.first(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    /// 4.2.3.2
    fn parameters(&mut self) -> Option<()> {
        while self.take(b';') {
            self.skip(b" ");
            self.key()?;
            if self.take(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    /// 4.2.3.1
    fn item(&mut self) -> Option<Value> {
        match self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.text().map(Value::Text),
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
                Some(Value::Token(ascii(self.run(|b| is_token_byte(b) || b == b':' || b == b'/'))))
            }
            b'?' => {
                self.next();
                match self.next()? {
                    b'0' => Some(Value::Boolean(false)),
                    b'1' => Some(Value::Boolean(true)),
                    _ => None,
                }
            }
            b':' => {
                self.next();
                self.run(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
                self.take(b':').then_some(Value::Other)
            }
            b'@' => {
                self.next();
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            b'%' => {
                self.next();
                self.text().map(|_| Value::Other)
            }
            _ => None,
        }
    }

    /// 4.2.4: up to 15 digits, or 12 and 3 behind a point.
    fn number(&mut self) -> Option<Value> {
        let sign = if self.take(b'-') { -1 } else { 1 };
        let whole = self.run(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 15 {
            return None;
        }
        if self.take(b'.') {
            let behind = self.run(|b| b.is_ascii_digit());
            return ((1..=3).contains(&behind.len()) && whole.len() <= 12).then_some(Value::Other);
        }
        Some(Value::Integer(sign * ascii(whole).parse::<i64>().ok()?))
    }

    /// 4.2.5
    fn text(&mut self) -> Option<String> {
        if !self.take(b'"') {
            return None;
        }
        let mut text = String::new();
        loop {
            match self.next()? {
                b'"' => return Some(text),
                b'\\' => text.push(self.next().filter(|b| b"\"\\".contains(b))?.into()),
                byte @ b' '..=b'~' => text.push(byte.into()),
                _ => return None,
            }
        }
    }
}

fn ascii(text: &[u8]) -> String {
    text.iter().map(|byte| char::from(*byte)).collect()
}

/// A value as a text of a structured field (4.1.6); what such a text cannot have is shown as `?`, what is beyond `most`
/// characters is cut off.
pub fn quoted(text: &str, most: usize) -> String {
    let mut quoted = String::from('"');
    for c in text.chars().take(most) {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text, and its members where it is a dictionary.
    type Row = (&'static str, Option<Vec<(&'static str, Value)>>);

    #[test]
    fn dictionaries_are_read_strictly() {
        let (yes, int) = (|| Value::Boolean(true), Value::Integer);
        let cases: [Row; 18] = [
            ("", Some(vec![])),
            ("a", Some(vec![("a", yes())])),
            ("a=1, b;x=2,\tc=?0", Some(vec![("a", int(1)), ("b", yes()), ("c", Value::Boolean(false))])),
            ("a=1, a=-2", Some(vec![("a", int(-2))])),
            (r#"a="x, \"y\"";q"#, Some(vec![("a", Value::Text("x, \"y\"".into()))])),
            ("a=tok:en/x", Some(vec![("a", Value::Token("tok:en/x".into()))])),
            ("a=1.5, b=:YQ==:, c=(1 2;x), d=@5", Some(["a", "b", "c", "d"].map(|k| (k, Value::Other)).into())),
            ("a,", None),
            ("a,,b", None),
            ("A=1", None),
            ("a =1", None),
            ("a= 1", None),
            ("a=\"x", None),
            ("a=1234567890123456", None),
            ("a b", None),
            ("a=", None),
            ("a=(1", None),
            ("a=?2", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|all| all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
            assert_eq!(dictionary(text.as_bytes()), expected, "{text}");
        }
    }

    /// After the public vectors of httpwg/structured-field-tests, binary.json, and what else may stand around an item.
    #[test]
    fn byte_sequences_are_read_strictly() {
        let cases: [(&str, Option<&str>); 26] = [
            (":aGVsbG8=:", Some("hello")),
            ("  :aGVsbG8=:  ", Some("hello")),
            ("::", Some("")),
            (":aGVsbG8:", Some("hello")),
            (":aGVsbG8=:;a;b=1;c=\"x\"", Some("hello")),
            (":YWJj:", Some("abc")),
            (":YWI=:", Some("ab")),
            (":YQ==:", Some("a")),
            (":aGVsbG8=", None),
            ("aGVsbG8=:", None),
            ("aGVsbG8=", None),
            ("\"aGVsbG8=\"", None),
            (":aGVsbG8==:", None),
            (":aGVsbG8===:", None),
            (":aGV sbG8=:", None),
            (": aGVsbG8=:", None),
            (":aGVsbG8= :", None),
            (":=aGVsbG8=:", None),
            (":aGVsb-_=:", None),
            (":_-Ah:", None),
            (":aGVsbG8=:, :aGVsbG8=:", None),
            (":aGVsbG8=: x", None),
            (":aGVsbG8=:;", None),
            ("\t:aGVsbG8=:", None),
            ("", None),
            (":", None),
        ];
        for (text, expected) in cases {
            assert_eq!(byte_sequence(text.as_bytes(), 9), expected.map(|text| text.as_bytes().to_vec()), "{text}");
        }
        assert_eq!(byte_sequence(b":aGVsbG8=:", 4), None, "too long");
        assert_eq!(byte_sequence(&[b':'; 1 << 20], 32), None);
        assert_eq!(byte_sequence(b":\xff:", 9), None);
    }

    #[test]
    fn texts_are_quoted_and_cut() {
        assert_eq!(quoted("a\"b\\ñ", 9), r#""a\"b\\?""#);
        assert_eq!(quoted("abc", 2), r#""ab""#);
    }
}
