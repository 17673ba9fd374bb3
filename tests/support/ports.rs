//! Free ports.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the kernel gives ports to clients (32768 on), so that no client of a test that runs at
/// the same time takes the port before the app binds it.
const LOWEST: u16 = 10_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A TCP port that nobody listens on, and that no other test of this process gets.
pub(crate) fn free_port() -> u16 {
    // Two test programs at the same time (two checkouts on one machine) begin at different places.
    let origin = std::process::id() * 97 % u32::from(COUNT);
    let origin = u16::try_from(origin).expect("less than COUNT, which is one");
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = LOWEST + (origin + step % COUNT) % COUNT;
        let v4 = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
        if v4.is_err() {
            continue;
        }
        drop(v4);
        if TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {LOWEST} on is free");
}
