//! `pmr events`: what happens, as it happens.

use super::args::Json;
use super::error::VerbError;
use super::session::Session;
use crate::api::routes;
use crate::api::types::{EventView, Lost};
use crate::cli::render::verdict;
use crate::control::call::Call;
use crate::exit;

pub(super) async fn events(session: &Session, wanted: Json) -> Result<u8, VerbError> {
    let output = &session.output;
    let mut events = session.client().await?.stream(&Call::to(routes::EVENTS)).await?;
    while let Some(message) = events.next().await? {
        match message.name.as_str() {
            "event" => {
                let event: EventView = events.read(&message)?;
                if wanted.json {
                    output.print_json_line(&event)?;
                } else {
                    output.print(&verdict::event(&event, output.colours))?;
                }
            }
            "lost" => {
                let lost: Lost = events.read(&message)?;
                output.tell(&format!("… {} events were left out: this reader is too slow\n", lost.lost));
            }
            _ => {}
        }
    }
    output.tell("the runtime has ended\n");
    Ok(exit::OK)
}
