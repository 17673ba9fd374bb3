//! `dump.json` in the runtime's home, as `pmr resurrect` reads it: it means the same when it is saved again, and what a
//! runtime accepts of it can be run.

#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::api::text::Text;
use pmr_runtime::control::{order, save};

fuzz_target!(|file: &[u8]| {
    let Ok(apps) = save::read(file) else { return };
    let saved = serde_json::to_vec(&apps).expect("what was read can be written");
    assert_eq!(save::read(&saved).expect("what was written can be read"), apps);
    for app in apps {
        let sent = serde_json::to_vec(&app).expect("it can be sent");
        match order::start(&sent) {
            Ok(accepted) => {
                assert_eq!(accepted, app);
                assert!(!app.words.is_empty());
                app.words.iter().chain([&app.directory]).for_each(|word| assert!(!bytes(word).contains(&0)));
                for (name, value) in &app.environment {
                    let name = bytes(name);
                    assert!(!name.is_empty() && !name.contains(&b'=') && !name.contains(&0));
                    assert!(!bytes(value).contains(&0));
                }
            }
            Err(problem) => {
                assert_eq!(problem.code, "bad_request");
                assert!(!problem.message.is_empty() && !problem.details.is_empty());
            }
        }
    }
});

fn bytes(text: &Text) -> Vec<u8> {
    OsString::from(text.clone()).as_bytes().to_owned()
}
