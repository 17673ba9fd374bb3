//! What the kernel answers of Unix-domain sockets (`struct unix_diag_msg`). Pure, and total.

use super::parse::{Attributes, u32_at};

// Of `linux/unix_diag.h`.
const ATTRIBUTE_NAME: u16 = 0;
/// `struct unix_diag_msg`
const FIXED: usize = 16;

/// A Unix-domain socket that has a name. One that was accepted has that of the socket which it was accepted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    /// As in `/proc/PID/fd`.
    pub inode: u64,
    /// The path as it was bound, or the name behind a NUL byte.
    pub name: Vec<u8>,
}

/// The socket of an entry; `None` where it has no name, or belongs to nobody yet.
pub(super) fn socket(body: &[u8]) -> Option<UnixSocket> {
    let inode = u32_at(body, 4).filter(|&inode| inode != 0).map(u64::from)?;
    let mut attributes = Attributes(body.get(FIXED..)?);
    let (_, name) = attributes.find(|(kind, _)| *kind == ATTRIBUTE_NAME)?;
    Some(UnixSocket { inode, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(inode: u32, attributes: &[u8]) -> Vec<u8> {
        let mut body = vec![1, 1, 10, 0];
        body.extend(inode.to_ne_bytes());
        body.resize(FIXED, 0);
        body.extend(attributes);
        body
    }

    #[test]
    fn a_socket_is_known_by_its_inode_and_its_name() {
        let found = socket(&body(7, &[8, 0, 4, 0, 1, 2, 3, 4, 6, 0, 0, 0, b'/', b's', 0, 0]));
        assert_eq!(found, Some(UnixSocket { inode: 7, name: b"/s".to_vec() }));
        assert_eq!(socket(&body(7, &[8, 0, 4, 0, 1, 2, 3, 4])), None);
        assert_eq!(socket(&body(0, &[6, 0, 0, 0, b'/', b's', 0, 0])), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            socket(&bytes);
        }
    }
}
