//! Commands on a made-up machine: npm 11.2.0, yarn 1.22.22 and pnpm 10.1.0 in `/usr`, node beside them, a package in `/app`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{Direct, Files, Hooks, Outcome, Surroundings, resolve};

/// Files by their paths; the programs among them are executable.
struct Machine {
    files: BTreeMap<PathBuf, String>,
    links: BTreeMap<PathBuf, PathBuf>,
    environment: BTreeMap<OsString, OsString>,
    directory: PathBuf,
    hooks: Hooks,
}

const PACKAGE: &str = r#"{
    "name": "shop", "version": "1.2.3",
    "scripts": {
        "start": "node server.js", "web": "NODE_ENV=production next start", "both": "npm run build && node server.js",
        "nested": "A=1 npm run web -- --port 3", "round": "npm run round", "cross": "cross-env B='x y' exec node .",
        "hooked": "node .", "prehooked": "tsc", "after": "node .", "postafter": "x", "local": "./bin/run x", "other": "npm install",
        "python": "python3 -m http.server", "price": "cross-env 'P=$1' node ."
    }
}"#;

const SHIM: &str = "#!/bin/sh\nbasedir=$(dirname \"$0\")\nif [ -z \"$NODE_PATH\" ]; then\n  export NODE_PATH=\"/app/node_modules/.pnpm/x/node_modules\"\n\
    else\n  export NODE_PATH=\"/app/node_modules/.pnpm/x/node_modules:$NODE_PATH\"\nfi\nif [ -x \"$basedir/node\" ]; then\n  \
    exec \"$basedir/node\"  \"$basedir/../x/cli.js\" \"$@\"\nelse\n  exec node  \"$basedir/../x/cli.js\" \"$@\"\nfi\n";
/// As pnpm 12 writes it.
const LATER_SHIM: &str = "#!/bin/sh\nlink=\"$0\"\nbasedir_abs=x\nif [ -z \"$NODE_PATH\" ]; then\n  export NODE_PATH=\"$basedir_abs\"/'../.pnpm/y/node_modules'\nfi\n\
    if [ -n \"$msys\" ]; then\n  exec node  \"$basedir_win\"/'../y/cli.js' \"$@\"\nelse\n  exec node  \"$basedir_abs\"/'../y/cli.js' \"$@\"\nfi\n\
    # cmd-shim-target=../y/cli.js\n";

