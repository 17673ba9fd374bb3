//! Procfiles and formations: which of the types run, as what, and with which PORT.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;

use super::super::read::{Document, Kind, read};
use super::super::select::Choice;
use super::super::text::{Form, parse};
use super::super::translate::{Launches, World, translate};

const TEXT: &str =
    "clock: node clock.js\nrelease: npm run migrate\nweb: puma -p $PORT\nworker: node jobs.js\n";

fn launches(text: &str, choice: &Choice, variables: &[(&str, &str)]) -> Result<Launches, String> {
    let document = read("Procfile", &parse(Form::Procfile, text).unwrap()).unwrap();
    let document = Document { kind: Kind::Procfile, ..document };
    let environment: BTreeMap<OsString, OsString> =
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let world = World {
        environment: &environment,
        options: &[],
        in_path: &|_| true,
        is_file: &|_, _| false,
        read: &|cwd, path| match (cwd, path.to_str()) {
            (None, Some(".env")) => Ok("PORT=7000\n".to_owned()),
            _ => Err(io::Error::other("no such file")),
        },
    };
    translate("Procfile", &document, choice, &world)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// A line for each app: its words, and its PORT.
fn shown(launches: &Launches) -> String {
    let lines = launches.apps.iter().map(|launch| {
        let words: Vec<_> = launch.words.iter().map(|word| word.to_string_lossy()).collect();
        let port = launch.environment.get(OsStr::new("PORT")).cloned().flatten();
        let port = port.map_or_else(|| "as given".to_owned(), |port| port.to_string_lossy().into_owned());
        let own = if launch.has_port_of_its_own { " of its own" } else { "" };
        format!("{}: {}, PORT {port}{own}", launch.name, words.join(" "))
    });
    let remarks = launches.remarks.iter().map(|remark| format!("warning: {remark}"));
    lines.chain(remarks).collect::<Vec<_>>().join("\n")
}

fn formation(text: &str) -> Choice {
    Choice { formation: Some(text.to_owned()), ..Choice::default() }
}

#[test]
fn each_type_runs_once_but_release_and_web_alone_serves_port() {
    let all = launches(TEXT, &Choice::default(), &[("PORT", "5000")]).unwrap();
    insta::assert_snapshot!(shown(&all), @r"
    clock: --name=clock --instances=1 -- node clock.js, PORT 5100 of its own
    web: --name=web --instances=1 -- puma -p $PORT, PORT as given
    worker: --name=worker --instances=1 -- node jobs.js, PORT 5300 of its own
    warning: `Procfile`, app `release` is not run: it belongs to a deployment; `--formation release=1,all=1` runs it before the others
    ");
    let without = launches(TEXT, &Choice::default(), &[]).unwrap();
    assert!(without.apps.iter().all(|launch| launch.environment.is_empty()), "no port is made up");
}

#[test]
fn a_formation_says_how_many_of_which_and_nobody_else_runs() {
    let variables = [("PMR_FORMATION", "web=9"), ("PMR_INSTANCES", "8")];
    let chosen = launches(TEXT, &formation("web=2,release=1"), &variables).unwrap();
    insta::assert_snapshot!(shown(&chosen), @r"
    release: --name=release --instances=1 --no-autorestart -- npm run migrate, PORT as given of its own
    web: --name=web --instances=2 -- puma -p $PORT, PORT as given
    ");
    assert_eq!(chosen.apps[1].instances_by, Some("--formation"));
    let by_variable = launches(TEXT, &Choice::default(), &variables).unwrap();
    insta::assert_snapshot!(shown(&by_variable), @"web: --name=web --instances=9 -- puma -p $PORT, PORT as given");
}

#[test]
fn what_cannot_be_chosen_is_told() {
    let problem = |choice: &Choice, port| launches(TEXT, choice, &[("PORT", port)]).unwrap_err();
    insta::assert_snapshot!(problem(&formation("workr=1"), "5000"), @"`Procfile`, app `workr` is not known, did you mean `worker`?");
    insta::assert_snapshot!(problem(&formation("web=0"), "5000"), @"`Procfile`: none of its apps is to run");
    insta::assert_snapshot!(problem(&formation("worker=1"), "65400"), @"`Procfile`, app `worker`, `PORT`: there is no port 300 above 65400, accepted: a PORT up to 65235");
}

#[test]
fn a_file_of_variables_may_be_given_for_all() {
    let choice = Choice { env_files: vec![".env".to_owned()], ..formation("web=1,worker=1") };
    let launches = launches(TEXT, &choice, &[]).unwrap();
    insta::assert_snapshot!(shown(&launches), @r"
    web: --name=web --instances=1 -- puma -p $PORT, PORT 7000
    worker: --name=worker --instances=1 -- node jobs.js, PORT 7300 of its own
    ");
}
