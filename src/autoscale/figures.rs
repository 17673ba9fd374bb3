//! What is seen of an app whose number of instances follows the load, from the views of all apps. Pure.

use std::num::NonZeroU32;

use super::decide::Look;
use crate::api::types::{AppView, InstanceView, Status};
use crate::spec::InstanceRange;

/// From this part of the CPU time on there is none left.
const CPU_FULL: f64 = 0.9;
/// What of the memory workers may use: the rest is for what grows, and for others in the container.
const MEMORY_FULL: f64 = 0.85;

/// What all workers together may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    /// So many CPUs' time.
    pub(super) cpus: f64,
    pub(super) memory_limit: Option<u64>,
}

/// What is seen of `app`, which is one of `apps`; `None` where nothing is to be decided.
pub(super) fn look(app: &AppView, apps: &[AppView], means: &Means) -> Option<Look> {
    let range = range(app)?;
    let count =
        |is_meant: &dyn Fn(&InstanceView) -> bool| number(app.instances.iter().filter(|it| is_meant(it)));
    let serving = count(&serves);
    // A reload brings new workers in beside the old ones: what they use together is no measure.
    let on_their_way = |it: &InstanceView| {
        matches!(it.status, Status::Launching | Status::WaitingRestart | Status::Stopping)
    };
    Some(Look {
        range,
        instances: number(app.instances.iter()),
        serving,
        starting: count(&on_their_way) + u32::from(app.reloading.is_some()),
        busy: busy(app),
        occupied: count(&|it| {
            event_loop(it).is_none() && it.requests_in_flight.is_some_and(|count| count > 0)
        }),
        waiting: app.listeners.iter().filter_map(|it| it.waiting).fold(0, u32::saturating_add),
        has_cpu: cpu(apps) < means.cpus * CPU_FULL,
        room: room(app, apps, means),
    })
}

fn range(app: &AppView) -> Option<InstanceRange> {
    let scaling = app.scaling.as_ref()?;
    Some(InstanceRange { least: NonZeroU32::new(scaling.min)?, most: NonZeroU32::new(scaling.max)? })
}

fn number<'a>(instances: impl Iterator<Item = &'a InstanceView>) -> u32 {
    u32::try_from(instances.count()).unwrap_or(u32::MAX)
}

fn serves(it: &InstanceView) -> bool {
    matches!(it.status, Status::Online | Status::Unhealthy)
}

/// The share of the time in which its event loop runs, where that is told: Node tells, Bun does not.
fn event_loop(it: &InstanceView) -> Option<f64> {
    it.node.as_ref()?.event_loop.as_ref()?.utilization
}

/// On average over those of which it is known, each at most all of its time.
fn busy(app: &AppView) -> Option<f64> {
    let of = |it: &InstanceView| {
        let cpu = it.cpu_percent.map(|percent| percent / 100.0);
        Some(event_loop(it).into_iter().chain(cpu).reduce(f64::max)?.clamp(0.0, 1.0))
    };
    let known: Vec<f64> = app.instances.iter().filter(|it| serves(it)).filter_map(of).collect();
    let count = u32::try_from(known.len()).ok().filter(|count| *count > 0)?;
    Some(known.iter().sum::<f64>() / f64::from(count))
}

fn workers(apps: &[AppView]) -> impl Iterator<Item = &InstanceView> {
    apps.iter().flat_map(|app| app.instances.iter().chain(&app.standbys))
}

/// How many CPUs' time all workers take.
fn cpu(apps: &[AppView]) -> f64 {
    workers(apps).filter_map(|it| it.cpu_percent).sum::<f64>() / 100.0
}

