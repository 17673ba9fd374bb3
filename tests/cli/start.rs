//! `pmr start`: what is added, where it goes, and what is said when it cannot be.

use super::home::{Home, SECRET, outputs};
use crate::support::{http, processes, wait};

#[test]
fn where_none_is_running_one_is_begun_in_the_background() {
    let home = Home::new();
    let (result, told) = home.both(0, &["start", "server.js", "-i", "2", "--name", "web"]);
    assert!(result.starts_with("✓ web: started, 2 instances in "), "{result}");
    let place = home.of_runtime().display().to_string();
    assert_eq!(told, format!("began a runtime in the background, with its home at {place}\n"));
    assert!(
        home.pmr(0, &["ping"]).ends_with(&format!(" at {place}/pmr.sock\n")),
        "nobody else has that name"
    );
    let list = home.pmr(0, &["list"]);
    assert!(list.contains("│ web ") && list.contains("1 app, 2 of 2 instances online"), "{list}");
    // It is nobody's child and in a session of its own, so that it outlives who began it.
    let pid: i32 = home.json(&["ping", "--json"])["pid"].as_i64().unwrap().try_into().unwrap();
    assert_eq!(processes::group(pid), Some(pid));
    home.pmr(0, &["kill"]);
    wait::until("the end of all that was started", || (home.processes() == 0).then_some(()));
    assert!(home.pmr(1, &["ping"]).contains("no runtime is running"));
}

