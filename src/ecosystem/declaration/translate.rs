//! A declaration as the words of a command line, so that what reads command lines has the last word on it.
//!
//! What stands on the real command line, or in the variable of an option, goes before the file.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::app::{AppDeclaration, ExecMode, Identity, LogFile, Selection};
use super::dotenv;
use super::environment::{self, Changes, Environment};
use super::key::{Fate, Key, Slot};
use super::keys::{KEYS, NAMED_ENV};
use super::problem::{FileProblem, Place, Remark, nearest};
use super::procfile;
use super::read::Document;
use super::roster::{Chosen, Roster};
use super::select::Choice;
use super::value::split;
use super::watch_options;
use crate::config::logs::NO_LOG_FILE;
use crate::config::setting::{self, Setting};
use crate::config::{duration, interpreter, values};
use crate::spec::Dependency;

/// Reads a file, seen from the app's directory, or from ours.
pub type ReadFile<'a> = dyn Fn(Option<&Path>, &Path) -> io::Result<String> + 'a;

/// What has to be known of the surroundings.
pub struct World<'a> {
    pub environment: &'a Environment,
    /// Our own options as they were given on the command line, each in one word with its value: `--instances=4`.
    pub options: &'a [OsString],
    /// Whether PATH has an executable of this name.
    pub in_path: &'a dyn Fn(&OsStr) -> bool,
    /// Whether there is such a file, looked up from the app's directory, or from ours.
    pub is_file: &'a dyn Fn(Option<&Path>, &Path) -> bool,
    /// Reads such a file.
    pub read: &'a ReadFile<'a>,
}

/// An app that shall be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    pub name: String,
    /// Options, `--`, the command and its words.
    pub words: Vec<OsString>,
    /// What becomes of the surroundings' variables.
    pub environment: Changes,
    /// The names of the options that the file has set: `kill-timeout`.
    pub settings: Vec<&'static str>,
    /// A further variable for the instance's number.
    pub instance_var: Option<String>,
    /// A variable of the app's environment whose number goes up with each instance.
    pub increment_var: Option<String>,
    /// What has set the number of instances, where that is not the file: `--formation`.
    pub instances_by: Option<&'static str>,
    /// Whether PORT is not the port that the platform expects to be served.
    pub has_port_of_its_own: bool,
    pub namespace: Option<String>,
    /// What it needs, by the names by which they are started.
    pub depends_on: Vec<Dependency>,
    /// Whether it is there for others alone, which need it.
    pub is_taken_along: bool,
}

/// What is to be started, and what people should know of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launches {
    pub apps: Vec<Launch>,
    pub remarks: Vec<Remark>,
}

/// The apps of `document` that are meant, each as words.
///
/// # Errors
/// All that is wrong.
pub fn translate(
    file: &str,
    document: &Document,
    choice: &Choice,
    world: &World<'_>,
) -> Result<Launches, Vec<FileProblem>> {
    let named = choice.environment.as_deref();
    let mut launches = Launches::default();
    let roster = Roster::of(file, document, choice, world.environment)?;
    let mut problems = Vec::new();
    launches.remarks.extend(roster.left_out.iter().cloned());
    for Chosen { app, port_step, instances_by, is_taken_along } in &roster.chosen {
        let place = Place::file(file).app(&app.label);
        launches.remarks.extend(document.remarks.iter().filter(|remark| remark.is_of(&app.label)).cloned());
        launches.remarks.extend(named.and_then(|named| without_environment(&place, app, named)));
        let (port_step, instances_by, env_files) = (*port_step, *instances_by, &choice.env_files);
        let depends_on = roster.needs_of(app, named);
        let translation = Translation { place, app, named, world, port_step, instances_by, env_files };
        match translation.launch(&document.options) {
            Ok(launch) => {
                let is_taken_along = *is_taken_along;
                launches.apps.push(Launch { depends_on, is_taken_along, ..launch });
            }
            Err(mut more) => problems.append(&mut more),
        }
    }
    launches.remarks.extend(document.remarks.iter().filter(|remark| remark.app().is_none()).cloned());
    problems.extend(same_names(file, &launches.apps));
    if problems.is_empty() { Ok(launches) } else { Err(problems) }
}

