//! A request on its way to a runtime: which route, whom it is about, what it says.

use serde::Serialize;

use crate::api::routes::{Method, Route};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub(super) method: Method,
    path: String,
    query: String,
    pub(super) body: Option<Vec<u8>>,
}

impl Call {
    /// To `route`, whose `{target}`, if it has one, is filled by [`Call::target`].
    #[must_use]
    pub fn to(route: Route) -> Self {
        Self { method: route.method, path: route.path.to_owned(), query: String::new(), body: None }
    }

    /// The app or instance that is meant.
    #[must_use]
    pub fn target(mut self, target: &str) -> Self {
        self.path = self.path.replace("{target}", &encoded(target));
        self
    }

    /// A word after the path's `?`.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query += &format!("{name}={}", encoded(value));
        self
    }

    /// What it says.
    ///
    /// # Panics
    /// Never: the bodies of `api::types` have text for keys, and nothing else can fail.
    #[must_use]
    pub fn body(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).expect("the bodies of requests have text for keys"));
        self
    }

    /// Path and query.
    pub(super) fn uri(&self) -> String {
        format!("{}{}", self.path, self.query)
    }
}

/// Percent-encoded, but for what RFC 3986 calls unreserved.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes;

    #[test]
    fn a_target_is_one_segment_of_the_path_whatever_it_is() {
        let call = Call::to(routes::RELOAD).target("/^we b/");
        assert_eq!(call.uri(), "/v1/apps/%2F%5Ewe%20b%2F/reload");
        let call = Call::to(routes::LOGS).query("target", "é&").query("lines", "5");
        assert_eq!(call.uri(), "/v1/logs?target=%C3%A9%26&lines=5");
    }
}
