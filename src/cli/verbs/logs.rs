//! `pmr logs`: the last lines, then those that come.

use super::args::Logs;
use super::error::VerbError;
use super::session::Session;
use crate::api::routes;
use crate::api::types::{LogView, Lost};
use crate::cli::render::line;
use crate::control::call::Call;
use crate::control::client::Client;
use crate::exit;

/// What tells a form of times from a name: strftime's mark, and the letters of pm2's forms.
const MARKS_OF_FORMS: [&str; 7] = ["%", "YY", "MM", "DD", "HH", "mm", "ss"];

pub(super) async fn logs(session: &Session, logs: Logs) -> Result<u8, VerbError> {
    let logs = apart(logs);
    let client = session.client().await?;
    let mut printer = Printer::new(session, &logs);
    if logs.nostream {
        let lines: Vec<LogView> = client.ask(&call(&logs, "false")).await?;
        for line in &lines {
            printer.print(line)?;
        }
        return Ok(exit::OK);
    }
    follow(&client, &logs, &mut printer).await
}

/// `--timestamp web` names an app, as nobody would write times like that.
fn apart(mut logs: Logs) -> Logs {
    let is_form = |word: &String| MARKS_OF_FORMS.iter().any(|mark| word.contains(mark));
    if logs.target.is_none() && logs.timestamp.as_ref().is_some_and(|word| !is_form(word)) {
        logs.target = logs.timestamp.replace(super::args::DEFAULT_TIMES.to_owned());
    }
    logs
}

fn call(logs: &Logs, follow: &str) -> Call {
    let mut call = Call::to(routes::LOGS).query("lines", &logs.lines.to_string()).query("follow", follow);
    if let Some(target) = &logs.target {
        call = call.query("target", target);
    }
    match (logs.out, logs.err) {
        (true, _) => call.query("stream", "out"),
        (false, true) => call.query("stream", "err"),
        (false, false) => call,
    }
}

async fn follow(client: &Client, logs: &Logs, printer: &mut Printer<'_>) -> Result<u8, VerbError> {
    let mut events = client.stream(&call(logs, "true")).await?;
    while let Some(message) = events.next().await? {
        match message.name.as_str() {
            "line" => printer.print(&events.read(&message)?)?,
            "lost" => printer.tell_lost(events.read(&message)?),
            _ => {}
        }
    }
    printer.session.output.tell("the runtime has ended\n");
    Ok(exit::OK)
}

/// Puts lines on the output.
struct Printer<'a> {
    session: &'a Session,
    json: bool,
    look: line::Look,
    name_width: usize,
}

impl<'a> Printer<'a> {
    fn new(session: &'a Session, logs: &Logs) -> Self {
        let look = line::Look {
            raw: logs.raw,
            timestamp: logs.timestamp.clone(),
            highlight: logs.highlight.clone(),
            colours: session.output.colours,
        };
        Self { session, json: logs.json, look, name_width: 0 }
    }

    fn print(&mut self, line: &LogView) -> Result<(), VerbError> {
        let output = &self.session.output;
        if self.json {
            return Ok(output.print_json_line(line)?);
        }
        Ok(output.print(&line::render(line, &self.look, &mut self.name_width))?)
    }

    fn tell_lost(&self, lost: Lost) {
        self.session.output.tell(&format!("… {} lines were left out: this reader is too slow\n", lost.lost));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{CommandLine, Verb};
    use super::*;

    fn read(words: &str) -> Logs {
        let line = CommandLine::try_parse_from(format!("pmr logs {words}").split_whitespace()).unwrap();
        let Verb::Logs(logs) = line.verb else { panic!("{words}") };
        apart(logs)
    }

    #[test]
    fn a_word_after_timestamp_may_be_an_app() {
        let both = |words: &str| {
            let logs = read(words);
            (logs.target.unwrap_or_default(), logs.timestamp.unwrap_or_default())
        };
        let default = super::super::args::DEFAULT_TIMES.to_owned();
        assert_eq!(both("--timestamp web"), ("web".to_owned(), default.clone()));
        assert_eq!(both("web --timestamp"), ("web".to_owned(), default.clone()));
        assert_eq!(both("--timestamp"), (String::new(), default));
        assert_eq!(both("--timestamp HH:mm web"), ("web".to_owned(), "HH:mm".to_owned()));
        assert_eq!(both("--timestamp %T"), (String::new(), "%T".to_owned()));
    }

    #[test]
    fn what_is_wanted_is_asked_for() {
        let uri = |words: &str| call(&read(words), "true");
        let plain = || Call::to(routes::LOGS).query("lines", "15").query("follow", "true");
        assert_eq!(uri(""), plain());
        assert_eq!(uri("web"), plain().query("target", "web"));
        assert_eq!(uri("--err"), plain().query("stream", "err"));
        assert_eq!(uri("--out"), plain().query("stream", "out"));
    }
}
