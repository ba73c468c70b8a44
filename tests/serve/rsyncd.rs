//! The rsync daemon in front: Debian's rsync at both ends of the loopback. Whatever way a package comes, readers see whole
//! cortes only, none goes back, and every good one is seen.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

use difusor::base::digest::Digest;
use rustix::process::{Pid, Signal, kill_process};

use crate::common::rsyncd::{Daemon, setup};
use crate::common::server::{LOOK_EVERY, Setup, Site, until};
use crate::common::wire::{Talk, get};
use crate::common::{Tree, corte, passed_over, tool};

/// A file of its corte that no compression makes small, so that a throttled transfer takes a while.
fn noise(id: &str, len: usize) -> Vec<u8> {
    let block = |n: usize| *Digest::of(format!("{id} {n}").as_bytes()).as_bytes();
    (0..len.div_ceil(32)).flat_map(block).take(len).collect()
}

/// Bytes of a file that arrives in some hundred milliseconds, throttled as here; and of one that takes so long that
/// whatever is to happen meanwhile does. rsyncd writes 256 KiB at a time.
const SHORT: usize = 400_000;
const LONG: usize = 2_000_000;

/// A package in which every file says of which corte it is; one name is in no other. Those of the 3rd take long.
fn package(id: &str) -> Tree {
    let text = |name: &str| format!("<p>{id} {name}").into_bytes();
    let (own, body) = (format!("datos/{id}.json"), format!("{{\"corte\": \"{id}\"}}").into_bytes());
    let large = noise(id, if id.starts_with("20240603") { LONG } else { SHORT });
    let mut files: Vec<(&str, &[u8])> = vec![("datos/acta.mp4", &large), (&own, &body)];
    let names = ["index.html", "a.html", "z.html", "datos/b.html"];
    let texts = names.map(text);
    files.extend(names.into_iter().zip(texts.iter().map(Vec::as_slice)));
    Tree::of(&corte(id), &files)
}

/// The package `out/ID`, `out/ID.tar` and `out/ID.zip`, ready to be sent.
fn outbox(site: &Site, id: &str) {
    package(id).write(&site.path(&format!("out/{id}")));
    fs::write(site.path(&format!("out/{id}.tar")), package(id).tar()).unwrap();
    fs::write(site.path(&format!("out/{id}.zip")), package(id).zip()).unwrap();
}

/// Somebody who looks all the time, at several files, and holds each against the corte that its answer names.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Reader {
    fn of(site: &Site) -> Reader {
        let (stop, from) = (Arc::new(AtomicBool::new(false)), site.http());
        let told = stop.clone();
        Reader { stop, thread: thread::spawn(move || look(from, &told)) }
    }

    /// The cortes that it has seen, in order.
    fn seen(self) -> Vec<String> {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("whole cortes only")
    }
}

fn look(from: SocketAddr, stop: &AtomicBool) -> Vec<String> {
    let (mut seen, mut talk): (Vec<String>, _) = (Vec::new(), Talk::with(from));
    let mut expected = package("20240602_0000");
    while !stop.load(Relaxed) {
        for path in ["index.html", "datos/acta.mp4", "z.html", "datos/b.html"] {
            let answer = talk.get(&format!("/{path}"), "");
            let Some(id) = answer.field("corte") else { continue };
            if seen.last().is_none_or(|last| last != id) {
                assert!(seen.last().is_none_or(|last| last.as_str() < id), "{id} after {seen:?}");
                (seen, expected) = ([seen, vec![id.to_owned()]].concat(), package(id));
            }
            assert_eq!(answer.status, 200, "{path} of {id}: {}", answer.head);
            assert!(answer.body == expected.bytes(&format!("sitio/{path}")), "{path} of {id} is not its own");
        }
        thread::sleep(LOOK_EVERY);
    }
    seen
}

fn is_served(site: &Site, id: &str) {
    site.live(id);
    assert_eq!(site.get("/datos/acta.mp4").body, package(id).bytes("sitio/datos/acta.mp4"));
    assert_eq!(site.get(&format!("/datos/{id}.json")).status, 200);
}

