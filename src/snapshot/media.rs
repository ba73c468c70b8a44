//! Media types by file name, whether they are worth compressing, and content that contradicts its name.

/// A row of the table below.
#[derive(Debug, PartialEq, Eq)]
pub struct Media {
    /// The extension, lower case, without its dot.
    extension: &'static str,
    /// `type/subtype` (RFC 9110, 8.3.1).
    pub essence: &'static str,
    /// The same with `; charset=utf-8`, for text that is valid UTF-8; equal to `essence` for what is no text.
    pub utf8: &'static str,
    /// Text and its like get smaller; what is compressed already is kept as it is.
    pub compressible: bool,
    shape: Shape,
}

/// What the first bytes must look like.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Any,
    Json,
    Magic(&'static [u8]),
}

const fn text(extension: &'static str, essence: &'static str, utf8: &'static str) -> Media {
    Media { extension, essence, utf8, compressible: true, shape: Shape::Any }
}

const fn json(extension: &'static str, essence: &'static str) -> Media {
    Media { extension, essence, utf8: essence, compressible: true, shape: Shape::Json }
}

const fn packed(extension: &'static str, essence: &'static str, magic: &'static [u8]) -> Media {
    Media { extension, essence, utf8: essence, compressible: false, shape: Shape::Magic(magic) }
}

const fn plain(extension: &'static str, essence: &'static str, compressible: bool) -> Media {
    Media { extension, essence, utf8: essence, compressible, shape: Shape::Any }
}

static TABLE: [Media; 36] = [
    text("html", "text/html", "text/html; charset=utf-8"),
    text("htm", "text/html", "text/html; charset=utf-8"),
    text("css", "text/css", "text/css; charset=utf-8"),
    text("js", "text/javascript", "text/javascript; charset=utf-8"),
    text("mjs", "text/javascript", "text/javascript; charset=utf-8"),
    text("csv", "text/csv", "text/csv; charset=utf-8"),
    text("txt", "text/plain", "text/plain; charset=utf-8"),
    text("md", "text/markdown", "text/markdown; charset=utf-8"),
    text("xml", "text/xml", "text/xml; charset=utf-8"),
    text("vtt", "text/vtt", "text/vtt; charset=utf-8"),
    text("ics", "text/calendar", "text/calendar; charset=utf-8"),
    json("json", "application/json"),
    json("geojson", "application/geo+json"),
    json("topojson", "application/json"),
    json("map", "application/json"),
    json("webmanifest", "application/manifest+json"),
    plain("svg", "image/svg+xml", true),
    plain("wasm", "application/wasm", true),
    plain("ico", "image/vnd.microsoft.icon", true),
    plain("ttf", "font/ttf", true),
    plain("otf", "font/otf", true),
    packed("woff", "font/woff", b"wOFF"),
    packed("woff2", "font/woff2", b"wOF2"),
    packed("png", "image/png", b"\x89PNG\r\n\x1a\n"),
    packed("jpg", "image/jpeg", b"\xff\xd8\xff"),
    packed("jpeg", "image/jpeg", b"\xff\xd8\xff"),
    packed("gif", "image/gif", b"GIF8"),
    packed("webp", "image/webp", b"RIFF"),
    plain("avif", "image/avif", false),
    packed("zip", "application/zip", b"PK"),
    packed("gz", "application/gzip", b"\x1f\x8b"),
    packed("zst", "application/zstd", b"\x28\xb5\x2f\xfd"),
    packed("7z", "application/x-7z-compressed", b"7z\xbc\xaf\x27\x1c"),
    packed("pdf", "application/pdf", b"%PDF-"),
    packed("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
    plain("mp4", "video/mp4", false),
];

/// What is not in the table: bytes that no browser shows as a page.
static UNKNOWN: Media = plain("", "application/octet-stream", true);

/// The media type of a path by its last extension.
pub fn of(path: &str) -> &'static Media {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((_, extension)) = name.rsplit_once('.') else { return &UNKNOWN };
    TABLE.iter().find(|m| m.extension.eq_ignore_ascii_case(extension)).unwrap_or(&UNKNOWN)
}

/// The media type that is called so: `image/png`.
pub fn called(essence: &str) -> &'static Media {
    TABLE.iter().find(|media| media.essence == essence).unwrap_or(&UNKNOWN)
}

/// Says how `bytes` contradict the name they come under: a 403 page saved as `total.json`, say. Cheap: for JSON the
/// first significant byte, for binary types their signature. `None` where nothing speaks against it; an empty file
/// contradicts only what must have a signature or a value.
pub fn contradiction(path: &str, bytes: &[u8]) -> Option<String> {
    let media = of(path);
    let agrees = match media.shape {
        Shape::Any => true,
        Shape::Magic(magic) => bytes.starts_with(magic),
        Shape::Json => json_may_start_with(bytes),
    };
    let start = || String::from_utf8_lossy(&bytes[..bytes.len().min(24)]).escape_default().to_string();
    (!agrees).then(|| format!("{} by its name, but it begins with \"{}\"", media.essence, start()))
}

/// RFC 8259: white space, then an object, array, string, number or literal; a BOM before them is tolerated.
fn json_may_start_with(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_the_last_extension_whatever_its_case() {
        assert_eq!(of("datos/total.json").essence, "application/json");
        assert_eq!(of("a.b/PREP.CSV").utf8, "text/csv; charset=utf-8");
        assert_eq!(of("x.tar.gz").essence, "application/gzip");
        assert_eq!(of("a.json/LEEME").essence, "application/octet-stream");
        assert!(!of("foto.JPG").compressible);
    }

    #[test]
    fn a_403_page_saved_as_json_is_noticed() {
        let page = b"<html><head><title>403 Forbidden</title></head>";
        let why = contradiction("Diputados_MR_NACIONAL.json", page).unwrap();
        assert!(why.contains("application/json") && why.contains("<html>"), "{why}");
        assert!(contradiction("acta.jpg", page).is_some());
        assert!(contradiction("a.json", b"").is_some());
        for (path, bytes) in
            [("a.json", &b"\xef\xbb\xbf {\"a\":1}"[..]), ("a.json", b"12"), ("i.html", page), ("b.zip", b"PK\x03\x04")]
        {
            assert_eq!(contradiction(path, bytes), None, "{path}");
        }
    }
}
