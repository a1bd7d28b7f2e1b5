//! Where a binding listens and what it answers to, as read from texts.

use std::net::{IpAddr, Ipv4Addr};

use trellis_core::nearest;
use trellis_providers_sdk::ValueError;

/// A host name a binding answers to, in lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Host {
    /// Exactly this name.
    Exact(String),
    /// Every name that ends in this text, which starts with a dot.
    Below(String),
}

/// The parts of a text that commas separate.
pub(super) fn csv(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// The address to listen on.
pub(super) fn address(text: Option<&str>) -> Result<IpAddr, ValueError> {
    match text.map(str::trim) {
        None | Some("") => Ok(Ipv4Addr::UNSPECIFIED.into()),
        Some("localhost") => Ok(Ipv4Addr::LOCALHOST.into()),
        Some(text) => text.parse().map_err(|_| {
            let error =
                ValueError::new("ADDRESS", "ADDRESS must be an IP address").in_place_of(text);
            if text.starts_with('[') {
                error.help("write an IPv6 address without brackets and port, such as `::1`")
            } else {
                error.help("write one such as `127.0.0.1` or `::1`, without a port")
            }
        }),
    }
}

/// A host name, or a pattern of host names.
pub(super) fn host(text: &str) -> Result<Host, ValueError> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let numeric = name.parse::<std::net::Ipv6Addr>().is_ok();
    if !(numeric || name.split('.').all(label)) {
        let error = ValueError::new("HOSTS", "HOSTS holds a text that is no host name");
        let help = "write names such as `example.com` or `*.example.com`, without scheme and port";
        let help = by_commas(text, |part| host(part).is_ok()).unwrap_or_else(|| help.to_owned());
        return Err(error.shows(text).help(help));
    }
    Ok(if text.starts_with("*.") { Host::Below(format!(".{name}")) } else { Host::Exact(name) })
}

/// What to do about a list of right items that something else than commas separates.
fn by_commas(text: &str, is_right: impl Fn(&str) -> bool) -> Option<String> {
    let parts = text.split([' ', '\t', ';', '|']).filter(|part| !part.is_empty());
    let parts: Vec<_> = parts.collect();
    let fits = parts.len() > 1 && parts.iter().all(|part| is_right(part));
    fits.then(|| format!("separate them by commas: `{}`", parts.join(", ")))
}

/// A path prefix, without its last slash.
pub(super) fn path(text: &str) -> Result<String, ValueError> {
    let wrong = || {
        ValueError::new("PATH", "PATH must be a path prefix such as `/` or `/api`")
            .in_place_of(text)
    };
    if let Some((above, _)) = text.split_once(['*', '{', '}']) {
        let above = above.rsplit_once('/').map_or("", |(above, _)| above);
        let above = if above.starts_with('/') { above } else { "/" };
        return Err(wrong().help(format!(
            "a path serves everything below it, and there are no patterns: write `{above}`"
        )));
    }
    let path = text.strip_suffix('/').unwrap_or(text);
    let segments = path.strip_prefix('/').map(|rest| rest.split('/'));
    let clean = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'))
    };
    let fits = path.is_empty() || segments.is_some_and(|mut segments| segments.all(clean));
    if text.is_empty() || !fits {
        let help = "write it from the first slash on, with percent-encoding where needed";
        return Err(wrong().help(help));
    }
    Ok(path.to_owned())
}

/// The standard methods that an actor can serve.
const STANDARD: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];

/// A method an actor can serve. Methods are case-sensitive (RFC 9110, 9.1); the standard ones are
/// all upper case, so that they are known in any case. Any other is taken as it is written: one in
/// lower case, or much like a standard one, would be a mistake that lets nothing through.
pub(super) fn method(text: &str) -> Result<http::Method, ValueError> {
    let refused =
        |what: &str| ValueError::new("METHODS", format!("METHODS holds {what}")).shows(text);
    let list = || STANDARD.join(", ");
    let upper = text.to_ascii_uppercase();
    let method = http::Method::from_bytes(upper.as_bytes());
    let method =
        method.ok().filter(|method| *method != http::Method::CONNECT).ok_or_else(|| {
            let help = by_commas(text, |part| self::method(part).is_ok()).unwrap_or_else(|| {
                format!("write some of {}; CONNECT is never let through", list())
            });
            refused("a text that is not a method which an actor can serve").help(help)
        })?;
    if STANDARD.contains(&&*upper) {
        return Ok(method);
    }
    if let Some(near) = nearest(&upper, STANDARD) {
        let help = format!(
            "did you mean `{near}`? If it is a method of its own, leave METHODS out and let the \
             actor look at the method"
        );
        return Err(refused("a method that looks like a mistyped standard one").help(help));
    }
    if upper != text {
        let help = "methods are case-sensitive: write it in upper case. If clients really send it \
                    like this, leave METHODS out and let the actor look at the method";
        return Err(refused("a method that is not in upper case").help(help));
    }
    Ok(method)
}
