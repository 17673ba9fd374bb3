//! The last decisions before the first worker of an app starts, which need a look at the machine: which way sockets are
//! shared, whether the agent can be had.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use super::args::{self, Request};
use crate::api::types::{Declared, DependencyOf, Grammar, PortUse, Problem, SettingView, StartRequest};
use crate::config::interpreter;
use crate::config::pm2;
use crate::config::problem::Origin;
use crate::config::resolve::ResolveError;
use crate::config::setting;
use crate::config::settings::{LogFormat, Settings};
use crate::config::sources::Sources;
use crate::driver::Plan;
use crate::driver::web::WebWish;
use crate::exit::{self, Error};
use crate::handover::agent::{self, Agent, Loader};
use crate::handover::choose::{self, Choice, Situation, Way};
use crate::handover::cluster::recognise::{Recognised, recognise};
use crate::handover::cluster::spawn::VARIABLES;
use crate::handover::environment;
use crate::spec::{
    AppSpec, Asking, CommandSpec, Company, Dependency, EventLoop, HealthCheck, HealthPolicy, ListeningHeard,
    Numbered, Reach, ReadySign, ReloadStrategy, Share,
};
use crate::sys::filter::Probe;
use crate::sys::rights;

/// Whether `bind` can be intercepted on this machine: tried while the configuration is read, looked at when needed.
pub(super) struct Interception {
    probe: Cell<Option<Probe>>,
    refusal: OnceCell<Option<String>>,
}

impl Interception {
    pub(super) fn new(probe: Probe) -> Self {
        Self { probe: Cell::new(Some(probe)), refusal: OnceCell::new() }
    }

    /// Why it cannot be, if so.
    fn refusal(&self) -> Option<&str> {
        let outcome =
            || self.probe.take().and_then(|probe| probe.outcome().err()).map(|error| error.to_string());
        self.refusal.get_or_init(outcome).as_deref()
    }
}

/// Plans what a client, or we ourselves on a reload, ask for: reads the words again, and everything that they name.
///
/// # Errors
/// All that is wrong with it, for the one who asked.
pub(super) fn plan_anew(
    sources: &Sources,
    interception: &Interception,
    request: &StartRequest,
    company: Company,
) -> Result<Plan, Problem> {
    let settings = settle(sources, request).map_err(|error| as_problem(&error))?;
    Ok(plan_of(&settings, request, interception, company))
}

/// The settings of what is asked for, in its own surroundings.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn settle(sources: &Sources, request: &StartRequest) -> Result<Settings, Error> {
    let directory = PathBuf::from(OsString::from(request.directory.clone()));
    read(&sources.for_another(environment_of(request), directory), request)
}

fn environment_of(request: &StartRequest) -> BTreeMap<OsString, OsString> {
    let given = request.environment.iter().cloned();
    let mut environment: BTreeMap<_, _> = given.map(|(name, value)| (name.into(), value.into())).collect();
    for (name, value) in request.declared.iter().flat_map(|declared| declared.variables.iter().cloned()) {
        match value {
            Some(value) => drop(environment.insert(name.into(), value.into())),
            None => drop(environment.remove(&OsString::from(name))),
        }
    }
    environment
}

/// Decides, with what a configuration file says beside the words.
pub(super) fn plan_of(
    settings: &Settings,
    request: &StartRequest,
    interception: &Interception,
    company: Company,
) -> Plan {
    // It goes before what a file says, as in pm2.
    let var =
        settings.app.command.environment.get(OsStr::new(pm2::INSTANCE_VAR)).and_then(|name| name.to_str());
    let var = var.filter(|name| !name.is_empty()).map(str::to_owned);
    let Some(declared) = &request.declared else {
        let numbered = Numbered { instance_var: var, increment_var: None };
        return Plan { numbered, ..prepare(settings, interception, company) };
    };
    let settings = declared_settings(settings, declared);
    let mut plan = prepare(&settings, interception, company);
    plan.numbered = Numbered {
        instance_var: var.or_else(|| declared.instance_var.clone()),
        increment_var: declared.increment_var.clone(),
    };
    if declared.increment_var.as_deref() == Some("PORT") {
        // Each instance listens on a port of its own.
        plan.app.readiness.port = None;
    }
    for setting in plan.settings.iter_mut().filter(|setting| declared.settings.contains(&setting.name)) {
        setting.origin.clone_from(whose(declared, &setting.name));
    }
    plan
}

/// Who has set one of the settings that came with the declaration.
fn whose<'a>(declared: &'a Declared, setting: &str) -> &'a String {
    let by_another = declared.instances_by.as_ref().filter(|_| setting == setting::INSTANCES.name);
    by_another.unwrap_or(&declared.file)
}

/// The settings, with what the words alone cannot say.
fn declared_settings(settings: &Settings, declared: &Declared) -> Settings {
    let mut settings = settings.clone();
    if declared.settings.iter().any(|name| name == setting::INSTANCES.name) {
        settings.sizing = settings.sizing.said_by(whose(declared, setting::INSTANCES.name));
    }
    let needs = declared.depends_on.iter().cloned();
    settings.app.start.after = needs.map(|DependencyOf { app, until }| Dependency { app, until }).collect();
    if declared.port == PortUse::Free {
        settings.port = None;
        settings.app.readiness.port = None;
    }
    settings
}