/// Waits until rsyncd has written so much of a file below `folder` under the name that it has meanwhile, or its own.
fn is_arriving(site: &Site, folder: &str, name: &str) {
    let folder = site.incoming().join(folder);
    let begun = || {
        fs::read_dir(&folder).ok()?.find_map(|entry| {
            let (entry, name) = (entry.ok()?, name.as_bytes());
            let is_it = entry.file_name().as_encoded_bytes().windows(name.len()).any(|part| part == name);
            (is_it && entry.metadata().ok()?.len() > 60_000).then_some(())
        })
    };
    until(begun).unwrap_or_else(|| panic!("{name} never arrives in {}", folder.display()));
}

fn is_killed(mut client: Child) {
    client.kill().unwrap();
    assert!(!client.wait().unwrap().success());
}

#[test]
fn every_way_of_sending_is_published_whole_and_in_turn() {
    let Some(_) = tool("rsync") else { return };
    let site = setup().start();
    let daemon = Daemon::before(&site);
    let reader = Reader::of(&site);
    let ways = [
        "-a out/ID TO/",
        "-a out/ID.tar TO/",
        "-a out/ID.zip TO/",
        "-rt --chmod=D700,F600 out/ID/ TO/otro-nombre/",
        "-az --checksum out/ID TO/",
        "-a --partial --bwlimit=800 out/ID.tar TO/",
        "-a --partial --bwlimit=800 out/ID TO/",
        "-a --partial-dir=.rsync-partial --bwlimit=800 out/ID.zip TO/",
        "-a --inplace --bwlimit=800 out/ID.tar TO/",
        "-a --inplace --bwlimit=800 out/ID TO/",
        "-a --delay-updates --bwlimit=800 out/ID TO/",
        "-a --delay-updates out/ID.zip TO/",
    ];
    let mut sent = Vec::new();
    for (n, way) in ways.into_iter().enumerate() {
        let id = format!("20240602_20{n:02}");
        outbox(&site, &id);
        daemon.push(&site, &way.replace("ID", &id));
        is_served(&site, &id);
        sent.push(id);
    }
    assert_eq!(reader.seen(), sent, "none is missed");
    assert_eq!(site.logged(&["refused"]), [""; 0]);
    // What arrived belongs to the group and to nobody else, whatever the sender had.
    let mode = |path: &str| fs::metadata(site.incoming().join(path)).unwrap().permissions().mode() & 0o7777;
    for (folder, file) in [("otro-nombre/sitio", "otro-nombre/corte.json"), ("20240602_2000", "20240602_2001.tar")] {
        assert_eq!((mode(folder), mode(file)), (0o2750, 0o640));
    }
}

/// The authority mirrors one tree over and over: what is gone there is gone here.
#[test]
fn a_tree_that_is_kept_the_same_is_published_at_each_turn() {
    let Some(_) = tool("rsync") else { return };
    let site = setup().start();
    let daemon = Daemon::before(&site);
    let reader = Reader::of(&site);
    // By `-c`, for files of equal size were written within the same second.
    let ways = [
        "-ac --delete out/ID/ TO/",
        "-ac --delete --bwlimit=800 out/ID/ TO/",
        "-ac --delete-after --bwlimit=800 out/ID/ TO/",
        "-ac --delete --inplace --bwlimit=800 out/ID/ TO/",
        "-ac --delete-delay --delay-updates --bwlimit=800 out/ID/ TO/",
        "-ac --delete --partial out/ID/ TO/",
    ];
    let mut sent = Vec::new();
    for (n, way) in ways.into_iter().enumerate() {
        let id = format!("20240602_20{n}0");
        outbox(&site, &id);
        daemon.push(&site, &way.replace("ID", &id));
        is_served(&site, &id);
        let gone = sent.last().map(|last| site.get(&format!("/datos/{last}.json")).status);
        assert!(gone.is_none_or(|status| status == 404));
        sent.push(id);
    }
    assert_eq!(reader.seen(), sent);
    assert_eq!(site.logged(&["refused"]), [""; 0]);
}

