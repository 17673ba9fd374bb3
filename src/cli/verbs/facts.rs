//! The verbs that tell one thing: `id`, `pid`, `ping`, `version`.

use serde_json::json;

use super::args::{Id, Json, Pid};
use super::error::VerbError;
use super::session::Session;
use crate::api::routes;
use crate::api::types::AppView;
use crate::control::call::Call;
use crate::control::choose::ChooseError;
use crate::exit;

/// Of this executable.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn id(session: &Session, id: Id) -> Result<u8, VerbError> {
    let client = session.client().await?;
    let apps: Vec<AppView> = client.ask(&of(&id.target)).await?;
    let ids: Vec<u32> = apps.iter().flat_map(|app| &app.instances).map(|instance| instance.id).collect();
    numbers(session, &ids, id.json)
}

pub(super) async fn pid(session: &Session, pid: Pid) -> Result<u8, VerbError> {
    let client = session.client().await?;
    let apps: Vec<AppView> = match &pid.target {
        Some(target) => client.ask(&of(target)).await?,
        None => client.apps().await?,
    };
    let pids: Vec<i32> =
        apps.iter().flat_map(|app| &app.instances).filter_map(|instance| instance.pid).collect();
    numbers(session, &pids, pid.json)
}

/// The apps that are meant, without what Node workers report.
fn of(target: &str) -> Call {
    Call::to(routes::SHOW).target(target).query("node", "false")
}

fn numbers<T: serde::Serialize + ToString>(
    session: &Session,
    numbers: &[T],
    wanted: Json,
) -> Result<u8, VerbError> {
    if wanted.json {
        session.output.print_json_line(&numbers)?;
    } else {
        let lines: String = numbers.iter().map(|number| number.to_string() + "\n").collect();
        session.output.print(&lines)?;
    }
    Ok(exit::OK)
}

pub(super) async fn ping(session: &Session, wanted: Json) -> Result<u8, VerbError> {
    let client = session.client().await?;
    let runtime = client.runtime().await?;
    if wanted.json {
        session.output.print_json_line(&json!({"pid": runtime.pid, "version": runtime.version}))?;
    } else {
        let text = format!(
            "pong from pmr-runtime {}, pid {}, at {}\n",
            runtime.version,
            runtime.pid,
            client.socket()
        );
        session.output.print(&text)?;
    }
    Ok(exit::OK)
}

/// Without a runtime it is no error: our own version is known.
pub(super) async fn version(session: &Session, wanted: Json) -> Result<u8, VerbError> {
    let runtime = match session.client().await {
        Ok(client) => Some(client.runtime().await?),
        Err(VerbError::Choose(ChooseError::None | ChooseError::NoneAt { .. })) => None,
        Err(error) => return Err(error),
    };
    if wanted.json {
        let running = runtime.map(|runtime| runtime.version);
        session.output.print_json_line(&json!({"pmr": VERSION, "runtime": running}))?;
        return Ok(exit::OK);
    }
    let running = runtime.map_or("not running".to_owned(), |it| format!("{}, pid {}", it.version, it.pid));
    session.output.print(&format!("pmr {VERSION}\nruntime {running}\n"))?;
    Ok(exit::OK)
}
