use super::{Brand, Notice, Told};
use bytes::Bytes;

pub fn notice_page(notice: Notice, told: &Told, _: &Brand) -> String {
    let (title, text) = notice.words();
    format!("<title>{title}</title>{text} {:?}\n", told.corte.as_ref().map(|c| &c.date_and_hour))
}

pub fn notice_json(notice: Notice, told: &Told, _: &Brand) -> String {
    format!("{{\"titulo\":\"{}\",\"estado\":\"{}\"}}\n", notice.words().0, told.state.token())
}

pub fn files(told: &Told, _: &Brand) -> Vec<(&'static str, Bytes)> {
    vec![(
        "estado.json",
        Bytes::from(format!(
            "{{\"estado\":\"{}\",\"corte\":{:?}}}\n",
            told.state.token(),
            told.corte.as_ref().map(|c| &c.id)
        )),
    )]
}
