//! Node's cluster protocol with real workers: each test runs with every `node` that there is.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test, its helpers too")]

#[path = "../support/ports.rs"]
mod ports;
mod primary;

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use pmr_runtime::handover::cluster::recognise::{Recognised, recognise};
use pmr_runtime::handover::cluster::spawn::Membership;
use pmr_runtime::handover::cluster::{FromWorker, ServersLeft, Taken};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use ports::free_port;
use primary::{Sharing, ask, get, output, with_each_node};

/// Answers with its pid, and says the port.
const SERVER: &str = "
    const server = require('http').createServer((_, answer) => answer.end(String(process.pid)));
    server.listen(PORT, () => process.send({ pid: process.pid, port: server.address().port }));
    process.on('message', (message) => { if (message === 'close') server.close(); });
";

fn server(port: u16) -> String {
    SERVER.replace("PORT", &port.to_string())
}

fn port(said: &Value) -> u16 {
    said["port"].as_u64().unwrap().try_into().unwrap()
}

fn raw(value: &impl serde::Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

#[test]
fn two_workers_share_a_port_and_one_goes_on_when_the_other_leaves() {
    with_each_node(|mut primary| async move {
        let wanted = free_port();
        let (one, two) = (primary.start(&server(wanted)), primary.start(&server(wanted)));
        let mut pids = Vec::new();
        let mut listening = 0;
        while pids.len() < 2 || listening < 2 {
            match primary.next().await {
                (worker, FromWorker::Said(json)) => {
                    let said: Value = serde_json::from_str(json.get()).unwrap();
                    assert_eq!(port(&said), wanted);
                    pids.push((said["pid"].to_string(), worker));
                }
                (_, FromWorker::Listening(found)) => {
                    assert_eq!(found.port, Some(i32::from(wanted)));
                    listening += 1;
                }
                (_, FromWorker::Online | FromWorker::Wants { .. }) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
        let first = get(wanted).unwrap();
        let (_, answered) = pids.iter().find(|(pid, _)| *pid == first).unwrap();
        assert!([one, two].contains(answered));
        primary.link(*answered).disconnect();
        primary.ended(*answered).await;
        assert!(primary.link(*answered).has_no_server());
        assert_eq!(primary.exit(*answered).await.code(), Some(0));
        let second = get(wanted).unwrap();
        assert!(second != first && pids.iter().any(|(pid, _)| *pid == second));
    });
}

#[test]
fn a_module_with_imports_is_a_worker_too() {
    with_each_node(|mut primary| async move {
        std::fs::write(primary.directory.path().join("package.json"), r#"{"type":"module"}"#).unwrap();
        let worker = primary.start(
            "import http from 'node:http';
            import cluster from 'node:cluster';
            const server = http.createServer((_, answer) => answer.end(String(cluster.worker.id)));
            server.listen(0, '127.0.0.1', () => process.send(server.address()));",
        );
        let said = primary.said(worker).await;
        assert_eq!(get(port(&said)).unwrap(), worker.to_string());
    });
}

#[test]
fn tls_sessions_begun_with_one_worker_are_resumed_by_another() {
    with_each_node(|mut primary| async move {
        primary.sharing = Sharing::OneEach;
        let directory = primary.directory.path().to_owned();
        let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem \
            -out certificate.pem -subj /CN=localhost -days 2";
        output("openssl", &request.split_whitespace().collect::<Vec<_>>(), &directory);
        let script = "
            const [key, cert] = ['key.pem', 'certificate.pem'].map((name) => require('fs').readFileSync(name));
            const server = require('https').createServer({ key, cert }, (_, answer) => answer.end('secret'));
            server.listen(0, '127.0.0.1', () => process.send(server.address()));";
        let (one, two) = (primary.start(script), primary.start(script));
        let (mut ports, mut workers) = (Vec::new(), Vec::new());
        while ports.len() < 2 {
            if let (worker, FromWorker::Said(json)) = primary.next().await {
                ports.push(port(&serde_json::from_str(json.get()).unwrap()));
                workers.push(worker);
            }
        }
        assert!(ports[0] != ports[1] && workers.contains(&one) && workers.contains(&two));
        let session = |port: u16, option: &str| {
            let to = format!("127.0.0.1:{port}");
            output("openssl", &["s_client", "-tls1_2", "-connect", &to, option, "session.pem"], &directory)
        };
        assert!(session(ports[0], "-sess_out").contains("New, TLSv1.2"));
        let resumed = session(ports[1], "-sess_in");
        assert!(resumed.contains("Reused, TLSv1.2"), "{resumed}");
    });
}

#[test]
fn http2_is_served() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(
            "const server = require('http2').createServer((_, answer) => answer.end('two'));
            server.listen(0, '127.0.0.1', () => process.send(server.address()));",
        );
        let port = port(&primary.said(worker).await);
        let client = format!(
            "const session = require('http2').connect('http://127.0.0.1:{port}');
            const request = session.request();
            request.on('data', (chunk) => process.stdout.write(chunk));
            request.on('close', () => session.close());"
        );
        assert_eq!(output(&primary.node, &["-e", &client], primary.directory.path()), "two");
    });
}

#[test]
fn udp_is_served() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(
            "const socket = require('dgram').createSocket('udp4');
            socket.on('message', (message, from) => socket.send(message, from.port, from.address));
            socket.bind(0, '127.0.0.1', () => process.send(socket.address()));",
        );
        let port = port(&primary.said(worker).await);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client.send_to(b"echo", ("127.0.0.1", port)).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(client.recv(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"echo");
    });
}

