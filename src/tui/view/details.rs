//! All that is known of the selected instance and its app: what it reports of itself, what it is, how it is set up.

use std::time::Duration;

use ratatui_core::layout::Rect;

use super::super::state::list::Row;
use super::super::state::model::State;
use super::canvas::Canvas;
use super::figures;
use super::look::Ink;
use crate::api::types::{AppView, ExecMode, InstanceView};

/// A line of it.
enum Entry {
    Heading(&'static str),
    Fact(String, String),
    Curve { name: &'static str, of: Curve },
}

#[derive(Clone, Copy)]
enum Curve {
    Cpu,
    Memory,
}

/// The names' room.
const NAMES: u16 = 14;

/// The whole screen.
pub(super) fn page(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    draw(canvas, area, state, state.page_scroll, "d or Esc goes back");
}

/// Beside the list.
pub(super) fn beside(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    draw(canvas, area, state, 0, "d shows all");
}

fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, scroll: usize, hint: &str) {
    let row = state.list.selected(&state.apps);
    let title = row.map_or_else(|| "details".to_owned(), |row| format!("details of {}", row.name()));
    let entries = row.map(|row| entries(&row)).unwrap_or_default();
    let fits = entries.len() <= usize::from(area.height.saturating_sub(1));
    let first = if fits { 0 } else { scroll.min(entries.len() - 1) };
    let right = if fits && hint == "d shows all" { "" } else { hint };
    let inner = canvas.section(area, &title, false, right);
    for (y, entry) in (0..inner.height).zip(entries.iter().skip(first)) {
        line(canvas, inner, y, state, row, entry);
    }
}

fn line(canvas: &mut Canvas<'_>, area: Rect, y: u16, state: &State, row: Option<Row<'_>>, entry: &Entry) {
    match entry {
        Entry::Heading(name) => {
            canvas.put(area, (1, y), name, Ink::Title);
        }
        Entry::Fact(name, value) => {
            canvas.field(area, (1, y), NAMES, super::canvas::Align::Left, name, Ink::Faint);
            canvas.put(area, (NAMES + 2, y), value, Ink::Plain);
        }
        Entry::Curve { name, of } => {
            canvas.put(area, (1, y), name, Ink::Faint);
            let instance = row.and_then(|row| row.instance);
            let Some(series) = instance.and_then(|instance| state.history.of(instance.id)) else { return };
            let columns = usize::from(area.width.saturating_sub(NAMES + 3));
            let (points, floor) = match of {
                Curve::Cpu => (&series.cpu, 100.0),
                Curve::Memory => (&series.memory, f64::from(64 << 20)),
            };
            let curve = figures::curve(points, columns, floor, canvas.look.glyphs);
            canvas.put(area, (NAMES + 2, y), &curve, Ink::Curve);
        }
    }
}

/// What changes stands first, so that it is seen without moving.
fn entries(row: &Row<'_>) -> Vec<Entry> {
    let mut list = Entries(Vec::new());
    if let Some(instance) = row.instance {
        list.instance(instance);
    }
    list.metrics(row);
    list.app(row.app);
    list.settings(row.app);
    list.0
}

struct Entries(Vec<Entry>);

impl Entries {
    fn heading(&mut self, name: &'static str) {
        self.0.push(Entry::Heading(name));
    }

    fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(Entry::Fact(name.to_owned(), value.into()));
    }

    fn fact_if(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.fact(name, value);
        }
    }

    fn instance(&mut self, instance: &InstanceView) {
        let dash = || "-".to_owned();
        self.heading("instance");
        self.fact("status", instance.status.to_string());
        self.fact("id", instance.id.to_string());
        self.fact("pid", instance.pid.map_or_else(dash, |pid| pid.to_string()));
        self.fact("uptime", instance.uptime_ms.map_or_else(dash, time));
        let unstable = match instance.unstable_starts {
            0 => String::new(),
            count => format!(" ({count} unstable in a row)"),
        };
        self.fact("restarts", format!("{}{unstable}", instance.restarts));
        self.fact_if("next start", instance.next_start_in_ms.map(|ms| format!("in {}", time(ms))));
        self.fact_if(
            "last exit",
            instance
                .last_exit
                .as_ref()
                .map(|exit| format!("{} at {} UTC", exit.reason, figures::clock(exit.at_ms))),
        );
        self.fact("generation", instance.generation.to_string());
        self.fact_if("processes", instance.processes.map(|count| count.to_string()));
        self.fact("cpu", instance.cpu_percent.map_or_else(dash, figures::percent));
        self.0.push(Entry::Curve { name: "", of: Curve::Cpu });
        self.fact("memory", instance.memory_bytes.map_or_else(dash, figures::bytes));
        self.0.push(Entry::Curve { name: "", of: Curve::Memory });
        self.fact_if("clients", instance.clients());
        if let Some(node) = &instance.node {
            self.heading("node");
            for (name, value) in node.facts() {
                self.fact(name, value);
            }
        }
    }

    /// Of the instance that is meant, or of all together.
    fn metrics(&mut self, row: &Row<'_>) {
        let of_instance = row.instance.map(|instance| (&instance.metrics, &instance.actions));
        let (metrics, actions) = of_instance.unwrap_or((&row.app.metrics, &row.app.actions));
        if metrics.is_empty() && actions.is_empty() {
            return;
        }
        self.heading("metrics");
        for (name, metric) in metrics {
            self.fact(name, metric.to_string());
        }
        if !actions.is_empty() {
            self.fact("actions", actions.join(", "));
        }
    }

    fn app(&mut self, app: &AppView) {
        self.heading("app");
        self.fact("name", app.name.clone());
        self.fact("namespace", app.namespace.clone());
        self.fact_if("version", app.version.clone());
        let reloading = app.reloading.map_or_else(String::new, |new| format!(", reloading to {new}"));
        self.fact("generation", format!("{}{reloading}", app.generation));
        let mode = match app.exec_mode {
            ExecMode::Cluster => format!("cluster, by {}", app.share),
            ExecMode::Fork => "fork".to_owned(),
        };
        self.fact("mode", mode);
        for listener in &app.listeners {
            let waiting = listener.waiting.map_or_else(String::new, |count| format!(", {count} waiting"));
            self.fact("listens", format!("{}{waiting}", listener.address));
        }
        self.fact("command", app.command.join(" "));
        self.fact_if("script", app.script.clone());
        self.fact("directory", app.directory.clone());
        self.fact_if(
            "interpreter",
            app.interpreter.as_ref().map(|interpreter| {
                let version = interpreter.version.as_deref().unwrap_or_default();
                format!("{} {version}", interpreter.path.as_ref().unwrap_or(&interpreter.program))
            }),
        );
        self.fact("user", app.user.clone());
        self.fact("watching", if app.watching { "yes" } else { "no" });
        self.fact_if(
            "git",
            app.git.as_ref().map(|git| {
                let revision: String = git.revision.chars().take(12).collect();
                format!("{} {revision}", git.branch.as_deref().unwrap_or("(no branch)"))
            }),
        );
        self.fact_if("remote", app.git.as_ref().and_then(|git| git.remote.clone()));
        self.fact_if("out log", app.logs.out.clone());
        self.fact_if("error log", app.logs.error.clone());
        self.fact_if("log of both", app.logs.both.clone());
    }

    fn settings(&mut self, app: &AppView) {
        if !app.settings.is_empty() {
            self.heading("settings");
        }
        for setting in &app.settings {
            self.fact(&setting.name, format!("{} ({})", setting.value, setting.origin));
        }
    }
}

fn time(ms: u64) -> String {
    figures::span(Duration::from_millis(ms))
}
