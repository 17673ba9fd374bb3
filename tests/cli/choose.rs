//! Which runtime is meant, and who may speak to it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::home::{Home, outputs};
use crate::support::processes;

/// Nobody's.
const NOBODY: u32 = 65534;

#[test]
fn where_several_run_they_are_listed_and_one_is_chosen_by_its_socket() {
    let home = Home::new();
    let first = home.foreground(&["server.js", "--name", "one"]);
    let second = home.foreground(&["server.js", "--name", "two"]);
    let told = home.pmr(1, &["list"]);
    assert!(told.starts_with("error: 2 runtimes are running here:\n"), "{told}");
    let line = |name: &str| told.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(line(" one ").contains(&first.pid().to_string()), "{told}");
    assert!(line(" two ").contains(&second.pid().to_string()), "{told}");
    assert!(told.contains("hint: choose one with `--home SOCKET`"), "{told}");
    for name in ["one", "two"] {
        let socket = line(&format!(" {name} ")).rsplit(' ').next().unwrap().to_owned();
        for words in [["list", "--home", &socket], ["--home", &socket, "list"]] {
            let list = home.pmr(0, &words);
            assert!(list.contains(&format!("│ {name} ")) && list.contains("1 app,"), "{list}");
        }
    }
    // Of a program that is to be started nobody knows where.
    assert!(home.pmr(1, &["start", "server.js"]).contains("2 runtimes are running here"));
}

#[test]
fn a_home_that_is_named_counts_for_more_than_that_of_the_environment() {
    let (home, other) = (Home::with_web(1), Home::new());
    let named = home.of_runtime();
    let named = named.to_str().unwrap();
    assert_eq!(other.pmr(0, &["id", "web", "--home", named]), "0\n");
    let told = other.pmr(1, &["id", "web"]);
    assert!(told.contains(other.of_runtime().to_str().unwrap()), "{told}");
    home.pmr(0, &["kill"]);
}

#[test]
fn another_user_is_told_whose_it_is() {
    if !processes::is_root() {
        return processes::say_not_shown("only root can be somebody else");
    }
    let home = Home::with_web(1);
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for words in [["list"].as_slice(), &["stop", "web"], &["start", "server.js"]] {
        let output = home.command("pmr", words).uid(NOBODY).gid(NOBODY).output();
        let Ok(output) = output else {
            return processes::say_not_shown("the executable lies where nobody else may read");
        };
        let (_, told) = outputs(&output, 1, words);
        assert!(told.contains("belongs to root, and you may not talk to a runtime there"), "{told}");
        assert!(told.contains("hint: be that user, or root"), "{told}");
    }
    assert!(home.pmr(0, &["list"]).contains("1 of 1 instance online"));
    home.pmr(0, &["kill"]);
}
