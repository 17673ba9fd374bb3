//! How many of each app: `--formation web=2,worker=1`, in foreman's words.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use serde_json::Value;

use super::app::AppDeclaration;
use super::environment::Environment;
use super::problem::{FileProblem, Place, nearest};
use super::value;
use crate::config::values::Wish;

/// The variable in place of the option.
const VARIABLE: &str = "PMR_FORMATION";
const FLAG: &str = "--formation";
/// What stands for all apps that are not named.
const ALL: &str = "all";

/// What is asked for. An app that is neither named nor meant by `all` does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formation {
    /// The option, or its variable.
    asked_by: &'static str,
    /// By name; none, where the app is not to run.
    named: BTreeMap<String, Option<Wish>>,
    all: Option<Wish>,
}

impl Formation {
    /// That of the option, or of its variable.
    ///
    /// # Errors
    /// When it is none.
    pub fn given(
        file: &str,
        option: Option<&str>,
        environment: &Environment,
    ) -> Result<Option<Self>, FileProblem> {
        let variable = environment.get(OsStr::new(VARIABLE)).map(|value| value.to_string_lossy());
        let variable = variable.filter(|value| !value.is_empty());
        let (asked_by, text) = match (option, &variable) {
            (Some(option), _) => (FLAG, option),
            (None, Some(variable)) => (VARIABLE, variable.as_ref()),
            (None, None) => return Ok(None),
        };
        let problem = || FileProblem::Unacceptable {
            place: Place::file(file).key(asked_by),
            found: format!("`{text}`"),
            accepted: "names of apps with their numbers, such as `web=2,worker=1` or `all=1,worker=0`"
                .to_owned(),
        };
        Self::parse(asked_by, text).map(Some).ok_or_else(problem)
    }

    fn parse(asked_by: &'static str, text: &str) -> Option<Self> {
        let mut formation = Self { asked_by, named: BTreeMap::new(), all: None };
        for pair in text.split([',', ' ']).filter(|pair| !pair.is_empty()) {
            let (name, number) = pair.split_once('=')?;
            let number = match number {
                "0" => None,
                // So many fewer than the CPUs is no number that anybody gives here.
                _ if number.starts_with('-') => return None,
                _ => Some(value::instances(&Value::from(number)).ok()?),
            };
            match name {
                ALL => formation.all = number,
                "" => return None,
                name => drop(formation.named.insert(name.to_owned(), number)),
            }
        }
        (!formation.named.is_empty() || formation.all.is_some()).then_some(formation)
    }

    /// A problem for each name that no app has.
    pub(super) fn unknown(&self, file: &str, apps: &[AppDeclaration]) -> Vec<FileProblem> {
        let names = || apps.iter().map(AppDeclaration::plain_name);
        let unknown = self.named.keys().filter(|named| !names().any(|name| name == **named));
        let problem = |named: &String| FileProblem::Unknown {
            place: Place::file(file).app(named),
            nearest: nearest(named, names()),
        };
        unknown.map(problem).collect()
    }

    /// Whether it names this app with a number above zero.
    #[must_use]
    pub fn asks_for(&self, name: &str) -> bool {
        self.named.get(name).copied().flatten().is_some()
    }

    /// Whether it says that there is to be none of this app.
    #[must_use]
    pub fn refuses(&self, name: &str) -> bool {
        self.named.get(name).is_some_and(Option::is_none)
    }

    /// How many of this app; none, where it is not to run.
    #[must_use]
    pub fn instances_of(&self, name: &str) -> Option<Wish> {
        self.named.get(name).copied().unwrap_or(self.all)
    }

    /// What is said of the number, for the start line: `--formation`.
    #[must_use]
    pub fn asked_by(&self) -> &'static str {
        self.asked_by
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn number(number: u32) -> Option<Wish> {
        NonZeroU32::new(number).map(Wish::Number)
    }

    #[test]
    fn who_is_neither_named_nor_meant_by_all_does_not_run() {
        let formation = Formation::parse(FLAG, "web=2, worker=0,clock=auto").unwrap();
        assert_eq!(formation.instances_of("web"), number(2));
        assert_eq!(formation.instances_of("clock"), Some(Wish::Auto));
        assert_eq!(formation.instances_of("worker"), None);
        assert_eq!(formation.instances_of("other"), None);
        let all = Formation::parse(FLAG, "all=1,worker=0").unwrap();
        assert_eq!((all.instances_of("x"), all.instances_of("worker")), (number(1), None));
        assert!(!all.asks_for("x"), "only `all` means it");
    }

    #[test]
    fn what_is_no_formation_is_told() {
        for text in ["web", "web=", "web=-1", "=2", "web=two", "", ",", "web=1025"] {
            assert_eq!(Formation::parse(FLAG, text), None, "{text}");
        }
        let environment = Environment::from([(VARIABLE.into(), "web".into())]);
        let problem = Formation::given("Procfile", None, &environment).unwrap_err();
        insta::assert_snapshot!(problem, @"`Procfile`, `PMR_FORMATION`: found `web`, accepted: names of apps with their numbers, such as `web=2,worker=1` or `all=1,worker=0`");
        assert_eq!(Formation::given("Procfile", None, &Environment::new()), Ok(None));
        let option = Formation::given("Procfile", Some("web=1"), &environment).unwrap().unwrap();
        assert_eq!(option.asked_by(), FLAG);
    }
}
