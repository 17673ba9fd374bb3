//! `pmr list`: a row for each instance, as much of it as fits, and the totals. Pure.

use unicode_width::UnicodeWidthStr;

use super::colour::{Colours, Paint};
use super::human;
use super::sort::{Order, Row, rows};
use super::table::{Cell, Column, Side, Table};
use crate::api::types::{AppView, ExecMode, RuntimeView, ScalingView, Status};

/// What an empty list says.
const NOTHING: &str = "No apps. Add one: `pmr start server.js`, or `pmr start npm -- start`.\n";

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Id,
    Name,
    Namespace,
    Version,
    Mode,
    Pid,
    Uptime,
    Restarts,
    Status,
    Cpu,
    Memory,
    User,
    Watching,
}

/// pm2's three layouts, the widest first.
const LAYOUTS: [&[Field]; 3] = [
    &[
        Field::Id,
        Field::Name,
        Field::Namespace,
        Field::Version,
        Field::Mode,
        Field::Pid,
        Field::Uptime,
        Field::Restarts,
        Field::Status,
        Field::Cpu,
        Field::Memory,
        Field::User,
        Field::Watching,
    ],
    &[Field::Id, Field::Name, Field::Mode, Field::Restarts, Field::Status, Field::Cpu, Field::Memory],
    &[Field::Id, Field::Name, Field::Status, Field::Cpu, Field::Memory],
];

/// In each layout.
const NAME_AT: usize = 1;

/// How it is to look.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Look {
    pub(in crate::cli) order: Order,
    /// The terminal's; `None` where there is none, and all is shown.
    pub(in crate::cli) width: Option<usize>,
    pub(in crate::cli) colours: Colours,
}

/// The table, and the lines below it.
pub(in crate::cli) fn render(apps: &[AppView], runtime: &RuntimeView, look: &Look) -> String {
    if apps.is_empty() {
        return NOTHING.to_owned();
    }
    let rows = rows(apps, look.order);
    let fitting = |width: usize| {
        let tables = LAYOUTS.iter().map(|fields| table(fields, &rows));
        let narrowest = table(LAYOUTS[LAYOUTS.len() - 1], &rows);
        tables.into_iter().find(|table| table.width() <= width).unwrap_or(narrowest)
    };
    let table = match look.width {
        Some(width) => {
            let mut table = fitting(width);
            table.squeeze(NAME_AT, width);
            table
        }
        None => table(LAYOUTS[0], &rows),
    };
    let below = look.colours.paint(Paint::Dim, &totals(apps, runtime, look.width)) + "\n";
    table.render(look.colours) + &below + &scaled(apps, look.colours) + &web(runtime, look.colours)
}

/// Which apps follow the load, and how far: a line, if there are any.
fn scaled(apps: &[AppView], colours: Colours) -> String {
    let of = |app: &AppView| {
        let ScalingView { min, max, .. } = app.scaling.as_ref()?;
        Some(format!("{} {} ({min}..{max})", app.name, app.instances.len()))
    };
    let all: Vec<_> = apps.iter().filter_map(of).collect();
    if all.is_empty() {
        return String::new();
    }
    colours.paint(Paint::Dim, &format!("scaled to the load: {}", all.join(", "))) + "\n"
}

/// Where the web server is, if there is one: a line.
pub(in crate::cli) fn web(runtime: &RuntimeView, colours: Colours) -> String {
    let line = |address| colours.paint(Paint::Dim, &format!("web server at http://{address}"));
    runtime.web.as_ref().map(line).map(|line| line + "\n").unwrap_or_default()
}

