//! Everything that is served of ours below `/.prep/`, but for what belongs to a corte.

use bytes::Bytes;

use super::embed::{embed_page, snippet};
use super::estado::estado_json;
use super::told::{Brand, Told};
use super::verify::verify_page;

/// Names below `/.prep/` and their bytes: `embed` and `verificar` are HTML in UTF-8, `logo` has the media type of the
/// brand's. All but `logo` and `embed.js` change with what is told.
pub fn files(told: &Told, brand: &Brand) -> Vec<(&'static str, Bytes)> {
    let mut files = vec![
        ("embed", Bytes::from(embed_page(told, brand))),
        ("embed.js", Bytes::from(snippet(brand))),
        ("estado.json", Bytes::from(estado_json(told, brand))),
        ("verificar", Bytes::from(verify_page(told, brand))),
    ];
    files.extend(brand.logo.as_ref().map(|(_, bytes)| ("logo", bytes.clone())));
    files
}
