//! Statuses, and the text of errors.

use super::*;
use crate::config::interpreter::NoInterpreter;
use crate::config::problem::{Accepted, Origin};

fn unacceptable(origin: Origin) -> Problem {
    Problem::Unacceptable { origin, found: "abc".to_owned(), accepted: Accepted("a port from 1 to 65535") }
}

fn problems(origins: &[Origin]) -> Error {
    ResolveError::Problems(origins.iter().copied().map(unacceptable).collect()).into()
}

const FLAG: Origin = Origin::Flag("--instances");
const VARIABLE: Origin = Origin::Variable("PORT");

#[test]
fn settings_are_a_usage_error_only_where_the_command_line_alone_is_to_blame() {
    assert_eq!(problems(&[FLAG, FLAG]).status(), USAGE);
    assert_eq!(problems(&[FLAG, VARIABLE]).status(), CONFIGURATION);
    let conflict =
        |one, other| Error::from(ResolveError::Problems(vec![Problem::Conflict { one, other }])).status();
    assert_eq!((conflict(FLAG, FLAG), conflict(FLAG, VARIABLE)), (USAGE, CONFIGURATION));
}

#[test]
fn each_error_has_its_status() {
    assert_eq!(Error::from(UsageError::StartWithoutFile).status(), 2);
    assert_eq!(Error::from(ResolveError::ConfigurationFile("x.json".to_owned())).status(), 78);
    assert_eq!(Error::from(ResolveError::NoSuchFile("x.js".to_owned())).status(), 127);
}

#[test]
fn problems_are_listed_below_the_message() {
    insta::assert_snapshot!(render(&problems(&[FLAG, VARIABLE])), @r"
    error: 2 settings cannot be used, nothing was started
      `--instances`: found `abc`, accepted: a port from 1 to 65535
      `PORT`: found `abc`, accepted: a port from 1 to 65535
    ");
    insta::assert_snapshot!(render(&problems(&[FLAG])), @r"
    error: a setting cannot be used, nothing was started
      `--instances`: found `abc`, accepted: a port from 1 to 65535
    ");
}

#[test]
fn hints_stand_last() {
    let no_interpreter = NoInterpreter { file: "app.ts".to_owned(), looked_for: &["bun", "node"] };
    insta::assert_snapshot!(render(&ResolveError::from(no_interpreter).into()), @r"
    error: cannot run `app.ts`: neither `bun` nor `node` is in PATH
    hint: install one, or add its directory to PATH
    ");
    insta::assert_snapshot!(render(&ResolveError::ConfigurationFile("ecosystem.config.js".to_owned()).into()), @r"
    error: `ecosystem.config.js` is a configuration file, and no program
    hint: name the app's own file instead, as in `pmr-runtime server.js`
    ");
    let extra = UsageError::ExtraWord { word: "3000".to_owned(), file: "server.js".to_owned(), start: false };
    insta::assert_snapshot!(render(&extra.into()), @r"
    error: `3000` stands after the file `server.js`, where only our own options are accepted
    hint: put the app's own words after `--`, as in `pmr-runtime server.js -- 3000`
    ");
}

#[test]
fn without_a_command_the_help_text_is_all() {
    let error = Error::from(UsageError::NoCommand { help: "the help\n".to_owned() });
    let mut output = Vec::new();
    assert_eq!(report(&error, &mut output), 2);
    assert_eq!(output, b"the help\n");
}

#[test]
fn the_docs_name_every_status() {
    let docs = include_str!("../../docs/exit-codes.md");
    for status in [OK, FAILED, USAGE, CONFIGURATION, NOT_EXECUTABLE, NOT_FOUND, KILLED] {
        assert!(docs.lines().any(|line| line.starts_with(&format!("| {status} |"))), "{status}");
    }
}
