//! Clients that ask without a pause while a test does something to the workers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use super::http;

/// Several clients, each asking over a new connection every time.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<io::Error>>>,
}

impl Load {
    /// Begins to ask for `path` with `clients` clients.
    pub(crate) fn begin(port: u16, path: &'static str, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let clients = (0..clients)
            .map(|_| {
                let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
                std::thread::spawn(move || ask_until(port, path, &stop, &answered))
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

fn ask_until(port: u16, path: &str, stop: &AtomicBool, answered: &AtomicUsize) -> Vec<io::Error> {
    let mut errors = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match http::get(port, path) {
            Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
            Err(error) => errors.push(error),
        }
    }
    errors
}
