//! A header that goes along with each request.

use reqwest::header::{HeaderName, HeaderValue};

/// What says how the message itself is sent: the client writes it, and a second word on it would
/// make the request another one, or none.
const OWN: [&str; 13] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Reads a header, whose value is secret from then on.
///
/// # Errors
/// What it should be instead; it names no value.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    const FORM: &str = "headers as HTTP has them: visible ASCII";
    let name = HeaderName::try_from(name).map_err(|_| FORM)?;
    let mut value = HeaderValue::try_from(value).map_err(|_| FORM)?;
    if OWN.contains(&name.as_str()) {
        return Err("headers for the receiver, such as an API key: the host says itself how it \
                    sends (`content-length`, `connection`, `host` and the like)");
    }
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_how_a_message_is_sent_is_no_header_of_a_user() {
        for name in ["api-key", "Authorization", "x-scope-orgid"] {
            let (_, value) = header(name, "canary").expect(name);
            assert!(value.is_sensitive(), "{name}");
        }
        for name in OWN {
            assert!(header(&name.to_ascii_uppercase(), "1").is_err(), "{name}");
        }
        for (name, value) in [("", "a"), ("a b", "a"), ("a", "b\n"), ("ä", "a")] {
            assert!(header(name, value).is_err(), "{name}: {value:?}");
        }
    }
}
