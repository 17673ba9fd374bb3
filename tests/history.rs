//! Figures over time: kept where somebody wants them, and over reloads and updates.

mod support;

use serde_json::{Value, json};

use support::cluster::http_pids;
use support::fixtures::{fixture, tool};
use support::http;
use support::launch::Launch;
use support::ports::free_port;
use support::runtime::Runtime;
use support::updates::{order, update};
use support::{processes, signals};

fn node(option: &str, port: u16) -> Launch {
    Launch::new([option.into(), tool("node20"), fixture("node/server.js")]).port(port).workers(2)
}

/// The history, once it is as it should be.
#[track_caller]
fn history(runtime: &Runtime, query: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let control = runtime.control();
    runtime.until(what, || {
        let reply = control.get(&format!("/v1/history{query}"));
        (reply.status == 200 && wanted(&reply.json)).then_some(reply.json)
    })
}

fn column<'a>(history: &'a Value, instance: usize, name: &str) -> &'a [Value] {
    history["series"][instance][name].as_array().map_or(&[], Vec::as_slice)
}

fn has_numbers(history: &Value, instance: usize, name: &str) -> bool {
    column(history, instance, name).iter().filter(|value| value.is_number()).count() > 1
}

fn length(history: &Value) -> u64 {
    column(history, 0, "cpu_percent").len() as u64
}

#[test]
fn what_workers_use_and_report_is_kept_second_by_second() {
    let port = free_port();
    let mut runtime = node("--history", port).spawn();
    http_pids(&runtime, 2, port);
    let shown = history(&runtime, "?target=server", "figures", |history| {
        let _answered = http::get(port, "/");
        let names =
            ["cpu_percent", "memory_bytes", "loop_delay_ms", "loop_utilization", "requests_per_second"];
        let all = |name| has_numbers(history, 0, name) && has_numbers(history, 1, name);
        let served = |instance| {
            let rates = column(history, instance, "requests_per_second");
            rates.iter().any(|value| value.as_f64() > Some(0.0))
        };
        names.into_iter().all(all) && (served(0) || served(1))
    });
    for series in shown["series"].as_array().expect("series") {
        let columns = series.as_object().expect("an object").values().filter_map(Value::as_array);
        let lengths: Vec<usize> = columns.map(Vec::len).collect();
        assert!(lengths.len() == 9 && lengths.iter().all(|it| *it == lengths[0]), "{lengths:?}");
    }
    let (from, step) =
        (shown["from_ms"].as_u64().expect("a time"), shown["step_ms"].as_u64().expect("a step"));
    let last = from + (length(&shown) - 1) * step;
    let later = history(&runtime, &format!("?since={last}"), "later ones", |history| length(history) > 0);
    assert_eq!(later["from_ms"].as_u64(), Some(last + step));
    let one = runtime.control().get("/v1/history?target=1&step=60").json;
    assert_eq!((one["step_ms"].as_u64(), one["series"].as_array().map(Vec::len)), (Some(60_000), Some(1)));
    assert_eq!(runtime.control().get("/v1/history?step=5").status, 400);
    runtime.stops();
}

#[test]
fn an_instance_goes_on_over_a_reload_and_an_update_until_it_is_scaled_away() {
    let port = free_port();
    let mut runtime = node("--history", port).spawn();
    let workers = http_pids(&runtime, 2, port);
    let before = history(&runtime, "", "figures", |history| has_numbers(history, 1, "memory_bytes"));
    let from = before["from_ms"].as_u64().expect("a time");
    update(&runtime);
    let after =
        history(&runtime, "", "figures after the update", |history| length(history) > length(&before) + 1);
    assert_eq!(after["from_ms"].as_u64(), Some(from), "{after}");
    let known = length(&before) as usize;
    for name in ["cpu_percent", "memory_bytes"] {
        assert_eq!(column(&after, 1, name)[..known], column(&before, 1, name)[..known], "{after}");
    }
    runtime.control().post("/v1/apps/server/reload").went_well();
    runtime.until("new workers", || (http_pids(&runtime, 2, port).is_disjoint(&workers)).then_some(()));
    let replaced =
        history(&runtime, "", "figures after the reload", |history| length(history) > length(&after));
    assert_eq!(replaced["from_ms"].as_u64(), Some(from));
    runtime.control().order("/v1/apps/server/scale", &serde_json::json!({ "to": "1" })).went_well();
    history(&runtime, "", "one series", |history| history["series"].as_array().map(Vec::len) == Some(1));
    runtime.stops();
}

