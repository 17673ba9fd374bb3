//! The program by which the kernel chooses a socket, for any set of indexes; run here as the kernel would.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::listener::steer::program;
use pmr_runtime::sys::reuseport::Instruction;

/// The kernel refuses longer ones.
const LONGEST: usize = 4096;

fuzz_target!(|runs: Vec<(u16, u8)>| {
    let indexes: BTreeSet<u32> = runs
        .iter()
        .flat_map(|&(first, length)| {
            (0..=u32::from(length >> 3)).map(move |offset| u32::from(first) + offset)
        })
        .collect();
    let Some(program) = program(&indexes) else {
        let scattered =
            indexes.iter().filter(|&&index| index == 0 || !indexes.contains(&(index - 1))).count();
        assert!(indexes.is_empty() || scattered > 1300);
        return;
    };
    assert!(program.len() <= LONGEST);
    let count = u32::try_from(indexes.len()).expect("there are few");
    let step = indexes.len().div_ceil(16);
    for (number, &index) in (0_u32..).zip(&indexes).step_by(step) {
        // The same index for each random number that leaves this rest, and so all equally often.
        assert_eq!(run(&program, number), index);
        let most = (u32::MAX - number) / count * count + number;
        assert_eq!(run(&program, most), index);
    }
    assert!(indexes.contains(&run(&program, u32::MAX)));
});

/// What the kernel does, for the operations that there are in `linux/bpf_common.h` and that we use.
fn run(program: &[Instruction], random: u32) -> u32 {
    let (mut at, mut a) = (0, 0_u32);
    loop {
        let now = program[at];
        at += 1;
        match now.code {
            0x20 if now.k == 0xffff_f038 => a = random,
            0x94 => a = a.checked_rem(now.k).expect("the kernel refuses to divide by zero"),
            0x04 => a = a.wrapping_add(now.k),
            0x35 => at += usize::from(if a >= now.k { now.jump_true } else { now.jump_false }),
            0x16 => return a,
            code => panic!("an unknown operation: {code:#x}"),
        }
    }
}
