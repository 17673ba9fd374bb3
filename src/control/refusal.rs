//! A last word to clients that are not served: another user's, and those for whom there is no place.

use std::io;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::answer::to_json;
use super::peer::Peer;
use super::query::problem;
use crate::api::types::{ErrorView, Problem};

/// How many may take their time to read it. Others find it in the socket, if they look before they write.
const MOST: usize = 16;
/// How long such a one may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// What it may write meanwhile.
const MOST_READ: usize = 64 * 1024;

/// The whole answer, as it is written.
pub(super) fn forbidden(peer: Peer, own: u32) -> String {
    let message =
        format!("the user with the number {} may not command a runtime of the user {own}", peer.uid);
    let hint = Some(format!("run it as root or as the user {own}"));
    answer("403 Forbidden", problem("forbidden", message, hint))
}

pub(super) fn busy(connections: usize) -> String {
    let message = format!("{connections} other connections are open, and no more are taken");
    answer("503 Service Unavailable", problem("busy", message, Some("try again in some seconds".to_owned())))
}

fn answer(status: &str, error: Problem) -> String {
    let body = to_json(&ErrorView { error }) + "\n";
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Those that are on their way out.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    leaving: JoinSet<()>,
}

impl Refusals {
    /// Writes `word` and closes the stream. Never waits.
    pub(super) fn refuse(&mut self, stream: UnixStream, word: &str) {
        // A fresh socket has room for it.
        if stream.try_write(word.as_bytes()).is_ok() && self.leaving.len() < MOST {
            self.leaving.spawn_local(take_leave(stream));
        }
    }

    /// Ends when one is gone. Cancel-safe.
    pub(super) async fn reap(&mut self) {
        if self.leaving.join_next().await.is_none() {
            std::future::pending().await
        }
    }
}

/// The client's request is read, and thrown away: to close before would tell it of a broken pipe instead.
async fn take_leave(stream: UnixStream) {
    // Whoever is still there afterwards has had the time to read.
    let _gone = tokio::time::timeout(PATIENCE, read_all(&stream)).await;
}

async fn read_all(stream: &UnixStream) -> io::Result<()> {
    let (mut read, mut buffer) = (0, [0; 1024]);
    while read < MOST_READ {
        stream.readable().await?;
        match stream.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => read += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
