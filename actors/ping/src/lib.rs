//! Each HTTP request is passed on to the actor whose call alias is `pong`; the reply is what it
//! says.
//!
//! **Deliberately absent:** where `pong` runs: the host finds it.

use trellis_actor::prelude::*;

#[handler(http_server::HandleRequest)]
fn ask(request: http_server::Request) -> Result<http_server::Response> {
    let reply = actor("pong").call_raw("Ping", request.path.as_bytes())?;
    Ok(http_server::Response::text(String::from_utf8(reply)?))
}

#[cfg(test)]
mod tests {
    use trellis_actor::testing;

    use super::*;

    #[test]
    fn pong_is_asked() {
        let request = http_server::Request { path: "/x".into(), ..Default::default() };
        let (response, calls) = testing::with_host(|_| Ok(b"pong /x".to_vec()), || ask(request));
        assert_eq!(response.expect("answers").body.as_slice(), b"pong /x");
        assert_eq!((&*calls[0].namespace, &*calls[0].operation), ("pong", "Ping"));
    }
}
