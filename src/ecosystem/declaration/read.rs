//! A document as declarations, or all that is wrong with it.
//!
//! As in pm2, the document is a list of apps, an object with `apps`, or one app alone. `null` is as if the key was absent: it is
//! what JavaScript makes of an `undefined`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::app::AppDeclaration;
use super::key::{Fate, Key, Slot};
use super::keys::{self, KEYS, NAMED_ENV, TOP, TopKey, TopSlot};
use super::problem::{FileProblem, Place, Remark, nearest};
use super::value;
use super::watch_options;
use crate::config::problem::Accepted;
use crate::config::setting::Setting;
use crate::config::values;

/// By whose rules the apps of a file run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// pm2's, and ours.
    #[default]
    Configuration,
    /// foreman's: one type serves PORT, and another runs but once.
    Procfile,
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    pub kind: Kind,
    pub apps: Vec<AppDeclaration>,
    /// Options of the runtime itself.
    pub options: Vec<(Setting, String)>,
    pub remarks: Vec<Remark>,
}

const FORMS: Accepted = Accepted("a list of apps, an object with `apps`, or one app with its `script`");

const A_PACKAGE: &str = "this is the file of a package, which declares no apps: `pmr-runtime .` runs its `main`, and \
                         `pmr-runtime npm start` its start script";

/// Reads the document of `file`.
///
/// # Errors
/// All that is wrong with it.
pub fn read(file: &str, document: &Value) -> Result<Document, Vec<FileProblem>> {
    let mut reading =
        Reading { place: Place::file(file), document: Document::default(), problems: Vec::new() };
    reading.top(document);
    if reading.problems.is_empty() { Ok(reading.document) } else { Err(reading.problems) }
}

struct Reading {
    place: Place,
    document: Document,
    problems: Vec<FileProblem>,
}

impl Reading {
    fn top(&mut self, document: &Value) {
        let is_apps = |name: &String| top_key(name).is_some_and(|key| matches!(key.slot, TopSlot::Apps));
        match document {
            Value::Array(apps) => self.apps(apps),
            Value::Object(object) if object.keys().any(is_apps) => {
                self.object(object);
                if self.document.apps.is_empty() && self.problems.is_empty() {
                    self.apps(&[]);
                }
            }
            Value::Object(object) if object.keys().any(|name| is_script(name)) => self.app(0, object),
            Value::Object(object)
                if object.contains_key("scripts") || object.contains_key("dependencies") =>
            {
                self.problems
                    .push(FileProblem::Other { place: self.place.clone(), what: A_PACKAGE.to_owned() });
            }
            Value::Object(_) => self.absent(self.place.clone(), "neither `apps` nor `script`", FORMS),
            other => self.problems.push(FileProblem::unacceptable(self.place.clone(), other, FORMS)),
        }
    }

    fn absent(&mut self, place: Place, found: &str, accepted: Accepted) {
        let (found, accepted) = (found.to_owned(), accepted.0.to_owned());
        self.problems.push(FileProblem::Unacceptable { place, found, accepted });
    }

    fn object(&mut self, object: &Map<String, Value>) {
        for (name, value) in object {
            let place = self.place.key(name);
            match top_key(name).map(|key| key.slot) {
                Some(_) if value.is_null() => {}
                Some(TopSlot::Apps) => self.one_or_several(value),
                Some(TopSlot::Option(check, setting)) => match value::checked(check, value) {
                    Ok(text) => self.document.options.push((setting, text)),
                    Err(accepted) => self.problems.push(FileProblem::unacceptable(place, value, accepted)),
                },
                Some(TopSlot::Schema) => {}
                Some(TopSlot::NoEffect(why)) => {
                    self.document.remarks.push(Remark::NoEffect { place, why: why.to_owned() });
                }
                Some(TopSlot::Refused(what)) => {
                    self.problems.push(FileProblem::Other { place, what: what.to_owned() });
                }
                None => {
                    let nearest = nearest(name, TOP.iter().flat_map(TopKey::names));
                    self.problems.push(FileProblem::Unknown { place, nearest });
                }
            }
        }
    }

    fn one_or_several(&mut self, value: &Value) {
        match value {
            Value::Array(apps) => self.apps(apps),
            Value::Object(app) => self.app(self.document.apps.len(), app),
            other => self.problems.push(FileProblem::unacceptable(
                self.place.key("apps"),
                other,
                Accepted("a list of apps, or one app"),
            )),
        }
    }

    fn apps(&mut self, apps: &[Value]) {
        if apps.is_empty() {
            self.absent(self.place.key("apps"), "none", Accepted("at least one app"));
        }
        for (index, app) in apps.iter().enumerate() {
            match app.as_object() {
                Some(object) => self.app(index, object),
                None => self.problems.push(FileProblem::unacceptable(
                    self.place.app(&format!("apps[{index}]")),
                    app,
                    Accepted("an object with the keys of an app"),
                )),
            }
        }
    }

