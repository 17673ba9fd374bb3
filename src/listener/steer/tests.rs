//! The programs, run by an interpreter of our own.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::client::{
    COPY_TO_X, HEADER, JUMP, JUMP_IF_AT_LEAST_X, JUMP_IF_EQUAL, LOAD_BYTE, LOAD_CONSTANT, LOAD_STORED,
    LOAD_X_STORED, MULTIPLY, SHIFT_RIGHT, STORE, XOR, XOR_X,
};
use super::*;

/// What the kernel would do, for the operations that we use.
fn run_on(program: &[Instruction], random: u32, header: &[u8]) -> u32 {
    let (mut at, mut a, mut x, mut cells) = (0, 0_u32, 0_u32, [None; 16]);
    let byte = |offset: u32| u32::from(header[offset as usize]);
    let word = |offset: u32| (0..4).fold(0, |word, next| word << 8 | byte(offset + next));
    loop {
        let now = program[at];
        at += 1;
        let jump = |holds: bool| usize::from(if holds { now.jump_true } else { now.jump_false });
        match now.code {
            LOAD if now.k == RANDOM => a = random,
            LOAD => a = word(now.k - HEADER),
            LOAD_BYTE => a = byte(now.k - HEADER),
            LOAD_CONSTANT => a = now.k,
            LOAD_STORED => a = cells[now.k as usize].unwrap(),
            LOAD_X_STORED => x = cells[now.k as usize].unwrap(),
            STORE => cells[now.k as usize] = Some(a),
            COPY_TO_X => x = a,
            MODULO => a %= now.k,
            ADD => a = a.wrapping_add(now.k),
            MULTIPLY => a = a.wrapping_mul(now.k),
            SHIFT_RIGHT => a >>= now.k,
            XOR => a ^= now.k,
            XOR_X => a ^= x,
            JUMP => at += now.k as usize,
            JUMP_IF_EQUAL => at += jump(a == now.k),
            JUMP_IF_AT_LEAST => at += jump(a >= now.k),
            JUMP_IF_AT_LEAST_X => at += jump(a >= x),
            RETURN => return a,
            RETURN_CONSTANT => return now.k,
            _ => panic!("an operation that the interpreter does not know: {now:?}"),
        }
    }
}

fn run(program: &[Instruction], random: u32) -> u32 {
    run_on(program, random, &[])
}

/// The header of a packet from `client`.
fn header(client: IpAddr) -> Vec<u8> {
    let mut header = vec![0; 40];
    match client {
        IpAddr::V4(client) => {
            header[0] = 0x45;
            header[12..16].copy_from_slice(&client.octets());
        }
        IpAddr::V6(client) => {
            header[0] = 0x60;
            header[8..24].copy_from_slice(&client.octets());
        }
    }
    header
}

/// The index for a client, among these instances, whose sockets' indexes are 100 greater than their number.
fn home(instances: impl IntoIterator<Item = u32>, client: IpAddr) -> u32 {
    let instances = instances.into_iter().map(|instance| (instance + 100, instance)).collect();
    run_on(&Choice::ByClient(instances).program().unwrap(), 0, &header(client))
}

fn client_4(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))
}

fn client_6(number: u32) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8_0000_0001_0000_0000_0000_0000 + u128::from(number)))
}

#[test]
fn nobody_to_choose_gives_no_program() {
    assert_eq!(program(&BTreeSet::new()), None);
    assert_eq!(Choice::Parts(BTreeMap::new()).program(), None);
    assert_eq!(Choice::Parts(BTreeMap::from([(1, 0)])).program(), None);
    assert_eq!(Choice::ByClient(BTreeMap::new()).program(), None);
}

#[test]
fn neighbours_need_no_table() {
    assert_eq!(program(&(3..900).collect()).unwrap().len(), 4);
}

#[test]
fn a_program_longer_than_the_kernel_accepts_is_not_made() {
    assert!(program(&(0..1024).map(|n| n * 2).collect()).is_some());
    assert_eq!(program(&(0..1400).map(|n| n * 2).collect()), None);
    assert!(Choice::Parts((0..1024).map(|n| (n, n + 1)).collect()).program().is_some());
}

#[test]
fn clients_are_spread_over_all_instances_alike() {
    for client in [client_4, client_6] {
        let mut counts = BTreeMap::new();
        for number in 0..4000 {
            *counts.entry(home(0..4, client(number))).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 4);
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}

#[test]
fn the_clients_of_one_that_goes_are_spread_over_all_others() {
    let mut counts = BTreeMap::new();
    for client in (0..4000).map(client_4).filter(|&client| home(0..5, client) == 102) {
        *counts.entry(home([0, 1, 3, 4], client)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 4);
    assert!(counts.values().all(|count| (140..260).contains(count)), "{counts:?}");
}

#[test]
fn very_many_instances_get_clients_too() {
    let program = Choice::ByClient((0..300).map(|one| (one, one)).collect()).program().unwrap();
    assert!(program.len() <= MAX_INSTRUCTIONS);
    let homes: BTreeSet<u32> =
        (0..6000).map(|number| run_on(&program, 0, &header(client_4(number)))).collect();
    assert!(homes.into_iter().eq(0..300));
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

    #[test]
    fn each_index_is_chosen_as_often_as_its_part_says(parts in prop::collection::btree_map(0_u32..1024, 0_u32..20, 1..60)) {
        let sum: u32 = parts.values().sum();
        let Some(program) = Choice::Parts(parts.clone()).program() else {
            prop_assert_eq!(sum, 0);
            return Ok(());
        };
        let mut chosen = BTreeMap::new();
        for random in 0..sum {
            *chosen.entry(run(&program, random)).or_insert(0) += 1;
        }
        prop_assert_eq!(chosen, parts.into_iter().filter(|(_, part)| *part > 0).collect());
    }

    #[test]
    fn only_the_clients_of_an_instance_that_goes_move(
        instances in prop::collection::btree_set(0_u32..200, 2..40), gone: prop::sample::Index, client: u32, six: bool,
    ) {
        let client = if six { client_6(client) } else { client_4(client & 0xff_ffff) };
        let gone = *gone.get(&instances.iter().copied().collect::<Vec<_>>());
        let before = home(instances.iter().copied(), client);
        let after = home(instances.iter().copied().filter(|&one| one != gone), client);
        prop_assert!(instances.contains(&(before - 100)));
        prop_assert_eq!(before == gone + 100, after != before);
    }
}
