//! Asks a runtime over its control socket: HTTP/1.1, JSON, server-sent events.
//!
//! Every request has a connection of its own: there are few, and one that hangs then holds up nobody else. To be used
//! within a tokio runtime. What runs here besides the caller is one task for each connection, which ends with the
//! value that needs it.

mod download;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::call::Call;
use super::peer::Peer;
use super::place::Place;
use super::sse::{Message, Parser, TooLong};
use crate::api::routes;
use crate::api::types::{AppView, ErrorView, EventView, Outcome, Problem, RuntimeView};

pub use download::Download;

/// The runtime answers a connection in its next turn, which is a matter of milliseconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Between two tries where so many clients wait that the kernel takes no more.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// An answer that needs no worker to do anything takes no longer, even on a machine that is overloaded.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// One runtime, by its socket. Cheap to clone; holds no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    place: Place,
    answer_within: Duration,
}

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot reach a runtime at `{socket}`")]
    Connect {
        socket: String,
        #[source]
        source: io::Error,
    },
    /// Somebody else listens there. What we send is for our own runtime only: it holds an environment.
    #[error("who listens at `{socket}` is no runtime of yours (user {uid}), so nothing was sent to it")]
    Stranger { socket: String, uid: u32 },
    #[error("the runtime at `{socket}` has not answered within {} s", .after.as_secs())]
    TimedOut { socket: String, after: Duration },
    /// It understood, and will not or cannot.
    #[error("{}", .0.message)]
    Refused(Problem),
    #[error("the runtime at `{socket}` broke the connection off")]
    Lost {
        socket: String,
        #[source]
        source: hyper::Error,
    },
    /// It ended, or was ended, while it owed an answer.
    #[error("the runtime at `{socket}` ended before it said how it went")]
    Unfinished { socket: String },
    #[error("the runtime at `{socket}` answered with what is not understood here (status {status})")]
    Garbled {
        socket: String,
        status: u16,
        #[source]
        source: serde_json::Error,
    },
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

impl Client {
    /// The runtime whose socket is at `place`, if there is one.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place, answer_within: ANSWER_WITHIN }
    }

    /// Waits so long for an answer: less, to see whether anybody is there, or more.
    #[must_use]
    pub fn patient(mut self, limit: Duration) -> Self {
        self.answer_within = limit;
        self
    }

    /// The socket, as it is told to people.
    #[must_use]
    pub fn socket(&self) -> String {
        self.place.to_string()
    }

    /// Where the socket is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Asks for something that is answered at once.
    ///
    /// # Errors
    /// When it cannot be asked, refuses, or does not answer in time.
    pub async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ClientError> {
        let answer = async { self.send(call, Wanted::Json).await?.whole().await };
        self.within(answer).await
    }

    /// All apps, without what Node workers report: nobody waits for that.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn apps(&self) -> Result<Vec<AppView>, ClientError> {
        self.ask(&Call::to(routes::APPS).query("node", "false")).await
    }

    /// All apps, with what Node workers report.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn apps_with_reports(&self) -> Result<Vec<AppView>, ClientError> {
        self.ask(&Call::to(routes::APPS)).await
    }

    /// The runtime itself.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn runtime(&self) -> Result<RuntimeView, ClientError> {
        self.ask(&Call::to(routes::RUNTIME)).await
    }

    /// Has something changed, which may take its time, and passes on what happens meanwhile.
    ///
    /// # Errors
    /// When it cannot be asked, refuses, or ends before it is done.
    pub async fn change(
        &self,
        call: &Call,
        mut progress: impl FnMut(&EventView),
    ) -> Result<Outcome, ClientError> {
        let answer = self.send(call, Wanted::Events).await?;
        if !answer.is_stream() {
            return answer.whole().await;
        }
        let mut events = answer.events();
        while let Some(message) = events.next().await? {
            match message.name.as_str() {
                "verdict" => return events.read(&message),
                "error" => return Err(ClientError::Refused(events.read::<ErrorView>(&message)?.error)),
                "progress" => progress(&events.read(&message)?),
                _ => {}
            }
        }
        Err(ClientError::Unfinished { socket: self.socket() })
    }

    /// Listens to a stream.
    ///
    /// # Errors
    /// When it cannot be asked, refuses, or does not begin in time.
    pub async fn stream(&self, call: &Call) -> Result<Events, ClientError> {
        let answer = self.within(self.send(call, Wanted::Events)).await?;
        if answer.response.status().is_success() {
            return Ok(answer.events());
        }
        // An error is told in JSON; anything else is not understood, since there is no such value.
        match answer.whole::<Never>().await? {}
    }

    async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let after = self.answer_within;
        match tokio::time::timeout(after, answer).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(ClientError::TimedOut { socket: self.socket(), after }),
        }
    }

    async fn send(&self, call: &Call, wanted: Wanted) -> Result<Answer, ClientError> {
        let lost = |source| ClientError::Lost { socket: self.socket(), source };
        let stream = self.connect().await?;
        self.check(&stream)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        // What fails there fails the request too, which tells of it.
        let wire = Wire(tokio::spawn(async move { drop(connection.await) }));
        let body = Full::new(Bytes::from(call.body.clone().unwrap_or_default()));
        let mut request = Request::new(body);
        *request.method_mut() = method(call);
        *request.uri_mut() = call.uri().parse().expect("a path and its words are encoded by `Call`");
        let headers = request.headers_mut();
        headers.insert(HOST, "localhost".parse().expect("a constant"));
        headers.insert(ACCEPT, wanted.media_type().parse().expect("a constant"));
        if call.body.is_some() {
            headers.insert(CONTENT_TYPE, "application/json".parse().expect("a constant"));
        }
        let response = sender.send_request(request).await.map_err(lost)?;
        Ok(Answer { response, socket: self.socket(), wire })
    }

    fn check(&self, stream: &UnixStream) -> Result<(), ClientError> {
        let failed = |source| ClientError::Connect { socket: self.socket(), source };
        let peer = Peer::of(stream).map_err(failed)?;
        if peer.may_be_runtime(nix::unistd::geteuid().as_raw()) {
            return Ok(());
        }
        Err(ClientError::Stranger { socket: self.socket(), uid: peer.uid })
    }

    /// A full queue of the socket is no refusal: the kernel says EAGAIN then.
    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let failed = |source| ClientError::Connect { socket: self.socket(), source };
        let tries = async {
            loop {
                match UnixStream::connect(connectable(&self.place)).await {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        tokio::time::sleep(CONNECT_AGAIN_AFTER).await;
                    }
                    outcome => return outcome.map_err(failed),
                }
            }
        };
        let after = self.answer_within.min(CONNECT_WITHIN);
        match tokio::time::timeout(after, tries).await {
            Ok(stream) => stream,
            Err(_elapsed) => Err(ClientError::TimedOut { socket: self.socket(), after }),
        }
    }
}

