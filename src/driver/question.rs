//! Answers to what others ask while the runtime runs.

use tokio::sync::{mpsc, oneshot};

use super::halt::How;
use super::handle::{Change, Live, LogQuery, Question, Target};
use super::order::{Batch, distinct};
use super::plan::Plan;
use super::run::Driver;
use super::watch_logs;
use crate::api::types::{LogView, Problem, StartRequest, Verdict};
use crate::handover::environment;
use crate::spec::{Company, Dependency};

impl Driver {
    /// Answers, now or when it is done. Who asked may have gone: nobody minds.
    pub(super) async fn on_question(&mut self, question: Question) {
        match question {
            Question::Runtime { reply } => drop(reply.send(self.view())),
            Question::Apps { reply } => {
                let now = self.shared.clock.now();
                drop(reply.send(self.apps.values().map(|app| app.view(now)).collect()));
            }
            Question::Change { targets, change, reply } => self.change(distinct(targets), &change, reply),
            Question::Add { request, reply } => self.answer_add(*request, reply),
            Question::Environment { app, instance, reply } => {
                let found = self.apps.get(&app).filter(|app| app.id_of(instance).is_some());
                drop(reply.send(found.map(|app| {
                    let generation = app.supervisor.generation();
                    let plan = app.plan();
                    environment::of_worker(
                        &plan.app.command.environment,
                        &app.place(instance, generation),
                        [],
                    )
                })));
            }
            Question::Call { targets, action, parameter, reply } => {
                drop(reply.send(self.call(&distinct(targets), &action, parameter.as_ref())));
            }
            Question::Reports { targets, reply } => {
                drop(reply.send(self.ask_for_reports(&distinct(targets))))
            }
            Question::Insight { target, wanted, reply } => {
                drop(reply.send(self.look_inside(target, wanted)));
            }
            Question::Urge { target, pid, reply } => {
                self.urge(target, pid);
                let _heard = reply.send(());
            }
            Question::Logs { query, reply } => drop(reply.send(self.logs(&query))),
            Question::Crashes { reply } => drop(reply.send(self.shared.crashes.views())),
            Question::Crash { id, reply } => drop(reply.send(self.shared.crashes.get(id))),
            Question::Definitions { reply } => {
                drop(reply.send(self.apps.values().map(|app| app.saved()).collect()));
            }
            Question::Kill { reply } => self.kill(reply),
            Question::Update { executable, reply } => self.begin_update(executable, reply).await,
        }
    }

    fn change(&mut self, targets: Vec<Target>, change: &Change, reply: oneshot::Sender<Vec<Verdict>>) {
        if targets.is_empty() {
            drop(reply.send(Vec::new()));
            return;
        }
        let slots = Batch::slots(targets.len(), reply);
        for (target, slot) in targets.into_iter().zip(slots) {
            match self.apps.get_mut(&target.app) {
                Some(app) => app.change(target.instance, change.clone(), slot),
                None => slot.fill(gone(change)),
            }
        }
    }

    fn answer_add(&mut self, request: StartRequest, reply: oneshot::Sender<Result<Verdict, Problem>>) {
        let plan = match self.try_plan(&request) {
            Ok(plan) => plan,
            Err(problem) => return drop(reply.send(Err(problem))),
        };
        plan.tell();
        if let Some(wish) = &plan.web {
            self.grant_web(wish, &request);
        }
        if plan.keeps_history {
            self.grant_history();
        }
        if let Err(error) = self.add(request, plan, Some(reply)) {
            tracing::error!(%error, "the app was not added: cannot open its log files");
        }
    }

    fn try_plan(&self, request: &StartRequest) -> Result<Plan, Problem> {
        if self.ending {
            return Err(problem("ending", "the runtime is ending", None));
        }
        let plan = (self.shared.surroundings.planner)(request, Company::Others)?;
        let name = &plan.app.name;
        if self.apps.values().any(|app| app.name() == name) {
            return Err(problem(
                "name_taken",
                &format!("there is an app named `{name}` already"),
                Some(format!("`pmr restart {name}` starts it anew, `--name` gives another name")),
            ));
        }
        let absent = |needed: &&Dependency| !self.apps.values().any(|app| app.name() == needed.app);
        if let Some(Dependency { app, .. }) = plan.app.start.after.iter().find(absent) {
            let hint = format!("start `{app}` first");
            let said = format!("`{name}` depends on `{app}`, which is not there");
            return Err(problem("unknown_dependency", &said, Some(hint)));
        }
        Ok(plan)
    }

    /// Everything is asked to end, and the runtime ends with it.
    fn kill(&mut self, reply: oneshot::Sender<Verdict>) {
        self.killers.push((reply, self.shared.clock.now()));
        self.begin_halt(How::Removal);
    }

    fn logs(&self, query: &LogQuery) -> (Vec<LogView>, Option<mpsc::Receiver<Live>>) {
        watch_logs::look(self, query)
    }
}

pub(super) fn problem(code: &str, message: &str, hint: Option<String>) -> Problem {
    Problem { code: code.to_owned(), message: message.to_owned(), hint, details: Vec::new() }
}

fn gone(change: &Change) -> Verdict {
    Verdict {
        app: None,
        operation: change.operation(),
        ok: false,
        message: "the app is gone".to_owned(),
        took_ms: 0,
        generation: None,
        instances: None,
        last_lines: Vec::new(),
    }
}
