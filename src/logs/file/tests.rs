//! Tests of log files and their rotation.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A file in a directory of the test's, and the time that it is told.
struct World {
    directory: TempDir,
    file: RotatingFile,
    now: SystemTime,
}

impl World {
    fn new(max_bytes: Option<u64>, keep: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/app.log");
        let settings = FileSettings { path, max_bytes, max_age: None, keep };
        let now = SystemTime::UNIX_EPOCH;
        let file = RotatingFile::open(settings, now).unwrap();
        Self { directory, file, now }
    }

    fn write(&mut self, text: &str) -> Option<News> {
        self.file.write(text.as_bytes(), self.now, |lost| format!("lost {lost}\n").into_bytes())
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.directory.path().join("deep").join(name)).ok()
    }
}

#[test]
fn a_file_is_made_with_its_directories_for_owner_and_group_only() {
    let mut world = World::new(None, 1);
    assert!(world.write("one\n").is_none());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o007;
    assert_eq!(mode(world.file.path()), 0);
    assert_eq!(mode(world.file.path().parent().unwrap()), 0);
    assert_eq!(world.read("app.log").unwrap(), "one\n");
}

#[test]
fn an_old_file_is_added_to() {
    let world = World::new(None, 1);
    fs::write(world.file.path(), "old\n").unwrap();
    let mut file = RotatingFile::open(world.file.settings.clone(), world.now).unwrap();
    assert!(file.write(b"new\n", world.now, |_| Vec::new()).is_none());
    assert_eq!(world.read("app.log").unwrap(), "old\nnew\n");
}

#[test]
fn a_full_file_is_moved_aside_and_so_many_stay() {
    let mut world = World::new(Some(8), 2);
    for text in ["one\n", "two\nthree\n", "four\n", "five\n"] {
        assert!(world.write(text).is_none());
    }
    let names = ["app.log", "app.log.1", "app.log.2", "app.log.3"];
    let found = names.map(|name| world.read(name));
    assert_eq!(
        found,
        ["five\n", "four\n", "three\n"]
            .map(|text| Some(text.to_owned()))
            .into_iter()
            .chain([None])
            .collect::<Vec<_>>()[..]
    );
}

#[test]
fn a_line_is_not_cut_by_the_move() {
    let mut world = World::new(Some(8), 1);
    for text in ["begun ", "and long ", "and ended\nnext\n"] {
        world.write(text);
    }
    assert_eq!(world.read("app.log.1").unwrap(), "begun and long and ended\n");
    assert_eq!(world.read("app.log").unwrap(), "next\n");
}

#[test]
fn an_old_enough_file_is_moved_aside_when_more_is_written() {
    let mut world = World::new(None, 1);
    world.file.settings.max_age = Some(Duration::from_secs(3600));
    world.file.opened.as_mut().unwrap().born = world.now;
    world.write("yesterday\n");
    world.now += Duration::from_secs(3599);
    world.write("late\n");
    world.now += Duration::from_secs(1);
    world.write("today\n");
    assert_eq!(world.read("app.log.1").unwrap(), "yesterday\nlate\n");
    assert_eq!(world.read("app.log").unwrap(), "today\n");
}

#[test]
fn with_none_to_keep_the_file_begins_anew() {
    let mut world = World::new(Some(8), 0);
    world.write("one\n");
    world.write("three\n");
    assert_eq!((world.read("app.log").unwrap(), world.read("app.log.1")), ("three\n".to_owned(), None));
}

#[test]
fn a_file_can_be_emptied() {
    let mut world = World::new(None, 1);
    world.write("one\ntw");
    world.file.truncate().unwrap();
    world.write("new\n");
    assert_eq!(world.read("app.log").unwrap(), "new\n");
}

#[test]
fn a_file_that_somebody_moved_away_is_made_anew() {
    let mut world = World::new(None, 1);
    world.write("one\n");
    let moved = world.directory.path().join("moved");
    fs::rename(world.file.path(), &moved).unwrap();
    world.write("soon\n");
    world.file.reopen(world.now).unwrap();
    world.write("asked\n");
    assert_eq!(fs::read_to_string(&moved).unwrap(), "one\nsoon\n");
    fs::rename(world.file.path(), &moved).unwrap();
    world.now += LOOK;
    world.write("noticed\n");
    assert_eq!(fs::read_to_string(&moved).unwrap(), "asked\n");
    assert_eq!(world.read("app.log").unwrap(), "noticed\n");
}

#[test]
fn a_directory_that_vanished_is_made_anew() {
    let mut world = World::new(Some(8), 2);
    world.write("one\n");
    fs::remove_dir_all(world.file.path().parent().unwrap()).unwrap();
    assert!(world.write("three\n").is_none());
    assert_eq!(world.read("app.log").unwrap(), "three\n");
}

#[test]
fn what_a_full_disk_does_not_take_is_counted_and_told() {
    let mut world = World::new(None, 1);
    let path = world.file.path().to_owned();
    fs::remove_file(&path).unwrap();
    symlink("/dev/full", &path).unwrap();
    world.now += LOOK;
    assert!(matches!(world.write("one\n"), Some(News::Failed(_))));
    assert!(world.write("two\nthr").is_none(), "told twice");
    fs::remove_file(&path).unwrap();
    world.now += LOOK;
    assert!(matches!(world.write("ee\nfour\n"), Some(News::Recovered(3))));
    assert_eq!(world.read("app.log").unwrap(), "lost 3\nfour\n");
}

#[test]
fn a_file_that_cannot_be_moved_goes_on() {
    let mut world = World::new(Some(8), 1);
    world.write("one\n");
    fs::create_dir_all(world.file.path().with_file_name("app.log.1/in the way")).unwrap();
    assert!(matches!(world.write("three\n"), Some(News::NotMoved(_))));
    assert!(world.write("four\n").is_none(), "told twice");
    assert_eq!(world.read("app.log").unwrap(), "one\nthree\nfour\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn all_files_together_hold_what_was_written_each_whole_lines(
        pieces in prop::collection::vec("[ab\n]{1,12}", 1..30), max in 1..20_u64,
    ) {
        let mut world = World::new(Some(max), 1000);
        for piece in &pieces {
            prop_assert!(world.write(piece).is_none());
        }
        let mut texts = vec![world.read("app.log").unwrap()];
        texts.extend((1..).map_while(|number| world.read(&format!("app.log.{number}"))));
        texts.reverse();
        let (last, whole) = texts.split_last().unwrap();
        for text in whole.iter().chain([last]) {
            // How long the last line would be was not known when it was begun.
            let before_last = text.trim_end_matches('\n').rfind('\n').map_or(0, |at| at + 1);
            prop_assert!(text.len() as u64 <= max || before_last as u64 <= max, "{:?}", text);
        }
        prop_assert!(whole.iter().all(|text| text.ends_with('\n')));
        prop_assert_eq!(texts.concat(), pieces.concat());
    }
}
