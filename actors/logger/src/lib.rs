//! The body of a request becomes a line in the host's log; the path names the level: `/warn`,
//! `/debug` and so on, `/` meaning info. Without `wascc:logging` the line goes to the console.
//!
//! **Deliberately absent:** where the lines go, and which of them: the provider decides.

use trellis_actor::prelude::*;

#[handler(http_server::HandleRequest)]
fn write(request: http_server::Request) -> Result<http_server::Response> {
    let text = String::from_utf8_lossy(&request.body);
    match request.segments().next().unwrap_or("info") {
        "error" => error!("{text}"),
        "warn" => warn!("{text}"),
        "info" => info!("{text}"),
        "debug" => debug!("{text}"),
        "trace" => trace!("{text}"),
        other => {
            let answer = format!("no level `{other}`: error, warn, info, debug or trace\n");
            return Ok(http_server::Response::new(404, answer));
        }
    }
    Ok(http_server::Response::new(204, ""))
}

#[cfg(test)]
mod tests {
    use trellis_actor::testing;

    use super::*;

    fn request(path: &str) -> http_server::Request {
        http_server::Request { path: path.into(), body: "a line".into(), ..Default::default() }
    }

    #[test]
    fn lines_go_to_the_capability_then_to_the_console() {
        let (response, calls) = testing::with_host(|_| Ok(Vec::new()), || write(request("/warn")));
        assert_eq!(response.expect("answers").status_code, 204);
        assert_eq!((&*calls[0].namespace, &*calls[0].operation), ("wascc:logging", "WriteLog"));
        assert_eq!(calls[0].payload, b"\x83\xa5level\x02\xa4body\xa6a line\xa6target\xa6logger");

        let refused = |_: &testing::HostCall| Err("E_DENIED: no binding".to_owned());
        let (lines, calls) = testing::with_host(refused, || {
            write(request("/")).expect("answers");
            write(request("/")).expect("answers");
            testing::console_lines()
        });
        assert_eq!(lines, ["INFO a line", "INFO a line"]);
        assert_eq!(calls.len(), 1, "a refusal is remembered for the rest of a call");
    }

    #[test]
    fn an_unknown_level_is_said_so() {
        assert_eq!(write(request("/shout")).expect("answers").status_code, 404);
    }
}
