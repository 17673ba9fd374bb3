//! The options that say where lines go and what they look like.

use super::reader::Reader;
use crate::config::env::Environment;
use crate::config::logs::{USUAL_DATE, both, date, file, form, place};
use crate::config::raw::Flags;
use crate::config::setting::{self, Setting};
use crate::config::values::yes_or_no;
use crate::spec::{LogPolicy, LogReach, Merging};

/// Reads them; a problem goes to `reader`, and the default stands in for the value.
pub(super) fn read(reader: &mut Reader, flags: &Flags, env: &Environment) -> LogPolicy {
    let output = reader.text(setting::OUTPUT, &flags.output, &env.pmr_output, place);
    let error = reader.text(setting::ERROR, &flags.error, &env.pmr_error, place);
    let both = reader.text(setting::LOG, &flags.log, &env.pmr_log, both);
    let pid = reader.text(setting::PID, &flags.pid, &env.pmr_pid, file);
    let mut is_set = |setting: Setting, flag: bool, variable: &Option<String>| {
        reader.text(setting, &flag.then(|| "true".into()), variable, yes_or_no).unwrap_or(false)
    };
    let together = is_set(setting::MERGE_LOGS, flags.merge_logs, &env.pmr_merge_logs);
    let disabled = is_set(setting::DISABLE_LOGS, flags.disable_logs, &env.pmr_disable_logs);
    let timed = is_set(setting::TIME, flags.time, &env.pmr_time);
    let form = reader.text(setting::LOG_TYPE, &flags.log_type, &env.pmr_log_type, form);
    let date = reader.text(setting::LOG_DATE_FORMAT, &flags.log_date_format, &env.pmr_log_date_format, date);
    LogPolicy {
        output: output.unwrap_or_default(),
        error: error.unwrap_or_default(),
        both: both.flatten(),
        pid,
        merging: if together { Merging::Together } else { Merging::Apart },
        reach: if disabled { LogReach::Askers } else { LogReach::All },
        form: form.unwrap_or_default(),
        date: date.flatten().or_else(|| timed.then(|| USUAL_DATE.to_owned())),
    }
}
