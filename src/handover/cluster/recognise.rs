//! Whether a command is `node` running a script, for only that can be a cluster worker. Pure: looks at the words alone.
//!
//! Node loads its side of the protocol only where there is a script; `node -e`, a REPL or a test runner would ignore the
//! channel, or be held open by it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a command is to the cluster protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised {
    /// Node running this script: a file or a directory, as it was given.
    Script(OsString),
    /// Node, but in a mode without a script of ours.
    NotAScript,
    /// Another program.
    NotNode,
}

/// Options whose value is the next word, unless it is joined by `=`: the union of what Node 18, 20, 22 and 24 say of
/// themselves (`getCLIOptionsInfo`). V8's options are not among them: their values must be joined.
const WITH_VALUE: [&str; 81] = [
    "--allow-fs-read",
    "--allow-fs-write",
    "--build-snapshot-config",
    "--conditions",
    "--cpu-prof-dir",
    "--cpu-prof-interval",
    "--cpu-prof-name",
    "--debug-port",
    "--diagnostic-dir",
    "--disable-proto",
    "--disable-warning",
    "--dns-result-order",
    "--env-file",
    "--env-file-if-exists",
    "--es-module-specifier-resolution",
    "--experimental-config-file",
    "--experimental-default-type",
    "--experimental-loader",
    "--experimental-package-map",
    "--experimental-policy",
    "--experimental-sea-config",
    "--experimental-specifier-resolution",
    "--experimental-test-isolation",
    "--experimental-test-tag-filter",
    "--heap-prof-dir",
    "--heap-prof-interval",
    "--heap-prof-name",
    "--heapsnapshot-near-heap-limit",
    "--heapsnapshot-signal",
    "--icu-data-dir",
    "--import",
    "--input-type",
    "--inspect-port",
    "--inspect-publish-uid",
    "--loader",
    "--localstorage-file",
    "--max-http-header-size",
    "--max-old-space-size-percentage",
    "--network-family-autoselection-attempt-timeout",
    "--openssl-config",
    "--policy-integrity",
    "--redirect-warnings",
    "--report-dir",
    "--report-directory",
    "--report-filename",
    "--report-signal",
    "--require",
    "--secure-heap",
    "--secure-heap-min",
    "--security-revert",
    "--security-reverts",
    "--snapshot-blob",
    "--stack-trace-limit",
    "--test-concurrency",
    "--test-coverage-branches",
    "--test-coverage-exclude",
    "--test-coverage-functions",
    "--test-coverage-include",
    "--test-coverage-lines",
    "--test-global-setup",
    "--test-isolation",
    "--test-name-pattern",
    "--test-random-seed",
    "--test-reporter",
    "--test-reporter-destination",
    "--test-rerun-failures",
    "--test-shard",
    "--test-skip-pattern",
    "--test-timeout",
    "--title",
    "--tls-cipher-list",
    "--tls-keylog",
    "--trace-event-categories",
    "--trace-event-file-pattern",
    "--trace-require-module",
    "--unhandled-rejections",
    "--use-largepages",
    "--v8-pool-size",
    "--watch-kill-signal",
    "-C",
    "-r",
];

/// Options with which Node does something else than run a script in its own process. `--watch` runs it in a child.
const NO_SCRIPT: [&str; 24] = [
    "--build-sea",
    "--build-snapshot",
    "--build-snapshot-config",
    "--check",
    "--completion-bash",
    "--eval",
    "--experimental-sea-config",
    "--help",
    "--interactive",
    "--print",
    "--prof-process",
    "--run",
    "--test",
    "--v8-options",
    "--version",
    "--watch",
    "--watch-path",
    "-c",
    "-e",
    "-h",
    "-i",
    "-p",
    "-pe",
    "-v",
];

