//! The connection of a health check. It has no deadline: whoever waits for it gives up in time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpStream;

/// Whom to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The first of these that answers.
    Known(Vec<SocketAddr>),
    /// A machine by its name.
    Named(String, u16),
}

impl Target {
    /// This machine at `port`, where `listening` is what is known to listen here.
    #[must_use]
    pub fn own(port: u16, listening: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut known: Vec<_> =
            listening.into_iter().filter(|address| address.port() == port).map(reachable).collect();
        if known.is_empty() {
            let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            known.extend(loopback.map(|address| SocketAddr::new(address, port)));
        }
        Self::Known(known)
    }

    /// As the host is named in a request.
    #[must_use]
    pub fn host(&self) -> String {
        match self {
            Self::Known(addresses) => addresses.first().map_or_else(String::new, ToString::to_string),
            Self::Named(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Self::Named(host, port) => format!("{host}:{port}"),
        }
    }
}

/// One that listens everywhere listens here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Connects.
///
/// # Errors
/// Why the last address that was tried does not answer.
pub async fn connect(target: &Target) -> io::Result<TcpStream> {
    match target {
        Target::Known(addresses) => TcpStream::connect(&addresses[..]).await,
        Target::Named(host, port) => TcpStream::connect((host.as_str(), *port)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(target: &Target) -> Vec<String> {
        match target {
            Target::Known(addresses) => addresses.iter().map(ToString::to_string).collect(),
            Target::Named(..) => Vec::new(),
        }
    }

    #[test]
    fn the_app_is_reached_where_it_listens_and_else_on_this_machine() {
        let listening = ["0.0.0.0:80", "10.0.0.1:80", "[::]:80", "0.0.0.0:81"].map(|it| it.parse().unwrap());
        assert_eq!(known(&Target::own(80, listening)), ["127.0.0.1:80", "10.0.0.1:80", "[::1]:80"]);
        assert_eq!(known(&Target::own(82, listening)), ["127.0.0.1:82", "[::1]:82"]);
    }

    #[test]
    fn a_host_is_named_with_its_port() {
        assert_eq!(Target::Named("db".to_owned(), 80).host(), "db:80");
        assert_eq!(Target::Named("::1".to_owned(), 80).host(), "[::1]:80");
        assert_eq!(Target::own(80, []).host(), "127.0.0.1:80");
    }
}
