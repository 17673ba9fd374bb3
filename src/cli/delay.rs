//! The wait before the first start that `--delay` asks for.

use std::io;
use std::time::Duration;

use crate::config::duration;
use crate::process::Signal;
use crate::sys::signals::Signals;

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited {
    Whole,
    /// By a signal to stop.
    Stopped,
}

/// Waits. Other signals than those to stop go to nobody, as nobody is there yet.
///
/// # Errors
/// When no signal can be heard.
pub(super) async fn delay(span: Duration, signals: &mut Signals) -> io::Result<Waited> {
    tracing::info!("starting in {}", duration::render(span));
    signals.listen()?;
    match tokio::time::timeout(span, told_to_stop(signals)).await {
        Err(_over) => Ok(Waited::Whole),
        Ok(signal) => {
            tracing::info!("{} received before anything was started", signal?);
            Ok(Waited::Stopped)
        }
    }
}

async fn told_to_stop(signals: &mut Signals) -> io::Result<Signal> {
    loop {
        let arrived = signals.next().await?.into_iter().map(|arrived| arrived.signal);
        let mut stopping =
            arrived.filter(|signal| matches!(*signal, Signal::TERM | Signal::INT | Signal::QUIT));
        if let Some(signal) = stopping.next() {
            return Ok(signal);
        }
    }
}
