//! The files of an app's project, which anyone may have written: manifests, git's configuration, refs.

#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use pmr_runtime::facts::git_config::remote;
use pmr_runtime::facts::manifest::Manifest;
use pmr_runtime::facts::refs::{Target, branch, git_directory, packed, target};
use pmr_runtime::facts::remote::without_credentials;

fuzz_target!(|content: &[u8]| {
    for manifest in Manifest::ALL {
        manifest.version(content).iter().for_each(|version| can_be_shown(version));
    }
    for of in [None, Some("main")] {
        let Some(url) = remote(content, of) else { continue };
        hides_what_is_secret(&url);
    }
    hides_what_is_secret(&String::from_utf8_lossy(content));
    match target(content) {
        Some(Target::Ref(name)) => {
            leads_nowhere_else(&name);
            assert!(branch(&name).is_none_or(|branch| name.ends_with(branch)));
        }
        Some(Target::Revision(revision)) => is_a_hash(&revision.full),
        None => {}
    }
    if let Some(revision) = packed(content, "refs/heads/main") {
        is_a_hash(&revision.full);
    }
    assert!(git_directory(content).is_none_or(|path| !path.is_empty() && !path.contains(&0)));
});

fn can_be_shown(text: &str) {
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
}

/// A password stands between a scheme and an `@`, or after a `?`. What is shown has neither.
fn hides_what_is_secret(url: &str) {
    let Some(shown) = without_credentials(url) else { return };
    can_be_shown(&shown);
    let Some((scheme, rest)) = shown.split_once("://") else { return };
    let user = rest.split_once('@').map(|(user, _)| user);
    let is_ssh = scheme.to_ascii_lowercase().contains("ssh");
    assert!(user.is_none_or(|user| is_ssh && !user.contains(':')), "{shown}");
    assert!(!rest.contains(['?', '#']), "{shown}");
    assert_eq!(without_credentials(&shown).as_deref(), Some(shown.trim()), "there is nothing more to hide");
}

fn leads_nowhere_else(name: &str) {
    let path = Path::new(name);
    assert!(path.starts_with("refs"));
    assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{name}");
}

fn is_a_hash(text: &str) {
    assert!([40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
}
