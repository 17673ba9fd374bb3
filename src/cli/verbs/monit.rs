//! `pmr monit`: the dashboard.

use super::error::VerbError;
use super::session::Session;
use crate::tui::run::run;
use crate::tui::view::look::Look;

pub(super) async fn monit(session: &Session) -> Result<u8, VerbError> {
    let client = session.client().await?;
    let variable = |name: &str| session.variable(name).map(|value| value.to_string_lossy().into_owned());
    Ok(run(client, Look::of(variable)).await?)
}
