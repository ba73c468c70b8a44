//! `corte.json`: what this corte is.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};
use serde::{Deserialize, Deserializer, Serialize};

use super::{CorteId, Refusal};
use crate::base::shown::Shown;

/// The version of the package format that this program reads and writes.
pub const FORMATO: u64 = 1;

/// Whether a package is the real thing or a drill (FORMAT.md, `tipo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tipo {
    Oficial,
    Simulacro,
}

impl fmt::Display for Tipo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Tipo::Oficial => "oficial",
            Tipo::Simulacro => "simulacro",
        })
    }
}

/// How many actas are expected, captured and counted, when the authority says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actas {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub esperadas: Option<u64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub capturadas: Option<u64>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub contabilizadas: Option<u64>,
}

/// A well-formed `corte.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corte {
    pub eleccion: String,
    pub id: CorteId,
    /// The stamp as the authority wrote it, RFC 3339 with its offset; shown as is.
    pub fecha_hora: String,
    /// The instant that `fecha_hora` names.
    pub instant: Timestamp,
    pub tipo: Tipo,
    /// The last corte of the night.
    pub is_final: bool,
    pub actas: Option<Actas>,
}

/// `corte.json` as typed. Unknown keys are left alone; a key given twice or as null is a fault.
#[derive(Deserialize)]
struct Typed {
    formato: u64,
    eleccion: String,
    corte: String,
    fecha_hora: String,
    tipo: Tipo,
    #[serde(default, rename = "final")]
    is_final: bool,
    #[serde(default, deserialize_with = "present")]
    actas: Option<Actas>,
}

/// A key that may be absent, but is not null when it is there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl Corte {
    /// Reads `corte.json`, strictly.
    pub fn parse(json: &[u8]) -> Result<Corte, Refusal> {
        let malformed = |why: String| Refusal::CorteMalformed { why: Shown::text(&why) };
        // A sequence would pass for a struct by position.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(malformed("expected a JSON object in UTF-8 without a byte order mark".into()));
        }
        let typed: Typed = serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
        if typed.formato != FORMATO {
            return Err(malformed(format!("formato is {}, expected {FORMATO}", typed.formato)));
        }
        if !is_election(&typed.eleccion) {
            return Err(malformed(format!("eleccion is `{}`, expected [a-z0-9-]{{1,64}}", typed.eleccion)));
        }
        let id: CorteId = typed.corte.parse().map_err(|error| malformed(format!("corte: {error}")))?;
        let (local, instant) = rfc3339(&typed.fecha_hora).ok_or_else(|| {
            malformed(format!("fecha_hora is `{}`, expected e.g. 2026-06-07T20:10:00-06:00", typed.fecha_hora))
        })?;
        if CorteId::new(local, 0).minute() != id.minute() {
            return Err(Refusal::MinuteOther { id, fecha_hora: typed.fecha_hora });
        }
        let Typed { eleccion, fecha_hora, tipo, is_final, actas, .. } = typed;
        Ok(Corte { eleccion, id, fecha_hora, instant, tipo, is_final, actas })
    }

    /// The stamp in the offset that the authority wrote.
    pub fn as_written(&self) -> ZonedDateTime {
        let (local, instant) = rfc3339(&self.fecha_hora).unwrap_or_default();
        let east = TimeZone::UTC.to_timestamp(local).map_or(0, |utc| utc.duration_since(instant).as_secs());
        let offset = i32::try_from(east).ok().and_then(|east| Offset::from_seconds(east).ok()).unwrap_or(Offset::UTC);
        self.instant.to_zoned_datetime(TimeZone::fixed(offset))
    }

    /// Writes a `corte.json` that reads back as this.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::json!({
            "formato": FORMATO,
            "eleccion": self.eleccion,
            "corte": self.id.to_string(),
            "fecha_hora": self.fecha_hora,
            "tipo": self.tipo.to_string(),
        });
        if self.is_final {
            json["final"] = true.into();
        }
        if let Some(actas) = self.actas {
            let counts = [
                ("esperadas", actas.esperadas),
                ("capturadas", actas.capturadas),
                ("contabilizadas", actas.contabilizadas),
            ];
            json["actas"] = counts.into_iter().filter_map(|(key, n)| Some((key, n?))).collect();
        }
        format!("{json:#}\n")
    }
}

