//! Every route, each answered.

use serde_json::json;

use super::client::{ask, get, post, raw};
use super::world::{run, run_at};
use crate::api::types::Mode;
use crate::control::place::{Candidate, Place};
use crate::driver::handle::Change;

#[test]
fn what_there_is_can_be_read() {
    run(async |world| {
        assert!(get(&world.place, "/v1/ping").await.json()["pid"].is_number());
        let runtime = get(&world.place, "/v1/runtime").await.json();
        assert_eq!(runtime["socket"], world.place.to_string());
        assert!(runtime["memory_bytes"].is_number() && runtime["machine"]["kernel"].is_string(), "{runtime}");
        let apps = get(&world.place, "/v1/apps").await.json();
        assert_eq!((&apps[0]["name"], &apps[1]["name"]), (&json!("web"), &json!("api")));
        assert_eq!(apps[0]["instances"][0]["node"]["http"]["in_flight"], 7);
        assert!(apps[0]["instances"][1]["node"].is_null() && apps[1]["instances"][0]["node"].is_null());
        let shown = get(&world.place, "/v1/apps/1").await.json();
        assert_eq!((shown.as_array().unwrap().len(), &shown[0]["instances"][0]["id"]), (1, &json!(1)));
        assert_eq!(get(&world.place, "/v1/apps/%2F%5Ea%2F").await.json()[0]["name"], "api");
        let lines = get(&world.place, "/v1/logs?target=web&lines=3&stream=out").await.json();
        assert_eq!(lines.as_array().unwrap().len(), 3);
        assert_eq!(get(&world.place, "/v1/logs").await.json().as_array().unwrap().len(), 15);
        assert_eq!(serde_json::to_value(Mode::Foreground).unwrap(), runtime["mode"]);
    });
}

#[test]
fn crashes_are_listed_and_each_can_be_read() {
    run(async |world| {
        let crashes = get(&world.place, "/v1/crashes").await.json();
        assert_eq!((crashes.as_array().unwrap().len(), &crashes[0]["cause"]), (1, &json!("exception")));
        assert!(crashes[0]["logs"].is_null());
        let crash = get(&world.place, "/v1/crashes/7").await.json();
        assert_eq!((&crash["id"], &crash["logs"][0]["text"]), (&json!(7), &json!("listening")));
        let told = get(&world.place, "/v1/crashes/8").await.error();
        assert_eq!(told, "404 unknown_crash: there is no crash 8 (`pmr crashes` shows those that are kept)");
        assert_eq!(
            get(&world.place, "/v1/crashes/x").await.error(),
            "400 bad_request: found `x`, accepted: the number of a crash (-)"
        );
    });
}

#[test]
fn secrets_are_shown_only_when_asked_for() {
    run(async |world| {
        let hidden = get(&world.place, "/v1/apps/all/env").await.json();
        let expected = json!({ "app": "web", "id": 0, "variables": { "PMR_INSTANCE": "0", "TOKEN": null } });
        assert_eq!((hidden.as_array().unwrap().len(), &hidden[0]), (2, &expected));
        let shown = get(&world.place, "/v1/apps/1/env?reveal=true").await.json();
        assert_eq!(
            (&shown[0]["variables"]["TOKEN"], &shown[0]["variables"]["PMR_INSTANCE"]),
            (&json!("t0p"), &json!("1"))
        );
    });
}

#[test]
fn a_worker_looks_into_itself_and_the_answer_is_the_file() {
    run(async |world| {
        for (path, kind) in [
            ("web/snapshot", "heapsnapshot"),
            ("web/profile?seconds=1", "cpuprofile"),
            ("web/profile?heap", "heapprofile"),
            ("0/report", "json"),
        ] {
            let reply = post(&world.place, &format!("/v1/apps/{path}"), "").await;
            assert_eq!((reply.status, reply.body.as_str()), (200, "{}"), "{path}");
            let disposition = format!("attachment; filename=\"web-0-19700101T000000.{kind}\"");
            assert_eq!(reply.headers["content-disposition"], disposition);
            assert_eq!(reply.headers["content-length"], "2");
        }
        let failed = post(&world.place, "/v1/apps/api/report", "").await.error();
        let said = "500 failed: worker 42 (`api`, instance 0) could not do it: there is no space left for the file \
            (TMPDIR names a directory with more room)";
        assert_eq!(failed, said);
        let several = post(&world.place, "/v1/apps/all/report", "").await.error();
        assert!(several.starts_with("409 refused: `all` means 2 apps"), "{several}");
        assert_eq!(post(&world.place, "/v1/apps/web/snapshot?seconds=1", "").await.status, 400);
        assert_eq!(post(&world.place, "/v1/apps/web/snapshot", "x").await.status, 400);
    });
}

#[test]
fn reports_are_left_out_where_nobody_wants_them() {
    run(async |world| {
        let node = async |query: &str| {
            let apps = get(&world.place, &format!("/v1/apps/web{query}")).await.json();
            apps[0]["instances"][0]["node"].is_object()
        };
        assert!(node("").await && node("?node=true").await);
        assert!(!node("?node=false").await);
    });
}

