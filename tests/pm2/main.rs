//! The real pm2-runtime and ours run the same configuration files and command lines, side by side: the same workers, environments, restarts,
//! stops and exit statuses, but for what `tests/fixtures/pm2/differences.md` lists. That page is whole, and nothing in it is
//! out of date.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod observe;
mod table;

use std::collections::BTreeSet;
use std::sync::Mutex;

use cases::{CASES, Case};
use observe::{Facts, Who, observe};
use table::{Difference, Table, Variable};

/// Most of the time a run waits for pm2.
const AT_ONCE: usize = 6;

#[test]
fn pm2_and_ours_differ_in_what_the_page_says_and_in_nothing_else() {
    let table = Table::read();
    let mut found = Findings::default();
    for (case, pm2, ours) in run_all() {
        found.compare(&case.name(), &pm2, &ours);
    }
    let unlisted: Vec<String> =
        found.differences.iter().filter(|found| !table.lists(found)).map(Difference::row).collect();
    let gone: Vec<&String> =
        table.rows.iter().filter(|row| !row.holds(&found.differences)).map(|row| &row.text).collect();
    assert!(
        unlisted.is_empty() && gone.is_empty() && table.variables == found.variables,
        "not in the page:\n{}\nin the page, but not so: {gone:#?}\nvariables not in it: {}\nvariables in it, but not so: {}",
        unlisted.join("\n"),
        names(found.variables.difference(&table.variables)),
        names(table.variables.difference(&found.variables)),
    );
}

fn names<'a>(variables: impl Iterator<Item = &'a Variable>) -> String {
    variables.map(Variable::to_string).collect::<Vec<_>>().join(", ")
}

/// What was seen in all cases together.
#[derive(Default)]
struct Findings {
    differences: BTreeSet<Difference>,
    variables: BTreeSet<Variable>,
}

impl Findings {
    fn compare(&mut self, case: &str, pm2: &Facts, ours: &Facts) {
        let both_ran = [pm2, ours].iter().all(|facts| facts.contains_key("words"));
        let names: BTreeSet<&String> = pm2.keys().chain(ours.keys()).collect();
        // Where one of them starts nothing there is not much to be compared.
        for what in
            names.into_iter().filter(|name| both_ran || ["exit status", "starts"].contains(&name.as_str()))
        {
            let (theirs, own) = (pm2.get(what), ours.get(what));
            if theirs == own {
                continue;
            }
            match Variable::of_one_side(what, theirs, own) {
                Some(variable) => self.variables.insert(variable),
                None => self.differences.insert(Difference::new(case, what, theirs, own)),
            };
        }
    }
}

/// Every case under both, some at a time.
fn run_all() -> Vec<(&'static Case, Facts, Facts)> {
    let queue = Mutex::new(CASES.iter());
    let next = || queue.lock().unwrap().next();
    let work = || {
        let mut done = Vec::new();
        while let Some(case) = next() {
            let (pm2, ours) = std::thread::scope(|scope| {
                let pm2 = scope.spawn(|| observe(case, Who::Pm2));
                let ours = observe(case, Who::Ours);
                (pm2.join().unwrap(), ours)
            });
            done.push((case, pm2, ours));
        }
        done
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}
