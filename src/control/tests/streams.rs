//! Server-sent events, and the end of them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::client::{connect, events, get, stream, unchunk};
use super::world::{LIMIT, World, run};
use crate::api::types::LogView;
use crate::control::samples;
use crate::driver::handle::Live;

/// A stream under way.
struct Open {
    connection: UnixStream,
    text: String,
}

impl Open {
    async fn get(world: &World, path: &str) -> Self {
        let mut connection = connect(&world.place);
        let request = format!("GET {path} HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut open = Self { connection, text: String::new() };
        while !open.text.contains("\r\n\r\n") {
            assert!(open.read().await, "the stream has ended");
        }
        assert!(open.text.starts_with("HTTP/1.1 200"), "{}", open.text);
        open
    }

    /// False at the end.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let length = self.connection.read(&mut buffer).await.unwrap();
        self.text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        length > 0
    }

    fn body(&self) -> String {
        unchunk(self.text.split_once("\r\n\r\n").unwrap().1)
    }

    async fn wait_for_end(&mut self) {
        while !self.text.ends_with("\r\n0\r\n\r\n") {
            assert!(self.read().await, "the end is missing in {}", self.text);
        }
    }

    async fn wait_for(&mut self, text: &str) {
        while !self.body().contains(text) {
            assert!(self.read().await, "no `{text}` in {}", self.text);
        }
    }
}

#[test]
fn a_change_shows_its_progress_and_ends_with_the_verdict() {
    run(async |world| {
        let reply = stream(&world.place, "POST", "/v1/apps/web/reload", "").await;
        let found = reply.events();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["progress", "verdict"]);
        assert_eq!(found[0].1["app"], "web");
        let body = r#"{"words":["new.js"],"directory":"/","environment":[]}"#;
        let added = stream(&world.place, "POST", "/v1/apps", body).await.events();
        assert_eq!((added.len(), added[0].1["app"].as_str()), (2, Some("new")));
        let body = body.replace("new.js", "web.js");
        let refused = stream(&world.place, "POST", "/v1/apps", &body).await.events();
        assert_eq!(refused.last().unwrap().0, "error");
    });
}

#[test]
fn events_are_kept_and_followed() {
    run(async |world| {
        for app in ["web", "api", "web"] {
            world.driver.say(app);
        }
        tokio::task::yield_now().await;
        assert_eq!(get(&world.place, "/v1/events").await.json().as_array().unwrap().len(), 3);
        assert_eq!(get(&world.place, "/v1/events?target=web&last=1").await.json()[0]["seq"], 3);
        let mut open = Open::get(&world, "/v1/events?target=web&last=10").await;
        world.driver.say("api");
        world.driver.say("web");
        open.wait_for("\"seq\":5").await;
        let numbers: Vec<u64> =
            events(&open.body()).iter().map(|(_, event)| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [1, 3, 5]);
    });
}

#[test]
fn lines_come_as_they_are_written_and_lost_ones_are_counted() {
    run(async |world| {
        let mut open = Open::get(&world, "/v1/logs?lines=2&follow").await;
        open.wait_for("line 1").await;
        let follower = world.driver.followers.borrow_mut().pop().unwrap();
        let many: Vec<LogView> =
            (0..500).map(|number| samples::line("web", &format!("new {number}"))).collect();
        follower.send(Live::Lines(many)).await.unwrap();
        follower.send(Live::Lost(7)).await.unwrap();
        open.wait_for("\"lost\":7").await;
        assert_eq!(events(&open.body()).iter().filter(|(name, _)| name == "line").count(), 502);
        drop(follower);
        // The connection stays open for another request, but the answer has ended.
        open.wait_for_end().await;
    });
}

#[test]
fn past_lines_alone_end_by_themselves() {
    run(async |world| {
        let reply = stream(&world.place, "GET", "/v1/logs?follow=false&lines=4", "").await;
        assert_eq!(reply.events().len(), 4);
    });
}

#[test]
fn at_the_end_streams_end_and_answers_under_way_go_out() {
    run(async |world| {
        let mut open = Open::get(&world, "/v1/events").await;
        let idle = connect(&world.place);
        tokio::task::yield_now().await;
        let (place, finished) = (world.place.clone(), world.server.finish(LIMIT));
        finished.await;
        while open.read().await {}
        assert!(unchunk(open.text.split_once("\r\n\r\n").unwrap().1).is_empty());
        assert!(super::client::connect_std(&place).is_err());
        drop(idle);
    });
}

#[test]
fn what_hangs_at_the_end_is_not_waited_for() {
    run(async |world| {
        let mut half = connect(&world.place);
        half.write_all(b"GET /v1/pi").await.unwrap();
        tokio::task::yield_now().await;
        world.server.finish(Duration::from_millis(50)).await;
        assert_eq!(half.read(&mut [0; 8]).await.unwrap_or(0), 0);
    });
}
