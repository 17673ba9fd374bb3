//! A small number on a TCP socket that accepted sockets inherit and that sock_diag shows to anybody.
//!
//! It is made of options that mean nothing for a TCP socket that is bound already: how multicast is looped back and
//! delivered, whether an address of others may be bound, whether a `bind` takes a port, how an error queue is laid out that is
//! not switched on.
#![expect(unsafe_code, reason = "nix does not know all of these options")]

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;

/// How many numbers there are.
pub const NUMBERS: u8 = 32;

/// Of `linux/in.h`, with the option's bit in `struct inet_diag_sockopt`, the first number's last.
const BITS: [(libc::c_int, u16); 5] = [
    (libc::IP_FREEBIND, 1 << 2),
    (libc::IP_MULTICAST_LOOP, 1 << 4),
    (libc::IP_MULTICAST_ALL, 1 << 6),
    (libc::IP_BIND_ADDRESS_NO_PORT, 1 << 8),
    (IP_RECVERR_RFC4884, 1 << 9),
];
/// Linux 5.9, one version before all of this is shown.
const IP_RECVERR_RFC4884: libc::c_int = 26;

/// Marks `socket`, and all that is accepted from it from now on, with `number`, which is taken modulo [`NUMBERS`].
///
/// # Errors
/// ENOPROTOOPT where the kernel does not know an option.
pub fn mark(socket: &impl AsFd, number: u8) -> Result<(), Errno> {
    for (at, (option, _)) in BITS.into_iter().enumerate() {
        set(socket, option, libc::c_int::from(number >> at & 1))?;
    }
    Ok(())
}

/// The number on a socket whose options are shown as these bits.
#[must_use]
pub fn number(options: u16) -> u8 {
    let bits = BITS.into_iter().enumerate();
    bits.map(|(at, (_, bit))| u8::from(options & bit != 0) << at).sum()
}

fn set(socket: &impl AsFd, option: libc::c_int, value: libc::c_int) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).expect("4 fits in a socklen_t");
    // SAFETY: `value` is valid for reads of `length` bytes, and the descriptor is borrowed for the whole call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IP,
            option,
            (&raw const value).cast(),
            length,
        )
    };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_bits_of_its_own() {
        let all: std::collections::BTreeSet<u8> = (0..NUMBERS)
            .map(|number| {
                let bits = BITS.into_iter().enumerate().filter(|(at, _)| number >> at & 1 == 1);
                super::number(bits.map(|(_, (_, bit))| bit).sum::<u16>() | 1 << 1)
            })
            .collect();
        assert!(all.into_iter().eq(0..NUMBERS));
    }
}
