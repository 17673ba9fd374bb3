//! `pmr monit`: the dashboard.

use super::error::VerbError;
use super::session::Session;

/// The dashboard itself comes with `crate::tui::run::run(client)`.
pub(super) async fn monit(session: &Session) -> Result<u8, VerbError> {
    let _client = session.client().await?;
    Err(VerbError::Absent {
        verb: "monit".to_owned(),
        why: "is not built yet: use `pmr list --watch` and `pmr logs`",
    })
}
