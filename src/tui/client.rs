//! A runtime at its control socket, as the dashboard asks it.

use tokio::sync::mpsc::Sender;

use super::source::{Said, Source};
use super::state::input::Change;
use crate::api::routes;
use crate::api::types::{
    AppView, Lost, Operation, Outcome, ReloadRequest, RestartRequest, RuntimeView, ScaleRequest,
};
use crate::control::call::Call;
use crate::control::client::{Client, ClientError};

/// How many of the last lines are asked for: some screens full.
const LINES: &str = "300";

impl Source for Client {
    type Error = ClientError;

    async fn apps(&self) -> Result<Vec<AppView>, ClientError> {
        self.apps_with_reports().await
    }

    async fn runtime(&self) -> Result<RuntimeView, ClientError> {
        Client::runtime(self).await
    }

    async fn follow(&self, target: &str, lines: Sender<Said>) -> Result<(), ClientError> {
        let call =
            Call::to(routes::LOGS).query("target", target).query("lines", LINES).query("follow", "true");
        let mut events = self.stream(&call).await?;
        while let Some(message) = events.next().await? {
            let said = match message.name.as_str() {
                "line" => Said::Line(events.read(&message)?),
                "lost" => Said::Missed(events.read::<Lost>(&message)?.lost),
                _ => continue,
            };
            if lines.send(said).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn change(&self, change: &Change) -> Result<Outcome, ClientError> {
        Client::change(self, &call(change), |_progress| {}).await
    }
}

fn call(change: &Change) -> Call {
    let to = |route| Call::to(route).target(&change.target);
    match change.operation {
        Operation::Start => to(routes::START),
        Operation::Stop => to(routes::STOP),
        Operation::Restart => to(routes::RESTART).body(&RestartRequest::default()),
        Operation::Scale => {
            to(routes::SCALE).body(&ScaleRequest { to: change.argument.clone().unwrap_or_default() })
        }
        // The dashboard asks for no other.
        _ => to(routes::RELOAD).body(&ReloadRequest::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(operation: Operation, argument: Option<&str>) -> Call {
        call(&Change { operation, target: "web".to_owned(), argument: argument.map(str::to_owned) })
    }

    #[test]
    fn each_change_has_its_route_and_its_body() {
        let to = |route| Call::to(route).target("web");
        assert_eq!(change(Operation::Start, None), to(routes::START));
        assert_eq!(change(Operation::Stop, None), to(routes::STOP));
        assert_eq!(
            change(Operation::Scale, Some("-1")),
            to(routes::SCALE).body(&ScaleRequest { to: "-1".to_owned() })
        );
        assert_eq!(change(Operation::Reload, None), to(routes::RELOAD).body(&ReloadRequest::default()));
        assert_eq!(change(Operation::Restart, None), to(routes::RESTART).body(&RestartRequest::default()));
    }
}
