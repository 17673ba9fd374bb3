//! What OpenTelemetry's environment variables ask for, by its specification. Pure.
//!
//! They are there for the apps' own SDKs as well, so what makes no sense here is told and never an error: a runtime without
//! pushes still does its work.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

use super::endpoint::{Endpoint, EndpointError};

/// What both kinds of endpoint begin with; `METRICS_` follows where it is said of metrics alone.
const PREFIX: &str = "OTEL_EXPORTER_OTLP_";
const SERVICE_NAME: &str = "service.name";

/// A push, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub endpoint: Endpoint,
    /// Never shown: they may hold secrets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long one try may take.
    pub timeout: Duration,
    pub interval: Duration,
    pub encoding: Encoding,
    /// Who pushes: `service.name` and what else is said of it.
    pub resource: Vec<(String, String)>,
}

/// In which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

/// What was made of the variables.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    /// `None` where nothing is to be pushed.
    pub config: Option<Config>,
    /// What was passed over, for people.
    pub complaints: Vec<String>,
}

/// Who we are where the variables do not say it.
#[derive(Debug, Clone)]
pub struct Identity {
    pub host: Option<String>,
    pub pid: u32,
}

impl Config {
    /// Reads the variables by `lookup`, which gives none that is empty; who we are is asked only where they want pushes.
    #[must_use]
    pub fn read(lookup: impl Fn(&str) -> Option<String>, identity: impl FnOnce() -> Identity) -> Reading {
        let mut reader = Reader { lookup, complaints: Vec::new() };
        let config = if reader.is_wanted() { reader.config(&identity()) } else { None };
        Reading { config, complaints: reader.complaints }
    }
}

struct Reader<L> {
    lookup: L,
    complaints: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    fn is_wanted(&self) -> bool {
        let is_set = |name: &str| self.of_metrics(name).is_some();
        let exporters = (self.lookup)("OTEL_METRICS_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
        let is_disabled =
            (self.lookup)("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        is_set("ENDPOINT") && !is_disabled && exporters.split(',').any(|exporter| exporter.trim() == "otlp")
    }

    fn config(&mut self, identity: &Identity) -> Option<Config> {
        let endpoint = self.endpoint()?;
        let encoding = self.encoding()?;
        if let Some((variable, text)) = self.of_metrics("COMPRESSION")
            && text != "none"
        {
            self.complaints.push(format!("`{variable}` is `{text}`; pushes are not compressed"));
        }
        Some(Config {
            endpoint,
            encoding,
            headers: self.headers(),
            timeout: self.milliseconds(self.of_metrics("TIMEOUT"), 10_000),
            interval: self.milliseconds(self.variable("OTEL_METRIC_EXPORT_INTERVAL"), 60_000),
            resource: self.resource(identity),
        })
    }

    fn endpoint(&mut self) -> Option<Endpoint> {
        let (variable, text) = self.of_metrics("ENDPOINT")?;
        // Said of all signals it is where their paths begin, said of metrics alone it is the whole of it.
        let below = if variable.contains("METRICS") { None } else { Some("v1/metrics") };
        match Endpoint::parse(&text, below) {
            Ok(endpoint) => Some(endpoint),
            Err(error) => {
                let hint = match error {
                    EndpointError::Encrypted => {
                        "; send them to a collector beside the app, by http, which passes them on, or set \
                         PMR_OTLP=false"
                    }
                    EndpointError::NoUrl => "",
                };
                self.complaints.push(format!("no figures are pushed: `{variable}` {error}{hint}"));
                None
            }
        }
    }

    fn encoding(&mut self) -> Option<Encoding> {
        match self.of_metrics("PROTOCOL") {
            None => Some(Encoding::Protobuf),
            Some((_, text)) if text == "http/protobuf" => Some(Encoding::Protobuf),
            Some((_, text)) if text == "http/json" => Some(Encoding::Json),
            Some((variable, text)) => {
                self.complaints.push(format!(
                    "no figures are pushed: `{variable}` is `{text}`, accepted: http/protobuf, http/json; set \
                     OTEL_EXPORTER_OTLP_METRICS_PROTOCOL and OTEL_EXPORTER_OTLP_METRICS_ENDPOINT for them, or \
                     PMR_OTLP=false"
                ));
                None
            }
        }
    }

    fn headers(&mut self) -> Vec<(HeaderName, HeaderValue)> {
        let Some(given) = self.of_metrics("HEADERS") else { return Vec::new() };
        let pairs = self.pairs(&given);
        let read = |(name, value): &(String, String)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        };
        let headers: Vec<_> = pairs.iter().filter_map(read).collect();
        if headers.len() < pairs.len() {
            self.complaints
                .push(format!("`{}` has a part that is no HTTP header; it is passed over", given.0));
        }
        headers
    }

    /// What is said of the service, and what is true of it otherwise.
    fn resource(&mut self, identity: &Identity) -> Vec<(String, String)> {
        let given = self.variable("OTEL_RESOURCE_ATTRIBUTES");
        let mut resource = given.map_or_else(Vec::new, |it| self.pairs(&it));
        if let Some((_, name)) = self.variable("OTEL_SERVICE_NAME") {
            resource.retain(|(key, _)| key != SERVICE_NAME);
            resource.push((SERVICE_NAME.to_owned(), name));
        }
        let host = identity.host.as_deref();
        let instance = format!("{}:{}", host.unwrap_or("localhost"), identity.pid);
        let by_default = [
            (SERVICE_NAME, Some("unknown_service:pmr-runtime")),
            // The same after an update in place, and another one beside us.
            ("service.instance.id", Some(instance.as_str())),
            ("host.name", host),
        ];
        for (key, value) in by_default {
            if let Some(value) = value.filter(|_| resource.iter().all(|(known, _)| known != key)) {
                resource.push((key.to_owned(), value.to_owned()));
            }
        }
        resource
    }

    /// `key=value,key=value`, the values with `%20` for a space and so on.
    fn pairs(&mut self, (variable, text): &(String, String)) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let read = pair.split_once('=').and_then(|(key, value)| {
                Some((decoded(key.trim())?, decoded(value.trim())?)).filter(|(key, _)| !key.is_empty())
            });
            match read {
                Some((key, value)) => {
                    found.retain(|(known, _)| *known != key);
                    found.push((key, value));
                }
                None => {
                    // Without saying which: it may be a secret.
                    self.complaints
                        .push(format!("`{variable}` has a part that is not `key=value`; it is passed over"));
                }
            }
        }
        found
    }

    fn milliseconds(&mut self, given: Option<(String, String)>, otherwise: u64) -> Duration {
        let Some((variable, text)) = given else { return Duration::from_millis(otherwise) };
        let read = text.trim().parse().ok().filter(|&number| number > 0);
        if read.is_none() {
            self.complaints.push(format!(
                "`{variable}` is `{text}`, accepted: milliseconds, 1 or more; it is taken to be {otherwise}"
            ));
        }
        Duration::from_millis(read.unwrap_or(otherwise))
    }

    /// The variable of this name for metrics, or else for all signals, with its value.
    fn of_metrics(&self, name: &str) -> Option<(String, String)> {
        let names = [format!("{PREFIX}METRICS_{name}"), format!("{PREFIX}{name}")];
        names.iter().find_map(|name| self.variable(name))
    }

    fn variable(&self, name: &str) -> Option<(String, String)> {
        Some((name.to_owned(), (self.lookup)(name)?))
    }
}

/// The text that `%XX` stand in; `None` where they make none.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend(rest.bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