#[test]
fn a_transfer_that_is_cut_is_nothing_and_resumed_it_is_all() {
    let Some(_) = tool("rsync") else { return };
    let site = setup().start();
    let daemon = Daemon::before(&site);
    outbox(&site, "20240602_2000");
    daemon.push(&site, "-a out/20240602_2000 TO/");
    is_served(&site, "20240602_2000");
    let reader = Reader::of(&site);
    // What is sent, where it arrives, what of it is seen there, and what is left once it is cut.
    let cuts = [
        ("--partial", "ID.tar", "", "ID.tar", "ID.tar"),
        ("--inplace", "ID.zip", "", "ID.zip", "ID.zip"),
        ("--partial", "ID", "ID/sitio/datos", "acta.mp4", "ID/sitio/datos/acta.mp4"),
        ("--inplace", "ID", "ID/sitio/datos", "acta.mp4", "ID/sitio/datos/acta.mp4"),
        ("--delay-updates", "ID", "ID/sitio/datos", "acta.mp4", "ID/sitio"),
        ("--times", "ID", "ID/sitio/datos", "acta.mp4", "ID/sitio"),
    ];
    let mut sent = vec!["20240602_2000".to_owned()];
    for (n, (option, what, folder, name, left)) in cuts.into_iter().enumerate() {
        let id = format!("20240603_21{n}0");
        let [what, folder, name, left] = [what, folder, name, left].map(|text| text.replace("ID", &id));
        outbox(&site, &id);
        let throttled = format!("-a {option} --bwlimit=100 out/{what} TO/");
        let client = daemon.client(&site, &throttled).spawn().unwrap();
        is_arriving(&site, &folder, &name);
        is_killed(client);
        daemon.rests();
        assert!(site.incoming().join(&left).exists(), "something is left of it");
        assert_eq!(site.get("/").field("corte"), sent.last().map(String::as_str));
        daemon.push(&site, &format!("-a {option} out/{what} TO/"));
        is_served(&site, &id);
        sent.push(id);
    }
    assert_eq!(reader.seen(), sent);
    assert_eq!(site.logged(&["refused"]), [""; 0]);
}

#[test]
fn two_at_once_and_the_later_one_stays() {
    let Some(_) = tool("rsync") else { return };
    let site = setup().start();
    let daemon = Daemon::before(&site);
    let reader = Reader::of(&site);
    let ids = ["20240602_2000", "20240602_2010"];
    ids.iter().for_each(|id| outbox(&site, id));
    let clients = ids.map(|id| daemon.client(&site, &format!("-a --bwlimit=400 out/{id} TO/")).spawn().unwrap());
    ids.iter().for_each(|id| is_arriving(&site, &format!("{id}/sitio/datos"), "acta.mp4"));
    for mut client in clients {
        assert!(client.wait().unwrap().success());
    }
    is_served(&site, ids[1]);
    // Into one folder, both of them: what comes of it is neither, or one.
    let ids = ["20240602_2020", "20240602_2030"];
    ids.iter().for_each(|id| outbox(&site, id));
    let clients =
        ids.map(|id| daemon.client(&site, &format!("-ac --bwlimit=400 out/{id}/ TO/los-dos/")).spawn().unwrap());
    for mut client in clients {
        // Each may find that the other has made, or taken away, what it was about to: rsync then ends with an error.
        client.wait().unwrap();
    }
    daemon.rests();
    daemon.push(&site, "-ac --delete out/20240602_2030/ TO/los-dos/");
    is_served(&site, ids[1]);
    assert!(reader.seen().ends_with(&[ids[1].to_owned()]));
}

#[test]
fn a_slow_one_is_overtaken_by_a_later_corte() {
    let Some(_) = tool("rsync") else { return };
    let site = setup().start();
    let daemon = Daemon::before(&site);
    let reader = Reader::of(&site);
    let (slow, quick) = ("20240603_2000", "20240603_2010");
    outbox(&site, slow);
    outbox(&site, quick);
    let mut client = daemon.client(&site, &format!("-a --bwlimit=400 out/{slow} TO/")).spawn().unwrap();
    is_arriving(&site, &format!("{slow}/sitio/datos"), "acta.mp4");
    let signal = |signal| kill_process(Pid::from_child(&client), signal).unwrap();
    signal(Signal::STOP);
    daemon.push(&site, &format!("-a out/{quick} TO/"));
    is_served(&site, quick);
    signal(Signal::CONT);
    assert!(client.wait().unwrap().success());
    site.log_line(&["refused", "P081", slow]);
    is_served(&site, quick);
    assert_eq!(reader.seen(), [quick]);
}

