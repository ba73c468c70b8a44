//! The settings as typed: TOML with the place of every value. Reads values by the table's rows, and notes every fault.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::faults::Notes;
use super::table::{self, Setting};

/// A table of the file: the top one, a `[section]`, or one of several `[[section]]`.
pub struct Section<'d, 't> {
    /// `""` for the top table.
    name: &'static str,
    table: Option<&'d DeTable<'t>>,
    notes: &'d RefCell<Notes<'t>>,
    span: Option<Range<usize>>,
}

/// A value and where it stands.
pub struct Given<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<'d, 't> Section<'d, 't> {
    pub fn top(table: &'d DeTable<'t>, notes: &'d RefCell<Notes<'t>>) -> Section<'d, 't> {
        let section = Section { name: "", table: Some(table), notes, span: None };
        section.note_unknown();
        section
    }

    /// `[name]`; one that is missing has defaults only.
    pub fn section(&self, name: &'static str) -> Section<'d, 't> {
        let given = self.table.and_then(|t| t.get(name));
        let table = given.and_then(|v| v.get_ref().as_table());
        if let (Some(value), None) = (given, table) {
            self.note(value.span(), format!("`{name}` is a section: write `[{name}]` and its settings below"));
        }
        let section = Section { name, table, notes: self.notes, span: given.map(Spanned::span) };
        section.note_unknown();
        section
    }

    /// A section with nothing in it but its defaults.
    pub fn absent(&self, name: &'static str) -> Section<'d, 't> {
        Section { name, table: None, notes: self.notes, span: None }
    }

    /// Every `[[name]]`.
    pub fn sections(&self, name: &'static str) -> Vec<Section<'d, 't>> {
        let Some(given) = self.table.and_then(|t| t.get(name)) else { return Vec::new() };
        let tables: Option<Vec<_>> = given
            .get_ref()
            .as_array()
            .and_then(|all| all.iter().map(|v| Some((v.get_ref().as_table()?, v.span()))).collect());
        let Some(tables) = tables else {
            self.note(given.span(), format!("`{name}` may occur several times: write `[[{name}]]`"));
            return Vec::new();
        };
        let section = |(table, span)| Section { name, table: Some(table), notes: self.notes, span: Some(span) };
        let sections: Vec<_> = tables.into_iter().map(section).collect();
        sections.iter().for_each(Section::note_unknown);
        sections
    }

    /// A string, read by `read`; by the table's default where it is not given. `None` where there is neither, or where
    /// it was faulty, which has been noted.
    pub fn text<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<Given<T>> {
        self.value(key, |value| read(value.as_str().ok_or_else(String::new)?))
    }

    /// A string that may be left out: `Some(None)` then, and `None` only where it was faulty.
    pub fn text_if_given<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<Option<T>> {
        let given = self.text(key, read).map(|given| given.value);
        (given.is_some() || !self.has(key)).then_some(given)
    }

    /// A list of strings; `None` where one of them was faulty. Each fault is noted where its item stands.
    pub fn list<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<Vec<Given<T>>> {
        self.items(key, |item| read(item.as_str().ok_or_else(String::new)?))
    }

    /// A list of whole numbers.
    pub fn numbers(&self, key: &str, range: Range<u64>) -> Option<Vec<Given<u64>>> {
        self.items(key, |item| whole(item, &range))
    }

    fn items<T>(&self, key: &str, read: impl Fn(&DeValue) -> Result<T, String>) -> Option<Vec<Given<T>>> {
        let one = |item: &Spanned<DeValue>| Given { value: read(item.get_ref()), span: item.span() };
        let all = |value: &DeValue| Ok(value.as_array().ok_or_else(String::new)?.iter().map(one).collect());
        let items: Vec<Given<Result<T, String>>> = self.value(key, all)?.value;
        let row = table::row(&self.full(key))?;
        let kept = items.into_iter().map(|Given { value, span }| match value {
            Ok(value) => Some(Given { value, span }),
            Err(why) => {
                self.note(span, self.fault(row, &why));
                None
            }
        });
        // Collected twice, so that the first fault does not hide the others.
        kept.collect::<Vec<_>>().into_iter().collect()
    }