/// Looks at a program, by whatever path, and its arguments.
#[must_use]
pub fn recognise(program: &OsStr, arguments: &[OsString]) -> Recognised {
    let name = Path::new(program).file_name();
    if !name.is_some_and(|name| name == "node" || name == "nodejs") {
        return Recognised::NotNode;
    }
    match script(arguments) {
        Some(script) => Recognised::Script(script.clone()),
        None => Recognised::NotAScript,
    }
}

fn script(arguments: &[OsString]) -> Option<&OsString> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_bytes() {
            b"--" => return words.next().filter(|script| !script.is_empty()),
            // A lone `-` is a script on standard input; `inspect` is the debugger, whatever file is of that name.
            b"" | b"-" | b"inspect" => return None,
            [b'-', ..] => {}
            _ => return Some(word),
        }
        let (name, value) = split(word.as_bytes());
        if is_one_of(&NO_SCRIPT, &name) {
            return None;
        }
        if value.is_none() && is_one_of(&WITH_VALUE, &name) {
            words.next()?;
        }
    }
    None
}

/// An option's name as Node reads it, with `-` for `_`, and its joined value.
fn split(option: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
    let is_long = option.starts_with(b"--");
    let end = option.iter().position(|&byte| is_long && byte == b'=');
    let (name, value) = match end {
        Some(end) => (&option[..end], Some(&option[end + 1..])),
        None => (option, None),
    };
    (name.iter().map(|&byte| if is_long && byte == b'_' { b'-' } else { byte }).collect(), value)
}

fn is_one_of(options: &[&str], name: &[u8]) -> bool {
    options.iter().any(|option| option.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str) -> Recognised {
        let mut words = command.split(' ').map(OsString::from);
        let program = words.next().unwrap();
        recognise(&program, &words.collect::<Vec<_>>())
    }

    #[test]
    fn the_script_is_found_behind_options_with_and_without_values() {
        for command in [
            "node server.js",
            "nodejs server.js --port 3000",
            "/usr/local/bin/node server.js -e 1",
            "node --enable-source-maps server.js",
            "node -r dotenv/config server.js",
            "node --require=dotenv/config server.js",
            "node --import tsx --conditions production -C dev server.js",
            "node --env-file .env server.js",
            "node --env_file .env server.js",
            "node --max-old-space-size=400 --stack_size=900 server.js",
            "node --inspect --inspect-port 0 server.js",
            "node --inspect=0.0.0.0:9229 server.js",
            "node --no-warnings --title web server.js",
            "node --trace-warnings -- server.js",
        ] {
            assert_eq!(of(command), Recognised::Script("server.js".into()), "{command}");
        }
    }

    #[test]
    fn a_directory_is_a_script_too() {
        assert_eq!(of("node ."), Recognised::Script(".".into()));
        assert_eq!(of("node -- --odd"), Recognised::Script("--odd".into()));
        assert_eq!(of("node ./dist"), Recognised::Script("./dist".into()));
    }

    #[test]
    fn node_without_a_script_of_its_own_is_none() {
        for command in [
            "node",
            "node -",
            "node --",
            "node -e 1 server.js",
            "node --eval=1",
            "node -p 1",
            "node -pe 1",
            "node -i server.js",
            "node --check server.js",
            "node --run start",
            "node --test",
            "node --watch server.js",
            "node --watch-path=src server.js",
            "node inspect server.js",
            "node -v",
            "node --help",
            "node -r",
            "node -r server.js",
        ] {
            assert_eq!(of(command), Recognised::NotAScript, "{command}");
        }
    }

    #[test]
    fn other_programs_are_not_node() {
        for command in ["npm start", "bun server.js", "/opt/node/bin/npm start", "node18 server.js", "/"] {
            assert_eq!(of(command), Recognised::NotNode, "{command}");
        }
    }

    #[test]
    fn words_need_not_be_utf8() {
        let script = OsString::from(OsStr::from_bytes(b"\xff.js"));
        assert_eq!(
            recognise(OsStr::new("node"), std::slice::from_ref(&script)),
            Recognised::Script(script.clone())
        );
    }
}
