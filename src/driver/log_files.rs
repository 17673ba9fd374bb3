//! Log files beside our own output, and files with process ids, where the options of an app want some.
//!
//! Each file has outputs of its own, whose pumps read what the worker's pumps write to them once more. It is opened when a worker
//! is started that writes to it, and closed when none is left.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jiff::tz::TimeZone;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::app::App;
use super::plan::Plan;
use super::shared::{Shared, plain, rotated};
use crate::logs::{AppLook, DateFormat, Format, Outputs, Source, Stream, WorkerLogs, WorkerPipe};
use crate::process::Pid;
use crate::spec::{InstanceId, LineForm, LogPlace, LogPolicy, LogReach, Merging, numbered};

/// Those that are open, by their paths.
#[derive(Debug, Default)]
pub(super) struct LogFiles(pub(super) BTreeMap<PathBuf, Rc<Outputs>>);

impl LogFiles {
    pub(super) fn all(&self) -> impl Iterator<Item = &Rc<Outputs>> {
        self.0.values()
    }

    /// Takes all out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Rc<Outputs>> + use<> {
        std::mem::take(&mut self.0).into_values()
    }

    /// Closes those that nobody writes to. What is queued is still written.
    fn close_idle(&mut self, wanted: &[PathBuf]) {
        self.0.retain(|path, outputs| wanted.contains(path) || !outputs.is_idle());
    }
}

impl Plan {
    /// The files for a stream of the instance with this number in the runtime.
    pub(super) fn log_files(&self, stream: Stream, id: &str) -> Vec<PathBuf> {
        let logs = &self.app.logs;
        if logs.reach == LogReach::Askers {
            return Vec::new();
        }
        let place = match stream {
            Stream::Stdout => &logs.output,
            Stream::Stderr => &logs.error,
        };
        let own = match place {
            LogPlace::File(path) => Some(path),
            LogPlace::Usual | LogPlace::Nowhere => None,
        };
        let apart = logs.merging == Merging::Apart;
        own.into_iter().chain(&logs.both).map(|path| self.file(path, id, apart)).collect()
    }

    /// All that options name, as one instance alone would have them.
    pub(super) fn named_files(&self) -> Vec<PathBuf> {
        let LogPolicy { output, error, both, pid, .. } = &self.app.logs;
        let places = [output, error].into_iter().filter_map(|place| match place {
            LogPlace::File(path) => Some(path),
            LogPlace::Usual | LogPlace::Nowhere => None,
        });
        places.chain(both).chain(pid).map(|path| self.file(path, "", false)).collect()
    }

    fn pid_file(&self, id: &str) -> Option<PathBuf> {
        self.app.logs.pid.as_ref().map(|path| self.file(path, id, true))
    }

    /// The path as the app sees it, for one of its instances.
    fn file(&self, path: &Path, id: &str, apart: bool) -> PathBuf {
        let path = self.app.command.directory.as_deref().unwrap_or(Path::new("")).join(path);
        let path = std::path::absolute(&path).unwrap_or(path);
        if apart && self.app.may_have_several() { numbered(&path, id) } else { path }
    }
}

/// What an app's lines have of their own.
pub(super) fn look(logs: &LogPolicy) -> AppLook {
    AppLook {
        format: (logs.form == LineForm::Json).then_some(Format::Json),
        date: logs.date.as_ref().map(|form| DateFormat::new(form, TimeZone::system())),
    }
}

impl App {
    /// What the app's lines look like from now on.
    pub(super) fn arrange_look(&self, plan: &Plan) {
        for outputs in std::iter::once(&self.outputs).chain(self.log_files.all()) {
            outputs.set_look(self.id, look(&plan.app.logs));
        }
    }

    /// Takes over a new worker's pipes.
    pub(super) fn attach(
        &mut self,
        plan: &Plan,
        (instance, pid): (InstanceId, Pid),
        (out, err): (OwnedFd, OwnedFd),
    ) -> Option<Rc<WorkerLogs>> {
        let whose = Rc::clone(&self.whose);
        self.attach_as(&whose.name, plan, (instance, pid), (out, err))
    }

