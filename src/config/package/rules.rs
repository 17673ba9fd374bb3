//! Whether a script may be run without its package manager.
//!
//! What changes how a manager runs scripts, and is not known here for certain, leaves them to the manager.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::manager::Manager;
use super::manifest::Package;
use super::outcome::Kept;
use super::resolve::{Hooks, Surroundings};
use super::settings;

/// Settings with which scripts are run in another way.
const DECISIVE: [&str; 10] = [
    "script-shell",
    "node-options",
    "workspace",
    "workspaces",
    "if-present",
    "ignore-scripts",
    "shell-emulator",
    "enable-pre-post-scripts",
    "use-node-version",
    "scripts-prepend-node-path",
];

/// Such words in pnpm-workspace.yaml.
const DECISIVE_FOR_PNPM: [&str; 7] = [
    "scriptShell",
    "shellEmulator",
    "enablePrePostScripts",
    "nodeOptions",
    "useNodeVersion",
    "executionEnv",
    "ignoreScripts",
];

/// Such words in .yarnrc.
const DECISIVE_FOR_YARN: [&str; 6] =
    ["yarn-path", "script-shell", "ignore-scripts", "production", "env", "--"];

/// Settings of npm and pnpm, from the strongest file to the weakest.
pub(super) type Settings = Vec<(PathBuf, Vec<(String, String)>)>;

/// Whether scripts before and after a script are run with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attached {
    Run,
    Ignored,
}

/// Says why `script` of `package` needs `manager`, if so; else the name of the script that runs before it, if there is one.
pub(super) fn check(
    manager: Manager,
    (package, script): (&Package, &str),
    settings: &Settings,
    at: &Surroundings<'_>,
) -> Result<Option<String>, Kept> {
    match manager {
        Manager::Npm => {}
        Manager::Yarn => yarn(package, at)?,
        Manager::Pnpm => pnpm(package, at)?,
        Manager::Bun => bun(package, at)?,
    }
    let hooks = match manager {
        Manager::Npm | Manager::Pnpm => decisive(manager, settings, at.environment)?,
        Manager::Yarn | Manager::Bun => Attached::Run,
    };
    if hooks == Attached::Ignored {
        return Ok(None);
    }
    let [before, after] = ["pre", "post"].map(|hook| {
        let name = format!("{hook}{script}");
        package.manifest.script(&name).map(|_| name)
    });
    match (before, after) {
        (_, Some(after)) => Err(Kept::Hook(after)),
        (Some(before), None) if at.hooks == Hooks::Kept => Err(Kept::Hook(before)),
        (before, None) => Ok(before),
    }
}

