//! A worker's sd_notify datagram: through a real socket, and the parser.

#![no_main]

use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pmr_runtime::handover::notify::{Said, parse};
use pmr_runtime::sys::notify::{Sender, bind_abstract, receive};

/// Less than the runtime's own buffer, so that small inputs are too long for it as well.
const BUFFER: usize = 256;

struct Sockets {
    ours: UnixDatagram,
    workers: UnixDatagram,
}

static SOCKETS: LazyLock<Sockets> = LazyLock::new(|| {
    let name = format!("pmr-runtime-fuzz/{}", std::process::id());
    let ours = bind_abstract(name.as_bytes()).expect("a socket");
    let workers = UnixDatagram::unbound().expect("a socket");
    workers.connect_addr(&SocketAddr::from_abstract_name(name).expect("a name")).expect("a listener");
    Sockets { ours, workers }
});

fuzz_target!(|message: &[u8]| {
    arrives_whole_or_is_not_trusted(message);
    let said = parse(message);
    let by_line: Vec<Said> = message.split(|&byte| byte == b'\n').flat_map(parse).collect();
    assert_eq!(said, by_line);
    for one in said {
        let line = line_of(&one);
        assert!(!line.contains('\n'));
        assert_eq!(parse(line.as_bytes()), [one]);
    }
});

fn arrives_whole_or_is_not_trusted(message: &[u8]) {
    let mut buffer = [0; BUFFER];
    SOCKETS.workers.send(message).expect("room in the socket");
    let received = receive(SOCKETS.ours.as_fd(), &mut buffer, None).expect("a message");
    let length = message.len().min(BUFFER);
    assert_eq!((received.length, &buffer[..length]), (length, &message[..length]));
    assert_eq!(received.sender == Sender::Trusted, message.len() <= BUFFER);
}

fn line_of(said: &Said) -> String {
    match said {
        Said::Ready => "READY=1".to_owned(),
        Said::Reloading => "RELOADING=1".to_owned(),
        Said::Stopping => "STOPPING=1".to_owned(),
        Said::Alive => "WATCHDOG=1".to_owned(),
        Said::Failing => "WATCHDOG=trigger".to_owned(),
        Said::WatchdogPeriod(period) => format!("WATCHDOG_USEC={}", period.as_micros()),
        Said::ExtendTimeout(by) => format!("EXTEND_TIMEOUT_USEC={}", by.as_micros()),
        Said::Status(status) => format!("STATUS={status}"),
        Said::MainPid(pid) => format!("MAINPID={pid}"),
    }
}
