//! `pmr env`: the environment of workers.

use super::args::Env;
use super::error::VerbError;
use super::session::Session;
use crate::api::routes;
use crate::api::types::EnvironmentView;
use crate::cli::render::env as render;
use crate::control::call::Call;
use crate::exit;

pub(super) async fn env(session: &Session, env: Env) -> Result<u8, VerbError> {
    let client = session.client().await?;
    let reveal = if env.reveal { "true" } else { "false" };
    let call = Call::to(routes::ENVIRONMENT).target(&env.target).query("reveal", reveal);
    let views: Vec<EnvironmentView> = client.ask(&call).await?;
    if env.json.json {
        session.output.print_json(&views)?;
    } else {
        session.output.print(&render::render(&views))?;
    }
    Ok(exit::OK)
}
