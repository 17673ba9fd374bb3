//! The program that runs an app's code: where it is and, as far as its path tells, which version.
//!
//! Nothing is run for it: the event loop collects every child of this process, so a child of ours would be lost to it.
//! Nor is the program's file searched for its version, since that is a hundred megabytes with Node.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::known::Interpreter;
use crate::config::sources::find_in_path;

/// What programs are called without their version, and whose they are.
const PROGRAMS: [(&str, &str); 8] = [
    ("node", "node"),
    ("nodejs", "node"),
    ("bun", "bun"),
    ("deno", "deno"),
    ("python", "python"),
    ("pypy", "python"),
    ("ruby", "ruby"),
    ("php", "php"),
];

/// What else directories with several versions of an interpreter are called: `.pyenv/versions/3.11.4`.
const VERSION_MANAGERS: [&str; 2] = ["pyenv", "rbenv"];

/// The interpreter that `program` is, looked up as for an app in `directory` whose PATH is `path`. `None` where it is
/// none that we know, or is not there.
#[must_use]
pub fn find(program: &OsStr, directory: &Path, path: Option<&OsStr>) -> Option<Interpreter> {
    let name = name_of(Path::new(program))?;
    let found = match program.as_encoded_bytes().contains(&b'/') {
        true => directory.join(program),
        false => directory.join(find_in_path(path, program)?),
    };
    // Fails where there is no such file, too.
    let resolved = fs::canonicalize(&found).ok()?;
    let version = version_in(&resolved);
    Some(Interpreter { name: name.to_owned(), path: found.display().to_string(), version })
}

/// `python` for `/usr/bin/python3.11`.
fn name_of(program: &Path) -> Option<&'static str> {
    let (name, _) = name_and_version(program)?;
    PROGRAMS.iter().find(|(program, _)| *program == name).map(|(_, whose)| *whose)
}

fn name_and_version(program: &Path) -> Option<(&str, &str)> {
    let file = program.file_name()?.to_str()?;
    let name = file.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    Some((name, &file[name.len()..]))
}

/// The version in the name of the file (`python3.11`), or in that of a directory for one version of an interpreter
/// (`versions/node/v20.11.1/bin/node`).
fn version_in(resolved: &Path) -> Option<String> {
    let directories: Vec<&str> = resolved.parent()?.iter().map(|part| part.to_str().unwrap_or("")).collect();
    let named_for_it = |part: &&str| {
        let programs = PROGRAMS.iter().map(|(program, _)| *program).chain(VERSION_MANAGERS);
        programs.into_iter().any(|program| part.contains(program))
    };
    // The nearest comes first, and one or two above it say what it is a version of.
    let of_directory = (0..directories.len()).rev().find_map(|at| {
        let version = full_version(directories[at])?;
        directories[at.saturating_sub(2)..at].iter().any(named_for_it).then_some(version)
    });
    let (_, of_file) = name_and_version(resolved)?;
    of_directory.or_else(|| of_file.contains('.').then_some(of_file)).map(str::to_owned)
}

/// `20.11.1` of `20.11.1` or `v20.11.1`.
fn full_version(part: &str) -> Option<&str> {
    let version = part.strip_prefix('v').unwrap_or(part);
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (version.split('.').count() == 3 && version.split('.').all(is_number)).then_some(version)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn interpreters_are_known_by_their_names() {
        for (program, name) in [
            ("node", Some("node")),
            ("/usr/bin/nodejs", Some("node")),
            ("python3.11", Some("python")),
            ("pypy3", Some("python")),
            ("php8.2", Some("php")),
            ("npm", None),
            ("3.11", None),
            ("node.exe", None),
            ("", None),
            ("/", None),
        ] {
            assert_eq!(name_of(Path::new(program)), name, "{program}");
        }
    }

    #[test]
    fn a_version_is_read_from_the_path_where_it_is_plainly_one() {
        for (path, version) in [
            ("/usr/bin/python3.11", Some("3.11")),
            ("/usr/bin/python3", None),
            ("/usr/bin/ruby3.1", Some("3.1")),
            ("/home/a/.nvm/versions/node/v20.11.1/bin/node", Some("20.11.1")),
            ("/home/a/.local/share/fnm/node-versions/v18.2.0/installation/bin/node", Some("18.2.0")),
            ("/home/a/.asdf/installs/nodejs/22.1.0/bin/node", Some("22.1.0")),
            ("/home/a/.pyenv/versions/3.11.4/bin/python3.11", Some("3.11.4")),
            ("/home/a/.rbenv/versions/3.2.2/bin/ruby", Some("3.2.2")),
            ("/srv/shop/1.2.3/bin/node", None),
            ("/usr/bin/node", None),
            ("/", None),
        ] {
            assert_eq!(version_in(Path::new(path)).as_deref(), version, "{path}");
        }
    }

    #[test]
    fn the_program_is_looked_up_and_its_links_are_followed_for_the_version_only() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("python3.9"), "").unwrap();
        fs::set_permissions(bin.join("python3.9"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("python3.9", bin.join("python")).unwrap();
        symlink("node", bin.join("node")).unwrap();
        let expected = Interpreter {
            name: "python".to_owned(),
            path: bin.join("python").display().to_string(),
            version: Some("3.9".to_owned()),
        };
        let find = |program: &str, path: &str| find(OsStr::new(program), root.path(), Some(OsStr::new(path)));
        assert_eq!(find("python", bin.to_str().unwrap()), Some(expected.clone()));
        assert_eq!(find("bin/python", ""), Some(expected));
        for program in ["node", "bin/node", "ruby", "bin/ruby"] {
            assert_eq!(find(program, bin.to_str().unwrap()), None, "{program}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path: String, parts in "(/|node|v|1|\\.|pyenv|ä){0,16}") {
            let _ = (version_in(Path::new(&path)), name_of(Path::new(&path)));
            let _ = (version_in(Path::new(&parts)), name_of(Path::new(&parts)));
        }
    }
}
