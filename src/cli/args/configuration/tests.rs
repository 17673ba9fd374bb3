//! Command lines that name a configuration file, or almost.

use super::super::{Request, UsageError, parse};
use super::*;

fn parse_line(line: &str) -> Result<Request, UsageError> {
    let words = std::iter::once("pmr-runtime").chain(line.split_whitespace()).map(OsString::from);
    parse(words, &|_, file| {
        let known = ["ecosystem.config.js", "app.json", "server.js"].iter().any(|known| file == *known);
        if known { Found::File } else { Found::Nothing }
    })
}

#[track_caller]
fn request(line: &str) -> FileRequest {
    match parse_line(line) {
        Ok(Request::Configuration(request)) => *request,
        other => panic!("`{line}` is {other:?}"),
    }
}

#[test]
fn a_configuration_file_is_known_by_its_name_with_or_without_start() {
    for line in
        ["app.json", "start app.json", "-i 2 app.json", "start -i 2 app.json --only a", "--env x app.json"]
    {
        assert_eq!(request(line).file, std::path::Path::new("app.json"), "{line}");
    }
    for line in ["start", "start -i 2", "start --only a"] {
        assert_eq!(request(line).file, std::path::Path::new("ecosystem.config.js"), "{line}");
    }
    // After `start` it is one even where it is missing, so that its absence is told.
    assert_eq!(request("start missing.yaml").file, std::path::Path::new("missing.yaml"));
    for line in ["server.js", "start server.js", "missing.json", "node app.json", "-- app.json"] {
        assert!(matches!(parse_line(line), Ok(Request::Run(_))), "{line}");
    }
}

#[test]
fn our_options_are_passed_on_each_in_one_word() {
    let request = request("-i 2 app.json --kill-timeout=5s --wait-ready -i 4 --only a,b --env production");
    assert_eq!(request.options, ["--instances=4", "--kill-timeout=5s", "--wait-ready"]);
    let choice = Choice {
        only: Some("a,b".to_owned()),
        environment: Some("production".to_owned()),
        ..Choice::default()
    };
    assert_eq!(request.choice, choice);
}

#[test]
fn what_does_not_belong_there_is_told() {
    let shown: Vec<String> = [
        "app.json --bogus",
        "app.json --onyl a",
        "app.json x",
        "app.json -- --port 3",
        "start app.json --only",
    ]
    .map(|line| {
        let error = parse_line(line).unwrap_err();
        let hint = error.hint().map_or(String::new(), |hint| format!("\n    {hint}"));
        format!("{line}\n    {error}{hint}")
    })
    .to_vec();
    insta::assert_snapshot!(shown.join("\n"), @r"
    app.json --bogus
        unknown option `--bogus`
        `pmr-runtime --help` lists our own options; those of an app are its `args` in the file
    app.json --onyl a
        unknown option `--onyl`
        did you mean `--only`?
    app.json x
        `x` stands behind the configuration file `app.json`, which has the words of its apps itself
        write them into `args` of the app that is meant
    app.json -- --port 3
        `--port` stands behind the configuration file `app.json`, which has the words of its apps itself
        write them into `args` of the app that is meant
    start app.json --only
        `--only <APP,APP>` needs a value
    ");
}