fn table(fields: &[Field], rows: &[Row<'_>]) -> Table {
    let columns = fields.iter().map(|field| field.column()).collect();
    let line = |row: &Row<'_>| fields.iter().map(|field| field.cell(row)).collect();
    Table::new(columns, rows.iter().map(line).collect())
}

impl Field {
    fn column(self) -> Column {
        let (title, side) = match self {
            Self::Id => ("id", Side::Right),
            Self::Name => ("name", Side::Left),
            Self::Namespace => ("namespace", Side::Left),
            Self::Version => ("version", Side::Left),
            Self::Mode => ("mode", Side::Left),
            Self::Pid => ("pid", Side::Right),
            Self::Uptime => ("uptime", Side::Right),
            Self::Restarts => ("↺", Side::Right),
            Self::Status => ("status", Side::Left),
            Self::Cpu => ("cpu", Side::Right),
            Self::Memory => ("mem", Side::Right),
            Self::User => ("user", Side::Left),
            Self::Watching => ("watching", Side::Left),
        };
        Column { title, side }
    }

    fn cell(self, row: &Row<'_>) -> Cell {
        let (app, instance) = (row.app, row.instance);
        let number =
            |number: Option<u64>| Cell::new(number.map_or_else(|| "-".to_owned(), |n| n.to_string()));
        match self {
            Self::Id => number(instance.map(|it| it.id.into())),
            Self::Name => Cell::painted(&app.name, Paint::Bold),
            Self::Namespace => Cell::new(&app.namespace),
            Self::Version => Cell::new(app.version.as_deref().unwrap_or("-")),
            Self::Mode => Cell::new(mode(app)),
            Self::Pid => {
                number(Some(instance.and_then(|it| it.pid).map_or(0, |pid| pid.unsigned_abs().into())))
            }
            Self::Uptime => {
                Cell::new(instance.and_then(|it| it.uptime_ms).map_or_else(|| "0".to_owned(), human::uptime))
            }
            Self::Restarts => number(Some(instance.map_or(0, |it| it.restarts.into()))),
            Self::Status => status(instance.map_or(app.status, |it| it.status)),
            Self::Cpu => Cell::new(human::percent(instance.and_then(|it| it.cpu_percent).unwrap_or(0.0))),
            Self::Memory => Cell::new(human::bytes(instance.and_then(|it| it.memory_bytes).unwrap_or(0))),
            Self::User => Cell::new(&app.user),
            Self::Watching => Cell::new(if app.watching { "enabled" } else { "disabled" }),
        }
    }
}

fn status(status: Status) -> Cell {
    Cell::painted(status.as_str(), Paint::of(status))
}

/// The way the port is shared, where it is; else pm2's `fork`.
pub(super) fn mode(app: &AppView) -> &str {
    match app.exec_mode {
        ExecMode::Cluster => &app.share,
        ExecMode::Fork => "fork",
    }
}

/// `3 apps, 3 of 4 instances online · cpu 109.5% · memory 165.0mb · runtime 4.0mb`, as much of it as fits.
fn totals(apps: &[AppView], runtime: &RuntimeView, width: Option<usize>) -> String {
    let mut parts = parts_of_totals(apps, runtime);
    let mut text = parts.join(" · ");
    while parts.len() > 1 && width.is_some_and(|width| text.width() > width) {
        parts.pop();
        text = parts.join(" · ");
    }
    text
}

fn parts_of_totals(apps: &[AppView], runtime: &RuntimeView) -> Vec<String> {
    let instances = || apps.iter().flat_map(|app| &app.instances);
    let online = instances().filter(|instance| instance.status == Status::Online).count();
    let all = instances().count();
    let workers = || instances().chain(apps.iter().flat_map(|app| &app.standbys));
    let cpu: f64 = workers().filter_map(|instance| instance.cpu_percent).sum();
    // What the runtime says may be anything, as far as this end can know.
    let memory = workers().filter_map(|instance| instance.memory_bytes).fold(0, u64::saturating_add);
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let count = apps.len();
    let mut parts = vec![
        format!("{count} app{}, {online} of {all} instance{} online", s(count), s(all)),
        format!("cpu {}", human::percent(cpu)),
        format!("memory {}", human::bytes(memory)),
    ];
    parts.extend(runtime.memory_bytes.map(|own| format!("runtime {}", human::bytes(own))));
    parts
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn list(width: Option<usize>) -> String {
        let look = Look { order: Order::default(), width, colours: Colours::Off };
        render(&samples::apps(), &samples::runtime(), &look)
    }

    #[test]
    fn without_a_terminal_everything_is_shown() {
        insta::assert_snapshot!(list(None), @r"
        ┌────┬──────┬────────────┬─────────┬───────────┬──────┬────────┬────┬─────────┬──────┬─────────┬──────────┬──────────┐
        │ id │ name │ namespace  │ version │ mode      │  pid │ uptime │  ↺ │ status  │  cpu │     mem │ user     │ watching │
        ├────┼──────┼────────────┼─────────┼───────────┼──────┼────────┼────┼─────────┼──────┼─────────┼──────────┼──────────┤
        │  2 │ api  │ default    │ -       │ intercept │    0 │      0 │ 15 │ errored │   0% │      0b │ www-data │ disabled │
        │ 10 │ jobs │ background │ 1.4.2   │ fork      │   17 │     1s │  0 │ online  │   0% │   9.0mb │ node     │ enabled  │
        │  0 │ web  │ default    │ 1.4.2   │ cluster   │ 4000 │     2h │  0 │ online  │ 9.5% │ 104.0mb │ node     │ disabled │
        │  1 │ web  │ default    │ 1.4.2   │ cluster   │ 4001 │     5s │  3 │ online  │ 100% │  52.0mb │ node     │ disabled │
        └────┴──────┴────────────┴─────────┴───────────┴──────┴────────┴────┴─────────┴──────┴─────────┴──────────┴──────────┘
        3 apps, 3 of 4 instances online · cpu 109.5% · memory 165.0mb · runtime 4.0mb
        ");
    }

    #[test]
    fn a_wide_terminal_shows_as_much() {
        assert_eq!(list(Some(200)), list(None));
    }

    #[test]
    fn the_condensed_layout_fits_eighty_columns() {
        insta::assert_snapshot!(list(Some(80)), @r"
        ┌────┬──────┬───────────┬────┬─────────┬──────┬─────────┐
        │ id │ name │ mode      │  ↺ │ status  │  cpu │     mem │
        ├────┼──────┼───────────┼────┼─────────┼──────┼─────────┤
        │  2 │ api  │ intercept │ 15 │ errored │   0% │      0b │
        │ 10 │ jobs │ fork      │  0 │ online  │   0% │   9.0mb │
        │  0 │ web  │ cluster   │  0 │ online  │ 9.5% │ 104.0mb │
        │  1 │ web  │ cluster   │  3 │ online  │ 100% │  52.0mb │
        └────┴──────┴───────────┴────┴─────────┴──────┴─────────┘
        3 apps, 3 of 4 instances online · cpu 109.5% · memory 165.0mb · runtime 4.0mb
        ");
    }

    #[test]
    fn the_small_layout_fits_fifty_columns() {
        insta::assert_snapshot!(list(Some(50)), @r"
        ┌────┬──────┬─────────┬──────┬─────────┐
        │ id │ name │ status  │  cpu │     mem │
        ├────┼──────┼─────────┼──────┼─────────┤
        │  2 │ api  │ errored │   0% │      0b │
        │ 10 │ jobs │ online  │   0% │   9.0mb │
        │  0 │ web  │ online  │ 9.5% │ 104.0mb │
        │  1 │ web  │ online  │ 100% │  52.0mb │
        └────┴──────┴─────────┴──────┴─────────┘
        3 apps, 3 of 4 instances online · cpu 109.5%
        ");
    }

    #[test]
    fn names_are_cut_where_nothing_else_helps() {
        let mut apps = samples::apps();
        apps[0].name = "the-one-and-only-web-server".to_owned();
        let look = Look { order: Order::default(), width: Some(45), colours: Colours::Off };
        insta::assert_snapshot!(render(&apps, &samples::runtime(), &look), @r"
        ┌────┬───────────┬─────────┬──────┬─────────┐
        │ id │ name      │ status  │  cpu │     mem │
        ├────┼───────────┼─────────┼──────┼─────────┤
        │  2 │ api       │ errored │   0% │      0b │
        │ 10 │ jobs      │ online  │   0% │   9.0mb │
        │  0 │ the-one-… │ online  │ 9.5% │ 104.0mb │
        │  1 │ the-one-… │ online  │ 100% │  52.0mb │
        └────┴───────────┴─────────┴──────┴─────────┘
        3 apps, 3 of 4 instances online · cpu 109.5%
        ");
    }

    #[test]
    fn colours_follow_the_status() {
        let look = Look { order: Order::default(), width: Some(50), colours: Colours::On };
        let text = render(&samples::apps(), &samples::runtime(), &look);
        assert!(text.contains("\x1b[32monline\x1b[0m") && text.contains("\x1b[31merrored\x1b[0m"), "{text}");
    }

    #[test]
    fn where_there_is_a_web_server_a_line_says_so() {
        let runtime = RuntimeView { web: Some("127.0.0.1:9615".to_owned()), ..samples::runtime() };
        let look = Look { order: Order::default(), width: Some(50), colours: Colours::Off };
        let text = render(&samples::apps(), &runtime, &look);
        assert!(text.ends_with(" · cpu 109.5%\nweb server at http://127.0.0.1:9615\n"), "{text}");
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        let look = Look { order: Order::default(), width: None, colours: Colours::Off };
        assert_eq!(render(&[], &samples::runtime(), &look), NOTHING);
    }

    #[test]
    fn apps_that_follow_the_load_are_named_below() {
        let mut apps = samples::apps();
        apps[0].scaling = Some(ScalingView { min: 2, max: 8, last: None });
        let expected = format!("scaled to the load: {} {} (2..8)\n", apps[0].name, apps[0].instances.len());
        assert_eq!(scaled(&apps, Colours::Off), expected);
        assert_eq!(scaled(&apps[1..], Colours::Off), "");
    }

    #[test]
    fn an_app_without_instances_is_listed() {
        let mut idle = samples::app(3, "idle");
        idle.status = Status::Stopped;
        let look = Look { order: Order::default(), width: Some(50), colours: Colours::Off };
        let text = render(&[idle], &samples::runtime(), &look);
        assert!(text.contains("0 of 0 instances online · cpu 0%"), "{text}");
        assert!(text.contains("│  - │ idle │ cluster │ 0 │ stopped │"), "{text}");
    }

    #[test]
    fn no_sum_is_too_large() {
        let mut apps = samples::apps();
        apps.iter_mut().flat_map(|app| &mut app.instances).for_each(|it| it.memory_bytes = Some(u64::MAX));
        let look = Look { order: Order::default(), width: None, colours: Colours::Off };
        assert!(render(&apps, &samples::runtime(), &look).contains("memory "));
    }
}
