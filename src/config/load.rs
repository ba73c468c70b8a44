//! From the settings as typed to the settings as needed.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::apart::{Named, apart};
use super::faults::{Fault, Faults, Notes};
use super::settings::Settings;
use super::source::sources;
use super::typed::Section;
#[cfg(test)]
use crate::schedule::Calendar;

/// Reads the file at `path`; relative paths in it start at its folder.
pub fn load(path: &Path) -> Result<Settings, Faults> {
    let file = path.display().to_string();
    parse(&text(path, &file)?, &file, path.parent().unwrap_or(Path::new("")))
}

fn text(path: &Path, file: &str) -> Result<String, Faults> {
    fs::read_to_string(path).map_err(|error| Faults {
        file: file.to_owned(),
        list: vec![Fault { at: None, message: format!("cannot be read: {error}; name it with --config") }],
    })
}

/// The state folder alone: what a verb needs that asks the running service, whose other settings it may not read.
pub fn state(path: &Path) -> Result<PathBuf, Faults> {
    let (file, folder) = (path.display().to_string(), path.parent().unwrap_or(Path::new("")));
    let text = text(path, &file)?;
    let notes = RefCell::new(Notes::new(&text));
    let document = document(&text, &notes);
    let state = Section::top(document.get_ref(), &notes).text("state", |text| Ok(folder.join(text)));
    notes.into_inner().into_faults(&file)?;
    state.map(|given| given.value).ok_or_else(|| Faults { file, list: Vec::new() })
}

/// Reads the text of a settings file that lies in `folder` under the name `file`.
pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Settings, Faults> {
    let notes = RefCell::new(Notes::new(text));
    let document = document(text, &notes);
    let settings = needed(&Section::top(document.get_ref(), &notes), file, folder);
    notes.into_inner().into_faults(file)?;
    settings.ok_or_else(|| Faults { file: file.to_owned(), list: Vec::new() })
}

/// The calendar of a settings file that has nothing else.
#[cfg(test)]
pub(super) fn parse_calendar(text: &str) -> Result<Arc<Calendar>, Faults> {
    let notes = RefCell::new(Notes::new(text));
    let document = document(text, &notes);
    let calendar = super::schedule::calendar(&Section::top(document.get_ref(), &notes));
    notes.into_inner().into_faults("d.toml")?;
    Ok(calendar.expect("a fault that was not noted"))
}

fn document<'t>(text: &'t str, notes: &RefCell<Notes<'t>>) -> Spanned<DeTable<'t>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let message = format!("not TOML: {}", error.message().replace('\n', "; "));
        notes.borrow_mut().at(error.span().unwrap_or(0..0), message);
    }
    document
}