fn decisive(
    manager: Manager,
    settings: &Settings,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Attached, Kept> {
    let mut hooks = Attached::Run;
    for key in DECISIVE {
        let variable = format!("npm_config_{}", key.replace('-', "_"));
        let set = environment.iter().find(|(name, _)| name.eq_ignore_ascii_case(&variable));
        let set = set.filter(|(_, value)| !value.is_empty() && *value != "false");
        let in_file = settings.iter().find_map(|(file, pairs)| {
            let pair = pairs.iter().find(|(name, _)| name == key)?;
            Some((file, pair.1.as_str()))
        });
        let is_set = set.is_some() || in_file.is_some_and(|(_, value)| value != "false");
        match (key, set, in_file) {
            ("ignore-scripts", ..) if is_set && manager == Manager::Npm => hooks = Attached::Ignored,
            (_, Some((name, _)), _) => return Err(Kept::Variable(name.to_string_lossy().into_owned())),
            (_, None, Some((file, _))) if is_set => {
                return Err(Kept::Setting { file: file.clone(), key: key.to_owned() });
            }
            _ => {}
        }
    }
    Ok(hooks)
}

/// Yarn 1 only.
fn yarn(package: &Package, at: &Surroundings<'_>) -> Result<(), Kept> {
    if above(package, ".yarnrc.yml", at).is_some() {
        return Err(Kept::Berry);
    }
    if let Some(file) = [".pnp.cjs", ".pnp.js"].iter().find_map(|name| above(package, name, at)) {
        return Err(Kept::PlugAndPlay(file));
    }
    match package.manifest.package_manager() {
        Some(("yarn", version)) if !version.starts_with("1.") => return Err(Kept::Berry),
        other => is_the_one(other, "yarn", package)?,
    }
    let home = at.variable("HOME").map(|home| Path::new(home).join(".yarnrc"));
    let mut files = above(package, ".yarnrc", at).into_iter().chain(home);
    files.try_for_each(|file| words(file, &DECISIVE_FOR_YARN, at))
}

fn pnpm(package: &Package, at: &Surroundings<'_>) -> Result<(), Kept> {
    is_the_one(package.manifest.package_manager(), "pnpm", package)?;
    match above(package, "pnpm-workspace.yaml", at) {
        Some(file) => words(file, &DECISIVE_FOR_PNPM, at),
        None => Ok(()),
    }
}

fn bun(package: &Package, at: &Surroundings<'_>) -> Result<(), Kept> {
    let home = at.variable("HOME").map(|home| Path::new(home).join(".bunfig.toml"));
    let file = Some(package.directory.join("bunfig.toml"));
    home.into_iter().chain(file).try_for_each(|file| words(file, &["run"], at))
}

fn is_the_one(asked: Option<(&str, &str)>, name: &str, package: &Package) -> Result<(), Kept> {
    match asked {
        Some((other, _)) if other != name => {
            Err(Kept::OtherManager(package.manifest.text("packageManager").unwrap_or_default().to_owned()))
        }
        _ => Ok(()),
    }
}

/// The nearest file of this name, beside package.json or above.
pub(super) fn above(package: &Package, name: &str, at: &Surroundings<'_>) -> Option<PathBuf> {
    let files = package.directory.ancestors().map(|directory| directory.join(name));
    files.into_iter().find(|file| (at.files.read)(file).is_some())
}

/// Refuses a file in which a line begins with one of `keys`, or has it for the head of a table.
fn words(file: PathBuf, keys: &[&str], at: &Surroundings<'_>) -> Result<(), Kept> {
    let content = (at.files.read)(&file).unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let begins = |key: &&&str| {
        text.lines().any(|line| line.trim_start_matches([' ', '\t', '"', '\'', '[']).starts_with(**key))
    };
    match keys.iter().find(begins) {
        Some(&key) => Err(Kept::Setting { file, key: key.to_owned() }),
        None => Ok(()),
    }
}

/// What a setting is, by the environment or else the strongest file.
pub(super) fn setting<'a>(key: &str, settings: &'a Settings, at: &Surroundings<'a>) -> Option<Cow<'a, str>> {
    let variable = format!("npm_config_{}", key.replace('-', "_"));
    let set =
        at.environment.iter().find(|(name, value)| name.eq_ignore_ascii_case(&variable) && !value.is_empty());
    set.map(|(_, value)| value.to_string_lossy()).or_else(|| {
        let mut pairs = settings.iter().flat_map(|(_, pairs)| pairs);
        pairs.find(|(name, _)| name == key).map(|(_, value)| Cow::from(value.as_str()))
    })
}

/// Whether packages for development are left out, whereby npm and pnpm set NODE_ENV.
pub(super) fn is_for_production(manager: Manager, settings: &Settings, at: &Surroundings<'_>) -> bool {
    let value = |key: &str| setting(key, settings, at).unwrap_or_default().into_owned();
    let is_production = value("production") == "true";
    match manager {
        Manager::Npm => {
            let omits = value("omit").split([',', '\n', ' ']).any(|kind| kind == "dev");
            let leaves_out = omits || is_production || value("only").starts_with("prod");
            leaves_out && !value("include").contains("dev")
        }
        Manager::Pnpm => is_production,
        Manager::Yarn | Manager::Bun => false,
    }
}

/// The settings that npm and pnpm read: the package's, the user's, the machine's.
pub(super) fn settings(package: &Package, prefix: &Path, at: &Surroundings<'_>) -> Settings {
    let named = |name: &str| at.variable(name).map(PathBuf::from);
    let user = named("npm_config_userconfig").or_else(|| named("NPM_CONFIG_USERCONFIG"));
    let user = user.or_else(|| at.variable("HOME").map(|home| Path::new(home).join(".npmrc")));
    let global = named("npm_config_globalconfig").or_else(|| named("NPM_CONFIG_GLOBALCONFIG"));
    let global = global.unwrap_or_else(|| prefix.join("etc/npmrc"));
    let files = std::iter::once(package.directory.join(".npmrc")).chain(user).chain([global]);
    let read = |file: PathBuf| (at.files.read)(&file).map(|content| (file, settings::read(&content)));
    files.filter_map(read).collect()
}

impl Surroundings<'_> {
    /// A variable that is set, and not to nothing.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }
}
