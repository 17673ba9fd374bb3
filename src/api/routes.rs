//! Which path and method means what. One table, which the server follows, the client calls, and a test holds against
//! docs/openapi.json.

/// A method of HTTP that we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    /// As HTTP writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// One route. `{target}` stands for a name, an instance's number, `all`, a namespace or `/regex/`, percent-encoded; of
/// crashes, for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub method: Method,
    pub path: &'static str,
}

const fn route(method: Method, path: &'static str) -> Route {
    Route { method, path }
}

pub const PING: Route = route(Method::Get, "/v1/ping");
pub const RUNTIME: Route = route(Method::Get, "/v1/runtime");
pub const KILL: Route = route(Method::Post, "/v1/runtime/kill");
pub const SAVE: Route = route(Method::Post, "/v1/runtime/save");
pub const UPDATE: Route = route(Method::Post, "/v1/runtime/update");
pub const APPS: Route = route(Method::Get, "/v1/apps");
pub const ADD: Route = route(Method::Post, "/v1/apps");
pub const SHOW: Route = route(Method::Get, "/v1/apps/{target}");
pub const DELETE: Route = route(Method::Delete, "/v1/apps/{target}");
pub const START: Route = route(Method::Post, "/v1/apps/{target}/start");
pub const STOP: Route = route(Method::Post, "/v1/apps/{target}/stop");
pub const RESTART: Route = route(Method::Post, "/v1/apps/{target}/restart");
pub const RELOAD: Route = route(Method::Post, "/v1/apps/{target}/reload");
pub const SCALE: Route = route(Method::Post, "/v1/apps/{target}/scale");
pub const SIGNAL: Route = route(Method::Post, "/v1/apps/{target}/signal");
pub const RESET: Route = route(Method::Post, "/v1/apps/{target}/reset");
pub const FLUSH: Route = route(Method::Post, "/v1/apps/{target}/flush");
pub const TRIGGER: Route = route(Method::Post, "/v1/apps/{target}/trigger");
pub const SEND: Route = route(Method::Post, "/v1/apps/{target}/send");
pub const SNAPSHOT: Route = route(Method::Post, "/v1/apps/{target}/snapshot");
pub const PROFILE: Route = route(Method::Post, "/v1/apps/{target}/profile");
pub const REPORT: Route = route(Method::Post, "/v1/apps/{target}/report");
pub const ENVIRONMENT: Route = route(Method::Get, "/v1/apps/{target}/env");
pub const LOGS: Route = route(Method::Get, "/v1/logs");
pub const EVENTS: Route = route(Method::Get, "/v1/events");
pub const HISTORY: Route = route(Method::Get, "/v1/history");
pub const CRASHES: Route = route(Method::Get, "/v1/crashes");
pub const CRASH: Route = route(Method::Get, "/v1/crashes/{target}");

/// All of them.
pub const ALL: [Route; 28] = [
    PING,
    RUNTIME,
    KILL,
    SAVE,
    UPDATE,
    APPS,
    ADD,
    SHOW,
    DELETE,
    START,
    STOP,
    RESTART,
    RELOAD,
    SCALE,
    SIGNAL,
    RESET,
    FLUSH,
    TRIGGER,
    SEND,
    SNAPSHOT,
    PROFILE,
    REPORT,
    ENVIRONMENT,
    LOGS,
    EVENTS,
    HISTORY,
    CRASHES,
    CRASH,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_is_there_twice() {
        let all: std::collections::BTreeSet<_> = ALL.iter().map(|route| (route.path, route.method)).collect();
        assert_eq!(all.len(), ALL.len());
    }
}
