//! The options that say how workers are watched.

use std::time::Duration;

use super::reader::Reader;
use crate::config::env::Environment;
use crate::config::raw::Flags;
use crate::config::{duration, health, setting, values};
use crate::spec::{CheckPace, EventLoop, HealthCheck, HealthPolicy, MemoryGuard};

/// As in Kubernetes: often enough for a load balancer's patience, and cheap.
const INTERVAL: Duration = Duration::from_secs(10);
/// Longer than a busy server takes, shorter than people wait.
const TIMEOUT: Duration = Duration::from_secs(5);
/// As in Docker and Kubernetes.
const RETRIES: u32 = 3;

/// Reads them; a problem goes to `reader`, and the default stands in for the value.
pub(super) fn read(reader: &mut Reader, flags: &Flags, env: &Environment) -> HealthPolicy {
    let watchdog = reader.text(setting::WATCHDOG, &flags.watchdog, &env.pmr_watchdog, health::span);
    let probe = reader.text(setting::HEALTH, &flags.health, &env.pmr_health, health::probe);
    let pace = pace(reader, flags, env);
    let kill_stalled =
        reader.text(setting::KILL_STALLED, &flags.kill_stalled, &env.pmr_kill_stalled, health::span);
    let max_memory = reader.text(
        setting::MAX_MEMORY_RESTART,
        &flags.max_memory_restart,
        &env.pmr_max_memory_restart,
        values::bytes,
    );
    let no_guard = flags.no_memory_guard.then(|| "false".into());
    let guard = reader.text(setting::MEMORY_GUARD, &no_guard, &env.pmr_memory_guard, values::yes_or_no);
    HealthPolicy {
        watchdog,
        check: probe.map(|probe| HealthCheck { probe, pace }),
        kill_stalled,
        max_memory: max_memory.flatten(),
        memory_guard: if guard == Some(false) { MemoryGuard::Off } else { MemoryGuard::On },
        event_loop: EventLoop::Unknown,
    }
}

fn pace(reader: &mut Reader, flags: &Flags, env: &Environment) -> CheckPace {
    let interval =
        reader.text(setting::HEALTH_INTERVAL, &flags.health_interval, &env.pmr_health_interval, health::span);
    let timeout =
        reader.text(setting::HEALTH_TIMEOUT, &flags.health_timeout, &env.pmr_health_timeout, health::span);
    let retries =
        reader.text(setting::HEALTH_RETRIES, &flags.health_retries, &env.pmr_health_retries, values::count);
    let start_period = reader.text(
        setting::HEALTH_START_PERIOD,
        &flags.health_start_period,
        &env.pmr_health_start_period,
        duration::parse,
    );
    CheckPace {
        interval: interval.unwrap_or(INTERVAL),
        timeout: timeout.unwrap_or(TIMEOUT),
        retries: retries.unwrap_or(RETRIES),
        start_period: start_period.unwrap_or_default(),
    }
}