    fn app(&mut self, index: usize, object: &Map<String, Value>) {
        let name = object.get("name").and_then(Value::as_str).filter(|name| values::name(name).is_ok());
        let label = name.map_or_else(|| format!("apps[{index}]"), str::to_owned);
        let place = self.place.app(&label);
        let mut app = AppDeclaration { label, ..AppDeclaration::default() };
        let nothing = Value::Object(Map::new());
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in object {
            let at = place.key(name);
            if let Some(key) = keys::find(name) {
                if value.is_null() {
                    continue;
                }
                match seen.insert(key.name, name) {
                    Some(other) => {
                        self.problems.push(FileProblem::Twice { place: at, other: other.to_owned() })
                    }
                    None => self.value(at, key, &mut app, value),
                }
            } else if let Some(environment) = name.strip_prefix(NAMED_ENV).filter(|name| !name.is_empty()) {
                match value::variables(if value.is_null() { &nothing } else { value }) {
                    Ok(variables) => drop(app.named_env.insert(environment.to_owned(), variables)),
                    Err(refusal) => self.refuse(at, value, refusal),
                }
            } else {
                let nearest = nearest(name, KEYS.iter().flat_map(Key::names));
                self.problems.push(FileProblem::Unknown { place: at, nearest });
            }
        }
        for (option, why) in watch_options::without_effect(&app) {
            let place = place.key(&format!("watch_options.{option}"));
            self.document.remarks.push(Remark::NoEffect { place, why: why.to_owned() });
        }
        if !seen.contains_key("script") {
            self.problems.push(FileProblem::Missing { place: place.key("script") });
        }
        if app.restart_delay.is_some() && app.exp_backoff_restart_delay.is_some() {
            let why = "`exp_backoff_restart_delay` goes before it".to_owned();
            self.document.remarks.push(Remark::NoEffect { place: place.key("restart_delay"), why });
        }
        self.document.apps.push(app);
    }

    fn value(&mut self, place: Place, key: &Key, app: &mut AppDeclaration, value: &Value) {
        if let Err(refusal) = keep(key.slot, app, value) {
            return self.refuse(place, value, refusal);
        }
        match key.fate {
            Fate::NoEffect(why) if asks(key, value) => {
                self.document.remarks.push(Remark::NoEffect { place, why: why.to_owned() });
            }
            Fate::Option(_) | Fate::Resolved | Fate::NoEffect(_) => {}
        }
    }

    /// The value of a variable is not shown, as it may be secret.
    fn refuse(&mut self, place: Place, value: &Value, (variable, accepted): Refusal) {
        let found = variable.map(Value::String);
        self.problems.push(FileProblem::unacceptable(place, found.as_ref().unwrap_or(value), accepted));
    }
}

/// What would be accepted, and of which variable, if that is it.
type Refusal = (Option<String>, Accepted);

/// Judges a value, and puts it to its place.
fn keep(slot: Slot, app: &mut AppDeclaration, value: &Value) -> Result<(), Refusal> {
    let plain = |accepted| (None, accepted);
    match slot {
        Slot::Text(place) => *place(app) = Some(value::text(value).map_err(plain)?),
        Slot::Checked(check, place) => *place(app) = Some(value::checked(check, value).map_err(plain)?),
        Slot::YesNo(place) => *place(app) = Some(value::yes_no(value).map_err(plain)?),
        Slot::Time(span, place) => *place(app) = value::time(span, value).map_err(plain)?,
        Slot::Bytes(place) => *place(app) = value::bytes(value).map_err(plain)?,
        Slot::Count(place) => *place(app) = Some(value::count(value).map_err(plain)?),
        Slot::Restarts(place) => *place(app) = Some(value::restarts(value).map_err(plain)?),
        Slot::Standby(place) => *place(app) = Some(value::standby(value).map_err(plain)?),
        Slot::Port(place) => *place(app) = Some(value::port(value).map_err(plain)?),
        Slot::Instances(place) => *place(app) = Some(value::instances(value).map_err(plain)?),
        Slot::ExecMode(place) => *place(app) = Some(value::exec_mode(value).map_err(plain)?),
        Slot::Signal(place) => *place(app) = Some(value::signal(value).map_err(plain)?),
        Slot::Words(place) => *place(app) = Some(value::words(value).map_err(plain)?),
        Slot::List(place) => *place(app) = Some(value::list(value).map_err(plain)?),
        Slot::Dependencies(place) => *place(app) = Some(value::dependencies(value).map_err(plain)?),
        Slot::Commands(place) => *place(app) = Some(value::list(value).map_err(plain)?),
        Slot::ExitCodes(place) => *place(app) = Some(value::exit_codes(value).map_err(plain)?),
        Slot::Cron(place) => *place(app) = Some(value::cron(value).map_err(plain)?),
        Slot::Selection(place) => *place(app) = Some(value::selection(value).map_err(plain)?),
        Slot::Filter(place) => *place(app) = Some(value::filter(value).map_err(plain)?),
        Slot::LogFile(place) => *place(app) = Some(value::log_file(value).map_err(plain)?),
        Slot::Identity(place) => *place(app) = Some(value::identity(value).map_err(plain)?),
        Slot::Variables(place) => *place(app) = Some(value::variables(value)?),
        Slot::Object(place) => *place(app) = Some(value::object(value).map_err(plain)?),
        Slot::Unused(shape) => value::unused(shape, value).map_err(plain)?,
    }
    Ok(())
}

/// Whether a value asks for something other than what happens anyway.
fn asks(key: &Key, value: &Value) -> bool {
    let said = match value {
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => return !items.is_empty(),
        Value::Object(_) => return true,
        Value::Null => return false,
    };
    let is_none =
        said == "0" && matches!(key.slot, Slot::Bytes(_) | Slot::Cron(_) | Slot::Time(..) | Slot::Unused(_));
    said != key.default && !is_none && (said != "false" || key.default == "true")
}

fn top_key(name: &str) -> Option<&'static TopKey> {
    TOP.iter().find(|key| key.names().any(|known| known == name))
}

fn is_script(name: &str) -> bool {
    keys::find(name).is_some_and(|key| key.name == "script")
}

impl TopKey {
    /// All names by which the key is known.
    pub fn names(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.name).chain(self.aliases.iter().copied()).map(str::to_owned)
    }
}
