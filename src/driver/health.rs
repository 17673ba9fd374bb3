//! Carries out what the supervisor wants to know of its workers' health: checks, signs of life of event loops, and reports on
//! workers that have stalled. What it means is the supervisor's business.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;

use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;

use super::app::App;
use super::clock;
use super::hear::Asked;
use super::spawn::identity;
use crate::handover::cluster::ClusterLink;
use crate::handover::environment;
use crate::health::connect::{Target, connect};
use crate::health::{http, report};
use crate::listener::Address;
use crate::process::{ExitReason, Pid, Signal};
use crate::spec::{Generation, InstanceId, Peer, Probe, WorkerId};
use crate::supervisor::{Beat, Event, Stall, Subject};
use crate::sys::signals::{signal_group, signal_process};
use crate::sys::spawn::{Order, Output, Stdin, spawn};

/// What a command says is for people, and its last line is enough.
const KEPT_OUTPUT: usize = 4096;

/// The checks of one app that are under way.
#[derive(Debug, Default)]
pub(super) struct Checks(BTreeMap<Subject, Check>);

/// A check that is under way. Dropping it ends it, without an answer.
#[derive(Debug)]
enum Check {
    Connection(JoinHandle<()>),
    Command(Command),
}

#[derive(Debug)]
struct Command {
    /// The leader of its own process group, until it was reaped.
    pid: Option<Pid>,
    said: Rc<RefCell<Vec<u8>>>,
    pipes: Vec<OwnedFd>,
    readers: Vec<JoinHandle<()>>,
}

impl Command {
    /// We may hear of its end before its last words were read.
    fn hear_out(&self) {
        let mut buffer = [0; KEPT_OUTPUT];
        for pipe in &self.pipes {
            while self.said.borrow().len() < KEPT_OUTPUT
                && let Ok(count @ 1..) = nix::unistd::read(pipe, &mut buffer)
            {
                keep(&self.said, &buffer[..count]);
            }
        }
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        match self {
            Self::Connection(task) => task.abort(),
            Self::Command(Command { pid, readers, .. }) => {
                readers.iter().for_each(JoinHandle::abort);
                if let Some(group) = *pid {
                    // It may be gone by itself.
                    let _gone = signal_group(group, Signal::KILL);
                }
            }
        }
    }
}

impl Checks {
    /// Another program takes over: it makes them anew, and is not to find these still running.
    pub(super) fn interrupt(&self) {
        for check in self.0.values() {
            if let Check::Command(Command { pid: Some(group), .. }) = check {
                // It may be gone by itself.
                let _gone = signal_group(*group, Signal::KILL);
            }
        }
    }

    fn by_pid(&self, pid: Pid) -> Option<Subject> {
        let is_it = |check: &Check| matches!(check, Check::Command(command) if command.pid == Some(pid));
        self.0.iter().find(|(_, check)| is_it(check)).map(|(&subject, _)| subject)
    }
}

impl App {
    /// Begins a check; the answer comes as an event, unless it is ended before.
    pub(super) fn begin_check(&mut self, subject: Subject, generation: Generation, probe: Probe) {
        let begun = match (probe, subject) {
            (Probe::Command(command), Subject::Worker(worker)) => {
                self.run_check(worker, generation, &command)
            }
            (Probe::Command(_), Subject::App) => Err("a command is for a worker".to_owned()),
            (Probe::Http { to, path }, _) => self
                .target(&to)
                .map(|target| self.connect_for(subject, async move { http::check(&target, &path).await })),
            (Probe::Tcp(to), _) => self.target(&to).map(|target| {
                self.connect_for(subject, async move {
                    let refused = |error| format!("cannot connect to {}: {error}", target.host());
                    connect(&target).await.map(drop).map_err(refused)
                })
            }),
        };
        match begun {
            Ok(check) => {
                self.checks.0.insert(subject, check);
            }
            Err(why) => self.react(Event::Checked { subject, result: Err(why) }),
        }
    }

    /// Ends a check of which the answer is not wanted any more.
    pub(super) fn end_check(&mut self, subject: Subject) {
        self.checks.0.remove(&subject);
    }

    /// The answer to a check over a connection.
    pub(super) fn on_checked(&mut self, subject: Subject, result: Result<(), String>) {
        if self.checks.0.remove(&subject).is_some() {
            self.feed(Event::Checked { subject, result });
        }
    }

    /// A child was reaped that is no worker. True if it was a check's.
    pub(super) fn on_check_ended(&mut self, pid: Pid, reason: ExitReason) -> bool {
        let Some(subject) = self.checks.by_pid(pid) else { return false };
        let Some(mut check) = self.checks.0.remove(&subject) else { return false };
        let mut result = Ok(());
        if let Check::Command(command) = &mut check {
            // From now on the number may be somebody else's.
            command.pid = None;
            command.hear_out();
            let said = last_line(&command.said.borrow());
            result = match (reason.status(), said) {
                (0, _) => Ok(()),
                (_, None) => Err(reason.to_string()),
                (_, Some(said)) => Err(format!("{reason}: {said}")),
            };
        }
        self.feed(Event::Checked { subject, result });
        true
    }

    /// Does what follows on an event that comes up while actions are carried out.
    fn react(&mut self, event: Event) {
        let actions = self.supervisor.handle(self.shared.clock.now(), event);
        self.todo.extend(actions);
    }

    fn connect_for(
        &self,
        subject: Subject,
        check: impl Future<Output = Result<(), String>> + 'static,
    ) -> Check {
        // Of the whole app where no worker has this number.
        let worker = match subject {
            Subject::App => WorkerId::default(),
            Subject::Worker(worker) => worker,
        };
        let (key, questions) = (self.key(worker), self.shared.questions.clone());
        Check::Connection(tokio::task::spawn_local(async move {
            let result = check.await;
            // With nobody to hear it, the loop has ended, and everything with it.
            let _loop_ended = questions.send((key, Asked::Checked { subject, result })).await;
        }))
    }

