//! Each request counts its path in the key-value store: `/a/b` is the key `:a:b`, the reply is
//! `{"counter": 1}`, `{"counter": 2}`, and so on.
//!
//! **Deliberately absent:** which store counts and which server listens: the manifest says.

use trellis_actor::prelude::*;

#[handler(http_server::HandleRequest)]
fn count(request: http_server::Request) -> Result<http_server::Response> {
    let key = request.path.replace('/', ":");
    let counter = keyvalue::default().add(&key, 1)?;
    Ok(http_server::Response::json(format!("{{\"counter\": {}}}", counter.value)))
}

#[cfg(test)]
mod tests {
    use trellis_actor::testing;

    use super::*;

    #[test]
    fn the_path_is_counted() {
        let request = http_server::Request { path: "/a/b".into(), ..Default::default() };
        let (response, calls) = testing::with_host(
            |_| testing::reply::<keyvalue::Add>(&keyvalue::Counter { value: 7 }),
            || count(request),
        );
        assert_eq!(response.expect("answers").body.as_slice(), b"{\"counter\": 7}");
        assert_eq!(calls[0].payload, b"\x82\xa3key\xa4:a:b\xa5value\x01");
    }

    /// By these words the host knows an outage that an actor passes on from a failure of its own.
    #[test]
    fn a_failed_host_call_is_answered_in_the_hosts_words() {
        let outage = "E_PROVIDER: the store is down";
        let (response, _) = testing::with_host(
            |_| Err(outage.to_owned()),
            || count(http_server::Request::default()),
        );
        assert_eq!(response.expect_err("no store").text(), outage);
    }
}
