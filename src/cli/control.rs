//! Opens the control socket of a runtime that has just started its first workers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::broadcast::Receiver;

use crate::api::types::EventView;
use crate::control::bind::{Bound, bind};
use crate::control::place::{Place, Surroundings};
use crate::control::{Options, Server};
use crate::driver::Driver;
use crate::driver::handle::Handle;
use crate::telemetry::Telemetry;

/// What the control socket needs.
pub(super) struct Wiring {
    pub(super) handle: Handle,
    /// Events from the first on.
    pub(super) events: Receiver<Arc<EventView>>,
    /// The directory of a runtime in the background.
    pub(super) home: Option<PathBuf>,
    /// The socket of the program before us in this process, and where it is.
    pub(super) inherited: Option<(OwnedFd, String)>,
    /// Figures over time, where they are kept.
    pub(super) telemetry: Telemetry,
}

/// Opens it. A runtime without one still does its work, so a failure is only told.
pub(super) fn open(wiring: Wiring, driver: &mut Driver) -> Option<Server> {
    let environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    let surroundings = Surroundings::of(wiring.home.as_deref(), &environment);
    let home = wiring.home.unwrap_or_else(|| surroundings.background_home());
    let options = Options { home, events: wiring.events, telemetry: wiring.telemetry };
    let adopted = wiring.inherited.map(|(socket, place)| Bound::adopt(socket, Place::read(&place)));
    let bound = adopted.map_or_else(|| bind(&surroundings.for_runtime()), Ok);
    let server = bound
        .map_err(|error| error.to_string())
        .and_then(|bound| Server::start(bound, wiring.handle, options).map_err(|error| error.to_string()));
    match server {
        Ok(server) => {
            driver.set_socket(server.place().to_string());
            match server.bound().listener.try_clone() {
                Ok(socket) => driver.keep_control(socket.into()),
                // An update then binds another.
                Err(error) => tracing::debug!(%error, "no second descriptor for the control socket"),
            }
            tracing::debug!(socket = %server.place(), "control socket open");
            Some(server)
        }
        Err(error) => {
            tracing::warn!("no control socket, so `pmr` cannot reach this runtime: {error}");
            None
        }
    }
}
