//! Begins to push figures by OTLP, if the environment asks for it.

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::broadcast::Receiver;

use crate::api::types::EventView;
use crate::config::{setting, values};
use crate::driver::Driver;
use crate::driver::handle::Handle;
use crate::driver::otlp::Pushes;
use crate::otlp::config::{Config, Identity};
use crate::otlp::starts::Starts;
use crate::otlp::{Pusher, Wiring};
use crate::telemetry::Telemetry;

/// What it needs of the runtime.
pub(super) struct Surroundings {
    pub(super) handle: Handle,
    /// Events from the first on.
    pub(super) events: Receiver<Arc<EventView>>,
    pub(super) telemetry: Telemetry,
}

impl Surroundings {
    pub(super) fn new(handle: &Handle, telemetry: &Telemetry) -> Self {
        Self { handle: handle.clone(), events: handle.events(), telemetry: telemetry.clone() }
    }
}

/// Whether they are wanted, where no settings say it.
pub(super) fn is_wanted_by_environment() -> bool {
    text(setting::OTLP.variable).is_none_or(|text| values::yes_or_no(&text) != Ok(false))
}

/// What the variables ask for. Says so, and what stands in the way.
pub(super) fn wanted() -> Option<Config> {
    let reading = Config::read(text, identity);
    for complaint in &reading.complaints {
        tracing::warn!("{complaint}");
    }
    let config = reading.config?;
    tracing::info!("figures are pushed to {} every {:?}", config.endpoint, config.interval);
    Some(config)
}

/// Begins to push.
pub(super) fn open(config: Config, surroundings: Surroundings, driver: &mut Driver) -> Pusher {
    start(config, Starts::default(), surroundings, driver)
}

/// Goes on where the program before us has left off.
pub(super) fn go_on(starts: Starts, surroundings: Surroundings, driver: &mut Driver) -> Option<Pusher> {
    // All that is wrong has been told.
    let config = Config::read(text, identity).config?;
    Some(start(config, starts, surroundings, driver))
}

fn start(config: Config, starts: Starts, surroundings: Surroundings, driver: &mut Driver) -> Pusher {
    let starts = Rc::new(RefCell::new(starts));
    driver.keep_pushes(Pushes { endpoint: config.endpoint.to_string(), starts: Rc::clone(&starts) });
    let Surroundings { handle, events, telemetry } = surroundings;
    Pusher::start(config, Wiring { handle, events, telemetry, starts })
}

fn identity() -> Identity {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    Identity { host, pid: std::process::id() }
}

fn text(variable: &str) -> Option<String> {
    std::env::var_os(variable)?.into_string().ok().filter(|text| !text.is_empty())
}
