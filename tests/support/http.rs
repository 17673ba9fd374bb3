//! A small HTTP/1.1 client: enough to ask a test's server something, with a deadline on everything.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::wait::DEADLINE;

/// One connection, kept alive as long as the server likes.
pub(crate) struct Connection<S: Read + Write> {
    stream: BufReader<S>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Connection<TcpStream> {
    /// Connects to 127.0.0.1.
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        let stream = connect(port)?;
        Ok(Self { stream: BufReader::new(stream) })
    }
}

impl Connection<UnixStream> {
    pub(crate) fn open_unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }
}

/// A TCP connection to 127.0.0.1 whose reads and writes have a deadline.
pub(crate) fn connect(port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

impl<S: Read + Write> Connection<S> {
    /// Asks for `path` and reads the whole answer; the connection stays open if the server keeps it.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Response> {
        self.send(path, "keep-alive")?;
        self.receive()
    }

    /// Sends the request alone. `connection` is the header of that name.
    pub(crate) fn send(&mut self, path: &str, connection: &str) -> io::Result<()> {
        self.send_request("GET", path, &format!("Connection: {connection}\r\n"), "")
    }

    /// Sends any request; `headers` are whole lines.
    pub(crate) fn send_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<()> {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes())
    }

    /// Posts `body` and reads the whole answer.
    pub(crate) fn post(&mut self, path: &str, body: &str) -> io::Result<Response> {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        self.stream.get_mut().write_all((head + body).as_bytes())?;
        self.receive()
    }

    /// Reads an answer.
    pub(crate) fn receive(&mut self) -> io::Result<Response> {
        let mut response = self.receive_head()?;
        let body = self.body(&response)?;
        response.body = String::from_utf8(body).map_err(|error| invalid(error.to_string()))?;
        Ok(response)
    }

    /// Reads an answer as far as its body.
    pub(crate) fn receive_head(&mut self) -> io::Result<Response> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| invalid(format!("no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| invalid(format!("no header: {line:?}")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Response { status, headers, body: String::new() })
    }

    fn body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if response.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            while self.chunk(&mut body)? {}
            return Ok(body);
        }
        match response.header("content-length").map(str::parse) {
            Some(Ok(length)) => self.exactly(length, &mut body)?,
            Some(Err(_)) => return Err(invalid("no content length".to_owned())),
            None => drop(self.stream.read_to_end(&mut body)?),
        }
        Ok(body)
    }

    /// Adds a chunk of a body to `body`; answers whether there was one.
    pub(crate) fn chunk(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let size = self.line()?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid(format!("no chunk size: {size:?}")))?;
        self.exactly(size, body)?;
        self.line()?;
        Ok(size > 0)
    }

    fn exactly(&mut self, count: u64, body: &mut Vec<u8>) -> io::Result<()> {
        let read = (&mut self.stream).take(count).read_to_end(body)?;
        if read as u64 == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// A line without its end. The end of the stream instead of one is an error.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// Asks for `path` over a connection of its own and gives the body of a 200.
pub(crate) fn get(port: u16, path: &str) -> io::Result<String> {
    let mut connection = Connection::open(port)?;
    connection.send(path, "close")?;
    expect_ok(connection.receive()?)
}

/// The same over a Unix-domain socket.
pub(crate) fn get_unix(socket: &Path, path: &str) -> io::Result<String> {
    let mut connection = Connection::open_unix(socket)?;
    connection.send(path, "close")?;
    expect_ok(connection.receive()?)
}

fn expect_ok(response: Response) -> io::Result<String> {
    if response.status == 200 { Ok(response.body) } else { Err(invalid(format!("{response:?}"))) }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
