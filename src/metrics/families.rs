//! All figures, as families of samples: what `render` writes for Prometheus, and `otlp` sends. Pure.
//!
//! Names begin with `pmr_`, or are prom-client's (`node`); labels are `app` and `instance`, never a pid, so that a series goes on when a worker is
//! replaced. What is not known has no sample. docs/web.md has the list, which a test holds against this file.

mod node;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::totals::{Place, Totals};
use super::usage::{MemoryKind, TreeUsage};
use crate::api::types::{AppView, Health, InstanceView, RuntimeView, ScalingView, Status};

/// All that is told.
#[derive(Debug)]
pub struct Figures<'a> {
    pub runtime: &'a RuntimeView,
    pub apps: &'a [AppView],
    /// What workers use, by their pids.
    pub usages: &'a BTreeMap<i32, TreeUsage>,
    pub totals: &'a Totals,
}

/// What its values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How something stands.
    Gauge,
    /// How much there was so far; it only grows.
    Counter,
}

/// Samples of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family<'a> {
    /// As Prometheus has it, its unit at the end, without the `_total` of a counter. The parts of a summary follow on each other:
    /// its quantiles, a gauge with the label `quantile`; then the counters `_sum` and `_count`.
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    /// One at least.
    pub samples: Vec<Sample<'a>>,
}

impl Family<'_> {
    /// The summary that this is a part of.
    #[must_use]
    pub fn summary(&self) -> Option<&'static str> {
        let has_quantiles =
            || self.samples.iter().any(|it| it.labels.iter().any(|(name, _)| *name == "quantile"));
        match self.kind {
            Kind::Counter => self.name.strip_suffix("_sum").or_else(|| self.name.strip_suffix("_count")),
            Kind::Gauge => has_quantiles().then_some(self.name),
        }
    }
}

/// A value and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'a> {
    pub labels: Labels<'a>,
    pub value: f64,
}

/// Name and value of each label.
pub type Labels<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// What a family is, without its samples.
struct Head {
    name: &'static str,
    kind: Kind,
    help: &'static str,
}

const fn gauge(name: &'static str, help: &'static str) -> Head {
    Head { name, kind: Kind::Gauge, help }
}

const fn counter(name: &'static str, help: &'static str) -> Head {
    Head { name, kind: Kind::Counter, help }
}

/// All families that have samples.
#[must_use]
pub fn families<'a>(figures: &Figures<'a>) -> Vec<Family<'a>> {
    let mut list = List::default();
    list.runtime(figures.runtime);
    list.apps(figures.apps);
    list.instances(figures);
    list.use_of_instances(figures);
    list.listeners(figures.apps);
    list.node(figures.apps, figures.totals);
    list.of_apps_own(figures.apps);
    list.0
}

#[derive(Default)]
struct List<'a>(Vec<Family<'a>>);

impl<'a> List<'a> {
    fn runtime(&mut self, it: &'a RuntimeView) {
        let info = vec![("version", it.version.as_str().into())];
        self.family(gauge("pmr_build_info", "The version of the runtime, as a label."), [(info, Some(1.0))]);
        let started = it.started_at_ms as f64 / 1000.0;
        let memory = it.memory_bytes.map(bytes);
        let cpu_time = it.cpu_time_ms.map(|millis| millis as f64 / 1000.0);
        let descriptors = it.descriptors.map(bytes);
        let limit = it.machine.memory_limit_bytes.map(bytes);
        for (head, value) in [
            (gauge("pmr_start_time_seconds", "When the runtime was started, since 1970."), Some(started)),
            (counter("pmr_updates", "Updates of the runtime in place."), Some(f64::from(it.updates))),
            (gauge("pmr_memory_pss_bytes", "Memory of the runtime itself."), memory),
            (counter("pmr_cpu_seconds", "CPU time of the runtime itself."), cpu_time),
            (gauge("pmr_open_descriptors", "Open descriptors of the runtime itself."), descriptors),
            (gauge("pmr_cpus", "CPUs that may be used."), Some(f64::from(it.machine.cpus))),
            (gauge("pmr_memory_limit_bytes", "Memory limit of the container."), limit),
        ] {
            self.family(head, [(Vec::new(), value)]);
        }
    }

