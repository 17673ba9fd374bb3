//! A headless Chromium, shared by the tests that run at a time, each of which has pages with profiles of their own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fixtures::{browser_packages, tool};

/// Longer than any scene waits for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// What Debian and others call it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome-stable"];

/// Those that wait for an answer, by the number of what they asked for.
type Waiting = Arc<Mutex<HashMap<u64, mpsc::Sender<Value>>>>;

/// The browser, and the driver that speaks for it. Both end when the last page is gone.
struct Browser {
    child: Child,
    input: Mutex<Option<ChildStdin>>,
    waiting: Waiting,
    count: AtomicU64,
}

/// One page of one profile.
pub(crate) struct Page {
    browser: Arc<Browser>,
    name: String,
    options: Value,
}

/// Where the browser is; `None`, and a word about it, where there is none. Under `CI=true` there has to be one.
pub(crate) fn executable() -> Option<PathBuf> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&search).collect();
    let found =
        NAMES.iter().find_map(|name| places.iter().map(|place| place.join(name)).find(|path| path.is_file()));
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "chromium is missing: run scripts/test, which installs it");
        eprintln!("passed over: no chromium on this machine");
    }
    found
}

impl Browser {
    fn shared(executable: &Path) -> Arc<Self> {
        static SHARED: Mutex<Weak<Browser>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        if let Some(browser) = shared.upgrade() {
            return browser;
        }
        let browser = Arc::new(Self::start(executable));
        *shared = Arc::downgrade(&browser);
        browser
    }

    fn start(executable: &Path) -> Self {
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboard/driver.mjs");
        let mut command = Command::new(tool("node22"));
        command.arg(driver).arg(executable).arg(browser_packages());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = Mutex::new(child.stdin.take());
        let output = child.stdout.take().unwrap();
        let waiting = Waiting::default();
        let those = Arc::clone(&waiting);
        thread::spawn(move || hand_out(output, &those));
        Self { child, input, waiting, count: AtomicU64::new(0) }
    }

    fn ask(&self, mut question: Value) -> Value {
        let id = self.count.fetch_add(1, Ordering::Relaxed);
        question["id"] = json!(id);
        let (sender, answer) = mpsc::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        let line = format!("{question}\n");
        self.input.lock().unwrap().as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        answer.recv_timeout(PATIENCE).expect("the browser's driver answers")
    }
}

/// Gives each answer to who waits for it; when there are no more, nobody waits on.
fn hand_out(output: ChildStdout, waiting: &Waiting) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let answer: Value = serde_json::from_str(&line).unwrap();
        let sender = waiting.lock().unwrap().remove(&answer["id"].as_u64().unwrap());
        if let Some(sender) = sender {
            // Who has given up does not hear it.
            let _gone = sender.send(answer);
        }
    }
    waiting.lock().unwrap().clear();
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.input.lock().unwrap().take();
        self.child.wait().unwrap();
    }
}

impl Page {
    /// A page that is seen as `options` say: what Playwright's `browser.newContext` takes.
    pub(crate) fn open(executable: &Path, options: Value) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        Self { browser: Browser::shared(executable), name, options }
    }

    /// Plays a scene of scenes.mjs, and gives what it returns.
    #[track_caller]
    pub(crate) fn play(&self, scene: &str, mut given: Value) -> Value {
        given["options"] = self.options.clone();
        let question = json!({ "page": self.name, "scene": scene, "given": given });
        let answer = self.browser.ask(question);
        assert!(answer["error"].is_null(), "{scene}: {}", answer["error"].as_str().unwrap_or_default());
        answer["value"].clone()
    }

    /// Closes it. Nothing may have gone wrong in it, but for what fits one of the patterns in `expected`.
    #[track_caller]
    pub(crate) fn closes(self, expected: &[&str]) {
        let faults = self.play("close", json!({ "expected": expected }));
        assert_eq!(faults, json!([]));
    }
}
