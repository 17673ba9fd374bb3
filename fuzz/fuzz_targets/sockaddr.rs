//! The address that a worker passes to `bind`, as it lies in the worker's memory.

#![no_main]

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::handover::intercept::sockaddr::{Requested, parse};

/// The bytes of an IPv6 address's scope.
const SCOPE: usize = 4;

fuzz_target!(|bytes: &[u8]| {
    let Some(requested) = parse(bytes) else { return };
    let again = bytes_of(&requested);
    assert_eq!(parse(&again).as_ref(), Some(&requested));
    // A scope that is missing, or cut off, is none.
    let length = if bytes.len() < again.len() { again.len() - SCOPE } else { again.len() };
    assert_eq!(again[..length], bytes[..length]);
});

/// As the kernel would write it, without padding.
fn bytes_of(requested: &Requested) -> Vec<u8> {
    let (family, rest) = match requested {
        Requested::Inet(SocketAddr::V4(address)) => {
            (libc::AF_INET, [&address.port().to_be_bytes()[..], &address.ip().octets()].concat())
        }
        Requested::Inet(SocketAddr::V6(address)) => (
            libc::AF_INET6,
            [
                &address.port().to_be_bytes()[..],
                &address.flowinfo().to_be_bytes(),
                &address.ip().octets(),
                &address.scope_id().to_ne_bytes(),
            ]
            .concat(),
        ),
        Requested::Path(path) => {
            assert!(!path.as_os_str().is_empty() && !path.as_os_str().as_bytes().contains(&0));
            (libc::AF_UNIX, path.as_os_str().as_bytes().to_vec())
        }
        Requested::Abstract(name) => {
            assert!(!name.is_empty());
            (libc::AF_UNIX, [&[0], &name[..]].concat())
        }
    };
    let family = u16::try_from(family).expect("the kernel's families are small");
    [&family.to_ne_bytes()[..], &rest].concat()
}
