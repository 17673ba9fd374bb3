//! Reads the bytes of a `struct sockaddr` as another process passed it to `bind`.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// An address that we understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested {
    /// TCP or UDP.
    Inet(SocketAddr),
    /// A Unix-domain socket with a file.
    Path(PathBuf),
    /// A name in the abstract namespace, without its leading NUL.
    Abstract(Vec<u8>),
}

/// `None` for other families, an address that is too short, and Unix sockets that ask for a name to be chosen.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Requested> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => inet(rest),
        libc::AF_INET6 => inet6(rest),
        libc::AF_UNIX => unix(rest),
        _ => None,
    }
}

/// sockaddr_in: port, address; the padding may be missing.
fn inet(rest: &[u8]) -> Option<Requested> {
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let (ip, _) = rest.split_first_chunk::<4>()?;
    let address = SocketAddr::from((Ipv4Addr::from(*ip), u16::from_be_bytes(*port)));
    Some(Requested::Inet(address))
}

/// sockaddr_in6: port, flow, address, scope; the scope may be missing (RFC 2133).
fn inet6(rest: &[u8]) -> Option<Requested> {
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let (flow, rest) = rest.split_first_chunk::<4>()?;
    let (ip, rest) = rest.split_first_chunk::<16>()?;
    let scope = rest.first_chunk::<4>().map_or(0, |scope| u32::from_ne_bytes(*scope));
    let address =
        SocketAddrV6::new(Ipv6Addr::from(*ip), u16::from_be_bytes(*port), u32::from_be_bytes(*flow), scope);
    Some(Requested::Inet(SocketAddr::V6(address)))
}

/// sockaddr_un: a path up to its NUL or the end, or after a leading NUL a name of any bytes (unix(7)).
fn unix(path: &[u8]) -> Option<Requested> {
    match path.split_first()? {
        (0, []) => None,
        (0, name) => Some(Requested::Abstract(name.to_vec())),
        _ => {
            let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
            Some(Requested::Path(PathBuf::from(OsStr::from_bytes(&path[..end]))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_family(family: i32, rest: &[u8]) -> Vec<u8> {
        [&(family as u16).to_ne_bytes()[..], rest].concat()
    }

    #[test]
    fn internet_addresses_are_read() {
        let v4 = with_family(libc::AF_INET, &[0x13, 0x88, 127, 0, 0, 1, 0, 0]);
        assert_eq!(parse(&v4), Some(Requested::Inet("127.0.0.1:5000".parse().unwrap())));
        let mut rest = vec![0x13, 0x88, 0, 0, 0, 0];
        rest.extend(Ipv6Addr::LOCALHOST.octets());
        assert_eq!(
            parse(&with_family(libc::AF_INET6, &rest)),
            Some(Requested::Inet("[::1]:5000".parse().unwrap()))
        );
        rest.extend(7_u32.to_ne_bytes());
        assert_eq!(
            parse(&with_family(libc::AF_INET6, &rest)),
            Some(Requested::Inet("[::1%7]:5000".parse().unwrap()))
        );
    }

    #[test]
    fn unix_addresses_are_read() {
        let path = |bytes: &[u8]| parse(&with_family(libc::AF_UNIX, bytes));
        assert_eq!(path(b"/run/app.sock\0rest"), Some(Requested::Path("/run/app.sock".into())));
        assert_eq!(path(b"app.sock"), Some(Requested::Path("app.sock".into())));
        assert_eq!(path(b"\0name\0x"), Some(Requested::Abstract(b"name\0x".to_vec())));
        assert_eq!(path(b""), None);
        assert_eq!(path(b"\0"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
            let _read = parse(&bytes);
        }

        #[test]
        fn cut_addresses_are_refused(length in 0_usize..8) {
            let whole = with_family(libc::AF_INET, &[0x13, 0x88, 127, 0, 0, 1]);
            prop_assert_eq!(parse(&whole[..length.min(7)]), None);
        }
    }
}
