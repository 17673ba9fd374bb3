//! `pmr crashes`.

use super::args::Crashes;
use super::error::VerbError;
use super::session::Session;
use crate::api::crash::{CrashDetail, CrashView};
use crate::api::routes;
use crate::cli::render::crashes as render;
use crate::control::call::Call;
use crate::exit;

pub(super) async fn crashes(session: &Session, wanted: Crashes) -> Result<u8, VerbError> {
    let (client, output) = (session.client().await?, &session.output);
    let Some(id) = wanted.id else {
        let crashes: Vec<CrashView> = client.ask(&Call::to(routes::CRASHES)).await?;
        if wanted.json.json {
            output.print_json(&crashes)?;
        } else {
            output.print(&render::list(&crashes, output.colours, output.width()))?;
        }
        return Ok(exit::OK);
    };
    let crash: CrashDetail = client.ask(&Call::to(routes::CRASH).target(&id.to_string())).await?;
    if wanted.json.json {
        output.print_json(&crash)?;
    } else {
        output.print(&render::detail(&crash, output.colours))?;
    }
    Ok(exit::OK)
}
