//! Generates the program by which the kernel chooses the socket of a new connection. Pure.
//!
//! - *Any*: the program draws a random number below the number of sockets chosen, and maps it to the index of one of
//!   them. The indexes are taken as runs of neighbours: within a run, index minus number is the same, so a run costs
//!   one comparison and one addition, however long it is. A jump never leaves its run, hence eight bits are enough.
//! - *Parts*: the number is drawn below the sum of all parts, and each socket has as many numbers as its part says.
//! - *By client*: see `client`.

mod client;

use std::collections::{BTreeMap, BTreeSet};

use crate::sys::reuseport::Instruction;

/// Who gets a new connection. Sockets are named by their index in the kernel's group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Each of these equally often.
    Any(BTreeSet<u32>),
    /// Each of these as often as its part says.
    Parts(BTreeMap<u32, u32>),
    /// Always the same one for an address of a client. Each socket has the number of its instance, which stays the same
    /// when the index changes.
    ByClient(BTreeMap<u32, u32>),
}

impl Choice {
    /// The program for it; `None` where nobody is chosen, or the program would be longer than the kernel accepts.
    #[must_use]
    pub fn program(&self) -> Option<Vec<Instruction>> {
        match self {
            Self::Any(indexes) => program(indexes),
            Self::Parts(parts) => by_parts(parts),
            Self::ByClient(instances) => client::program(instances),
        }
    }
}

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
/// `BPF_RET | BPF_K`
const RETURN_CONSTANT: u16 = 0x06;
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
    program.extend(nth_of(indexes));
    (program.len() <= MAX_INSTRUCTIONS).then_some(program)
}

/// Returns the index whose number, counted from the least on, has been loaded.
fn nth_of(indexes: &BTreeSet<u32>) -> Vec<Instruction> {
    let mut program = Vec::new();
    let runs = runs(indexes);
    for (position, run) in runs.iter().enumerate() {
        if position + 1 < runs.len() {
            program.push(Instruction { jump_true: 2, ..plain(JUMP_IF_AT_LEAST, run.end) });
        }
        program.extend([plain(ADD, run.offset), plain(RETURN, 0)]);
    }
    program
}

fn by_parts(parts: &BTreeMap<u32, u32>) -> Option<Vec<Instruction>> {
    let parts: Vec<(u32, u32)> =
        parts.iter().filter(|(_, part)| **part > 0).map(|(&index, &part)| (index, part)).collect();
    let sum = parts.iter().try_fold(0_u32, |sum, (_, part)| sum.checked_add(*part))?;
    let ((last, _), others) = parts.split_last()?;
    let mut program = vec![plain(LOAD, RANDOM), plain(MODULO, sum)];
    let mut end = 0;
    for (index, part) in others {
        end += part;
        program.push(Instruction { jump_true: 1, ..plain(JUMP_IF_AT_LEAST, end) });
        program.push(plain(RETURN_CONSTANT, *index));
    }
    program.push(plain(RETURN_CONSTANT, *last));
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
mod tests;
