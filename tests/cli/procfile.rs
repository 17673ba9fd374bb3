//! Procfiles: each type an app, as many as the formation says.

use super::home::{Home, outputs};
use crate::support::http::get;
use crate::support::launch::Launch;
use crate::support::ports::free_port;
use crate::support::wait;

const TEXT: &str = "# all that there is
web: node web.js
worker: exec node worker.js \"$WHO\" 'a b'
release: echo migrated
";

/// With a Procfile in it.
fn home() -> Home {
    let home = Home::new();
    home.write("Procfile", TEXT);
    home.write("web.js", "require('http').createServer((_, r) => r.end('web')).listen(process.env.PORT);");
    home.write(
        "worker.js",
        "console.log(process.argv.slice(2).join(), process.env.PORT); setInterval(() => {}, 1000);",
    );
    home
}

#[test]
fn each_type_of_a_procfile_runs_and_web_alone_serves_port() {
    let home = home();
    home.write("x.env", "WHO=me\n");
    let port = free_port();
    let words = ["start", "Procfile", "--formation", "web=2,worker=1", "--env-file", "x.env"];
    let launch = Launch::new(words).directory(home.path()).env("PORT", port.to_string());
    let mut runtime = launch.env("PMR_HOME", home.of_runtime()).spawn();
    runtime.stderr_line(&["starting 2 instances: --formation", "app=web"]);
    runtime.stdout_line(&format!("me,a b {}", port + 100));
    let answer = wait::until("an answer", || get(port, "/").ok());
    assert!(answer.ends_with("web"), "{answer}");
    runtime.until_ready(3);
    assert!(home.pmr(0, &["list"]).contains("2 apps, 3 of 3 instances online"));
    let show = home.json(&["show", "web", "--json"])[0].take();
    let settings = show["settings"].as_array().unwrap();
    let instances = settings.iter().find(|setting| setting["name"] == "instances").unwrap();
    assert_eq!((&instances["value"], &instances["origin"]), (&"2".into(), &"--formation".into()));
    runtime.stops();
}

#[test]
fn without_a_formation_each_type_runs_once_but_the_release() {
    let home = home();
    let result = home.both(0, &["start", "Procfile"]);
    assert!(result.0.contains("✓ web: started, 1 instance") && result.0.contains("✓ worker: started"));
    assert!(result.1.contains("app `release` is not run: it belongs to a deployment"), "{}", result.1);
    assert!(home.pmr(0, &["list"]).contains("2 apps, 2 of 2 instances online"));
    home.pmr(0, &["kill"]);
}

#[test]
fn a_wrong_procfile_or_formation_starts_nothing() {
    let home = home();
    home.write("Procfile.bad", "web: node web.js\nnode worker.js\n");
    for (words, part) in [
        (vec!["Procfile.bad"], "cannot read `Procfile.bad`: line 2 is not `TYPE: COMMAND`"),
        (vec!["Procfile", "-m", "workr=2"], "app `workr` is not known, did you mean `worker`?"),
        (vec!["start", "Procfile", "-m", "web"], "`--formation`: found `web`, accepted: names of apps with"),
    ] {
        let (result, told) = outputs(&home.command("pmr-runtime", &words).output().unwrap(), 78, &words);
        assert!(told.contains(part) && result.is_empty(), "{told}");
    }
    let text = home.pmr(0, &["validate", "Procfile", "-m", "web=1"]);
    assert_eq!(text, "`Procfile` is right: 1 app (web)\n");
}
