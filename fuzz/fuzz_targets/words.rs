//! What is to be run, by its words alone: a Node script or not, by which interpreter, under which name.

#![no_main]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::config::interpreter::{candidates, choose, is_configuration};
use pmr_runtime::config::name::default_name;
use pmr_runtime::config::values;
use pmr_runtime::handover::cluster::recognise::{Recognised, recognise};
use pmr_runtime::handover::environment::{may_become_node, restricts_node};

fuzz_target!(|command_line: &[u8]| {
    let mut words = command_line.split(|&byte| byte == 0).map(|word| OsStr::from_bytes(word).to_owned());
    let program = words.next().expect("a split has a first part");
    let arguments: Vec<OsString> = words.collect();
    is_recognised(&program, &arguments);
    has_a_name(&program, &arguments);
    has_an_interpreter(&program);
    let text = program.to_str();
    let may = may_become_node(&program, arguments.first().and_then(|line| line.to_str()));
    assert!(may || !text.is_some_and(|text| text == "node" || text.ends_with("/node")));
    let _ = restricts_node(&arguments, Some(&program));
});

fn is_recognised(program: &OsStr, arguments: &[OsString]) {
    match recognise(program, arguments) {
        Recognised::Script(script) => {
            assert!(!script.is_empty());
            // What follows the script is the app's own.
            let ends_at =
                |at: usize| recognise(program, &arguments[..=at]) == Recognised::Script(script.clone());
            let at = (0..arguments.len()).find(|&at| ends_at(at)).expect("the script is one of the words");
            assert_eq!(arguments[at], script);
            let escaped = arguments[..at].last().is_some_and(|word| word == "--");
            assert!(escaped || !script.as_bytes().starts_with(b"-"));
        }
        Recognised::NotAScript | Recognised::NotNode => {}
    }
    assert_eq!(recognise(OsStr::new("bun"), arguments), Recognised::NotNode);
}

fn has_a_name(program: &OsStr, arguments: &[OsString]) {
    let name = default_name(program, arguments);
    assert_eq!(values::name(&name).as_ref(), Ok(&name), "as good as one that was given");
}

fn has_an_interpreter(program: &OsStr) {
    let file = Path::new(program);
    let Some(candidates) = candidates(file) else { return };
    assert_eq!(choose(file, candidates, &|_| true), Ok(candidates[0]));
    let last = candidates[candidates.len() - 1];
    assert_eq!(choose(file, candidates, &|name| name == last), Ok(last));
    let error = choose(file, candidates, &|_| false).expect_err("there is none");
    assert!(candidates.iter().all(|name| error.to_string().contains(&format!("`{name}`"))));
    let _ = is_configuration(file);
}
