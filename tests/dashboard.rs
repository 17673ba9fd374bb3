//! The dashboard in a real browser, before real runtimes. What is done and seen there is in dashboard/scenes.mjs. Where there is no
//! Chromium the tests say so and pass; under `CI=true` they fail instead.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

#[path = "dashboard/browser.rs"]
#[expect(clippy::disallowed_methods, reason = "tests have an environment, and wait for their own children")]
#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
mod browser;
mod support;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::json;

use browser::{Page, executable};
use support::fixtures::{fixture, tool};
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::updates;

const TOKEN: &str = "0123456789abcdef";

/// Workers in Node behind a web server at `address`.
fn node(address: &str, port: u16, workers: usize) -> Launch {
    let words = ["--web".into(), address.into(), tool("node20"), fixture("node/server.js")];
    Launch::new(words).port(port).workers(workers)
}

/// Where a browser finds it: the line that says so names the port.
#[track_caller]
fn url(runtime: &Runtime) -> String {
    let line = runtime.stderr_line(&["web server at http://"]);
    let address = line.split("http://").nth(1).unwrap().split([',', ' ']).next().unwrap();
    format!("http://127.0.0.1:{}/", address.rsplit(':').next().unwrap().trim())
}

#[track_caller]
fn serving(launch: Launch, workers: usize) -> (Runtime, String) {
    let runtime = launch.spawn();
    runtime.until_ready(workers);
    let url = url(&runtime);
    (runtime, url)
}

#[test]
fn what_needs_no_browser_is_right() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dashboard/units.mjs");
    let output = Command::new(tool("node22")).arg("--test").arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn apps_are_seen_and_operated() {
    let Some(chromium) = executable() else { return };
    let port = free_port();
    let launch = node("0", port, 2).env("PMR_WEB_TOKEN", TOKEN).env("PMR_RESTART_DELAY", "2s");
    let (mut runtime, url) = serving(launch, 2);
    let page = Page::open(&chromium, json!({}));
    let given = json!({ "url": url, "port": port, "token": TOKEN });
    let pids = page.play("rows", given.clone());
    let pids: BTreeSet<i32> = serde_json::from_value(pids).unwrap();
    assert_eq!(pids, runtime.workers());
    for scene in
        ["charts", "theme", "killed", "crashed", "history", "logs", "reload", "scale", "profile", "detail"]
    {
        page.play(scene, given.clone());
    }
    page.closes(&[]);
    runtime.stops();
}

#[test]
fn the_keyboard_alone_is_enough() {
    let Some(chromium) = executable() else { return };
    let (mut runtime, url) = serving(node("0", free_port(), 2).env("PMR_WEB_TOKEN", TOKEN), 2);
    let page = Page::open(&chromium, json!({ "reducedMotion": "reduce" }));
    page.play("keyboard", json!({ "url": url, "token": TOKEN }));
    page.closes(&[]);
    runtime.stops();
}

#[test]
fn nobody_is_kept_out_in_light_in_dark_and_on_a_phone() {
    let Some(chromium) = executable() else { return };
    let (mut runtime, url) = serving(node("0", free_port(), 1).env("PMR_WEB_TOKEN", TOKEN), 1);
    let phone = json!({ "width": 360, "height": 740 });
    for options in
        [json!({ "colorScheme": "light" }), json!({ "colorScheme": "dark" }), json!({ "viewport": phone })]
    {
        let page = Page::open(&chromium, options);
        page.play("access", json!({ "url": url }));
        page.closes(&[]);
    }
    runtime.stops();
}

#[test]
fn who_may_change_nothing_is_offered_nothing_or_told_why() {
    let Some(chromium) = executable() else { return };
    for (variable, scene) in [("PMR_WEB_READ_ONLY", "readOnly"), ("PMR_NOTHING", "tokenless")] {
        let (mut runtime, url) = serving(node("0", free_port(), 1).env(variable, "true"), 1);
        let page = Page::open(&chromium, json!({}));
        page.play(scene, json!({ "url": url }));
        page.closes(&[]);
        runtime.stops();
    }
}

#[test]
fn before_the_token_nothing_is_seen() {
    let Some(chromium) = executable() else { return };
    let launch = node("0.0.0.0:0", free_port(), 2).env("PMR_WEB_TOKEN", TOKEN);
    let (mut runtime, url) = serving(launch, 2);
    let page = Page::open(&chromium, json!({}));
    page.play("gate", json!({ "url": url, "token": TOKEN }));
    page.closes(&[]);
    runtime.stops();
}

#[test]
fn it_goes_on_after_an_update_and_when_the_runtime_comes_back() {
    let Some(chromium) = executable() else { return };
    let web = format!("127.0.0.1:{}", free_port());
    let (mut runtime, url) = serving(node(&web, free_port(), 2), 2);
    let page = Page::open(&chromium, json!({}));
    page.play("rows", json!({ "url": url }));
    updates::update(&runtime);
    let pid = |runtime: &Runtime| updates::asked(runtime, "/v1/apps")[0]["instances"][0]["pid"].clone();
    page.play("isBack", json!({ "pid": pid(&runtime) }));
    runtime.stops();
    page.play("goneAway", json!({}));
    let (mut runtime, _) = serving(node(&web, free_port(), 2), 2);
    page.play("isBack", json!({ "pid": pid(&runtime) }));
    // The browser tells of each request that nobody answers, or that a runtime gets which is ending.
    page.closes(&["status of 503", "ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY_RESPONSE", "ERR_SOCKET"]);
    runtime.stops();
}
