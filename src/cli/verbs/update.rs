//! `pmr update`: asks for it, and waits until the new program answers, for the connection goes with the old one.

use std::time::Duration;

use super::args::Update;
use super::change;
use super::error::VerbError;
use super::session::{Session, text};
use crate::api::routes;
use crate::api::types::{Operation, Outcome, RuntimeView, UpdateRequest, Verdict};
use crate::control::call::Call;
use crate::control::client::{Client, ClientError};

/// How long the new program may take to answer; the old one gives up after half of it.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn update(session: &Session, update: Update) -> Result<u8, VerbError> {
    let Update { progress, executable } = update;
    let client = session.client().await?;
    let before = client.runtime().await?;
    // The runtime may be in another directory.
    let executable = executable.map(|path| text(session.directory.join(path).as_os_str()));
    let call = Call::to(routes::UPDATE).body(&UpdateRequest { executable });
    let asked = client.change(&call, |event| change::tell(session, progress, event)).await;
    let after = match &asked {
        Ok(outcome) if !outcome.is_ok() => None,
        // The last words of the old program may be lost on their way; the new one tells more than they would.
        Ok(_) | Err(ClientError::Lost { .. } | ClientError::Unfinished { .. }) => {
            tokio::time::timeout(PATIENCE, next_program(&client, before.updates)).await.ok()
        }
        Err(_) => None,
    };
    let mut outcome = match (asked, &after) {
        (Err(_), Some(_)) => Outcome { verdicts: vec![handed_over()] },
        (asked, _) => asked?,
    };
    if outcome.is_ok() {
        confirm(&mut outcome, &before.version, after);
    }
    if progress.json {
        session.output.print_json(&outcome)?;
    } else {
        change::print(session, &outcome)?;
    }
    Ok(change::status(&outcome))
}

/// What the old program would have said.
fn handed_over() -> Verdict {
    Verdict {
        app: None,
        operation: Operation::Update,
        ok: true,
        message: String::new(),
        took_ms: 0,
        generation: None,
        instances: None,
        last_lines: Vec::new(),
    }
}

/// Waits until the program answers that takes over from the one that was updated `before` times.
async fn next_program(client: &Client, before: u32) -> RuntimeView {
    loop {
        match client.runtime().await {
            Ok(view) if view.updates > before => return view,
            // While the one hands over to the other, a connection may end without an answer.
            Ok(_) | Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn confirm(outcome: &mut Outcome, from: &str, after: Option<RuntimeView>) {
    for verdict in &mut outcome.verdicts {
        verdict.ok = after.is_some();
        verdict.message = match &after {
            Some(after) => format!("updated in place from version {from} to {}", after.version),
            None => format!(
                "the new program has not taken over within {} s; the runtime's log says why",
                PATIENCE.as_secs()
            ),
        };
    }
}
