//! The looks of our own pages: one column, readable without JavaScript, light and dark, in print too.

use super::words::{self, Notice};

/// What a page says of the corte that is live.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// `7 de junio de 2026, 20:10 horas (UTC-6)`
    pub date_and_hour: String,
    pub is_drill: bool,
}

const STYLE: &str = "body{font:1.05rem/1.5 system-ui,sans-serif;max-width:36rem;margin:12vh auto;padding:0 1.2rem;\
color:#1c2430;background:#fff}h1{font-size:1.5rem;line-height:1.2}.corte{border-top:1px solid #c8ced8;padding-top:.8rem;\
font-variant-numeric:tabular-nums}.drill{background:#7a1f00;color:#fff;padding:.5rem .8rem;border-radius:.3rem}\
a{color:#0b57a8}@media(prefers-color-scheme:dark){body{color:#e8ebf0;background:#12161d}a{color:#8fc1ff}}";

/// A whole page for `notice`, with the corte's date and hour where there is one.
pub fn page(notice: Notice, stamp: Option<&Stamp>) -> String {
    let (title, sentence) = notice.words();
    let drill = match stamp {
        Some(stamp) if stamp.is_drill => {
            format!("<p class=drill><strong>{}</strong> · {}</p>", words::DRILL, words::DRILL_MEANS)
        }
        _ => String::new(),
    };
    let corte = match stamp {
        Some(stamp) => format!("{} {}", words::CORTE_OF, stamp.date_and_hour),
        None => words::NO_CORTE.to_owned(),
    };
    let link = match notice {
        Notice::NoCorteYet => String::new(),
        _ => format!("<p><a href=\"/\">{}</a></p>", words::SEE_RESULTS),
    };
    format!(
        "<!doctype html><html lang=es-MX><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><main>{drill}<h1>{title}</h1><p>{sentence}</p>{link}\
         <p class=corte>{corte}</p></main></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_which_corte_it_stands_beside() {
        let stamp = Stamp { date_and_hour: "7 de junio de 2026, 20:10 horas (UTC-6)".into(), is_drill: true };
        for notice in Notice::ALL {
            let with = page(notice, Some(&stamp));
            assert!(with.contains(&stamp.date_and_hour) && with.contains("SIMULACRO"), "{notice:?}");
            let without = page(notice, None);
            assert!(without.contains(words::NO_CORTE) && !without.contains("SIMULACRO"), "{notice:?}");
        }
    }
}
