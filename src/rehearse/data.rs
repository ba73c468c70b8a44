//! The JSON that the page reads. Every file that changes names its corte, so a reader can refuse a mixture.

use serde_json::{Value, json};

use super::Cut;
use super::model::{Acta, Contendiente, Distrito, Eleccion};
use super::tally::{self, Suma, percent};

/// How often the page asks for `corte.json`; the night is quick, so this is too.
const CONSULTA_S: u32 = 5;
/// After the last corte nothing more is expected.
const CONSULTA_FINAL_S: u32 = 60;

pub(super) fn files(cut: &Cut) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![
        ("datos/eleccion.json".to_owned(), eleccion(cut.eleccion, cut.actas)),
        ("datos/corte.json".to_owned(), corte(cut)),
        ("datos/resultados.json".to_owned(), resultados(cut)),
    ];
    for (i, distrito) in cut.eleccion.distritos.iter().enumerate() {
        let n = distrito.numero;
        let here: Vec<&Acta> = cut.actas.iter().filter(|a| a.distrito == i).collect();
        files.push((format!("datos/distrito_{n:02}.json"), distrito_json(cut, i, distrito, &here)));
        files.push((format!("datos/distrito_{n:02}_casillas.json"), casillas(cut, distrito, &here)));
    }
    files.into_iter().map(|(path, value)| (path, value.to_string().into_bytes())).collect()
}

/// What does not change through the night.
fn eleccion(e: &Eleccion, actas: &[Acta]) -> Value {
    let distritos: Vec<Value> = e
        .distritos
        .iter()
        .enumerate()
        .map(|(i, d)| {
            let here = || actas.iter().filter(move |a| a.distrito == i);
            let mut municipios: Vec<usize> = here().filter_map(|a| a.municipio).collect();
            let mut secciones: Vec<u32> = here().map(|a| a.seccion).collect();
            municipios.sort_unstable();
            municipios.dedup();
            secciones.sort_unstable();
            secciones.dedup();
            json!({
                "numero": d.numero, "cabecera": d.cabecera,
                "esperadas": here().count(),
                "lista_nominal": here().map(|a| u64::from(a.lista_nominal)).sum::<u64>(),
                "contienden": d.contienden.iter().filter_map(|i| e.contendientes.get(*i)).map(|c| &c.clave).collect::<Vec<_>>(),
                "municipios": municipios, "secciones": secciones,
            })
        })
        .collect();
    json!({
        "aviso": e.origen.aviso(), "origen": e.origen.clave(),
        "eleccion": e.id, "nombre": e.nombre, "entidad": e.entidad, "anio": e.anio,
        "contendientes": e.contendientes.iter().map(|c| contendiente(c, e)).collect::<Vec<_>>(),
        "municipios": e.municipios, "distritos": distritos,
        "base_de_datos": format!("descargas/PREP_{}.zip", e.abreviatura()),
        "abreviatura": e.abreviatura(),
    })
}

fn contendiente(c: &Contendiente, e: &Eleccion) -> Value {
    json!({
        "clave": c.clave, "siglas": c.siglas, "nombre": c.nombre, "color": c.color, "tipo": c.tipo,
        "columnas": c.columnas.iter().filter_map(|i| e.columnas.get(*i)).collect::<Vec<_>>(),
    })
}

/// What every file that changes begins with.
fn head(cut: &Cut) -> Value {
    json!({
        "aviso": cut.eleccion.origen.aviso(), "eleccion": cut.eleccion.id,
        "corte": cut.id, "fecha_hora": cut.fecha_hora, "final": cut.is_final,
    })
}

fn with(mut head: Value, body: Value) -> Value {
    if let (Some(head), Value::Object(body)) = (head.as_object_mut(), body) {
        head.extend(body);
    }
    head
}

fn corte(cut: &Cut) -> Value {
    let wait = if cut.is_final { CONSULTA_FINAL_S } else { CONSULTA_S };
    with(head(cut), json!({ "siguiente_consulta_s": wait }))
}

fn resultados(cut: &Cut) -> Value {
    let e = cut.eleccion;
    let total = &cut.cuenta.total;
    let mut leads = vec![0u32; e.contendientes.len()];
    let distritos: Vec<Value> = (0..)
        .zip(&e.distritos)
        .zip(&cut.cuenta.distritos)
        .map(|((i, district), sum)| {
            let places = tally::places(e, i, sum);
            if let Some(led) = places.primero.and_then(|p| leads.get_mut(p)) {
                *led += 1;
            }
            let clave = |i: Option<usize>| i.and_then(|i| e.contendientes.get(i)).map(|c| &c.clave);
            with(
                json!({ "numero": district.numero }),
                with(
                    measures(sum, cut.is_final),
                    json!({
                        "votos": by_contender(e, district, sum),
                        "primero": clave(places.primero), "segundo": clave(places.segundo), "empate": places.empate,
                        "ventaja": places.ventaja, "ventaja_porcentaje": percent(places.ventaja, sum.total()),
                    }),
                ),
            )
        })
        .collect();
    let votos: Vec<Value> = e
        .contendientes
        .iter()
        .zip(&cut.cuenta.votos)
        .zip(&leads)
        .map(|((c, votes), leads)| {
            json!({
                "clave": c.clave, "votos": votes, "porcentaje": percent(*votes, total.total()), "distritos": leads,
            })
        })
        .collect();
    with(head(cut), json!({ "total": measures(total, cut.is_final), "votos": votos, "distritos": distritos }))
}

