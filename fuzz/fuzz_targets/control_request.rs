//! A request to the control socket, once HTTP is taken off it: its line, what it is about, and its body.
//!
//! An input is as on the wire, without headers: `POST /v1/apps/web/scale?a=b`, a line end, the body.

#![no_main]

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStringExt;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::api::routes::{self, ALL, Route};
use pmr_runtime::api::types::{AppView, Problem};
use pmr_runtime::control::query::{Query, decode};
use pmr_runtime::control::router::{self, Found, Missed};
use pmr_runtime::control::{order, secrets, target};
use pmr_runtime::driver::handle::{Anew, Change, Parallel, ScaleTo};
use pmr_runtime::spec::ReloadStrategy;
use pmr_runtime_fuzz::views;

/// No request may keep the event loop busy for longer, whatever it asks for.
const LONGEST: Duration = Duration::from_millis(500);
const MOST_INSTANCES: u32 = 1024;

static APPS: LazyLock<Vec<AppView>> = LazyLock::new(|| {
    vec![
        views::app(0, "web", "default", &[0, 1]),
        views::app(1, "api-one", "api", &[2]),
        views::app(2, "api-two", "api", &[3, 4, 5]),
        views::app(3, &"aA1-".repeat(6), "7", &[]),
    ]
});

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (line, body) = (String::from_utf8_lossy(&data[..end]), data.get(end + 1..).unwrap_or_default());
    let (method, uri) = line.split_once(' ').unwrap_or(("GET", &line));
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let begun = busy();
    leads_to_a_route_or_says_why(method, path, body);
    is_read_or_all_that_is_wrong_is_told(query);
    let took = busy().saturating_sub(begun);
    assert!(took < LONGEST, "{took:?}");
    words_mean_what_they_say(&String::from_utf8_lossy(body));
    hides_secrets(body);
});

/// How long this process has been at work, however busy the machine is.
fn busy() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is one that Linux has, and `time` is ours to be written.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).expect("less than a second"))
}

fn leads_to_a_route_or_says_why(method: &str, path: &str, body: &[u8]) {
    match router::find(method, path) {
        Ok(Found { route, target }) => {
            assert!(ALL.contains(&route) && route.method.as_str() == method);
            let again = route.path.replace("{target}", &encoded(&target));
            assert_eq!(router::find(method, &again), Ok(Found { route, target: target.clone() }));
            names_apps(&target);
            asks_for_what_can_be_done(route, body);
        }
        Err(Missed::Method { allowed }) => {
            assert!(!allowed.is_empty() && !allowed.contains(&method));
            let leads = |method: &&str| !matches!(router::find(method, path), Err(Missed::Method { .. }));
            assert!(allowed.iter().all(leads));
        }
        Err(Missed::Path(problem)) => {
            is_told_well(&problem);
            names_apps(path);
            let is_it = |route: &Route| route.method.as_str() == method && route.path == path;
            assert!(!ALL.iter().any(|route| !route.path.contains('{') && is_it(route)));
        }
    }
}

fn encoded(text: &str) -> String {
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(decode(&encoded).as_deref(), Some(text));
    encoded
}

fn is_told_well(problem: &Problem) {
    assert!(!problem.code.is_empty() && !problem.message.is_empty());
}

fn names_apps(text: &str) {
    let apps = &*APPS;
    let targets = match target::resolve(text, apps) {
        Ok(targets) => targets,
        Err(problem) => {
            assert!(["bad_request", "unknown_target"].contains(&problem.code.as_str()));
            assert!(!apps.iter().any(|app| app.name == text || app.namespace == text) && text != "all");
            return is_told_well(&problem);
        }
    };
    assert!(!targets.is_empty() && targets.is_sorted() && targets.windows(2).all(|two| two[0] != two[1]));
    let named: Vec<&AppView> =
        apps.iter().filter(|app| targets.iter().any(|target| target.app.0 == app.app_id)).collect();
    assert_eq!(named.len(), targets.len());
    assert_eq!(target::names(&targets, apps), named.iter().map(|app| app.name.clone()).collect::<Vec<_>>());
    let selected = target::select(&targets, apps.clone());
    for ((target, app), selected) in targets.iter().zip(&named).zip(selected) {
        assert_eq!(selected.app_id, app.app_id);
        let count = if target.instance.is_some() { 1 } else { app.instances.len() };
        assert_eq!(selected.instances.len(), count);
        assert_eq!(
            target::first_instance(target, app).map(|view| view.id),
            selected.instances.first().map(|view| view.id)
        );
    }
    if let Some(pattern) = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'))
        && !pattern.is_empty()
        && pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        assert!(apps.iter().all(|app| app.name.contains(pattern) == named.contains(&app)));
    }
}