#[test]
fn a_program_of_any_language_has_its_cpu_and_memory_and_no_more() {
    let port = free_port();
    let words = ["--history".into(), "python3".into(), fixture("python/app.py")];
    let mut runtime = Launch::new(words).port(port).workers(1).spawn();
    runtime.until_ready(1);
    let shown = history(&runtime, "", "figures", |history| {
        has_numbers(history, 0, "cpu_percent") && has_numbers(history, 0, "memory_bytes")
    });
    assert!(column(&shown, 0, "loop_delay_ms").iter().all(Value::is_null), "{shown}");
    runtime.stops();
}

#[test]
fn where_nobody_wants_it_nothing_is_kept() {
    let mut runtime = node("--no-auto-exit", free_port()).spawn();
    runtime.until_ready(2);
    let reply = runtime.control().get("/v1/history");
    assert!(reply.error(404).starts_with("no_history: "));
    runtime.stops();
    let mut runtime = node("--web=0", free_port()).env("PMR_HISTORY", "false").spawn();
    runtime.until_ready(2);
    update(&runtime);
    assert!(runtime.control().get("/v1/history").error(404).starts_with("no_history: "));
    runtime.stops();
}

#[test]
fn an_app_that_is_added_with_a_recipient_of_crashes_has_figures_kept_from_then_on() {
    let mut runtime = node("--no-auto-exit", free_port()).spawn();
    runtime.until_ready(2);
    assert!(runtime.control().get("/v1/history").error(404).starts_with("no_history: "));
    let directory = runtime.home().to_str().expect("a path").to_owned();
    let words = ["--on-crash", "cat", "-n", "late", "sleep", "--", "1000"];
    let body = json!({ "words": words, "directory": directory, "environment": [["PATH", "/usr/local/bin:/usr/bin:/bin"]] });
    order(&runtime, "/v1/apps", &body.to_string());
    history(&runtime, "?target=late", "figures", |history| has_numbers(history, 0, "memory_bytes"));
    runtime.stops();
}

/// The sum of a sample of `/metrics` over all instances.
fn sum(port: u16, name: &str) -> Option<f64> {
    let page = http::get(port, "/metrics").ok()?;
    let values =
        page.lines().filter(|line| line.starts_with(name)).map(|line| line.rsplit(' ').next()?.parse().ok());
    values.collect::<Option<Vec<f64>>>().map(|values| values.iter().sum())
}

#[test]
fn requests_are_counted_over_workers_and_updates() {
    let port = free_port();
    let mut runtime = node("--web=0", port).spawn();
    let line = runtime.stderr_line(&["web server at http://"]);
    let web: u16 = line.rsplit(':').next().and_then(|text| text.trim().parse().ok()).expect("a port");
    let workers = http_pids(&runtime, 2, port);
    let measured = || {
        let page = http::get(web, "/metrics").ok()?;
        (page.matches("\nnodejs_eventloop_utilization{").count() == 2).then_some(())
    };
    runtime.until("what both report", measured);
    let requests = |more: u32, base: f64| {
        (0..more).for_each(|_| drop(http::get(port, "/").expect("an answer")));
        runtime.until("all requests", || {
            sum(web, "pmr_http_requests_total").filter(|it| (*it - base - f64::from(more)).abs() < 0.5)
        })
    };
    let base = sum(web, "pmr_http_requests_total").expect("a sum");
    let base = requests(30, base);
    assert_eq!(sum(web, "pmr_http_request_duration_seconds_count"), Some(base));
    update(&runtime);
    let base = requests(10, base);
    processes::signal(*workers.iter().next().expect("a worker"), signals::KILL);
    runtime.until("another worker", || (http_pids(&runtime, 2, port) != workers).then_some(()));
    runtime.until("what both report", measured);
    assert!(sum(web, "pmr_http_requests_total") >= Some(base));
    runtime.stops();
}
