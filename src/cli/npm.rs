//! What the npm package has to know of our command line where there is no binary to ask: which options take the next word
//! for their value, and what is a verb. Held against the grammar.
//!
//! To write it anew: `PMR_WRITE_DOCS=1 cargo test --lib npm`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Arg;
use serde_json::json;

use super::args;
use super::verbs;

/// The words that stand for an option, if its value is the word behind it.
fn words(option: &Arg) -> Vec<String> {
    let takes_next =
        option.get_action().takes_values() && !option.is_positional() && !option.is_require_equals_set();
    if !takes_next {
        return Vec::new();
    }
    let long = option.get_long_and_visible_aliases().into_iter().flatten().map(str::to_owned);
    let hidden = option.get_all_aliases().into_iter().flatten().map(str::to_owned);
    let short = option.get_short_and_visible_aliases().into_iter().flatten();
    long.chain(hidden).map(|name| format!("--{name}")).chain(short.map(|name| format!("-{name}"))).collect()
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("npm/pmr-runtime/lib/grammar.json")
}

#[test]
fn the_npm_package_knows_our_options_and_verbs() {
    let mut grammar = args::file_grammar();
    grammar.build();
    let values: BTreeSet<String> = grammar.get_arguments().flat_map(words).collect();
    let verbs: BTreeSet<String> = verbs::names().into_iter().filter(|verb| verb != "start").collect();
    let wanted = format!("{:#}\n", json!({"values": values, "verbs": verbs}));
    if std::env::var_os("PMR_WRITE_DOCS").is_some() {
        std::fs::write(path(), wanted).unwrap();
    } else {
        let found = std::fs::read_to_string(path()).unwrap();
        assert!(
            found == wanted,
            "npm/pmr-runtime/lib/grammar.json is not what the code says; see the head of cli/npm.rs"
        );
    }
}
