//! Server-sent events, as the HTML standard's "event stream interpretation" has them: bytes in, messages out.
//!
//! Pure: it is given the bytes as they come, cut anywhere. `id` and `retry` are of no use here and are passed over.

/// More than any message of ours: a client need not hold what a server gone mad sends.
const LONGEST: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What the server called it; `message` where it gave no name.
    pub name: String,
    pub data: String,
}

/// A message that is longer than what is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of the event stream is longer than {} MiB", LONGEST / 1024 / 1024)]
pub struct TooLong;

/// What has come of the message that is not complete yet.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    /// The last byte was a carriage return, so that a line feed now ends no line of its own.
    after_return: bool,
    /// A byte order mark may stand before the first line.
    begun: bool,
}

impl Parser {
    /// Takes more bytes, and gives the messages that they complete.
    ///
    /// # Errors
    /// When a message grows beyond all measure; the stream is of no use then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLong> {
        let mut found = Vec::new();
        for &byte in bytes {
            let follows_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => found.extend(self.end_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > LONGEST {
                return Err(TooLong);
            }
        }
        Ok(found)
    }

    fn end_line(&mut self) -> Option<Message> {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let first = !std::mem::replace(&mut self.begun, true);
        let line = if first { text.strip_prefix('\u{feff}').unwrap_or(&text) } else { &text };
        if line.is_empty() {
            return self.end_message();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => self.add_data(value),
            // A comment has an empty field; others mean nothing.
            _ => {}
        }
        None
    }

    fn add_data(&mut self, value: &str) {
        if self.has_data {
            self.data.push('\n');
        }
        self.data.push_str(value);
        self.has_data = true;
    }

    fn end_message(&mut self) -> Option<Message> {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        let name = if name.is_empty() { "message".to_owned() } else { name };
        std::mem::take(&mut self.has_data).then_some(Message { name, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<(String, String)> {
        let found = Parser::default().push(bytes).unwrap();
        found.into_iter().map(|message| (message.name, message.data)).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect()
    }

    #[test]
    fn a_blank_line_ends_a_message() {
        assert_eq!(all(b"event: line\ndata: {}\n\ndata: x\n\n"), pairs(&[("line", "{}"), ("message", "x")]));
        assert_eq!(all(b"event: line\ndata: {}\n"), pairs(&[]), "it is not over yet");
    }

    #[test]
    fn every_kind_of_line_end_is_one() {
        for text in ["event:a\ndata:b\n\n", "event:a\rdata:b\r\r", "event:a\r\ndata:b\r\n\r\n"] {
            assert_eq!(all(text.as_bytes()), pairs(&[("a", "b")]), "{text:?}");
        }
    }

    #[test]
    fn several_data_lines_are_joined_and_one_space_is_no_part_of_the_value() {
        assert_eq!(all(b"data:  a\ndata\ndata:b\n\n"), pairs(&[("message", " a\n\nb")]));
    }

    #[test]
    fn comments_other_fields_and_messages_without_data_are_passed_over() {
        let stream = ": keep-alive\n\nid: 7\nretry: 10\nother: x\ndata: a\n\nevent: empty\n\ndata: b\n\n";
        assert_eq!(all(stream.as_bytes()), pairs(&[("message", "a"), ("message", "b")]));
    }

    #[test]
    fn a_byte_order_mark_may_come_first() {
        assert_eq!(all("\u{feff}data: a\n\n".as_bytes()), pairs(&[("message", "a")]));
        assert_eq!(all("data: a\n\n\u{feff}data: b\n\n".as_bytes()), pairs(&[("message", "a")]));
    }

    #[test]
    fn an_endless_message_is_refused() {
        let mut parser = Parser::default();
        let mebibyte = vec![b'x'; 1024 * 1024];
        let outcomes: Vec<_> = (0..17).map(|_| parser.push(&mebibyte)).collect();
        assert!(outcomes[..16].iter().all(Result::is_ok));
        assert_eq!(outcomes[16], Err(TooLong));
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            Just("event: ".to_owned()),
            Just("data: ".to_owned()),
            Just("\n".to_owned()),
            Just("\r".to_owned()),
            Just("\r\n".to_owned()),
            Just("\n\n".to_owned()),
            Just("\u{feff}".to_owned()),
            "[a-zé: ]{0,4}",
        ];
        proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_bytes_are_cut(bytes in stream(), cuts in proptest::collection::vec(0_usize..200, 0..8)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let mut found = Vec::new();
            for pair in cuts.windows(2) {
                found.extend(parser.push(&bytes[pair[0]..pair[1]]).unwrap());
            }
            let found: Vec<_> = found.into_iter().map(|message| (message.name, message.data)).collect();
            prop_assert_eq!(found, all(&bytes));
        }

        #[test]
        fn what_was_sent_is_what_comes(messages in proptest::collection::vec(("[a-z]{1,8}", "[^\r\n\0]{0,20}(\n[^\r\n\0]{0,20}){0,3}"), 0..6)) {
            let mut sent = String::new();
            for (name, data) in &messages {
                sent += &format!("event: {name}\n");
                for line in data.split('\n') {
                    sent += &format!("data: {line}\n");
                }
                sent += "\n";
            }
            prop_assert_eq!(all(sent.as_bytes()), messages);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Parser::default().push(&bytes);
        }
    }
}
