//! All that is handed over to the next program of this process, as JSON, and whether this program understands it.
//!
//! A change of what any part of it means, or a part that goes, needs a new [`FORMAT`]. A part that comes needs none if it has
//! a default: the program that knows it takes over from one that does not, and the other way round is refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::types::{ScaledView, StartRequest};
use crate::crashes::store::Crashes;
use crate::driver::gate::Gate;
use crate::driver::plan::Plan;
use crate::driver::said::OfItself;
use crate::driver::workers::{Parking, Remains, Stop};
use crate::handover::cluster::{LinkState, ServerId, SharedData};
use crate::handover::intercept::InterceptionState;
use crate::handover::messages::Reported;
use crate::handover::notify::NotifyState;
use crate::listener::ListenersState;
use crate::logs::{OutputsState, Settings};
use crate::memory::Guard;
use crate::otlp::starts::Starts;
use crate::process::Pid;
use crate::spec::bytes;
use crate::spec::{AppId, Generation, InstanceId, WorkerId};
use crate::supervisor::Supervisor;
use crate::telemetry::TelemetryState;

/// The one that this program writes and reads.
const FORMAT: u32 = 1;

/// What is outermost: it stays as it is, so that every version can read it.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    format: u32,
    /// Of the program that wrote it.
    version: String,
    state: Box<RawValue>,
}

/// The runtime.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RuntimeState {
    /// When it was started, by the kernel's clock since its boot.
    pub(super) started: Duration,
    pub(super) updates: u32,
    /// The number of the last event.
    pub(super) seq: u64,
    pub(super) next_app: AppId,
    pub(super) next_id: u32,
    pub(super) statuses: Vec<(AppId, u8)>,
    pub(super) advised: Vec<String>,
    pub(super) oom_kills_seen: u64,
    pub(super) log_level: String,
    /// Absent in states of programs that always ended then.
    #[serde(default = "yes")]
    pub(super) auto_exit: bool,
    pub(super) outputs: OutputsOf,
    pub(super) guard: Option<i32>,
    pub(super) control: Option<ControlState>,
    /// Left out where there is none, so that a program that knows nothing of it can take over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) web: Option<WebState>,
    /// Figures over time. Left out where there is nothing that needs any, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<TelemetryState>,
    /// What is known of the memory that all workers share, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<Guard>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Crashes::is_empty")]
    pub(super) crashes: Crashes,
    /// The numbers of those whose reports are still to be delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) crashes_to_report: Vec<u64>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pushes: Option<Starts>,
    /// Where the file lies that is executed next, for the update after this one. Absent in states of programs that looked for it
    /// only then.
    #[serde(default, with = "bytes::option", skip_serializing_if = "Option::is_none")]
    pub(super) executable: Option<PathBuf>,
    pub(super) apps: Vec<AppState>,
}

/// The control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ControlState {
    pub(super) descriptor: i32,
    pub(super) place: String,
}

/// The web server's socket, and its rules.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WebState {
    pub(super) descriptor: i32,
    pub(super) address: SocketAddr,
    pub(super) token: Option<String>,
    pub(super) read_only: bool,
}

/// Outputs, and how lines look on them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OutputsOf {
    pub(super) look: Settings,
    pub(super) state: OutputsState,
}

/// One app.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AppState {
    pub(super) id: AppId,
    pub(super) definition: StartRequest,
    pub(super) created_at_ms: u64,
    pub(super) plans: Vec<(Generation, Plan)>,
    pub(super) supervisor: Supervisor,
    pub(super) workers: Vec<WorkerState>,
    pub(super) remains: Vec<(WorkerId, Remains)>,
    pub(super) interceptions: Vec<(WorkerId, InterceptionState)>,
    pub(super) listeners: ListenersState,
    pub(super) tickets: SharedData,
    pub(super) ids: Vec<u32>,
    pub(super) last_ticket: u64,
    pub(super) exits: BTreeMap<InstanceId, u64>,
    pub(super) status: Option<u8>,
    /// What stands between it and its first start.
    #[serde(default)]
    pub(super) gate: Gate,
    /// Why it is not started, if so.
    #[serde(default)]
    pub(super) why_not: Option<String>,
    /// Whether it is still to be said what to do about a port that is taken.
    pub(super) explains_collision: bool,
    /// Where it has outputs of its own.
    pub(super) outputs: Option<OutputsOf>,
    /// The files that its options name.
    #[serde(default)]
    pub(super) log_files: Vec<LogFileState>,
    /// Left out where there is none, so that a program that knows nothing of it can take over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_scaled: Option<ScaledView>,
}

/// A log file beside other outputs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LogFileState {
    #[serde(with = "bytes::one")]
    pub(super) path: PathBuf,
    pub(super) outputs: OutputsOf,
}

