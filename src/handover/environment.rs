//! A worker's environment: what we were given, and exactly the documented variables on top. Pure.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::spec::{Generation, InstanceId, Numbered};

/// What a worker's own variables are made of.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    pub app: &'a str,
    pub instance: InstanceId,
    /// The instance's number in the whole runtime.
    pub id: u32,
    pub generation: Generation,
    /// Whether there are several instances, so that a server that would multiply by itself must not.
    pub several: bool,
    pub numbered: Numbered,
}

/// What is the runtime's alone, and no worker's.
const SECRETS: [&str; 1] = ["PMR_WEB_TOKEN"];

/// The variables in the order in which the worker sees them: sorted by name. `extra` wins over all others.
#[must_use]
pub fn of_worker(
    given: &BTreeMap<OsString, OsString>,
    place: &Place<'_>,
    extra: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let mut all = given.clone();
    SECRETS.iter().for_each(|name| drop(all.remove(OsStr::new(name))));
    all.extend(incremented(given, place));
    let instance = place.instance.to_string();
    let mut set = |name: &str, value: &str| all.insert(OsString::from(name), OsString::from(value));
    set("PMR_APP", place.app);
    set("PMR_INSTANCE", &instance);
    set("PMR_GENERATION", &place.generation.to_string());
    // pm2's names for the same (pm2 documentation, "Environment variables").
    set("name", place.app);
    set("pm_id", &place.id.to_string());
    set("NODE_APP_INSTANCE", &instance);
    if let Some(name) = &place.numbered.instance_var {
        set(name, &instance);
    }
    if place.several {
        set("WEB_CONCURRENCY", "1");
    }
    all.extend(extra);
    all.into_iter().collect()
}

/// The variable whose number goes up with each instance. What is no number, or would grow beyond all, stays as it is.
fn incremented(given: &BTreeMap<OsString, OsString>, place: &Place<'_>) -> Option<(OsString, OsString)> {
    let name = OsString::from(place.numbered.increment_var.as_ref()?);
    let first: i64 = given.get(&name)?.to_str()?.parse().ok()?;
    let value = first.checked_add(i64::from(place.instance.0))?;
    Some((name, value.to_string().into()))
}

/// Whether what is started may lead to a node process, so that the agent belongs into its environment: node itself,
/// its package managers and wrappers, shells, and scripts whose first line names one of them.
#[must_use]
pub fn may_become_node(program: &OsStr, first_line: Option<&str>) -> bool {
    const LEADING: [&str; 14] = [
        "node", "nodejs", "npm", "npx", "yarn", "pnpm", "pnpx", "corepack", "sh", "bash", "dash", "ash",
        "env", "zsh",
    ];
    let base = program.to_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    LEADING.contains(&base)
        || first_line.is_some_and(|line| {
            line.starts_with("#!") && line.split(['/', ' ', '\t', '\n']).any(|word| LEADING.contains(&word))
        })
}

/// Whether what is started is Bun: by its name, or that in a script's first line. What a shell starts is not looked for, since Bun's
/// variable is for the worker alone.
#[must_use]
pub fn is_bun(program: &OsStr, first_line: Option<&str>) -> bool {
    let base = program.to_str().and_then(|path| path.rsplit('/').next());
    base == Some("bun")
        || first_line.is_some_and(|line| {
            line.starts_with("#!") && line.split(['/', ' ', '\t', '\n']).any(|word| word == "bun")
        })
}

