//! Why Redis did not do what it was asked: the cause, in words that say what to do.

use redis::{ErrorKind, RedisError};
use trellis_capabilities_keyvalue::Bounds;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::data;

use crate::scripts;

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// The request is at fault: the contract's own refusal.
    Request(CallError),
    /// The server cannot be used, by anybody with this URL.
    Unusable(String),
    /// The server works, but not on this.
    Refused(String),
}

/// What the error means. `bounds` are those the command was sent with.
pub(crate) fn cause(error: &RedisError, bounds: &Bounds) -> Cause {
    if let Some(code) = error.code() {
        return of_code(code, error.detail().unwrap_or_default(), bounds);
    }
    let unusable = |why: &str| Cause::Unusable(why.to_owned());
    match error.kind() {
        ErrorKind::AuthenticationFailed => unusable(WRONG_CREDENTIALS),
        ErrorKind::InvalidClientConfig => unusable(UNKNOWN_NAME),
        _ if error.is_connection_refusal() => unusable("connection refused; does it run there?"),
        _ if error.is_timeout() => unusable("it does not answer"),
        ErrorKind::Io if is_unknown_name(error) => unusable(UNKNOWN_NAME),
        ErrorKind::Io => unusable("the connection broke"),
        _ => {
            Cause::Refused("its answer is not what the contract can carry (UTF-8 text)".to_owned())
        }
    }
}

const WRONG_CREDENTIALS: &str =
    "it refuses these credentials; correct the user and password in URL";
const UNKNOWN_NAME: &str = "the host's name does not resolve to an address; correct it in URL";

/// What the server's own error means: the first word of its answer, and the rest.
fn of_code(code: &str, detail: &str, bounds: &Bounds) -> Cause {
    let request = |code, sentence: &'static str| Cause::Request(CallError::new(code, sentence));
    let unusable = |why: &str| Cause::Unusable(why.to_owned());
    let refused = |why: &str| Cause::Refused(why.to_owned());
    match code {
        "WRONGTYPE" => request(
            Code::WrongType,
            "a key holds another kind of value than the operation works on",
        ),
        scripts::NOT_A_COUNTER => {
            request(Code::WrongType, "the key holds a string that is not a counter")
        }
        scripts::OVERFLOW => request(
            Code::Range,
            "the counter, or the number of elements, would leave the range of 32 bits",
        ),
        scripts::ODD_KEY => Cause::Request(CallError::new(
            Code::WrongType,
            format!(
                "a key holds {}, which the contract has no word for; `trellis kv list` shows it as \
                 `other`",
                odd_kind(detail)
            ),
        )),
        scripts::MISPLACED => Cause::Request(data::does_not_follow()),
        scripts::TOO_MANY => Cause::Request(bounds.too_many_elements()),
        scripts::TOO_LARGE => Cause::Request(bounds.answer_too_large()),
        "WRONGPASS" => unusable(WRONG_CREDENTIALS),
        "NOAUTH" => unusable("it asks for a password; give one in URL"),
        "NOPERM" => Cause::Refused(not_permitted(detail)),
        "DENIED" => unusable("it is in protected mode and refuses other machines"),
        "LOADING" => unusable("it is still loading its data"),
        "MASTERDOWN" => unusable("it is a replica that has lost its master"),
        "CLUSTERDOWN" | "MOVED" | "ASK" | "CROSSSLOT" => {
            refused("it is part of a cluster, which this provider does not speak to")
        }
        "BUSY" => refused("it is busy with somebody's script"),
        "OOM" => refused("its memory is full"),
        "MISCONF" => refused("it cannot save to its disk"),
        "READONLY" => refused("it is a read-only replica"),
        "NOREPLICAS" => refused("it has too few replicas"),
        "ERR" if detail.contains("DB index") => {
            unusable("it has no database of that number; correct the number in URL")
        }
        "ERR" if detail.contains("max number of clients") => {
            unusable("it has its maximum number of clients")
        }
        "ERR" if detail.starts_with("unknown command") => {
            refused("it does not know a command; Redis 7 or later is needed")
        }
        code => Cause::Refused(code.to_owned()),
    }
}

/// What a key of another client holds: words of ours, and a kind that the server names.
fn odd_kind(detail: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_ ".contains(&byte);
    if detail.len() <= 48 && detail.bytes().all(plain) { detail } else { "something" }
}

/// Names the command the user may not run, which the answer quotes.
fn not_permitted(detail: &str) -> String {
    let command = detail.split('\'').nth(1).filter(|command| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"|-_ ".contains(&byte);
        !command.is_empty() && command.len() <= 32 && command.bytes().all(plain)
    });
    match command {
        Some(command) if detail.contains("command") => format!(
            "the user of URL has no permission for the command {}; allow it (ACL SETUSER), and \
             EVAL, EVALSHA and SCRIPT, which most operations need",
            command.to_uppercase()
        ),
        _ => "the user of URL has no permission for one of the keys; allow it (ACL SETUSER)"
            .to_owned(),
    }
}

/// The system has no code of its own for this; its sentence is the same on every Unix.
fn is_unknown_name(error: &RedisError) -> bool {
    error.to_string().contains("failed to lookup address information")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(code: &str, detail: &str) -> String {
        match of_code(code, detail, &Bounds::default()) {
            Cause::Request(error) => error.message().to_owned(),
            Cause::Unusable(why) | Cause::Refused(why) => why,
        }
    }

    #[test]
    fn the_command_without_permission_is_named() {
        let detail = "User app has no permissions to run the 'evalsha' command";
        assert!(words("NOPERM", detail).contains("no permission for the command EVALSHA"));
        let detail = "No permissions to access a key";
        assert!(words("NOPERM", detail).contains("one of the keys"));
        let odd = words("NOPERM", "command '\u{1b}[2Jrm -rf'");
        assert!(!odd.contains('\u{1b}'), "{odd}");
    }

    #[test]
    fn an_error_without_meaning_repeats_no_more_than_its_code() {
        assert_eq!(words("ERR", "something about the key 'secret'"), "ERR");
    }
}
