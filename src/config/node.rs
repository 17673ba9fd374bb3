//! What is said to Node by its own variable.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

const VARIABLE: &str = "NODE_OPTIONS";
const SOURCE_MAPS: &str = "--enable-source-maps";

/// Has stack traces name the lines of the sources.
pub fn enable_source_maps(environment: &mut BTreeMap<OsString, OsString>) {
    if has_source_maps(environment) {
        return;
    }
    let options = environment.entry(VARIABLE.into()).or_default();
    if !options.is_empty() {
        options.push(" ");
    }
    options.push(SOURCE_MAPS);
}

/// Whether they do.
#[must_use]
pub fn has_source_maps(environment: &BTreeMap<OsString, OsString>) -> bool {
    let options = environment.get(OsStr::new(VARIABLE)).map(|options| options.to_string_lossy());
    options.is_some_and(|options| options.split_whitespace().any(|option| option == SOURCE_MAPS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_added_once_behind_what_is_there() {
        let mut environment = BTreeMap::from([(VARIABLE.into(), "--inspect".into())]);
        assert!(!has_source_maps(&environment));
        enable_source_maps(&mut environment);
        enable_source_maps(&mut environment);
        assert_eq!(environment[OsStr::new(VARIABLE)], "--inspect --enable-source-maps");
    }
}
