//! Where figures are pushed to: the address of an OTLP receiver. Pure.

use std::fmt;

/// A receiver that speaks HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address, an IPv6 one without its brackets.
    pub host: String,
    pub port: u16,
    /// With its `?` part, which is not shown: it may hold a secret.
    pub path: String,
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("begins with `https://`, and the runtime speaks no TLS")]
    Encrypted,
    #[error("is no address like `http://localhost:4318`")]
    NoUrl,
}

impl Endpoint {
    /// Reads a URL. What is asked for lies `below` its path, if so.
    ///
    /// # Errors
    /// When it is none, or not one of plain HTTP.
    pub fn parse(text: &str, below: Option<&str>) -> Result<Self, EndpointError> {
        let (scheme, rest) = text.split_once("://").ok_or(EndpointError::NoUrl)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(EndpointError::Encrypted),
            _ => return Err(EndpointError::NoUrl),
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = host_and_port(authority).ok_or(EndpointError::NoUrl)?;
        let path = match below {
            Some(below) => {
                format!("{}/{below}", path.split('?').next().unwrap_or_default().trim_end_matches('/'))
            }
            None if path.starts_with('/') => path.to_owned(),
            None => format!("/{path}"),
        };
        if path.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(EndpointError::NoUrl);
        }
        Ok(Self { host, port, path })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path } = self;
        let path = path.split('?').next().unwrap_or_default();
        if host.contains(':') {
            write!(f, "http://[{host}]:{port}{path}")
        } else {
            write!(f, "http://{host}:{port}{path}")
        }
    }
}

/// Takes the parts of `host:port` and `[::1]:port` apart.
fn host_and_port(authority: &str) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(number) => number.parse().ok().filter(|&port| port > 0)?,
        None if port.is_empty() => 80,
        None => return None,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    (!host.is_empty() && host.chars().all(is_name)).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_lies_below_the_path_of_all_signals() {
        for (text, host, port, path) in [
            ("http://localhost:4318", "localhost", 4318, "/v1/metrics"),
            ("HTTP://localhost:4318/", "localhost", 4318, "/v1/metrics"),
            ("http://otel.svc/otlp/", "otel.svc", 80, "/otlp/v1/metrics"),
            ("http://[::1]:4318/a?b=c", "::1", 4318, "/a/v1/metrics"),
        ] {
            let endpoint = Endpoint { host: host.to_owned(), port, path: path.to_owned() };
            assert_eq!(Endpoint::parse(text, Some("v1/metrics")), Ok(endpoint), "{text}");
        }
    }

    #[test]
    fn that_of_metrics_alone_is_taken_as_it_is() {
        for (text, path) in [("http://a", "/"), ("http://a/x/?y#z", "/x/?y"), ("http://a?y", "/?y")] {
            assert_eq!(Endpoint::parse(text, None).map(|it| it.path).as_deref(), Ok(path), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "localhost:4318",
            "grpc://a",
            "http://",
            "http://a:b",
            "http://a:0",
            "http://[::1",
            "http://u@a",
            "http://a/\u{e9}",
        ] {
            assert_eq!(Endpoint::parse(text, None), Err(EndpointError::NoUrl), "{text}");
        }
        assert_eq!(Endpoint::parse("https://a", None), Err(EndpointError::Encrypted));
    }
}