fn is_read_or_all_that_is_wrong_is_told(text: &str) {
    let mut query = Query::parse(Some(text));
    let (target, lines) = (query.text("target"), query.number("lines", 100));
    let (stream, follow) = (query.word("stream", &[("out", 1), ("err", 2)]), query.flag("follow"));
    assert!(lines.is_none_or(|lines| lines <= 100) && stream.is_none_or(|stream| stream == 1 || stream == 2));
    let read = query.finish();
    if let Err(problem) = &read {
        is_told_well(problem);
        assert!(!problem.details.is_empty());
        return;
    }
    // Then each parameter stands there once at most, and means what was read.
    let pairs: Vec<(&str, &str)> = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    assert!(pairs.len() <= 4);
    for (name, value) in pairs {
        let value = decode(&value.replace('+', "%20")).expect("it was read");
        match decode(name).expect("it was read").as_str() {
            "target" => assert_eq!(target.clone().unwrap_or_default(), value),
            "lines" if value.is_empty() => assert_eq!(lines, None),
            "lines" => assert_eq!(lines, value.parse().ok()),
            "stream" if value.is_empty() => assert_eq!(stream, None),
            "stream" => assert_eq!(stream, Some(if value == "out" { 1 } else { 2 })),
            "follow" => assert_eq!(follow, Some(["", "true", "1", "yes", "on"].contains(&value.as_str()))),
            other => panic!("`{other}` is not known"),
        }
    }
}

fn asks_for_what_can_be_done(route: Route, body: &[u8]) {
    match order::change(route, body) {
        Ok(change) => {
            let is_whole = match &change {
                Change::Restart { anew } | Change::Reload { anew, .. } | Change::Check { anew } => {
                    anew.definition.is_some()
                }
                other => matches!(other, Change::Delete | Change::Scale(_)),
            };
            assert_eq!(order::needs_whole_app(&change), is_whole);
            match change {
                Change::Scale(ScaleTo::Exactly(number)) => assert!(number.get() <= MOST_INSTANCES),
                Change::Scale(ScaleTo::More(number) | ScaleTo::Fewer(number)) => {
                    assert!((1..=MOST_INSTANCES).contains(&number));
                }
                Change::Signal(signal) => assert!((1..=64).contains(&signal.as_raw())),
                Change::Reload { strategy, parallel, anew: Anew { environment, .. } } => {
                    let is_plain = parallel == Parallel::Number(NonZeroU32::MIN);
                    assert!(strategy != Some(ReloadStrategy::Fleet) || is_plain);
                    assert!(!matches!(parallel, Parallel::Number(number) if number.get() > MOST_INSTANCES));
                    environment.into_iter().flatten().for_each(|variable| is_variable(&variable));
                }
                Change::Restart { anew: Anew { environment, .. } }
                | Change::Check { anew: Anew { environment, .. } } => {
                    environment.into_iter().flatten().for_each(|variable| is_variable(&variable));
                }
                Change::Start
                | Change::Stop
                | Change::Delete
                | Change::Reset
                | Change::Flush
                | Change::Send { .. } => {}
                Change::Follow { .. } => panic!("an order of nobody's but ours"),
            }
        }
        Err(problem) => is_told_well(&problem),
    }
}

fn is_variable((name, value): &(OsString, OsString)) {
    let (name, value) = (name.as_encoded_bytes(), value.as_encoded_bytes());
    assert!(!name.is_empty() && !name.contains(&b'=') && !name.contains(&0) && !value.contains(&0));
}

fn words_mean_what_they_say(word: &str) {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let digits = text.trim_start_matches('0');
        is_number.then(|| digits.parse::<u32>().ok()).flatten().filter(|number| *number <= MOST_INSTANCES)
    };
    let body = |name: &str| serde_json::to_vec(&serde_json::json!({ name: word })).expect("text");
    let scale = match order::change(routes::SCALE, &body("to")) {
        Ok(Change::Scale(ScaleTo::Exactly(number))) => Some((' ', number.get())),
        Ok(Change::Scale(ScaleTo::More(number))) => Some(('+', number)),
        Ok(Change::Scale(ScaleTo::Fewer(number))) => Some(('-', number)),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    };
    let sign = word.chars().next().filter(|sign| "+-".contains(*sign));
    let expected =
        number(word.strip_prefix(['+', '-']).unwrap_or(word)).map(|number| (sign.unwrap_or(' '), number));
    assert_eq!(scale, expected, "{word:?}");
    let parallel = match order::change(routes::RELOAD, &body("parallel")) {
        Ok(Change::Reload { parallel: Parallel::Number(number), .. }) => Some(number.get()),
        Ok(Change::Reload { parallel: Parallel::All, .. }) => return assert_eq!(word, "all"),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    };
    assert_eq!(parallel, number(word), "{word:?}");
    asks_for_what_can_be_done(routes::SIGNAL, &body("signal"));
}

fn hides_secrets(body: &[u8]) {
    let mut parts = body.split(|&byte| byte == b'=').map(|part| OsString::from_vec(part.to_vec()));
    let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let text = value.to_string_lossy();
    let one = |name: &OsString, value: &OsString, reveal| {
        let mut shown = secrets::shown(vec![(name.clone(), value.clone())], reveal);
        shown.remove(&*name.to_string_lossy()).expect("it is named")
    };
    assert_eq!(one(&name, &value, true).as_deref(), Some(&*text));
    assert!(one(&name, &value, false).is_none_or(|shown| shown == text));
    let mut secret = name.clone();
    secret.push("_token");
    assert_eq!(one(&secret, &value, false).is_none(), !value.is_empty());
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let with_password = format!("{text} amqp://{plain}:x{plain}@host/{text}");
    assert_eq!(one(&"BROKER".into(), &with_password.into(), false), None);
}
