//! The page itself: HTML with the corte written into it, and the style and scripts as they are.
//!
//! Before scripts run, or without them, the page tells what it is, the corte, the actas and the votes.

use super::Cut;
use super::tally::percent;
use crate::base::months::MONTHS;

const FIXED: [(&str, &str); 9] = [
    ("estilo.css", include_str!("sitio/estilo.css")),
    ("icono.svg", include_str!("sitio/icono.svg")),
    ("app.js", include_str!("sitio/app.js")),
    ("js/datos.js", include_str!("sitio/js/datos.js")),
    ("js/dom.js", include_str!("sitio/js/dom.js")),
    ("js/formato.js", include_str!("sitio/js/formato.js")),
    ("js/hemiciclo.js", include_str!("sitio/js/hemiciclo.js")),
    ("js/inicio.js", include_str!("sitio/js/inicio.js")),
    ("js/distrito.js", include_str!("sitio/js/distrito.js")),
];

pub(super) fn files(cut: &Cut) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("index.html".to_owned(), index(cut).into_bytes())];
    files.extend(FIXED.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())));
    files
}

fn index(cut: &Cut) -> String {
    let e = cut.eleccion;
    let total = &cut.cuenta.total;
    let (day, rest) = spoken(cut);
    let values = [
        ("{{titulo}}", format!("PREP {} {}", e.entidad, e.anio)),
        ("{{entidad}}", format!("{} {}", e.entidad, e.anio)),
        ("{{nombre}}", e.nombre.clone()),
        ("{{aviso}}", e.origen.aviso().to_owned()),
        ("{{fecha_hora}}", cut.fecha_hora.clone()),
        ("{{dia}}", day.to_owned()),
        ("{{corte}}", rest),
        ("{{capturadas}}", thousands(total.capturadas)),
        ("{{esperadas}}", thousands(total.esperadas)),
        ("{{porcentaje}}", percent(total.capturadas, total.esperadas)),
        ("{{base_de_datos}}", format!("descargas/PREP_{}.zip", e.abreviatura())),
    ];
    let mut html = include_str!("sitio/index.html").to_owned();
    for (key, value) in &values {
        html = html.replace(key, &escaped(value));
    }
    html.replace("{{renglones}}", &rows(cut))
}

fn rows(cut: &Cut) -> String {
    let total = cut.cuenta.total.total();
    let all = cut.eleccion.contendientes.iter().zip(&cut.cuenta.votos);
    all.map(|(c, votes)| {
        let (name, votes, share) = (escaped(&c.nombre), thousands(*votes), percent(*votes, total));
        format!("<tr><th scope=\"row\">{name}</th><td>{votes}</td><td>{share}&nbsp;%</td></tr>\n")
    })
    .collect()
}

/// `domingo`, `7 de junio de 2026, 20:10 h`: where room is short the weekday goes first.
fn spoken(cut: &Cut) -> (&'static str, String) {
    const DIAS: [&str; 7] = ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"];
    let t = &cut.stamp;
    let name = |list: &[&'static str], i: i8| usize::try_from(i).ok().and_then(|i| list.get(i).copied()).unwrap_or("");
    let day = name(&DIAS, t.weekday().to_monday_zero_offset());
    let month = name(&MONTHS, t.month() - 1);
    (day, format!("{} de {month} de {}, {:02}:{:02}\u{a0}h", t.day(), t.year(), t.hour(), t.minute()))
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
