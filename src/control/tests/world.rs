//! A server at a socket of its own, and the driver behind it.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::{JoinHandle, LocalSet};

use super::driver::{Fake, Reports};
use crate::control::bind::{self, Bound};
use crate::control::place::{Candidate, Place};
use crate::control::{Options, Server};
use crate::driver::handle;
use crate::telemetry::Telemetry;

/// After that a test has failed.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct World {
    pub(super) directory: tempfile::TempDir,
    pub(super) server: Server,
    pub(super) place: Place,
    /// What the driver was asked for, and the way to make it say something.
    pub(super) driver: Reports,
    running: JoinHandle<()>,
}

impl World {
    /// Within a `LocalSet`. The socket is in a directory, or wherever `place` says.
    pub(super) fn start_at(place: Option<Candidate>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        let bound = bind::bind(&[place.unwrap_or(Candidate::Home(home.clone()))]).unwrap();
        Self::start_with(directory, bound, home)
    }

    fn start_with(directory: tempfile::TempDir, bound: Bound, home: PathBuf) -> Self {
        let (handle, end) = handle::handle();
        let options = Options { home, events: handle.events(), telemetry: Telemetry::default() };
        let server = Server::start(bound, handle, options).unwrap();
        let (fake, reports) = Fake::new(end);
        let running = tokio::task::spawn_local(fake.run());
        Self { directory, place: server.place().clone(), server, driver: reports, running }
    }

    /// The driver ends.
    pub(super) fn end_driver(&self) {
        self.running.abort();
    }
}

/// Runs a test in an event loop like the runtime's.
pub(super) fn run(test: impl AsyncFnOnce(World)) {
    run_at(None, test);
}

pub(super) fn run_at(place: Option<Candidate>, test: impl AsyncFnOnce(World)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all = async { test(World::start_at(place)).await };
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(LIMIT, all).await.expect("the test ends in time");
    });
}