fn without_environment(place: &Place, app: &AppDeclaration, named: &str) -> Option<Remark> {
    if app.named_env.contains_key(named) {
        return None;
    }
    let known = app.named_env.keys().map(|name| format!("{NAMED_ENV}{name}"));
    let key = format!("{NAMED_ENV}{named}");
    Some(Remark::NoNamedEnvironment { nearest: nearest(&key, known), place: place.key(&key) })
}

fn same_names(file: &str, apps: &[Launch]) -> Vec<FileProblem> {
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for app in apps {
        if !seen.insert(&app.name) {
            twice.insert(&app.name);
        }
    }
    let problem = |name: &&String| FileProblem::Other {
        place: Place::file(file).key("name"),
        what: format!("several of the apps are called `{name}`, accepted: a name for each"),
    };
    twice.iter().map(problem).collect()
}

struct Translation<'a> {
    place: Place,
    app: &'a AppDeclaration,
    named: Option<&'a str>,
    world: &'a World<'a>,
    port_step: Option<u16>,
    instances_by: Option<&'static str>,
    env_files: &'a [String],
}

impl Translation<'_> {
    fn launch(&self, of_the_runtime: &[(Setting, String)]) -> Result<Launch, Vec<FileProblem>> {
        let mut problems = Vec::new();
        let files = self.env_files().unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        let mut environment = environment::resolve(self.app, self.world.environment, &files, self.named);
        problems.extend(self.moved_port(&mut environment));
        problems.extend(self.wrong_increment(&environment));
        let command = self.command().unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let (mut words, settings) = self.options(of_the_runtime);
        words.extend(self.world.options.iter().cloned());
        words.push("--".into());
        words.extend(command);
        Ok(Launch {
            name: self.given(setting::NAME).unwrap_or_else(|| self.app.name_in(self.named)),
            words,
            environment: environment::changes(self.world.environment, &environment),
            settings,
            instance_var: self.app.instance_var.clone(),
            increment_var: self.app.increment_var.clone(),
            instances_by: self.instances_by,
            has_port_of_its_own: self.port_step.is_some(),
            namespace: self.app.namespace.clone(),
            depends_on: Vec::new(),
            is_taken_along: false,
        })
    }

    /// The app's directory, if it is not ours.
    fn directory(&self) -> Option<PathBuf> {
        self.given(setting::CWD).or_else(|| self.app.cwd.clone()).map(PathBuf::from)
    }

    fn env_files(&self) -> Result<Vec<(String, String)>, FileProblem> {
        let (directory, mut all) = (self.directory(), Vec::new());
        // Those of the command line are seen from where it was typed, whatever directory the app has.
        let of_all = self.env_files.iter().map(|file| (None, "--env-file", file));
        let own = self.app.env_file.iter().flatten().map(|file| (directory.as_deref(), "env_file", file));
        for (directory, key, file) in of_all.chain(own) {
            let wrong = |what: String| FileProblem::Other {
                place: self.place.key(key),
                what: format!("cannot use `{file}`: {what}"),
            };
            let text = (self.world.read)(directory, Path::new(file));
            let text = text.map_err(|error| wrong(error.to_string()))?;
            all.extend(dotenv::parse(&text).map_err(|error| wrong(error.to_string()))?);
        }
        Ok(all)
    }

    /// Moves PORT to where the app may have it.
    fn moved_port(&self, environment: &mut Environment) -> Option<FileProblem> {
        let step = self.port_step?;
        let port = procfile::move_port(environment, step).err()?;
        let place = self.place.key("PORT");
        let what =
            format!("there is no port {step} above {port}, accepted: a PORT up to {}", u16::MAX - step);
        Some(FileProblem::Other { place, what })
    }

    fn wrong_increment(&self, environment: &Environment) -> Option<FileProblem> {
        let name = self.app.increment_var.as_ref()?;
        let place = self.place.key("increment_var");
        if self.app.standby.is_some_and(|workers| workers > 0) {
            let what = "excludes `standby`, whose workers boot before they have a place".to_owned();
            return Some(FileProblem::Other { place, what });
        }
        let base = environment.get(OsStr::new(name)).and_then(|value| value.to_str()?.parse::<i64>().ok());
        base.is_none().then(|| FileProblem::Unacceptable {
            place,
            found: format!("`{name}`"),
            accepted: "a variable of the app's environment that holds a whole number".to_owned(),
        })
    }

    /// The value that the command line or the environment has for a setting.
    fn given(&self, setting: Setting) -> Option<String> {
        let prefix = format!("{}=", setting.flag);
        let words = self.world.options.iter().rev().map(|word| word.to_string_lossy());
        let option = words
            .filter_map(|word| match word.strip_prefix(&prefix) {
                Some(value) => Some(value.to_owned()),
                None => (word == setting.flag).then(String::new),
            })
            .next();
        let variable = || self.world.environment.get(OsStr::new(setting.variable));
        option.or_else(|| {
            variable().filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into())
        })
    }

    /// Whether the file has no say about a setting.
    fn is_overridden(&self, setting: Setting) -> bool {
        const DELAYS: [Setting; 2] = [setting::RESTART_DELAY, setting::EXP_BACKOFF_RESTART_DELAY];
        // These two exclude each other.
        let together: &[Setting] = if DELAYS.contains(&setting) { &DELAYS } else { &[setting] };
        together.iter().any(|setting| self.given(*setting).is_some())
    }

    /// A formation goes before PMR_INSTANCES; on a command line there is but one of the two.
    fn is_of_a_formation(&self, setting: Setting) -> bool {
        setting == setting::INSTANCES && self.instances_by.is_some()
    }

    /// The options that the file sets, as words, and their names.
    fn options(&self, of_the_runtime: &[(Setting, String)]) -> (Vec<OsString>, Vec<&'static str>) {
        let mut app = self.app.clone();
        app.name = self.wants_name().then(|| app.name_in(self.named));
        if app.exp_backoff_restart_delay.is_some() {
            app.restart_delay = None;
        }
        watch_options::apply(&mut app);
        if app.disable_source_map_support == Some(true) {
            app.source_map_support = None;
        }
        // Node's cluster protocol would make workers of what shall be independent processes.
        if app.exec_mode == Some(ExecMode::Fork) && app.instances.is_some() && app.share.is_none() {
            app.share = Some("intercept".to_owned());
        }
        let of_the_app = KEYS.iter().filter_map(|key| match key.fate {
            Fate::Option(setting) => Some((setting, option(key, setting, &mut app)?)),
            Fate::Resolved | Fate::NoEffect(_) => None,
        });
        // Not the number that the machine or the platform suggests: the app may not be made for several.
        let one = self.app.instances.is_none().then(|| (setting::INSTANCES, word(setting::INSTANCES, "1")));
        let of_the_runtime = of_the_runtime.iter().map(|(setting, value)| (*setting, word(*setting, value)));
        let all: Vec<_> = of_the_app.chain(one).chain(of_the_runtime).collect();
        all.into_iter()
            .filter(|(setting, _)| !self.is_overridden(*setting) || self.is_of_a_formation(*setting))
            .map(|(setting, word)| (OsString::from(word), setting.name))
            .unzip()
    }

    /// Whether the words alone would give the app another name.
    fn wants_name(&self) -> bool {
        let app = self.app;
        let is_executed_itself = app.interpreter.as_deref() == Some(NO_INTERPRETER);
        app.name.is_some() || app.append_env_to_name == Some(true) || is_executed_itself
    }

    fn command(&self) -> Result<Vec<OsString>, FileProblem> {
        let app = self.app;
        let script = app.script.as_deref().unwrap_or_default();
        let arguments = app.args.iter().flatten().map(OsString::from);
        let is_file = (self.world.is_file)(self.directory().as_deref(), Path::new(script));
        let line = split(script).filter(|words| words.len() > 1 && !is_file);
        let has_interpreter = interpreter::candidates(Path::new(script)).is_some();
        let mut words: Vec<OsString> = match (self.interpreter()?, line) {
            // Where it is alone, a shell may be needed.
            (_, Some(line)) if arguments.clone().next().is_some() => {
                line.iter().map(OsString::from).collect()
            }
            (Some(Interpreter::None), None) if has_interpreter && is_file => executed_itself(script),
            (Some(Interpreter::Program(program)), None) => {
                let between = app.interpreter_args.iter().flatten().map(OsString::from);
                std::iter::once(program.into()).chain(between).chain([script.into()]).collect()
            }
            (Some(_) | None, _) => vec![script.into()],
        };
        words.extend(arguments);
        Ok(words)
    }

    fn interpreter(&self) -> Result<Option<Interpreter>, FileProblem> {
        let app = self.app;
        if self.given(setting::INTERPRETER).is_some() {
            return Ok(None);
        }
        match app.interpreter.as_deref() {
            Some(NO_INTERPRETER) => Ok(Some(Interpreter::None)),
            Some(name) if name.contains('@') => Err(FileProblem::Unacceptable {
                place: self.place.key("interpreter"),
                found: format!("`{name}`"),
                accepted: "a program in PATH or the path of one, or `none`; versions are not installed here"
                    .to_owned(),
            }),
            Some(name) => Ok(Some(Interpreter::Program(name.to_owned()))),
            None if app.interpreter_args.as_ref().is_some_and(|words| !words.is_empty()) => {
                let script = Path::new(app.script.as_deref().unwrap_or_default());
                let candidates = interpreter::candidates(script).unwrap_or(&["node"]);
                let found = candidates.iter().find(|name| (self.world.in_path)(OsStr::new(name)));
                Ok(found.or(candidates.first()).map(|name| Interpreter::Program((*name).to_owned())))
            }
            None => Ok(None),
        }
    }
}

