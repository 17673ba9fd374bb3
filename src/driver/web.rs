//! What the driver keeps of the web server, for the program that takes over from us: it neither reads nor changes any of it.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// The listening socket, and the rules that were made when it was opened.
pub struct WebSocket {
    pub socket: OwnedFd,
    pub address: SocketAddr,
    /// What changes ask for; never shown.
    pub token: Option<String>,
    /// Whether nothing can be changed, whoever asks.
    pub read_only: bool,
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("address", &self.address).finish_non_exhaustive()
    }
}