    fn apps(&mut self, apps: &'a [AppView]) {
        self.scaling(apps);
        let mut each = |head: Head, value: &dyn Fn(&AppView) -> f64| {
            self.family(head, apps.iter().map(|app| (of_app(app), Some(value(app)))));
        };
        each(gauge("pmr_app_up", "1 where the app serves."), &|app| yes(app.status == Status::Online));
        each(gauge("pmr_app_instances", "Instances of the app."), &|app| app.instances.len() as f64);
        each(gauge("pmr_app_standbys", "Workers in reserve."), &|app| app.standbys.len() as f64);
        each(
            gauge("pmr_app_generation", "Generation of the app: 1, and one more with each reload."),
            &|app| f64::from(app.generation),
        );
        each(gauge("pmr_app_reloading", "1 while a reload is under way."), &|app| {
            yes(app.reloading.is_some())
        });
    }

    fn scaling(&mut self, apps: &'a [AppView]) {
        let mut each = |head: Head, value: &dyn Fn(&ScalingView) -> u32| {
            let of = |app: &'a AppView| (of_app(app), app.scaling.as_ref().map(|it| f64::from(value(it))));
            self.family(head, apps.iter().map(of));
        };
        each(gauge("pmr_app_instances_min", "The fewest instances to which the load leads."), &|it| it.min);
        each(gauge("pmr_app_instances_max", "The most instances to which the load leads."), &|it| it.max);
    }

    fn instances(&mut self, figures: &Figures<'a>) {
        let mut each = |head: Head, value: &dyn Fn(&InstanceView) -> Option<f64>| {
            self.family(head, instances(figures.apps).map(|(labels, _, it)| (labels, value(it))));
        };
        each(gauge("pmr_instance_up", "1 where the instance serves."), &|it| {
            Some(yes(it.status == Status::Online))
        });
        each(gauge("pmr_instance_healthy", "1 where its checks succeed, 0 where they fail."), &|it| match it
            .health
            .as_ref()?
            .health
        {
            Health::Healthy => Some(1.0),
            Health::Unhealthy => Some(0.0),
            Health::Unknown => None,
        });
        each(gauge("pmr_instance_steered_away", "1 while new connections are kept away from it."), &|it| {
            Some(yes(it.steered_away))
        });
        each(counter("pmr_instance_restarts", "Workers started in the place of one that ended."), &|it| {
            Some(f64::from(it.restarts))
        });
        each(gauge("pmr_instance_unstable_starts", "Unstable starts in a row."), &|it| {
            Some(f64::from(it.unstable_starts))
        });
        each(gauge("pmr_instance_generation", "Generation of its worker."), &|it| {
            Some(f64::from(it.generation))
        });
    }