fn is_election(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Date, time and offset by the grammar of RFC 3339, section 5.6, upper case. The local time as
/// written, and the instant. jiff's own parser is kinder: it takes spaces, weeks and zone names.
fn rfc3339(text: &str) -> Option<(DateTime, Timestamp)> {
    let b = text.as_bytes();
    let digits = |at: usize, n: usize| -> Option<i32> {
        let field = b.get(at..at + n)?;
        field.iter().try_fold(0, |sum, d| d.is_ascii_digit().then(|| sum * 10 + i32::from(d - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| b.get(*at) != Some(mark)) {
        return None;
    }
    let zone = match b.get(19) {
        Some(b'.') => {
            let fraction = b.get(20..)?.iter().take_while(|d| d.is_ascii_digit()).count();
            (1..=9).contains(&fraction).then_some(20 + fraction)?
        }
        _ => 19,
    };
    let seconds = match b.get(zone)? {
        b'Z' if b.len() == zone + 1 => 0,
        sign @ (b'+' | b'-') if b.len() == zone + 6 && b[zone + 3] == b':' => {
            let (hours, minutes) = (digits(zone + 1, 2)?, digits(zone + 4, 2)?);
            let size = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
            if *sign == b'-' { -size } else { size }
        }
        _ => return None,
    };
    let local = DateTime::new(
        digits(0, 4)? as i16,
        digits(5, 2)? as i8,
        digits(8, 2)? as i8,
        digits(11, 2)? as i8,
        digits(14, 2)? as i8,
        digits(17, 2)? as i8,
        0,
    )
    .ok()?;
    // The fraction is dropped: nothing here is finer than a minute.
    Some((local, Offset::from_seconds(seconds).ok()?.to_timestamp(local).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = r#"{"formato":1,"eleccion":"coahuila-2026-diputaciones","corte":"20260607_2010",
        "fecha_hora":"2026-06-07T20:10:00-06:00","tipo":"oficial","nota":[1,{"x":null}],
        "actas":{"esperadas":4283,"capturadas":10}}"#;

    fn code(json: &str) -> &'static str {
        Corte::parse(json.as_bytes()).map_or_else(|refusal| refusal.code(), |_| "")
    }

    #[test]
    fn reads_the_example() {
        let corte = Corte::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(corte.id.to_string(), "20260607_2010");
        assert_eq!(corte.instant, "2026-06-08T02:10:00Z".parse().unwrap());
        assert_eq!(corte.fecha_hora, "2026-06-07T20:10:00-06:00");
        assert_eq!((corte.tipo, corte.is_final), (Tipo::Oficial, false));
        assert_eq!(corte.actas, Some(Actas { esperadas: Some(4283), capturadas: Some(10), contabilizadas: None }));
        assert_eq!(Corte::parse(corte.to_json().as_bytes()).unwrap(), corte);
    }

    #[test]
    fn refuses_what_is_malformed() {
        let change = |from: &str, to: &str| {
            assert!(GOOD.contains(from));
            code(&GOOD.replacen(from, to, 1))
        };
        assert_eq!(change(r#""formato":1"#, r#""formato":2"#), "P042");
        assert_eq!(change(r#""formato":1"#, r#""formato":1.0"#), "P042");
        assert_eq!(change(r#""formato":1,"#, ""), "P042");
        assert_eq!(change("coahuila", "Coahuila"), "P042");
        assert_eq!(change("coahuila-2026-diputaciones", ""), "P042");
        assert_eq!(change("coahuila-2026-diputaciones", &"x".repeat(65)), "P042");
        assert_eq!(change("20260607_2010", "20260607"), "P042");
        assert_eq!(change("oficial", "Oficial"), "P042");
        assert_eq!(change("4283", "-1"), "P042");
        assert_eq!(change("4283", "null"), "P042");
        assert_eq!(change(r#""tipo""#, r#""tipo":"oficial","tipo""#), "P042");
        assert_eq!(change(r#""nota""#, r#""final":"no","nota""#), "P042");
        assert_eq!(change("-06:00", ""), "P042");
        assert_eq!(change("-06:00", "-06:00[America/Monterrey]"), "P042");
        assert_eq!(change("T20", " 20"), "P042");
        assert_eq!(change("T20:10:00", "T20:10"), "P042");
        assert_eq!(code(&format!("\u{feff}{GOOD}")), "P042");
        assert_eq!(code(&format!("{GOOD} x")), "P042");
        assert_eq!(code(r#"[1,"a","20260607_2010","2026-06-07T20:10:00-06:00","oficial",false,{}]"#), "P042");
        assert_eq!(change("T20:10:00", "T20:11:00"), "P073");
        assert_eq!(change("2026-06-07T20:10:00-06:00", "2026-06-08T02:10:00Z"), "P073", "minute of its own offset");
        assert_eq!(change("T20:10:00", "T20:10:59.75"), "", "the same minute");
        assert_eq!(change(r#""nota""#, r#""final":true,"nota""#), "");
    }

    proptest! {
        #[test]
        fn never_panics(json in any::<Vec<u8>>(), stamp in "[0-9T:.Z+-]{0,30}") {
            let _ = Corte::parse(&json);
            let _ = rfc3339(&stamp);
            let _ = Corte::parse(GOOD.replacen("2026-06-07T20:10:00-06:00", &stamp, 1).as_bytes());
        }

        #[test]
        fn agrees_with_jiff(seconds in 0i64..4_000_000_000, offset in -1439i32..=1439) {
            let offset = Offset::from_seconds(offset * 60).unwrap();
            let instant = Timestamp::from_second(seconds).unwrap();
            let text = instant.display_with_offset(offset).to_string();
            prop_assert_eq!(rfc3339(&text), Some((offset.to_datetime(instant), instant)));
        }
    }
}