#[test]
fn a_unix_socket_is_served_and_its_path_is_absolute() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(
            "const server = require('http').createServer((_, answer) => answer.end('local'));
            server.listen('app.sock', () => process.send('up'));",
        );
        assert_eq!(primary.said(worker).await, "up");
        let connection = UnixStream::connect(primary.directory.path().join("app.sock")).unwrap();
        assert_eq!(ask(connection).unwrap(), "local");
    });
}

#[test]
fn free_ports_of_one_worker_are_different_and_those_of_two_are_the_same() {
    with_each_node(|mut primary| async move {
        let script = "
            const { createServer } = require('net');
            const [one, two] = [createServer(), createServer()];
            one.listen(0, () => two.listen(0, () => process.send([one.address().port, two.address().port])));";
        let first = primary.start(script);
        let ports = primary.said(first).await;
        assert_ne!(ports[0], ports[1]);
        let second = primary.start(script);
        assert_eq!(primary.said(second).await, ports);
    });
}

#[test]
fn a_port_that_the_same_worker_has_is_in_use() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(
            &"const { createServer } = require('net');
            createServer().listen(PORT, () => createServer().listen(PORT).on('error', ({ code, errno, syscall }) =>
                process.send({ code, errno, syscall })));"
                .replace("PORT", &free_port().to_string()),
        );
        let said = primary.said(worker).await;
        assert_eq!(said, json!({"code": "EADDRINUSE", "errno": -98, "syscall": "bind"}));
    });
}

#[test]
fn a_port_that_somebody_else_has_is_in_use() {
    with_each_node(|mut primary| async move {
        let taken = TcpListener::bind("[::]:0").unwrap();
        let script =
            "require('tls').createServer().listen(PORT).on('error', ({ code }) => process.send(code));";
        let worker = primary.start(&script.replace("PORT", &taken.local_addr().unwrap().port().to_string()));
        assert_eq!(primary.said(worker).await, "EADDRINUSE");
    });
}

#[test]
fn a_server_can_be_closed_and_listen_again() {
    with_each_node(|mut primary| async move {
        let wanted = free_port();
        let worker = primary.start(
            &"const server = require('http').createServer((_, answer) => answer.end('again'));
            server.listen(PORT, () => server.close(() => server.listen(PORT, () => process.send('up'))));"
                .replace("PORT", &wanted.to_string()),
        );
        let left = primary
            .until(worker, |event| match event {
                FromWorker::Closed { left, .. } => Some(*left),
                _ => None,
            })
            .await;
        assert_eq!(left, ServersLeft::None);
        assert_eq!(primary.said(worker).await, "up");
        assert!(!primary.link(worker).has_no_server());
        assert_eq!(get(wanted).unwrap(), "again");
    });
}

#[test]
fn a_worker_that_disconnects_finishes_what_it_answers() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(
            "const server = require('http').createServer((_, answer) => {
                process.send('busy');
                setTimeout(() => answer.end('late'), 300);
            });
            server.listen(0, () => process.send(server.address()));",
        );
        let port = port(&primary.said(worker).await);
        let client = thread::spawn(move || get(port));
        assert_eq!(primary.said(worker).await, "busy");
        primary.link(worker).disconnect();
        primary.ended(worker).await;
        assert_eq!(primary.exit(worker).await.code(), Some(0));
        assert_eq!(client.join().unwrap().unwrap(), "late");
    });
}

#[test]
fn a_worker_whose_app_only_closed_its_server_exits_when_told_to_disconnect() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(&server(0));
        primary.said(worker).await;
        assert_eq!(primary.link(worker).send(&raw(&"close")), Taken::Queued);
        primary.until(worker, |event| matches!(event, FromWorker::Closed { .. }).then_some(())).await;
        primary.link(worker).disconnect();
        primary.ended(worker).await;
        assert_eq!(primary.exit(worker).await.code(), Some(0));
    });
}

#[test]
fn a_worker_that_leaves_of_its_own_accord_is_let_go() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(
            "const server = require('net').createServer();
            server.listen(0, () => require('cluster').worker.disconnect());",
        );
        primary.until(worker, |event| matches!(event, FromWorker::Leaving).then_some(())).await;
        primary.ended(worker).await;
        assert_eq!(primary.exit(worker).await.code(), Some(0));
    });
}

#[test]
fn a_killed_worker_ends_its_channel() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(&server(0));
        primary.said(worker).await;
        primary.kill(worker);
        primary.ended(worker).await;
        assert_eq!(primary.link(worker).send(&raw(&"hello")), Taken::Refused);
    });
}