/// What fails at the client's end, told from its end.
fn refusal(daemon: &Daemon, site: &Site, args: &str) -> String {
    let out = daemon.run(site, args);
    assert!(!out.status.success(), "rsync {args}");
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn nobody_pushes_but_the_trusted() {
    let Some(_) = tool("rsync") else { return };
    let site = setup().start();
    let daemon = Daemon::before(&site);
    outbox(&site, "20240602_2000");
    let from_elsewhere = "--address=127.0.0.2 -a out/20240602_2000 TO/";
    assert!(refusal(&daemon, &site, from_elsewhere).contains("Unknown module"), "not even that it is there");
    assert_eq!(fs::read_dir(site.incoming()).unwrap().count(), 0);
    drop(daemon);
    // A network that has both.
    let text = fs::read_to_string(site.path("difusor.toml")).unwrap();
    fs::write(site.path("difusor.toml"), text.replace("\"127.0.0.1\"]", "\"127.0.0.0/30\"]")).unwrap();
    let daemon = Daemon::before(&site);
    daemon.push(&site, from_elsewhere);
    is_served(&site, "20240602_2000");
    drop(daemon);
    // Where nobody is named, nobody is let in.
    fs::write(site.path("difusor.toml"), text.replace("trusted = [\"127.0.0.1\"]", "")).unwrap();
    let daemon = Daemon::before(&site);
    assert!(refusal(&daemon, &site, "-a out/20240602_2000 TO/").contains("Unknown module"));
}

#[test]
fn with_a_password_where_one_is_asked_for() {
    let Some(_) = tool("rsync") else { return };
    let site = setup().with("rsync", "user = \"iec\"\nsecrets = \"secretos\"").start();
    fs::write(site.path("secretos"), "iec:abrete\n").unwrap();
    fs::set_permissions(site.path("secretos"), fs::Permissions::from_mode(0o640)).unwrap();
    let daemon = Daemon::before(&site);
    outbox(&site, "20240602_2000");
    let push = |user: &str, password: &str| {
        let mut client = daemon.client_as(user, &site, "-a out/20240602_2000 TO/");
        client.env("RSYNC_PASSWORD", password).output().unwrap()
    };
    for (user, password) in [("iec", "otra"), ("otro", "abrete"), ("iec", "")] {
        let out = push(user, password);
        assert!(String::from_utf8_lossy(&out.stderr).contains("auth failed"), "{out:?}");
    }
    assert_eq!(fs::read_dir(site.incoming()).unwrap().count(), 0);
    assert!(push("iec", "abrete").status.success());
    is_served(&site, "20240602_2000");
}

#[test]
fn what_was_pushed_cannot_be_fetched_and_links_lead_nowhere() {
    let Some(_) = tool("rsync") else { return };
    let site = Setup::clear().with("rsync", "trusted = [\"127.0.0.1\"]").start();
    let daemon = Daemon::before(&site);
    outbox(&site, "20240602_2000");
    symlink("/etc/passwd", site.path("out/20240602_2000/sitio/liga.html")).unwrap();
    daemon.push(&site, "-a out/20240602_2000 TO/");
    let line = site.log_line(&["refused", "P004"]);
    assert!(line.contains("liga.html"), "{line}");
    let link = fs::read_link(site.incoming().join("20240602_2000/sitio/liga.html")).unwrap();
    assert!(link.starts_with("/rsyncd-munged"), "{}", link.display());
    for args in ["-a TO/20240602_2000 fetched", "--list-only TO/"] {
        assert!(refusal(&daemon, &site, args).contains("write only"), "{args}");
    }
    assert!(!site.path("fetched").exists());
    assert_eq!(daemon.run(&site, "ROOT").stdout, b"", "the module is not listed");
    for option in ["-M--fake-super", "--backup", "-X"] {
        refusal(&daemon, &site, &format!("-a {option} out/20240602_2000 TO/"));
    }
    daemon.push(&site, "-a --delete --exclude=liga.html --delete-excluded out/20240602_2000 TO/");
    is_served(&site, "20240602_2000");
}

/// A bare tree proves nothing by itself: it counts as whole when rsyncd says that the transfer is over, by
/// `difusor notify`, and not before.
#[test]
fn the_end_of_a_transfer_is_told_to_the_service() {
    let Some(_) = tool("rsync") else { return };
    let site = mirrored().start();
    let daemon = Daemon::before(&site);
    let tree = |id: &str, hour: &str| {
        let at = site.path(&format!("out/{id}"));
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("index.html"), format!("<p>{id}")).unwrap();
        fs::write(at.join("acta.mp4"), noise(id, LONG)).unwrap();
        fs::write(at.join("total.json"), format!("{{\"corte\": \"2024-06-02 {hour}\"}}")).unwrap();
    };
    tree("uno", "20:00");
    daemon.push(&site, "-a --delete out/uno/ TO/");
    site.live("20240602_2000");
    // Cut in the middle, it is not told: rsyncd's own exit status says so.
    tree("dos", "20:10");
    let client = daemon.client(&site, "-ac --delete --bwlimit=100 --inplace out/dos/ TO/").spawn().unwrap();
    let whole = noise("dos", LONG);
    let begun = || fs::read(site.incoming().join("acta.mp4")).ok().filter(|bytes| bytes[..60_000] == whole[..60_000]);
    until(begun).expect("it is arriving");
    is_killed(client);
    daemon.rests();
    assert_eq!(site.get("/").field("corte"), Some("20240602_2000"));
    daemon.push(&site, "-ac --delete out/dos/ TO/");
    site.live("20240602_2010");
    assert_eq!(site.get("/acta.mp4").body, whole);
    assert_eq!(site.get("/").body, b"<p>dos");
}