/// As `connect` takes it: a name in the abstract namespace begins with a byte 0.
fn connectable(place: &Place) -> PathBuf {
    match place {
        Place::File(path) => path.clone(),
        Place::Abstract(name) => format!("\0{name}").into(),
    }
}

fn method(call: &Call) -> hyper::Method {
    match call.method {
        routes::Method::Get => hyper::Method::GET,
        routes::Method::Post => hyper::Method::POST,
        routes::Method::Delete => hyper::Method::DELETE,
    }
}

/// What no answer can be.
#[derive(Debug, Deserialize)]
enum Never {}

/// In which form the answer is wanted.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Json,
    Events,
}

impl Wanted {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Events => "text/event-stream",
        }
    }
}

/// The task that moves the bytes of one connection. It ends with whoever reads the answer.
#[derive(Debug)]
struct Wire(JoinHandle<()>);

impl Drop for Wire {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer of which the head has come.
struct Answer {
    response: Response<Incoming>,
    socket: String,
    wire: Wire,
}

impl Answer {
    fn is_stream(&self) -> bool {
        let kind = self.response.headers().get(CONTENT_TYPE);
        self.response.status().is_success()
            && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
    }

    fn events(self) -> Events {
        Events {
            body: self.response.into_body(),
            parser: Parser::default(),
            ready: VecDeque::new(),
            socket: self.socket,
            _wire: self.wire,
        }
    }

    /// All of it. A verdict that is not ok may come with a status of its own, and is an answer all the same.
    async fn whole<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let status = self.response.status();
        let socket = self.socket;
        let body = self.response.into_body().collect().await;
        let bytes = body.map_err(|source| ClientError::Lost { socket: socket.clone(), source })?.to_bytes();
        drop(self.wire);
        if !status.is_success()
            && let Ok(view) = serde_json::from_slice::<ErrorView>(&bytes)
        {
            return Err(ClientError::Refused(view.error));
        }
        serde_json::from_slice(&bytes).map_err(|source| ClientError::Garbled {
            socket,
            status: status.as_u16(),
            source,
        })
    }
}

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    parser: Parser,
    ready: VecDeque<Message>,
    socket: String,
    _wire: Wire,
}

impl Events {
    /// The next one; `None` when the runtime has ended the stream. Nothing is lost when this is cancelled.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Message>, ClientError> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    self.ready.extend(self.parser.push(&bytes)?);
                }
                Some(Err(source)) => return Err(ClientError::Lost { socket: self.socket.clone(), source }),
                None => return Ok(None),
            }
        }
    }

    /// What a message says.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn read<T: DeserializeOwned>(&self, message: &Message) -> Result<T, ClientError> {
        serde_json::from_str(&message.data).map_err(|source| ClientError::Garbled {
            socket: self.socket.clone(),
            status: 200,
            source,
        })
    }
}

#[cfg(test)]
mod tests;
