//! pm2's `watch_options`, which are those of its watcher: what has a meaning here.

use std::time::Duration;

use serde_json::Value;

use super::app::AppDeclaration;

/// As pm2's watcher looks, where it is not told how often.
const USUAL_INTERVAL: Duration = Duration::from_millis(100);

/// Moves what has a meaning to where it belongs; a key of its own goes before.
pub(super) fn apply(app: &mut AppDeclaration) {
    let Some(options) = app.watch_options.clone() else { return };
    let ignored = match options.get("ignored") {
        Some(Value::String(pattern)) => vec![pattern.clone()],
        Some(Value::Array(patterns)) => {
            patterns.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    if !ignored.is_empty() {
        app.ignore_watch.get_or_insert_default().extend(ignored);
    }
    if options.get("usePolling") == Some(&Value::Bool(true)) {
        let interval = options.get("interval").and_then(Value::as_u64).map(Duration::from_millis);
        let interval = interval.unwrap_or(USUAL_INTERVAL).max(USUAL_INTERVAL);
        app.watch_poll.get_or_insert(interval);
    }
}

/// The options that have none, and why.
pub(super) fn without_effect(app: &AppDeclaration) -> Vec<(String, &'static str)> {
    let Some(Value::Object(options)) = &app.watch_options else { return Vec::new() };
    let why = |name: &str, value: &Value| match name {
        "ignored" | "usePolling" | "interval" | "ignoreInitial" | "persistent" => None,
        "followSymlinks" if *value == Value::Bool(true) => None,
        "followSymlinks" => Some("links are followed; `ignore_watch` leaves some out"),
        "awaitWriteFinish" => Some("a file counts when it was written and closed"),
        _ => Some("it is an option of pm2's watcher alone"),
    };
    options.iter().filter_map(|(name, value)| Some((name.clone(), why(name, value)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn app(options: Value) -> AppDeclaration {
        AppDeclaration { watch_options: Some(options), ..AppDeclaration::default() }
    }

    #[test]
    fn what_has_a_meaning_is_taken_over() {
        let mut app = app(json!({ "ignored": ["a", "b"], "usePolling": true, "interval": 1500 }));
        app.ignore_watch = Some(vec!["x".to_owned()]);
        apply(&mut app);
        assert_eq!(app.ignore_watch.unwrap(), ["x", "a", "b"]);
        assert_eq!(app.watch_poll, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_has_none_is_told_of() {
        let app = app(json!({ "followSymlinks": false, "ignoreInitial": true, "depth": 3, "ignored": "x" }));
        let names: Vec<_> = without_effect(&app).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["depth", "followSymlinks"]);
    }
}
