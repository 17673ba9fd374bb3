//! `pmr show`.

use super::args::Show;
use super::error::VerbError;
use super::interpreter;
use super::session::Session;
use crate::api::routes;
use crate::api::types::AppView;
use crate::cli::render::{list, show as sections};
use crate::control::call::Call;
use crate::exit;

pub(super) async fn show(session: &Session, show: Show) -> Result<u8, VerbError> {
    let client = session.client().await?;
    let mut apps: Vec<AppView> = client.ask(&Call::to(routes::SHOW).target(&show.target)).await?;
    let runtime = client.runtime().await?;
    for app in &mut apps {
        interpreter::fill_in(app).await;
    }
    if show.json.json {
        session.output.print_json(&apps)?;
    } else {
        for app in &apps {
            session.output.print(&sections::render(app, &runtime, session.output.colours))?;
        }
        session.output.print(&list::web(&runtime, session.output.colours))?;
    }
    Ok(exit::OK)
}
