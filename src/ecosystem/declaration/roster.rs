//! Which apps of a file run, and how many of each: by name, by formation, and by what a Procfile's types mean.

use super::app::AppDeclaration;
use super::depend;
use super::environment::Environment;
use super::formation::Formation;
use super::problem::{FileProblem, Place, Remark};
use super::procfile::{PORT_STEP, RELEASE, WEB};
use super::read::{Document, Kind};
use super::select::{Choice, select};
use crate::spec::{Dependency, Until};

/// An app that runs.
pub(super) struct Chosen {
    /// As it was declared, with what the formation says.
    pub(super) app: AppDeclaration,
    /// How far its PORT is above that of the platform, where it is not that itself.
    pub(super) port_step: Option<u16>,
    /// What has set the number of instances, where that is not the file.
    pub(super) instances_by: Option<&'static str>,
    /// Whether it is there for others alone, which need it.
    pub(super) is_taken_along: bool,
}

/// See the module.
pub(super) struct Roster {
    /// At least one.
    pub(super) chosen: Vec<Chosen>,
    /// Those that run only where they are asked for by name.
    pub(super) left_out: Vec<Remark>,
}

const ONLY_IN_A_DEPLOYMENT: &str =
    "it belongs to a deployment; `--formation release=1,all=1` runs it before the others";

impl Roster {
    /// # Errors
    /// All that is wrong with what chooses.
    pub(super) fn of(
        file: &str,
        document: &Document,
        choice: &Choice,
        environment: &Environment,
    ) -> Result<Self, Vec<FileProblem>> {
        let formation = Formation::given(file, choice.formation.as_deref(), environment)
            .map_err(|problem| vec![problem])?;
        let unknown = formation.as_ref().map(|formation| formation.unknown(file, &document.apps));
        let unknown = unknown.unwrap_or_default();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let wrong = depend::check(file, &document.apps);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mut roster = Self { chosen: Vec::new(), left_out: Vec::new() };
        for app in select(file, &document.apps, choice.only.as_deref())? {
            roster.take(file, document, (choice, formation.as_ref()), app);
        }
        roster.take_along(document, formation.as_ref());
        roster.put_release_first(document);
        roster.chosen = depend::in_order(roster.chosen);
        if roster.chosen.is_empty() {
            let what = "none of its apps is to run".to_owned();
            return Err(vec![FileProblem::Other { place: Place::file(file), what }]);
        }
        Ok(roster)
    }

    fn take(
        &mut self,
        file: &str,
        document: &Document,
        (choice, formation): (&Choice, Option<&Formation>),
        app: &AppDeclaration,
    ) {
        let (mut app, name) = (app.clone(), app.plain_name());
        if document.kind == Kind::Procfile && name == RELEASE {
            let is_meant = choice.only.is_some() || formation.is_some_and(|it| it.asks_for(RELEASE));
            if !is_meant {
                let why = ONLY_IN_A_DEPLOYMENT.to_owned();
                // Who gives a formation knows what it leaves out.
                let told = formation
                    .is_none()
                    .then(|| Remark::LeftOut { place: Place::file(file).app(RELEASE), why });
                return self.left_out.extend(told);
            }
            app.autorestart = Some(false);
        }
        if let Some(formation) = formation {
            let Some(instances) = formation.instances_of(&name) else { return };
            app.instances = Some(instances);
        }
        self.chosen.push(Chosen {
            port_step: port_step(document, &name),
            instances_by: formation.map(Formation::asked_by),
            is_taken_along: false,
            app,
        });
    }

    /// Those that the chosen ones need, but for what a formation says to run none of.
    fn take_along(&mut self, document: &Document, formation: Option<&Formation>) {
        let names: Vec<String> = self.chosen.iter().map(|chosen| chosen.app.plain_name()).collect();
        let along = depend::taken_along(&document.apps, &names);
        let is_meant = |name: &String| formation.is_none_or(|formation| !formation.refuses(name));
        for app in &document.apps {
            let name = app.plain_name();
            if along.contains(&name) && is_meant(&name) {
                let instances = formation.and_then(|formation| formation.instances_of(&name));
                let mut app = app.clone();
                app.instances = instances.or(app.instances);
                let (port_step, instances_by) = (port_step(document, &name), None);
                self.chosen.push(Chosen { app, port_step, instances_by, is_taken_along: true });
            }
        }
    }

    /// A release that was asked for comes before all others.
    fn put_release_first(&mut self, document: &Document) {
        let is_release = |chosen: &Chosen| chosen.app.plain_name() == RELEASE;
        if document.kind == Kind::Procfile && self.chosen.iter().any(is_release) {
            for chosen in self.chosen.iter_mut().filter(|chosen| !is_release(chosen)) {
                chosen.app.depends_on = Some(vec![(RELEASE.to_owned(), Until::Exited)]);
            }
        }
    }

    /// What a chosen app needs, by the names of this environment; what does not run here is not waited for.
    pub(super) fn needs_of(&self, app: &AppDeclaration, environment: Option<&str>) -> Vec<Dependency> {
        let found = |(name, until): &(String, Until)| {
            let chosen = self.chosen.iter().find(|chosen| chosen.app.plain_name() == *name)?;
            Some(Dependency { app: chosen.app.name_in(environment), until: *until })
        };
        app.depends_on.iter().flatten().filter_map(found).collect()
    }
}

/// Of a Procfile's types only `web` is routed to; the others have ports in their order.
fn port_step(document: &Document, name: &str) -> Option<u16> {
    if document.kind != Kind::Procfile || name == WEB {
        return None;
    }
    let others = document.apps.iter().map(AppDeclaration::plain_name).filter(|other| other != WEB);
    let place = others.take_while(|other| other != name).count();
    // Beyond the largest port there is none, however many types there are.
    Some(u16::try_from(place + 1).unwrap_or(u16::MAX).saturating_mul(PORT_STEP))
}
