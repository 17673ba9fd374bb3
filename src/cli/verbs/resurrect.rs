//! `pmr resurrect`: starts what `pmr save` has written down.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::args::Resurrect;
use super::error::VerbError;
use super::session::Session;
use super::{background, change};
use crate::api::routes;
use crate::api::types::StartRequest;
use crate::control::call::Call;
use crate::control::client::Client;
use crate::control::{save, secrets};
use crate::exit;

/// What `POST /v1/runtime/save` writes, in the home of a runtime.
const SAVED: &str = "dump.json";
/// As long as systemd would wait for a service.
const WAIT: Duration = Duration::from_secs(90);
/// Nothing tells us when the socket is there.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) async fn resurrect(session: &Session, resurrect: Resurrect) -> Result<u8, VerbError> {
    let home = session.directory.join(session.around.background_home());
    // Read first: a runtime without anything to run is of no use.
    let mut requests = saved(&home.join(SAVED))?;
    if requests.is_empty() {
        session.output.print("nothing to do: no app was saved\n")?;
        return Ok(exit::OK);
    }
    secrets::put_in_ours(&mut requests, &session.environment());
    let client = match resurrect.wait {
        true => wait(session).await?,
        false => background::find_or_begin(session).await?.0,
    };
    let calls: Vec<Call> = requests.iter().map(|request| Call::to(routes::ADD).body(request)).collect();
    change::operate(session, &client, &calls, resurrect.progress).await
}

fn saved(path: &Path) -> Result<Vec<StartRequest>, VerbError> {
    let failed = |source| VerbError::Saved { path: path.to_owned(), source };
    match std::fs::read(path) {
        Ok(bytes) => save::read(&bytes).map_err(|error| failed(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(VerbError::NothingSaved { path: path.to_owned() })
        }
        Err(error) => Err(failed(error)),
    }
}

async fn wait(session: &Session) -> Result<Client, VerbError> {
    let living = async {
        loop {
            match session.client().await {
                Err(VerbError::Choose(error)) if error.is_nobody() => tokio::time::sleep(LOOK_EVERY).await,
                outcome => return outcome,
            }
        }
    };
    match tokio::time::timeout(WAIT, living).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => session.client().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_read_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(SAVED);
        assert!(matches!(saved(&path), Err(VerbError::NothingSaved { .. })));
        std::fs::write(&path, r#"[{"words":["x.js"],"directory":"/","environment":[["A","1"]]}]"#).unwrap();
        assert_eq!(saved(&path).unwrap().len(), 1);
        std::fs::write(&path, "[{").unwrap();
        assert!(matches!(saved(&path), Err(VerbError::Saved { .. })));
    }
}