/// How many instances fit into the memory, if each is as large as the largest; those that there are do fit.
fn room(app: &AppView, apps: &[AppView], means: &Means) -> Option<u32> {
    let largest = app.instances.iter().filter_map(|it| it.memory_bytes).max().filter(|bytes| *bytes > 0)?;
    let used = workers(apps).filter_map(|it| it.memory_bytes).fold(0, u64::saturating_add);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes"
    )]
    let may_be_used = (means.memory_limit? as f64 * MEMORY_FULL) as u64;
    let more = may_be_used.saturating_sub(used) / largest;
    Some(number(app.instances.iter()).saturating_add(u32::try_from(more).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::node::{self, EventLoopView, NodeView};
    use crate::api::types::ScalingView;
    use crate::control::sample;

    fn app(instances: u32) -> AppView {
        let scaling = Some(ScalingView { min: 2, max: 8, last: None });
        AppView { scaling, ..sample(0, "web", instances) }
    }

    fn uses(app: &mut AppView, cpu_percent: f64, megabytes: u64) {
        for it in &mut app.instances {
            (it.cpu_percent, it.memory_bytes) = (Some(cpu_percent), Some(megabytes << 20));
        }
    }

    const MEANS: Means = Means { cpus: 4.0, memory_limit: None };

    fn seen(app: &AppView, means: &Means) -> Look {
        look(app, std::slice::from_ref(app), means).unwrap()
    }

    #[test]
    fn an_app_without_a_range_is_not_looked_at() {
        let plain = sample(0, "web", 2);
        assert_eq!(look(&plain, std::slice::from_ref(&plain), &MEANS), None);
    }

    #[test]
    fn an_instance_is_as_busy_as_its_event_loop_or_its_cpu() {
        let mut app = app(2);
        uses(&mut app, 30.0, 50);
        assert_eq!(seen(&app, &MEANS).busy, Some(0.3));
        let event_loop = Some(EventLoopView { utilization: Some(0.9), delay_ms: None });
        app.instances[0].node = Some(NodeView { event_loop, ..node::sample() });
        assert_eq!(seen(&app, &MEANS).busy, Some((0.9 + 0.3) / 2.0));
        app.instances[1].cpu_percent = Some(350.0);
        assert_eq!(seen(&app, &MEANS).busy, Some((0.9 + 1.0) / 2.0));
        uses(&mut app, f64::NAN, 50);
        assert!(seen(&app, &MEANS).busy.is_some());
    }

    #[test]
    fn only_those_that_serve_are_counted_and_others_are_waited_for() {
        let mut app = app(4);
        uses(&mut app, 50.0, 50);
        app.instances[1].status = Status::Launching;
        app.instances[2].status = Status::Errored;
        (app.instances[3].status, app.instances[3].cpu_percent) = (Status::WaitingRestart, None);
        let look = seen(&app, &MEANS);
        assert_eq!((look.instances, look.serving, look.starting, look.busy), (4, 1, 2, Some(0.5)));
        app.reloading = Some(2);
        assert_eq!(seen(&app, &MEANS).starting, 3);
    }

    #[test]
    fn cpu_is_left_while_all_workers_together_use_less_than_there_is() {
        let (mut one, mut other) = (app(2), sample(1, "job", 2));
        uses(&mut one, 95.0, 50);
        uses(&mut other, 80.0, 50);
        let has_cpu =
            |apps: &[AppView], cpus| look(&apps[0], apps, &Means { cpus, ..MEANS }).unwrap().has_cpu;
        let apps = [one, other];
        assert!(has_cpu(&apps, 4.0));
        assert!(!has_cpu(&apps, 3.5));
        assert!(has_cpu(&apps[..1], 3.5));
    }

    #[test]
    fn there_is_room_for_as_many_as_fit_into_the_memory() {
        let mut app = app(2);
        assert_eq!(seen(&app, &MEANS).room, None);
        let limited = Means { memory_limit: Some(1000 << 20), ..MEANS };
        assert_eq!(seen(&app, &limited).room, None, "nothing is known of its workers");
        uses(&mut app, 10.0, 150);
        assert_eq!(seen(&app, &limited).room, Some(5));
        uses(&mut app, 10.0, 600);
        assert_eq!(seen(&app, &limited).room, Some(2));
    }

    #[test]
    fn what_waits_and_what_is_being_answered_is_told() {
        let mut app = app(2);
        app.listeners[0].waiting = Some(3);
        app.instances[0].requests_in_flight = Some(4);
        app.instances[1].requests_in_flight = Some(1);
        app.instances[1].node = Some(node::sample());
        let look = seen(&app, &MEANS);
        assert_eq!((look.waiting, look.occupied), (3, 1), "of Node the event loop tells");
    }
}
