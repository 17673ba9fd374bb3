//! The rows of the list: an instance each, filtered and sorted, one of them selected. The selection is an identity, not
//! a place, so it stays with its instance when the list changes around it.

use std::cmp::Ordering;

use crate::api::types::{AppView, InstanceView};

/// A row: an instance, or an app that has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    pub app: &'a AppView,
    pub instance: Option<&'a InstanceView>,
}

/// What a row is, whatever it shows at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKey {
    Instance(u32),
    App(u32),
}

/// What the list can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Column {
    #[default]
    Id,
    Name,
    Status,
    Cpu,
    Memory,
    Restarts,
    Uptime,
    Pid,
}

/// From a column to the one that comes next.
const CYCLE: [Column; 8] = [
    Column::Id,
    Column::Name,
    Column::Status,
    Column::Cpu,
    Column::Memory,
    Column::Restarts,
    Column::Uptime,
    Column::Pid,
];

impl Column {
    /// Its heading.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Status => "status",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Restarts => "restarts",
            Self::Uptime => "uptime",
            Self::Pid => "pid",
        }
    }

    fn next(self) -> Self {
        let at = CYCLE.iter().position(|&column| column == self).unwrap_or(0);
        CYCLE[(at + 1) % CYCLE.len()]
    }

    /// Of what is measured, the most comes first.
    fn natural(self) -> Direction {
        match self {
            Self::Cpu | Self::Memory | Self::Restarts => Direction::Down,
            Self::Id | Self::Name | Self::Status | Self::Uptime | Self::Pid => Direction::Up,
        }
    }
}

/// Which end of an order comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// The smallest.
    #[default]
    Up,
    /// The greatest.
    Down,
}

/// How the rows are chosen and ordered, and which is selected.
#[derive(Debug, Default)]
pub struct List {
    pub column: Column,
    pub direction: Direction,
    /// Rows whose app, namespace or status has this in it.
    pub filter: String,
    pub selected: Option<RowKey>,
    /// Where the selected row was last, for when it is gone.
    place: usize,
}

impl List {
    /// The rows as they are shown.
    #[must_use]
    pub fn rows<'a>(&self, apps: &'a [AppView]) -> Vec<Row<'a>> {
        let mut rows: Vec<_> =
            apps.iter().flat_map(rows_of).filter(|row| row.contains(&self.filter)).collect();
        rows.sort_by(|a, b| self.compare(a, b));
        rows
    }

    /// The selected row.
    #[must_use]
    pub fn selected<'a>(&self, apps: &'a [AppView]) -> Option<Row<'a>> {
        // It is one of the shown rows, or none; which, is settled whenever they change.
        apps.iter().flat_map(rows_of).find(|row| Some(row.key()) == self.selected)
    }

    /// To be called when apps or filter have changed: the selection stays, or goes to the row that took its place.
    pub(super) fn settle(&mut self, apps: &[AppView]) {
        let rows = self.rows(apps);
        match rows.iter().position(|row| Some(row.key()) == self.selected) {
            Some(place) => self.place = place,
            None => {
                self.place = self.place.min(rows.len().saturating_sub(1));
                self.selected = rows.get(self.place).map(Row::key);
            }
        }
    }

    /// Moves the selection by so many rows, stopping at the ends.
    pub(super) fn move_by(&mut self, apps: &[AppView], by: isize) {
        let rows = self.rows(apps);
        let last = rows.len().saturating_sub(1);
        self.place = self.place.saturating_add_signed(by).min(last);
        self.selected = rows.get(self.place).map(Row::key);
    }

    /// Sorts by the next column.
    pub(super) fn next_column(&mut self) {
        self.column = self.column.next();
        self.direction = self.column.natural();
    }

    /// The other way around.
    pub(super) fn reverse(&mut self) {
        self.direction = match self.direction {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
    }

    fn compare(&self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        let order = compare_by(self.column, a, b);
        let order = match self.direction {
            Direction::Up => order,
            Direction::Down => order.reverse(),
        };
        // Equal ones keep their places from one second to the next.
        order.then_with(|| a.id().cmp(&b.id())).then_with(|| a.app.app_id.cmp(&b.app.app_id))
    }
}

fn rows_of(app: &AppView) -> Vec<Row<'_>> {
    match app.instances.as_slice() {
        [] => vec![Row { app, instance: None }],
        instances => instances.iter().map(|instance| Row { app, instance: Some(instance) }).collect(),
    }
}

