//! Each request gets a ticket: a random number, when it was handed out, and under which title; the
//! manifest gives the `TITLE`. `served` counts what this one instance has handed out.
//!
//! **Deliberately absent:** a list of the tickets: an instance may go at any time, and its statics
//! with it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

use trellis_actor::prelude::*;

#[handler(http_server::HandleRequest)]
fn hand_out(_: http_server::Request) -> Result<http_server::Response> {
    static SERVED: AtomicU32 = AtomicU32::new(0);
    let title = config::get("TITLE")?.unwrap_or_else(|| "ticket".to_owned());
    let issued = clock::now()?.duration_since(UNIX_EPOCH)?.as_secs();
    let number = random::u64()?;
    // Last, so that a ticket nobody got is not counted. Relaxed: an instance has one thread.
    let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
    let json = format!(
        "{{\"title\": {title:?}, \"number\": \"{number:016x}\", \"issued\": {issued}, \
         \"served\": {served}}}"
    );
    Ok(http_server::Response::json(json))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trellis_actor::testing::{FakeClock, FakeHost};

    use super::*;

    #[test]
    fn a_ticket_has_a_title_a_number_and_a_time() {
        let host = FakeHost::new()
            .clock(&FakeClock::at(UNIX_EPOCH + Duration::from_secs(1_700_000_000)))
            .random(1)
            .values(&[("TITLE", "bakery")]);
        let (response, calls) = host.run(|| hand_out(http_server::Request::default()));
        let body = response.expect("answers").body;
        let text = String::from_utf8_lossy(&body);
        assert!(text.starts_with("{\"title\": \"bakery\", \"number\": \""), "{text}");
        assert!(text.contains("\"issued\": 1700000000, \"served\": 1"), "{text}");
        assert_eq!(calls.len(), 3);
    }

    #[test]
    fn without_a_clock_there_is_no_ticket() {
        let host = FakeHost::new().values(&[]);
        let (response, _) = host.run(|| hand_out(http_server::Request::default()));
        let error = response.expect_err("the clock was refused");
        assert!(error.text().starts_with("E_DENIED: no binding to trellis:clock"), "{error}");
    }
}
