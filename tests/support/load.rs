//! Clients that ask without a pause while a test does something to the workers.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use super::http;

/// Several clients that ask without a pause.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<io::Error>>>,
}

impl Load {
    /// Begins to ask for `path` with `clients` clients, each over a new connection every time.
    pub(crate) fn begin(port: u16, path: &'static str, clients: usize) -> Self {
        Self::with(clients, move |_: &mut ()| http::get(port, path).map(drop))
    }

    /// The same, each over one connection for as long as the server keeps it.
    pub(crate) fn begin_keep_alive(port: u16, path: &'static str, clients: usize) -> Self {
        Self::with(clients, move |kept: &mut Option<http::Connection<TcpStream>>| {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => http::Connection::open(port)?,
            };
            let response = connection.get(path)?;
            if response.header("connection") != Some("close") {
                *kept = Some(connection);
            }
            Ok(())
        })
    }

    fn with<T: Default>(
        clients: usize,
        ask: impl Fn(&mut T) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let ask = Arc::new(ask);
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let clients = (0..clients)
            .map(|_| {
                let (stop, answered, ask) = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&ask));
                std::thread::spawn(move || ask_until(&*ask, &stop, &answered))
            })
            .collect();
        Self { stop, answered, clients }
    }

    /// How many requests have been answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the clients; gives what went wrong.
    pub(crate) fn end(self) -> Vec<io::Error> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

fn ask_until<T: Default>(
    ask: impl Fn(&mut T) -> io::Result<()>,
    stop: &AtomicBool,
    answered: &AtomicUsize,
) -> Vec<io::Error> {
    let mut kept = T::default();
    let mut errors = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match ask(&mut kept) {
            Ok(()) => drop(answered.fetch_add(1, Ordering::Relaxed)),
            Err(error) => errors.push(error),
        }
    }
    errors
}
