//! What the driver keeps of the web server, for the program that takes over from us, and the way to one that an app asks for
//! while the runtime runs, and to what keeps figures over time. It opens and keeps nothing itself.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use super::run::Driver;
use crate::api::types::StartRequest;

/// Where the token of a request stands.
const TOKEN: &str = "PMR_WEB_TOKEN";

/// The web server that an app's words, or its environment, ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebWish {
    pub address: SocketAddr,
    pub read_only: bool,
}

/// Opens what is wished for, with the token that comes along, if there is one; says where the control socket is. `None` where
/// that cannot be: then it was told why.
pub type OpenWeb = dyn FnMut(&WebWish, Option<OsString>, &str) -> Option<WebSocket>;

/// Begins to keep figures over time, unless that is done already.
pub type KeepFigures = dyn FnMut();

/// See [`OpenWeb`] and [`KeepFigures`].
pub(super) struct WebOpener {
    open: Box<OpenWeb>,
    keep_figures: Box<KeepFigures>,
}

impl fmt::Debug for WebOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebOpener").finish_non_exhaustive()
    }
}

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

impl Driver {
    /// From now on `open` opens the web server for the first app that asks for one, and `keep_figures` serves the first that asks
    /// for that.
    pub fn open_web_by(&mut self, open: Box<OpenWeb>, keep_figures: Box<KeepFigures>) {
        self.web_opener = Some(WebOpener { open, keep_figures });
    }

    /// Has figures kept over time, as an app asks for.
    pub(super) fn grant_history(&mut self) {
        if let Some(WebOpener { keep_figures, .. }) = &mut self.web_opener {
            keep_figures();
        }
    }

    /// Opens the web server that an app asks for. There is one for all; who comes later has to take that.
    pub(super) fn grant_web(&mut self, wish: &WebWish, request: &StartRequest) {
        if let Some(open) = &self.web {
            if !is_what_is_wished(open.address, wish.address) {
                tracing::warn!("the web server stays at http://{}, not {}", open.address, wish.address);
            }
            return;
        }
        let mut variables = request.environment.iter().cloned();
        let token = variables.find_map(|(name, value)| {
            (OsString::from(name) == TOKEN && !OsString::from(value.clone()).is_empty()).then(|| value.into())
        });
        let place = self.socket.clone().unwrap_or_default();
        self.web = self.web_opener.as_mut().and_then(|WebOpener { open, .. }| open(wish, token, &place));
    }
}

/// Port 0 is any.
fn is_what_is_wished(is: SocketAddr, wish: SocketAddr) -> bool {
    is.ip() == wish.ip() && (wish.port() == 0 || is.port() == wish.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_port_is_what_is_wished_where_none_is_said() {
        let address = |text: &str| text.parse().unwrap();
        let is = address("127.0.0.1:9615");
        assert!(
            is_what_is_wished(is, address("127.0.0.1:9615")) && is_what_is_wished(is, address("127.0.0.1:0"))
        );
        assert!(!is_what_is_wished(is, address("127.0.0.1:9616")));
        assert!(!is_what_is_wished(is, address("0.0.0.0:9615")));
    }
}
