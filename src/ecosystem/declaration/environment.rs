//! An app's environment: what its surroundings give, and what the file adds and takes away.
//!
//! From the weakest to the strongest: `--env-file`, `env_file`, the surroundings, `port`, `env`, `env_NAME`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::app::{AppDeclaration, Filter, Variables};

/// An environment as the system takes it.
pub type Environment = BTreeMap<OsString, OsString>;

/// What changes one environment into another.
pub type Changes = BTreeMap<OsString, Option<OsString>>;

/// What a login gives; without these few programs run, so they are kept where all variables are filtered out.
const OF_A_LOGIN: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR"];

/// The environment of `app` in `surroundings`. `files` is what its `.env` files hold, the strongest last; `named` is the
/// NAME of `--env`.
#[must_use]
pub fn resolve(
    app: &AppDeclaration,
    surroundings: &Environment,
    files: &[(String, String)],
    named: Option<&str>,
) -> Environment {
    let from_files = files.iter().map(|(name, value)| (name.into(), value.into()));
    let mut environment: Environment = from_files.collect();
    let filter = app.filter_env.as_ref().unwrap_or(&Filter::Nothing);
    let kept = surroundings.iter().filter(|(name, _)| !takes_out(filter, name));
    environment.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(port) = app.port {
        environment.insert("PORT".into(), port.to_string().into());
    }
    let named = named.and_then(|name| app.named_env.get(name));
    for variables in app.env.iter().chain(named) {
        apply(&mut environment, variables);
    }
    environment
}

/// What has to be done to `surroundings` to have `wanted`: a variable without a value is taken out.
#[must_use]
pub fn changes(surroundings: &Environment, wanted: &Environment) -> Changes {
    let set = wanted.iter().filter(|(name, value)| surroundings.get(*name) != Some(*value));
    let gone = surroundings.keys().filter(|name| !wanted.contains_key(*name));
    let set = set.map(|(name, value)| (name.clone(), Some(value.clone())));
    set.chain(gone.map(|name| (name.clone(), None))).collect()
}

fn apply(environment: &mut Environment, variables: &Variables) {
    for (name, value) in variables {
        match value {
            Some(value) => drop(environment.insert(name.into(), value.into())),
            None => drop(environment.remove(OsStr::new(name))),
        }
    }
}

fn takes_out(filter: &Filter, name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    match filter {
        Filter::Nothing => false,
        Filter::All => !OF_A_LOGIN.contains(&name.as_ref()) && !name.starts_with("LC_"),
        Filter::Containing(parts) => parts.iter().any(|part| name.contains(part.as_str())),
        Filter::Exactly(one) => name == *one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, Option<&str>)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
    }

    fn surroundings(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn shown(environment: &Environment) -> String {
        let pair = |(name, value): (&OsString, &OsString)| {
            format!("{}={}", name.to_string_lossy(), value.to_string_lossy())
        };
        environment.iter().map(pair).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_strongest_source_of_a_variable_wins() {
        let app = AppDeclaration {
            port: Some(1),
            env: Some(variables(&[("C", Some("env")), ("D", Some("env")), ("GONE", None)])),
            named_env: BTreeMap::from([("x".to_owned(), variables(&[("D", Some("env_x"))]))]),
            ..AppDeclaration::default()
        };
        let files = [("A", "file"), ("B", "file"), ("B", "file 2"), ("P", "file")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let around =
            surroundings(&[("P", "given"), ("C", "given"), ("D", "given"), ("GONE", "given"), ("PORT", "9")]);
        let resolved = |named| shown(&resolve(&app, &around, &files, named));
        assert_eq!(resolved(None), "A=file B=file 2 C=env D=env P=given PORT=1");
        assert_eq!(resolved(Some("x")), "A=file B=file 2 C=env D=env_x P=given PORT=1");
        assert_eq!(resolved(Some("unknown")), resolved(None));
    }

    #[test]
    fn the_changes_lead_from_one_environment_to_the_other() {
        let (from, to) =
            (surroundings(&[("A", "1"), ("B", "1"), ("C", "1")]), surroundings(&[("A", "1"), ("B", "2")]));
        let expected = [("B".into(), Some("2".into())), ("C".into(), None)];
        assert_eq!(changes(&from, &to), Changes::from(expected));
        assert_eq!(changes(&to, &to), Changes::new());
    }

    #[test]
    fn a_filter_takes_out_what_it_names() {
        let around = surroundings(&[("AWS_KEY", "1"), ("MY_AWS", "1"), ("PATH", "/bin"), ("LC_ALL", "C")]);
        let left = |filter| {
            let app = AppDeclaration { filter_env: Some(filter), ..AppDeclaration::default() };
            shown(&resolve(&app, &around, &[], None))
        };
        assert_eq!(left(Filter::Nothing), "AWS_KEY=1 LC_ALL=C MY_AWS=1 PATH=/bin");
        assert_eq!(left(Filter::Containing(vec!["AWS".to_owned()])), "LC_ALL=C PATH=/bin");
        assert_eq!(left(Filter::Exactly("MY_AWS".to_owned())), "AWS_KEY=1 LC_ALL=C PATH=/bin");
        assert_eq!(left(Filter::All), "LC_ALL=C PATH=/bin");
    }
}
