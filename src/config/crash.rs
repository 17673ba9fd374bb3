//! Reads who is told of crashes, and puts it into words again.

// The address alone: `std::net` has sockets, too.
use core::net::Ipv6Addr;

use super::problem::Accepted;
use super::values;
use crate::spec::{OnCrash, line_of};

const ACCEPTED: Accepted =
    Accepted("a URL such as `http://localhost:8080/crashes`, or a command, such as `./report`");
const TLS: Accepted = Accepted(
    "a URL that begins with `http://`, or a command; for TLS, `curl -sS --json @- https://example.com/crashes`",
);

/// What is told, as far as the word alone says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Server { host: String, port: u16, path: String },
    Command(String),
}

/// Reads `--on-crash`.
///
/// # Errors
/// What is accepted.
pub fn on_crash(text: &str) -> Result<Told, Accepted> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http") => server(&text["http://".len()..]).ok_or(ACCEPTED),
        Some("https") => Err(TLS),
        _ => values::command_line(text).map(Told::Command).map_err(|_no_command| ACCEPTED),
    }
}

/// `host:port/path`
fn server(text: &str) -> Option<Told> {
    let (authority, path) = text.split_at(text.find(['/', '?']).unwrap_or(text.len()));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let is_clean = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, rest.strip_prefix(':').or((rest.is_empty()).then_some("80"))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "80")),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    let is_named = !host.is_empty() && host.chars().all(is_host);
    (is_clean && is_named)
        .then(|| Some(Told::Server { host: host.to_owned(), port: values::port(port).ok()?, path }))?
}

/// In the words that ask for it.
#[must_use]
pub fn render(on_crash: Option<&OnCrash>) -> String {
    match on_crash {
        None => String::new(),
        Some(OnCrash::Post { host, port, path }) => {
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            format!("http://{host}:{port}{path}")
        }
        Some(OnCrash::Run { program, arguments }) => line_of(program, arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_server() {
        for (text, host, port, path, again) in [
            ("http://hooks", "hooks", 80, "/", "http://hooks:80/"),
            ("http://a.b:8080/x/y?z=1", "a.b", 8080, "/x/y?z=1", "http://a.b:8080/x/y?z=1"),
            ("HTTP://127.0.0.1:1?a", "127.0.0.1", 1, "/?a", "http://127.0.0.1:1/?a"),
            ("http://[::1]:9/", "::1", 9, "/", "http://[::1]:9/"),
        ] {
            let (host, path) = (host.to_owned(), path.to_owned());
            let told = Told::Server { host: host.clone(), port, path: path.clone() };
            assert_eq!(on_crash(text), Ok(told), "{text}");
            assert_eq!(render(Some(&OnCrash::Post { host, port, path })), again);
        }
    }

    #[test]
    fn all_else_is_a_command() {
        for text in ["./report", "curl -sS --json @- https://example.com/crashes", "mail ops@example.com"] {
            assert_eq!(on_crash(text), Ok(Told::Command(text.to_owned())));
        }
    }

    #[test]
    fn what_is_neither_is_refused_and_tls_with_the_way_to_it() {
        for text in [
            "",
            " ",
            "http://",
            "http://:80/",
            "http://a:0/",
            "http://user@a/",
            "http://a/b c",
            "http://[x]/",
        ] {
            assert_eq!(on_crash(text), Err(ACCEPTED), "{text}");
        }
        assert_eq!(on_crash("https://a/"), Err(TLS));
    }

    #[test]
    fn a_line_that_a_shell_carries_out_is_shown_as_it_was_given() {
        let run = |words: &[&str]| {
            let mut words = words.iter().map(Into::into);
            OnCrash::Run { program: words.next().unwrap(), arguments: words.collect() }
        };
        assert_eq!(render(Some(&run(&["sh", "-c", "a | b"]))), "a | b");
        assert_eq!(render(Some(&run(&["a", "b"]))), "a b");
        assert_eq!(render(None), "");
    }
}
