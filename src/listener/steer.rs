//! Generates the program by which the kernel chooses the socket of a new connection. Pure.
//!
//! The program draws a random number below the number of sockets chosen, and maps it to the index of one of them.
//! The indexes are taken as runs of neighbours: within a run, index minus number is the same, so a run costs one
//! comparison and one addition, however long it is. A jump never leaves its run, hence eight bits are enough for it.

use std::collections::BTreeSet;

use crate::sys::reuseport::Instruction;

/// `BPF_LD | BPF_W | BPF_ABS`
const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_MOD | BPF_K`
const MODULO: u16 = 0x94;
/// `BPF_ALU | BPF_ADD | BPF_K`
const ADD: u16 = 0x04;
/// `BPF_JMP | BPF_JGE | BPF_K`
const JUMP_IF_AT_LEAST: u16 = 0x35;
/// `BPF_RET | BPF_A`
const RETURN: u16 = 0x16;
/// `SKF_AD_OFF + SKF_AD_RANDOM`: loading from here gives a random number.
const RANDOM: u32 = 0xffff_f038;
/// `BPF_MAXINSNS`: a longer program is refused.
const MAX_INSTRUCTIONS: usize = 4096;

/// The program that spreads connections at random over the sockets with these `indexes`; `None` where there are none,
/// or where they lie so scattered (over 1300 runs) that the program would be longer than the kernel accepts.
#[must_use]
pub fn program(indexes: &BTreeSet<u32>) -> Option<Vec<Instruction>> {
    let count = u32::try_from(indexes.len()).ok().filter(|&count| count > 0)?;
    let mut program = vec![plain(LOAD, RANDOM), plain(MODULO, count)];
    let runs = runs(indexes);
    for (position, run) in runs.iter().enumerate() {
        if position + 1 < runs.len() {
            program.push(Instruction { jump_true: 2, ..plain(JUMP_IF_AT_LEAST, run.end) });
        }
        program.extend([plain(ADD, run.offset), plain(RETURN, 0)]);
    }
    (program.len() <= MAX_INSTRUCTIONS).then_some(program)
}

/// Neighbouring indexes: the numbers below `end` (and not in an earlier run) mean the index that is `offset` greater.
struct Run {
    end: u32,
    offset: u32,
}

fn runs(indexes: &BTreeSet<u32>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (number, index) in (0_u32..).zip(indexes) {
        // The indexes ascend from 0 at least, so none is smaller than its number.
        let offset = index - number;
        match runs.last_mut() {
            Some(run) if run.offset == offset => run.end = number + 1,
            Some(_) | None => runs.push(Run { end: number + 1, offset }),
        }
    }
    runs
}

fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, k }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the kernel would do, for the operations that we use.
    fn run(program: &[Instruction], random: u32) -> u32 {
        let (mut at, mut a) = (0, 0_u32);
        loop {
            let now = program[at];
            at += 1;
            match now.code {
                LOAD if now.k == RANDOM => a = random,
                MODULO => a %= now.k,
                ADD => a = a.wrapping_add(now.k),
                JUMP_IF_AT_LEAST => {
                    at += usize::from(if a >= now.k { now.jump_true } else { now.jump_false });
                }
                RETURN => return a,
                _ => panic!("an operation that the interpreter does not know: {now:?}"),
            }
        }
    }

    #[test]
    fn nobody_to_choose_gives_no_program() {
        assert_eq!(program(&BTreeSet::new()), None);
    }

    #[test]
    fn neighbours_need_no_table() {
        assert_eq!(program(&(3..900).collect()).unwrap().len(), 4);
    }

    #[test]
    fn a_program_longer_than_the_kernel_accepts_is_not_made() {
        assert!(program(&(0..1024).map(|n| n * 2).collect()).is_some());
        assert_eq!(program(&(0..1400).map(|n| n * 2).collect()), None);
    }

    proptest! {
        #[test]
        fn each_index_is_chosen_equally_often_and_no_other(indexes in prop::collection::btree_set(0_u32..1024, 1..200)) {
            let program = program(&indexes).unwrap();
            let count = u32::try_from(indexes.len()).unwrap();
            let chosen: Vec<u32> = (0..count).map(|random| run(&program, random)).collect();
            prop_assert_eq!(chosen, indexes.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(run(&program, u32::MAX), run(&program, u32::MAX % count));
        }
    }
}
