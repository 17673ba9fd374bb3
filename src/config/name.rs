//! The app's name where none is given: that of the script, if an interpreter runs one, else that of the program.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::values;

/// The name where the words hold none that can be shown.
const NAMELESS: &str = "app";

/// A program that runs scripts, and what may stand before the script on its command line.
struct Interpreter {
    /// A trailing version, as in `python3.12`, does not count.
    names: &'static [&'static str],
    /// Options that take the next word as their value.
    with_value: &'static [&'static str],
    /// Options that stand in the place of a script.
    code: &'static [&'static str],
    /// Words, not options, that may stand before the script.
    verbs: &'static [&'static str],
}

const INTERPRETERS: [Interpreter; 8] = [
    Interpreter {
        names: &["node", "nodejs"],
        with_value: &[
            "-r",
            "--require",
            "--import",
            "--loader",
            "--experimental-loader",
            "-C",
            "--conditions",
        ],
        code: &["-e", "--eval", "-p", "--print", "--run"],
        verbs: &[],
    },
    Interpreter {
        names: &["bun"],
        with_value: &["-r", "--preload", "--cwd", "-c", "--config"],
        code: &["-e", "--eval", "-p", "--print", "x"],
        verbs: &["run"],
    },
    Interpreter {
        names: &["deno"],
        with_value: &["-c", "--config", "--import-map", "--lock"],
        code: &["eval", "task"],
        verbs: &["run", "serve"],
    },
    Interpreter { names: &["python"], with_value: &["-W", "-X"], code: &["-c", "-m"], verbs: &[] },
    Interpreter {
        names: &["ruby", "perl"],
        with_value: &["-r", "-I"],
        code: &["-e", "-E", "-S"],
        verbs: &[],
    },
    Interpreter { names: &["php"], with_value: &["-c", "-d"], code: &["-r", "-S", "-t"], verbs: &[] },
    Interpreter { names: &["sh", "bash", "dash"], with_value: &["-o", "-O"], code: &["-c"], verbs: &[] },
    Interpreter { names: &["lua"], with_value: &["-l"], code: &["-e"], verbs: &[] },
];

/// The name of the app that `program` with `arguments` runs, as good as one that is given: it stands before log lines.
#[must_use]
pub fn default_name(program: &OsStr, arguments: &[OsString]) -> String {
    let base = Path::new(program).file_name().unwrap_or(program);
    let base = base.to_string_lossy();
    script(&base, arguments)
        .map(|script| without_extension(Path::new(script)))
        .into_iter()
        .chain([base.into_owned()])
        .map(|name| visible(&name))
        .find(|name| values::name(name).is_ok())
        .unwrap_or_else(|| NAMELESS.to_owned())
}

/// A file's name may hold anything; what is no text was replaced by the same character.
fn visible(name: &str) -> String {
    name.replace(char::is_control, "\u{fffd}")
}

fn script<'a>(program: &str, arguments: &'a [OsString]) -> Option<&'a OsStr> {
    let program = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let interpreter = INTERPRETERS.iter().find(|interpreter| interpreter.names.contains(&program))?;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        if interpreter.with_value.contains(&text) {
            words.next();
        } else if interpreter.code.contains(&text) {
            return None;
        } else if !word.as_encoded_bytes().starts_with(b"-") && !interpreter.verbs.contains(&text) {
            return Some(word);
        }
    }
    None
}

fn without_extension(script: &Path) -> String {
    script.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_scripts_or_the_programs() {
        for (line, name) in [
            ("node index.js", "index"),
            ("/usr/bin/node --inspect -r ./trace.js dist/api.server.mjs --port 3", "api.server"),
            ("node --enable-source-maps app", "app"),
            ("node -e code", "node"),
            ("node", "node"),
            ("bun run server.ts", "server"),
            ("deno run --allow-net main.ts", "main"),
            ("python3.12 -u app.py", "app"),
            ("python3 -m http.server", "python3"),
            ("ruby -I lib web.rb", "web"),
            ("sh start.sh", "start"),
            ("sh -c node", "sh"),
            ("bash -e run.sh", "run"),
            ("php -S 0.0.0.0:80", "php"),
            ("npm start", "npm"),
            ("/srv/bin/server --flag x.js", "server"),
            ("./app.bin", "app.bin"),
            ("/", "/"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(default_name(&words[0], &words[1..]), name, "{line}");
        }
    }

    #[test]
    fn a_name_is_never_empty_and_never_tears_a_log_line() {
        for (program, script, name) in [
            ("", None, "app"),
            (" ", None, "app"),
            ("node", Some(" .js"), "node"),
            ("node", Some("a\nb\u{1b}[31m.js"), "a\u{fffd}b\u{fffd}[31m"),
            ("\r\n", None, "\u{fffd}\u{fffd}"),
        ] {
            let words: Vec<OsString> = script.into_iter().map(OsString::from).collect();
            assert_eq!(default_name(OsStr::new(program), &words), name, "{program:?} {script:?}");
        }
    }
}