fn compare_by(column: Column, a: &Row<'_>, b: &Row<'_>) -> Ordering {
    match column {
        Column::Id => a.id().cmp(&b.id()),
        Column::Name => a.app.name.cmp(&b.app.name),
        Column::Status => a.status().as_str().cmp(b.status().as_str()),
        Column::Cpu => {
            let cpu = |row: &Row<'_>| row.instance.and_then(|instance| instance.cpu_percent).unwrap_or(-1.0);
            cpu(a).total_cmp(&cpu(b))
        }
        Column::Memory => by(a, b, |instance| instance.memory_bytes),
        Column::Restarts => by(a, b, |instance| Some(instance.restarts)),
        Column::Uptime => by(a, b, |instance| instance.uptime_ms),
        Column::Pid => by(a, b, |instance| instance.pid),
    }
}

fn by<T: Ord>(a: &Row<'_>, b: &Row<'_>, value: impl Fn(&InstanceView) -> Option<T>) -> Ordering {
    a.instance.and_then(&value).cmp(&b.instance.and_then(&value))
}

impl Row<'_> {
    /// What it is.
    #[must_use]
    pub fn key(&self) -> RowKey {
        self.instance.map_or(RowKey::App(self.app.app_id), |instance| RowKey::Instance(instance.id))
    }

    /// The instance's status, or the app's.
    #[must_use]
    pub fn status(&self) -> crate::api::types::Status {
        self.instance.map_or(self.app.status, |instance| instance.status)
    }

    /// `web.0`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.instance {
            Some(instance) => format!("{}.{}", self.app.name, instance.instance),
            None => self.app.name.clone(),
        }
    }

    /// Rows without an instance come last.
    fn id(&self) -> u32 {
        self.instance.map_or(u32::MAX, |instance| instance.id)
    }

    fn contains(&self, filter: &str) -> bool {
        let filter = filter.to_lowercase();
        [&self.name(), self.app.namespace.as_str(), self.status().as_str()]
            .iter()
            .any(|text| text.to_lowercase().contains(&filter))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::world::app;
    use super::*;

    fn names(list: &List, apps: &[AppView]) -> Vec<String> {
        list.rows(apps).iter().map(Row::name).collect()
    }

    #[test]
    fn every_column_sorts_both_ways_and_equal_rows_stay_in_order() {
        let mut apps = vec![app(0, "b", &[2, 0]), app(1, "a", &[1])];
        apps[0].instances[1].memory_bytes = Some(1 << 40);
        let mut list = List::default();
        assert_eq!(names(&list, &apps), ["b.1", "a.0", "b.0"]);
        list.next_column();
        assert_eq!(
            (list.column, names(&list, &apps)),
            (Column::Name, ["a.0", "b.1", "b.0"].map(String::from).into())
        );
        list.reverse();
        assert_eq!(names(&list, &apps), ["b.1", "b.0", "a.0"]);
        list.column = Column::Memory;
        assert_eq!(names(&list, &apps)[0], "b.1");
        for column in CYCLE {
            list.column = column;
            assert_eq!(list.rows(&apps).len(), 3, "{column:?}");
        }
    }

    #[test]
    fn the_columns_come_around_again() {
        let mut list = List::default();
        for _ in CYCLE {
            list.next_column();
        }
        assert_eq!(list.column, Column::Id);
    }

    #[test]
    fn a_filter_looks_at_name_namespace_and_status_in_any_case() {
        let apps = [app(0, "web", &[0]), app(1, "worker", &[1])];
        let rows = |filter: &str| List { filter: filter.into(), ..List::default() }.rows(&apps).len();
        assert_eq!(
            (rows(""), rows("WOR"), rows("online"), rows("default"), rows("nothing")),
            (2, 1, 2, 2, 0)
        );
    }

    #[test]
    fn the_selection_stays_with_its_instance() {
        let mut list = List::default();
        list.settle(&[app(0, "web", &[3, 4])]);
        list.move_by(&[app(0, "web", &[3, 4])], 1);
        assert_eq!(list.selected, Some(RowKey::Instance(4)));
        list.settle(&[app(1, "api", &[1, 2]), app(0, "web", &[3, 4])]);
        assert_eq!(list.selected, Some(RowKey::Instance(4)));
    }

    #[test]
    fn the_row_in_its_place_is_selected_when_an_instance_is_gone() {
        let mut list = List::default();
        let before = [app(0, "web", &[1, 2, 3])];
        list.settle(&before);
        list.move_by(&before, 99);
        assert_eq!(list.selected, Some(RowKey::Instance(3)));
        list.settle(&[app(0, "web", &[1, 2])]);
        assert_eq!(list.selected, Some(RowKey::Instance(2)));
        list.settle(&[]);
        assert_eq!(list.selected, None);
        list.settle(&[app(5, "idle", &[])]);
        assert_eq!(list.selected, Some(RowKey::App(5)));
    }
}
