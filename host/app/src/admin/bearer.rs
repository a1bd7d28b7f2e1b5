//! Who asks over the admin address: a user whom the manifest names, by a bearer token (RFC 6750).

use std::net::SocketAddr;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use trellis_claims::{Bearer, BearerRules, Scope, SystemClock, check_bearer};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::{ADMIN_TOKEN, ADMIN_TOKEN_LIFE};

use super::answers::Refused;
use super::api::Admin;
use super::pass::Admitted;

/// How the value of the header begins, in any case.
const SCHEME: &str = "bearer ";
/// What to do without a token.
const SHOW_ONE: &str = "Send `Authorization: Bearer TOKEN` (`trellis token create` makes one, for a \
                        user under `host: {admin: {users: …}}` in the manifest), or ask over the \
                        host's socket: `trellis get hosts -o wide` has its path.";
/// What to do with a token that is not taken.
const MAKE_ANOTHER: &str = "Make another one, with `trellis token create`: for this host's key, by \
                            a user under `host: {admin: {users: …}}` in the manifest, for 24 h at \
                            most.";
/// What to do with a token that is not good for what is asked.
const ASK_FOR_MORE: &str = "Make one with a larger `--scope`, as far as the user's `scope` in the \
                            manifest goes; `read` looks, `operate` also calls actors, `admin` also \
                            changes what runs.";

/// What to do with one for more than its user may do: it is good for nothing.
const ASK_FOR_LESS: &str = "Make one with a smaller `--scope`; or give its user a larger `scope` \
                            under `host: {admin: {users: …}}` in the manifest.";

/// The user who asks from there, and may do what needs this scope.
///
/// # Errors
/// A 401 without a token that holds, and a 403 for one that is not good for this. Each is told to
/// the log under `audit`, as far as there is room.
pub(super) fn authorize(
    admin: &Admin,
    headers: &HeaderMap,
    needed: Scope,
    from: SocketAddr,
) -> Result<Admitted, Refused> {
    let (refused, cure) = match shown(admin, headers) {
        Ok(bearer) if bearer.scope() >= needed => return Ok(Admitted::user(&bearer, from)),
        Ok(bearer) => {
            let (user, scope) = (bearer.user(), bearer.scope());
            let message = format!("this needs a token for {needed}; that of {user} is for {scope}");
            (CallError::new(Code::Denied, message), ASK_FOR_MORE)
        }
        Err(None) => {
            let message = "the admin address answers /v1 to who shows a token";
            admin.audit(from, message);
            return Err(challenge(admin, CallError::new(Code::Denied, message), SHOW_ONE, ""));
        }
        Err(Some(error)) => (error, ASK_FOR_LESS),
    };
    admin.audit(from, refused.message());
    Err(match refused.code() {
        Code::Denied => too_little(admin, (refused, cure), needed),
        _ => challenge(admin, refused, MAKE_ANOTHER, ", error=\"invalid_token\""),
    })
}

/// The token that is shown, if it holds. No token is no error.
fn shown(admin: &Admin, headers: &HeaderMap) -> Result<Bearer, Option<CallError>> {
    let wrong = |message: &str| Some(CallError::new(Code::Token, message.to_owned()));
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), another) = (values.next(), values.next()) else { return Err(None) };
    if another.is_some() {
        return Err(wrong("there are two headers Authorization"));
    }
    // Before anything looks into it.
    if value.len() as u64 > ADMIN_TOKEN.default + SCHEME.len() as u64 {
        let (most, name) = (ADMIN_TOKEN.default, ADMIN_TOKEN.name);
        return Err(wrong(&format!("the token is longer than {most} bytes ({name})")));
    }
    let token = value.to_str().ok().and_then(token_in);
    let token = token.ok_or_else(|| wrong("the header Authorization has no bearer token"))?;
    let identity = &admin.0.identity;
    let rules = BearerRules {
        audience: identity.key(),
        life_s_max: ADMIN_TOKEN_LIFE.default / 1_000,
        life_limit: ADMIN_TOKEN_LIFE.name,
    };
    let checked = check_bearer(token, &rules, |user| identity.allows(user), &SystemClock);
    checked.map_err(|error| Some(error.into()))
}

fn token_in(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token.trim_start_matches(' '))
}

/// A 401, which says what is wanted.
fn challenge(admin: &Admin, error: CallError, cure: &'static str, more: &str) -> Refused {
    let refused = Refused::new(StatusCode::UNAUTHORIZED, error, cure);
    let refused = refused.because("Over the network only users of the host are answered.");
    asking(refused, admin, more)
}

/// A 403, which says what would do.
fn too_little(admin: &Admin, (error, cure): (CallError, &'static str), needed: Scope) -> Refused {
    let refused = Refused::new(StatusCode::FORBIDDEN, error, cure);
    let refused = refused.because("The token, or its user, may do less than what is asked.");
    asking(refused, admin, &format!(", error=\"insufficient_scope\", scope=\"{needed}\""))
}

/// The same with the header that every such answer has: whose token is wanted, and what is wrong.
fn asking(refused: Refused, admin: &Admin, more: &str) -> Refused {
    let text = format!("Bearer realm=\"{}\"{more}", admin.0.identity.key());
    match HeaderValue::from_str(&text) {
        Ok(value) => refused.with((WWW_AUTHENTICATE, value)),
        // It is made of keys and words.
        Err(_) => refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_behind_its_scheme() {
        for (value, token) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a", Some("a")),
            ("Bearer ", Some("")),
            ("Bearer", None),
            ("Basic YTpi", None),
            ("é Bearer a", None),
            ("", None),
        ] {
            assert_eq!(token_in(value), token, "{value}");
        }
    }
}