#[test]
fn an_action_is_answered_or_not_in_time_or_not_at_all() {
    run(async |world| {
        let trigger = async |body: &str| post(&world.place, "/v1/apps/all/trigger", body).await;
        let reply = trigger(r#"{"action":"refresh","parameter":["any",1]}"#).await;
        assert_eq!((reply.status, &reply.json()["replies"][1]["answers"]), (200, &json!([{ "done": true }])));
        for (body, error) in [
            (r#"{"action":"silent","timeout_ms":1}"#, "no answer within 1 ms"),
            (r#"{"action":"lost"}"#, "its worker has ended before it answered"),
            (r#"{"action":"other"}"#, "it has no action `other`"),
        ] {
            let reply = trigger(body).await;
            let first = &reply.json()["replies"][0];
            assert_eq!((reply.status, &first["ok"], &first["error"]), (409, &json!(false), &json!(error)));
        }
        assert_eq!(trigger(r#"{"action":""}"#).await.status, 400);
        assert_eq!(trigger("{}").await.status, 400);
    });
}

#[test]
fn every_change_reaches_the_driver() {
    run(async |world| {
        for (verb, body) in [
            ("start", ""),
            ("stop", ""),
            ("restart", r#"{"environment":[["A","b"]]}"#),
            ("reload", r#"{"parallel":"2"}"#),
            ("scale", r#"{"to":"+1"}"#),
            ("signal", r#"{"signal":"USR2"}"#),
            ("reset", ""),
            ("flush", "{}"),
            ("send", r#"{"data":{"a":1},"topic":"log"}"#),
        ] {
            let reply = post(&world.place, &format!("/v1/apps/web/{verb}"), body).await;
            assert_eq!(
                (reply.status, &reply.json()["verdicts"][0]["operation"]),
                (200, &json!(verb)),
                "{reply:?}"
            );
        }
        assert_eq!(
            ask(&world.place, "DELETE", "/v1/apps/all", "", "").await.json()["verdicts"][1]["app"],
            "api"
        );
        let changes = world.driver.changes.take();
        assert_eq!(changes.len(), 10);
        assert!(matches!(changes[9], (ref targets, Change::Delete) if targets.len() == 2));
        let added =
            post(&world.place, "/v1/apps", r#"{"words":["new.js"],"directory":"/","environment":[]}"#).await;
        assert_eq!(added.json()["verdicts"][0]["app"], "new");
        for verb in ["kill", "update"] {
            let reply = post(&world.place, &format!("/v1/runtime/{verb}"), "").await;
            assert_eq!(reply.json()["verdicts"][0]["operation"], verb);
        }
    });
}

#[test]
fn what_runs_is_written_down() {
    run(async |world| {
        let reply = post(&world.place, "/v1/runtime/save", "").await;
        let path = world.directory.path().join("home/dump.json");
        assert_eq!(reply.json()["verdicts"][0]["message"], format!("saved 1 app to `{}`", path.display()));
        let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(saved[0]["words"], json!(["web.js"]));
    });
}

#[test]
fn a_verdict_that_is_not_ok_is_a_conflict() {
    run(async |world| {
        let reply = post(&world.place, "/v1/apps/web/reload", r#"{"dry_run":true}"#).await;
        assert_eq!(
            (reply.status, &reply.json()["verdicts"][0]["last_lines"][0]),
            (409, &json!("Error: boom"))
        );
    });
}

#[test]
fn what_is_wrong_with_a_request_is_told_in_words() {
    run(async |world| {
        let place = &world.place;
        let mut told = Vec::new();
        for path in
            ["/v1/apps/wbe", "/v1/app", "/v1/apps?x=1", "/v1/logs?lines=x&stream=y", "/v1/events?target=wbe"]
        {
            told.push(get(place, path).await.error());
        }
        for (path, body) in [
            ("/v1/apps/web/scale", r#"{"to":"none"}"#),
            ("/v1/apps/0/scale", r#"{"to":"1"}"#),
            ("/v1/apps", r#"{"words":["web.js"],"directory":"/","environment":[]}"#),
            ("/v1/apps/web", ""),
        ] {
            told.push(post(place, path, body).await.error());
        }
        insta::assert_snapshot!(told.join("\n"), @"
        404 unknown_target: there is no app, instance or namespace `wbe` (did you mean `web`?)
        404 unknown_route: there is no route `/v1/app` (there is `GET /v1/apps`, `POST /v1/apps`, `GET /v1/ping`)
        400 bad_request: `x` is not known here, accepted: `node` (-)
        400 bad_request: 2 things are wrong with the request (-)
        404 unknown_target: there is no app, instance or namespace `wbe` (did you mean `web`?)
        400 bad_request: `to`: found `none`, accepted: a number from 1 to 1024, `+1`, `-1` (-)
        409 refused: this is one of several instances of `web`; scale takes whole apps (name the app: `web`)
        409 name_taken: there is an app `web` already (-)
        405 method_not_allowed: accepted here: GET, DELETE (-)
        ");
        let reply = ask(place, "PUT", "/v1/apps/web", "", "").await;
        assert_eq!((reply.status, reply.headers["allow"].as_str()), (405, "GET, DELETE"));
    });
}

#[test]
fn a_runtime_that_is_ending_says_so() {
    run(async |world| {
        world.end_driver();
        tokio::task::yield_now().await;
        assert_eq!(get(&world.place, "/v1/apps").await.error(), "503 ending: the runtime is ending (-)");
    });
}

#[test]
fn the_oldest_form_of_a_request_is_enough() {
    run(async |world| {
        let reply = raw(&world.place, b"GET /v1/ping HTTP/1.0\r\n\r\n").await;
        assert_eq!((reply.status, reply.body.ends_with("}\n")), (200, true));
    });
}

#[test]
fn the_abstract_namespace_serves_as_well() {
    let name = format!("pmr-test-routes-{}", std::process::id());
    run_at(Some(Candidate::Abstract(name.clone())), async |world| {
        assert_eq!(world.place, Place::Abstract(name));
        assert_eq!(get(&world.place, "/v1/ping").await.status, 200);
    });
}
