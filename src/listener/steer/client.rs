//! The program that always sends the same client to the same instance.
//!
//! Each instance draws a number for the client's address, a hash of both, and the greatest wins ("rendezvous
//! hashing"). So nobody keeps a table; when an instance goes, only its own clients are spread, over all others alike;
//! when it comes back, just these return to it, and a new instance takes an equal share from each.

use std::collections::{BTreeMap, BTreeSet};

use super::{LOAD, MAX_INSTRUCTIONS, MODULO, RETURN, nth_of, plain};
use crate::sys::reuseport::Instruction;

/// `SKF_NET_OFF`: loading from here on gives the packet's IP header.
pub(super) const HEADER: u32 = 0xfff0_0000;
/// Where the first byte of the header says that it is IPv6: the upper four bits.
const VERSION_6: u32 = 6;
/// Where the client's address is.
const SOURCE_4: u32 = HEADER + 12;
const SOURCE_6: [u32; 4] = [HEADER + 8, HEADER + 12, HEADER + 16, HEADER + 20];

/// `BPF_LD | BPF_B | BPF_ABS`
pub(super) const LOAD_BYTE: u16 = 0x30;
/// `BPF_LD | BPF_IMM`
pub(super) const LOAD_CONSTANT: u16 = 0x00;
/// `BPF_LD | BPF_MEM`
pub(super) const LOAD_STORED: u16 = 0x60;
/// `BPF_LDX | BPF_MEM`
pub(super) const LOAD_X_STORED: u16 = 0x61;
/// `BPF_ST`
pub(super) const STORE: u16 = 0x02;
/// `BPF_MISC | BPF_TAX`
pub(super) const COPY_TO_X: u16 = 0x07;
/// `BPF_ALU | BPF_RSH | BPF_K`
pub(super) const SHIFT_RIGHT: u16 = 0x74;
/// `BPF_ALU | BPF_MUL | BPF_K`
pub(super) const MULTIPLY: u16 = 0x24;
/// `BPF_ALU | BPF_XOR | BPF_K`
pub(super) const XOR: u16 = 0xa4;
/// `BPF_ALU | BPF_XOR | BPF_X`
pub(super) const XOR_X: u16 = 0xac;
/// `BPF_JMP | BPF_JA`
pub(super) const JUMP: u16 = 0x05;
/// `BPF_JMP | BPF_JEQ | BPF_K`
pub(super) const JUMP_IF_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGE | BPF_X`
pub(super) const JUMP_IF_AT_LEAST_X: u16 = 0x3d;

/// The cells in which the program keeps the address's hash, the best number so far, and whose it is.
const CLIENT: u32 = 0;
const BEST: u32 = 1;
const WINNER: u32 = 2;

/// Odd numbers without a pattern, of the hash function murmur3.
const FACTORS: [u32; 2] = [0x85eb_ca6b, 0xc2b2_ae35];

/// `instances`: the number of the instance that each socket, named by its index, belongs to. With more instances than a program has
/// room for, the address alone is hashed, and all clients move when the set changes.
pub(super) fn program(instances: &BTreeMap<u32, u32>) -> Option<Vec<Instruction>> {
    let first = *instances.keys().next()?;
    let mut program = hash_of_address();
    let hash = program.clone();
    program.extend([plain(STORE, CLIENT), plain(LOAD_CONSTANT, 0), plain(STORE, BEST)]);
    program.extend([plain(LOAD_CONSTANT, first), plain(STORE, WINNER)]);
    for (&index, &instance) in instances {
        program.extend(candidate(index, instance));
    }
    program.extend([plain(LOAD_STORED, WINNER), plain(RETURN, 0)]);
    if program.len() <= MAX_INSTRUCTIONS {
        return Some(program);
    }
    let indexes: BTreeSet<u32> = instances.keys().copied().collect();
    let mut program = hash;
    program.push(plain(MODULO, u32::try_from(indexes.len()).ok()?));
    program.extend(nth_of(&indexes));
    (program.len() <= MAX_INSTRUCTIONS).then_some(program)
}

fn hash_of_address() -> Vec<Instruction> {
    let mut of_6 = vec![plain(LOAD, SOURCE_6[0])];
    for word in &SOURCE_6[1..] {
        of_6.extend(mixed());
        of_6.extend([plain(COPY_TO_X, 0), plain(LOAD, *word), plain(XOR_X, 0)]);
    }
    let over = u32::try_from(of_6.len()).expect("some thirty instructions");
    let mut program = vec![plain(LOAD_BYTE, HEADER), plain(SHIFT_RIGHT, 4)];
    program.push(Instruction { jump_true: 2, ..plain(JUMP_IF_EQUAL, VERSION_6) });
    program.extend([plain(LOAD, SOURCE_4), plain(JUMP, over)]);
    program.extend(of_6);
    program.extend(mixed());
    program
}

/// Replaces what is loaded by a number that looks random, and differs for different ones.
fn mixed() -> Vec<Instruction> {
    let mut program = Vec::new();
    for (factor, shift) in FACTORS.into_iter().zip([15, 13]) {
        program.extend([
            plain(MULTIPLY, factor),
            plain(COPY_TO_X, 0),
            plain(SHIFT_RIGHT, shift),
            plain(XOR_X, 0),
        ]);
    }
    program
}

/// Takes the lead if its number is at least the best so far.
fn candidate(index: u32, instance: u32) -> Vec<Instruction> {
    let own = (instance + 1).wrapping_mul(0x9e37_79b9);
    let mut program = vec![plain(LOAD_STORED, CLIENT), plain(XOR, own)];
    program.extend(mixed());
    program.push(plain(LOAD_X_STORED, BEST));
    program.push(Instruction { jump_false: 3, ..plain(JUMP_IF_AT_LEAST_X, 0) });
    program.extend([plain(STORE, BEST), plain(LOAD_CONSTANT, index), plain(STORE, WINNER)]);
    program
}