/// What says that a script needs none.
const NO_INTERPRETER: &str = "none";

enum Interpreter {
    /// The script itself is executed.
    None,
    Program(String),
}

/// Keeps the interpreter for the script's extension away from it.
fn executed_itself(script: &str) -> Vec<OsString> {
    let path = if script.contains('/') { script.to_owned() } else { format!("./{script}") };
    ["sh", "-c", r#"exec "$0" "$@""#, &path].into_iter().map(OsString::from).collect()
}

/// The option in one word, if the app has a value for it that is not the default of all apps.
fn option(key: &Key, setting: Setting, app: &mut AppDeclaration) -> Option<String> {
    let value = match key.slot {
        Slot::Text(place) | Slot::Checked(_, place) | Slot::Signal(place) => place(app).clone()?,
        Slot::Time(_, place) => time((*place(app))?),
        Slot::Count(place) | Slot::Restarts(place) | Slot::Standby(place) => (*place(app))?.to_string(),
        Slot::Instances(place) => (*place(app))?.to_string(),
        Slot::Cron(place) => place(app).clone()??,
        Slot::Identity(place) => match place(app).as_ref()? {
            Identity::Number(number) => number.to_string(),
            Identity::Name(name) => name.clone(),
        },
        Slot::LogFile(place) => match place(app).as_ref()? {
            LogFile::Path(path) => path.clone(),
            LogFile::Off => NO_LOG_FILE.to_owned(),
            LogFile::Usual => return None,
        },
        Slot::Selection(place) => match place(app).as_ref()? {
            Selection::Nothing => return None,
            Selection::All => "true".to_owned(),
            Selection::These(paths) => paths.join(","),
        },
        Slot::List(place) => Some(place(app).as_ref()?.join(",")).filter(|list| !list.is_empty())?,
        Slot::Commands(place) => one_line(place(app).as_deref()?)?,
        Slot::Bytes(place) => values::render_bytes((*place(app))?),
        Slot::ExitCodes(place) => {
            Some(values::render_exit_codes(place(app).as_deref()?)).filter(|codes| !codes.is_empty())?
        }
        Slot::YesNo(place) => {
            let is_negative = setting.flag.starts_with("--no-");
            return ((*place(app))? != is_negative).then(|| setting.flag.to_owned());
        }
        // Of a type that no option has; a test holds this list against the table.
        _ => return None,
    };
    Some(word(setting, &value))
}

/// Commands that follow one another as long as they succeed.
fn one_line(commands: &[String]) -> Option<String> {
    match commands {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(several.iter().map(|one| format!("( {one} )")).collect::<Vec<_>>().join(" && ")),
    }
}

fn word(setting: Setting, value: &str) -> String {
    format!("{}={value}", setting.flag)
}

/// To the nanosecond.
fn time(span: Duration) -> String {
    if span.subsec_nanos().is_multiple_of(1_000_000) {
        duration::render(span)
    } else {
        format!("{}.{:09}s", span.as_secs(), span.subsec_nanos())
    }
}

impl Remark {
    fn place(&self) -> &Place {
        match self {
            Self::NoEffect { place, .. }
            | Self::LeftOut { place, .. }
            | Self::NoNamedEnvironment { place, .. } => place,
        }
    }

    fn app(&self) -> Option<&str> {
        self.place().app.as_deref()
    }

    fn is_of(&self, app: &str) -> bool {
        self.app() == Some(app)
    }
}
