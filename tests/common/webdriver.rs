//! A real browser, driven from outside (W3C WebDriver): Chromium by its chromedriver.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64ct::{Base64, Encoding};
use difusor::base::clock::Monotonic;
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

use super::server::{DEADLINE, LOOK_EVERY, until};
use super::tool;

/// Names that end so are this machine: pages of other origins, for embedding. No other name is ever looked up.
const NAMES: &str = "MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1";
/// Larger answers than screenshots there are none.
const ANSWER_MAX_BYTES: u64 = 64 << 20;

/// A browser with a profile of its own. It ends with its value.
pub struct Browser {
    driver: Child,
    agent: Agent,
    /// `http://127.0.0.1:PORT/session/ID`
    session: String,
    _profile: TempDir,
}

/// It takes a free port of IPv4, and ends where another has the same of IPv6.
const DRIVER_TRIES: usize = 5;

/// The driver and its port, once it listens; `None` where it has ended instead.
fn listening(chromedriver: &Path, home: &Path) -> Option<(Child, u16)> {
    let mut command = Command::new(chromedriver);
    command.arg("--port=0").env("HOME", home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut driver = command.spawn().unwrap();
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
    let Some(port) = port else {
        let _ = driver.wait();
        return None;
    };
    // Whatever else it says must not fill its pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, port))
}

impl Browser {
    /// `None` where there is no browser or driver, which is told.
    pub fn start() -> Option<Browser> {
        Browser::with(&[])
    }

    /// The same without a feature, by Chromium's name for it.
    pub fn without(feature: &str) -> Option<Browser> {
        Browser::with(&[&format!("--disable-features={feature}")])
    }

    fn with(more: &[&str]) -> Option<Browser> {
        let (chromium, chromedriver) = (tool("chromium")?, tool("chromedriver")?);
        let profile = tempfile::tempdir().unwrap();
        let (driver, port) =
            (0..DRIVER_TRIES).find_map(|_| listening(&chromedriver, profile.path())).expect("chromedriver listens");
        let config = Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(DEADLINE));
        let mut browser = Browser {
            driver,
            agent: config.build().new_agent(),
            session: format!("http://127.0.0.1:{port}/session"),
            _profile: profile,
        };
        let user_data = format!("--user-data-dir={}", browser._profile.path().join("profile").display());
        let names = format!("--host-resolver-rules={NAMES}");
        let args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
        let quiet =
            ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"];
        let args: Vec<&str> =
            args.into_iter().chain(quiet).chain([&*user_data, &*names]).chain(more.iter().copied()).collect();
        let wanted = json!({
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:chromeOptions": { "binary": chromium, "args": args },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let made = browser.post("", json!({ "capabilities": { "alwaysMatch": wanted } }));
        browser.session = format!("{}/{}", browser.session, made["sessionId"].as_str().expect("a session"));
        Some(browser)
    }

    /// Opens a page and waits until it is loaded.
    pub fn go(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    /// Runs the body of a function in the page; what it returns, or what its promise comes to.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// The same, expecting a text.
    pub fn text(&self, script: &str) -> String {
        let value = self.run(script);
        value.as_str().unwrap_or_else(|| panic!("{script}: {value}")).to_owned()
    }

    /// Runs an expression until it is true; while a page is exchanged for another it counts as false.
    pub fn until(&self, expression: &str) {
        let started = Monotonic::now();
        let script = json!({ "script": format!("return !!({expression})"), "args": [] });
        while self.tried("/execute/sync", &script) != Ok(Value::Bool(true)) {
            if started.elapsed() > DEADLINE {
                let page =
                    self.tried("/execute/sync", &json!({ "script": "return document.body.innerText", "args": [] }));
                panic!("never true: {expression}\n{page:?}\n{}", self.log().join("\n"));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The first element that a CSS selector finds, for `click` and `keys`.
    pub fn find(&self, selector: &str) -> String {
        let found = self.post("/element", json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|o| o.values().next()).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("{selector}: {found}")).to_owned()
    }

    /// As a pointer does: fails where something lies above it.
    pub fn click(&self, selector: &str) {
        self.post(&format!("/element/{}/click", self.find(selector)), json!({}));
    }

    /// Types; for `<input type=file>` the path of a file.
    pub fn keys(&self, selector: &str, text: &str) {
        self.post(&format!("/element/{}/value", self.find(selector)), json!({ "text": text }));
    }

    /// What follows is about the document in this frame; `None` is the page itself again.
    pub fn frame(&self, selector: Option<&str>) {
        let id = selector.map(|s| json!({ "element-6066-11e4-a52e-4f735466cecf": self.find(s) }));
        self.post("/frame", json!({ "id": id }));
    }

    /// The size of the page, in CSS pixels.
    pub fn size(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// `light` or `dark`.
    pub fn prefers(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features);
    }

    /// For pages that are opened from now on.
    pub fn scripts(&self, are_on: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !are_on }));
    }

    /// A command of the DevTools protocol.
    pub fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": params }))
    }

    /// The page as it looks, a PNG.
    pub fn screenshot(&self, to: &Path) {
        let png = self.tried_with("GET", "/screenshot", None).unwrap();
        std::fs::write(to, Base64::decode_vec(png.as_str().unwrap()).unwrap()).unwrap();
    }

    /// What the console has said since this was last asked: errors of scripts, of the network, of policies.
    pub fn log(&self) -> Vec<String> {
        let log = self.tried("/se/log", &json!({ "type": "browser" })).unwrap_or_default();
        let lines = log.as_array().into_iter().flatten();
        lines.filter_map(|line| Some(line["message"].as_str()?.to_owned())).collect()
    }

    /// What the network has brought for the last request of this path since this was last asked. DevTools tells it in
    /// pieces, a moment after the page has it.
    pub fn received(&self, path: &str) -> Received {
        let mut pieces = Vec::new();
        until(|| {
            let log = self.tried("/se/log", &json!({ "type": "performance" })).unwrap_or_default();
            let lines = log.as_array().into_iter().flatten().filter_map(|line| line["message"].as_str());
            pieces.extend(lines.filter_map(|line| Some(serde_json::from_str::<Value>(line).ok()?["message"].take())));
            Received::of(&pieces, path)
        })
        .unwrap_or_else(|| panic!("the network has brought nothing for {path}"))
    }

    /// What axe-core finds wrong with the page, one line each; `None` where axe-core is not there, which is told.
    pub fn accessibility_faults(&self) -> Option<Vec<String>> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/axe.min.js");
        let file = std::env::var_os("DIFUSOR_AXE").map_or_else(beside, Into::into);
        let Ok(axe) = std::fs::read_to_string(&file) else {
            // It comes by npm alone, which not every machine has.
            eprintln!("passed over: {}: axe-core is not there", file.display());
            return None;
        };
        self.run(&axe);
        let found = self.run(
            "return axe.run().then(r => r.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.map(n => n.html).join(' ')))",
        );
        Some(found.as_array().unwrap().iter().map(|fault| fault.as_str().unwrap().to_owned()).collect())
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.tried(path, &body).unwrap_or_else(|fault| panic!("{path}: {fault}"))
    }

    fn tried(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.tried_with("POST", path, Some(body))
    }

    /// The `value` of an answer, or the error that it is.
    fn tried_with(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = match (method, body) {
            ("GET", _) => self.agent.get(&url).call(),
            ("DELETE", _) => self.agent.delete(&url).call(),
            (_, body) => {
                let body = body.map_or_else(|| "{}".to_owned(), Value::to_string);
                self.agent.post(&url).header("content-type", "application/json").send(body)
            }
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let text = answer.body_mut().with_config().limit(ANSWER_MAX_BYTES).read_to_string();
        let mut said: Value = serde_json::from_str(&text.map_err(|error| error.to_string())?).unwrap_or_default();
        match answer.status().is_success() {
            true => Ok(said["value"].take()),
            false => Err(format!("{}: {}", said["value"]["error"], said["value"]["message"])),
        }
    }
}

/// One response, as it came over the network.
#[derive(Debug)]
pub struct Received {
    pub status: u64,
    /// `Content-Encoding`
    pub coding: String,
    /// On the wire, head and body.
    pub bytes: u64,
    /// The request had an `Available-Dictionary`.
    pub names_dictionary: bool,
}

impl Received {
    /// From events of DevTools' domain Network; `None` while some are missing.
    fn of(events: &[Value], path: &str) -> Option<Received> {
        let of = |method: &str| {
            let method = format!("Network.{method}");
            events.iter().rev().filter(move |event| event["method"] == *method)
        };
        let is_of_path =
            |event: &&Value| event["params"]["request"]["url"].as_str().is_some_and(|url| url.ends_with(path));
        let asked = &of("requestWillBeSent").find(is_of_path)?["params"]["requestId"];
        let find = |method: &str| Some(&of(method).find(|event| event["params"]["requestId"] == *asked)?["params"]);
        let field = |fields: &Value, name: &str| {
            let mut all = fields.as_object().into_iter().flatten();
            all.find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| Some(value.as_str()?.to_owned()))
        };
        let (sent, came) = (find("requestWillBeSentExtraInfo")?, find("responseReceivedExtraInfo")?);
        Some(Received {
            status: came["statusCode"].as_u64()?,
            coding: field(&came["headers"], "content-encoding").unwrap_or_default(),
            bytes: find("loadingFinished")?["encodedDataLength"].as_f64()? as u64,
            names_dictionary: field(&sent["headers"], "available-dictionary").is_some(),
        })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser with the session; the folder is removed after that.
        let _ = self.tried_with("DELETE", "", None);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
