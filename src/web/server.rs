//! Takes connections, and answers them until the runtime ends.
//!
//! As with the control socket everything is bounded, and nothing wakes up without clients. Who finds no place is turned away at
//! once, so that a crowd that hangs costs no more than its places.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::guard::{Rules, Token};
use super::routes::{self, Web};
use crate::api::types::EventView;
use crate::control::feed::closed;
use crate::control::figures::Figures;
use crate::control::history::History;
use crate::control::routes::Context;
use crate::control::stall::Impatient;
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
/// What those hear for whom there is no place.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What the server has to know beside the way to the driver.
#[derive(Debug)]
pub struct Options {
    /// Where `dump.json` is kept.
    pub home: PathBuf,
    /// Where the control socket is, in words.
    pub place: String,
    /// Events from the first on: to be taken from the handle before there are any.
    pub events: broadcast::Receiver<Arc<EventView>>,
    /// Figures over time, where they are kept.
    pub telemetry: Telemetry,
    /// What changes ask for, and off the loopback all but the probes.
    pub token: Option<Token>,
    /// Whether nothing can be changed, whoever asks.
    pub read_only: bool,
}

/// The web server. When it is dropped all connections end at once.
#[derive(Debug)]
pub struct Server {
    closing: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    keeping: JoinHandle<()>,
}

impl Server {
    /// Begins to answer. To be called within a `LocalSet`.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn start(listener: StdListener, handle: Handle, options: Options) -> io::Result<Self> {
        let is_open = is_of_this_machine(listener.local_addr()?);
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let (closing, closed) = watch::channel(false);
        let history = History::default();
        let keeping = tokio::task::spawn_local(history.clone().keep(options.events));
        let context = Context {
            handle,
            history,
            figures: Figures::default(),
            telemetry: options.telemetry,
            home: options.home,
            place: options.place,
            closing: closed.clone(),
        };
        let rules = Rules { token: options.token, is_open, read_only: options.read_only };
        let web = Rc::new(Web::new(Rc::new(context), rules));
        let accepting = tokio::task::spawn_local(accept(listener, web, closed));
        Ok(Self { closing, accepting, keeping })
    }

    /// Takes no more requests, and lets the answers under way go out for no longer than `limit`.
    pub async fn finish(mut self, limit: Duration) {
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

/// Whether only processes of this machine (or container, or pod) reach the address.
#[must_use]
pub fn is_of_this_machine(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

async fn accept(listener: TcpListener, web: Rc<Web>, mut closing: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        // Every branch is cancel-safe.
        let accepted = tokio::select! {
            () = closed(&mut closing) => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            // A fresh socket has room for it; who is gone needs no answer.
            Ok((stream, _)) if connections.len() >= MOST_CONNECTIONS => drop(stream.try_write(BUSY)),
            Ok((stream, _)) => drop(connections.spawn_local(serve(stream, web.clone(), closing.clone()))),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, web: Rc<Web>, mut closing: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let web = web.clone();
        async move { Ok::<_, Infallible>(routes::answer(&web, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(BUFFER)
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
