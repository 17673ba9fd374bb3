//! `pmr env`: variables, one a line. Pure.

use super::table::harmless;
use crate::api::types::EnvironmentView;

/// Those of each app, under its name where there are several.
pub(in crate::cli) fn render(views: &[EnvironmentView]) -> String {
    if let [view] = views {
        return variables(view);
    }
    views.iter().map(|view| format!("# {} {}\n{}", harmless(&view.app), view.id, variables(view))).collect()
}

/// `NAME=value`; a value that looks secret is not shown.
fn variables(view: &EnvironmentView) -> String {
    let line = |(name, value): (&String, &Option<String>)| match value {
        Some(value) => format!("{}={}\n", harmless(name), harmless(value)),
        None => format!("{}=(hidden: --reveal shows it)\n", harmless(name)),
    };
    view.variables.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_named_and_not_shown() {
        let variables = [("PORT", Some("3000")), ("TOKEN", None)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        let view = EnvironmentView { app: "web".to_owned(), id: 0, variables: variables.into() };
        let text = "PORT=3000\nTOKEN=(hidden: --reveal shows it)\n";
        assert_eq!(render(std::slice::from_ref(&view)), text);
        assert_eq!(render(&[view.clone(), view]), format!("# web 0\n{text}# web 0\n{text}"));
    }
}
