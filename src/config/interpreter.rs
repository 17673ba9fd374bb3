//! Which interpreter runs a file, by the file's extension.

use std::ffi::OsStr;
use std::path::Path;

/// Extensions, with the interpreters that run such files, best first.
const TABLE: [(&[&str], &[&str]); 8] = [
    (&["js", "cjs", "mjs"], &["node"]),
    // Node strips the types itself from 22.18 on.
    (&["ts", "mts", "cts", "tsx", "jsx"], &["bun", "node"]),
    (&["py"], &["python3", "python"]),
    (&["rb"], &["ruby"]),
    (&["php"], &["php"]),
    (&["pl"], &["perl"]),
    (&["sh"], &["sh"]),
    (&["lua"], &["lua"]),
];

/// None of the interpreters of a file is installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot run `{file}`: {} in PATH", absent(looked_for))]
pub struct NoInterpreter {
    pub file: String,
    /// What would have done.
    pub looked_for: &'static [&'static str],
}

fn absent(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}` is not"),
        several => {
            let names: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
            format!("neither {} is", names.join(" nor "))
        }
    }
}

/// The interpreters that can run `file`, best first; `None` where its extension says nothing.
#[must_use]
pub fn candidates(file: &Path) -> Option<&'static [&'static str]> {
    let extension = file.extension()?.to_str()?;
    TABLE.iter().find(|(extensions, _)| extensions.contains(&extension)).map(|(_, names)| *names)
}

/// The interpreter to run `file` with: the first of `candidates` that `in_path` has.
///
/// # Errors
/// When none of them is there.
pub fn choose(
    file: &Path,
    candidates: &'static [&'static str],
    in_path: &dyn Fn(&OsStr) -> bool,
) -> Result<&'static str, NoInterpreter> {
    candidates
        .iter()
        .copied()
        .find(|name| in_path(OsStr::new(name)))
        .ok_or_else(|| NoInterpreter { file: file.display().to_string(), looked_for: candidates })
}

/// Whether `file` is a Procfile by its name: `Procfile`, `Procfile.dev`.
#[must_use]
pub fn is_procfile(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name == "Procfile" || name.starts_with("Procfile.")
}

/// Whether `file` declares apps, by its name: `ecosystem.config.js`, `app.json`, `pmr.toml`, `Procfile`.
#[must_use]
pub fn is_configuration(file: &Path) -> bool {
    if is_procfile(file) {
        return true;
    }
    let Some(name) = file.file_name().and_then(OsStr::to_str) else { return false };
    let data = ["json", "json5", "yaml", "yml", "toml"]
        .iter()
        .any(|extension| name.ends_with(&format!(".{extension}")));
    let script =
        ["js", "cjs", "mjs", "ts"].iter().any(|extension| name.ends_with(&format!(".config.{extension}")));
    data || script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_decides() {
        for (file, names) in [
            ("server.js", Some(&["node"][..])),
            ("/app/dist/main.mjs", Some(&["node"])),
            ("a.b.ts", Some(&["bun", "node"])),
            ("app.py", Some(&["python3", "python"])),
            ("run.sh", Some(&["sh"])),
            ("server", None),
            (".js", None),
            ("server.JS", None),
            ("server.exe", None),
            ("", None),
        ] {
            assert_eq!(candidates(Path::new(file)), names, "{file}");
        }
    }

    #[test]
    fn the_first_interpreter_that_is_installed_is_taken() {
        let file = Path::new("app.ts");
        let candidates = candidates(file).unwrap();
        assert_eq!(choose(file, candidates, &|_| true), Ok("bun"));
        assert_eq!(choose(file, candidates, &|name| name == "node"), Ok("node"));
    }

    #[test]
    fn without_an_interpreter_the_message_names_what_was_looked_for() {
        let error = |file: &str| {
            let file = Path::new(file);
            choose(file, candidates(file).unwrap(), &|_| false).unwrap_err()
        };
        insta::assert_snapshot!(error("app.ts"), @"cannot run `app.ts`: neither `bun` nor `node` is in PATH");
        insta::assert_snapshot!(error("server.js"), @"cannot run `server.js`: `node` is not in PATH");
    }

    #[test]
    fn configuration_files_are_known_by_their_names() {
        for file in [
            "ecosystem.config.js",
            "conf/pm2.config.cjs",
            "processes.json",
            "x.json5",
            "apps.yml",
            "pmr.toml",
            "Procfile",
            "app/Procfile.dev",
        ] {
            assert!(is_configuration(Path::new(file)), "{file}");
        }
        for file in ["server.js", "config.js", "json", "npm", "", "procfile", "MyProcfile"] {
            assert!(!is_configuration(Path::new(file)), "{file}");
        }
    }
}