/// Whether node is told to keep programs from files, by the flag of Node 20, where such a node cannot be given a script
/// from elsewhere: it ends at once. (Later versions let it read what it is told to load.)
#[must_use]
pub fn restricts_node(arguments: &[OsString], node_options: Option<&OsStr>) -> bool {
    const FLAG: &str = "--experimental-permission";
    let inherited = node_options.and_then(OsStr::to_str).unwrap_or_default();
    arguments.iter().any(|argument| argument == FLAG) || inherited.split_whitespace().any(|word| word == FLAG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(several: bool) -> Place<'static> {
        Place {
            app: "web",
            instance: InstanceId(2),
            id: 5,
            generation: Generation(3),
            several,
            numbered: Numbered::default(),
        }
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        list.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    #[test]
    fn exactly_the_documented_variables_are_added() {
        let given = pairs(&[("PATH", "/bin"), ("WEB_CONCURRENCY", "4")]).into_iter().collect();
        let expected = [
            ("NODE_APP_INSTANCE", "2"),
            ("PATH", "/bin"),
            ("PMR_APP", "web"),
            ("PMR_GENERATION", "3"),
            ("PMR_INSTANCE", "2"),
            ("WEB_CONCURRENCY", "1"),
            ("name", "web"),
            ("pm_id", "5"),
        ];
        assert_eq!(of_worker(&given, &place(true), []), pairs(&expected));
    }

    #[test]
    fn a_single_instance_keeps_its_concurrency_and_extras_win() {
        let given = pairs(&[("WEB_CONCURRENCY", "4"), ("X", "1")]).into_iter().collect();
        let made = of_worker(&given, &place(false), pairs(&[("X", "2")]));
        assert!(made.contains(&("WEB_CONCURRENCY".into(), "4".into())));
        assert!(made.contains(&("X".into(), "2".into())));
    }

    #[test]
    fn variables_that_count_go_up_with_the_instance() {
        let given = pairs(&[("PORT", "3000"), ("A", "x")]).into_iter().collect();
        let made = |increment: &str| {
            let (instance_var, increment_var) = (Some("APP_ID".to_owned()), Some(increment.to_owned()));
            let numbered = Numbered { instance_var, increment_var };
            of_worker(&given, &Place { numbered, ..place(true) }, [])
        };
        assert!(made("PORT").contains(&("PORT".into(), "3002".into())));
        assert!(made("PORT").contains(&("APP_ID".into(), "2".into())));
        assert!(made("A").contains(&("A".into(), "x".into())));
        assert!(made("B").contains(&("PORT".into(), "3000".into())));
    }

    #[test]
    fn node_with_the_permission_model_is_given_no_script() {
        let arguments = ["--experimental-permission", "--allow-fs-read=/app", "x.js"].map(OsString::from);
        assert!(restricts_node(&arguments, None));
        assert!(restricts_node(&[], Some(OsStr::new("--enable-source-maps --experimental-permission"))));
        assert!(!restricts_node(&arguments[1..], Some(OsStr::new("--enable-source-maps"))));
    }

    #[test]
    fn a_worker_does_not_see_what_is_the_runtimes_alone() {
        let given = BTreeMap::from([("PMR_WEB_TOKEN".into(), "secret".into()), ("A".into(), "b".into())]);
        let names: Vec<_> = of_worker(&given, &place(false), []).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"A".into()) && !names.contains(&"PMR_WEB_TOKEN".into()), "{names:?}");
    }

    #[test]
    fn bun_is_known_by_its_name_and_by_a_scripts_first_line() {
        assert!(is_bun(OsStr::new("/usr/local/bin/bun"), None));
        assert!(is_bun(OsStr::new("./server.ts"), Some("#!/usr/bin/env bun\n")));
        assert!(!is_bun(OsStr::new("bunny"), None));
        assert!(!is_bun(OsStr::new("node"), None));
        assert!(!is_bun(OsStr::new("sh"), Some("\u{7f}ELF bun")));
    }

    #[test]
    fn node_is_suspected_behind_package_managers_shells_and_scripts() {
        for program in ["node", "/usr/bin/nodejs", "npm", "sh"] {
            assert!(may_become_node(OsStr::new(program), None), "{program}");
        }
        assert!(may_become_node(OsStr::new("./next"), Some("#!/usr/bin/env node\n")));
        assert!(!may_become_node(OsStr::new("python3"), None));
        assert!(!may_become_node(OsStr::new("gunicorn"), Some("#!/app/venv/bin/python\n")));
    }
}
