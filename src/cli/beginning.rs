//! What a runtime in the foreground has from the beginning: the app of its command line, or those of a configuration file.

use super::declared::{self, Apps};
use super::plan::{self, Interception};
use super::surroundings;
use crate::api::types::StartRequest;
use crate::config::raw::Invocation;
use crate::config::settings::Settings;
use crate::config::sources::Sources;
use crate::driver::Plan;
use crate::ecosystem::declaration::select::FileRequest;
use crate::exit::Error;
use crate::spec::Company;

/// See the module.
pub(super) struct Beginning {
    /// At least one.
    apps: Vec<First>,
    /// What people should know of the configuration file.
    remarks: Vec<String>,
}

struct First {
    definition: StartRequest,
    settings: Settings,
}

impl Beginning {
    /// The app of a command line.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn of_words(invocation: Invocation, sources: &Sources) -> Result<Self, Error> {
        let settings = sources.resolve(invocation)?;
        let definition = surroundings::first_definition();
        Ok(Self { apps: vec![First { definition, settings }], remarks: Vec::new() })
    }

    /// Those of a configuration file: all of them, or none.
    ///
    /// # Errors
    /// All that is wrong with the file, or with the first app that cannot be run.
    pub(super) fn of_file(request: &FileRequest, sources: &Sources) -> Result<Self, Error> {
        let Apps { requests, remarks, .. } = declared::apps(request, sources, &declared::directory())?;
        let settle = |definition: StartRequest| {
            let settings = settle(&definition, sources)?;
            Ok(First { definition, settings })
        };
        let apps = requests.into_iter().map(settle).collect::<Result<_, Error>>()?;
        Ok(Self { apps, remarks })
    }

    /// Those of the first app, which say how lines look and how much is told.
    pub(super) fn settings(&self) -> &Settings {
        &self.apps.first().expect("a file has at least one app, and a command line is one").settings
    }

    /// How each is run. What is to be said of the file is said with the first.
    pub(super) fn plans(&self, interception: &Interception) -> Vec<(StartRequest, Plan)> {
        let company = if self.apps.len() == 1 { Company::None } else { Company::Others };
        let plan = |First { definition, settings }: &First| {
            (definition.clone(), plan::plan_of(settings, definition, interception, company))
        };
        let mut plans: Vec<_> = self.apps.iter().map(plan).collect();
        if let Some((_, first)) = plans.first_mut() {
            first.warnings.splice(..0, self.remarks.iter().cloned());
        }
        plans
    }
}

/// The settings of an app of a configuration file.
///
/// # Errors
/// Why it cannot be run.
pub(super) fn settle(definition: &StartRequest, sources: &Sources) -> Result<Settings, Error> {
    plan::settle(sources, definition).map_err(|source| {
        let declared = definition.declared.as_ref();
        let (name, file) = declared.map(|it| (it.app.clone(), it.file.clone())).unwrap_or_default();
        Error::App { name, file, source: Box::new(source) }
    })
}
