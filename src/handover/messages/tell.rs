//! Messages for an app: what it is told to do, and data. As JSON.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::reported::Kind;

/// A call of an action, as pm2's libraries expect it: the bare name, unless there is more to say.
#[must_use]
pub fn action(name: &str, kind: Kind, uuid: &str, parameter: Option<&Value>, id: u32) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Call<'a> {
        id: u32,
        msg: &'a str,
        action_name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        opts: Option<&'a Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        uuid: Option<&'a str>,
    }
    let uuid = (kind == Kind::Scoped).then_some(uuid);
    if uuid.is_none() && parameter.is_none() {
        return json(&name);
    }
    json(&Call { id, msg: name, action_name: name, opts: parameter, uuid })
}

/// Data for an app, as pm2's `sendDataToProcessId` sends it.
#[must_use]
pub fn data(topic: &str, data: &Value, id: u32) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Packet<'a> {
        id: u32,
        #[serde(rename = "type")]
        kind: &'static str,
        topic: &'a str,
        data: &'a Value,
    }
    json(&Packet { id, kind: "process:msg", topic, data })
}

/// The message itself, whatever it is.
#[must_use]
pub fn bare(message: &Value) -> Box<RawValue> {
    json(message)
}

fn json(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("text, numbers and JSON values are always JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_action_is_called_by_its_bare_name_unless_there_is_more_to_say() {
        let said =
            |kind, parameter: Option<&Value>| action("refresh", kind, "7", parameter, 3).get().to_owned();
        assert_eq!(said(Kind::Plain, None), r#""refresh""#);
        assert_eq!(
            said(Kind::Plain, Some(&json!("all"))),
            r#"{"id":3,"msg":"refresh","action_name":"refresh","opts":"all"}"#
        );
        assert_eq!(
            said(Kind::Scoped, None),
            r#"{"id":3,"msg":"refresh","action_name":"refresh","uuid":"7"}"#
        );
    }

    #[test]
    fn data_has_pm2s_shape() {
        let packet = data("refresh", &json!({ "all": true }), 3);
        assert_eq!(packet.get(), r#"{"id":3,"type":"process:msg","topic":"refresh","data":{"all":true}}"#);
        assert_eq!(bare(&json!("shutdown")).get(), r#""shutdown""#);
    }
}
