//! What a target means: a name, an instance's number, `all`, a namespace or `/regex/`. Pure.

use regex_lite::RegexBuilder;

use super::query::{bad_request, problem};
use crate::api::types::{AppView, InstanceView, Problem};
use crate::driver::handle::Target;
use crate::spec::{AppId, InstanceId};

/// Names that are less alike (0 to 1) are no likely typing errors.
const ALIKE: f64 = 0.5;
/// A program for matching must not take more memory.
const REGEX_BYTES: usize = 256 * 1024;

/// The apps, or the one instance, that `text` names.
///
/// # Errors
/// When it names none, with the nearest name as a hint; when it is no regular expression.
pub fn resolve(text: &str, apps: &[AppView]) -> Result<Vec<Target>, Problem> {
    if text == "all" {
        return Ok(apps.iter().map(whole).collect());
    }
    if let Some(pattern) =
        text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|_| text.len() > 2)
    {
        return matching(text, pattern, apps);
    }
    if let Some(target) = text.parse().ok().and_then(|id| numbered(id, apps)) {
        return Ok(vec![target]);
    }
    for is_meant in [(|app: &AppView| &app.name) as fn(&AppView) -> &String, |app| &app.namespace] {
        let found: Vec<Target> = apps.iter().filter(|app| is_meant(app) == text).map(whole).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(unknown(text, apps))
}

/// The views that `targets` mean; of an app of which one instance is meant, that instance alone.
pub fn select(targets: &[Target], apps: Vec<AppView>) -> Vec<AppView> {
    let select = |mut app: AppView| {
        let mut ours = targets.iter().filter(|target| target.app.0 == app.app_id);
        let first = ours.next()?;
        if let Some(instance) = first.instance {
            app.instances.retain(|view| view.instance == instance.0);
            app.standbys.clear();
        }
        Some(app)
    };
    apps.into_iter().filter_map(select).collect()
}

fn whole(app: &AppView) -> Target {
    Target { app: AppId(app.app_id), instance: None }
}

/// The number of the only instance means the app, so that `delete 0` does what it says.
fn numbered(id: u32, apps: &[AppView]) -> Option<Target> {
    let has =
        |app: &AppView| app.instances.iter().find(|instance| instance.id == id).map(|found| found.instance);
    let (app, instance) = apps.iter().find_map(|app| has(app).map(|instance| (app, instance)))?;
    let instance = Some(InstanceId(instance)).filter(|_| app.instances.len() > 1);
    Some(Target { instance, ..whole(app) })
}

fn matching(text: &str, pattern: &str, apps: &[AppView]) -> Result<Vec<Target>, Problem> {
    let regex = RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES)
        .build()
        .map_err(|error| bad_request(format!("`{text}` is no regular expression: {error}")))?;
    let found: Vec<Target> = apps.iter().filter(|app| regex.is_match(&app.name)).map(whole).collect();
    if found.is_empty() {
        let hint = Some("`pmr list` shows what there is".to_owned());
        return Err(problem("unknown_target", format!("no app's name matches `{text}`"), hint));
    }
    Ok(found)
}

fn unknown(text: &str, apps: &[AppView]) -> Problem {
    let shown: String = text.chars().take(200).collect();
    let names = apps.iter().flat_map(|app| [app.name.as_str(), app.namespace.as_str()]).chain(["all"]);
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(name, &shown);
    let likely = names.map(|name| (alike(name), name)).filter(|(alike, _)| *alike >= ALIKE);
    let hint = match likely.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => "`pmr list` shows what there is".to_owned(),
    };
    problem("unknown_target", format!("there is no app, instance or namespace `{shown}`"), Some(hint))
}

/// What all of `targets` are called, for filtering events and lines.
pub fn names(targets: &[Target], apps: &[AppView]) -> Vec<String> {
    let is_meant = |app: &&AppView| targets.iter().any(|target| target.app.0 == app.app_id);
    apps.iter().filter(is_meant).map(|app| app.name.clone()).collect()
}

/// The first instance that a target means.
pub fn first_instance<'a>(target: &Target, app: &'a AppView) -> Option<&'a InstanceView> {
    app.instances.iter().find(|view| target.instance.is_none_or(|wanted| wanted.0 == view.instance))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn apps() -> Vec<AppView> {
        vec![samples::app(0, "web", 2), samples::app(1, "api-one", 1), samples::app(2, "api-two", 1)]
    }

    fn found(text: &str) -> Vec<(u32, Option<u32>)> {
        let targets = resolve(text, &apps()).unwrap();
        targets.iter().map(|target| (target.app.0, target.instance.map(|instance| instance.0))).collect()
    }

    fn refused(text: &str) -> String {
        let problem = resolve(text, &apps()).unwrap_err();
        format!("{}: {} ({})", problem.code, problem.message, problem.hint.unwrap_or_default())
    }

    #[test]
    fn each_kind_of_target_is_found() {
        assert_eq!(found("all"), [(0, None), (1, None), (2, None)]);
        assert_eq!(found("web"), [(0, None)]);
        assert_eq!(found("/^api/"), [(1, None), (2, None)]);
        assert_eq!(found("default").len(), 3);
    }

    #[test]
    fn a_number_is_an_instances_and_of_the_only_one_it_means_the_app() {
        assert_eq!(found("1"), [(0, Some(1))]);
        assert_eq!(found("100"), [(1, None)]);
    }

    #[test]
    fn what_is_not_there_gets_a_suggestion() {
        insta::assert_snapshot!(["wbe", "xyzzy", "7", "/^x/", "/(/", "/", "//"].map(refused).join("\n"), @r#"
        unknown_target: there is no app, instance or namespace `wbe` (did you mean `web`?)
        unknown_target: there is no app, instance or namespace `xyzzy` (`pmr list` shows what there is)
        unknown_target: there is no app, instance or namespace `7` (`pmr list` shows what there is)
        unknown_target: no app's name matches `/^x/` (`pmr list` shows what there is)
        bad_request: `/(/` is no regular expression: found open group without closing ')' ()
        unknown_target: there is no app, instance or namespace `/` (`pmr list` shows what there is)
        unknown_target: there is no app, instance or namespace `//` (`pmr list` shows what there is)
        "#);
    }

    #[test]
    fn selected_views_have_the_instance_that_was_meant() {
        let targets = resolve("1", &apps()).unwrap();
        let views = select(&targets, apps());
        assert_eq!(views.len(), 1);
        assert_eq!(views[0].instances.iter().map(|view| view.id).collect::<Vec<_>>(), [1]);
        assert_eq!(first_instance(&targets[0], &apps()[0]).unwrap().id, 1);
        assert_eq!(names(&targets, &apps()), ["web"]);
    }
}
