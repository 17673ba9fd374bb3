//! `save`, `resurrect`, `startup`, `unstartup`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::home::{Home, SERVER};
use crate::support::{processes, wait};

#[test]
fn what_was_saved_comes_back_with_its_names_sizes_and_environments() {
    let home = Home::with_web(1);
    let words = ["start", "server.js", "--name", "api"];
    assert!(home.command("pmr", &words).env("COLOUR", "green").output().unwrap().status.success());
    home.pmr(0, &["scale", "web", "+2"]);
    home.pmr(0, &["restart", "all"]);
    let path = home.of_runtime().join("dump.json");
    for verb in ["save", "dump"] {
        let told = home.pmr(0, &[verb]);
        assert_eq!(told, format!("✓ saved 2 apps to `{}`\n", path.display()));
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds environments");
    let told = home.pmr(1, &["resurrect"]);
    assert!(told.contains("there is an app named `web` already"), "{told}");
    home.pmr(0, &["kill"]);
    wait::until("the end of all", || (home.processes() == 0).then_some(()));

    let (result, told) = home.both(0, &["resurrect"]);
    assert!(result.contains("✓ web: started, 3 instances in "), "{result}");
    assert!(result.contains("✓ api: started, 1 instance in "), "{result}");
    assert!(told.starts_with("began a runtime in the background"), "{told}");
    assert_eq!(home.pmr(0, &["id", "web"]), "0\n1\n2\n");
    assert!(home.pmr(0, &["env", "api"]).contains("COLOUR=green\n"));
    assert!(home.pmr(0, &["list"]).contains("2 apps, 4 of 4 instances online"));
    home.pmr(0, &["kill"]);
}

#[test]
fn an_app_whose_file_is_gone_does_not_keep_the_others_from_coming_back() {
    let home = Home::with_web(1);
    home.write("gone.js", SERVER);
    home.pmr(0, &["start", "gone.js"]);
    home.pmr(0, &["start", "server.js", "--name", "last"]);
    home.pmr(0, &["save"]);
    home.pmr(0, &["kill"]);
    wait::until("the end of all", || (home.processes() == 0).then_some(()));
    std::fs::remove_file(home.path().join("gone.js")).unwrap();
    let (result, told) = home.both(1, &["resurrect"]);
    assert!(result.contains("✓ web: started") && result.contains("✓ last: started"), "{result}");
    assert!(told.contains("cannot run `gone.js`: no such file"), "{told}");
    assert!(home.pmr(0, &["list"]).contains("2 apps, 2 of 2 instances online"));
    home.pmr(0, &["kill"]);
}

#[test]
fn an_empty_list_can_be_saved_and_nothing_is_begun_for_it() {
    let home = Home::with_web(1);
    home.pmr(0, &["delete", "web"]);
    assert!(home.pmr(0, &["save"]).contains("saved 0 apps"));
    home.pmr(0, &["kill"]);
    wait::until("the end of all", || (home.processes() == 0).then_some(()));
    assert_eq!(home.pmr(0, &["resurrect"]), "nothing to do: no app was saved\n");
    assert_eq!(home.processes(), 0);
}

#[test]
fn what_was_saved_and_spoilt_is_told_and_nothing_is_begun() {
    let home = Home::with_web(1);
    home.pmr(0, &["save"]);
    home.pmr(0, &["kill"]);
    wait::until("the end of all", || (home.processes() == 0).then_some(()));
    home.write("home/dump.json", "[{");
    let told = home.pmr(1, &["resurrect"]);
    assert!(told.contains("cannot read what was saved in `") && told.contains("dump.json`"), "{told}");
    assert_eq!(home.processes(), 0);
}

#[test]
fn the_unit_that_is_shown_names_the_home_and_the_user() {
    let home = Home::new();
    let unit = home.pmr(0, &["startup", "--print", "--user", "root"]);
    let expected = home.of_runtime().display().to_string();
    for part in [
        "User=root\n".to_owned(),
        format!("Environment=\"PMR_HOME={expected}\"\n"),
        format!("daemon \"{expected}\"\n"),
    ] {
        assert!(unit.contains(&part), "no `{part}` in\n{unit}");
    }
    assert_eq!(
        home.pmr(0, &["unstartup", "--print", "--user", "root"]),
        "/etc/systemd/system/pmr-root.service\n"
    );
    assert!(home.pmr(1, &["startup", "--user", "nobody-of-that-name"]).contains("there is no user"));
}

#[test]
fn without_systemd_there_is_a_word_of_what_to_do() {
    if Path::new("/run/systemd/system").exists() {
        return processes::say_not_shown("this machine has systemd, which a test must leave alone");
    }
    let home = Home::new();
    let told = home.pmr(1, &["startup", "--user", "root"]);
    assert!(told.contains("was not booted by systemd") && told.contains("`pmr startup --print`"), "{told}");
    let told = home.pmr(1, &["unstartup", "--user", "root"]);
    assert!(told.contains("was not booted by systemd") && told.contains("`pmr unstartup --print`"), "{told}");
}
