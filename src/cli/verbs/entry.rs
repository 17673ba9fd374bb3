//! From a command line to what comes of it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::FromArgMatches;

use super::args::{self, CommandLine, Verb};
use super::error::VerbError;
use super::session::Session;
use super::usage::{self, Read};
use super::words::{Called, Line, verb_line};
use super::{
    change, completion, crashes, env, events, facts, insight, list, logs, messages, monit, pm2, report,
    resurrect, show, start, startup, update, validate,
};
use crate::exit;

/// Does what this process's command line says, if it is one with a verb.
pub(in crate::cli) fn run() -> Option<ExitCode> {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let line = verb_line(&argv)?;
    let status = carry_out(&line).unwrap_or_else(|error| {
        let _unwritable = io::stderr().write_all(error.render().as_bytes());
        error.status()
    });
    Some(ExitCode::from(status))
}

fn carry_out(line: &Line) -> Result<u8, VerbError> {
    if let Some(verb) = line.words.first().and_then(|word| word.to_str())
        && let Some(why) = pm2::absence(verb)
    {
        return Err(VerbError::Absent { verb: verb.to_owned(), why });
    }
    let is_file = |word: &str| Path::new(word).is_file();
    let matches = match usage::read(args::grammar(), line, &is_file)? {
        Read::Matches(matches) => matches,
        Read::Text(text) => {
            let _unwritable = io::stdout().write_all(text.as_bytes());
            return Ok(exit::OK);
        }
    };
    let wanted =
        CommandLine::from_arg_matches(&matches).map_err(|error| usage::error(&error, line, &is_file))?;
    let session = Session::of_this_process(wanted.common.home.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| VerbError::Loop { source })?;
    runtime.block_on(perform(&session, line.called, wanted.verb))
}

async fn perform(session: &Session, called: Called, verb: Verb) -> Result<u8, VerbError> {
    match verb {
        Verb::Start(start) => start::start(session, start).await,
        Verb::Stop(stop) => change::stop(session, stop).await,
        Verb::Restart(restart) => change::restart(session, restart).await,
        Verb::Reload(reload) => change::reload(session, reload).await,
        Verb::Delete(delete) => change::delete(session, delete).await,
        Verb::Scale(scale) => change::scale(session, scale).await,
        Verb::Signal(signal) => change::signal(session, signal).await,
        Verb::Reset(reset) => change::reset(session, reset).await,
        Verb::Flush(flush) => change::flush(session, flush).await,
        Verb::Trigger(trigger) => messages::trigger(session, trigger).await,
        Verb::Send(send) => messages::send(session, send).await,
        Verb::Kill(progress) => change::kill(session, progress).await,
        Verb::Save(progress) => change::save(session, progress).await,
        Verb::Update(update) => update::update(session, update).await,
        Verb::List(list) => list::list(session, list).await,
        Verb::Jlist(_) => list::jlist(session, list::Spacing::Dense).await,
        Verb::Prettylist(_) => list::jlist(session, list::Spacing::Wide).await,
        Verb::Show(show) => show::show(session, show).await,
        Verb::Logs(logs) => logs::logs(session, logs).await,
        Verb::Events(json) => events::events(session, json).await,
        Verb::Crashes(crashes) => crashes::crashes(session, crashes).await,
        Verb::Env(env) => env::env(session, env).await,
        Verb::Id(id) => facts::id(session, id).await,
        Verb::Pid(pid) => facts::pid(session, pid).await,
        Verb::Ping(json) => facts::ping(session, json).await,
        Verb::Version(json) => facts::version(session, json).await,
        Verb::Snapshot(snapshot) => insight::snapshot(session, snapshot).await,
        Verb::Profile(profile) => insight::profile(session, profile).await,
        Verb::Report(wanted) => report::report(session, wanted).await,
        Verb::Resurrect(resurrect) => resurrect::resurrect(session, resurrect).await,
        Verb::Monit(_) => monit::monit(session).await,
        Verb::Startup(startup) => startup::install(session, &startup),
        Verb::Unstartup(startup) => startup::remove(session, &startup),
        Verb::Validate(wanted) => validate::validate(session, wanted),
        Verb::Init(wanted) => validate::init(session, &wanted),
        Verb::Completion(completion) => completion::completion(session, called, &completion),
    }
}
