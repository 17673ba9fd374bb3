//! Verbs that take a configuration file: its apps become what it says, or stop, or go.

use super::home::Home;
use crate::support::http::get;
use crate::support::ports::free_port;
use crate::support::wait;

/// With `web.js`, which answers with what it was given, and a file that declares it.
fn home(port: u16) -> Home {
    let home = Home::new();
    home.write(
        "web.js",
        "require('http').createServer((_, r) => r.end(process.env.WHO + process.argv[2])).listen(process.env.PORT);",
    );
    write(&home, port, "one", 1);
    home
}

fn write(home: &Home, port: u16, who: &str, instances: u32) {
    home.write(
        "apps.json",
        &format!(
            "[{{ name: 'web', script: 'web.js', args: '{who}', instances: {instances}, env: {{ WHO: '{who}', PORT: {port} }} }},
              {{ name: 'jobs', script: 'sleep 1000', namespace: 'back' }}]"
        ),
    );
}

#[test]
fn a_reload_of_a_file_takes_over_what_has_changed() {
    let port = free_port();
    let home = home(port);
    home.pmr(0, &["startOrReload", "apps.json", "--only", "web"]);
    let answer = wait::until("an answer", || get(port, "/").ok());
    assert!(answer.ends_with("oneone"), "{answer}");
    home.pmr(0, &["scale", "web", "2"]);
    write(&home, port, "two", 3);
    let result = home.pmr(0, &["reload", "apps.json"]);
    assert!(result.contains("✓ web: reloaded, 2 instances, generation 2"), "{result}");
    assert!(result.contains(", then scaled to 3 instances"), "{result}");
    assert!(result.contains("✓ jobs: started"), "one that was not there is started: {result}");
    let answer = wait::until("an answer", || get(port, "/").ok());
    assert!(answer.ends_with("twotwo"), "{answer}");
    // It is that from now on.
    home.pmr(0, &["restart", "web"]);
    assert!(wait::until("an answer", || get(port, "/").ok()).ends_with("twotwo"));
    assert_eq!(home.pids("web").len(), 3);
    home.pmr(0, &["kill"]);
}

#[test]
fn what_is_wrong_with_a_file_changes_nothing() {
    let port = free_port();
    let home = home(port);
    home.pmr(0, &["start", "apps.json"]);
    let before = (home.pids("web"), home.pids("jobs"));
    home.write("apps.json", "[{ name: 'web', script: 'web.js' }, { name: 'jobs', script: 'gone.js' }]");
    let text = home.pmr(1, &["reload", "apps.json"]);
    assert!(text.contains("nothing was changed") && text.contains("`gone.js`"), "{text}");
    home.write("apps.json", "[{ name: 'web', script: 'web.js', instnces: 2 }]");
    assert!(home.pmr(2, &["reload", "apps.json"]).contains("did you mean `instances`?"));
    home.write("apps.json", "[{ name: 'web', script: 'web.js', min_uptime: 0, interpreter: 'false' }]");
    assert!(home.pmr(1, &["reload", "apps.json"]).contains("reload called off, the old workers go on"));
    assert_eq!((home.pids("web"), home.pids("jobs")), before);
    home.pmr(0, &["kill"]);
}

#[test]
fn the_apps_of_a_file_stop_start_and_go() {
    let port = free_port();
    let home = home(port);
    home.pmr(0, &["start", "apps.json"]);
    home.pmr(0, &["stop", "apps.json", "--only", "web"]);
    assert!(home.pids("web").is_empty() && home.pids("jobs").len() == 1);
    write(&home, port, "two", 2);
    let result = home.pmr(0, &["start", "apps.json"]);
    assert!(result.contains("✓ web: restarted") && result.contains("✓ jobs: reloaded"), "{result}");
    assert!(wait::until("an answer", || get(port, "/").ok()).ends_with("twotwo"));
    assert_eq!(home.pids("web").len(), 2);
    assert!(home.pmr(0, &["restart", "back"]).contains("✓ jobs: restarted"), "a namespace is a target");
    home.pmr(0, &["delete", "apps.json"]);
    assert!(home.pmr(1, &["show", "web"]).contains("there is no app"));
    assert!(home.pmr(1, &["show", "jobs"]).contains("there is no app"));
    home.pmr(0, &["kill"]);
}
