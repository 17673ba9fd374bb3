//! Log files beside our own output, and lines that look different for one app.

use std::fs;

use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::*;
use crate::logs::{AppLook, Destination, FileSettings};

fn file(directory: &TempDir, name: &str) -> FileSettings {
    FileSettings { path: directory.path().join(name), max_bytes: None, max_age: None, keep: 1 }
}

fn to(file: &FileSettings) -> Outputs {
    Outputs::to_files(settings(Format::Raw), Some(file.clone()), Some(file.clone())).unwrap().0
}

/// A worker that writes to `outputs`, and both streams to `copy` as well.
fn attach(outputs: &Outputs, copy: &Outputs) -> Worker {
    let source = Source { app: AppId(0), name: "web", instance: InstanceId(0), pid: Pid::new(42) };
    let (out, stdout) = std::io::pipe().unwrap();
    let (err, stderr) = std::io::pipe().unwrap();
    let pipe = |own: PipeReader, stream| {
        let (end, copied) = std::io::pipe().unwrap();
        copy.attach_copy(source, stream, end.into()).unwrap();
        WorkerPipe { own: own.into(), copies: vec![copied.into()] }
    };
    let logs = outputs.attach(source, pipe(out, Stream::Stdout), pipe(err, Stream::Stderr)).unwrap();
    Worker { stdout, stderr, logs }
}

#[test]
fn a_file_gets_whole_lines_while_our_output_gets_bytes_at_once() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let (world, settings) =
            (World::new(Settings { sole_source: true, ..settings(Format::Raw) }), file(&directory, "a.log"));
        let copy = to(&settings);
        let mut worker = attach(&world.outputs, &copy);
        let long = "x".repeat(300_000);
        let reader = reading(world.stdout);
        worker.stdout.write_all(b"beg").unwrap();
        worker.stderr.write_all(b"oops\n").unwrap();
        until(|| fs::read_to_string(&settings.path).is_ok_and(|text| text == "oops\n")).await;
        let writer =
            writing(worker.stdout, vec![b"un\n".to_vec(), long.clone().into_bytes(), b"\nlast".to_vec()]);
        joined(writer).await;
        drop(worker.stderr);
        worker.logs.drain().await;
        assert_eq!(reader.text(2, world.outputs).await, format!("begun\n{long}\nlast"));
        assert!(copy.finish_at_their_end(LIMIT).await);
        let text = fs::read_to_string(&settings.path).unwrap();
        assert_eq!(text, format!("oops\nbegun\n{long}\nlast"));
    });
}

#[test]
fn a_file_and_our_output_go_on_in_the_next_program() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let (world, file) = (World::new(settings(Format::Raw)), file(&directory, "a.log"));
        let copy = to(&file);
        let Worker { mut stdout, stderr, logs } = attach(&world.outputs, &copy);
        stdout.write_all(b"one\nt").unwrap();
        until(|| logs.tail().len() == 2).await;
        let state = world.outputs.suspend(LIMIT).await.unwrap().leave();
        let of_copy = copy.suspend(LIMIT).await.unwrap().leave();
        drop((world.outputs, copy));
        let destination = Destination::Files { out: Some(file.clone()), err: Some(file.clone()) };
        let copy = Outputs::resume(settings(Format::Raw), destination, of_copy).unwrap().outputs;
        let (out, err) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
        let destination = Destination::Descriptors { stdout: out.1.into(), stderr: err.1.into() };
        let resumed = Outputs::resume(settings(Format::Raw), destination, state).unwrap();
        stdout.write_all(b"wo\n").unwrap();
        drop((stdout, stderr));
        resumed.workers[0].1.drain().await;
        assert!(resumed.outputs.finish(LIMIT).await && copy.finish_at_their_end(LIMIT).await);
        assert_eq!((all(world.stdout), all(out.0)), ("one\n".to_owned(), "two\n".to_owned()));
        assert_eq!(fs::read_to_string(&file.path).unwrap(), "one\ntwo\n");
    });
}

#[test]
fn what_is_for_no_file_is_kept_for_who_asks() {
    run(async {
        let (outputs, _closed) = Outputs::to_files(settings(Format::Raw), None, None).unwrap();
        let mut worker = Worker::attach(&outputs, 0);
        worker.stdout.write_all(b"seen\n").unwrap();
        worker.end().await;
        assert_eq!(outputs.history(AppId(0), &crate::logs::Filter::default(), 9)[0].text, "seen");
        assert!(outputs.finish(LIMIT).await);
    });
}

#[test]
fn one_app_may_have_the_time_before_its_lines_or_json() {
    run(async {
        let world = World::new(settings(Format::Raw));
        let dated = |form: &str| AppLook { date: Some(DateFormat::new(form, TimeZone::UTC)), format: None };
        world.outputs.set_look(AppId(0), dated("[at] YYYY"));
        let mut worker = Worker::attach(&world.outputs, 0);
        worker.stdout.write_all(b"one\n\ntwo\n").unwrap();
        until(|| worker.logs.tail().len() == 3).await;
        until(|| world.outputs.stdout.queue.state().open.is_none()).await;
        world.outputs.set_look(AppId(0), AppLook { format: Some(Format::Json), date: None });
        worker.stderr.write_all(b"three\n").unwrap();
        worker.end().await;
        let (out, err) = world.written().await;
        let lines: Vec<_> = out.lines().map(|line| line.split_once(": ").unwrap()).collect();
        assert_eq!(lines.iter().map(|(_, line)| *line).collect::<Vec<_>>(), ["one", "", "two"]);
        assert!(lines.iter().all(|(date, _)| date.starts_with("at 20")), "{out}");
        let object: serde_json::Value = serde_json::from_str(&err).unwrap();
        assert_eq!((&object["message"], &object["level"]), (&"three".into(), &"error".into()));
    });
}
