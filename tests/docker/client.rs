//! The least of an HTTP client: one request, one connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// No answer in a test takes longer, the slow one included.
const ANSWER: Duration = Duration::from_secs(30);

/// Asks for `path` on a new connection; gives the whole answer, headers included.
pub(crate) fn get(port: u16, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The pid that the server on `port` names in its answer; none while it does not answer.
pub(crate) fn answering_pid(port: u16) -> Option<u32> {
    let answer = get(port, "/").ok()?;
    let (_, rest) = answer.split_once("\"pid\":")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
