//! The embed: the whole publication in a frame below a bar that always says which corte it is; and the line of script with
//! which others show it.

use serde_json::json;

use super::csp::policy;
use super::fill::{Hole, fill, lean};
use super::looks;
use super::told::{Brand, Told};
use super::words;

/// `/.prep/embed`, HTML. `?ruta=/path` begins at another page.
pub(super) fn embed_page(told: &Told, brand: &Brand) -> String {
    let style = looks::style(brand, &[include_str!("web/embed.css")]);
    let script = looks::script(&[looks::FOLLOW, include_str!("web/embed.js")]);
    let holes = [
        ("CLASS", Hole::Text(looks::class(told))),
        ("STATE", Hole::Text(told.state.token())),
        ("POLICY", Hole::Ours(policy(&style, &script, &["frame-src 'self'"]))),
        ("RESULTS", Hole::Text(words::RESULTS)),
        ("NAME", Hole::Text(looks::name(brand))),
        ("ICON", Hole::Text(looks::icon(brand))),
        ("STYLE", Hole::Ours(style)),
        ("DRILL", Hole::Text(words::DRILL)),
        ("DRILL_MEANS", Hole::Text(words::DRILL_MEANS)),
        ("LOGO", Hole::Ours(looks::logo(brand))),
        ("VERIFY", Hole::Text(words::VERIFY_LINK)),
        ("FULL", Hole::Text(words::FULL_SCREEN)),
        ("CORTE", Hole::Ours(looks::corte_line(told, words::CORTE_OF))),
        ("SAID", Hole::Text(&words::state(told))),
        ("MARK", Hole::Ours(looks::any_mark())),
        ("DATA", Hole::Json(looks::data(told, brand, words::for_embed()))),
        ("SCRIPT", Hole::Ours(script)),
    ];
    fill(include_str!("web/embed.html"), &holes)
}

/// `/.prep/embed.js`: what a newspaper puts into its page.
pub(super) fn snippet(brand: &Brand) -> String {
    let title = match &brand.name {
        Some(name) => format!("{} · {name}", words::RESULTS),
        None => words::RESULTS.to_owned(),
    };
    fill(&lean(include_str!("web/snippet.js")), &[("TITLE", Hole::Json(json!(title)))])
}
