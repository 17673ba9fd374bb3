//! From a request's method and path to a route. Pure.

use super::query::{decode, problem};
use crate::api::routes::{ALL, Route};
use crate::api::types::Problem;

/// How many routes are named to somebody who missed them.
const NEAR: usize = 3;
/// Paths that are less alike (0 to 1) are no likely typing errors.
const ALIKE: f64 = 0.5;

/// What a request means.
#[derive(Debug, PartialEq)]
pub struct Found {
    pub route: Route,
    /// Decoded; empty where the route has none.
    pub target: String,
}

/// Why it means nothing.
#[derive(Debug, PartialEq)]
pub enum Missed {
    /// There is such a path, but not with this method.
    Method {
        allowed: Vec<&'static str>,
    },
    Path(Problem),
}

/// Finds the route of a request.
pub fn find(method: &str, path: &str) -> Result<Found, Missed> {
    let fitting: Vec<(Route, &str)> =
        ALL.iter().filter_map(|route| target_of(route, path).map(|target| (*route, target))).collect();
    if fitting.is_empty() {
        return Err(Missed::Path(unknown(path)));
    }
    match fitting.iter().find(|(route, _)| route.method.as_str() == method) {
        Some((route, target)) => match decode(target) {
            Some(target) => Ok(Found { route: *route, target }),
            None => Err(Missed::Path(super::query::bad_request(format!(
                "`{target}` is not percent-encoded UTF-8"
            )))),
        },
        None => {
            Err(Missed::Method { allowed: fitting.iter().map(|(route, _)| route.method.as_str()).collect() })
        }
    }
}

/// What stands in the place of `{target}`, if the path is the route's.
fn target_of<'a>(route: &Route, path: &'a str) -> Option<&'a str> {
    let (mut wanted, mut found) = (route.path.split('/'), path.split('/'));
    let mut target = "";
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return Some(target),
            (Some("{target}"), Some(text)) if !text.is_empty() => target = text,
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => return None,
        }
    }
}

fn unknown(path: &str) -> Problem {
    let shown: String = path.chars().take(200).collect();
    let near = near(&shown);
    let hint = if near.is_empty() {
        "docs/control-api.md lists all routes".to_owned()
    } else {
        format!("there is {}", near.join(", "))
    };
    problem("unknown_route", format!("there is no route `{shown}`"), Some(hint))
}

fn near(path: &str) -> Vec<String> {
    let alike = |route: &Route| {
        // So that a target of another length counts neither for nor against it.
        let target = path.split('/').nth(3).filter(|_| route.path.contains("{target}")).unwrap_or("{target}");
        strsim::normalized_damerau_levenshtein(&route.path.replace("{target}", target), path)
    };
    let mut ranked: Vec<(f64, &Route)> =
        ALL.iter().map(|route| (alike(route), route)).filter(|(alike, _)| *alike >= ALIKE).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.iter().take(NEAR).map(|(_, route)| shown(route)).collect()
}

fn shown(route: &Route) -> String {
    format!("`{} {}`", route.method.as_str(), route.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes;

    fn hint(path: &str) -> String {
        match find("GET", path) {
            Err(Missed::Path(problem)) => problem.hint.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_route_is_found() {
        for route in ALL {
            let path = route.path.replace("{target}", "%2Fa%2F");
            let found = find(route.method.as_str(), &path).unwrap();
            assert_eq!(found.route, route);
            assert_eq!(found.target, if route.path == path { "" } else { "/a/" });
        }
    }

    #[test]
    fn another_method_is_told_those_that_there_are() {
        assert_eq!(find("PUT", "/v1/apps/web"), Err(Missed::Method { allowed: vec!["GET", "DELETE"] }));
        assert_eq!(find("GET", "/v1/apps/web/reload"), Err(Missed::Method { allowed: vec!["POST"] }));
    }

    #[test]
    fn who_misses_a_route_is_told_what_is_near() {
        assert_eq!(hint("/v1/app"), "there is `GET /v1/apps`, `POST /v1/apps`, `GET /v1/ping`");
        assert!(hint("/v1/apps/web/relaod").starts_with("there is `POST /v1/apps/{target}/reload`"));
        assert!(hint("/v1/apps/").contains("`GET /v1/apps`"));
        assert_eq!(hint("/"), "docs/control-api.md lists all routes");
    }

    #[test]
    fn a_target_that_makes_no_sense_is_refused() {
        let Err(Missed::Path(problem)) = find("GET", "/v1/apps/%zz") else { panic!() };
        assert_eq!(
            (problem.code.as_str(), problem.message.as_str()),
            ("bad_request", "`%zz` is not percent-encoded UTF-8")
        );
        assert_eq!(find("GET", "/v1/apps/all").unwrap().route, routes::SHOW);
    }
}