/// A worker whose first process lives.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WorkerState {
    pub(super) id: WorkerId,
    pub(super) pid: Pid,
    pub(super) instance: InstanceId,
    pub(super) stop: Stop,
    pub(super) has_terminal: bool,
    pub(super) handed: Vec<u64>,
    #[serde(default)]
    pub(super) servers: Vec<(ServerId, u64)>,
    #[serde(default)]
    pub(super) parking: Parking,
    pub(super) link: Option<LinkState>,
    pub(super) notify: Option<NotifyState>,
    #[serde(default)]
    pub(super) said: OfItself,
    #[serde(default, with = "bytes::option")]
    pub(super) pid_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) reported: Reported,
}

/// Why this program cannot take over.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("version {version} writes its state in format {found}, and this is version {own}, which reads format {FORMAT}",
        own = env!("CARGO_PKG_VERSION"))]
    Format { found: u32, version: String },
    #[error("the state cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("version {version} knows of `{path}`, and this is version {own}, which does not",
        own = env!("CARGO_PKG_VERSION"))]
    Unknown { path: String, version: String },
}

impl Envelope {
    fn read(bytes: &[u8]) -> Result<Self, CheckError> {
        let envelope: Self = serde_json::from_slice(bytes)?;
        if envelope.format != FORMAT {
            return Err(CheckError::Format { found: envelope.format, version: envelope.version });
        }
        Ok(envelope)
    }
}

impl RuntimeState {
    /// As it is handed over.
    pub(super) fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        let state = serde_json::value::to_raw_value(self)?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        serde_json::to_vec(&Envelope { format: FORMAT, version, state })
    }

    /// From what was handed over, with the version of the program that did so.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, String), CheckError> {
        let Envelope { version, state, .. } = Envelope::read(bytes)?;
        Ok((serde_json::from_str(state.get())?, version))
    }
}

/// Whether this program can take over the state in `bytes`: it must understand every part of it.
///
/// # Errors
/// Why it cannot.
pub fn check(bytes: &[u8]) -> Result<(), CheckError> {
    let Envelope { version, state: given, .. } = Envelope::read(bytes)?;
    let state: RuntimeState = serde_json::from_str(given.get())?;
    let given: Value = serde_json::from_str(given.get())?;
    match lost(&given, &serde_json::to_value(&state)?) {
        Some(path) => Err(CheckError::Unknown { path, version }),
        None => Ok(()),
    }
}

/// The state in `bytes` as this program would hand it on.
///
/// # Errors
/// When it cannot be understood.
pub fn handed_on(bytes: &[u8]) -> Result<Vec<u8>, CheckError> {
    let (state, _version) = RuntimeState::read(bytes)?;
    Ok(state.write()?)
}

/// The path of something in `given` that is not, or not the same, in `kept`.
fn lost(given: &Value, kept: &Value) -> Option<String> {
    let below = |name: String, inner: String| {
        if inner.is_empty() || inner.starts_with('[') { name + &inner } else { name + "." + &inner }
    };
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            given.iter().find_map(|(name, value)| match kept.get(name) {
                Some(kept) => lost(value, kept).map(|inner| below(name.clone(), inner)),
                None => Some(name.clone()),
            })
        }
        (Value::Array(given), Value::Array(kept)) if given.len() == kept.len() => {
            let mut pairs = given.iter().zip(kept).enumerate();
            pairs.find_map(|(at, (given, kept))| {
                lost(given, kept).map(|inner| below(format!("[{at}]"), inner))
            })
        }
        _ if given == kept => None,
        _ => Some(String::new()),
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_program_does_not_know_is_found_and_named() {
        let known = json!({"a": [{"b": 1}, {"b": 2}], "c": "x", "new": 0});
        assert_eq!(lost(&json!({"a": [{"b": 1}, {"b": 2}], "c": "x"}), &known), None);
        assert_eq!(lost(&json!({"a": [{"b": 1}, {"d": 2}]}), &known).unwrap(), "a[1].d");
        assert_eq!(lost(&json!({"a": [{"b": 1}]}), &known).unwrap(), "a");
        assert_eq!(lost(&json!({"c": "y"}), &known).unwrap(), "c");
        assert_eq!(lost(&json!({"e": null}), &known).unwrap(), "e");
    }

    #[test]
    fn another_format_is_refused_whatever_is_in_it() {
        let told = check(br#"{"format":99,"version":"9.0.0","state":{"all":"new"},"more":1}"#).unwrap_err();
        let own = env!("CARGO_PKG_VERSION");
        assert_eq!(
            told.to_string(),
            format!(
                "version 9.0.0 writes its state in format 99, and this is version {own}, which reads format 1"
            )
        );
        for nonsense in [&b""[..], b"{}", b"\xff", br#"{"format":1,"version":"1","state":{}}"#] {
            assert!(matches!(check(nonsense), Err(CheckError::Unreadable(_))), "{nonsense:?}");
        }
    }
}