    fn use_of_instances(&mut self, figures: &Figures<'a>) {
        let cpu = instances(figures.apps)
            .map(|(labels, place, _)| (labels, figures.totals.cpu(place).map(|total| total.as_secs_f64())));
        self.family(counter("pmr_instance_cpu_seconds", "CPU time of its workers."), cpu);
        self.switches(figures);
        let usage = |it: &InstanceView| figures.usages.get(&it.pid?);
        let mut each = |head: Head, value: &dyn Fn(&TreeUsage) -> Option<f64>| {
            let samples = instances(figures.apps).map(|(labels, _, it)| (labels, usage(it).and_then(value)));
            self.family(head, samples);
        };
        let started = gauge("pmr_instance_start_time_seconds", "When its worker was started, since 1970.");
        each(started, &|usage| usage.started.map(|started| started.as_secs_f64()));
        each(
            gauge("pmr_instance_memory_pss_bytes", "Memory, what is shared counted by its share."),
            &|usage| {
                usage.memory.filter(|memory| memory.kind == MemoryKind::Pss).map(|memory| bytes(memory.bytes))
            },
        );
        each(gauge("pmr_instance_memory_uss_bytes", "Memory that is its alone."), &|usage| {
            usage.memory.and_then(|memory| memory.uss).map(bytes)
        });
        each(gauge("pmr_instance_memory_rss_bytes", "Memory, what is shared counted in full."), &|usage| {
            usage.memory.map(|memory| bytes(memory.rss))
        });
        each(gauge("pmr_instance_processes", "Processes of its worker."), &|usage| {
            Some(f64::from(usage.processes))
        });
        each(gauge("pmr_instance_threads", "Threads of its worker."), &|usage| {
            Some(f64::from(usage.threads))
        });
        each(gauge("pmr_instance_open_descriptors", "Open descriptors of its worker."), &|usage| {
            usage.descriptors.map(bytes)
        });
        let connections = gauge("pmr_instance_connections", "Open connections that its worker has accepted.");
        each(connections, &|usage| usage.clients.map(|clients| f64::from(clients.connections)));
        let in_flight =
            gauge("pmr_instance_requests_in_flight", "Requests without an answer, as the kernel sees it.");
        each(in_flight, &|usage| usage.clients.and_then(|clients| clients.in_flight).map(f64::from));
    }

    fn switches(&mut self, figures: &Figures<'a>) {
        let of_kinds = instances(figures.apps).flat_map(|(labels, place, _)| {
            let all = figures.totals.switches(place);
            let kinds =
                [("voluntary", all.map(|it| it.voluntary)), ("involuntary", all.map(|it| it.involuntary))];
            kinds.map(|(kind, number)| {
                let mut labels = labels.clone();
                labels.push(("kind", kind.into()));
                (labels, number.map(bytes))
            })
        });
        let head = counter("pmr_instance_context_switches", "Context switches of its workers' threads.");
        self.family(head, of_kinds);
    }

    fn listeners(&mut self, apps: &'a [AppView]) {
        let samples = apps.iter().flat_map(|app| {
            app.listeners.iter().map(|listener| {
                let mut labels: Labels<'_> =
                    vec![("app", app.name.as_str().into()), ("address", listener.address.as_str().into())];
                labels.extend(listener.instance.map(|instance| ("instance", instance.to_string().into())));
                (labels, listener.waiting.map(f64::from))
            })
        });
        let head = gauge("pmr_listener_queue_length", "Connections that wait to be accepted.");
        self.family(head, samples);
    }

    /// Adds the family, if any of its samples has a value.
    fn family(&mut self, head: Head, samples: impl IntoIterator<Item = (Labels<'a>, Option<f64>)>) {
        let known = samples.into_iter().filter_map(|(labels, value)| Some(Sample { labels, value: value? }));
        let samples: Vec<_> = known.collect();
        if !samples.is_empty() {
            let Head { name, kind, help } = head;
            self.0.push(Family { name, kind, help, samples });
        }
    }
}

/// All instances, with their labels and places.
fn instances(apps: &[AppView]) -> impl Iterator<Item = (Labels<'_>, Place, &InstanceView)> {
    apps.iter().flat_map(|app| {
        app.instances.iter().map(move |it| {
            let labels =
                vec![("app", app.name.as_str().into()), ("instance", it.instance.to_string().into())];
            (labels, (app.app_id, it.instance), it)
        })
    })
}

fn of_app(app: &AppView) -> Labels<'_> {
    vec![("app", app.name.as_str().into()), ("namespace", app.namespace.as_str().into())]
}

/// 1 or 0.
fn yes(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

/// Exact up to 8 PiB.
fn bytes(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
pub(crate) mod tests;