    pub fn number(&self, key: &str, range: Range<u64>) -> Option<u64> {
        self.value(key, |value| whole(value, &range)).map(|given| given.value)
    }

    pub fn truth(&self, key: &str) -> Option<bool> {
        self.value(key, |value| value.as_bool().ok_or_else(String::new)).map(|given| given.value)
    }

    /// An error of `read` that is empty stands for "not of the form that the table says".
    fn value<T>(&self, key: &str, read: impl Fn(&DeValue) -> Result<T, String>) -> Option<Given<T>> {
        let name = self.full(key);
        let row = table::row(&name)?;
        if let Some(value) = self.table.and_then(|t| t.get(key)) {
            return match read(value.get_ref()) {
                Ok(read) => Some(Given { value: read, span: value.span() }),
                Err(why) => {
                    self.note(value.span(), self.fault(row, &why));
                    None
                }
            };
        }
        let default = match row.default {
            Some("") => return None,
            Some(default) => default,
            None => {
                let message = format!("`{name}` is missing: {}; add `{key} = {}`", row.about, row.example);
                match &self.span {
                    Some(span) => self.note(span.clone(), message),
                    None => self.notes.borrow_mut().missing(message),
                }
                return None;
            }
        };
        // The table's own defaults are tested to be well-formed.
        let value = DeValue::parse(default).ok()?;
        read(value.get_ref()).ok().map(|value| Given { value, span: 0..0 })
    }

    /// What is wrong with a value of this row, and what one looks like.
    fn fault(&self, row: &Setting, why: &str) -> String {
        let expected = format!("expected {}", row.form);
        let why = if why.is_empty() { &expected } else { why };
        let example = if why.contains("such as") { String::new() } else { format!(", such as {}", row.example) };
        format!("`{}`: {why}{example}", row.key)
    }

    /// Something that is wrong with a value that was read already.
    pub fn fault_of(&self, key: &str, what: &str) {
        let message = format!("`{}` {what}", self.full(key));
        match self.table.and_then(|table| table.get(key)) {
            Some(value) => self.note(value.span(), message),
            None => match &self.span {
                Some(span) => self.note(span.clone(), message),
                None => self.missing(&message),
            },
        }
    }

    /// Whether this setting is in the file, well-formed or not.
    pub fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Whether the section is in the file at all.
    pub fn is_given(&self) -> bool {
        self.table.is_some()
    }

    pub fn note(&self, span: Range<usize>, message: String) {
        self.notes.borrow_mut().at(span, message);
    }

    pub fn missing(&self, message: &str) {
        self.notes.borrow_mut().missing(message.to_owned());
    }

    /// The dotted name of a key of this section.
    pub fn full(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn note_unknown(&self) {
        let Some(table) = self.table else { return };
        for (key, _) in table.iter() {
            let name = self.full(key.get_ref());
            let is_known = table::rows()
                .any(|row| row.key == name || row.key.strip_prefix(&name).is_some_and(|rest| rest.starts_with('.')));
            if !is_known {
                let near = nearest(&name).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                self.note(key.span(), format!("`{name}` is no setting{near}"));
            }
        }
    }
}

fn whole(value: &DeValue, range: &Range<u64>) -> Result<u64, String> {
    let number = value.as_integer().and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
    let number = number.ok_or_else(String::new)?;
    let fits = range.contains(&number);
    fits.then_some(number).ok_or_else(|| format!("expected {} to {}", range.start, range.end - 1))
}

/// The setting whose own name differs from that of `name` by few letters, if one does; rather one of the same section.
fn nearest(name: &str) -> Option<&'static str> {
    let last = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
    let bare = name.rsplit('.').next().unwrap_or(name);
    let near = table::rows().filter_map(|row| {
        let own = distance(bare, last(row.key));
        (own <= 1 + bare.len() / 4).then(|| (distance(name, row.key).min(own + 1), row.key))
    });
    near.min().map(|(_, key)| key)
}

/// Levenshtein's.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