    /// The same, under another name.
    pub(super) fn attach_as(
        &mut self,
        name: &str,
        plan: &Plan,
        (instance, pid): (InstanceId, Pid),
        (out, err): (OwnedFd, OwnedFd),
    ) -> Option<Rc<WorkerLogs>> {
        let source = Source { app: self.id, name, instance, pid };
        let id = self.id_of(instance).unwrap_or(instance.0).to_string();
        let mut pipe = |own, stream| WorkerPipe { own, copies: self.copies(plan, source, stream, &id) };
        let (out, err) = (pipe(out, Stream::Stdout), pipe(err, Stream::Stderr));
        self.outputs
            .attach(source, out, err)
            .map(Rc::new)
            .inspect_err(|error| tracing::error!(%error, "cannot read a worker's output"))
            .ok()
    }

    /// The ends of pipes that lead to the files of a stream.
    fn copies(&mut self, plan: &Plan, source: Source<'_>, stream: Stream, id: &str) -> Vec<OwnedFd> {
        let wanted = plan.log_files(stream, id);
        self.log_files.close_idle(&wanted);
        let mut copies = Vec::new();
        for path in wanted {
            match self.copy(plan, source, stream, &path) {
                Ok(copy) => copies.push(copy),
                Err(error) => {
                    let path = path.display();
                    self.shared.advise(format!(
                        "the log file `{path}` cannot be opened, and gets no lines: {error}"
                    ));
                }
            }
        }
        copies
    }

    fn copy(&mut self, plan: &Plan, source: Source<'_>, stream: Stream, path: &Path) -> io::Result<OwnedFd> {
        let outputs = match self.log_files.0.get(path) {
            Some(outputs) => Rc::clone(outputs),
            None => {
                let file = rotated(path.to_owned());
                let (outputs, _never_closed) = Outputs::to_files(plain(), Some(file.clone()), Some(file))?;
                outputs.set_look(self.id, look(&plan.app.logs));
                let outputs = Rc::new(outputs);
                self.log_files.0.insert(path.to_owned(), Rc::clone(&outputs));
                outputs
            }
        };
        let (read_end, write_end) = pipe2(OFlag::O_CLOEXEC)?;
        outputs.attach_copy(source, stream, read_end)?;
        Ok(write_end)
    }

    /// Notes the process id of a worker where that is wanted. Says where.
    pub(super) fn note_pid(&self, plan: &Plan, instance: InstanceId, pid: Pid) -> Option<PathBuf> {
        let id = self.id_of(instance).unwrap_or(instance.0).to_string();
        let path = plan.pid_file(&id)?;
        let write = || {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            fs::write(&path, pid.to_string())
        };
        if let Err(error) = write() {
            self.shared.advise(format!("the file `{}` cannot be written: {error}", path.display()));
        }
        Some(path)
    }
}

/// Removes the file, unless a worker that came later has noted itself there.
pub(super) fn forget_pid(path: &Path, pid: Pid) {
    if fs::read_to_string(path).is_ok_and(|noted| noted == pid.to_string()) {
        // Somebody else may have removed it.
        let _gone = fs::remove_file(path);
    }
}

impl Shared {
    /// Where the workers of an app write: in the background to files of its own, else to our outputs.
    pub(super) fn outputs_of(&self, plan: &Plan) -> io::Result<Rc<Outputs>> {
        let Some((out, err)) = self.surroundings.usual_files(plan) else {
            return Ok(Rc::clone(&self.outputs));
        };
        let (outputs, _never_closed) = Outputs::to_files(plain(), out.map(rotated), err.map(rotated))?;
        Ok(Rc::new(outputs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_process_is_forgotten_by_itself_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.pid");
        fs::write(&path, "42").unwrap();
        forget_pid(&path, Pid::new(41));
        assert!(path.exists(), "a later worker's");
        forget_pid(&path, Pid::new(42));
        assert!(!path.exists());
        forget_pid(&path, Pid::new(42));
    }
}
