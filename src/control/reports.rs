//! Has Node workers asked how they do, and waits for what they answer.
//!
//! A worker measures from the first question on, so a first one is followed by another.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::answer::Result;
use super::figures::{BETWEEN_SAMPLES, Figures};
use crate::api::node::NodeView;
use crate::api::types::AppView;
use crate::driver::handle::{Handle, Question, Report, Target};

/// A worker whose event loop does not turn for so long is shown without a report.
const PATIENCE: Duration = Duration::from_millis(250);

/// Whether who asks for apps wants what Node workers report, for which he waits a little longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reports {
    Wanted,
    Unwanted,
}

/// Fills in what processes use and what Node workers report.
pub(super) async fn fill(
    (handle, figures): (&Handle, &Figures),
    targets: &[Target],
    apps: &mut [AppView],
) -> Result<()> {
    let mut reports = ask(handle, targets).await?;
    // Made here, so that its time has begun, but not before the last of them has begun to measure.
    let pause = sleep(BETWEEN_SAMPLES);
    figures.fill_apps(apps).await;
    if reports.values().any(|view| view.window_ms.is_none()) {
        pause.await;
        reports.extend(ask(handle, targets).await?);
    }
    for view in apps.iter_mut().flat_map(|app| &mut app.instances) {
        view.node = view.pid.and_then(|pid| reports.remove(&pid));
    }
    Ok(())
}

/// By the workers' pids. All have the same time.
async fn ask(handle: &Handle, targets: &[Target]) -> Result<BTreeMap<i32, NodeView>> {
    let asked = handle.ask(|reply| Question::Reports { targets: targets.to_vec(), reply }).await?;
    let waits: Vec<_> =
        asked.into_iter().map(|Report { pid, answer }| (pid, timeout(PATIENCE, answer))).collect();
    let mut reports = BTreeMap::new();
    for (pid, wait) in waits {
        // Without one, it has ended, or is busy.
        if let Ok(Ok(view)) = wait.await {
            reports.insert(pid, view);
        }
    }
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;
    use tokio::time::pause;

    use super::*;
    use crate::api::node;
    use crate::driver::handle::handle;
    use crate::spec::AppId;

    const SLOW: Duration = Duration::from_millis(200);

    /// It has taken its time to load what measures, so it has not measured long.
    #[test]
    fn whose_first_answer_came_late_is_given_time_to_measure_as_well() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            pause();
            let (handle, mut end) = handle();
            let worker = tokio::task::spawn_local(async move {
                let mut asked = Vec::new();
                while let Some(Question::Reports { reply, .. }) = end.questions.recv().await {
                    asked.push(sleep(Duration::ZERO).deadline());
                    let (sender, answer) = tokio::sync::oneshot::channel();
                    drop(reply.send(vec![Report { pid: 1, answer }]));
                    sleep(SLOW).await;
                    let _heard = sender.send(NodeView { window_ms: None, ..node::sample() });
                }
                asked
            });
            let target = Target { app: AppId(0), instance: None };
            fill((&handle, &Figures::default()), &[target], &mut []).await.unwrap();
            drop(handle);
            let asked = worker.await.unwrap();
            assert!(asked[1] - asked[0] >= SLOW + BETWEEN_SAMPLES, "{asked:?}");
        });
    }
}
