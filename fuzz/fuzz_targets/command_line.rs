//! Any command line: our options are read, and the app's words are never touched.
//!
//! An input is the words, with a NUL between two, as in /proc/PID/cmdline; a file exists if its name has no `!`, and is for node if it has a `?`.

#![no_main]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::cli::args::{Request, UsageError, parse};
use pmr_runtime::config::interpreter::Found;
use pmr_runtime::config::raw::Invocation;

fuzz_target!(|data: &[u8]| {
    let words = data.split(|&byte| byte == 0).map(|word| OsStr::from_bytes(word).to_owned());
    let argv: Vec<OsString> = [OsString::from("pmr-runtime")].into_iter().chain(words).collect();
    match parse(argv.clone(), &|_, file| look(file)) {
        Ok(Request::Run(invocation)) => keeps_the_apps_words(&argv, &invocation),
        // The file is one of the words, or has a usual name.
        Ok(Request::Configuration(request)) => assert!(!request.file.as_os_str().is_empty()),
        Ok(Request::Help(text) | Request::Version(text)) => assert!(text.contains("pmr-runtime")),
        Err(error) => says_what_is_wrong(&argv, &error),
    }
});

fn look(file: &Path) -> Found {
    let name = file.as_os_str().as_bytes();
    match (name.contains(&b'!'), name.contains(&b'?')) {
        (true, _) => Found::Nothing,
        (false, true) => Found::NodeScript,
        (false, false) => Found::File,
    }
}

fn keeps_the_apps_words(argv: &[OsString], invocation: &Invocation) {
    let Invocation { command, arguments, start, .. } = invocation;
    let tail = &argv[argv.len() - arguments.len()..];
    assert_eq!(tail, arguments);
    let before = &argv[..argv.len() - arguments.len()];
    assert!(before[1..].contains(command));
    assert!(!*start || before.iter().any(|word| word == "start"));
    // Our options come before the command, or between a file and `--`.
    if !*start && before.last() != Some(command) {
        let file = before.iter().rposition(|word| word == command).expect("the command is one of the words");
        assert!(arguments.is_empty() || before.last().is_some_and(|word| word == "--"), "{argv:?}");
        assert!(before.len() > file);
    }
}

fn says_what_is_wrong(argv: &[OsString], error: &UsageError) {
    let (text, hint) = (error.to_string(), error.hint());
    assert!(!text.is_empty());
    if argv.iter().all(|word| !word.as_bytes().contains(&b'\n')) {
        assert!(!text.contains('\n') && !hint.is_some_and(|hint| hint.contains('\n')), "{text:?}");
    }
}