fn read(sources: &Sources, request: &StartRequest) -> Result<Settings, Error> {
    let start = (request.grammar == Grammar::Start).then(|| OsString::from("start"));
    let words = request.words.iter().cloned().map(OsString::from);
    let argv = std::iter::once(OsString::from("pmr-runtime")).chain(start).chain(words);
    match args::parse(argv, &|directory, file| sources.look(directory, file))? {
        Request::Run(mut invocation) => {
            let flags = &mut invocation.flags;
            flags.name = request.name.as_ref().map(OsString::from).or(flags.name.take());
            let instances = request.instances.map(|instances| instances.to_string().into());
            flags.instances = instances.or(flags.instances.take());
            Ok(sources.resolve(*invocation)?)
        }
        Request::Configuration(request) => {
            Err(ResolveError::ConfigurationFile(request.file.display().to_string()).into())
        }
        Request::Help(help) | Request::Version(help) => Err(args::UsageError::NoCommand { help }.into()),
    }
}

/// An error that would end the runtime at its start ends nothing later on; it is told to who asked.
fn as_problem(error: &Error) -> Problem {
    let details = error.problems().iter().map(ToString::to_string).collect();
    let code = if error.status() == exit::USAGE { "usage" } else { "configuration" };
    Problem { code: code.to_owned(), message: error.to_string(), hint: error.hint(), details }
}

/// Decides.
pub(super) fn prepare(settings: &Settings, interception: &Interception, company: Company) -> Plan {
    let mut app = AppSpec { company, ..settings.app.clone() };
    for name in VARIABLES {
        // Those of a Node process above us, which would make our workers speak to it.
        app.command.environment.remove(OsStr::new(name));
    }
    let recognised = recognise(&app.command.program, &app.command.arguments);
    let node_script = matches!(recognised, Recognised::Script(_));
    let choice = way(settings, &app, node_script, interception);
    if choice.instances != app.most_instances() {
        (app.instances, app.range) = (choice.instances, None);
    }
    if !choice.way.hears_listening() {
        app.readiness.port = None; // Nobody would tell us that the app listens there.
    }
    let unparkable = without_parking(&mut app, choice.way);
    let is_init = app.is_init();
    let has_channel = node_script && choice.way != Way::Activation;
    arrange_health(&mut app, has_channel, choice.way.hears_listening());
    let agent = agent_for(&app.command, is_init || !settings.agent);
    let mut warnings: Vec<_> = settings.warnings.iter().map(ToString::to_string).collect();
    warnings.extend(choice.remarks.iter().map(ToString::to_string));
    warnings.extend(health_warning(&app).map(str::to_owned));
    warnings.extend(unparkable);
    warnings.extend(message_warning(&app, has_channel).map(str::to_owned));
    // Bun loses no more without it than it does with it.
    let matters = |agent: &Agent| agent.loader == Loader::Node && agent.options().is_none();
    if !is_init && agent.as_ref().is_some_and(matters) {
        warnings.push(NO_AGENT.to_owned());
    }
    Plan {
        way: choice.way,
        port: settings.port,
        in_container: settings.container,
        node_script,
        agent,
        // A node script is itself what serves; what else it starts is the app's own business.
        needs_guard: !is_init && !node_script && std::process::id() != 1 && app.stop.reach == Reach::All,
        inherit_output: is_init
            && matches!(settings.log_format, LogFormat::Raw | LogFormat::Text)
            && app.logs.is_usual(),
        resolution: settings.resolution.clone(),
        script: script(&app.command, &recognised),
        settings: setting_views(settings),
        warnings,
        is_estimated: settings.sizing.is_estimated,
        sizing: settings.sizing.to_string(),
        web: web_wish(settings),
        keeps_history: settings.keeps_history(),
        numbered: Numbered::default(),
        app,
    }
}

fn web_wish(settings: &Settings) -> Option<WebWish> {
    settings.web.map(|address| WebWish { address, read_only: settings.web_read_only })
}

/// What of the health settings depends on the program and the way in which it gets its sockets.
fn arrange_health(app: &mut AppSpec, has_channel: bool, hears_listening: bool) {
    // Node answers over its channel by itself.
    if has_channel && app.health.kill_stalled.is_some() && !app.is_init() {
        app.health.event_loop = EventLoop::Answers;
    }
    if !hears_listening && app.readiness.sign == ReadySign::Healthy(ListeningHeard::Yes) {
        app.readiness.sign = ReadySign::Healthy(ListeningHeard::No);
    }
}

