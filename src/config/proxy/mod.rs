//! `[proxy]`, `[[upstream]]` and `[[route]]`: which requests go to which origin. Here what they have to do with each other;
//! each by itself is read by `upstream` and `route`.

mod route;
#[cfg(test)]
mod tests;
mod upstream;

use std::path::Path;

use super::typed::Section;
use crate::base::units;
use crate::ingest::source::settings::system_roots;
use crate::proxy::corridor::Settings;
use crate::proxy::route::Route;
use crate::proxy::upstream::Plan;

/// Letters of our name, which goes with every answer.
const NAME_CHARS: usize = 64;
/// Origins; each has connections of its own.
const UPSTREAMS_MAX: usize = 64;
/// Routes; they are tried one after the other for each request.
const ROUTES_MAX: usize = 256;

/// `Some(None)` where nothing is asked of origins; `None` only where a fault has been noted.
pub fn proxy(top: &Section, folder: &Path) -> Option<Option<Settings>> {
    let section = top.section("proxy");
    let name = section.text("name", token);
    let (memory, object) = (section.text("memory", units::size), section.text("object", units::size));
    let (origins, ways) = (top.sections("upstream"), top.sections("route"));
    for (all, most, what) in [(&origins, UPSTREAMS_MAX, "upstreams"), (&ways, ROUTES_MAX, "routes")] {
        if all.len() > most {
            top.missing(&format!("there are {} {what}; {most} are the most", all.len()));
        }
    }
    let (names, plans) = upstreams(&origins, folder);
    let (used, routes) = routes(&ways, &names);
    unused(&origins, &names, &used);
    if ways.is_empty() && section.is_given() {
        top.fault_of("proxy", "is for nobody without a `[[route]]`: add one, or remove the section");
    }
    let (memory, object) = (memory?.value, object?.value);
    if section.has("object") && object > memory && memory > 0 {
        section.fault_of("object", "is more than `memory`, so that it could never be kept: make it smaller");
    }
    let settings = Settings {
        name: name?.value,
        upstreams: plans?,
        routes: routes?,
        memory_bytes: memory,
        object_bytes: object.min(memory),
    };
    Some((!ways.is_empty()).then_some(settings))
}

/// The names, as far as they can be read, and the plans.
fn upstreams(sections: &[Section], folder: &Path) -> (Vec<Option<String>>, Option<Vec<Plan>>) {
    // Read once, and only where somebody needs them: there are some 140.
    let roots = upstream::Roots::new(system_roots);
    let read = sections.iter().map(|section| upstream::upstream(section, folder, &roots));
    let (names, plans): (Vec<_>, Vec<_>) = read.unzip();
    for (n, section) in sections.iter().enumerate() {
        if names[n].is_some() && names[..n].contains(&names[n]) {
            section.fault_of("name", "is that of an earlier `[[upstream]]`; give each its own");
        }
    }
    (names, plans.into_iter().collect())
}

/// For each route the place of its upstream among `names`, and all routes. Of `names`, `None` is one that could not be read.
fn routes(sections: &[Section], names: &[Option<String>]) -> (Vec<Option<usize>>, Option<Vec<Route>>) {
    let read = sections.iter().enumerate().map(|(n, section)| route::route(section, n + 1, names));
    let (used, all): (Vec<_>, Vec<_>) = read.unzip();
    for (n, (section, route)) in sections.iter().zip(&all).enumerate() {
        let Some(route) = route else { continue };
        let mut earlier = all[..n].iter().flatten();
        if earlier.clone().any(|other| other.name == route.name) {
            section.fault_of("name", &format!("`{}` is that of an earlier `[[route]]`; give each its own", route.name));
        }
        if earlier.any(|other| (&other.host, &other.prefix) == (&route.host, &route.prefix)) {
            let what = format!("`{}` has an earlier `[[route]]` for the same host already; keep one", route.prefix);
            section.fault_of("path", &what);
        }
    }
    (used, all.into_iter().collect())
}

/// An upstream that no route names is a slip of the pen, or a route that was forgotten. Nothing is said of it where a route may
/// have meant it.
fn unused(sections: &[Section], names: &[Option<String>], used: &[Option<usize>]) {
    if used.contains(&None) {
        return;
    }
    for (n, section) in sections.iter().enumerate() {
        // The second of two with one name is another fault.
        let is_first = names[n].is_some() && !names[..n].contains(&names[n]);
        if is_first && !used.contains(&Some(n)) {
            section.fault_of("name", "is in no `[[route]]`: add one with this `upstream`, or remove the section");
        }
    }
}

/// A pseudonym of RFC 9110, 7.6.3, that is a token of RFC 9651, 3.3.4, too.
fn token(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let is_token =
        text.len() <= NAME_CHARS && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(fits);
    is_token.then(|| text.to_owned()).ok_or_else(String::new)
}
