//! Who is connected to an instance, in words. Pure.

use super::types::InstanceView;

impl InstanceView {
    /// How many requests are in flight: as Node itself counts them where it does, else as the kernel sees it.
    #[must_use]
    pub fn in_flight(&self) -> Option<u64> {
        let by_node = self.node.as_ref().and_then(|node| node.http).and_then(|http| http.in_flight);
        by_node.or(self.requests_in_flight.map(u64::from))
    }

    /// `12 connections, 3 requests in flight`; `None` where nothing is known of either.
    #[must_use]
    pub fn clients(&self) -> Option<String> {
        let count =
            |number: u64, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        let connections = self.connections.map(|number| count(u64::from(number), "connection"));
        let requests = self.in_flight().map(|number| format!("{} in flight", count(number, "request")));
        let known: Vec<String> = connections.into_iter().chain(requests).collect();
        (!known.is_empty()).then(|| known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::node;
    use super::*;
    use crate::control::sample;

    fn instance(connections: Option<u32>, requests_in_flight: Option<u32>) -> InstanceView {
        let app = sample(0, "web", 1);
        InstanceView { connections, requests_in_flight, ..app.instances[0].clone() }
    }

    #[test]
    fn what_is_known_is_told() {
        for (connections, in_flight, text) in [
            (Some(12), Some(3), Some("12 connections, 3 requests in flight")),
            (Some(1), Some(1), Some("1 connection, 1 request in flight")),
            (Some(2), None, Some("2 connections")),
            (None, None, None),
        ] {
            assert_eq!(instance(connections, in_flight).clients().as_deref(), text);
        }
    }

    #[test]
    fn nodes_own_count_is_better() {
        let instance = InstanceView { node: Some(node::sample()), ..instance(Some(9), Some(2)) };
        let own = node::sample().http.unwrap().in_flight;
        assert_eq!(instance.in_flight(), own);
    }
}
