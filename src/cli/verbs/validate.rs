//! `pmr validate`: whether a configuration file can be used; and `pmr init`, which writes one. Neither needs a runtime.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::{Init, Validate};
use super::error::VerbError;
use super::session::Session;
use crate::cli::declared;
use crate::config::sources::Sources;
use crate::ecosystem::declaration::example::Modules;
use crate::ecosystem::declaration::select::{Choice, FileRequest};
use crate::ecosystem::files;
use crate::exit;

pub(super) fn validate(session: &Session, wanted: Validate) -> Result<u8, VerbError> {
    let file = match wanted.file {
        Some(file) => file,
        None => files::discover(&session.directory)?,
    };
    let label = file.display().to_string();
    let choice = Choice {
        only: wanted.only,
        environment: wanted.env,
        formation: wanted.formation,
        env_files: Vec::new(),
    };
    let request = FileRequest { file, choice, options: Vec::new(), remarks: Vec::new() };
    let launches = declared::launches(&request, &Sources::of_this_process(), &session.directory)?;
    for remark in &launches.remarks {
        session.output.tell(&format!("warning: {remark}\n"));
    }
    let names: Vec<&str> = launches.apps.iter().map(|app| app.name.as_str()).collect();
    let apps = if names.len() == 1 { "1 app".to_owned() } else { format!("{} apps", names.len()) };
    session.output.print(&format!("`{label}` is right: {apps} ({})\n", names.join(", ")))?;
    Ok(exit::OK)
}

pub(super) fn init(session: &Session, wanted: &Init) -> Result<u8, VerbError> {
    let (file, modules) = (wanted.form.0.file(), modules(&session.directory));
    let path = session.directory.join(file);
    write_new(&path, &wanted.form.0.text(modules)).map_err(|source| VerbError::Init { path, source })?;
    session.output.print(&format!("wrote `{file}`; `pmr-runtime start {file}` runs its apps\n"))?;
    Ok(exit::OK)
}

/// Never overwrites.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// As the package.json says that is nearest above.
fn modules(directory: &Path) -> Modules {
    let package =
        directory.ancestors().map(|directory| directory.join("package.json")).find(|path| path.is_file());
    let kind = |path: PathBuf| -> Option<Value> { serde_json::from_slice(&std::fs::read(path).ok()?).ok() };
    match package.and_then(kind) {
        Some(package) if package["type"] == "module" => Modules::Esm,
        _ => Modules::CommonJs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        write_new(&path, "first").unwrap();
        assert_eq!(write_new(&path, "second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
    }

    #[test]
    fn the_nearest_package_says_which_modules_a_js_file_is_written_in() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(directory.path().join("package.json"), r#"{"type": "module"}"#).unwrap();
        assert_eq!(modules(&inner), Modules::Esm);
        std::fs::write(inner.join("package.json"), "{}").unwrap();
        assert_eq!(modules(&inner), Modules::CommonJs);
    }
}
