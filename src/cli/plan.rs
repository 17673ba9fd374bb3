//! The last decisions before the first worker starts, which need a look at the machine: which way sockets are shared,
//! whether the agent can be had, who owns the terminal.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use crate::config::settings::{LogFormat, Settings};
use crate::config::sources::Sources;
use crate::driver::Plan;
use crate::handover::agent::{self, Agent};
use crate::handover::choose::{self, Choice, Remark, Situation, Way};
use crate::handover::cluster::recognise::{Recognised, recognise};
use crate::handover::cluster::spawn::VARIABLES;
use crate::handover::environment;
use crate::spec::{CommandSpec, Share};
use crate::sys::filter::Probe;

/// The plan, and what people are told about it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) settings: Settings,
    pub(super) colours: bool,
    remarks: Vec<Remark>,
}

/// Decides.
pub(super) fn prepare(settings: Settings, sources: &Sources, probe: Probe) -> Prepared {
    let mut app = settings.app.clone();
    for name in VARIABLES {
        // Those of a Node process above us, which would make our workers speak to it.
        app.command.environment.remove(OsStr::new(name));
    }
    let node_script =
        matches!(recognise(&app.command.program, &app.command.arguments), Recognised::Script(_));
    let choice = way(&settings, node_script, probe);
    app.instances = choice.instances;
    if !choice.way.hears_listening() {
        app.readiness.port = None; // Nobody would tell us that the app listens there.
    }
    let is_init = app.is_init();
    let agent = agent_for(&app.command, is_init);
    let plan = Plan {
        way: choice.way,
        port: settings.port,
        in_container: settings.container,
        node_script,
        agent,
        // A node script is itself what serves; what else it starts is the app's own business.
        needs_guard: !is_init && !node_script && std::process::id() != 1,
        inherit_output: is_init && settings.log_format != LogFormat::Json,
        oom_file: sources.limits().oom_file.clone(),
        always_prefix: io::stdout().is_terminal(),
        app,
    };
    let colours = allows_colour(sources);
    Prepared { plan, settings, colours, remarks: choice.remarks }
}

/// A mere init leaves its program alone.
fn way(settings: &Settings, node_script: bool, probe: Probe) -> Choice {
    let app = &settings.app;
    if app.is_init() && app.share == Share::Auto {
        return Choice { way: Way::None, instances: app.instances, remarks: Vec::new() };
    }
    let refusal = probe.outcome().err().map(|error| error.to_string());
    choose::choose(&Situation {
        asked: app.share,
        node_script,
        instances: app.instances,
        port: settings.port,
        no_interception: refusal.as_deref(),
    })
}

fn agent_for(command: &CommandSpec, is_init: bool) -> Option<Agent> {
    let variable = |name: &str| command.environment.get(OsStr::new(name)).map(OsString::as_os_str);
    let given = variable("NODE_OPTIONS");
    let wanted = !is_init
        && environment::may_become_node(&command.program, first_line(command).as_deref())
        && !environment::restricts_node(&command.arguments, given);
    wanted.then(|| Agent {
        directories: agent::directories(variable("TMPDIR")),
        given: given.map(OsStr::to_owned),
    })
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

/// no-color.org: any value but the empty one forbids colour.
fn allows_colour(sources: &Sources) -> bool {
    let value = |name: &str| sources.environment().get(OsStr::new(name)).filter(|value| !value.is_empty());
    value("NO_COLOR").is_none() && value("TERM").is_none_or(|term| term != "dumb")
}

impl Prepared {
    /// The start line and everything that a person should know before the first worker starts.
    pub(super) fn tell(&self) {
        for warning in &self.settings.warnings {
            tracing::warn!("{warning}");
        }
        for remark in &self.remarks {
            tracing::warn!("{remark}");
        }
        if self.plan.app.is_init() {
            return;
        }
        if self.plan.agent.as_ref().is_some_and(|agent| agent.node_options().is_none()) {
            tracing::warn!(
                "no directory takes the agent for node workers (/dev/shm, TMPDIR, /tmp, /run, /var/tmp), so an app \
                 without a SIGTERM handler of its own loses requests when it is stopped"
            );
        }
        tracing::info!(
            app = self.plan.app.name,
            share = %self.plan.way,
            "starting {}", self.settings.sizing
        );
    }
}
