//! Delimited text, as real databases are written: reading without trust, writing without surprises.
//!
//! Files differ in delimiter, encoding and blank lines from state to state and from year to year.

/// Reasons a database CSV cannot be turned into a night, with the place and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}; {remedy}", place(*.line, .column))]
pub struct CsvFault {
    /// From 1; 0 when the fault is the file's as a whole.
    pub line: usize,
    /// Empty when no single column is at fault.
    pub column: String,
    pub problem: String,
    pub remedy: String,
}

fn place(line: usize, column: &str) -> String {
    match (line, column) {
        (0, _) => "the file".to_owned(),
        (line, "") => format!("line {line}"),
        (line, column) => format!("line {line}, column {column}"),
    }
}

impl CsvFault {
    pub(super) fn file(problem: impl Into<String>, remedy: impl Into<String>) -> CsvFault {
        CsvFault { line: 0, column: String::new(), problem: problem.into(), remedy: remedy.into() }
    }

    pub(super) fn at(line: usize, column: &str, problem: impl Into<String>, remedy: impl Into<String>) -> CsvFault {
        CsvFault { line, column: column.to_owned(), problem: problem.into(), remedy: remedy.into() }
    }
}

/// A database of 100,000 actas has some 60 MB; the country's largest has 170,000.
const MAX_BYTES: usize = 128 << 20;

/// UTF-8 with or without BOM; what is not UTF-8 is Latin-1 as Windows writes it.
pub(super) fn decode(bytes: &[u8]) -> Result<String, CsvFault> {
    if bytes.len() > MAX_BYTES {
        return Err(CsvFault::file(
            format!("{} bytes are more than the limit of {MAX_BYTES}", bytes.len()),
            "give one election's database only",
        ));
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") || bytes.contains(&0) {
        return Err(CsvFault::file(
            "this is UTF-16 or not text at all",
            "save it as CSV in UTF-8 (an archive: unzip it first)",
        ));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|b| windows_1252(*b)).collect(),
    })
}

fn windows_1252(byte: u8) -> char {
    const C1: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => C1.get(usize::from(byte - 0x80)).copied().unwrap_or('\u{fffd}'),
        _ => char::from(byte),
    }
}

/// The character that parts this line: the commonest of the four in use.
pub(super) fn delimiter(line: &str) -> char {
    let count = |d: &char| line.matches(*d).count();
    ['|', ',', ';', '\t'].into_iter().rev().max_by_key(count).unwrap_or(',')
}

/// One line's fields. Quotes count only where a field begins, as `="050001B0100"` shows. None: a quote is not closed.
pub(super) fn fields(line: &str, delimiter: char) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted, delimiter)?,
            None => match rest.split_once(delimiter) {
                Some((field, after)) => (field.to_owned(), Some(after)),
                None => (rest.to_owned(), None),
            },
        };
        all.push(field.trim().to_owned());
        match after {
            Some(after) => rest = after,
            None => return Some(all),
        }
    }
}

/// What stands up to the closing quote, and what follows the delimiter after it.
fn unquote(text: &str, delimiter: char) -> Option<(String, Option<&str>)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => {
                return match after.split_once(delimiter) {
                    Some((tail, next)) => {
                        field.push_str(tail);
                        Some((field, Some(next)))
                    }
                    None => {
                        field.push_str(after);
                        Some((field, None))
                    }
                };
            }
        }
    }
}

/// Fields as one line, without its end.
pub(super) fn row<'a>(fields: impl IntoIterator<Item = &'a str>, delimiter: char) -> String {
    let mut line = String::with_capacity(320);
    for (i, field) in fields.into_iter().enumerate() {
        if i > 0 {
            line.push(delimiter);
        }
        if field.starts_with('"') || field.contains([delimiter, '\n', '\r']) {
            line.push('"');
            line.push_str(&field.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(field);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_real_files_hold() {
        let all = fields("=\"230085B0100\"|a b|\"x|y \"\"z\"\"\"||9", '|').unwrap();
        assert_eq!(all, ["=\"230085B0100\"", "a b", "x|y \"z\"", "", "9"]);
        assert_eq!(fields("\"open,1", ','), None);
        assert_eq!(decode(b"\xEF\xBB\xBFAcu\xC3\xB1a").unwrap(), "Acuña");
        assert_eq!(decode(b"Acu\xF1a \x96").unwrap(), "Acuña –");
        assert!(decode(b"PK\x03\x04\x00").is_err());
        assert_eq!(delimiter("A|B|C,D"), '|');
    }

    proptest! {
        #[test]
        fn written_and_read_back(all in prop::collection::vec("[ -~á]{0,12}", 1..8), d in prop::sample::select(vec!['|', ',', ';'])) {
            let all: Vec<String> = all.iter().map(|f| f.trim().to_owned()).collect();
            let line = row(all.iter().map(String::as_str), d);
            prop_assert_eq!(fields(&line, d).unwrap(), all);
        }
    }
}
