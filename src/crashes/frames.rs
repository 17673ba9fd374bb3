//! The frames of a JavaScript stack, so far as they are the same on every machine and with every version of Node.

/// So many are looked at: what comes further down says how it was called, not what went wrong.
const MOST: usize = 4;

/// The first frames of the app and its packages, without Node's own. A frame has no column; where its function has no name
/// it has its line. `directory` is the app's.
pub(super) fn top(stack: &str, directory: &str) -> Vec<String> {
    let frames = stack.lines().filter_map(|line| line.trim_start().strip_prefix("at "));
    frames.filter_map(|frame| normalised(frame.trim(), directory)).take(MOST).collect()
}

/// `f (/srv/app/a.js:1:2)` as `f@a.js`; `None` for what is Node's.
fn normalised(frame: &str, directory: &str) -> Option<String> {
    let (function, place) = match frame.strip_suffix(')').and_then(|frame| frame.split_once(" (")) {
        Some((function, place)) => (function, place),
        None => ("", frame.strip_prefix("async ").unwrap_or(frame)),
    };
    let place = place.strip_prefix("file://").unwrap_or(place);
    let (file, line) = located(place);
    if is_nodes_own(file) {
        return None;
    }
    let file = portable(file, directory);
    let function = function.strip_prefix("async ").unwrap_or(function);
    if function.is_empty() || function.ends_with("<anonymous>") {
        return Some(format!("{file}:{line}"));
    }
    Some(format!("{function}@{file}"))
}

/// `/a.js:1:2` as `/a.js` and `1`.
fn located(place: &str) -> (&str, &str) {
    let mut parts = place.rsplitn(3, ':');
    let (column, line, file) = (parts.next(), parts.next(), parts.next());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (file, line, column) {
        (Some(file), Some(line), Some(column)) if is_number(line) && is_number(column) => (file, line),
        _ => (place, ""),
    }
}

fn is_nodes_own(file: &str) -> bool {
    file.starts_with("node:") || file.starts_with("internal/") || matches!(file, "native" | "<anonymous>")
}

/// Within the app, from its directory; within a package, from there; else the name alone.
fn portable<'a>(file: &'a str, directory: &str) -> &'a str {
    if let Some((_, package)) = file.rsplit_once("node_modules/") {
        return package;
    }
    let below = file.strip_prefix(directory.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
    below.or_else(|| file.rsplit('/').next()).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_are_the_same_on_every_machine() {
        let stack = "TypeError: x\n    at load (/srv/app/lib/a.js:10:5)\n    at async /srv/app/server.js:3:1\n    \
            at Object.<anonymous> (file:///srv/app/b.mjs:7:1)\n    at Module._compile (node:internal/modules/cjs/loader:1:2)\n    \
            at Layer.handle [as handle_request] (/srv/app/node_modules/express/lib/router/layer.js:95:5)\n    at last (/a.js:1:1)";
        assert_eq!(
            top(stack, "/srv/app"),
            [
                "load@lib/a.js",
                "server.js:3",
                "b.mjs:7",
                "Layer.handle [as handle_request]@express/lib/router/layer.js"
            ]
        );
    }

    #[test]
    fn elsewhere_the_name_of_the_file_is_enough() {
        assert_eq!(top("at f (/releases/7/a.js:1:1)", "/current"), ["f@a.js"]);
        assert_eq!(top("at f (/current/a.js:1:1)", "/current/"), ["f@a.js"]);
        assert_eq!(top("at f (/currently/a.js:1:1)", "/current"), ["f@a.js"]);
    }

    #[test]
    fn nodes_own_frames_tell_nothing() {
        let stack = "at f (node:fs:1:2)\nat g (native)\nat new Promise (<anonymous>)\nat internal/x.js:1:2";
        assert_eq!(top(stack, "/"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn no_stack_makes_it_panic(stack: String, directory: String) {
            prop_assert!(top(&stack, &directory).len() <= MOST);
        }
    }
}
