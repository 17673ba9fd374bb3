//! What surrounds the apps: the machine, our own command line, and how further apps are planned.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::rc::Rc;

use super::declared::directory;
use super::plan::{self, Interception};
use crate::api::text::Text;
use crate::api::types::{Grammar, Mode, StartRequest};
use crate::config::sources::Sources;
use crate::driver::Surroundings;

/// Of a runtime in the background where there is a `home`, else of one in the foreground.
pub(super) fn of(
    sources: Sources,
    interception: Rc<Interception>,
    home: Option<PathBuf>,
    log_level: String,
    auto_exit: bool,
) -> Surroundings {
    let given = std::env::var_os("PMR_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    Surroundings {
        mode: if home.is_some() { Mode::Background } else { Mode::Foreground },
        home: home.or(given),
        oom_file: sources.limits().oom_file.clone(),
        always_prefix: io::stdout().is_terminal(),
        command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        directory: directory().display().to_string(),
        user: user_name(),
        cpus: sources.cpus().get(),
        memory_limit: sources.limits().memory,
        planner: Box::new(move |request, company| plan::plan_anew(&sources, &interception, request, company)),
        log_level,
        auto_exit,
    }
}

/// The app that our own command line asks for.
pub(super) fn first_definition() -> StartRequest {
    StartRequest {
        words: std::env::args_os().skip(1).map(|word| Text::from(word.as_os_str())).collect(),
        grammar: Grammar::Run,
        name: None,
        instances: None,
        directory: Text::from(directory().as_os_str()),
        environment: std::env::vars_os()
            .map(|(name, value)| (Text::from(name.as_os_str()), Text::from(value.as_os_str())))
            .collect(),
        declared: None,
    }
}

/// By /etc/passwd alone: the C library's way would load further libraries, which a static program must not. A user
/// without an entry goes by number.
fn user_name() -> String {
    let uid = nix::unistd::geteuid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut entries = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entries.find(|fields| fields.get(2) == Some(&uid.as_str()));
    entry.and_then(|fields| fields.first().map(|name| (*name).to_owned())).unwrap_or(uid)
}
