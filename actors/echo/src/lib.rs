//! `GET` is greeted, any other request gets its own body back; `Echo` answers any payload with
//! itself. It needs nothing but `wascc:http_server`.
//!
//! **Deliberately absent:** where it listens and who sends: bindings of the manifest.

use trellis_actor::prelude::*;

#[handler(http_server::HandleRequest)]
fn answer(request: http_server::Request) -> Result<http_server::Response> {
    if request.method == "GET" {
        return Ok(http_server::Response::text("hello"));
    }
    let kind = request.header("content-type").unwrap_or("application/octet-stream");
    Ok(http_server::Response::new(200, request.body.0.clone()).with_header("content-type", kind))
}

#[handler("Echo")]
fn echo(payload: &[u8]) -> Result<Vec<u8>> {
    Ok(payload.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_as_it_was() {
        let mut request = http_server::Request { method: "POST".into(), ..Default::default() };
        request.header.push("content-type", "text/x-test");
        request.body = "abc".into();
        let response = answer(request).expect("answers");
        assert_eq!((response.status_code, response.body.as_slice()), (200, &b"abc"[..]));
        assert_eq!(response.header.get("content-type").map(String::as_str), Some("text/x-test"));
    }

    #[test]
    fn any_payload_comes_back() {
        let reply = trellis_actor::testing::call("Echo", b"\x00\xff").expect("answers");
        assert_eq!(reply, b"\x00\xff");
    }
}
