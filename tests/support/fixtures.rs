//! The servers and misbehaving programs that run under the runtime, and the interpreters they need.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

/// A file of tests/fixtures.
#[track_caller]
pub(crate) fn fixture(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    assert!(path.exists(), "there is no fixture {}", path.display());
    path
}

/// Where the interpreters lie: `PMR_TEST_TOOLS`, else `.work/tools` of the checkout.
fn tools() -> PathBuf {
    match std::env::var_os("PMR_TEST_TOOLS") {
        Some(directory) => directory.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join(".work/tools"),
    }
}

/// A program of the tests: `node18`, `node20`, `node22`, `node24`, `bun`, `deno`, `yarn`, `pnpm`, `python`, `uvicorn`,
/// `gunicorn`, `pm2-runtime`, `prometheus`, `promtool`, `victoria-metrics`; or `frameworks` or `charts`, directories of
/// packages and builds.
#[track_caller]
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = match name {
        "bun" => "bun/bun".to_owned(),
        "deno" => "deno/deno".to_owned(),
        "yarn" => "yarn/bin/yarn".to_owned(),
        "pnpm" => "pnpm/bin/pnpm.cjs".to_owned(),
        "python" | "uvicorn" | "gunicorn" => format!("venv/bin/{name}"),
        "prometheus" | "promtool" | "victoria-metrics" => format!("prometheus/{name}"),
        "frameworks" | "charts" => name.to_owned(),
        "pm2-runtime" => format!("pm2/node_modules/.bin/{name}"),
        node => format!("{node}/bin/node"),
    };
    let path = tools().join(path);
    assert!(path.exists(), "{} is missing: run scripts/test, which installs it", path.display());
    path
}

/// `NODE_PATH` for apps that need the packages of tests/fixtures/packages.
#[track_caller]
pub(crate) fn packages() -> PathBuf {
    let path = tools().join("messages/node_modules");
    assert!(path.exists(), "{} is missing: run scripts/test, which installs it", path.display());
    path
}

/// The packages of tests/fixtures/browser.
#[track_caller]
pub(crate) fn browser_packages() -> PathBuf {
    let path = tools().join("browser/node_modules");
    assert!(path.exists(), "{} is missing: run scripts/test, which installs it", path.display());
    path
}

/// `PATH` for a runtime: `node` is Node 20, `python3` that of the tests.
pub(crate) fn search_path() -> OsString {
    let tools = tools();
    let system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let ours = [tools.join("node20/bin"), tools.join("venv/bin")];
    std::env::join_paths(ours.into_iter().chain(system.iter().map(PathBuf::from))).unwrap()
}

/// A program of tests/fixtures/c, linked statically; compiled once in each run.
#[track_caller]
pub(crate) fn compiled(name: &str) -> PathBuf {
    static DONE: OnceLock<Mutex<BTreeMap<String, Arc<OnceLock<PathBuf>>>>> = OnceLock::new();
    let slot = {
        let mut done = DONE.get_or_init(Mutex::default).lock().unwrap();
        Arc::clone(done.entry(name.to_owned()).or_default())
    };
    slot.get_or_init(|| compile(name)).clone()
}

fn compile(name: &str) -> PathBuf {
    let source = fixture(&format!("c/{name}.c"));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = directory.join(format!("fixture-{name}"));
    let fresh = directory.join(format!("fixture-{name}-{}", std::process::id()));
    let mut command = Command::new("cc");
    command.args(["-static", "-O1", "-Wall", "-Werror", "-pthread", "-o"]).arg(&fresh).arg(&source);
    let output = command.output().expect("a C compiler is missing: run scripts/test, which installs it");
    assert!(output.status.success(), "cc {name}: {}", String::from_utf8_lossy(&output.stderr));
    // Another test program may be running the old one: replace it, do not write into it.
    std::fs::rename(&fresh, &target).unwrap();
    target
}

/// A self-signed certificate and its key for localhost, in `directory`: `(certificate, key)`.
pub(crate) fn certificate(directory: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    let output = command.output().expect("openssl is missing: run scripts/test, which installs it");
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    (certificate, key)
}
