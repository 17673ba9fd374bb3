//! `pmr list`, `pmr jlist`, `pmr prettylist`.

use std::time::Duration;

use super::args::List;
use super::error::VerbError;
use super::session::Session;
use crate::api::pm2;
use crate::cli::render::list as table;
use crate::control::client::Client;
use crate::exit;

/// As often as figures of processes are taken.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Where the size of the terminal is not known.
const DEFAULT_HEIGHT: usize = 24;
/// ECMA-48: the cursor to the first place, and everything from there on away. Nothing else of the terminal is changed, so
/// that nothing need be put back, however this ends.
const CLEAR: &str = "\x1b[H\x1b[J";

pub(super) async fn list(session: &Session, list: List) -> Result<u8, VerbError> {
    let client = session.client().await?;
    if list.json.json {
        session.output.print_json(&client.apps_with_reports().await?)?;
        return Ok(exit::OK);
    }
    if list.watch {
        return watch(session, &client, &list).await;
    }
    session.output.print(&text(session, &client, &list).await?)?;
    Ok(exit::OK)
}

async fn text(session: &Session, client: &Client, list: &List) -> Result<String, VerbError> {
    let (apps, runtime) = (client.apps().await?, client.runtime().await?);
    let (width, colours) = (session.output.width(), session.output.colours);
    Ok(table::render(&apps, &runtime, &table::Look { order: list.sort, width, colours }))
}

/// Until the runtime or the reader goes, or Ctrl-C ends us.
async fn watch(session: &Session, client: &Client, list: &List) -> Result<u8, VerbError> {
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let text = text(session, client, list).await?;
        let frame = match session.output.width() {
            Some(_) => format!("{CLEAR}{}", cut(&text, session.output.height())),
            None => text,
        };
        session.output.print(&frame)?;
    }
}

/// As much as fits below each other, with a line to spare for the cursor.
fn cut(text: &str, height: Option<usize>) -> String {
    let most = height.unwrap_or(DEFAULT_HEIGHT).saturating_sub(1).max(1);
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= most {
        return text.to_owned();
    }
    let left_out = lines.len() - (most - 1);
    let shown: String = lines[..most - 1].iter().map(|line| format!("{line}\n")).collect();
    format!("{shown}… {left_out} more lines\n")
}

/// How much white space JSON has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spacing {
    Dense,
    Wide,
}

pub(super) async fn jlist(session: &Session, spacing: Spacing) -> Result<u8, VerbError> {
    let client = session.client().await?;
    let list = pm2::jlist(&client.apps().await?, &client.runtime().await?);
    match spacing {
        Spacing::Dense => session.output.print(&format!("{list}\n"))?,
        Spacing::Wide => session.output.print_json(&list)?,
    }
    Ok(exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        assert_eq!(cut("a\nb\nc\n", Some(4)), "a\nb\nc\n");
        assert_eq!(cut("a\nb\nc\nd\n", Some(4)), "a\nb\n… 2 more lines\n");
        assert_eq!(cut("a\nb\n", Some(0)), "… 2 more lines\n");
    }
}
