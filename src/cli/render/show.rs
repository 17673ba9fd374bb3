//! `pmr show`: all that is known of an app, in sections. Pure.

use unicode_width::UnicodeWidthStr;

use super::colour::{Colours, Paint};
use super::human;
use super::list::mode;
use super::table::{Cell, Column, Side, Table, harmless};
use crate::api::crash::LastCrashView;
use crate::api::messages::MetricView;
use crate::api::node::NodeView;
use crate::api::types::{
    AppView, ExitView, GitView, HealthView, InstanceView, ListenerView, RuntimeView, ScaledView, ScalingView,
};

/// All of `app`. `runtime` tells what time it is there.
pub(in crate::cli) fn render(app: &AppView, runtime: &RuntimeView, colours: Colours) -> String {
    let now = runtime.started_at_ms.saturating_add(runtime.uptime_ms);
    let mut text = section("App", &pairs(&about(app, now)), colours);
    text += &section("Instances", &instances(&app.instances, now, colours), colours);
    text += &section("Standbys", &instances(&app.standbys, now, colours), colours);
    text += &section("Health", &rows(&health(app)), colours);
    text += &section("Listeners", &rows(&app.listeners.iter().map(listener).collect::<Vec<_>>()), colours);
    text += &section("Clients", &rows(&clients(app)), colours);
    text += &section("Node", &rows(&node(app)), colours);
    let settings = app.settings.iter();
    let value = |value: &str| if value.is_empty() { "none".to_owned() } else { value.to_owned() };
    let settings = settings.map(|it| vec![it.name.clone(), value(&it.value), format!("({})", it.origin)]);
    text += &section("Settings", &rows(&settings.collect::<Vec<_>>()), colours);
    text += &section("Git", &pairs(&app.git.as_ref().map(git).unwrap_or_default()), colours);
    text += &section("Metrics", &rows(&metrics(app)), colours);
    let actions = app.actions.iter().map(|action| vec![action.clone()]);
    text + &section("Actions", &rows(&actions.collect::<Vec<_>>()), colours)
}

/// Nothing of a section that has nothing to say.
fn section(title: &str, body: &str, colours: Colours) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!("{}\n{body}\n", colours.paint(Paint::Bold, title))
}

fn about(app: &AppView, now: u64) -> Vec<(&'static str, Option<String>)> {
    let generation = match app.reloading {
        Some(next) => format!("{} (a reload is bringing in {next})", app.generation),
        None => app.generation.to_string(),
    };
    let log = |file: &Option<String>| {
        Some(file.clone().unwrap_or_else(|| "none: lines go to the runtime's own output".to_owned()))
    };
    vec![
        ("name", Some(app.name.clone())),
        ("status", Some(app.status.to_string())),
        ("before start", app.before_start.clone()),
        ("app id", Some(app.app_id.to_string())),
        ("namespace", Some(app.namespace.clone())),
        ("version", app.version.clone()),
        ("command", Some(command(&app.command))),
        ("resolved", app.resolved.clone()),
        ("script", app.script.clone()),
        ("directory", Some(app.directory.clone())),
        (
            "interpreter",
            app.interpreter.as_ref().map(|it| it.path.clone().unwrap_or_else(|| it.program.clone())),
        ),
        ("its version", app.interpreter.as_ref().and_then(|it| it.version.clone())),
        ("mode", Some(mode(app).to_owned())),
        ("scaling", app.scaling.as_ref().map(|it| scaling(it, now))),
        ("user", Some(app.user.clone())),
        ("watching", Some(if app.watching { "enabled" } else { "disabled" }.to_owned())),
        ("generation", Some(generation)),
        ("created at", Some(human::moment(app.created_at_ms))),
        ("last crash", app.last_crash.as_ref().map(|crash| last_crash(crash, now))),
        ("output log", log(&app.logs.out)),
        ("error log", log(&app.logs.error)),
        ("log of both", app.logs.both.clone()),
    ]
}

/// `2 to 8 instances, as the load asks; from 2 to 4 12s ago: instances are 93% busy`.
fn scaling(ScalingView { min, max, last }: &ScalingView, now: u64) -> String {
    let last = last.as_ref().map_or_else(String::new, |ScaledView { at_ms, from, to, because }| {
        format!("; from {from} to {to} {} ago: {because}", human::uptime(now.saturating_sub(*at_ms)))
    });
    format!("{min} to {max} instances, as the load asks{last}")
}

