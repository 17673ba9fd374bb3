//! Whether the time runs out that the platform gives an app to bind its port: Heroku ends a dyno that has not done so after 60 s.
//!
//! The kernel's tables of sockets are looked at once, while there is still time to read what is said. They show what the platform
//! sees, in whichever way the port is bound, and whoever does it. An update hands nothing over for it: the clock goes on.

use std::fmt;
use std::fs;
use std::time::Duration;

use super::app::App;
use super::gate::Gate;
use super::run::Driver;
use crate::supervisor::Uptime;

/// When the look is taken: ten seconds before the end.
const LOOK_AT: Uptime = Uptime(Duration::from_secs(50));

/// The state of a socket that listens, as the tables have it (TCP_LISTEN).
const LISTENING: &str = "0A";

/// The look that is to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Boot {
    port: u16,
}

/// What an app that should have bound the port is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    Order,
    Others,
    PreStart,
    Failed,
    Listen,
}

/// What is said.
struct Late {
    port: u16,
    apps: Vec<(String, Lack)>,
}

impl Boot {
    /// `port` is the one that the platform waits for.
    pub(super) fn new(port: Option<u16>, now: Uptime) -> Option<Self> {
        port.filter(|_| now < LOOK_AT).map(|port| Self { port })
    }

    /// When to look.
    pub(super) fn deadline(self) -> Uptime {
        LOOK_AT
    }
}

impl Driver {
    /// Looks, if it is time.
    pub(super) fn look_at_port(&mut self) {
        let now = self.shared.clock.now();
        let Some(Boot { port }) = self.boot.take_if(|boot| boot.deadline() <= now) else { return };
        if self.ending || self.halt.is_some() || is_bound(port) {
            return;
        }
        let its = self.apps.values().filter(|app| {
            let plan = app.plan();
            plan.port == Some(port) && !plan.app.is_init()
        });
        let apps: Vec<_> = its.map(|app| (app.name().to_owned(), app.lack())).collect();
        if !apps.is_empty() {
            self.shared.advise(Late { port, apps }.to_string());
        }
    }
}

impl App {
    fn lack(&self) -> Lack {
        match self.prelude.gate {
            Gate::Closed => Lack::Order,
            Gate::Waits => Lack::Others,
            Gate::Prepares(_) => Lack::PreStart,
            Gate::Failed => Lack::Failed,
            Gate::Open => Lack::Listen,
        }
    }
}

/// Whether anybody listens on the port. Where that cannot be seen, there is nothing to complain of.
fn is_bound(port: u16) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    tables.iter().all(Result::is_err) || tables.iter().flatten().any(|table| has_listener(table, port))
}

/// Whether a line of the table is a socket that listens on the port.
fn has_listener(table: &str, port: u16) -> bool {
    let local = format!(":{port:04X}");
    table.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        fields.next().is_some_and(|address| address.ends_with(&local)) && fields.nth(1) == Some(LISTENING)
    })
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, apps } = self;
        let (passed, left) = (LOOK_AT.0.as_secs(), 60 - LOOK_AT.0.as_secs());
        write!(
            f,
            "nobody listens on PORT, which is {port}, {passed} s after the start: in {left} s Heroku ends the dyno (R10, boot \
             timeout)"
        )?;
        for (app, lack) in apps {
            write!(f, "; `{app}` {lack}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "has not been told to start",
            Self::Others => "waits for other apps",
            Self::PreStart => {
                "waits for its command before the first start (`--pre-start`, or `prestart` in package.json)"
            }
            Self::Failed => "could not be started",
            Self::Listen => "has started, and does not listen there",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 2 1 0 20 4 30 10 -1
   2: 0100007F:C001 0100007F:0050 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0 20 4 30 10 -1
";

    #[test]
    fn only_a_socket_that_listens_has_bound_the_port() {
        assert!(has_listener(TABLE, 5000));
        for port in [8080, 49153, 80, 0, 388] {
            assert!(!has_listener(TABLE, port), "{port}");
        }
        let wide = "0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A";
        assert!(has_listener(wide, 80));
    }

    #[test]
    fn an_update_after_the_look_is_no_reason_for_another() {
        assert!(Boot::new(Some(5000), Uptime(Duration::from_secs(49))).is_some());
        assert!(Boot::new(Some(5000), LOOK_AT).is_none());
        assert!(Boot::new(None, Uptime(Duration::ZERO)).is_none());
    }

    #[test]
    fn it_is_said_what_each_app_is_at() {
        let apps = vec![("web".to_owned(), Lack::PreStart), ("api".to_owned(), Lack::Listen)];
        insta::assert_snapshot!(Late { port: 5000, apps }, @"nobody listens on PORT, which is 5000, 50 s after the start: in 10 s Heroku ends the dyno (R10, boot timeout); `web` waits for its command before the first start (`--pre-start`, or `prestart` in package.json); `api` has started, and does not listen there");
    }
}
