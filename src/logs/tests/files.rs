//! Output to log files, and times before lines.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::logs::FileSettings;

fn file(directory: &TempDir, name: &str) -> FileSettings {
    let path = directory.path().join(name);
    FileSettings { path, max_bytes: Some(1000), max_age: None, keep: 100 }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn each_stream_has_its_file_and_our_messages_are_in_that_of_stderr() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let (out, err) = (file(&directory, "out.log"), file(&directory, "err.log"));
        let (outputs, _closed) =
            Outputs::to_files(settings(Format::Text), Some(out.clone()), Some(err.clone())).unwrap();
        let mut worker = Worker::attach(&outputs, 0);
        worker.stdout.write_all(b"hello\n").unwrap();
        worker.stderr.write_all(b"oops\n").unwrap();
        worker.end().await;
        let subscriber = outputs.subscriber(LevelFilter::INFO);
        tracing::subscriber::with_default(subscriber, || tracing::info!("worker ready"));
        assert!(outputs.finish(LIMIT).await);
        assert_eq!(read(&out.path), "web.0 | hello\n");
        assert_eq!(read(&err.path), "web.0 | oops\npmr: worker ready\n");
    });
}

#[test]
fn one_file_for_both_is_rotated_with_whole_lines_and_nothing_missing() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let one = file(&directory, "all.log");
        let (outputs, _closed) =
            Outputs::to_files(settings(Format::Raw), Some(one.clone()), Some(one.clone())).unwrap();
        let Worker { stdout, stderr, logs } = Worker::attach(&outputs, 0);
        let writers = [(b'o', stdout), (b'e', stderr)]
            .map(|(letter, pipe)| writing(pipe, vec![[vec![letter; 99], vec![b'\n']].concat(); 300]));
        for writer in writers {
            joined(writer).await;
        }
        logs.drain().await;
        assert!(outputs.finish(LIMIT).await);
        let texts: Vec<String> =
            fs::read_dir(directory.path()).unwrap().map(|entry| read(&entry.unwrap().path())).collect();
        assert_eq!(texts.len(), 60);
        assert!(texts.iter().all(|text| text.len() == 1000));
        let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
        assert!(
            lines.iter().all(|line| line.len() == 99 && line.bytes().all(|byte| byte == line.as_bytes()[0]))
        );
    });
}

#[test]
fn files_are_emptied_and_opened_anew_between_lines() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let (out, err) = (file(&directory, "out.log"), file(&directory, "err.log"));
        let (outputs, _closed) =
            Outputs::to_files(settings(Format::Raw), Some(out.clone()), Some(err)).unwrap();
        let mut worker = Worker::attach(&outputs, 0);
        worker.stdout.write_all(b"one\n").unwrap();
        until(|| read(&out.path) == "one\n").await;
        outputs.truncate_files().await.unwrap();
        assert_eq!(read(&out.path), "");
        fs::rename(&out.path, directory.path().join("moved")).unwrap();
        outputs.reopen_files().await.unwrap();
        worker.stdout.write_all(b"two\n").unwrap();
        until(|| read(&out.path) == "two\n").await;
        fs::remove_dir_all(directory.path()).unwrap();
        fs::write(directory.path(), "in the way").unwrap();
        assert!(outputs.reopen_files().await.is_err());
        fs::remove_file(directory.path()).unwrap();
        worker.end().await;
        assert!(outputs.finish(LIMIT).await);
    });
}

#[test]
fn a_time_stands_before_every_line_where_it_is_wanted() {
    run(async {
        for (format, name) in [(Format::Raw, ""), (Format::Text, "web.0 | ")] {
            let world = World::new(Settings { line_times: true, ..settings(format) });
            let mut worker = Worker::attach(&world.outputs, 0);
            worker.stdout.write_all(b"one\ntwo\n").unwrap();
            worker.end().await;
            let (text, _) = world.written().await;
            let rests: Vec<&str> = text.lines().map(|line| line.split_at(25).1).collect();
            assert_eq!(rests, [format!("{name}one"), format!("{name}two")], "{text}");
            assert!(text.lines().all(|line| line.as_bytes()[23] == b'Z'), "{text}");
        }
    });
}
