//! Every system call of ours, and the only unsafe code.

pub mod channel;
pub mod notify;
