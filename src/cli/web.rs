//! Opens the web server: that of a runtime that has just started its first workers, or later, for an app that asks for one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::broadcast::Receiver;

use crate::api::types::EventView;
use crate::config::settings::Settings;
use crate::config::{setting, values};
use crate::control::place::Surroundings;
use crate::driver::Driver;
use crate::driver::handle::Handle;
use crate::driver::web::{WebSocket, WebWish};
use crate::telemetry::{Collector, Telemetry};
use crate::web::{Options, Server, Token, is_of_this_machine};

/// Where the token stands; on a command line all users of the machine could read it.
const TOKEN: &str = "PMR_WEB_TOKEN";
/// As many as nobody guesses.
const RANDOM_BYTES: usize = 24;

/// Which server is wanted.
pub(super) enum Wanted {
    /// One of one's own.
    New { address: SocketAddr, read_only: bool },
    /// That of the program before us in this process.
    Inherited(WebSocket),
}

/// What it needs beside that.
pub(super) struct Wiring {
    pub(super) handle: Handle,
    /// Events from the first on.
    pub(super) events: Receiver<Arc<EventView>>,
    /// The directory of a runtime in the background.
    pub(super) home: Option<PathBuf>,
    /// Figures over time, where they are kept.
    pub(super) telemetry: Telemetry,
}

impl Wiring {
    pub(super) fn new(handle: &Handle, home: Option<PathBuf>, telemetry: &Telemetry) -> Self {
        Self { handle: handle.clone(), events: handle.events(), home, telemetry: telemetry.clone() }
    }
}

/// Why there is no web server.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("`{TOKEN}` is none that can be used, accepted: 16 visible ASCII characters or more")]
    Token,
    #[error("no random bytes for a token: {0}")]
    Random(io::Error),
    #[error("cannot listen at {address}: {source}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("its socket cannot be used: {0}")]
    Socket(io::Error),
}

impl Wanted {
    /// What the settings ask for.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        let read_only = settings.web_read_only;
        settings.web.map(|address| Self::New { address, read_only })
    }

    /// What the environment asks for, where there are no settings yet. The first app is refused if it makes no sense.
    pub(super) fn of_environment() -> Option<Self> {
        let text = |name: &str| std::env::var_os(name)?.into_string().ok().filter(|text| !text.is_empty());
        let address = values::web(&text(setting::WEB.variable)?).ok()??;
        let read_only = text(setting::WEB_READ_ONLY.variable);
        Some(Self::New {
            address,
            read_only: read_only.is_some_and(|text| values::yes_or_no(&text) != Ok(false)),
        })
    }
}

/// The web server, once there is one. All copies are the same.
#[derive(Clone, Default)]
pub(super) struct Opened {
    server: Rc<RefCell<Option<Server>>>,
    /// What keeps figures for an app that was added, where nobody did before.
    collector: Rc<RefCell<Option<Collector>>>,
}

impl Opened {
    pub(super) fn take(&self) -> Option<Server> {
        self.server.take()
    }
}

/// Opens what is wanted, and has the driver open what apps ask for where that is nothing. A runtime without one still does its
/// work, so a failure is only told.
pub(super) fn open(wanted: Option<Wanted>, wiring: Wiring, driver: &mut Driver) -> Opened {
    let opened = Opened::default();
    let Wiring { handle, events, home, telemetry } = wiring;
    let work = Rc::new(Work { handle, home, telemetry, opened: opened.clone() });
    if let Some(wanted) = wanted {
        let place = driver.socket().unwrap_or_default().to_owned();
        if let Some(socket) = work.open(wanted, events, given_to_us(), place) {
            driver.keep_web(socket);
        }
    }
    let keeper = Rc::clone(&work);
    let open = move |wish: &WebWish, token: Option<OsString>, place: &str| {
        let WebWish { address, read_only } = *wish;
        let token = token.or_else(given_to_us);
        work.open(Wanted::New { address, read_only }, work.handle.events(), token, place.to_owned())
    };
    driver.open_web_by(Box::new(open), Box::new(move || keeper.keep_figures()));
    opened
}

/// What there is to open servers with.
struct Work {
    handle: Handle,
    home: Option<PathBuf>,
    telemetry: Telemetry,
    opened: Opened,
}

impl Work {
    fn open(
        &self,
        wanted: Wanted,
        events: Receiver<Arc<EventView>>,
        token: Option<OsString>,
        place: String,
    ) -> Option<WebSocket> {
        self.try_open(wanted, events, token, place)
            .inspect_err(|error| tracing::error!("no web server: {error}"))
            .ok()
    }

    /// From now on, if that is not done already.
    fn keep_figures(&self) {
        if !self.telemetry.is_kept() {
            let collector = Collector::start(self.handle.clone(), self.telemetry.clone());
            self.opened.collector.replace(Some(collector));
        }
    }

    fn try_open(
        &self,
        wanted: Wanted,
        events: Receiver<Arc<EventView>>,
        given: Option<OsString>,
        place: String,
    ) -> Result<WebSocket, OpenError> {
        let (listener, token, read_only) = match wanted {
            Wanted::New { address, read_only } => {
                let listener =
                    TcpListener::bind(address).map_err(|source| OpenError::Bind { address, source })?;
                let address = listener.local_addr().map_err(OpenError::Socket)?;
                (listener, token(address, given)?, read_only)
            }
            Wanted::Inherited(WebSocket { socket, token, read_only, .. }) => {
                (socket.into(), token.as_deref().and_then(Token::new), read_only)
            }
        };
        let address = listener.local_addr().map_err(OpenError::Socket)?;
        let kept = listener.try_clone().map_err(OpenError::Socket)?;
        let environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let surroundings = Surroundings::of(self.home.as_deref(), &environment);
        let options = Options {
            home: self.home.clone().unwrap_or_else(|| surroundings.background_home()),
            place,
            events,
            telemetry: self.telemetry.clone(),
            token: token.clone(),
            read_only,
        };
        let server = Server::start(listener, self.handle.clone(), options).map_err(OpenError::Socket)?;
        self.opened.server.replace(Some(server));
        let token = token.map(|token| token.reveal().to_owned());
        Ok(WebSocket { socket: kept.into(), address, token, read_only })
    }
}

/// The one that is given to the runtime itself.
fn given_to_us() -> Option<OsString> {
    std::env::var_os(TOKEN).filter(|text| !text.is_empty())
}

/// The one that is given; off the loopback else one that is made up, and told once.
fn token(address: SocketAddr, given: Option<OsString>) -> Result<Option<Token>, OpenError> {
    let token = match &given {
        Some(text) => Some(text.to_str().and_then(Token::new).ok_or(OpenError::Token)?),
        None if is_of_this_machine(address) => None,
        None => Some(random().map_err(OpenError::Random)?),
    };
    match &token {
        Some(token) if given.is_none() => {
            tracing::info!("web server at http://{address}, for those who have the token {}", token.reveal());
        }
        _ => tracing::info!("web server at http://{address}"),
    }
    Ok(token)
}

fn random() -> io::Result<Token> {
    let mut bytes = [0; RANDOM_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Token::new(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
