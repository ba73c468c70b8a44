//! The page on which readers check in their own browser that what they see is what the authority's list says.

use serde_json::json;

use super::csp::policy;
use super::fill::{Hole, fill};
use super::looks;
use super::told::{Brand, Told};
use super::words::{self, VERIFY};

/// `/.prep/verificar`, HTML.
pub(super) fn verify_page(told: &Told, brand: &Brand) -> String {
    let style = looks::style(brand, &[include_str!("web/page.css"), include_str!("web/verify.css")]);
    let script = looks::script(&[include_str!("web/verify.js")]);
    let holes = [
        ("CLASS", Hole::Text(looks::class(told))),
        ("POLICY", Hole::Ours(policy(&style, &script, &[]))),
        ("NAME", Hole::Text(looks::name(brand))),
        ("ICON", Hole::Text(looks::icon(brand))),
        ("STYLE", Hole::Ours(style)),
        ("MARK", Hole::Ours(looks::mark(told))),
        ("LOGO", Hole::Ours(looks::logo(brand))),
        ("BANNER", Hole::Ours(looks::banner(told))),
        ("CORTE", Hole::Ours(looks::corte_line(told, words::CORTE_OF))),
        ("TITLE", Hole::Text(VERIFY.title)),
        ("LEAD", Hole::Text(VERIFY.lead)),
        ("CAVEAT", Hole::Text(VERIFY.caveat)),
        ("NO_SCRIPT", Hole::Text(VERIFY.no_script)),
        ("ONE", Hole::Text(VERIFY.one)),
        ("ONE_LABEL", Hole::Text(VERIFY.one_label)),
        ("ONE_HINT", Hole::Text(VERIFY.one_hint)),
        ("CHECK", Hole::Text(VERIFY.check)),
        ("ALL", Hole::Text(VERIFY.all)),
        ("ALL_TEXT", Hole::Text(VERIFY.all_text)),
        ("CHECK_ALL", Hole::Text(VERIFY.check_all)),
        ("STOP", Hole::Text(VERIFY.stop)),
        ("PROGRESS", Hole::Text(VERIFY.progress)),
        ("OWN", Hole::Text(VERIFY.own)),
        ("OWN_TEXT", Hole::Text(VERIFY.own_text)),
        ("OWN_LABEL", Hole::Text(VERIFY.own_label)),
        ("SIGNATURE", Hole::Text(VERIFY.signature)),
        ("SIGNATURE_TEXT", Hole::Text(VERIFY.signature_text)),
        ("KEY_TEXT", Hole::Text(VERIFY.key_text)),
        ("THEN_TEXT", Hole::Text(VERIFY.then_text)),
        ("SITE", Hole::Text(words::SITE)),
        ("SEE_RESULTS", Hole::Text(words::SEE_RESULTS)),
        ("FOOTER", Hole::Ours(looks::footer(brand))),
        ("DATA", Hole::Json(json!({ "palabras": words::for_verify() }))),
        ("SCRIPT", Hole::Ours(script)),
    ];
    fill(include_str!("web/verify.html"), &holes)
}
