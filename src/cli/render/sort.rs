//! The order of instances in a list. Pure. Stable: what is equal stays as it was.

use std::cmp::Ordering;
use std::str::FromStr;

use crate::api::types::{AppView, InstanceView};

/// An instance and its app; an app without instances has one row all the same.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Row<'a> {
    pub(in crate::cli) app: &'a AppView,
    pub(in crate::cli) instance: Option<&'a InstanceView>,
}

/// What the order goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    Id,
    Pid,
    Memory,
    Cpu,
    Status,
    Uptime,
    Restarts,
}

/// pm2's names of the fields.
const FIELDS: [(&str, Field); 9] = [
    ("name", Field::Name),
    ("namespace", Field::Namespace),
    ("id", Field::Id),
    ("pid", Field::Pid),
    ("memory", Field::Memory),
    ("cpu", Field::Cpu),
    ("status", Field::Status),
    ("uptime", Field::Uptime),
    ("restarts", Field::Restarts),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

/// `memory:desc`, `name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Order {
    field: Field,
    direction: Direction,
}

impl Default for Order {
    fn default() -> Self {
        Self { field: Field::Name, direction: Direction::Ascending }
    }
}

/// A text that names no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "accepted: name, namespace, id, pid, memory, cpu, status, uptime or restarts, and behind it `:asc` or `:desc`"
)]
pub(in crate::cli) struct NoOrder;

impl FromStr for Order {
    type Err = NoOrder;

    fn from_str(text: &str) -> Result<Self, NoOrder> {
        let (field, direction) = text.split_once(':').unwrap_or((text, "asc"));
        let field = FIELDS.iter().find(|(name, _)| *name == field).map(|&(_, field)| field).ok_or(NoOrder)?;
        let direction = match direction {
            "asc" => Direction::Ascending,
            "desc" => Direction::Descending,
            _ => return Err(NoOrder),
        };
        Ok(Self { field, direction })
    }
}

/// All instances of `apps` in this order; by their numbers where that leaves it open.
pub(in crate::cli) fn rows(apps: &[AppView], order: Order) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = apps.iter().flat_map(rows_of).collect();
    rows.sort_by_key(Row::id);
    rows.sort_by(|a, b| match order.direction {
        Direction::Ascending => compare(order.field, a, b),
        Direction::Descending => compare(order.field, b, a),
    });
    rows
}

fn rows_of(app: &AppView) -> Vec<Row<'_>> {
    if app.instances.is_empty() {
        return vec![Row { app, instance: None }];
    }
    let workers = app.instances.iter().chain(&app.standbys);
    workers.map(|instance| Row { app, instance: Some(instance) }).collect()
}

impl Row<'_> {
    fn id(&self) -> u32 {
        self.instance.map_or(u32::MAX, |instance| instance.id)
    }

    fn figure<T: Default>(&self, figure: impl Fn(&InstanceView) -> Option<T>) -> T {
        self.instance.and_then(figure).unwrap_or_default()
    }
}

fn compare(field: Field, a: &Row<'_>, b: &Row<'_>) -> Ordering {
    match field {
        Field::Name => a.app.name.cmp(&b.app.name),
        Field::Namespace => a.app.namespace.cmp(&b.app.namespace),
        Field::Id => a.id().cmp(&b.id()),
        Field::Pid => a.figure(|it| it.pid).cmp(&b.figure(|it| it.pid)),
        Field::Memory => a.figure(|it| it.memory_bytes).cmp(&b.figure(|it| it.memory_bytes)),
        Field::Cpu => a.figure(|it| it.cpu_percent).total_cmp(&b.figure(|it| it.cpu_percent)),
        Field::Status => a.status().cmp(b.status()),
        Field::Uptime => a.figure(|it| it.uptime_ms).cmp(&b.figure(|it| it.uptime_ms)),
        Field::Restarts => a.figure(|it| Some(it.restarts)).cmp(&b.figure(|it| Some(it.restarts))),
    }
}

impl Row<'_> {
    fn status(&self) -> &'static str {
        self.instance.map_or(self.app.status, |instance| instance.status).as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn ids(order: &str) -> Vec<u32> {
        let apps = samples::apps();
        rows(&apps, order.parse().unwrap()).iter().filter_map(|row| row.instance).map(|it| it.id).collect()
    }

    #[test]
    fn numbers_are_sorted_as_numbers() {
        assert_eq!(ids("memory:desc"), [0, 1, 10, 2], "104 MiB, 52 MiB, 9 MiB, none");
        assert_eq!(ids("memory"), [2, 10, 1, 0]);
        assert_eq!(ids("id:asc"), [0, 1, 2, 10]);
        assert_eq!(ids("id:desc"), [10, 2, 1, 0]);
        assert_eq!(ids("cpu:desc"), [1, 0, 2, 10], "100 before 9.5, and without a figure is as 0");
        assert_eq!(ids("pid"), [2, 10, 0, 1]);
        assert_eq!(ids("uptime:desc"), [0, 1, 10, 2]);
        assert_eq!(ids("restarts:desc"), [2, 1, 0, 10]);
    }

    #[test]
    fn names_are_sorted_by_their_letters_and_equals_stay_in_order() {
        assert_eq!(ids("name"), [2, 10, 0, 1], "api, jobs, web, web");
        assert_eq!(ids("name:desc"), [0, 1, 10, 2]);
        assert_eq!(ids("status"), [2, 0, 1, 10], "errored, online thrice");
        assert_eq!(ids("namespace"), [10, 0, 1, 2], "background, default thrice");
    }

    #[test]
    fn another_word_is_refused() {
        for text in ["", "size", "memory:", "memory:down", "Memory", "memory:desc:asc"] {
            assert_eq!(text.parse::<Order>(), Err(NoOrder), "{text}");
        }
        assert!(FIELDS.iter().all(|(name, _)| NoOrder.to_string().contains(name)));
    }
}
