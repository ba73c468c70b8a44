//! The page for a notice: an error, or what stands in the place of results and gives way to them by itself.

use super::csp::policy;
use super::fill::{Hole, escaped, fill};
use super::looks;
use super::told::{Brand, Told};
use super::words::{self, Notice};

/// A whole page of HTML.
pub fn notice_page(notice: Notice, told: &Told, brand: &Brand) -> String {
    let (title, sentence) = notice.words();
    let follows = notice.is_in_place_of_results();
    let script = if follows { looks::script(&[looks::FOLLOW, include_str!("web/notice.js")]) } else { String::new() };
    let own: &[&str] = match notice {
        Notice::NotOpenYet => &[include_str!("web/page.css"), include_str!("web/notice.css")],
        _ => &[include_str!("web/page.css")],
    };
    let style = looks::style(brand, own);
    let label = if follows { words::LAST_CORTE } else { words::CORTE_OF };
    let holes = [
        ("CLASS", Hole::Text(looks::class(told))),
        ("POLICY", Hole::Ours(policy(&style, &script, &[]))),
        ("TITLE", Hole::Text(title)),
        ("NAME", Hole::Text(looks::name(brand))),
        ("ICON", Hole::Text(looks::icon(brand))),
        ("STYLE", Hole::Ours(style)),
        ("MARK", Hole::Ours(looks::mark(told))),
        ("LOGO", Hole::Ours(looks::logo(brand))),
        ("BANNER", Hole::Ours(looks::banner(told))),
        ("SENTENCE", Hole::Text(sentence)),
        ("BODY", Hole::Ours(body(notice, told))),
        ("CORTE", Hole::Ours(looks::corte_line(told, label))),
        ("FOOTER", Hole::Ours(looks::footer(brand))),
        ("SCRIPTS", Hole::Ours(scripts(follows, told, brand, script))),
    ];
    fill(include_str!("web/notice.html"), &holes)
}

/// What stands between the sentence and the corte.
fn body(notice: Notice, told: &Told) -> String {
    if !notice.is_in_place_of_results() {
        let link = if told.shows_results { words::SEE_RESULTS } else { words::FRONT_PAGE };
        return format!("<p class=\"go\"><a href=\"/\">{link}</a></p>");
    }
    let mut body = match words::awaits(told) {
        Some(sentence) => format!("<p class=\"lead\">{}</p>\n", escaped(&sentence)),
        None => String::new(),
    };
    if notice == Notice::NotOpenYet {
        body.push_str(&format!("<p class=\"left\" id=\"left\">{}</p>\n{}\n", words::LEFT, count(told)));
    }
    body.push_str(&format!(
        "<p class=\"more\" id=\"itself\" hidden>{}</p>\n<noscript><p class=\"more\">{} <a href=\"\">{}</a>.</p></noscript>",
        words::BY_ITSELF,
        words::BY_HAND,
        words::REFRESH
    ));
    body
}

/// The time left until the opening when this was printed; the script goes on from there.
fn count(told: &Told) -> String {
    let left = told.printed.election.duration_until(&told.opens).as_secs();
    let parts = words::parts(left);
    let parts: Vec<String> =
        parts.iter().map(|(n, unit)| format!("<span>{n}<small>&nbsp;{unit}</small></span>")).collect();
    format!("<p class=\"count\" id=\"count\" role=\"timer\" aria-labelledby=\"left\">{}</p>", parts.join(" "))
}

fn scripts(follows: bool, told: &Told, brand: &Brand, script: String) -> String {
    if !follows {
        return String::new();
    }
    let data = Hole::Json(looks::data(told, brand, words::for_notice()));
    let template = "<script type=\"application/json\" id=\"told\">{{DATA}}</script>\n<script>{{SCRIPT}}</script>";
    fill(template, &[("DATA", data), ("SCRIPT", Hole::Ours(script))])
}
