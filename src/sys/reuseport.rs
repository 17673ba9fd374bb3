//! Putting a steering program on a group of SO_REUSEPORT sockets.
//!
//! What the program says is not decided here; see `listener::steer`.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::libc::{sock_filter, sock_fprog};
use nix::sys::socket::{setsockopt, sockopt};

/// One instruction of classic BPF, as in the kernel's `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Class, operation and operand in one.
    pub code: u16,
    /// How many instructions a jump skips when its condition holds.
    pub jump_true: u8,
    /// How many instructions a jump skips when it does not.
    pub jump_false: u8,
    /// The constant operand.
    pub k: u32,
}

/// Lets `program` choose, for each new connection, the index of the group's socket that gets it. Any socket of the
/// group will do for `socket`, and an earlier program is replaced. EINVAL, ENOPROTOOPT or EPERM mean that this kernel
/// or sandbox does not offer it.
pub fn attach_program(socket: &impl AsFd, program: &[Instruction]) -> Result<(), Errno> {
    let mut filter: Vec<sock_filter> = program
        .iter()
        .map(|one| sock_filter { code: one.code, jt: one.jump_true, jf: one.jump_false, k: one.k })
        .collect();
    let len = u16::try_from(filter.len()).map_err(|_| Errno::EINVAL)?;
    // The kernel copies the program during the call, so that `filter` may end with this function.
    let program = sock_fprog { len, filter: filter.as_mut_ptr() };
    setsockopt(socket, sockopt::AttachReusePortCbpf, &program)
}
