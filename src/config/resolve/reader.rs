//! Picks each setting's value by precedence, and collects what is wrong on the way.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::config::problem::{Accepted, Origin, Problem};
use crate::config::setting::{self, Setting};

/// Collects the problems and origins of the settings that it reads.
pub(super) struct Reader {
    problems: Vec<Problem>,
    origins: BTreeMap<&'static str, Origin>,
    /// Variables that stand in for ours, by the names of ours.
    stand_ins: BTreeMap<&'static str, &'static str>,
}

impl Reader {
    /// Starts with `problems` that are known already.
    pub(super) fn new(problems: Vec<Problem>, stand_ins: BTreeMap<&'static str, &'static str>) -> Self {
        let origins = setting::ALL.iter().map(|setting| (setting.name, Origin::Default)).collect();
        Self { problems, origins, stand_ins }
    }

    /// All problems, and where each setting got its value.
    pub(super) fn finish(self) -> (Vec<Problem>, BTreeMap<&'static str, Origin>) {
        (self.problems, self.origins)
    }

    /// The value of a setting that is text, from its flag or its variable.
    pub(super) fn text<T>(
        &mut self,
        setting: Setting,
        flag: &Option<OsString>,
        variable: &Option<String>,
        parse: impl Fn(&str) -> Result<T, Accepted>,
    ) -> Option<T> {
        self.value(setting, flag, variable, |value| match value.to_str() {
            Some(text) => parse(text).map_err(Refusal::Unacceptable),
            None => Err(Refusal::NotUtf8),
        })
    }

    /// The value of a setting that may be any bytes.
    pub(super) fn bytes<T>(
        &mut self,
        setting: Setting,
        flag: &Option<OsString>,
        variable: &Option<String>,
        parse: impl Fn(&OsStr) -> Result<T, Accepted>,
    ) -> Option<T> {
        self.value(setting, flag, variable, |value| parse(value).map_err(Refusal::Unacceptable))
    }

    /// The value of a variable that is no option of ours.
    pub(super) fn variable<T>(
        &mut self,
        name: &'static str,
        value: &Option<String>,
        parse: impl Fn(&str) -> Result<T, Accepted>,
    ) -> Option<T> {
        let text = value.as_deref()?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(accepted) => {
                self.refuse(Origin::Variable(name), OsStr::new(text), Refusal::Unacceptable(accepted));
                None
            }
        }
    }

    /// Where the value of `setting` came from.
    pub(super) fn origin(&self, setting: Setting) -> Origin {
        self.origins.get(setting.name).copied().unwrap_or(Origin::Default)
    }

    /// Refuses a value that was taken, for what has come out since.
    pub(super) fn refuse_value(&mut self, setting: Setting, value: &str, accepted: Accepted) {
        self.refuse(self.origin(setting), OsStr::new(value), Refusal::Unacceptable(accepted));
    }

    /// Notes that `one` and `other` exclude each other, if both are set.
    pub(super) fn exclusive(&mut self, one: Setting, other: Setting) {
        let (one, other) = (self.origin(one), self.origin(other));
        if one != Origin::Default && other != Origin::Default {
            self.problems.push(Problem::Conflict { one, other });
        }
    }

    fn value<T>(
        &mut self,
        setting: Setting,
        flag: &Option<OsString>,
        variable: &Option<String>,
        judge: impl Fn(&OsStr) -> Result<T, Refusal>,
    ) -> Option<T> {
        let flag = flag.as_deref().map(|value| (Origin::Flag(setting.flag), value));
        let name = self.stand_ins.get(setting.variable).copied().unwrap_or(setting.variable);
        let variable = variable.as_deref().map(|value| (Origin::Variable(name), OsStr::new(value)));
        // From the weakest to the strongest, so that the last one stays; all are judged.
        let mut chosen = None;
        for (origin, value) in variable.into_iter().chain(flag) {
            match judge(value) {
                Ok(value) => chosen = Some(value),
                Err(refusal) => self.refuse(origin, value, refusal),
            }
            self.origins.insert(setting.name, origin);
        }
        chosen
    }

    fn refuse(&mut self, origin: Origin, value: &OsStr, refusal: Refusal) {
        let found = value.to_string_lossy().into_owned();
        self.problems.push(match refusal {
            Refusal::Unacceptable(accepted) => Problem::Unacceptable { origin, found, accepted },
            Refusal::NotUtf8 => Problem::NotUtf8 { origin, found },
        });
    }
}

/// Why a value was not taken.
enum Refusal {
    Unacceptable(Accepted),
    NotUtf8,
}
