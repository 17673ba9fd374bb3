//! How an app shall be run: all that was decided before its first worker starts, or before a reload.

use std::cell::LazyCell;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::shortage::SharedMemory;
use super::web::WebWish;
use crate::api::types::{Mode, Problem, SettingView, StartRequest};
use crate::config::package::Resolution;
use crate::handover::agent::Agent;
use crate::handover::choose::Way;
use crate::spec::{AppSpec, Company, Numbered};

/// How an app shall be run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The app, its instances as they shall really run.
    pub app: AppSpec,
    #[serde(default)]
    pub numbered: Numbered,
    pub way: Way,
    /// The port that the platform expects the app to listen on.
    pub port: Option<u16>,
    pub in_container: bool,
    /// Whether the command is `node` with a script.
    pub node_script: bool,
    /// What lets node workers drain, if they may be such.
    pub agent: Option<Agent>,
    /// Whether what workers start themselves must be told to a guard, lest it outlive us.
    pub needs_guard: bool,
    /// Whether workers write to our own standard output and error.
    pub inherit_output: bool,
    /// What came of a command that names a script of package.json.
    #[serde(default)]
    pub resolution: Option<Resolution>,
    /// The file that the command runs, if it names one.
    pub script: Option<String>,
    /// Each setting and where it came from, for people.
    pub settings: Vec<SettingView>,
    /// What people should know before the first worker starts.
    pub warnings: Vec<String>,
    /// Whether nobody has asked for that number of instances.
    #[serde(default)]
    pub is_estimated: bool,
    /// How many instances, and why: the start line's text.
    pub sizing: String,
    /// The web server that is asked for with the app. It is opened once, when the app is added.
    #[serde(skip)]
    pub web: Option<WebWish>,
    /// Whether figures are kept over time from when the app is added.
    #[serde(skip)]
    pub keeps_history: bool,
}

impl Plan {
    /// Tells everything that a person should know before the first worker starts, and the start line.
    pub fn tell(&self) {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
        if self.app.is_init() {
            return;
        }
        let runs = match &self.resolution {
            Some(kept @ Resolution::Kept { .. }) => {
                tracing::info!("{kept}");
                None
            }
            Some(direct @ Resolution::Direct(_)) => Some(tracing::field::display(direct)),
            None => None,
        };
        tracing::info!(app = self.app.name, share = %self.way, runs, "starting {}", self.sizing);
    }
}

/// Makes a plan of what was asked for, or says all that is wrong with it. The words are read, the files looked for and the
/// machine measured anew each time.
pub type Planner = Box<dyn Fn(&StartRequest, Company) -> Result<Plan, Problem>>;

/// What surrounds all apps of the runtime.
pub struct Surroundings {
    pub mode: Mode,
    /// The directory of state and log files.
    pub home: Option<PathBuf>,
    /// The port that the platform ends us for, if nobody has bound it in time.
    pub boot_port: Option<u16>,
    /// Where the cgroup counts OOM kills.
    pub oom_file: Option<PathBuf>,
    /// Whether a line carries the app's name even with a single instance.
    pub always_prefix: bool,
    /// Our own command line.
    pub command: Vec<String>,
    pub directory: String,
    /// Where the file lay that we were started from, at that time: what `pmr update` takes.
    pub executable: Option<PathBuf>,
    /// Whose process it is: looked up when somebody asks.
    pub user: LazyCell<String>,
    /// CPUs that may be used.
    pub cpus: u32,
    /// How many CPUs' time may be used: fewer than these, where a quota is no whole number.
    pub cpu_time: f64,
    pub memory_limit: Option<u64>,
    /// What all workers share of it, where it has a limit.
    pub memory: Option<SharedMemory>,
    pub planner: Planner,
    /// The least of our own lines that are told: `info`.
    pub log_level: String,
    /// Whether the runtime ends once all apps are over, where it runs in the foreground.
    pub auto_exit: bool,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("mode", &self.mode)
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}
