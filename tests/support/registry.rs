//! An npm registry on the loopback interface: it has the tarballs that it was given, and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use super::release::succeed;

/// A running registry; it ends when dropped.
pub(crate) struct Registry {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

/// What it answers, by the path that is asked for.
type Answers = BTreeMap<String, Vec<u8>>;

impl Registry {
    /// Serves the packages in these files, each in its one version.
    pub(crate) fn with<P: AsRef<Path>>(tarballs: &[P]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Arc<Answers> =
            Arc::new(tarballs.iter().flat_map(|tarball| package(address, tarball.as_ref())).collect());
        let over = Arc::new(AtomicBool::new(false));
        let server = thread::spawn({
            let over = Arc::clone(&over);
            move || {
                while let Ok((connection, _)) = listener.accept() {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let answers = Arc::clone(&answers);
                    // A client that goes away is its own affair.
                    thread::spawn(move || drop(answer(connection, &answers)));
                }
            }
        });
        Self { address, over, server: Some(server) }
    }

    /// Its address, as package managers take it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes it up.
        drop(TcpStream::connect(self.address));
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }
}

/// What is told of a package, and the package itself.
fn package(address: SocketAddr, tarball: &Path) -> [(String, Vec<u8>); 2] {
    let manifest = succeed(Command::new("tar").arg("-xzOf").arg(tarball).arg("package/package.json"));
    let mut version: Value = serde_json::from_slice(&manifest.stdout).unwrap();
    let digest = "openssl dgst -sha512 -binary \"$0\" | openssl base64 -A";
    let digest = succeed(Command::new("sh").args(["-c", digest]).arg(tarball));
    let file = format!("/tarballs/{}", tarball.file_name().unwrap().to_str().unwrap());
    version["dist"] = json!({
        "tarball": format!("http://{address}{file}"),
        "integrity": format!("sha512-{}", String::from_utf8(digest.stdout).unwrap()),
    });
    let (name, number) =
        (version["name"].as_str().unwrap().to_owned(), version["version"].as_str().unwrap().to_owned());
    let told = json!({ "name": name, "dist-tags": { "latest": number }, "versions": { &number: version } });
    [(format!("/{name}"), told.to_string().into_bytes()), (file, fs::read(tarball).unwrap())]
}

fn answer(connection: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.replace("%2f", "/").replace("%2F", "/").replace("%40", "@");
    let (status, body) = match answers.get(&path) {
        Some(body) => ("200 OK", body.as_slice()),
        None => ("404 Not Found", b"{}".as_slice()),
    };
    let kind = if path.starts_with("/tarballs/") { "application/octet-stream" } else { "application/json" };
    let mut connection = connection;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes())?;
    connection.write_all(body)
}
