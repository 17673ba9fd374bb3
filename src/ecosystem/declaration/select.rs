//! Which apps of a file are meant, and what they are called.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::app::AppDeclaration;
use super::problem::{FileProblem, Place, nearest};
use super::value::split;
use crate::config::name::default_name;

/// What of a file is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--only a,b`: these apps and no others.
    pub only: Option<String>,
    /// `--env NAME`: `env_NAME` on top of `env`.
    pub environment: Option<String>,
    /// `--formation web=2,worker=1`: so many of each, and none of the others.
    pub formation: Option<String>,
    /// `--env-file FILE`: for each app, weaker than those of its own.
    pub env_files: Vec<String>,
}

impl AppDeclaration {
    /// The app's name, without what `append_env_to_name` adds: as declared, or that of the script.
    #[must_use]
    pub fn plain_name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let script = self.script.as_deref().unwrap_or_default();
        match split(script).as_deref() {
            Some([first, rest @ ..]) if !rest.is_empty() => {
                let rest: Vec<OsString> = rest.iter().map(OsString::from).collect();
                default_name(OsStr::new(first), &rest)
            }
            _ => {
                let stem = Path::new(script).file_stem().unwrap_or(OsStr::new(script));
                default_name(stem, &[])
            }
        }
    }

    /// The app's name in `environment`.
    #[must_use]
    pub fn name_in(&self, environment: Option<&str>) -> String {
        match environment {
            Some(environment) if self.append_env_to_name == Some(true) => {
                format!("{}-{environment}", self.plain_name())
            }
            _ => self.plain_name(),
        }
    }
}

/// A command line that asks for the apps of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRequest {
    pub file: PathBuf,
    pub choice: Choice,
    /// Our own options, each in one word with its value: `--instances=4`. They apply to all apps that are chosen.
    pub options: Vec<OsString>,
    /// What people should know of options that have no effect.
    pub remarks: Vec<String>,
}

/// The apps that `only` names, in the order of the file; all, where it is absent.
///
/// # Errors
/// A problem for each name that no app has.
pub fn select<'a>(
    file: &str,
    apps: &'a [AppDeclaration],
    only: Option<&str>,
) -> Result<Vec<&'a AppDeclaration>, Vec<FileProblem>> {
    let Some(only) = only else { return Ok(apps.iter().collect()) };
    let wanted: Vec<&str> = only.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty()).collect();
    let names = || apps.iter().map(AppDeclaration::plain_name);
    let unknown = wanted.iter().filter(|wanted| !names().any(|name| name == **wanted));
    let problems: Vec<_> = unknown
        .map(|wanted| {
            let place = Place::file(file).app(wanted);
            FileProblem::Unknown { place, nearest: nearest(wanted, names()) }
        })
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    if wanted.is_empty() {
        let what = "`--only` names no app".to_owned();
        return Err(vec![FileProblem::Other { place: Place::file(file), what }]);
    }
    Ok(apps.iter().filter(|app| wanted.contains(&app.plain_name().as_str())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: Option<&str>, script: &str) -> AppDeclaration {
        AppDeclaration {
            name: name.map(str::to_owned),
            script: Some(script.to_owned()),
            ..AppDeclaration::default()
        }
    }

    #[test]
    fn an_app_without_a_name_is_called_like_its_script() {
        for (script, name) in [
            ("./dist/api.server.js", "api.server"),
            ("npm", "npm"),
            ("node --inspect server.js --port 3", "server"),
            ("npm run start", "npm"),
            ("my 'file", "my 'file"),
        ] {
            assert_eq!(app(None, script).plain_name(), name, "{script}");
        }
        assert_eq!(app(Some("web"), "x.js").name_in(Some("production")), "web");
        let appended = AppDeclaration { append_env_to_name: Some(true), ..app(Some("web"), "x.js") };
        assert_eq!(appended.name_in(Some("production")), "web-production");
        assert_eq!(appended.name_in(None), "web");
    }

    #[test]
    fn only_those_that_are_named_are_chosen_and_a_name_that_nobody_has_is_told() {
        let apps = [app(Some("web"), "a.js"), app(None, "jobs.js"), app(Some("mail"), "c.js")];
        let chosen = |only| -> Vec<String> {
            select("f", &apps, only).unwrap().into_iter().map(AppDeclaration::plain_name).collect()
        };
        assert_eq!(chosen(None), ["web", "jobs", "mail"]);
        assert_eq!(chosen(Some("mail, web")), ["web", "mail"]);
        assert_eq!(chosen(Some("jobs")), ["jobs"]);
        let problems = |only| select("f", &apps, Some(only)).unwrap_err();
        assert_eq!(problems("web,job,xyz").len(), 2);
        insta::assert_snapshot!(problems("job")[0], @"`f`, app `job` is not known, did you mean `jobs`?");
        insta::assert_snapshot!(problems(" ,")[0], @"`f`: `--only` names no app");
    }
}
