//! Chooses who gets the next connections: those that serve, and of these the ones that hold fewest. Pure.
//!
//! ```text
//!   held                      4 connections are to come, so they would fill up to this line
//!    ███                      ─────────────────────────────────────
//!    ███  ███       ███       A gets nothing, B and D one each, C two: of 4 parts 0, 1, 2, 1.
//!    ███  ███  ███  ███       (The parts are multiplied, so that a rest can be divided, too.)
//!     A    B    C    D
//! ```
//!
//! The kernel draws lots with these parts for each connection. When one connection is to come, only those that hold fewest take part;
//! the more are to come before we look again, the more of the others do.

/// What keeps connections from an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    /// It serves.
    Fit,
    /// It serves, but does not accept at present.
    Stalled,
    /// It has no worker that serves.
    Away,
}

/// An instance that could get connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// How many connections it has.
    pub held: u32,
    pub health: Health,
}

/// Who holds more than this many counts as if it held this many; so nothing overflows.
const MOST_HELD: u32 = 1 << 30;
/// More than this many connections at a time are divided like this many. Keeps the parts within 32 bits.
const MOST_COMING: u32 = 1 << 16;

/// The best health that one of the candidates has: a connection has to wait somewhere, even if nobody is fit.
#[must_use]
pub(super) fn best_health(candidates: &[Candidate]) -> Health {
    candidates.iter().map(|candidate| candidate.health).min().unwrap_or(Health::Away)
}

/// The part that each of the candidates gets of the next connections, of which `coming` (at least one) will come before
/// this is asked again. The parts of those in the best health that there is add up to more than zero, all others are
/// zero.
#[must_use]
pub(super) fn shares(candidates: &[Candidate], coming: u32) -> Vec<u32> {
    let health = best_health(candidates);
    let fit = |candidate: &&Candidate| candidate.health == health;
    let held_by = |candidate: &Candidate| candidate.held.min(MOST_HELD);
    let mut held: Vec<u32> = candidates.iter().filter(fit).map(held_by).collect();
    held.sort_unstable();
    let Line { level, count, rest } = fill(&held, coming.clamp(1, MOST_COMING));
    let part = |candidate: &Candidate| match level.checked_sub(held_by(candidate)) {
        Some(missing) if candidate.health == health => missing.saturating_mul(count).saturating_add(rest),
        Some(_) | None => 0,
    };
    candidates.iter().map(part).collect()
}

/// Up to where those that hold fewest would be filled.
struct Line {
    level: u32,
    /// How many are below or at it.
    count: u32,
    /// What is left over then, less than one for each.
    rest: u32,
}

fn fill(ascending: &[u32], coming: u32) -> Line {
    let mut line = Line { level: ascending.first().copied().unwrap_or(0), count: 0, rest: coming };
    for &next in ascending {
        let step = next - line.level;
        if step.saturating_mul(line.count) > line.rest {
            break;
        }
        line.rest -= step * line.count;
        line.level = next;
        line.count += 1;
    }
    let each = line.rest / line.count.max(1);
    Line { level: line.level.saturating_add(each), rest: line.rest % line.count.max(1), ..line }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fit(held: &[u32]) -> Vec<Candidate> {
        held.iter().map(|&held| Candidate { held, health: Health::Fit }).collect()
    }

    #[test]
    fn a_single_connection_goes_to_those_who_hold_fewest() {
        assert_eq!(shares(&fit(&[3, 1, 2, 1]), 1), [0, 1, 0, 1]);
        assert_eq!(shares(&fit(&[0, 0, 0]), 1), [1, 1, 1]);
    }

    #[test]
    fn many_connections_fill_up_the_differences_first() {
        assert_eq!(shares(&fit(&[3, 2, 1, 2]), 4), [0, 4, 8, 4]);
        assert_eq!(shares(&fit(&[0, 10]), 20), [30, 10]);
        assert_eq!(shares(&fit(&[0, 10]), 5), [5, 0]);
    }

    #[test]
    fn a_rest_is_divided_among_all_who_are_filled() {
        assert_eq!(shares(&fit(&[0, 0, 1]), 3), [4, 4, 1]);
    }

    #[test]
    fn nobody_gets_connections_who_does_not_serve_unless_nobody_does() {
        let mut two = fit(&[5, 0]);
        two[1].health = Health::Stalled;
        assert_eq!(shares(&two, 1), [1, 0]);
        two[0].health = Health::Away;
        assert_eq!(shares(&two, 1), [0, 1]);
        two[1].health = Health::Away;
        assert_eq!(shares(&two, 1), [0, 1]);
        assert!(shares(&[], 1).is_empty());
    }

    fn health() -> impl Strategy<Value = Health> {
        prop_oneof![4 => Just(Health::Fit), 1 => Just(Health::Stalled), 1 => Just(Health::Away)]
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let held = prop_oneof![0_u32..8, 0_u32..5000, Just(u32::MAX)];
        let one = (held, health()).prop_map(|(held, health)| Candidate { held, health });
        prop::collection::vec(one, 1..100)
    }

    proptest! {
        #[test]
        fn somebody_always_gets_connections_and_only_the_fittest_do(all in candidates(), coming: u32) {
            let parts = shares(&all, coming);
            let sum: u64 = parts.iter().map(|&part| u64::from(part)).sum();
            prop_assert!(sum > 0 && sum <= u64::from(u32::MAX));
            let best = best_health(&all);
            for (candidate, part) in all.iter().zip(&parts) {
                prop_assert!(*part == 0 || candidate.health == best);
            }
        }

        #[test]
        fn who_holds_fewer_never_gets_less(all in candidates(), coming in 0_u32..10_000) {
            let parts = shares(&all, coming);
            for (one, part) in all.iter().zip(&parts) {
                for (other, others) in all.iter().zip(&parts) {
                    prop_assert!(one.health != other.health || one.held < other.held || part <= others);
                }
            }
        }

        /// The parts are what evens the instances out, were all connections to come at once.
        #[test]
        fn who_gets_a_part_is_filled_to_the_same_line(held in prop::collection::vec(0_u32..300, 1..50), coming in 1_u32..5000) {
            let parts = shares(&fit(&held), coming);
            let sum: u64 = parts.iter().map(|&part| u64::from(part)).sum();
            let filled: Vec<f64> = held.iter().zip(&parts).filter(|(_, part)| **part > 0)
                .map(|(&held, &part)| f64::from(held) + f64::from(part) * f64::from(coming) / sum as f64).collect();
            let (least, most) = (filled.iter().copied().fold(f64::MAX, f64::min), filled.iter().copied().fold(0.0, f64::max));
            prop_assert!(most - least < 1e-6, "{filled:?}");
            for (&held, &part) in held.iter().zip(&parts) {
                prop_assert!(part > 0 || f64::from(held) >= least - 1e-6);
            }
        }

        /// Looked at after each connection, whoever of those asked to gets it, instances never differ by more than one.
        #[test]
        fn connections_one_by_one_stay_even(instances in 1_usize..20, lots in prop::collection::vec(any::<prop::sample::Index>(), 0..200)) {
            let mut held = vec![0; instances];
            for lot in lots {
                let parts = shares(&fit(&held), 1);
                let chosen: Vec<usize> = (0..instances).filter(|&at| parts[at] > 0).collect();
                held[*lot.get(&chosen)] += 1;
            }
            prop_assert!(held.iter().max().unwrap() - held.iter().min().unwrap() <= 1, "{held:?}");
        }
    }
}
