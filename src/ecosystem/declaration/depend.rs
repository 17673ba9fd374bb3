//! Which apps need which others: those are taken along, and start before.

use super::app::AppDeclaration;
use super::problem::{FileProblem, Place, nearest};
use super::roster::Chosen;
use crate::spec::Until;

/// The names of all that `names` need, and what these need, without `names` themselves.
pub(super) fn taken_along(apps: &[AppDeclaration], names: &[String]) -> Vec<String> {
    let mut all = names.to_vec();
    let mut next = 0;
    while let Some(name) = all.get(next).cloned() {
        next += 1;
        let app = apps.iter().find(|app| app.plain_name() == name);
        let needs = app.into_iter().flat_map(needs).map(|(other, _)| other.clone());
        let new: Vec<String> = needs.filter(|other| !all.contains(other)).collect();
        all.extend(new);
    }
    all.split_off(names.len())
}

fn needs(app: &AppDeclaration) -> impl Iterator<Item = &(String, Until)> {
    app.depends_on.iter().flatten()
}

/// All that is wrong with what the apps of a file need of each other.
pub(super) fn check(file: &str, apps: &[AppDeclaration]) -> Vec<FileProblem> {
    let mut problems = Vec::new();
    for app in apps {
        let place = Place::file(file).app(&app.label).key("depends_on");
        for (other, until) in needs(app) {
            problems.extend(wrong(&place, apps, other, *until));
        }
    }
    if problems.is_empty() {
        problems.extend(circle(file, apps));
    }
    problems
}

fn wrong(place: &Place, apps: &[AppDeclaration], other: &str, until: Until) -> Option<FileProblem> {
    let names = || apps.iter().map(AppDeclaration::plain_name);
    let Some(found) = apps.iter().find(|app| app.plain_name() == other) else {
        let meant =
            nearest(other, names()).map_or_else(String::new, |name| format!(", did you mean `{name}`?"));
        let what = format!("no app of the file is called `{other}`{meant}");
        return Some(FileProblem::Other { place: place.clone(), what });
    };
    let comes_back = found.autorestart != Some(false)
        && !found.stop_exit_codes.as_ref().is_some_and(|codes| codes.contains(&0));
    (until == Until::Exited && comes_back).then(|| {
        let what = format!("`{other}` never ends, accepted: `autorestart: false` there, or `ready` here");
        FileProblem::Other { place: place.clone(), what }
    })
}

fn circle(file: &str, apps: &[AppDeclaration]) -> Option<FileProblem> {
    let name = apps.iter().map(AppDeclaration::plain_name).find(|name| {
        let app = apps.iter().find(|app| app.plain_name() == *name);
        let direct: Vec<String> = app.into_iter().flat_map(needs).map(|(other, _)| other.clone()).collect();
        direct.contains(name) || taken_along(apps, &direct).contains(name)
    })?;
    let place = Place::file(file).app(&name).key("depends_on");
    let what = "the app depends on itself, directly or through others".to_owned();
    Some(FileProblem::Other { place, what })
}

/// The apps, each behind those that it needs; else in the order of the file. None needs itself.
pub(super) fn in_order(mut apps: Vec<Chosen>) -> Vec<Chosen> {
    let mut ordered: Vec<Chosen> = Vec::with_capacity(apps.len());
    while !apps.is_empty() {
        let is_left = |name: &String| apps.iter().any(|other| other.app.plain_name() == *name);
        let is_next = |chosen: &Chosen| !needs(&chosen.app).any(|(other, _)| is_left(other));
        let next = apps.iter().position(is_next).unwrap_or_default();
        ordered.push(apps.remove(next));
    }
    ordered
}