/// `None` only where a fault has been noted. Every section is read before the first `?`, so that all faults are.
fn needed(top: &Section, file: &str, folder: &Path) -> Option<Settings> {
    let sources = sources(top, folder);
    // A source that is faulty is one that is meant.
    let is_fed = sources.as_ref().is_none_or(|sources| !sources.is_empty());
    let intake = super::intake::intake(top, folder, is_fed);
    let looks = super::looks::looks(&top.section("difusor"), folder);
    let http = super::counter::http(top, folder);
    let ladder = super::ladder::read(&top.section("ladder"));
    let admin = super::admin::https(&top.section("admin"), folder);
    let rsync = super::rsync::rsync(&top.section("rsync"), folder);
    let proxy = super::proxy::proxy(top, folder);
    if let Some(intake) = &intake {
        let (admin, file) = (admin.as_ref().and_then(Option::as_ref), Path::new(file).file_name().unwrap_or_default());
        let named = Named { file: folder.join(file), http: http.as_ref(), admin, rsync: rsync.as_ref() };
        apart(top, folder, intake, named);
    }
    Some(Settings {
        intake: intake?,
        sources: sources?,
        looks: looks?,
        http: http?,
        ladder: ladder?,
        admin: admin?,
        proxy: proxy?,
        rsync: rsync?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::pool;
    use crate::config::{Rsync, table};
    use crate::corte::Limits;
    use crate::http::Listen;
    use crate::http::clients::Rules;
    use crate::http::forwarded::Field;
    use crate::http::patience::Patience;

    /// A folder with everything that the example names, but certificates.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let key = ssh_key::PrivateKey::random(&mut ssh_key::rand_core::OsRng, ssh_key::Algorithm::Ed25519).unwrap();
        let line = format!("iec namespaces=\"prep-corte\" {}\n", key.public_key().to_openssh().unwrap());
        fs::write(dir.path().join("allowed_signers"), line).unwrap();
        fs::create_dir(dir.path().join("incoming")).unwrap();
        dir
    }

    const LEAST: &str = "election = \"e-1\"\nsigners = \"allowed_signers\"\nincoming = \"incoming\"\n";

    fn faults(text: &str) -> String {
        parse(text, "d.toml", folder().path()).unwrap_err().to_string()
    }

    #[test]
    fn the_least_that_is_needed_has_all_defaults() {
        let dir = folder();
        let settings = parse(&format!("{LEAST}[listen]\nhttp = [\"[::]:80\"]\n"), "d.toml", dir.path()).unwrap();
        assert_eq!((settings.intake.calendar.windows().len(), settings.intake.keep), (4, 6));
        assert_eq!(settings.intake.incoming, Some(dir.path().join("incoming")));
        assert_eq!(settings.http.listen, [Listen { address: "[::]:80".parse().unwrap(), is_tls: false }]);
        assert_eq!(settings.intake.limits.total_bytes, Limits::default().total_bytes);
        assert_eq!(settings.intake.limits.file_bytes, Limits::default().file_bytes);
        assert_eq!(settings.http.threads, pool::cores());
        assert_eq!(settings.http.patience, Patience::default());
        let Rules { forwarders, proxy_protocol_from, proxy_protocol_is_optional, .. } = settings.http.clients;
        assert_eq!((forwarders, proxy_protocol_from, proxy_protocol_is_optional), Default::default());
    }

    #[test]
    fn all_faults_are_told_at_once_where_they_stand() {
        let text = "electin = \"e\"\nsigners = \"nobody\"\nthreads = \"two\"\n[listen]\nhttp = [\"80\"]\n[cortes]\n\
                    settle = \"soon\"\nkep = 3\n[limits]\nconnections = 0\nx = 1\n";
        let told = faults(text);
        assert!(told.lines().any(|line| line == "d.toml:11:1: `limits.x` is no setting"), "{told}");
        for expected in [
            "d.toml:1:1: `electin` is no setting; did you mean `election`?",
            "d.toml:2:11: `signers`:",
            "d.toml:3:11: `threads`: expected a whole number, such as 0",
            "d.toml:5:9: `listen.http`: `80` is not \"ADDRESS:PORT\"",
            "d.toml:7:10: `cortes.settle`: `soon` is not a duration",
            "d.toml:8:1: `cortes.kep` is no setting; did you mean `cortes.keep`?",
            "d.toml:10:15: `limits.connections`: expected 1 to 1000000",
            "d.toml: `election` is missing",
            "d.toml: `incoming` is missing",
        ] {
            assert!(told.contains(expected), "{expected}\nnot in\n{told}");
        }
        assert_eq!(told.lines().count(), 10, "{told}");
    }

    #[test]
    fn who_speaks_for_others_is_named() {
        let parsed = |lines: &str| {
            let text = format!("{LEAST}[listen]\nhttp = [\"[::]:80\"]\n{lines}");
            parse(&text, "d.toml", folder().path()).map_err(|faults| faults.to_string())
        };
        let all = "proxy_protocol_from = [\"10.0.0.0/8\"]\nproxy_protocol = \"optional\"\n\
                   forwarded_from = [\"192.0.2.1\", \"2001:db8::/32\"]\nforwarded_field = \"forwarded\"\n\
                   [limits]\nhead = \"1500ms\"\nsend_rate = \"0 B\"\nrate_window = \"1m\"\n";
        let http = parsed(all).unwrap().http;
        let Rules { proxy_protocol_from, proxy_protocol_is_optional, forwarders, .. } = http.clients;
        assert_eq!((proxy_protocol_from, proxy_protocol_is_optional), (vec!["10.0.0.0/8".parse().unwrap()], true));
        assert_eq!((forwarders.from.len(), forwarders.field), (2, Field::Forwarded));
        assert_eq!(http.patience, Patience { head_s: 2, send_rate: 0, window_s: 60, ..Patience::default() });
        let told = parsed(
            "proxy_protocol_from = [\"::/0\"]\nproxy_protocol = \"v1\"\nforwarded_from = [1]\nforwarded_field = \"x\"\n\
             [limits]\nidle = 75\nreceive_rate = \"250\"\n",
        );
        let told = told.unwrap_err();
        for expected in [
            "d.toml:6:24: `listen.proxy_protocol_from`: `::/0` is everybody",
            "d.toml:7:18: `listen.proxy_protocol`: expected \"required\" or \"optional\"",
            "d.toml:8:19: `listen.forwarded_from`: ",
            "d.toml:9:19: `listen.forwarded_field`: expected \"x-forwarded-for\" or \"forwarded\"",
            "d.toml:11:8: `limits.idle`: ",
            "d.toml:12:16: `limits.receive_rate`: `250` is not a size",
        ] {
            assert!(told.contains(expected), "{expected}\nnot in\n{told}");
        }
        assert_eq!(told.lines().count(), 6, "{told}");
    }

    #[test]
    fn tls_needs_both_an_address_and_a_certificate() {
        assert!(faults(&format!("{LEAST}[listen]\nhttps = [\"[::]:443\"]\n")).contains("needs a certificate"));
        let told =
            faults(&format!("{LEAST}[listen]\nhttp = [\"[::]:80\"]\n[[certificate]]\nchain = \"c\"\nkey = \"k\"\n"));
        assert!(told.contains("no address for it") && told.contains("d.toml:7:9: `certificate`: "), "{told}");
        assert!(faults(LEAST).contains("nowhere to listen"));
        assert!(faults("= 1\n").contains("d.toml:1:1: not TOML"));
    }

    #[test]
    fn the_admin_side_needs_a_certificate_and_somebody_who_may_come_in() {
        let dir = folder();
        let parsed = |rest: &str| {
            let text = format!("{LEAST}{rest}[listen]\nhttp = [\"[::]:80\"]\n");
            parse(&text, "d.toml", dir.path()).map_err(|faults| faults.to_string())
        };
        assert_eq!(parsed("").unwrap().admin, None);
        let told = parsed("[admin]\nlisten = \"127.0.0.1:8443\"\n").unwrap_err();
        assert!(told.contains("d.toml:5:10: `admin.listen`: nobody could come in"), "{told}");
        assert!(told.contains("d.toml:5:10: `admin.listen` needs a certificate"), "{told}");
        let told = parsed("[admin]\nlisten = \"a\"\n").unwrap_err();
        assert!(told.contains("`admin.listen`: `a` is not \"ADDRESS:PORT\""), "{told}");
        let told = parsed("[admin]\ntokens = \"t\"\n").unwrap_err();
        assert!(told.contains("without `admin.listen`"), "{told}");
        fs::write(dir.path().join("t"), "spoilt").unwrap();
        let told = parsed("[admin]\nlisten = \"[::]:1\"\ntokens = \"t\"\nchain = \"c\"\nkey = \"k\"\n").unwrap_err();
        assert!(told.contains("`admin.tokens`: ") && told.contains("line 1") && told.contains("`admin`: "), "{told}");
        let told = parsed(&format!("state = \"{}\"\n", "s".repeat(120))).unwrap_err();
        assert!(told.contains("d.toml:4:9: `state`: ") && told.contains("107 bytes"), "{told}");
    }

    #[test]
    fn the_state_alone_can_be_read_where_the_rest_cannot() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("d.toml");
        fs::write(&file, "signers = \"nobody\"\nstate = \"s\"\n").unwrap();
        assert_eq!(state(&file).unwrap(), dir.path().join("s"));
        fs::write(&file, "signers = 1\n").unwrap();
        assert_eq!(state(&file).unwrap(), dir.path().join("state"));
        fs::write(&file, "state = 1\n").unwrap();
        assert!(state(&file).unwrap_err().to_string().contains("d.toml:1:9: `state`: expected a path"));
    }

    #[test]
    fn the_example_lacks_nothing_but_its_certificate() {
        let told = faults(&table::example().replace("# https", "https"));
        assert!(told.lines().all(|line| line.contains("`certificate`: ")), "{told}");
    }

    #[test]
    fn who_may_push_by_rsync_is_told_all_at_once_too() {
        let dir = folder();
        let parsed = |rsync: &str| {
            let text = format!("{LEAST}[listen]\nhttp = [\"[::]:80\"]\n{rsync}");
            parse(&text, "d.toml", dir.path()).map(|s| s.rsync).map_err(|faults| faults.to_string())
        };
        assert_eq!(parsed("").unwrap(), Rsync::default(), "the table says the same");
        let given = parsed("[rsync]\ntrusted = [\"10.0.0.0/8\"]\nuser = \"iec\"\nsecrets = \"s\"\n").unwrap();
        assert_eq!(given.login.unwrap().secrets, dir.path().join("s"));
        let text = "[rsync]\ntrusted = [\"10.0.0.1/8\", \"x\", \"::/0\"]\nports = [873, 0, 873]\nmodule = \"a b\"\n\
                    user = \"iec\"\nconnections = 0\nmodul = 1\n";
        let told = parsed(text).unwrap_err();
        for expected in [
            "d.toml:7:12: `rsync.trusted`: `10.0.0.1/8` is no network; one begins at `10.0.0.0/8`",
            "d.toml:7:26: `rsync.trusted`: `x` is no address or network, such as [\"203.0.113.10\"",
            "d.toml:7:31: `rsync.trusted`: `::/0` is everybody",
            "d.toml:8:15: `rsync.ports`: expected 1 to 65535",
            "d.toml:9:10: `rsync.module`: expected 1 to 64",
            "d.toml:10:8: `rsync.user` needs `secrets`",
            "d.toml:11:15: `rsync.connections`: expected 1 to 1000",
            "d.toml:12:1: `rsync.modul` is no setting; did you mean `rsync.module`?",
        ] {
            assert!(told.contains(expected), "{expected}\nnot in\n{told}");
        }
        assert_eq!(told.lines().count(), 8, "{told}");
        assert!(
            parsed("[rsync]\nsecrets = \"s\"\n").unwrap_err().contains("d.toml:7:11: `rsync.secrets` needs `user`")
        );
        assert!(parsed("[rsync]\nports = []\n").unwrap_err().contains("d.toml:7:9: `rsync.ports` is empty"));
        assert!(
            parsed("[rsync]\nports = [873, 873]\n")
                .unwrap_err()
                .contains("d.toml:7:15: `rsync.ports`: 873 is there twice")
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in "(election|[a-z.\\[\\]=\" \n0-9]){0,60}") {
            let _ = parse(&text, "d.toml", Path::new("/nowhere"));
        }
    }
}
