//! What is no fault of the settings, for the service can do its work with it, and yet would spoil the night.

use jiff::Timestamp;

use crate::base::shown::Shown;
use crate::config::Settings;
use crate::corte::Trust;
use crate::http::tls::CertificateFiles;
use crate::http::validity::Validity;

/// Each as a sentence, with what to do about it.
pub fn of(settings: &Settings, now: Timestamp) -> Vec<String> {
    let closes = settings.intake.calendar.windows().iter().map(|window| window.closes).max();
    let files = settings.http.certificates.iter().chain(settings.admin.as_ref().map(|admin| &admin.certificate));
    let mut doubts: Vec<String> = files.filter_map(|files| of_certificate(files, closes, now)).collect();
    doubts.dedup();
    let intake = &settings.intake;
    if let Some(identity) =
        intake.identity.as_deref().filter(|one| intake.trust == Trust::Signed && !intake.signers.knows(one))
    {
        let known: Vec<String> = intake.signers.summary().map(|(_, name, _)| Shown::text(name).to_string()).collect();
        doubts.push(format!(
            "`identity`: no line of the signers file is of `{}`, so every package will be refused (P055); it names {}",
            Shown::text(identity),
            known.join(", ")
        ));
    }
    doubts
}

fn of_certificate(files: &CertificateFiles, closes: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let Validity { begins, ends } = Validity::of(files).ok()??;
    let path = files.chain.display();
    match closes {
        _ if ends < now => Some(format!("{path}: the certificate ended at {ends}, and browsers refuse it: renew it")),
        _ if now < begins => Some(format!(
            "{path}: the certificate begins at {begins}, and browsers refuse it until then; is this machine's clock right?"
        )),
        Some(closes) if now < closes && ends < closes => Some(format!(
            "{path}: the certificate ends at {ends}, before the last window closes, at {closes}: renew it"
        )),
        _ => None,
    }
}
