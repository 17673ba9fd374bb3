//! What actions have answered. Pure.

use super::colour::{Colours, Paint};
use super::table::harmless;
use crate::api::messages::{RepliesView, ReplyView};

/// `✓ web 0: {"done":true}`, a line for each instance and answer.
pub(in crate::cli) fn render(view: &RepliesView, colours: Colours) -> String {
    if view.replies.is_empty() {
        return "nothing to do: there is no app\n".to_owned();
    }
    view.replies.iter().map(|reply| lines(reply, colours)).collect()
}

fn lines(reply: &ReplyView, colours: Colours) -> String {
    let mark = if reply.ok { colours.paint(Paint::Green, "✓") } else { colours.paint(Paint::Red, "✗") };
    let line = |text: &str| format!("{mark} {} {}: {}\n", harmless(&reply.app), reply.id, harmless(text));
    match &reply.error {
        Some(why) => line(why),
        None if reply.answers.is_empty() => line("done"),
        None => reply.answers.iter().map(|answer| line(&answer.to_string())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reply(id: u32, answers: Vec<Value>, error: Option<&str>) -> ReplyView {
        let error = error.map(str::to_owned);
        let app = "web".to_owned();
        ReplyView { app, id, instance: id, pid: Some(42), ok: error.is_none(), answers, error }
    }

    #[test]
    fn each_answer_is_a_line() {
        let replies = vec![
            reply(0, vec![json!({ "done": true })], None),
            reply(1, vec![json!("a\u{1b}[2J"), json!(2)], None),
            reply(2, vec![], None),
            reply(3, vec![], Some("no answer within 10000 ms")),
        ];
        insta::assert_snapshot!(render(&RepliesView { replies }, Colours::Off), @r#"
        ✓ web 0: {"done":true}
        ✓ web 1: "a\u001b[2J"
        ✓ web 1: 2
        ✓ web 2: done
        ✗ web 3: no answer within 10000 ms
        "#);
        assert_eq!(
            render(&RepliesView { replies: vec![] }, Colours::Off),
            "nothing to do: there is no app\n"
        );
    }
}
