//! Whom a request is for, as its first line and its `Host` say.

use http::header::HOST;
use http::{Method, Version, request};

use crate::error_response::ErrorResponse;

/// Whom a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// An actor, by host and path.
    Actor,
    /// The server itself: `OPTIONS *`.
    Server,
}

impl Target {
    /// Reads the form of the target (RFC 9112 section 3.2).
    ///
    /// # Errors
    /// 400 for a target that is no path and belongs to another method.
    pub(crate) fn of(head: &request::Parts) -> Result<Self, ErrorResponse> {
        match head.uri.path() {
            path if path.starts_with('/') => Ok(Self::Actor),
            "*" if head.method == Method::OPTIONS => host_of(head).map(|_| Self::Server),
            // A tunnel names a host and a port. No route lets it through, and the answer says so.
            "" if head.method == Method::CONNECT => Ok(Self::Actor),
            _ => Err(ErrorResponse::malformed("The request target is not a path.")),
        }
    }
}

/// The host a request is for.
///
/// # Errors
/// 400 when it has none, several or a malformed one (RFC 9112 section 3.2).
pub(crate) fn host_of(head: &request::Parts) -> Result<&str, ErrorResponse> {
    let mut fields = head.headers.get_all(HOST).iter();
    let host = match (fields.next(), fields.next()) {
        (Some(host), None) => host,
        (None, _) if head.version < Version::HTTP_11 => {
            return Ok(head.uri.host().unwrap_or_default());
        }
        _ => return Err(ErrorResponse::malformed("The request needs exactly one Host.")),
    };
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(byte);
    let host = host.to_str().ok().filter(|host| host.as_bytes().iter().all(legal));
    let host = host.ok_or_else(|| ErrorResponse::malformed("The request's Host is malformed."))?;
    // A target in absolute form names the host itself and wins.
    Ok(head.uri.host().unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn targets_are_told_apart() {
        for (method, target, expected) in [
            ("GET", "/a?b", Some(Target::Actor)),
            ("GET", "http://a.test", Some(Target::Actor)),
            ("OPTIONS", "/", Some(Target::Actor)),
            ("OPTIONS", "*", Some(Target::Server)),
            ("CONNECT", "a.test:80", Some(Target::Actor)),
            ("GET", "*", None),
            ("CONNECT", "*", None),
            ("GET", "a.test", None),
        ] {
            let request = Request::builder().method(method).uri(target).header("host", "a");
            let (head, ()) = request.body(()).expect("legal").into_parts();
            assert_eq!(Target::of(&head).ok(), expected, "{method} {target}");
        }
        let request = Request::builder().method("OPTIONS").uri("*").body(()).expect("legal");
        assert!(Target::of(&request.into_parts().0).is_err(), "no host");
    }
}
