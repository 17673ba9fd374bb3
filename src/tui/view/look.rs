//! Colours and signs, as far as the terminal can show them. Of colours only the sixteen that every terminal has, so that
//! they fit the user's palette; whatever a colour says, a word or a sign says too.

use ratatui_core::style::{Color, Modifier, Style};

use crate::api::types::Status;

/// How things are drawn on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub colours: Colours,
    pub glyphs: &'static Glyphs,
}

/// Whether there may be colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    Sixteen,
    None,
}

/// The signs beyond letters.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    pub(super) rule: &'static str,
    pub(super) column: &'static str,
    /// Before the selected row, and the part that has the focus.
    pub(super) marker: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    /// Where text was cut.
    pub(super) more: &'static str,
    /// Between facts on one line.
    pub(super) dot: &'static str,
    /// From a little to all.
    pub(super) levels: [&'static str; 8],
    /// Whether letters beyond ASCII can be shown.
    pub(super) unicode: bool,
}

/// For terminals that speak UTF-8.
pub static UNICODE: Glyphs = Glyphs {
    rule: "─",
    column: "│",
    marker: "▶",
    up: "▲",
    down: "▼",
    more: "…",
    dot: " · ",
    levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    unicode: true,
};

/// For all others.
pub static ASCII: Glyphs = Glyphs {
    rule: "-",
    column: "|",
    marker: ">",
    up: "^",
    down: "v",
    more: "~",
    dot: ", ",
    levels: ["_", ".", ":", "-", "=", "+", "*", "#"],
    unicode: false,
};

impl Look {
    /// As the environment asks for it. `variable` gives the value of one.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let colours = if set("NO_COLOR").is_some() || set("TERM").as_deref() == Some("dumb") {
            Colours::None
        } else {
            Colours::Sixteen
        };
        // The first one that is set counts, as in setlocale(3). `docker exec` sets none: then it is as good as certain
        // that the terminal is a modern one, and what is shown in it is not ours to translate.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let is_utf8 = |locale: String| locale.to_lowercase().replace('-', "").contains("utf8");
        let glyphs = if locale.is_none_or(is_utf8) { &UNICODE } else { &ASCII };
        Self { colours, glyphs }
    }

    /// The style of this ink.
    pub(super) fn style(self, ink: Ink) -> Style {
        let plain = Style::new();
        let coloured = match ink {
            Ink::Plain => plain,
            Ink::Faint => plain.add_modifier(Modifier::DIM),
            Ink::Title => plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            Ink::Good => plain.fg(Color::Green),
            Ink::Warning => plain.fg(Color::Yellow),
            Ink::Bad => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            Ink::Error => plain.fg(Color::Red),
            Ink::Own => plain.fg(Color::Blue),
            Ink::Curve => plain.fg(Color::Green),
            Ink::Selected => plain.add_modifier(Modifier::REVERSED),
            Ink::Found => plain.add_modifier(Modifier::REVERSED | Modifier::BOLD),
        };
        match self.colours {
            Colours::Sixteen => coloured,
            Colours::None => Style { fg: None, bg: None, ..coloured },
        }
    }
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    /// Less important.
    Faint,
    Title,
    Good,
    Warning,
    Bad,
    /// A line of standard error.
    Error,
    /// What the runtime says itself.
    Own,
    Curve,
    Selected,
    /// A match of the search.
    Found,
}

impl From<Status> for Ink {
    fn from(status: Status) -> Self {
        match status {
            Status::Online | Status::Standby => Self::Good,
            Status::Unhealthy | Status::Launching | Status::WaitingRestart | Status::Stopping => {
                Self::Warning
            }
            Status::Stopped => Self::Faint,
            Status::Errored => Self::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(variables: &[(&str, &str)]) -> Look {
        Look::of(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_locale_decides_about_signs_and_the_strongest_variable_counts() {
        let is_unicode = |variables: &[_]| look(variables).glyphs.unicode;
        assert!(is_unicode(&[("LANG", "C.UTF-8")]) && is_unicode(&[("LC_CTYPE", "de_DE.utf8")]));
        assert!(!is_unicode(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")]));
        assert!(!is_unicode(&[("LANG", "POSIX"), ("LC_ALL", "")]));
        assert!(is_unicode(&[]), "in a container nobody sets a locale");
    }

    #[test]
    fn no_color_takes_the_colours_and_leaves_the_weight() {
        let plain = look(&[("NO_COLOR", "1")]);
        let bad = plain.style(Ink::Bad);
        assert_eq!((bad.fg, bad.add_modifier), (None, Modifier::BOLD));
        assert_eq!(look(&[("TERM", "dumb")]).colours, Colours::None);
        assert_eq!(look(&[("NO_COLOR", "")]).style(Ink::Bad).fg, Some(Color::Red));
    }
}