fn machine() -> Machine {
    let node = "#!/usr/bin/env node\n";
    let header =
        "#define NODE_MAJOR_VERSION 22\n#define NODE_MINOR_VERSION 1\n#define NODE_PATCH_VERSION 0\n";
    let files = [
        ("/app/package.json", PACKAGE),
        ("/app/node_modules/.bin/next", "#!/usr/bin/env node\ncode"),
        ("/app/node_modules/.bin/cross-env", node),
        ("/app/node_modules/.bin/flagged", "#!/usr/bin/env -S node --no-warnings\n"),
        ("/app/node_modules/.bin/shim", SHIM),
        ("/app/node_modules/.bin/later", LATER_SHIM),
        ("/app/node_modules/.bin/native", "\u{7f}ELF"),
        ("/usr/bin/node", "\u{7f}ELF"),
        ("/usr/include/node/node_version.h", header),
        ("/usr/lib/node_modules/npm/package.json", r#"{"name": "npm", "version": "11.2.0"}"#),
        ("/usr/lib/node_modules/npm/bin/npm-cli.js", node),
        ("/usr/lib/node_modules/yarn/package.json", r#"{"name": "yarn", "version": "1.22.22"}"#),
        ("/usr/lib/node_modules/yarn/bin/yarn.js", node),
        ("/usr/lib/node_modules/pnpm/package.json", r#"{"name": "pnpm", "version": "10.1.0"}"#),
        ("/usr/lib/node_modules/pnpm/bin/pnpm.cjs", node),
        ("/usr/local/bin/bun", "\u{7f}ELF"),
    ];
    let links = [
        ("/usr/bin/npm", "/usr/lib/node_modules/npm/bin/npm-cli.js"),
        ("/usr/bin/yarn", "/usr/lib/node_modules/yarn/bin/yarn.js"),
        ("/usr/bin/pnpm", "/usr/lib/node_modules/pnpm/bin/pnpm.cjs"),
    ];
    let variables = [("PATH", "/usr/local/bin:/usr/bin"), ("HOME", "/root")];
    Machine {
        files: files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect(),
        links: links.iter().map(|(from, to)| (from.into(), to.into())).collect(),
        environment: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        directory: "/app".into(),
        hooks: Hooks::First,
    }
}

impl Machine {
    fn with(mut self, file: &str, text: &str) -> Self {
        self.files.insert(file.into(), text.to_owned());
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    fn within(mut self, directory: &str) -> Self {
        self.directory = directory.into();
        self
    }

    /// The package has this script.
    fn script(self, script: &str) -> Self {
        let package = serde_json::json!({"name": "shop", "scripts": {"start": script}});
        self.with("/app/package.json", &package.to_string())
    }

    fn real(&self, path: &Path) -> Option<PathBuf> {
        let path = self.links.get(path).map_or(path, PathBuf::as_path);
        self.files.contains_key(path).then(|| path.to_owned())
    }

    fn resolve(&self, command: &str) -> Outcome {
        let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
        let read = |path: &Path| Some(self.files.get(&self.real(path)?)?.clone().into_bytes());
        let find = |path: &OsStr, name: &OsStr| {
            std::str::from_utf8(path.as_encoded_bytes())
                .unwrap()
                .split(':')
                .map(Path::new)
                .map(|place| place.join(name))
                .find(|file| self.real(file).is_some())
        };
        let files = Files { read: &read, real: &|path| self.real(path), find: &find };
        let at = Surroundings {
            directory: &self.directory,
            environment: &self.environment,
            files: &files,
            hooks: self.hooks,
        };
        resolve(&words[0], &words[1..], &at)
    }

    #[track_caller]
    fn direct(&self, command: &str) -> Direct {
        match self.resolve(command) {
            Outcome::Direct(direct) => *direct,
            other => panic!("{command}: {other:?}"),
        }
    }

    /// The last of its steps, with `outcome: why` for those that are kept.
    fn runs(&self, command: &str) -> String {
        match self.resolve(command) {
            Outcome::Direct(direct) => direct.steps.last().unwrap().clone(),
            Outcome::Kept(why) => format!("kept: {why}"),
            Outcome::Untouched => "untouched".to_owned(),
        }
    }
}

fn value(direct: &Direct, name: &str) -> Option<String> {
    let of_name = direct.variables.iter().rev().find(|(known, _)| known == name)?;
    Some(of_name.1.to_str().unwrap().to_owned())
}

#[track_caller]
fn assert_runs(machine: &Machine, command: &str, expected: &str) {
    assert_eq!(machine.runs(command), expected, "{command}");
}

#[test]
fn a_simple_script_is_run_itself() {
    let machine = machine();
    for manager in ["npm", "yarn", "pnpm", "bun", "/usr/bin/npm"] {
        assert_runs(&machine, &format!("{manager} start"), "node server.js");
        assert_runs(&machine, &format!("{manager} run start"), "node server.js");
    }
    assert_runs(&machine, "npm -- start", "node server.js");
    assert_runs(&machine, "npm start a -- --b", "node server.js a --b");
    assert_runs(&machine, "yarn python --x", "python3 -m http.server --x");
    assert_eq!(machine.direct("npm run python").steps, ["npm run python", "python3 -m http.server"]);
}

#[test]
fn what_takes_a_shell_gets_one() {
    let machine = machine();
    assert_runs(&machine, "npm run both", "sh -c 'npm run build && node server.js'");
    assert_runs(
        &machine,
        "npm run both -- --x y'z",
        r"sh -c 'npm run build && node server.js --x '\''y'\''\'\'''\''z'\'''",
    );
    assert_runs(&machine, "npm run price", r"sh -c 'cross-env '\''P=$1'\'' node .'");
    assert_runs(&machine.script("PATH=/x node ."), "npm start", "sh -c 'PATH=/x node .'");
}

#[test]
fn assignments_become_variables() {
    let direct = machine().direct("npm run cross");
    assert_eq!(direct.steps, ["npm run cross", "node ."]);
    assert_eq!(value(&direct, "B").as_deref(), Some("x y"));
    let direct = machine().direct("npm run web");
    assert_eq!(value(&direct, "NODE_ENV").as_deref(), Some("production"));
    assert_runs(&machine().script("env C=1 D= node ."), "npm start", "node .");
    assert_runs(&machine().script("env -i node ."), "npm start", "sh -c 'env -i node .'");
}

#[test]
fn programs_of_packages_that_are_scripts_of_node_are_run_by_node() {
    let machine = machine();
    assert_runs(&machine, "npm run web -- -p 3", "node /app/node_modules/.bin/next start -p 3");
    for (script, expected) in [
        ("flagged", "node --no-warnings /app/node_modules/.bin/flagged"),
        ("node_modules/.bin/next", "node /app/node_modules/.bin/next"),
        ("native x", "native x"),
        ("missing", "missing"),
        ("./bin/run x", "./bin/run x"),
    ] {
        assert_runs(&super::tests::machine().script(script), "npm start", expected);
    }
}

#[test]
fn pnpms_shell_scripts_around_them_are_left_out_too() {
    let direct = machine().script("shim x").direct("pnpm start");
    assert_eq!(direct.steps[1], "node /app/node_modules/x/cli.js x");
    assert_eq!(value(&direct, "NODE_PATH").as_deref(), Some("/app/node_modules/.pnpm/x/node_modules"));
    let direct = machine().set("NODE_PATH", "/mine").script("later").direct("pnpm start");
    assert_eq!(direct.steps[1], "node /app/node_modules/y/cli.js");
    assert_eq!(value(&direct, "NODE_PATH").as_deref(), Some("/app/node_modules/.pnpm/y/node_modules:/mine"));
}

#[test]
fn scripts_that_start_scripts_are_followed() {
    let direct = machine().direct("npm run nested -- --x");
    let steps = [
        "npm run nested -- --x",
        "npm run web -- --port 3 --x",
        "node /app/node_modules/.bin/next start --port 3 --x",
    ];
    assert_eq!(direct.steps, steps);
    assert_eq!(
        (value(&direct, "A"), value(&direct, "NODE_ENV")),
        (Some("1".into()), Some("production".into()))
    );
    assert_eq!(value(&direct, "npm_lifecycle_event").as_deref(), Some("web"));
    assert_runs(&machine(), "npm run round", "npm run round");
    assert_runs(&machine(), "npm run other", "npm install");
    assert_runs(&machine().script("npm run x --if-present"), "yarn start", "npm run x --if-present");
}

#[test]
fn the_nearest_package_counts_and_its_directory_is_the_scripts() {
    let machine =
        machine().with("/app/web/package.json", r#"{"scripts": {"start": "deep"}}"#).within("/app/web/src");
    let direct = machine.direct("npm start");
    assert_eq!((direct.program.to_str(), direct.directory.to_str()), (Some("deep"), Some("/app/web")));
    assert_eq!(value(&direct, "INIT_CWD").as_deref(), Some("/app/web/src"));
    assert_eq!(value(&direct, "PWD").as_deref(), Some("/app/web"));
    let machine = machine.within("/app");
    for command in ["npm --prefix web start", "yarn --cwd=web/src start", "pnpm -C web start"] {
        assert_eq!(machine.direct(command).directory, Path::new("/app/web"), "{command}");
    }
}

#[test]
fn a_package_without_a_start_script_may_have_a_server() {
    let machine = machine().with("/app/package.json", "{}").with("/app/server.js", "");
    assert_runs(&machine, "npm start", "node server.js");
    assert_runs(&machine, "npm run web", "untouched");
    assert_runs(&machine, "yarn start", "untouched");
}

#[test]
fn hooks_belong_to_their_script() {
    let direct = machine().direct("npm run hooked");
    assert_eq!(direct.steps, ["npm run hooked", "node ."]);
    let before = direct.before.unwrap();
    assert_eq!((before.name.as_str(), before.program.to_str()), ("prehooked", Some("tsc")));
    let set = |name: &str| {
        before
            .variables
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.to_str().unwrap())
    };
    assert_eq!((set("npm_lifecycle_event"), set("npm_lifecycle_script")), (Some("prehooked"), Some("tsc")));
    let kept = Machine { hooks: Hooks::Kept, ..machine() };
    assert_runs(&kept, "npm run hooked", "kept: `prehooked` belongs to it");
    let nested = machine()
        .with("/app/package.json", r#"{"scripts": {"start": "npm run web", "web": "x", "preweb": "y"}}"#);
    assert_runs(&nested, "npm start", "npm run web");
    assert_runs(&machine(), "pnpm after", "kept: `postafter` belongs to it");
    let ignoring = machine().with("/root/.npmrc", "ignore-scripts=true");
    assert_runs(&ignoring, "npm run hooked", "node .");
}

#[test]
fn what_is_not_certain_is_left_to_the_manager() {
    assert_runs(&machine(), "npm -w web start", "kept: `-w` is an option of npm");
    let machine_with = |file: &str, text: &str| machine().with(file, text);
    for (machine, command, why) in [
        (machine_with("/app/.npmrc", "script-shell=bash"), "npm start", "/app/.npmrc sets `script-shell`"),
        (machine_with("/root/.npmrc", "node-options=--x"), "pnpm start", "/root/.npmrc sets `node-options`"),
        (
            machine().set("NPM_CONFIG_SCRIPT_SHELL", "x"),
            "npm start",
            "the environment sets `NPM_CONFIG_SCRIPT_SHELL`",
        ),
        (
            machine_with("/app/pnpm-workspace.yaml", "shellEmulator: true"),
            "pnpm start",
            "/app/pnpm-workspace.yaml sets `shellEmulator`",
        ),
        (
            machine_with("/app/.yarnrc.yml", ""),
            "yarn start",
            "Yarn 2 and later run scripts in a shell of their own",
        ),
        (machine_with("/.pnp.cjs", ""), "yarn start", "packages come from /.pnp.cjs"),
        (machine_with("/app/.yarnrc", "yarn-path \"x\""), "yarn start", "/app/.yarnrc sets `yarn-path`"),
        (
            machine_with("/app/bunfig.toml", "[run]\nbun = true"),
            "bun run start",
            "/app/bunfig.toml sets `run`",
        ),
        (machine().set("PATH", "/usr/local/bin"), "npm start", "`node` is not in PATH"),
        (machine().set("PATH", "/usr/local/bin"), "bun start", "`node` is not in PATH"),
    ] {
        assert_runs(&machine, command, &format!("kept: {why}"));
    }
    let asks = |manager: &str| {
        machine().with(
            "/app/package.json",
            &format!(r#"{{"scripts": {{"start": "x"}}, "packageManager": "{manager}"}}"#),
        )
    };
    assert_runs(
        &asks("yarn@4.1.0"),
        "yarn start",
        "kept: Yarn 2 and later run scripts in a shell of their own",
    );
    assert_runs(&asks("yarn@4.1.0"), "pnpm start", "kept: package.json asks for `yarn@4.1.0`");
    assert_runs(&asks("yarn@4.1.0"), "npm start", "x");
    assert_runs(&asks("yarn@1.22.19"), "yarn start", "x");
}

#[test]
fn what_only_starts_a_manager_is_not_taken_for_it() {
    let old =
        machine().with("/usr/lib/node_modules/npm/package.json", r#"{"name": "npm", "version": "6.14.18"}"#);
    assert_runs(&old, "npm start", "kept: npm 6.14.18 is older than all that are known here");
    let later =
        machine().with("/usr/lib/node_modules/yarn/package.json", r#"{"name": "yarn", "version": "4.1.0"}"#);
    assert_runs(&later, "yarn start", "kept: Yarn 2 and later run scripts in a shell of their own");
    let volta = machine().with("/usr/local/bin/npm", "#!/bin/sh\n");
    assert_runs(&volta, "npm start", "kept: /usr/local/bin/npm is not npm itself");
    let mut corepack = machine()
        .with("/usr/lib/node_modules/corepack/package.json", r#"{"name": "corepack", "version": "0.30.0"}"#)
        .with("/usr/lib/node_modules/corepack/dist/pnpm.js", "")
        .script("x");
    corepack.links.insert("/usr/bin/pnpm".into(), "/usr/lib/node_modules/corepack/dist/pnpm.js".into());
    let unknown = "kept: /usr/lib/node_modules/corepack/dist/pnpm.js is not pnpm itself";
    assert_runs(&corepack, "pnpm start", unknown);
    let package = r#"{"scripts": {"start": "x"}, "packageManager": "pnpm@9.1.0+sha512.ab"}"#;
    let corepack = corepack.with("/app/package.json", package);
    assert_runs(&corepack, "pnpm start", unknown);
    let cached = "/root/.cache/node/corepack/v1/pnpm/9.1.0";
    let corepack = corepack
        .with(&format!("{cached}/package.json"), r#"{"name": "pnpm", "version": "9.1.0"}"#)
        .with(&format!("{cached}/bin/pnpm.cjs"), "");
    let direct = corepack.direct("pnpm start");
    assert_eq!(value(&direct, "npm_execpath"), Some(format!("{cached}/bin/pnpm.cjs")));
    assert!(value(&direct, "npm_config_user_agent").unwrap().starts_with("pnpm/9.1.0 "));
}

#[test]
fn other_commands_are_not_touched() {
    for command in [
        "node server.js",
        "npm install",
        "npm run missing",
        "yarn install",
        "bun server.js",
        "npm",
        "deno task start",
    ] {
        assert_runs(&machine(), command, "untouched");
    }
    assert_runs(&machine().with("/app/package.json", "{"), "npm start", "untouched");
    let mut without = machine();
    without.files.remove(Path::new("/app/package.json"));
    assert_runs(&without, "npm start", "untouched");
}

fn rendered(direct: &Direct) -> String {
    let all: BTreeMap<_, _> = direct.variables.iter().cloned().collect();
    let lines = all.iter().map(|(name, value)| format!("{}={}", name.display(), value.display()));
    lines.collect::<Vec<_>>().join("\n").replace(" x64", " MACHINE").replace(" arm64", " MACHINE")
}

#[test]
fn npms_variables() {
    let machine =
        machine().with("/app/.npmrc", "omit=dev\n//registry.example/:_authToken=secret\n").within("/app/src");
    insta::assert_snapshot!(rendered(&machine.direct("npm run start -- x")));
}

#[test]
fn who_leaves_out_packages_for_development_is_in_production() {
    let environment = |machine: Machine, command: &str| value(&machine.direct(command), "NODE_ENV");
    let production = Some("production".to_owned());
    assert_eq!(environment(machine().set("NPM_CONFIG_PRODUCTION", "true"), "npm start"), production);
    assert_eq!(
        environment(machine().with("/app/.npmrc", "omit[]=dev\nomit=optional,dev"), "npm start"),
        production
    );
    assert_eq!(environment(machine().with("/app/.npmrc", "omit=dev\ninclude=dev"), "npm start"), None);
    assert_eq!(environment(machine().set("npm_config_production", "true"), "pnpm start"), production);
    assert_eq!(environment(machine(), "npm start"), None);
}

#[test]
fn yarns_variables() {
    let machine = machine().with("/package.json", r#"{"workspaces": ["app"]}"#);
    insta::assert_snapshot!(rendered(&machine.direct("yarn start --x")));
}

#[test]
fn pnpms_variables() {
    let machine = machine().with("/pnpm-workspace.yaml", "packages: [app]");
    insta::assert_snapshot!(rendered(&machine.direct("pnpm start x 'y")));
}

#[test]
fn buns_variables() {
    insta::assert_snapshot!(rendered(&machine().within("/app/src").direct("bun run start")));
}

proptest::proptest! {
    #[test]
    fn no_command_and_no_script_make_it_panic(
        command in "(npm|yarn|pnpm|bun)( (run|start|web|--|-s|--prefix|x|'|nested)){0,6}",
        script in "(npm run start|npm start|exec|env|cross-env| |A=1|'|&&|node|next|yarn|-i|shim){0,8}",
    ) {
        let _ = (machine().resolve(&command), machine().script(&script).resolve("npm start"));
    }
}