/// Actas, participation, sums: the same words at every level.
fn measures(s: &Suma, is_final: bool) -> Value {
    json!({
        "esperadas": s.esperadas,
        "capturadas": s.capturadas, "porcentaje_capturadas": percent(s.capturadas, s.esperadas),
        "contabilizadas": s.contabilizadas, "porcentaje_contabilizadas": percent(s.contabilizadas, s.esperadas),
        "no_contabilizadas": s.capturadas - s.contabilizadas,
        "inconsistencias": s.inconsistentes, "porcentaje_inconsistencias": percent(s.inconsistentes, s.esperadas),
        "urbanas": s.urbanas, "no_urbanas": s.contabilizadas - s.urbanas,
        "lista_nominal": s.lista_nominal, "lista_nominal_contabilizadas": s.lista_contabilizada,
        "total_votos": s.total(), "total_votos_sin_especiales": s.total() - s.especiales,
        "participacion": s.participation(is_final),
    })
}

/// In the order of `contienden`.
fn by_contender(e: &Eleccion, district: &Distrito, s: &Suma) -> Vec<u64> {
    district.contienden.iter().filter_map(|i| e.contendientes.get(*i)).map(|c| s.votes(&c.columnas)).collect()
}

/// One district: each column's own votes, then municipalities and sections.
fn distrito_json(cut: &Cut, index: usize, district: &Distrito, actas: &[&Acta]) -> Value {
    let e = cut.eleccion;
    let empty = Suma::default();
    let sum = cut.cuenta.distritos.get(index).unwrap_or(&empty);
    let columnas: serde_json::Map<String, Value> =
        e.columnas.iter().cloned().zip(sum.columnas.iter().map(|v| json!(v))).collect();
    let small = |s: &Suma| {
        json!({
            "esperadas": s.esperadas, "capturadas": s.capturadas, "contabilizadas": s.contabilizadas,
            "lista_nominal": s.lista_nominal, "total_votos": s.total(),
            "participacion": s.participation(cut.is_final), "votos": by_contender(e, district, s),
        })
    };
    let municipios: Vec<Value> = groups(actas, cut, |a| a.municipio)
        .into_iter()
        .filter_map(|(m, _, s)| Some(with(json!({ "municipio": m? }), small(&s))))
        .collect();
    let secciones: Vec<Value> = groups(actas, cut, |a| a.seccion)
        .into_iter()
        .map(|(seccion, first, s)| with(json!({ "seccion": seccion, "municipio": first.municipio }), small(&s)))
        .collect();
    with(
        head(cut),
        json!({
            "distrito": district.numero, "columnas": columnas, "municipios": municipios, "secciones": secciones,
        }),
    )
}

/// Sums by key, in the order of the keys, with the first acta of each.
fn groups<'a, K: Ord + Copy>(actas: &[&'a Acta], cut: &Cut, key: impl Fn(&Acta) -> K) -> Vec<(K, &'a Acta, Suma)> {
    let mut groups: std::collections::BTreeMap<K, (&Acta, Suma)> = Default::default();
    for acta in actas {
        groups.entry(key(acta)).or_insert_with(|| (acta, Suma::default())).1.add(acta, cut.now);
    }
    groups.into_iter().map(|(k, (first, sum))| (k, first, sum)).collect()
}

/// Every acta of a district, read only when somebody opens a section.
fn casillas(cut: &Cut, district: &Distrito, actas: &[&Acta]) -> Value {
    let e = cut.eleccion;
    let casillas: Vec<Value> = actas
        .iter()
        .map(|a| {
            let capturada = tally::is_in(a, cut.now);
            let estado = match (capturada, a.contabilizada) {
                (false, _) => "por_capturar",
                (true, true) => "contabilizada",
                (true, false) => "no_contabilizada",
            };
            let mut own = json!({
                "seccion": a.seccion, "casilla": a.casilla, "ubicacion": if a.urbana { "urbana" } else { "no_urbana" },
                "lista_nominal": a.lista_nominal, "estado": estado,
            });
            if capturada {
                let mut one = Suma::default();
                one.add(a, cut.now);
                let votes = a.contabilizada.then(|| by_contender(e, district, &one));
                let time =
                    a.llegada.map(|t| t.to_zoned_datetime(cut.stamp.time_zone().clone()).strftime("%H:%M").to_string());
                own = with(
                    own,
                    json!({
                        "votos": votes, "total_votos": one.total(), "observaciones": a.observaciones, "hora": time,
                    }),
                );
            }
            own
        })
        .collect();
    with(head(cut), json!({ "distrito": district.numero, "casillas": casillas }))
}
