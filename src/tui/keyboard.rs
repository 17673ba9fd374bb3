//! Keys as they are pressed. Esc is also how longer sequences begin, so it is one only after a moment without more.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Sleep, sleep};

use super::state::key::{Decoder, Key};
use crate::sys::{screen, watch};

/// The rest of a sequence comes sooner, even over a slow line; a person's next key does not.
const REST_WITHIN: Duration = Duration::from_millis(50);

/// The keyboard of a terminal that sends every key at once.
#[derive(Debug)]
pub(super) struct Keyboard {
    terminal: AsyncFd<OwnedFd>,
    decoder: Decoder,
    /// When what is pending counts as complete. Kept here, so that it does not begin anew with every wait.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Keyboard {
    pub(super) fn of_standard_input() -> io::Result<Self> {
        let terminal = watch::watch(screen::keyboard()?, Interest::READABLE)?;
        Ok(Self { terminal, decoder: Decoder::default(), patience: None })
    }

    /// The keys that came; there may be none. Cancel-safe.
    pub(super) async fn next(&mut self) -> io::Result<Vec<Key>> {
        let mut bytes = [0; 1024];
        let count = match &mut self.patience {
            None => read(&self.terminal, &mut bytes).await?,
            Some(patience) => tokio::select! {
                count = read(&self.terminal, &mut bytes) => count?,
                () = patience => {
                    self.patience = None;
                    return Ok(self.decoder.flush());
                }
            },
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let keys = self.decoder.feed(&bytes[..count]);
        self.patience = self.decoder.is_waiting().then(|| Box::pin(sleep(REST_WITHIN)));
        Ok(keys)
    }
}

/// Cancel-safe: bytes are taken only when nothing is waited for any more.
async fn read(terminal: &AsyncFd<OwnedFd>, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        let mut ready = terminal.readable().await?;
        if let Ok(outcome) = ready.try_io(|terminal| screen::read_ready(terminal.get_ref(), bytes)) {
            return outcome;
        }
    }
}
