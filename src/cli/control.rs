//! Opens the control socket of a runtime that has just started its first workers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::broadcast::Receiver;

use crate::api::types::EventView;
use crate::control::bind::bind;
use crate::control::place::Surroundings;
use crate::control::{Options, Server};
use crate::driver::Driver;
use crate::driver::handle::Handle;

/// What the control socket needs.
pub(super) struct Wiring {
    pub(super) handle: Handle,
    /// Events from the first on.
    pub(super) events: Receiver<Arc<EventView>>,
    /// The directory of a runtime in the background.
    pub(super) home: Option<PathBuf>,
}

/// Opens it. A runtime without one still does its work, so a failure is only told.
pub(super) fn open(wiring: Wiring, driver: &mut Driver) -> Option<Server> {
    let environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    let surroundings = Surroundings::of(wiring.home.as_deref(), &environment);
    let home = wiring.home.unwrap_or_else(|| surroundings.background_home());
    let options = Options { home, events: wiring.events };
    let bound = bind(&surroundings.for_runtime()).map_err(|error| error.to_string());
    let server = bound
        .and_then(|bound| Server::start(bound, wiring.handle, options).map_err(|error| error.to_string()));
    match server {
        Ok(server) => {
            driver.set_socket(server.place().to_string());
            tracing::debug!(socket = %server.place(), "control socket open");
            Some(server)
        }
        Err(error) => {
            tracing::warn!("no control socket, so `pmr` cannot reach this runtime: {error}");
            None
        }
    }
}
