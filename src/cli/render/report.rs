//! The head of `pmr report`. Pure.

use super::human;
use super::show::{command, pairs};
use crate::api::types::{Mode, RuntimeView};

/// Versions, the runtime, the machine. `version` is that of the command.
pub(in crate::cli) fn facts(it: &RuntimeView, version: &str) -> String {
    let machine = &it.machine;
    let mode = match it.mode {
        Mode::Foreground => "foreground",
        Mode::Background => "background",
    };
    let size = |bytes: Option<u64>| bytes.map(human::bytes);
    let load = machine.load.map(|[one, five, fifteen]| format!("{one:.2} {five:.2} {fifteen:.2}"));
    let about_runtime = [
        ("pmr", Some(version.to_owned())),
        ("runtime", Some(it.version.clone())),
        ("pid", Some(it.pid.to_string())),
        ("mode", Some(mode.to_owned())),
        ("home", it.home.clone()),
        ("socket", Some(it.socket.clone())),
        ("web", it.web.as_ref().map(|address| format!("http://{address}"))),
        ("figures pushed to", it.otlp.clone()),
        ("user", Some(it.user.clone())),
        ("command", Some(command(&it.command))),
        ("directory", Some(it.directory.clone())),
        ("started at", Some(human::moment(it.started_at_ms))),
        ("uptime", Some(human::uptime(it.uptime_ms))),
        ("updates in place", Some(it.updates.to_string())),
        ("memory", size(it.memory_bytes)),
    ];
    let about_machine = [
        ("kernel", machine.kernel.clone()),
        ("architecture", Some(machine.architecture.clone())),
        ("CPUs", Some(machine.cpus.to_string())),
        ("CPU model", machine.cpu_model.clone()),
        ("memory limit", size(machine.memory_limit_bytes)),
        ("memory", size(machine.memory_total_bytes)),
        ("memory available", size(machine.memory_available_bytes)),
        ("load", load),
    ];
    format!("Runtime\n{}\nMachine\n{}\nApps\n", pairs(&about_runtime), pairs(&about_machine))
}
