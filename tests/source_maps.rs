//! Stack traces that name the lines of the sources, where that is asked for.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::ffi::OsString;

use support::fixtures::tool;
use support::launch::Launch;

/// One line, of which the map says that it is the fifth of main.ts.
const SCRIPT: &str = "console.log(new Error('x').stack.split('\\n')[1]); setInterval(() => {}, 1000);\n//# sourceMappingURL=main.js.map\n";
const MAP: &str = r#"{"version":3,"file":"main.js","sources":["main.ts"],"names":[],"mappings":"AAIA"}"#;

fn shown(options: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("main.js"), SCRIPT).unwrap();
    std::fs::write(directory.path().join("main.js.map"), MAP).unwrap();
    let options = options.iter().map(OsString::from);
    let words = options.chain([tool("node20").into(), "main.js".into()]);
    let mut runtime = Launch::new(words).directory(directory.path()).spawn();
    let line = runtime.stdout_line("at ");
    runtime.stops();
    line
}

#[test]
fn the_lines_of_the_sources_are_named_where_that_is_asked_for() {
    assert!(shown(&["--source-map-support"]).contains("main.ts:5"));
    assert!(shown(&[]).contains("main.js:1"));
}
