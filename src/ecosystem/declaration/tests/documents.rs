//! Whole documents, and that the schema says of them what the parser says.

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::super::key::Key;
use super::super::keys::{KEYS, TOP, TopKey};
use super::super::read::read;
use super::super::schema;

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema::schema()).unwrap()
}

/// Values of all types, none of which only the parser can judge.
fn values() -> Vec<Value> {
    let all = json!([
        null, true, false, 0, 1, -1, 3, 99, 100, 255, 256, 1024, 1025, 1600, 3000, 65535, 65536, 1.5, 4294967295_u32,
        4294967296_u64, 31536000000_u64, 31536000001_u64, "", "0", "1", "-1", "4", "true", "false", "yes", "max",
        "auto", "fork", "cluster_mode", "json", "raw", "text", "debug", "reload", "forward", "none", "reuseport",
        "SIGTERM", "USR2", "15", "5s", "1.5m", "250ms", "0s", "2h", "5 s", "300M", "1.5G", "300MB", "1.5", "a b",
        "/health", "tcp", "cmd:true", "http://:80/", "0 3 * * *", "*/5 * * * * *", "* * *", "server.js", "NULL", [],
        [1], [0, 255], ["a"], ["a", "b"], [""], [true], [null], [[]], {}, { "A": "1" }, { "A": 1, "B": null },
        { "A": { "b": [] } }, { "A=B": "1" }, { "script": "a.js" }, [{ "script": "a.js" }],
    ]);
    all.as_array().unwrap().clone()
}

#[track_caller]
fn assert_agreement(validator: &Validator, document: &Value) {
    let (read, valid) = (read("f", document), validator.is_valid(document));
    assert_eq!(read.is_ok(), valid, "parser (left) and schema (right) differ on {document}: {read:?}");
}

#[test]
fn the_schema_accepts_what_the_parser_takes_and_nothing_else() {
    let validator = validator();
    let others = ["env_production", "env_", "instnces", "env"].map(str::to_owned);
    for name in KEYS.iter().flat_map(Key::names).chain(others) {
        for value in values() {
            let is_signal = ["kill_signal", "killSignal"].contains(&name.as_str());
            // A schema does not know the names of signals, and text that looks like one.
            if is_signal && value.is_string() {
                continue;
            }
            let mut app = Map::new();
            if !["script", "exec", "cmd", "command"].contains(&name.as_str()) {
                app.insert("script".to_owned(), "a.js".into());
            }
            app.insert(name.clone(), value);
            assert_agreement(&validator, &Value::Object(app));
        }
    }
}

#[test]
fn the_schema_and_the_parser_agree_on_the_form_of_a_file() {
    let validator = validator();
    let app = || json!({ "script": "a.js" });
    for name in TOP.iter().flat_map(TopKey::names).chain(["Apps".to_owned(), "log-level".to_owned()]) {
        for value in values() {
            let mut file = Map::new();
            if !["apps", "pm2"].contains(&name.as_str()) {
                file.insert("apps".to_owned(), json!([app()]));
            }
            file.insert(name.clone(), value);
            // No app at all: a schema would have to name each combination.
            let is_null = |name: &str| file.get(name).is_some_and(Value::is_null);
            if !is_null("apps") && !is_null("pm2") {
                assert_agreement(&validator, &Value::Object(file));
            }
        }
    }
    for document in [
        json!([app()]),
        app(),
        json!([]),
        json!([app(), {}]),
        json!({}),
        json!("x"),
        json!(null),
        json!([[]]),
    ] {
        assert_agreement(&validator, &document);
    }
}

#[test]
fn all_problems_are_reported_at_once_each_with_its_place() {
    let document = json!({
        "apps": [
            { "name": "web", "script": "a.js", "exec": "b.js", "instances": "many", "kill_timout": 5 },
            { "watch": 5, "env_test": [] },
            7,
            { "script": "c.js", "static": true },
        ],
        "deploy": { "production": {} },
        "static": [],
        "log_level": "loud",
        "app": [],
    });
    let problems: Vec<String> =
        read("ecosystem.config.js", &document).unwrap_err().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn what_is_no_configuration_at_all_is_told_in_one_line() {
    for document in
        [json!({ "name": "x", "version": "1.0.0" }), json!(null), json!([]), json!({ "apps": null })]
    {
        assert_eq!(read("f", &document).unwrap_err().len(), 1, "{document}");
    }
    let package = read("package.json", &json!({ "name": "x", "version": "1.0.0" })).unwrap_err();
    insta::assert_snapshot!(package[0], @"`package.json`: found neither `apps` nor `script`, accepted: a list of apps, an object with `apps`, or one app with its `script`");
}

#[test]
fn what_is_no_data_is_named() {
    let function = json!({ super::super::text::NOT_DATA: "a function" });
    let problem = |key: &str, value: Value| {
        read("f", &json!({ "script": "a.js", key: value })).unwrap_err().remove(0).to_string()
    };
    insta::assert_snapshot!(problem("instances", function.clone()), @"`f`, app `apps[0]`, `instances`: found a function, accepted: a whole number up to 1024, `max` or 0 for the CPUs, a negative one for so many fewer, `auto`, or a range such as `2..8`");
    insta::assert_snapshot!(problem("env", json!({ "A": function })), @"`f`, app `apps[0]`, `env`: found `A`, accepted: a text without a NUL character, a number, `true`, `false`, an object or `null`");
}

#[test]
fn deploy_is_out_of_scope_and_its_line_says_so() {
    let read = read("f", &json!({ "apps": [{ "script": "a.js" }], "deploy": {} })).unwrap();
    insta::assert_snapshot!(read.remarks[0], @"`f`, `deploy` has no effect: sources are deployed by git, rsync or an image, then `pmr reload`");
}