fn mirrored() -> Setup {
    setup().with("", "trust = \"transport\"").with(
        "transport",
        "mirror = true\ncomplete = \"notify\"\nstamp = \"json\"\nfile = \"total.json\"\npointers = [\"/corte\"]\n\
         format = \"%Y-%m-%d %H:%M\"\nzone = \"America/Monterrey\"",
    )
}

/// As under the unit: rsyncd is another user, who has the group in common with the service.
#[test]
fn another_user_of_the_group_may_write_and_notify_and_no_more() {
    let Some(_) = tool("rsync") else { return };
    let Some(_) = tool("setpriv") else { return };
    if !rustix::process::geteuid().is_root() {
        return passed_over("only root can be somebody else");
    }
    let site = mirrored().start();
    let open = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(site.dir.path(), 0o750);
    open(&site.path("state"), 0o750);
    open(&site.incoming(), 0o2770);
    std::os::unix::fs::chown(site.incoming(), Some(65534), None).unwrap();
    let daemon = Daemon::with(&site, &["--dparam=uid=65534", "--dparam=gid=0"]);
    fs::create_dir_all(site.path("out/uno")).unwrap();
    fs::write(site.path("out/uno/index.html"), "<p>uno").unwrap();
    fs::write(site.path("out/uno/total.json"), "{\"corte\": \"2024-06-02 20:00\"}").unwrap();
    daemon.push(&site, "-a out/uno/ TO/");
    site.live("20240602_2000");
    let ask = |verb: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=0", "--clear-groups", env!("CARGO_BIN_EXE_difusor")]).args(verb);
        command.arg("--config").arg(site.path("difusor.toml")).output().unwrap()
    };
    let told = ask(&["notify"]);
    assert!(told.status.success(), "{told:?}");
    let told = ask(&["hold", "--reason", "porque sí"]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stderr).contains("as root or as the user of the service"), "{told:?}");
}

#[test]
fn no_more_transfers_at_once_than_are_allowed() {
    let Some(_) = tool("rsync") else { return };
    let site = setup().with("rsync", "connections = 1").start();
    let daemon = Daemon::before(&site);
    outbox(&site, "20240603_2000");
    let mut client = daemon.client(&site, "-a --bwlimit=800 out/20240603_2000 TO/").spawn().unwrap();
    is_arriving(&site, "20240603_2000/sitio/datos", "acta.mp4");
    let signal = |signal| kill_process(Pid::from_child(&client), signal).unwrap();
    signal(Signal::STOP);
    assert!(refusal(&daemon, &site, "-a out/20240603_2000.tar TO/").contains("max connections"));
    signal(Signal::CONT);
    let mut told = String::new();
    client.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(client.wait().unwrap().success(), "{told}");
    is_served(&site, "20240603_2000");
    assert_eq!(get(site.http(), "/").status, 200);
}
