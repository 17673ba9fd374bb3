//! Takes connections, and answers them until the runtime ends.
//!
//! ```text
//! accept ──> who is it? ──> a place free? ──> connection (hyper) ──> routes ──> Handle ──> driver
//!               │ another user    │ none
//!               └───> 403         └───> 503, then closed
//! ```
//!
//! Everything runs in the event loop of the driver, so everything is bounded: connections, bytes that they may hold,
//! and the time that each step may take. Without clients nothing here ever wakes up.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::bind::Bound;
use super::feed::closed;
use super::figures::Figures;
use super::history::History;
use super::peer::Peer;
use super::place::Place;
use super::refusal::{self, Refusals};
use super::routes::{self, Context};
use super::stall::Impatient;
use crate::api::types::EventView;
use crate::driver::handle::Handle;
use crate::telemetry::Telemetry;

/// How many clients are answered at a time.
const MOST_CONNECTIONS: usize = 64;
/// From the first moment, or the last answer, to the end of the next request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// What a connection may hold of each direction; a head must fit in.
const BUFFER: usize = 16 * 1024;
/// After an error of `accept` (no descriptor left, say), which would only come again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the server has to know beside the way to the driver.
#[derive(Debug)]
pub struct Options {
    /// Where `dump.json` is kept.
    pub home: PathBuf,
    /// Events from the first on: to be taken from the handle before there are any.
    pub events: broadcast::Receiver<Arc<EventView>>,
    /// Figures over time, where they are kept.
    pub telemetry: Telemetry,
}

/// The control socket, served. When it is dropped all connections end at once, and the file stays.
#[derive(Debug)]
pub struct Server {
    bound: Bound,
    closing: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    keeping: JoinHandle<()>,
}

impl Server {
    /// Begins to answer. To be called within a `LocalSet`.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn start(bound: Bound, handle: Handle, options: Options) -> io::Result<Self> {
        bound.listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(bound.listener.try_clone()?)?;
        let (closing, closed) = watch::channel(false);
        let history = History::default();
        let keeping = tokio::task::spawn_local(history.clone().keep(options.events));
        let context = Context {
            handle,
            history,
            figures: Figures::default(),
            telemetry: options.telemetry,
            home: options.home,
            place: bound.place.to_string(),
            closing: closed.clone(),
        };
        let accepting = tokio::task::spawn_local(accept(listener, Rc::new(context), closed));
        Ok(Self { bound, closing, accepting, keeping })
    }

    /// The socket, to be handed to the runtime after us.
    #[must_use]
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.bound.place
    }

    /// Takes no more requests, lets the answers under way go out for no longer than `limit`, and removes the file.
    pub async fn finish(mut self, limit: Duration) {
        self.bound.remove();
        // Fails only where the task is gone already.
        let _gone = self.closing.send(true);
        let _in_time = tokio::time::timeout(limit, &mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.keeping.abort();
    }
}

async fn accept(listener: UnixListener, context: Rc<Context>, mut closing: watch::Receiver<bool>) {
    let own = nix::unistd::geteuid().as_raw();
    let mut connections = JoinSet::new();
    let mut refusals = Refusals::default();
    loop {
        // Every branch is cancel-safe.
        let accepted = tokio::select! {
            () = closed(&mut closing) => break,
            Some(_ended) = connections.join_next() => continue,
            () = refusals.reap() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        match Peer::of(&stream) {
            Ok(peer) if !peer.may_command(own) => refusals.refuse(stream, &refusal::forbidden(peer, own)),
            Ok(_) if connections.len() >= MOST_CONNECTIONS => {
                refusals.refuse(stream, &refusal::busy(MOST_CONNECTIONS));
            }
            Ok(_) => drop(connections.spawn_local(serve(stream, context.clone(), closing.clone()))),
            // Nobody is there any more.
            Err(_) => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: UnixStream, context: Rc<Context>, mut closing: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let context = context.clone();
        async move { Ok::<_, Infallible>(routes::answer(context, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(BUFFER)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(Impatient::new(stream)), service);
    tokio::pin!(connection);
    // A connection that fails is the client's affair.
    tokio::select! {
        _failed = &mut connection => return,
        () = closed(&mut closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _failed = connection.await;
}