    /// Whom to connect to. The app's own port is PORT, else the first that it listens on.
    fn target(&self, to: &Peer) -> Result<Target, String> {
        let tcp = |status: crate::listener::Status| match status.address {
            Address::Tcp { addr, .. } => Some(addr),
            Address::Udp { .. } | Address::Unix { .. } | Address::Abstract { .. } => None,
        };
        let listening: Vec<_> = self.listeners.addresses().into_iter().filter_map(tcp).collect();
        let own = || self.plan().port.or_else(|| listening.first().map(std::net::SocketAddr::port));
        let port = to.port.or_else(own).ok_or("the app listens on no port yet")?;
        Ok(match &to.host {
            Some(host) => Target::Named(host.clone(), port),
            None => Target::own(port, listening),
        })
    }

    fn run_check(&mut self, id: WorkerId, generation: Generation, command: &str) -> Result<Check, String> {
        let worker = self.workers.get(id).ok_or("the worker is gone")?;
        let (number, pid) = (worker.number(), worker.pid);
        let plan = self.plan_of(generation);
        let variables = [(OsString::from("PMR_WORKER_PID"), OsString::from(pid.to_string()))];
        let place = self.place(number, generation);
        let environment = environment::of_worker(&plan.app.command.environment, &place, variables);
        let child = spawn(Order {
            program: OsStr::new("/bin/sh"),
            arguments: &["-c".into(), command.into()],
            environment: &environment,
            directory: plan.app.command.directory.as_deref(),
            identity: plan.app.command.identity.as_ref().map(identity),
            stdin: Stdin::Null,
            input: None,
            output: Output::Pipes,
            extra: None,
            own_pid: &[],
            filter: None,
            oom_score_adj: None,
        })
        .map_err(|error| error.describe())?;
        let said = Rc::default();
        let pipes: Vec<_> = child.stdout.into_iter().chain(child.stderr).collect();
        let copies = pipes.iter().filter_map(|pipe| pipe.try_clone().ok());
        let readers = copies.filter_map(|pipe| read_into(&said, pipe)).collect();
        Ok(Check::Command(Command { pid: Some(child.pid), said, pipes, readers }))
    }

    /// Asks a worker's event loop for a sign of life.
    pub(super) fn ping(&mut self, worker: WorkerId) {
        let link = self.workers.get(worker).and_then(|worker| worker.link.as_ref());
        if !link.is_some_and(ClusterLink::ping) {
            self.react(Event::Pulse { worker, beat: Beat::Unheard });
        }
    }

    /// Saves what is known of a worker that has stalled, and says where.
    pub(super) fn report(&self, id: WorkerId, cause: Stall) {
        let Some(worker) = self.workers.get(id) else { return };
        let (pid, instance) = (worker.pid, worker.instance);
        let command = &self.plan().app.command;
        let options = command.environment.get(OsStr::new("NODE_OPTIONS")).map(OsString::as_os_str);
        if let Some(signal) = report::node_signal(&command.arguments, options) {
            // A loop that stands still hears of it when it is too late; a worker that fails its check writes a report.
            let _heard = signal_process(pid, signal);
        }
        let subject = report::Subject {
            app: self.name().to_owned(),
            instance: instance.0,
            pid,
            why: cause.why().to_owned(),
            at_ms: clock::epoch_ms(),
            last_lines: worker.logs.as_ref().map(|logs| logs.tail()).unwrap_or_default(),
        };
        let directories = self.shared.report_directories();
        let asking = Rc::clone(&self.shared.asking);
        asking.update(|count| count + 1);
        drop(tokio::task::spawn_local(async move {
            save(subject, directories, instance).await;
            asking.update(|count| count - 1);
        }));
    }
}

/// A disk may be slow, so the file is written on another thread.
async fn save(subject: report::Subject, directories: Vec<PathBuf>, instance: InstanceId) {
    let (app, pid) = (subject.app.clone(), subject.pid.as_raw());
    let saved = tokio::task::spawn_blocking(move || report::save(&subject, &directories)).await;
    match saved.map_err(std::io::Error::from).flatten() {
        Ok(path) => {
            tracing::info!(
                app,
                instance = instance.0,
                pid,
                "what the stalled worker was doing is in {}",
                path.display()
            );
        }
        Err(error) => {
            tracing::warn!(app, instance = instance.0, pid, %error, "the report on the stalled worker cannot be saved");
        }
    }
}

/// Keeps the first of what comes through a pipe, and throws the rest away lest the writer wait.
fn read_into(said: &Rc<RefCell<Vec<u8>>>, pipe: OwnedFd) -> Option<JoinHandle<()>> {
    let (said, pipe) = (Rc::clone(said), Receiver::from_owned_fd(pipe).ok()?);
    Some(tokio::task::spawn_local(async move {
        let mut buffer = [0; 1024];
        while pipe.readable().await.is_ok() {
            match pipe.try_read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => keep(&said, &buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }))
}

fn keep(said: &RefCell<Vec<u8>>, bytes: &[u8]) {
    let mut said = said.borrow_mut();
    let room = KEPT_OUTPUT.saturating_sub(said.len());
    said.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// The last line that is not empty, without what a terminal would obey.
fn last_line(said: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.trim().replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_what_is_told_of_a_command() {
        assert_eq!(last_line(b"a\nb: no\x1b[31m\n\n"), Some("b: no [31m".to_owned()));
        assert_eq!(last_line(b"\n \n"), None);
    }
}