/// As a shell would have to be given it.
pub(in crate::cli) fn command(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    quoted.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn instances(instances: &[InstanceView], now: u64, colours: Colours) -> String {
    if instances.is_empty() {
        return String::new();
    }
    let (left, right) = (Side::Left, Side::Right);
    let columns = [
        ("id", right),
        ("pid", right),
        ("status", left),
        ("uptime", right),
        ("↺", right),
        ("unstable", right),
        ("generation", right),
        ("cpu", right),
        ("mem", right),
        ("processes", right),
        ("last exit", left),
    ];
    let columns = columns.into_iter().map(|(title, side)| Column { title, side }).collect();
    let rows = instances.iter().map(|instance| cells(instance, now)).collect();
    Table::new(columns, rows).render(colours)
}

fn cells(it: &InstanceView, now: u64) -> Vec<Cell> {
    let or_dash = |text: Option<String>| Cell::new(text.unwrap_or_else(|| "-".to_owned()));
    let status = match it.next_start_in_ms {
        Some(millis) => format!("{} (next start in {})", it.status, human::took(millis)),
        None if it.steered_away => format!("{}, steered away", it.status),
        None => it.status.to_string(),
    };
    vec![
        Cell::new(it.id.to_string()),
        or_dash(it.pid.map(|pid| pid.to_string())),
        Cell::painted(status, Paint::of(it.status)),
        or_dash(it.uptime_ms.map(human::uptime)),
        Cell::new(it.restarts.to_string()),
        Cell::new(it.unstable_starts.to_string()),
        Cell::new(it.generation.to_string()),
        or_dash(it.cpu_percent.map(human::percent)),
        or_dash(it.memory_bytes.map(human::bytes)),
        or_dash(it.processes.map(|count| count.to_string())),
        or_dash(it.last_exit.as_ref().map(|exit| last_exit(exit, now))),
    ]
}

/// `` 6s ago in instance 0: TypeError: x is not a function (`pmr crashes 7`) ``.
fn last_crash(crash: &LastCrashView, now: u64) -> String {
    let LastCrashView { id, at_ms, instance, summary, count, .. } = crash;
    let again = if *count > 1 { format!(", seen {count} times") } else { String::new() };
    let ago = human::uptime(now.saturating_sub(*at_ms));
    format!("{ago} ago in instance {instance}{again}: {summary} (`pmr crashes {id}`)")
}

/// `exit code 3, 6s ago`.
fn last_exit(exit: &ExitView, now: u64) -> String {
    format!("{}, {} ago", exit.reason, human::uptime(now.saturating_sub(exit.at_ms)))
}

/// What Node workers report of themselves.
fn node(app: &AppView) -> Vec<Vec<String>> {
    let of = |it: &InstanceView| {
        let whose = format!("instance {}", it.instance);
        let facts = it.node.as_ref().map(NodeView::facts).unwrap_or_default();
        facts.into_iter().map(move |(name, value)| vec![whose.clone(), name.to_owned(), value])
    };
    app.instances.iter().flat_map(of).collect()
}

/// What the app reports of itself: with several instances, of all together and of each.
fn metrics(app: &AppView) -> Vec<Vec<String>> {
    let several = app.instances.len() > 1;
    let row = |(name, it): (&String, &MetricView)| {
        let mut row = vec![name.clone(), it.to_string()];
        let of = |instance: &InstanceView| {
            let value = instance.metrics.get(name).map_or_else(|| "-".to_owned(), MetricView::to_string);
            format!("instance {}: {value}", instance.instance)
        };
        row.extend(app.instances.iter().filter(|_| several).map(of));
        row
    };
    app.metrics.iter().map(row).collect()
}

/// What is known of the health of the app as a whole and of each worker, and what workers say of themselves.
fn health(app: &AppView) -> Vec<Vec<String>> {
    let whole = app.health.iter().map(|health| vec!["app".to_owned(), health_words(health)]);
    let of_instances = app.instances.iter().flat_map(|it| {
        let whose = format!("instance {}", it.instance);
        let health = it.health.iter().map(health_words);
        let says = it.says.iter().map(|says| format!("says: {says}"));
        health.chain(says).map(move |words| vec![whose.clone(), words])
    });
    whole.chain(of_instances).collect()
}

/// `unhealthy: 3 checks in a row have failed, the last with: status 503`.
fn health_words(it: &HealthView) -> String {
    let mut words = it.health.as_str().to_owned();
    match &it.last_failure {
        Some(why) if it.failures > 0 => {
            words += &format!(": {} checks in a row have failed, the last with: {why}", it.failures);
        }
        Some(why) => words += &format!(" (the last check that failed, with: {why})"),
        None => {}
    }
    match it.stalled.as_deref() {
        Some("check") | None => words,
        Some("memory") => format!("{words}, above its memory limit"),
        Some(cause) => format!("{words}, stalled: {}", cause.replace('_', " ")),
    }
}

fn listener(it: &ListenerView) -> Vec<String> {
    let whose = it.instance.map_or("all instances".to_owned(), |number| format!("instance {number}"));
    let waiting = it.waiting.map_or(String::new(), |count| format!("{count} waiting"));
    vec![it.address.clone(), whose, waiting]
}

/// Who is connected.
fn clients(app: &AppView) -> Vec<Vec<String>> {
    let of = |it: &InstanceView| Some(vec![format!("instance {}", it.instance), it.clients()?]);
    app.instances.iter().filter_map(of).collect()
}

fn git(it: &GitView) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("branch", it.branch.clone()),
        ("revision", Some(it.revision.clone())),
        ("remote", it.remote.clone()),
    ]
}

