//! What each package manager sets for a script: `PATH`, `npm_lifecycle_event`, `npm_package_name`, …
//!
//! As seen in the environment of scripts of npm 9 to 11, yarn 1.22, pnpm 9 to 12 and bun 1.4. docs/package-managers.md has the
//! table, and what is left out.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::flatten::{self, Flavour};
use super::line::{Line, Verb};
use super::manager::Manager;
use super::manifest::Package;
use super::resolve::Surroundings;
use super::rules::{self, Settings};
use super::script;
use super::settings;
use super::tool::{Node, Tool};

/// The script that is run, and who runs it.
pub(super) struct Lifecycle<'a> {
    pub(super) manager: Manager,
    pub(super) tool: &'a Tool,
    /// Bun alone can do without.
    pub(super) node: Option<&'a Node>,
    pub(super) package: &'a Package,
    pub(super) line: &'a Line,
    /// The script's text.
    pub(super) text: &'a str,
    pub(super) settings: &'a Settings,
    /// The words after the manager's name.
    pub(super) words: &'a [&'a str],
}

/// A list of variables that grows.
#[derive(Default)]
struct List(Vec<(OsString, OsString)>);

impl List {
    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.push((name.into(), value.into()));
    }
}

impl Lifecycle<'_> {
    /// All that is set; of one name, the last counts.
    pub(super) fn variables(&self, at: &Surroundings<'_>) -> Vec<(OsString, OsString)> {
        let mut list = List::default();
        let directory = &self.package.directory;
        if matches!(self.manager, Manager::Npm | Manager::Pnpm) {
            self.shown_settings(&mut list, at);
        }
        for (name, value) in flatten::variables(&self.package.manifest, self.flavour()) {
            list.set(&name, value);
        }
        list.set("npm_lifecycle_event", &*self.line.script);
        list.set("npm_lifecycle_script", self.lifecycle_script());
        list.set("npm_execpath", self.tool.script.as_os_str());
        list.set("npm_config_user_agent", self.user_agent());
        if let Some(node) = self.node {
            list.set("npm_node_execpath", node.path.as_os_str());
            list.set("NODE", node.path.as_os_str());
        }
        if rules::is_for_production(self.manager, self.settings, at) {
            list.set("NODE_ENV", "production");
        }
        // The shell between a manager and its script does this.
        list.set("PWD", directory.as_os_str());
        match self.manager {
            Manager::Npm => self.of_npm(&mut list, at),
            Manager::Yarn => self.of_yarn(&mut list, at),
            Manager::Pnpm => self.of_pnpm(&mut list, at),
            Manager::Bun => {
                list.set("npm_command", "run-script");
                list.set("npm_package_json", directory.join("package.json"));
                list.set("npm_config_local_prefix", at.directory);
            }
        }
        list.set("PATH", self.path(at));
        list.0
    }

    fn flavour(&self) -> Flavour {
        let major = self.tool.major();
        match self.manager {
            Manager::Npm => Flavour::Npm,
            Manager::Pnpm if major.is_none_or(|major| major >= 10) => Flavour::Pnpm,
            Manager::Yarn | Manager::Pnpm => Flavour::Everything,
            Manager::Bun => Flavour::Bun,
        }
    }

    /// pnpm makes the words a part of the script.
    fn lifecycle_script(&self) -> String {
        match self.manager {
            Manager::Pnpm => super::resolve::with_words(self.text, &self.line.arguments),
            Manager::Npm | Manager::Yarn | Manager::Bun => self.text.to_owned(),
        }
    }

    fn user_agent(&self) -> String {
        let or_unknown = |version: Option<&str>| version.unwrap_or("?").to_owned();
        let (name, version) = (self.manager.as_str(), or_unknown(self.tool.version.as_deref()));
        let node = or_unknown(self.node.and_then(|node| node.version.as_deref()));
        let node = if node == "?" || self.manager == Manager::Bun {
            "node/?".to_owned()
        } else {
            format!("node/v{node}")
        };
        // In Node's words; there is a binary of ours for these two.
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        match self.manager {
            Manager::Npm => format!("npm/{version} {node} linux {machine} workspaces/false"),
            Manager::Yarn | Manager::Pnpm | Manager::Bun => {
                format!("{name}/{version} npm/? {node} linux {machine}")
            }
        }
    }

    /// From the weakest file to the strongest; a variable that is set already goes before all.
    fn shown_settings(&self, list: &mut List, at: &Surroundings<'_>) {
        let pairs = self.settings.iter().rev().flat_map(|(_, pairs)| pairs);
        for (name, value) in pairs.filter_map(|(key, value)| settings::variable(key, value)) {
            if at.variable(&name).is_none() {
                list.set(&name, value);
            }
        }
    }

    fn of_npm(&self, list: &mut List, at: &Surroundings<'_>) {
        let directory = &self.package.directory;
        let home = PathBuf::from(at.variable("HOME").unwrap_or_default());
        let setting = |key: &str| rules::setting(key, self.settings, at).map(|value| OsString::from(&*value));
        let prefix = match (&self.line.directory, self.node) {
            (Some(_), _) => directory.as_os_str().to_owned(),
            (None, Some(node)) => setting("prefix").unwrap_or_else(|| node.prefix().into_os_string()),
            (None, None) => OsString::new(),
        };
        let mut default = |name: &str, key: &str, value: OsString| {
            if setting(key).is_none() {
                list.set(name, value);
            }
        };
        default("npm_config_cache", "cache", home.join(".npm").into());
        default("npm_config_userconfig", "userconfig", home.join(".npmrc").into());
        default("npm_config_globalconfig", "globalconfig", Path::new(&prefix).join("etc/npmrc").into());
        default("npm_config_init_module", "init-module", home.join(".npm-init.js").into());
        default("npm_config_noproxy", "noproxy", OsString::new());
        default("npm_config_prefix", "prefix", prefix.clone());
        list.set("npm_config_global_prefix", &*prefix);
        list.set("npm_config_local_prefix", directory.as_os_str());
        list.set("npm_package_json", directory.join("package.json"));
        list.set("INIT_CWD", at.directory);
        list.set("npm_command", self.npm_command());
        if let Some(version) = &self.tool.version {
            list.set("npm_config_npm_version", version);
        }
        if let Some(root) = &self.tool.root {
            list.set("npm_config_node_gyp", root.join("node_modules/node-gyp/bin/node-gyp.js"));
        }
        // Its output is no terminal.
        list.set("COLOR", "0");
        let editor = at.variable("EDITOR").or(at.variable("VISUAL")).unwrap_or(OsStr::new("vi"));
        list.set("EDITOR", editor);
    }

    fn npm_command(&self) -> &str {
        match self.line.verb {
            Verb::Own => &self.line.script,
            Verb::Run | Verb::Bare if self.tool.major().is_some_and(|major| major < 11) => "run-script",
            Verb::Run | Verb::Bare => "run",
        }
    }

    fn of_yarn(&self, list: &mut List, at: &Surroundings<'_>) {
        let original: Vec<serde_json::Value> = self.words.iter().map(|&word| word.into()).collect();
        let argv =
            serde_json::json!({"remain": [], "cooked": ["run", self.line.script], "original": original});
        list.set("npm_config_argv", argv.to_string());
        list.set("YARN_WRAP_OUTPUT", "false");
        if at.variable("INIT_CWD").is_none() {
            list.set("INIT_CWD", at.directory);
        }
    }

    fn of_pnpm(&self, list: &mut List, at: &Surroundings<'_>) {
        let directory = &self.package.directory;
        list.set("npm_command", "run-script");
        list.set("INIT_CWD", at.directory);
        list.set("PNPM_SCRIPT_SRC_DIR", directory.as_os_str());
        if self.flavour() == Flavour::Pnpm {
            list.set("npm_package_json", directory.join("package.json"));
            list.set("pnpm_config_verify_deps_before_run", "false");
        }
        if let Some(root) = &self.tool.root {
            list.set("npm_config_node_gyp", root.join("dist/node_modules/node-gyp/bin/node-gyp.js"));
        }
    }

    fn path(&self, at: &Surroundings<'_>) -> OsString {
        let bin = |directory: &Path| directory.join("node_modules/.bin");
        let own = bin(&self.package.directory);
        let of_the_manager = |path: &str| self.tool.root.as_ref().map(|root| root.join(path));
        let places: Vec<PathBuf> = match self.manager {
            Manager::Npm => {
                let gyp = of_the_manager("node_modules/@npmcli/run-script/lib/node-gyp-bin");
                self.package.directory.ancestors().map(bin).chain(gyp).collect()
            }
            Manager::Yarn => {
                let root = self.package.workspace_root(at.files);
                std::iter::once(own).chain(root.as_deref().map(bin)).collect()
            }
            Manager::Pnpm => {
                let root = rules::above(self.package, "pnpm-workspace.yaml", at);
                let root = root.as_deref().and_then(Path::parent).map(bin).filter(|root| *root != own);
                std::iter::once(own).chain(of_the_manager("dist/node-gyp-bin")).chain(root).collect()
            }
            Manager::Bun => {
                std::iter::once(bin(at.directory)).chain(at.directory.ancestors().map(bin)).collect()
            }
        };
        let mut path = OsString::new();
        let given = at.variable("PATH").map(OsStr::to_owned);
        for place in places.into_iter().map(PathBuf::into_os_string).chain(given) {
            if !path.is_empty() {
                path.push(":");
            }
            path.push(place);
        }
        path
    }
}

/// The variables that a command sets for itself.
pub(super) fn of_assignments(assignments: &[(String, String)]) -> Vec<(OsString, OsString)> {
    debug_assert!(assignments.iter().all(|(name, _)| script::is_name(name)), "a shell takes no other names");
    assignments.iter().map(|(name, value)| (name.into(), value.into())).collect()
}
