//! A file that a runtime answers with, as it comes.

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_DISPOSITION;

use super::{Call, Client, ClientError, Never, Wanted, Wire};

/// The answer's body, of which the head has come.
#[derive(Debug)]
pub struct Download {
    body: Incoming,
    name: Option<String>,
    socket: String,
    _wire: Wire,
}

impl Client {
    /// Asks for a file. The time for an answer is that until it begins to come.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn download(&self, call: &Call) -> Result<Download, ClientError> {
        let answer = self.within(self.send(call, Wanted::Json)).await?;
        if !answer.response.status().is_success() {
            // An error is told in JSON; anything else is not understood, since there is no such value.
            match answer.whole::<Never>().await? {}
        }
        let disposition = answer.response.headers().get(CONTENT_DISPOSITION);
        let name = disposition.and_then(|value| file_name(value.to_str().ok()?)).map(str::to_owned);
        Ok(Download { body: answer.response.into_body(), name, socket: answer.socket, _wire: answer.wire })
    }
}

impl Download {
    /// The name that the runtime suggests.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The next bytes; `None` at the end. Nothing is lost when this is cancelled.
    ///
    /// # Errors
    /// When the connection breaks before the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        match self.body.frame().await {
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(source)) => Err(ClientError::Lost { socket: self.socket.clone(), source }),
            None => Ok(None),
        }
    }
}

/// A name and no path, lest a file comes to lie where nobody wants it.
fn file_name(disposition: &str) -> Option<&str> {
    let name = disposition.split_once("filename=\"")?.1.split_once('"')?.0;
    (!name.is_empty() && !name.starts_with('.') && !name.contains('/')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggested_name_is_no_path() {
        assert_eq!(file_name("attachment; filename=\"web-0.json\""), Some("web-0.json"));
        for odd in [
            "attachment",
            "attachment; filename=\"../x\"",
            "attachment; filename=\".profile\"",
            "filename=\"\"",
        ] {
            assert_eq!(file_name(odd), None, "{odd}");
        }
    }
}