/// What cannot come of the health settings.
fn health_warning(app: &AppSpec) -> Option<&'static str> {
    let health = &app.health;
    if app.is_init() && *health != HealthPolicy::default() {
        return Some(
            "with one instance and `--no-autorestart` nothing is watched or replaced: `--health`, `--watchdog`, \
             `--kill-stalled` and `--max-memory-restart` have no effect",
        );
    }
    let tells = |check: &HealthCheck| check.probe.is_per_worker() || !app.may_have_several();
    let is_seen = health.watchdog.is_some()
        || health.event_loop == EventLoop::Answers
        || health.check.as_ref().is_some_and(tells);
    (health.kill_stalled.is_some() && !is_seen).then_some(
        "`--kill-stalled` has nothing by which to see that a worker of this app stalls: give `--watchdog`, or \
         `--health cmd:COMMAND`",
    )
}

fn message_warning(app: &AppSpec, has_channel: bool) -> Option<&'static str> {
    (app.stop.asking == Asking::Message && (!has_channel || app.is_init())).then_some(
        "`--shutdown-with-message` has no effect: only an app that `node` itself runs, and that we stop, hears messages; it \
         gets the stop signal",
    )
}

/// Without a way that tells us of a worker's `listen`, none can be held there.
fn without_parking(app: &mut AppSpec, way: Way) -> Option<String> {
    let wanted = app.standby > 0 || app.reload_strategy == ReloadStrategy::Fleet;
    if !wanted || way.hears_listening() {
        return None;
    }
    (app.standby, app.reload_strategy) = (0, ReloadStrategy::Rolling);
    Some(format!(
        "`--standby` and `--reload-strategy fleet` have no effect: with `--share {way}` no worker can be held where it is \
         about to listen"
    ))
}

const NO_AGENT: &str = "no directory takes the agent for node workers (/dev/shm, TMPDIR, /tmp, /run, /var/tmp), so an \
                        app without a SIGTERM handler of its own loses requests when it is stopped";

/// A mere init leaves its program alone.
fn way(settings: &Settings, app: &AppSpec, node_script: bool, interception: &Interception) -> Choice {
    if app.is_init() && app.share == Share::Auto {
        return Choice { way: Way::None, instances: app.most_instances(), remarks: Vec::new() };
    }
    choose::choose(&Situation {
        asked: app.share,
        node_script,
        instances: app.most_instances(),
        standby: app.standby,
        port: settings.port,
        no_interception: interception.refusal().or_else(|| without_insight(app)),
    })
}

/// To answer a process's `bind` we read its memory, and one of another user only with a right that containers seldom have.
fn without_insight(app: &AppSpec) -> Option<&'static str> {
    let is_other =
        app.command.identity.as_ref().is_some_and(|identity| identity.user.is_some_and(|user| user != 0));
    (is_other && !rights::may_look_into_others())
        .then_some("without CAP_SYS_PTRACE the runtime may not look into processes of the user of `--uid`")
}

/// The file that a command runs: node's script, or the first word that has an interpreter's extension.
fn script(command: &CommandSpec, recognised: &Recognised) -> Option<String> {
    let found = match recognised {
        Recognised::Script(script) => Some(script.clone()),
        _ => {
            let is_script = |word: &&OsString| interpreter::candidates(Path::new(word)).is_some();
            command.arguments.iter().find(is_script).cloned()
        }
    };
    found.map(|script| script.to_string_lossy().into_owned())
}

fn setting_views(settings: &Settings) -> Vec<SettingView> {
    let view = |(name, origin): (&&'static str, &Origin)| SettingView {
        name: (*name).to_owned(),
        value: settings.value_of(name),
        // The number of instances has more sources than an option and its variable; the start line names them.
        origin: match (*name == setting::INSTANCES.name, origin) {
            (true, Origin::Default) => settings.sizing.why(),
            _ => origin.to_string(),
        },
    };
    settings.origins.iter().map(view).collect()
}

fn agent_for(command: &CommandSpec, goes_without: bool) -> Option<Agent> {
    let variable = |name: &str| command.environment.get(OsStr::new(name)).map(OsString::as_os_str);
    if goes_without {
        return None;
    }
    let first_line = first_line(command);
    let loader = if environment::is_bun(&command.program, first_line.as_deref()) {
        Loader::Bun
    } else if environment::may_become_node(&command.program, first_line.as_deref()) {
        Loader::Node
    } else {
        return None;
    };
    let given = variable(loader.variable());
    let refuses = loader == Loader::Node && environment::restricts_node(&command.arguments, given);
    let directories = agent::directories(variable("TMPDIR"));
    (!refuses).then(|| Agent::new(directories, loader, given.map(OsStr::to_owned)))
}

/// The `#!` line of a script that is started by its path or found in PATH.
fn first_line(command: &CommandSpec) -> Option<String> {
    let program = PathBuf::from(&command.program);
    let path = if program.components().count() > 1 {
        command.directory.clone().unwrap_or_default().join(program)
    } else {
        let path = command.environment.get(OsStr::new("PATH"))?;
        std::env::split_paths(path).map(|directory| directory.join(&program)).find(|path| path.is_file())?
    };
    let mut line = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    // Longer than any `#!` line that the kernel accepts.
    io::BufReader::new(io::Read::take(file, 256)).read_until(b'\n', &mut line).ok()?;
    String::from_utf8(line).ok()
}
