//! The verbs that look: `show`, `env`, `id`, `pid`, `ping`, `version`, `report`, `events`.

use super::home::{Home, SECRET};
use crate::support::wait;

#[test]
fn show_tells_all_that_is_known_under_each_of_its_names() {
    let home = Home::with_web(2);
    for verb in ["show", "describe", "desc", "info"] {
        let show = home.pmr(0, &[verb, "web"]);
        for part in [
            "  name         web\n",
            "  command      node server.js\n",
            "  its version  v20.",
            "  mode         cluster\n",
            "\nInstances\n",
            "\nListeners\n",
            " waiting\n",
            "  output log ",
        ] {
            assert!(show.contains(part), "{verb}: no `{part}` in\n{show}");
        }
        for setting in
            ["instances 2 (--instances)", "kill-timeout 25s (default)", "restart-delay none (default)"]
        {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(show.lines().any(|line| words(line) == setting), "{verb}: no `{setting}` in\n{show}");
        }
        assert!(!show.contains(SECRET), "{show}");
    }
    home.pmr(0, &["scale", "web", "3"]);
    let show = home.pmr(0, &["show", "web"]);
    assert!(
        show.lines().any(|line| line.starts_with("  instances  ") && line.ends_with(" (scaled, from 2)")),
        "{show}"
    );
    let one = home.json(&["show", "1", "--json"]);
    let instances = one[0]["instances"].as_array().unwrap();
    assert_eq!((instances.len(), &instances[0]["id"]), (1, &1.into()));
    home.pmr(0, &["signal", "KILL", "1"]);
    wait::until("the last exit", || home.pmr(0, &["show", "web"]).contains("SIGKILL").then_some(()));
    home.pmr(0, &["kill"]);
}

#[test]
fn env_hides_what_looks_secret_until_it_is_to_be_revealed() {
    let home = Home::with_web(1);
    let hidden = home.pmr(0, &["env", "web"]);
    assert!(
        hidden.contains("API_TOKEN=(hidden: --reveal shows it)\n") && !hidden.contains(SECRET),
        "{hidden}"
    );
    assert!(hidden.contains("NODE_APP_INSTANCE=0\n") && hidden.contains("LANG=C.UTF-8\n"), "{hidden}");
    assert!(home.json(&["env", "0", "--json"])[0]["variables"]["API_TOKEN"].is_null());
    assert!(home.pmr(0, &["env", "web", "--reveal"]).contains(&format!("API_TOKEN={SECRET}\n")));
    let revealed = home.json(&["env", "web", "--json", "--reveal"]);
    assert_eq!(revealed[0]["variables"]["API_TOKEN"], SECRET);
    home.pmr(0, &["kill"]);
}

#[test]
fn numbers_are_printed_one_a_line() {
    let home = Home::with_web(2);
    home.pmr(0, &["start", "server.js", "--name", "api"]);
    assert_eq!(home.pmr(0, &["id", "web"]), "0\n1\n");
    assert_eq!(home.pmr(0, &["id", "all", "--json"]), "[0,1,2]\n");
    let (web, api) = (home.pmr(0, &["pid", "web"]), home.pmr(0, &["pid", "api"]));
    assert_eq!((web.lines().count(), api.lines().count()), (2, 1));
    assert_eq!(home.pmr(0, &["pid"]), web + &api);
    assert_eq!(home.pmr(0, &["pid", "2"]), api);
    home.pmr(0, &["kill"]);
}

#[test]
fn ping_and_version_tell_who_answers() {
    let home = Home::new();
    let mut runtime = home.foreground(&["server.js"]);
    let (version, pid) = (env!("CARGO_PKG_VERSION"), runtime.pid());
    let socket = home.of_runtime().join("pmr.sock");
    let pong = format!("pong from pmr-runtime {version}, pid {pid}, at {}\n", socket.display());
    assert_eq!(home.pmr(0, &["ping"]), pong);
    assert_eq!(home.json(&["ping", "--json"])["pid"], pid);
    assert_eq!(home.pmr(0, &["version"]), format!("pmr {version}\nruntime {version}, pid {pid}\n"));
    assert_eq!(home.json(&["version", "--json"])["runtime"], version);
    runtime.stops();
    assert!(home.json(&["version", "--json"])["runtime"].is_null());
}

#[test]
fn a_report_holds_what_is_asked_for_first_and_no_secret() {
    let home = Home::with_web(1);
    home.pmr(0, &["signal", "KILL", "web"]);
    wait::until("the runtime to have told of it", || {
        home.pmr(0, &["report"]).contains("worker ended by SIGKILL").then_some(())
    });
    let report = home.pmr(0, &["report"]);
    for part in [
        "Runtime\n",
        "  mode ",
        "background",
        "\nMachine\n",
        "  kernel ",
        "│ web ",
        "\nSettings\n",
        "\nLast lines",
    ] {
        assert!(report.contains(part), "no `{part}` in\n{report}");
    }
    assert!(!report.contains(SECRET) && !report.contains("API_TOKEN"), "{report}");
    home.pmr(0, &["kill"]);
}

#[test]
fn events_are_told_as_they_happen() {
    let home = Home::with_web(1);
    let mut plain = home.follow(&["events"]);
    let mut json = home.follow(&["events", "--json"]);
    // Nothing says that they listen by now, so there is something to tell again and again.
    wait::until("events", || {
        home.pmr(0, &["restart", "web"]);
        let seen = plain.out.text().contains("worker ready") && json.out.text().contains("worker ready");
        seen.then_some(())
    });
    let text = plain.out.text();
    let line = text.lines().find(|line| line.contains("worker ready")).unwrap();
    assert!(line.contains("Z info  web 0: worker ready"), "{line}");
    let text = json.out.text();
    let event: serde_json::Value =
        serde_json::from_str(text.lines().find(|line| line.contains("worker ready")).unwrap()).unwrap();
    assert_eq!((&event["app"], &event["id"]), (&"web".into(), &0.into()));
    assert_eq!(plain.end(), 143);
    home.pmr(0, &["kill"]);
    assert_eq!(json.status(), 0);
    assert_eq!(json.err.text(), "the runtime has ended\n");
}
