//! Which files are found and read, and what is said of others.

use std::fs;

use super::*;
use crate::config::sources::find_in_path;

fn find(name: &OsStr) -> Option<PathBuf> {
    find_in_path(std::env::var_os("PATH").as_deref(), name)
}

fn load_text(
    name: &str,
    text: &str,
    find: &dyn Fn(&OsStr) -> Option<PathBuf>,
) -> Result<Document, LoadError> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), text).unwrap();
    load(Path::new(name), directory.path(), find)
}

#[test]
fn the_usual_names_are_looked_for_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(discover(directory.path()), Err(LoadError::None)));
    for name in ["pmr.toml", "ecosystem.json", "ecosystem.config.js"] {
        fs::write(directory.path().join(name), "").unwrap();
        assert_eq!(discover(directory.path()).unwrap(), Path::new(name));
    }
    for name in USUAL {
        assert!(Form::of(Path::new(name)).is_some(), "{name}");
    }
}

#[test]
fn a_file_that_is_not_there_or_not_ours_is_told() {
    let error = |name: &str, text: &str| load_text(name, text, &|_| None).unwrap_err();
    assert!(matches!(error("a.txt", ""), LoadError::Form { .. }));
    assert!(matches!(error("a.toml", "= 1"), LoadError::NoDocument { .. }));
    assert!(matches!(error("a.json", "[{}]"), LoadError::Problems(_)));
    assert!(matches!(error("a.config.js", ""), LoadError::Evaluate(EvaluateError::NoInterpreter { .. })));
    let missing = load(Path::new("missing.json"), Path::new("/"), &find).unwrap_err();
    assert!(matches!(missing, LoadError::Unreadable { .. }));
}

#[test]
fn a_file_of_data_needs_no_interpreter() {
    let document = load_text("a.yaml", "script: server.js\nname: web\n", &|_| None).unwrap();
    assert_eq!(document.apps[0].name.as_deref(), Some("web"));
}
