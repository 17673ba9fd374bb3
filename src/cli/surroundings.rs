//! What surrounds the apps: the machine, our own command line, and how further apps are planned.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::declared::directory;
use super::plan::{self, Interception};
use crate::api::text::Text;
use crate::api::types::{Grammar, Mode, StartRequest};
use crate::config::sources::Sources;
use crate::config::values;
use crate::driver::{SharedMemory, Surroundings};

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
        boot_port: port_of_dyno(sources.environment()).filter(|_| home.is_none()),
        mode: if home.is_some() { Mode::Background } else { Mode::Foreground },
        home: home.or(given),
        oom_file: sources.limits().oom_file.clone(),
        always_prefix: io::stdout().is_terminal(),
        command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        directory: directory().display().to_string(),
        executable: sources.executable().map(Path::to_owned),
        user: LazyCell::new(user_name),
        cpus: sources.cpus().get(),
        cpu_time: sources.cpu_time(),
        memory_limit: sources.limits().memory,
        memory: shared_memory(&sources),
        planner: Box::new(move |request, company| plan::plan_anew(&sources, &interception, request, company)),
        log_level,
        auto_exit,
    }
}

/// The port that this dyno has to bind in time, if it is one that serves.
fn port_of_dyno(environment: &BTreeMap<OsString, OsString>) -> Option<u16> {
    let text = |name: &str| environment.get(OsStr::new(name))?.to_str();
    // `web.1`, and `web-` with letters on Fir.
    let is_web = text("DYNO").is_some_and(|dyno| dyno.starts_with("web.") || dyno.starts_with("web-"));
    text("PORT").filter(|_| is_web)?.parse().ok()
}

/// That of the cgroup, or less where MEMORY_AVAILABLE says so, of which the kernel then does not count what is in use.
fn shared_memory(sources: &Sources) -> Option<SharedMemory> {
    let limits = sources.limits();
    let said = sources.environment().get(OsStr::new("MEMORY_AVAILABLE"));
    let megabytes = said.and_then(|said| values::megabytes(said.to_str()?).ok());
    let available = megabytes.map(|megabytes| megabytes.saturating_mul(1 << 20));
    match (limits.memory, available) {
        (Some(limit), Some(available)) if available < limit => {
            Some(SharedMemory { limit: available, files: None })
        }
        (Some(limit), _) => Some(SharedMemory { limit, files: limits.memory_files.clone() }),
        (None, available) => available.map(|limit| SharedMemory { limit, files: None }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dyno_that_serves_has_to_bind_its_port_in_time() {
        let of = |pairs: &[(&str, &str)]| {
            port_of_dyno(&pairs.iter().map(|(name, value)| (name.into(), value.into())).collect())
        };
        assert_eq!(of(&[("DYNO", "web.1"), ("PORT", "5000")]), Some(5000));
        assert_eq!(of(&[("DYNO", "web-12a34b56d-e78f9"), ("PORT", "5000")]), Some(5000));
        assert_eq!(of(&[("DYNO", "worker.1"), ("PORT", "5000")]), None);
        assert_eq!(of(&[("DYNO", "webhooks.1"), ("PORT", "5000")]), None);
        assert_eq!(of(&[("DYNO", "web.1")]), None);
        assert_eq!(of(&[("PORT", "5000")]), None);
    }
}
