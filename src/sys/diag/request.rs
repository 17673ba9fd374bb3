//! The questions to the kernel: which connections have one of these local ports, and which sockets listen? Pure.
//!
//! The ports are compared in the kernel, by a small program of its own kind ("bytecode"), so that what comes back is
//! ours alone however many connections the machine has. For each port it says:
//!
//! ```text
//!      local port >= P, else next port
//!      local port <= P, else next port
//!      accept
//! ```

// Of `linux/netlink.h`, `linux/sock_diag.h` and `linux/inet_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const REQ_BYTECODE: u16 = 1;
const BC_JMP: u8 = 1;
const BC_S_GE: u8 = 2;
const BC_S_LE: u8 = 3;
/// The bit of INET_DIAG_INFO among the wanted attributes.
const WANT_INFO: u8 = 1 << 1;
const IPPROTO_TCP: u8 = 6;

/// The bit of UDIAG_SHOW_NAME.
const SHOW_NAME: u32 = 1;
const AF_UNIX: u8 = 1;
/// The number of the state LISTEN, as a bit. Sockets of all families share it.
const LISTENING: u32 = 1 << 10;
/// That of ESTABLISHED.
const CONNECTED: u32 = 1 << 1;

/// `struct nlmsghdr`
const HEADER: usize = 16;
/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
const FIXED: usize = HEADER + 56;
/// `struct nlmsghdr` and `struct unix_diag_req`.
const FIXED_UNIX: usize = HEADER + 24;
const ATTRIBUTE_HEADER: usize = 4;
/// One instruction (`struct inet_diag_bc_op`); a comparison has a second one for its operand.
const INSTRUCTION: u16 = 4;
const COMPARISON: u16 = 2 * INSTRUCTION;
const PER_PORT: u16 = 2 * COMPARISON + INSTRUCTION;

/// How many ports one question may name. The kernel's jumps reach over 64 kB.
pub(super) const MOST_PORTS: usize = 1024;

/// A question for all TCP connections of `family` (AF_INET or AF_INET6) in the states of this set of bits whose local
/// port is one of `ports`, of which no more than [`MOST_PORTS`] are looked for.
pub(super) fn dump(family: u8, states: u32, ports: &[u16], sequence: u32) -> Vec<u8> {
    let program = program(&ports[..ports.len().min(MOST_PORTS)]);
    let attribute = ATTRIBUTE_HEADER + program.len();
    let mut message = internet(FIXED + attribute, [family, WANT_INFO], states, sequence);
    message.extend(u16::try_from(attribute).unwrap_or(u16::MAX).to_ne_bytes());
    message.extend(REQ_BYTECODE.to_ne_bytes());
    message.extend(program);
    message
}

/// A question for all TCP sockets of `family` that listen.
pub(super) fn listening(family: u8, sequence: u32) -> Vec<u8> {
    internet(FIXED, [family, 0], LISTENING, sequence)
}

/// Which Unix-domain sockets are asked for, with their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unix {
    Listening,
    Connected,
}

/// A question for all Unix-domain sockets of a kind.
pub(super) fn unix(which: Unix, sequence: u32) -> Vec<u8> {
    let states = match which {
        Unix::Listening => LISTENING,
        Unix::Connected => CONNECTED,
    };
    let mut message = header(FIXED_UNIX, sequence);
    message.extend([AF_UNIX, 0, 0, 0]);
    message.extend(states.to_ne_bytes());
    // No particular socket.
    message.extend([0; 4]);
    message.extend(SHOW_NAME.to_ne_bytes());
    message.resize(FIXED_UNIX, 0);
    message
}

/// The fixed part of a question for TCP sockets, in a message of `total` bytes.
fn internet(total: usize, [family, wanted]: [u8; 2], states: u32, sequence: u32) -> Vec<u8> {
    let mut message = header(total, sequence);
    message.extend([family, IPPROTO_TCP, wanted, 0]);
    message.extend(states.to_ne_bytes());
    // No particular connection.
    message.resize(FIXED, 0);
    message
}

fn header(total: usize, sequence: u32) -> Vec<u8> {
    let mut message = Vec::with_capacity(total);
    message.extend(u32::try_from(total).unwrap_or(u32::MAX).to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 4]);
    message
}

fn program(ports: &[u16]) -> Vec<u8> {
    let mut program = Vec::new();
    let mut left = u16::try_from(ports.len()).unwrap_or(u16::MAX).saturating_mul(PER_PORT);
    for &port in ports {
        // With no port left, "next port" is four bytes beyond the end: that refuses. The very end accepts.
        let next = if left == PER_PORT { PER_PORT + INSTRUCTION } else { PER_PORT };
        program.extend(comparison(BC_S_GE, port, next));
        program.extend(comparison(BC_S_LE, port, next - COMPARISON));
        program.extend(instruction(BC_JMP, INSTRUCTION, left - 2 * COMPARISON));
        left -= PER_PORT;
    }
    program
}

fn comparison(code: u8, port: u16, otherwise: u16) -> impl Iterator<Item = u8> {
    instruction(code, COMPARISON, otherwise).into_iter().chain(instruction(0, 0, port))
}

fn instruction(code: u8, yes: u16, no: u16) -> [u8; 4] {
    let [low, high] = no.to_ne_bytes();
    [code, u8::try_from(yes).unwrap_or(u8::MAX), low, high]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel does (`inet_diag_bc_run`).
    fn accepts(program: &[u8], port: u16) -> bool {
        let mut at = 0_usize;
        while at < program.len() {
            let no = u16::from_ne_bytes([program[at + 2], program[at + 3]]);
            let operand = || u16::from_ne_bytes([program[at + 6], program[at + 7]]);
            let holds = match program[at] {
                BC_S_GE => port >= operand(),
                BC_S_LE => port <= operand(),
                _ => false,
            };
            at += usize::from(if holds { u16::from(program[at + 1]) } else { no });
        }
        at == program.len()
    }

    #[test]
    fn the_program_accepts_the_ports_and_no_others() {
        let ports = [80, 3000, 8080, 65535, 0];
        let program = program(&ports);
        for port in 0..=u16::MAX {
            assert_eq!(accepts(&program, port), ports.contains(&port), "{port}");
        }
    }

    #[test]
    fn questions_for_sockets_that_listen_are_as_long_as_they_say() {
        for message in [listening(2, 7), unix(Unix::Listening, 7), unix(Unix::Connected, 7)] {
            assert_eq!(message[..4], u32::try_from(message.len()).unwrap().to_ne_bytes());
        }
        assert_eq!((listening(2, 7).len(), unix(Unix::Connected, 7).len()), (FIXED, FIXED_UNIX));
    }

    #[test]
    fn a_question_for_very_many_ports_is_as_long_as_it_says() {
        let ports: Vec<u16> = (0..2000).collect();
        let message = dump(2, 2, &ports, 7);
        assert_eq!(message.len(), FIXED + ATTRIBUTE_HEADER + MOST_PORTS * usize::from(PER_PORT));
        assert_eq!(message[..4], u32::try_from(message.len()).unwrap().to_ne_bytes());
        assert!(accepts(&message[FIXED + ATTRIBUTE_HEADER..], 1023));
        assert!(!accepts(&message[FIXED + ATTRIBUTE_HEADER..], 1024));
    }
}