#[test]
fn a_dropped_handle_leaves_the_worker_alive() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(
            "const server = require('http').createServer((_, answer) => answer.end('alive'));
            server.listen(0, () => process.send(server.address()));
            process.on('disconnect', () => process.abort());",
        );
        let port = port(&primary.said(worker).await);
        primary.drop_link(worker);
        // A task that ended with its handle would do so in this turn.
        tokio::task::yield_now().await;
        assert_eq!(get(port).unwrap(), "alive");
        primary.kill(worker);
        primary.ended(worker).await;
    });
}

#[test]
fn a_connection_that_we_accepted_is_served_by_a_worker() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(&server(0));
        let server = primary
            .until(worker, |event| match event {
                FromWorker::Wants { query, .. } => Some(query.server()),
                _ => None,
            })
            .await;
        let pid = primary.said(worker).await["pid"].to_string();
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(elsewhere.local_addr().unwrap()).unwrap();
        let (connection, _) = elsewhere.accept().unwrap();
        connection.set_nonblocking(true).unwrap();
        let connection = Rc::new(OwnedFd::from(connection));
        let number = primary.link(worker).hand_connection(server, Rc::clone(&connection)).unwrap();
        let (seq, taken) = primary
            .until(worker, |event| match event {
                FromWorker::Connection { seq, taken } => Some((*seq, *taken)),
                _ => None,
            })
            .await;
        assert_eq!((seq, taken), (number, true));
        drop(connection);
        assert_eq!(ask(client).unwrap(), pid);
    });
}

#[test]
fn a_megabyte_goes_each_way() {
    with_each_node(|mut primary| async move {
        let worker = primary.start("process.on('message', (text) => process.send(text + '!'));");
        let text = "é".repeat(1 << 19);
        assert_eq!(primary.link(worker).send(&raw(&text)), Taken::Queued);
        assert_eq!(primary.said(worker).await, format!("{text}!"));
    });
}

#[test]
fn a_flood_of_messages_arrives_whole_and_in_order() {
    with_each_node(|mut primary| async move {
        let worker =
            primary.start("for (let i = 0; i < 20000; i++) process.send({ i, text: 'x'.repeat(i % 100) });");
        for i in 0..20_000 {
            assert_eq!(primary.said(worker).await["i"], i);
        }
    });
}

#[test]
fn an_app_that_sends_a_socket_is_not_silenced() {
    with_each_node(|mut primary| async move {
        let worker = primary.start(
            "const server = require('net').createServer();
            server.listen({ port: 0, exclusive: true }, () => {
                process.send('take this', server);
                process.send('and this');
            });",
        );
        assert_eq!(primary.said(worker).await, "take this");
        assert_eq!(primary.said(worker).await, "and this");
    });
}

#[test]
fn a_worker_with_messages_only_is_no_cluster_worker_and_ends_by_itself() {
    with_each_node(|mut primary| async move {
        let worker = primary.start_as(
            Membership::MessagesOnly,
            "process.send(require('cluster').isWorker); process.send('ready'); process.send(
                Object.keys(process.env).filter((name) => /^NODE_(CHANNEL|UNIQUE)/.test(name)));",
        );
        assert_eq!(primary.said(worker).await, false);
        assert_eq!(primary.said(worker).await, "ready");
        assert_eq!(primary.said(worker).await, json!([]));
        primary.ended(worker).await;
        assert_eq!(primary.exit(worker).await.code(), Some(0));
    });
}

/// These take a value in some versions: the first in Node 18 only, the second since 22 (it was V8's before, and a value
/// of its own word an error).
const VARYING: [&str; 2] = ["--experimental-specifier-resolution", "--stack-trace-limit"];

#[test]
fn options_take_values_where_node_says_so() {
    let list = "
        const { internalBinding } = require('internal/test/binding');
        const binding = internalBinding('options');
        const { options } = (binding.getCLIOptionsInfo ?? binding.getCLIOptions)();
        const none = ['kBoolean', 'kNoOp', 'kV8Option'].map((name) => binding.types[name]);
        for (const [name, { type }] of options) console.log(name, !none.includes(type));";
    with_each_node(|primary| async move {
        let file = primary.directory.path().join("list.js");
        std::fs::write(&file, list).unwrap();
        let arguments = ["--no-warnings", "--expose-internals", file.to_str().unwrap()];
        let listed = output(&primary.node, &arguments, primary.directory.path());
        assert!(listed.lines().count() > 100, "{listed}");
        for line in listed.lines() {
            let (option, takes_value) = line.split_once(' ').unwrap();
            if !option.starts_with("--") || option == "--" || VARYING.contains(&option) {
                continue;
            }
            let words = [option.into(), "first".into(), "second".into()];
            let script = if takes_value == "true" { "second" } else { "first" };
            let found = recognise("node".as_ref(), &words);
            let expected = [Recognised::Script(script.into()), Recognised::NotAScript];
            assert!(expected.contains(&found), "{option} {takes_value}: {found:?}");
        }
    });
}
