//! What `/livez`, `/healthz` and `/readyz` answer. Pure. docs/web.md is the user's view.
//!
//! Each says yes only where the ones before it do: where all apps serve all are well, and where one is well nothing is to be
//! gained by a new container.

use crate::api::types::{AppView, Status};
use crate::config::setting;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// Whether there is hope without a new container.
    Live,
    /// Whether all apps serve, come up, or go in order.
    Healthy,
    /// Whether all apps serve.
    Ready,
}

/// How an app stands that is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Serves,
    ComesOrGoes,
    Down,
    GivenUp,
}

impl Probe {
    /// That of a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/livez" => Some(Self::Live),
            "/healthz" => Some(Self::Healthy),
            "/readyz" => Some(Self::Ready),
            _ => None,
        }
    }

    /// What speaks against it, a text for each app; none where the answer is yes.
    pub(super) fn objections(self, apps: &[AppView]) -> Vec<String> {
        let meant: Vec<&AppView> = apps.iter().filter(|app| is_to_run(app)).collect();
        if self == Self::Ready && meant.is_empty() {
            return vec!["no app is to run".to_owned()];
        }
        let has_hope = meant.iter().any(|app| standing(app) != Standing::GivenUp);
        let speaks_against = |standing: Standing| match self {
            Self::Live => !has_hope,
            Self::Healthy => matches!(standing, Standing::Down | Standing::GivenUp),
            Self::Ready => standing != Standing::Serves,
        };
        meant.into_iter().filter(|app| speaks_against(standing(app))).map(described).collect()
    }
}

/// One that was stopped on order, or never started, is not missed.
fn is_to_run(app: &AppView) -> bool {
    let starts_by_itself = || {
        let mut settings = app.settings.iter();
        settings.all(|setting| setting.name != setting::AUTOSTART.name || setting.value != "false")
    };
    app.status != Status::Stopped || app.before_start.is_some() && starts_by_itself()
}

fn standing(app: &AppView) -> Standing {
    match app.status {
        Status::Online => Standing::Serves,
        // It waits for others, or for a command.
        Status::Launching | Status::Stopping | Status::Standby | Status::Stopped => Standing::ComesOrGoes,
        Status::Unhealthy | Status::WaitingRestart => Standing::Down,
        Status::Errored => Standing::GivenUp,
    }
}

/// `web: waiting restart (0 of 2 instances serve)`.
fn described(app: &AppView) -> String {
    let serving = app.instances.iter().filter(|it| it.status == Status::Online).count();
    let status = match &app.before_start {
        Some(what) => what.clone(),
        None => app.status.to_string(),
    };
    format!("{}: {status} ({serving} of {} instances serve)", app.name, app.instances.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::sample;

    /// An app for each status.
    fn apps(statuses: &[Status]) -> Vec<AppView> {
        let app = |(number, status): (u32, &Status)| AppView {
            status: *status,
            ..sample(number, &format!("app{number}"), 2)
        };
        (0..).zip(statuses).map(app).collect()
    }

    /// Whether it lives, is healthy, is ready.
    fn answers(statuses: &[Status]) -> [bool; 3] {
        let apps = apps(statuses);
        [Probe::Live, Probe::Healthy, Probe::Ready].map(|probe| probe.objections(&apps).is_empty())
    }

    #[test]
    fn each_status_has_its_answers() {
        for (status, expected) in [
            (Status::Online, [true, true, true]),
            (Status::Launching, [true, true, false]),
            (Status::Stopping, [true, true, false]),
            (Status::Unhealthy, [true, false, false]),
            (Status::WaitingRestart, [true, false, false]),
            (Status::Errored, [false, false, false]),
        ] {
            assert_eq!(answers(&[status]), expected, "{status}");
        }
    }

    #[test]
    fn one_app_that_is_well_keeps_the_container_and_one_that_is_not_makes_it_unready() {
        assert_eq!(answers(&[Status::Online, Status::Errored]), [true, false, false]);
        assert_eq!(answers(&[Status::Online, Status::Launching]), [true, true, false]);
    }

    #[test]
    fn what_was_stopped_on_order_is_not_missed() {
        assert_eq!(answers(&[Status::Online, Status::Stopped]), [true, true, true]);
    }

    #[test]
    fn where_nothing_is_to_run_nothing_is_ready() {
        for statuses in [&[][..], &[Status::Stopped]] {
            assert!(!Probe::Ready.objections(&apps(statuses)).is_empty());
        }
    }

    #[test]
    fn what_waits_for_others_is_not_ready_and_says_so() {
        let mut apps = apps(&[Status::Stopped]);
        apps[0].before_start = Some("waits for db".to_owned());
        assert_eq!(Probe::Ready.objections(&apps), ["app0: waits for db (2 of 2 instances serve)"]);
        assert!(Probe::Healthy.objections(&apps).is_empty());
    }
}
