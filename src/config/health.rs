//! Reads what a health check asks, and puts the health settings into words again.
//!
//! `/health` and `http://:PORT/health` ask the app's own port, `http://host:8080/health` another one; `tcp` and
//! `tcp://host:8080` only connect; `cmd:COMMAND` is a shell's.

use std::time::Duration;

use super::problem::Accepted;
use super::{duration, setting, values};
use crate::spec::{HealthPolicy, MemoryGuard, Peer, Probe};

const ACCEPTED: Accepted = Accepted(
    "a path such as `/health`, a URL such as `http://:8080/health`, `tcp`, `tcp://127.0.0.1:5432`, or `cmd:` and a command",
);

/// Shorter spans would keep us busy with looking.
const SHORTEST: Duration = Duration::from_millis(100);

/// Reads `--health`.
///
/// # Errors
/// What is accepted.
pub fn probe(text: &str) -> Result<Probe, Accepted> {
    try_probe(text).ok_or(ACCEPTED)
}

fn try_probe(text: &str) -> Option<Probe> {
    if let Some(command) = text.strip_prefix("cmd:") {
        let command = command.trim();
        return (!command.is_empty() && !command.contains('\0')).then(|| Probe::Command(command.to_owned()));
    }
    if text == "tcp" {
        return Some(Probe::Tcp(Peer::default()));
    }
    if let Some(rest) = text.strip_prefix("tcp://") {
        return peer(rest.strip_suffix('/').unwrap_or(rest)).map(Probe::Tcp);
    }
    let (authority, path) = match text.strip_prefix("http://") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None if text.starts_with('/') => ("", text),
        None => return None,
    };
    let path = if path.is_empty() { "/" } else { path };
    let is_clean = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    is_clean.then(|| Some(Probe::Http { to: peer(authority)?, path: path.to_owned() }))?
}

/// `host:port`, `[::1]:port`; either part may be missing, and `PORT` stands for the app's own.
fn peer(text: &str) -> Option<Peer> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            host.chars().all(|c| c.is_ascii_hexdigit() || ":.".contains(c)).then_some(())?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let named = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if !host.chars().all(named) || (text.starts_with('[') ^ host.contains(':')) {
        return None;
    }
    let port = match port {
        None | Some("PORT") => None,
        Some(number) => Some(values::port(number).ok()?),
    };
    Some(Peer { host: (!host.is_empty()).then(|| host.to_owned()), port })
}

/// Reads a span that we can keep to.
///
/// # Errors
/// What is accepted.
pub fn span(text: &str) -> Result<Duration, Accepted> {
    const ACCEPTED: Accepted =
        Accepted("a duration of `100ms` or more, such as `500ms`, `1.5s`, `2m` or `1h`, up to `8760h`");
    duration::parse(text).ok().filter(|span| *span >= SHORTEST).ok_or(ACCEPTED)
}

/// The words that [`probe`] reads as this.
#[must_use]
pub fn render(probe: &Probe) -> String {
    match probe {
        Probe::Http { to, path } if *to == Peer::default() => path.clone(),
        Probe::Http { to, path } => format!("http://{}{path}", authority(to)),
        Probe::Tcp(to) if *to == Peer::default() => "tcp".to_owned(),
        Probe::Tcp(to) => format!("tcp://{}", authority(to)),
        Probe::Command(command) => format!("cmd:{command}"),
    }
}

fn authority(to: &Peer) -> String {
    let host = match to.host.as_deref().unwrap_or_default() {
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    to.port.map_or(host.clone(), |port| format!("{host}:{port}"))
}

/// The value of one of [`setting::HEALTH_SETTINGS`] in the words that ask for it; empty where it has none.
#[must_use]
pub(super) fn value_of(health: &HealthPolicy, name: &str) -> String {
    let time = |span: Option<Duration>| span.map_or_else(String::new, duration::render);
    let pace = health.check.as_ref().map(|check| check.pace);
    match name {
        _ if name == setting::WATCHDOG.name => time(health.watchdog),
        _ if name == setting::KILL_STALLED.name => time(health.kill_stalled),
        _ if name == setting::MAX_MEMORY_RESTART.name => {
            health.max_memory.map_or_else(String::new, values::render_bytes)
        }
        _ if name == setting::MEMORY_GUARD.name => (health.memory_guard == MemoryGuard::On).to_string(),
        _ if name == setting::HEALTH.name => {
            health.check.as_ref().map_or_else(String::new, |check| render(&check.probe))
        }
        _ if name == setting::HEALTH_INTERVAL.name => time(pace.map(|pace| pace.interval)),
        _ if name == setting::HEALTH_TIMEOUT.name => time(pace.map(|pace| pace.timeout)),
        _ if name == setting::HEALTH_START_PERIOD.name => time(pace.map(|pace| pace.start_period)),
        _ if name == setting::HEALTH_RETRIES.name => {
            pace.map_or_else(String::new, |pace| pace.retries.to_string())
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(host: Option<&str>, port: Option<u16>, path: &str) -> Probe {
        Probe::Http { to: Peer { host: host.map(str::to_owned), port }, path: path.to_owned() }
    }

    #[test]
    fn every_form_is_read_and_put_into_the_same_words_again() {
        let peer = |host: &str, port| Peer { host: Some(host.to_owned()), port };
        for (text, expected) in [
            ("/health?full=1", http(None, None, "/health?full=1")),
            ("http://:8080/health", http(None, Some(8080), "/health")),
            ("http://localhost/x", http(Some("localhost"), None, "/x")),
            ("http://[::1]:80/", http(Some("::1"), Some(80), "/")),
            ("tcp", Probe::Tcp(Peer::default())),
            ("tcp://127.0.0.1:5432", Probe::Tcp(peer("127.0.0.1", Some(5432)))),
            ("cmd:test -f /tmp/ok", Probe::Command("test -f /tmp/ok".to_owned())),
        ] {
            assert_eq!(probe(text).as_ref(), Ok(&expected), "{text}");
            assert_eq!(render(&expected), text);
        }
    }

    #[test]
    fn the_apps_own_port_has_more_than_one_name() {
        for text in ["http://:PORT/x", "http:///x"] {
            assert_eq!(probe(text), Ok(http(None, None, "/x")), "{text}");
        }
        assert_eq!(probe("http://:8080"), Ok(http(None, Some(8080), "/")));
        assert_eq!(probe("tcp://:PORT"), Ok(Probe::Tcp(Peer::default())));
    }

    #[test]
    fn what_is_no_check_is_refused() {
        for text in [
            "",
            "health",
            "https://a/",
            "cmd:",
            "cmd: ",
            "http://a:b/",
            "http://:0/",
            "/a b",
            "/a#b",
            "http://::1/",
            "http://[x]/",
            "http://[::1]x/",
            "http://user@host/",
            "tcp://a/b",
            "TCP",
        ] {
            assert!(probe(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_is_long_enough_to_be_kept() {
        assert_eq!(span("100ms"), Ok(Duration::from_millis(100)));
        assert!(span("99ms").is_err() && span("0").is_err() && span("soon").is_err());
    }
}
