//! The page of differences, as the test reads it.

use std::collections::BTreeSet;
use std::fmt;

use crate::cases::CASES;
use crate::observe::is_of_the_surroundings;

/// What stands where there is nothing.
const NOTHING: &str = "–";
/// In place of the names of runs: any of them.
const ANY: &str = "any";

/// `tests/fixtures/pm2/differences.md`
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    pub(crate) variables: BTreeSet<Variable>,
}

/// A row of the first table: a difference that is seen in some runs, or in any.
pub(crate) struct Row {
    pub(crate) text: String,
    cases: Vec<String>,
    what: String,
    pm2: String,
    ours: String,
}

/// A difference that was seen.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    case: String,
    what: String,
    pm2: String,
    ours: String,
}

/// A variable that one of the two gives to every app, and the other does not.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Variable {
    name: String,
    side: &'static str,
}

impl Table {
    pub(crate) fn read() -> Self {
        let mut table = Self { rows: Vec::new(), variables: BTreeSet::new() };
        for line in include_str!("../fixtures/pm2/differences.md").lines() {
            let cells: Vec<String> = line.split(" | ").map(plain).collect();
            match cells.as_slice() {
                [first, ..] if first == "run" || first == "variables" || line.starts_with("| ---") => {}
                [cases, what, pm2, ours, why] => {
                    assert!(!why.is_empty(), "no reason: {line}");
                    table.rows.push(Row {
                        text: line.to_owned(),
                        cases: cases.split(", ").map(str::to_owned).collect(),
                        what: what.clone(),
                        pm2: pm2.clone(),
                        ours: ours.clone(),
                    });
                }
                [names, side, why] => {
                    assert!(!why.is_empty(), "no reason: {line}");
                    let side = if side == PM2 { PM2 } else { OURS };
                    let variable = |name: &str| Variable { name: name.to_owned(), side };
                    table.variables.extend(names.split(", ").map(variable));
                }
                _ => assert!(!line.starts_with('|'), "a row that cannot be read: {line}"),
            }
        }
        table.check_names();
        table
    }

    fn check_names(&self) {
        for case in self.rows.iter().flat_map(|row| &row.cases) {
            assert!(case == ANY || CASES.iter().any(|known| known.name() == *case), "no case `{case}`");
        }
    }

    pub(crate) fn lists(&self, found: &Difference) -> bool {
        self.rows
            .iter()
            .any(|row| row.is_about(found) && (row.is_of_any() || row.cases.contains(&found.case)))
    }
}

const PM2: &str = "pm2-runtime";
const OURS: &str = "pmr-runtime";

impl Row {
    fn is_of_any(&self) -> bool {
        self.cases == [ANY]
    }

    fn is_about(&self, found: &Difference) -> bool {
        (&self.what, &self.pm2, &self.ours) == (&found.what, &found.pm2, &found.ours)
    }

    /// Whether it was seen in every run that it names.
    pub(crate) fn holds(&self, found: &BTreeSet<Difference>) -> bool {
        let seen: BTreeSet<&String> =
            found.iter().filter(|found| self.is_about(found)).map(|found| &found.case).collect();
        if self.is_of_any() { !seen.is_empty() } else { self.cases.iter().all(|case| seen.contains(case)) }
    }
}

impl Difference {
    pub(crate) fn new(case: &str, what: &str, pm2: Option<&String>, ours: Option<&String>) -> Self {
        let or_nothing = |value: Option<&String>| value.map_or(NOTHING, String::as_str).to_owned();
        let (pm2, ours) = (or_nothing(pm2), or_nothing(ours));
        Self { case: case.to_owned(), what: what.to_owned(), pm2, ours }
    }

    /// As it would stand in the page.
    pub(crate) fn row(&self) -> String {
        let Self { case, what, pm2, ours } = self;
        format!("| `{case}` | {what} | {pm2} | {ours} |  |")
    }
}

impl Variable {
    /// Those of the surroundings are none: where one of the two takes them away, that is a difference by itself.
    pub(crate) fn of_one_side(what: &str, pm2: Option<&String>, ours: Option<&String>) -> Option<Self> {
        let name = what.strip_prefix("env ").filter(|name| !is_of_the_surroundings(name))?.to_owned();
        match (pm2, ours) {
            (Some(_), None) => Some(Self { name, side: PM2 }),
            (None, Some(_)) => Some(Self { name, side: OURS }),
            _ => None,
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.side)
    }
}

/// The text of a cell.
fn plain(cell: &str) -> String {
    cell.trim_start_matches("| ").trim_end_matches(" |").replace('`', "").trim().to_owned()
}