#[test]
fn a_web_server_comes_with_the_first_app_that_asks_for_one() {
    let home = Home::with_web(1);
    assert!(!home.pmr(0, &["list"]).contains("web server"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (_, told) = home.both(0, &["start", "server.js", "--web", &address, "--name", "first"]);
    assert_eq!(told, "there is no web server: `pmr logs` says why\n");
    assert!(home.read("logs/pmr.log").contains(&format!("no web server: cannot listen at {address}")));
    let (_, told) = home.both(0, &["start", "server.js", "--web=0", "--name", "second"]);
    let address = told.trim_end().strip_prefix("web server at http://").unwrap().to_owned();
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    let line = format!("web server at http://{address}\n");
    let asked = || http::get(port, "/readyz").unwrap();
    assert_eq!(asked(), "ok\n");
    let history = || http::get(port, "/v1/history").ok().filter(|body| body.contains("\"series\""));
    wait::until("figures that are kept", || history().map(drop));
    for words in [["list"].as_slice(), &["show", "web"]] {
        assert!(home.pmr(0, words).ends_with(&line), "{words:?}");
    }
    let (_, told) = home.both(0, &["start", "server.js", "--web", "0", "--name", "third"]);
    assert_eq!(told, format!("web server at http://{address}, as before\n"));
    home.pmr(0, &["update"]);
    assert_eq!(asked(), "ok\n");
    assert!(home.pmr(0, &["list"]).ends_with(&line));
    home.pmr(0, &["kill"]);
}

#[test]
fn a_runtime_that_is_begun_for_an_app_has_the_web_server_that_is_asked_for() {
    let home = Home::new();
    let (_, told) = home.both(0, &["start", "server.js", "--web", "0"]);
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        lines[0].starts_with("began a runtime") && lines[1].starts_with("web server at http://127"),
        "{told}"
    );
    home.pmr(0, &["kill"]);
}

#[test]
fn of_commands_at_the_same_time_one_begins_the_runtime() {
    let home = Home::new();
    let start = |name: &'static str| home.follow(&["start", "server.js", "--name", name]);
    let mut all = ["a", "b", "c", "d"].map(start);
    let statuses = all.each_mut().map(super::home::Following::status);
    let told: String = all.iter().map(|command| command.out.text() + &command.err.text()).collect();
    assert_eq!(statuses, [0; 4], "{told}");
    assert_eq!(told.matches("began a runtime").count(), 1, "{told}");
    assert!(home.pmr(0, &["list"]).contains("4 apps, 4 of 4 instances online"));
    home.pmr(0, &["kill"]);
}

#[test]
fn an_app_is_added_to_the_one_that_runs_in_the_foreground() {
    let home = Home::new();
    let mut runtime = home.foreground(&["server.js", "--name", "web"]);
    home.write("other.js", "setInterval(() => {}, 1000); console.log(process.argv.slice(2).join());");
    let (result, told) = home.both(0, &["start", "other.js", "--name", "other", "--", "--name", "x"]);
    assert!(result.starts_with("✓ other: started, 1 instance in ") && told.is_empty(), "{result}{told}");
    runtime.stdout_line("--name,x");
    let result = home.pmr(0, &["start", "sh", "-n", "shell", "--", "-c", "exec sleep 1000"]);
    assert!(result.starts_with("✓ shell: started"), "{result}");
    assert!(home.pmr(0, &["list"]).contains("3 apps, 3 of 3 instances online"));
    home.pmr(0, &["kill"]);
    runtime.ends_with(0);
}

#[test]
fn an_app_that_was_stopped_is_started_by_its_name_and_by_its_number() {
    let home = Home::with_web(1);
    for target in ["web", "0", "all"] {
        home.pmr(0, &["stop", "web"]);
        assert!(home.pmr(0, &["list"]).contains("0 of 1 instance online"));
        assert!(home.pmr(0, &["start", target]).starts_with("✓ web: started, 1 instance"), "{target}");
        assert!(home.pmr(0, &["list"]).contains("1 of 1 instance online"));
    }
    assert_eq!(home.pmr(0, &["start", "web"]), "✓ web: runs already, 1 instance\n");
    let told = home.pmr(1, &["start", "server.js", "--name", "web"]);
    assert!(told.contains("there is an app named `web` already\nhint: `pmr restart web`"), "{told}");
    home.pmr(0, &["kill"]);
}

#[test]
fn what_cannot_be_started_is_told_and_no_runtime_is_left_for_it() {
    let home = Home::new();
    for (words, part) in [
        (["start", "nowhere.js"].as_slice(), "cannot run `nowhere.js`: no such file"),
        (&["start", "server.js", "-i", "x"], "`--instances`: found `x`, accepted: "),
        (&["start", "server.js", "--nme", "x"], "did you mean `--name`?"),
    ] {
        let told = home.pmr(1, words);
        assert!(told.contains(part), "{words:?}: {told}");
        wait::until("the end of the runtime", || (home.processes() == 0).then_some(()));
    }
    home.pmr(0, &["start", "server.js"]);
    assert!(home.pmr(1, &["start", "nowhere.js"]).contains("no such file"));
    assert!(home.pmr(0, &["list"]).contains("1 of 1 instance online"), "the one before goes on");
    home.pmr(0, &["kill"]);
}

#[test]
fn an_app_that_fails_at_once_is_told_with_its_last_lines() {
    let home = Home::new();
    home.write("bad.js", "console.error('no such table'); process.exit(3);");
    let told = home.pmr(1, &["start", "bad.js", "--name", "bad"]);
    assert!(told.starts_with("✗ bad: start failed") && told.contains("    no such table\n"), "{told}");
    home.pmr(0, &["delete", "bad"]);
    home.pmr(0, &["kill"]);
}

#[test]
fn it_is_given_the_directory_and_the_environment_of_the_command() {
    let home = Home::with_web(1);
    std::fs::create_dir(home.path().join("below")).unwrap();
    home.write(
        "below/tell.js",
        "console.log(process.cwd(), process.env.COLOUR); setInterval(() => {}, 1000)",
    );
    let words = ["start", "tell.js"];
    let mut command = home.command("pmr", &words);
    let output = command.current_dir(home.path().join("below")).env("COLOUR", "green").output().unwrap();
    outputs(&output, 0, &words);
    let expected = format!("{}/below green\n", home.path().canonicalize().unwrap().display());
    assert_eq!(home.pmr(0, &["logs", "tell", "--nostream", "--raw"]), expected);
    assert!(home.pmr(0, &["env", "tell"]).contains("COLOUR=green\n"));
    assert!(!home.pmr(0, &["env", "web"]).contains("COLOUR"));
    home.pmr(0, &["kill"]);
}

#[test]
fn pmr_runtime_begins_one_in_the_background_when_told_so() {
    let home = Home::new();
    let words = ["start", "--daemon", "server.js", "--name", "web", "-i", "2"];
    outputs(&home.command("pmr-runtime", &words).output().unwrap(), 0, &words);
    assert_eq!(home.pmr(0, &["id", "web"]), "0\n1\n");
    assert!(home.pmr(0, &["report"]).contains("background"));
    home.pmr(0, &["kill"]);
}

#[test]
fn verdicts_are_there_for_programs_and_progress_for_who_asks() {
    let home = Home::new();
    let start = home.json(&["start", "--json", "server.js", "--name", "web"]);
    assert_eq!(start["verdicts"][0]["operation"], "start");
    assert_eq!((&start["verdicts"][0]["ok"], &start["verdicts"][0]["app"]), (&true.into(), &"web".into()));
    assert!(!start.to_string().contains(SECRET));
    let (result, told) = home.both(0, &["reload", "web", "--verbose"]);
    assert!(result.starts_with("✓ web: reloaded, 1 instance, generation 2 in "), "{result}");
    assert!(told.contains("  web 0: worker ready") && told.contains("web: reloading"), "{told}");
    let (_, told) = home.both(0, &["restart", "web"]);
    assert_eq!(told, "", "nobody sees it");
    home.pmr(0, &["kill"]);
}
