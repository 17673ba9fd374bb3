//! `pmr report`: without a target one text to paste into a report of a problem. No environment, which may hold secrets, and of the apps'
//! lines none.

use super::args::{Output, Report};
use super::error::VerbError;
use super::facts::VERSION;
use super::insight;
use super::session::Session;
use crate::api::routes;
use crate::api::types::{AppView, LogStream, LogView, RuntimeView};
use crate::cli::render::{colour::Colours, line, list, report, show, sort::Order};
use crate::control::call::Call;
use crate::control::client::Client;
use crate::exit;

/// How many of the kept lines are looked through for the runtime's own.
const LINES_SEEN: usize = 1000;
/// How many of them are shown.
const LINES_SHOWN: usize = 20;

pub(super) async fn report(session: &Session, wanted: Report) -> Result<u8, VerbError> {
    if let Some(target) = wanted.target {
        return insight::report(session, &target, Output { output: wanted.output }).await;
    }
    let client = session.client().await?;
    let (runtime, apps) = (client.runtime().await?, client.apps().await?);
    let lines = own_lines(&client).await?;
    session.output.print(&text(&runtime, &apps, &lines))?;
    Ok(exit::OK)
}

async fn own_lines(client: &Client) -> Result<Vec<LogView>, VerbError> {
    let call = Call::to(routes::LOGS).query("lines", &LINES_SEEN.to_string()).query("follow", "false");
    let mut lines: Vec<LogView> = client.ask(&call).await?;
    lines.retain(|line| line.stream == LogStream::Runtime);
    Ok(lines.split_off(lines.len().saturating_sub(LINES_SHOWN)))
}

fn text(runtime: &RuntimeView, apps: &[AppView], lines: &[LogView]) -> String {
    let look = list::Look { order: Order::default(), width: None, colours: Colours::Off };
    let line_look = line::Look {
        raw: false,
        timestamp: Some("%FT%TZ".to_owned()),
        highlight: None,
        colours: Colours::Off,
    };
    let mut text = report::facts(runtime, VERSION);
    text += &list::render(apps, runtime, &look);
    for app in apps {
        text += "\n";
        text += &show::render(app, runtime, Colours::Off);
    }
    text += "\nLast lines of the runtime\n";
    let mut width = 0;
    for line in lines {
        text += &line::render(line, &line_look, &mut width);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::samples;

    #[test]
    fn it_holds_all_that_is_asked_for_first() {
        let line = LogView {
            at_ms: samples::NOW,
            app: None,
            id: None,
            instance: None,
            pid: None,
            stream: LogStream::Runtime,
            text: "worker ready".to_owned(),
        };
        let text = text(&samples::runtime(), &samples::apps()[2..], &[line]);
        insta::assert_snapshot!("report", text.replace(VERSION, "VERSION"));
    }
}