/// Names and values, one pair a line; what is not known is left out.
pub(super) fn pairs(pairs: &[(&str, Option<String>)]) -> String {
    let known = pairs.iter().filter_map(|(name, value)| Some(vec![(*name).to_owned(), value.clone()?]));
    rows(&known.collect::<Vec<_>>())
}

/// Lines of words, which stand below each other.
fn rows(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|word| harmless(word)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|it| it.width()).max();
    let widths: Vec<usize> = (0..columns).map(|index| width(index).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let padded = row
            .iter()
            .zip(&widths)
            .map(|(word, width)| format!("  {word}{}", " ".repeat(width - word.width())));
        padded.collect::<String>().trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::api::node;
    use crate::api::types::{Health, Status};

    #[test]
    fn an_app_that_follows_the_load_says_how_far_and_what_came_of_it() {
        let mut app = samples::apps().remove(0);
        let because = "instances are 93% busy".to_owned();
        let last = Some(ScaledView { at_ms: samples::NOW - 12_000, from: 2, to: 4, because });
        app.scaling = Some(ScalingView { min: 2, max: 8, last });
        let text = render(&app, &samples::runtime(), Colours::Off);
        let line = "2 to 8 instances, as the load asks; from 2 to 4 12s ago: instances are 93% busy";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn everything_is_shown_in_sections() {
        insta::assert_snapshot!(render(&samples::apps()[0], &samples::runtime(), Colours::Off), @r"
        App
          name         web
          status       online
          app id       0
          namespace    default
          version      1.4.2
          command      node server.js '--title=my app'
          script       /app/server.js
          directory    /app
          interpreter  /usr/bin/node
          its version  v20.20.2
          mode         cluster
          user         node
          watching     disabled
          generation   3 (a reload is bringing in 4)
          created at   2026-08-08T11:00:00Z
          output log   /home/node/.pmr/logs/web-out.log
          error log    none: lines go to the runtime's own output

        Instances
        ┌────┬──────┬────────┬────────┬───┬──────────┬────────────┬──────┬─────────┬───────────┬─────────────────────┐
        │ id │  pid │ status │ uptime │ ↺ │ unstable │ generation │  cpu │     mem │ processes │ last exit           │
        ├────┼──────┼────────┼────────┼───┼──────────┼────────────┼──────┼─────────┼───────────┼─────────────────────┤
        │  0 │ 4000 │ online │     2h │ 0 │        0 │          3 │ 9.5% │ 104.0mb │         1 │ -                   │
        │  1 │ 4001 │ online │     5s │ 3 │        0 │          3 │ 100% │  52.0mb │         2 │ exit code 3, 6s ago │
        └────┴──────┴────────┴────────┴───┴──────────┴────────────┴──────┴─────────┴───────────┴─────────────────────┘

        Listeners
          tcp 0.0.0.0:3000    all instances  2 waiting
          unix /run/app.sock  instance 1

        Settings
          instances     2    (WEB_CONCURRENCY)
          kill-timeout  25s  (default)

        Git
          branch    main
          revision  5fe83f6c0ffee
          remote    https://example.com/web.git

        Metrics
          event loop lag  1.25 ms  instance 0: 0.5 ms  instance 1: 2 ms

        Actions
          heapdump
        ");
    }

    #[test]
    fn an_instance_that_gets_no_connections_is_marked() {
        let mut app = samples::app(5, "web");
        app.instances = vec![InstanceView { steered_away: true, ..samples::instance(0, 0) }];
        let text = render(&app, &samples::runtime(), Colours::Off);
        assert!(text.contains("│ online, steered away │"), "{text}");
    }

    #[test]
    fn who_is_connected_is_shown() {
        let mut app = samples::app(5, "web");
        let busy =
            InstanceView { connections: Some(12), requests_in_flight: Some(3), ..samples::instance(0, 0) };
        app.instances = vec![busy, samples::instance(1, 1)];
        let text = render(&app, &samples::runtime(), Colours::Off);
        assert!(text.contains("\nClients\n  instance 0  12 connections, 3 requests in flight\n\n"), "{text}");
    }

    #[test]
    fn what_node_reports_is_shown() {
        let mut app = samples::app(5, "web");
        app.instances = vec![InstanceView { node: Some(node::sample()), ..samples::instance(0, 0) }];
        let text = render(&app, &samples::runtime(), Colours::Off);
        assert!(text.contains("\nNode\n  instance 0  event loop  3% busy, delay"), "{text}");
        assert!(text.contains("\n  instance 0  heap        12.0mb of 20.0mb, 3.0mb outside\n"), "{text}");
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let text = render(&samples::app(5, "bare"), &samples::runtime(), Colours::Off);
        for title in ["Instances", "Listeners", "Settings", "Git", "Metrics", "Actions"] {
            assert!(!text.contains(title), "{text}");
        }
    }

    #[test]
    fn a_back_off_says_when_it_is_over() {
        let mut app = samples::app(5, "web");
        let waiting = InstanceView { next_start_in_ms: Some(1_500), ..samples::instance(4, 0) };
        app.instances = vec![waiting];
        let text = render(&app, &samples::runtime(), Colours::Off);
        assert!(text.contains("online (next start in 1.5s)"), "{text}");
    }

    #[test]
    fn health_is_shown_in_words() {
        let mut app = samples::app(5, "web");
        let view = |health, failures, last_failure: Option<&str>, stalled: Option<&str>| HealthView {
            health,
            failures,
            last_failure: last_failure.map(str::to_owned),
            stalled: stalled.map(str::to_owned),
        };
        app.health = Some(view(Health::Unhealthy, 3, Some("status 503"), None));
        let first = Some(view(Health::Healthy, 0, Some("no answer in time"), None));
        let second = Some(view(Health::Unhealthy, 0, None, Some("event_loop")));
        app.instances = vec![
            InstanceView {
                health: first,
                says: Some("5 of 7\u{1b}[2J".to_owned()),
                ..samples::instance(4, 0)
            },
            InstanceView { health: second, status: Status::Unhealthy, ..samples::instance(5, 1) },
        ];
        let text = render(&app, &samples::runtime(), Colours::Off);
        let (_, section) = text.split_once("Health\n").unwrap();
        insta::assert_snapshot!(section, @r"
          app         unhealthy: 3 checks in a row have failed, the last with: status 503
          instance 0  healthy (the last check that failed, with: no answer in time)
          instance 0  says: 5 of 7�[2J
          instance 1  unhealthy, stalled: event loop
        ");
    }

    #[test]
    fn a_command_is_quoted_as_a_shell_needs_it() {
        let words = ["node", "a b", "", "it's", "--x=1"].map(str::to_owned);
        assert_eq!(command(&words), r"node 'a b' '' 'it'\''s' --x=1");
    }
}
