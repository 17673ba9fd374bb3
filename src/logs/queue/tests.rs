//! Tests of the queue between pumps and writer.

use std::sync::Arc;

use super::*;

const A: SourceId = SourceId(1);
const B: SourceId = SourceId(2);

fn push(queue: &Queue, source: SourceId, bytes: &[u8]) {
    let taken = queue.push_some(source, Kind::Line, b"> ", bytes);
    assert_eq!(taken, bytes.len());
}

fn own(queue: &Queue, line: &str) {
    queue.push_own(line.as_bytes(), |lost| format!("lost {lost}\n").into_bytes());
}

fn takes(queue: &Queue, batch: &mut Vec<u8>) -> bool {
    matches!(queue.take(batch), Taken::Batch)
}

/// Everything there is, as text. Ends the queue.
fn written(queue: &Queue) -> String {
    queue.finish();
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    while takes(queue, &mut batch) {
        all.extend_from_slice(&batch);
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn a_line_that_goes_on_gets_no_second_prefix() {
    let queue = Queue::new();
    push(&queue, A, b"one");
    push(&queue, A, b"!\n");
    push(&queue, B, b"two\n");
    assert_eq!(written(&queue), "> one!\n> two\n");
}

#[test]
fn a_line_left_open_is_ended_only_when_somebody_else_follows() {
    let queue = Queue::new();
    push(&queue, A, b"one");
    queue.end_source(A);
    push(&queue, B, b"two");
    assert_eq!(written(&queue), "> one\n> two");
}

#[test]
fn our_own_line_waits_for_the_end_of_a_workers() {
    let queue = Queue::new();
    push(&queue, A, b"on");
    own(&queue, "ours\n");
    push(&queue, A, b"e\ntw");
    assert_eq!(written(&queue), "> one\nours\ntw");
}

#[test]
fn our_own_line_does_not_wait_for_a_source_that_has_ended() {
    let queue = Queue::new();
    push(&queue, A, b"one");
    own(&queue, "ours\n");
    queue.end_source(A);
    let mut batch = Vec::new();
    assert!(takes(&queue, &mut batch));
    assert_eq!(batch, b"> one\nours\n");
}

#[test]
fn our_own_line_interrupts_a_line_that_stays_silent() {
    let queue = Queue::new();
    push(&queue, A, b"name? ");
    let mut batch = Vec::new();
    assert!(takes(&queue, &mut batch));
    own(&queue, "ours\n");
    assert!(takes(&queue, &mut batch));
    assert_eq!(batch, b"\nours\n");
    push(&queue, A, b"again");
    assert_eq!(written(&queue), "> again");
}

#[test]
fn our_own_lines_are_counted_when_there_is_no_room() {
    let queue = Queue::new();
    push(&queue, A, b"open");
    let long = format!("{}\n", "x".repeat(OWN_FULL / 4));
    (0..5).for_each(|_| own(&queue, &long));
    push(&queue, A, b"\n");
    own(&queue, "last\n");
    let text = written(&queue);
    assert_eq!(text.matches("xx\n").count(), 3);
    assert!(text.ends_with("\nlost 2\nlast\n"), "{}", &text[text.len() - 40..]);
}

#[test]
fn a_full_queue_takes_nothing_until_it_is_emptied() {
    let queue = Queue::new();
    let mut taken = 0;
    loop {
        match queue.push_some(A, Kind::Line, b"", &[b'x'; 3 * PIECE]) {
            0 => break,
            more => taken += more,
        }
    }
    assert!((FULL..FULL + PIECE).contains(&taken), "{taken}");
    assert!(takes(&queue, &mut Vec::new()));
    push(&queue, A, b"x");
}

#[test]
fn a_closed_queue_swallows_everything_and_ends_its_writer() {
    let queue = Queue::new();
    push(&queue, A, b"gone\n");
    queue.close();
    push(&queue, A, b"gone too\n");
    own(&queue, "ours\n");
    assert!(!takes(&queue, &mut Vec::new()));
}

#[test]
fn a_waiting_writer_is_woken_by_bytes() {
    let queue = Arc::new(Queue::new());
    let writer = std::thread::spawn({
        let queue = Arc::clone(&queue);
        move || {
            let mut batch = Vec::new();
            takes(&queue, &mut batch).then_some(batch)
        }
    });
    push(&queue, A, b"x\n");
    assert_eq!(writer.join().unwrap(), Some(b"> x\n".to_vec()));
}
