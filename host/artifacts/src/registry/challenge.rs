//! What a registry says to somebody who has to identify themselves.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// How a registry wants its users to identify themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Challenge {
    /// By their credentials with every request.
    Basic,
    /// By a token, which is given for their credentials.
    Bearer {
        /// The URL where it is given.
        realm: String,
        /// Whom it is for.
        service: Option<String>,
    },
}

impl Challenge {
    /// The first one that is known, of those in an answer.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|it| it.to_str().ok());
        texts.filter_map(Self::read).next()
    }

    fn read(text: &str) -> Option<Self> {
        http_auth::parse_challenges(text).ok()?.iter().find_map(|challenge| {
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                return Some(Self::Basic);
            }
            let parameter = |name: &str| {
                let mut all = challenge.params.iter();
                let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            let realm =
                parameter("realm").filter(|_| challenge.scheme.eq_ignore_ascii_case("bearer"))?;
            Some(Self::Bearer { realm, service: parameter("service") })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_challenge_that_is_known_counts() {
        let bearer = r#"Bearer realm="https://auth.example/token",service="r",scope="a,b""#;
        let (realm, service) = ("https://auth.example/token".to_owned(), Some("r".to_owned()));
        let known = Challenge::Bearer { realm, service };
        assert_eq!(Challenge::read(bearer), Some(known.clone()));
        assert_eq!(Challenge::read(&format!("Negotiate, {bearer}")), Some(known));
        assert_eq!(Challenge::read(r#"basic realm="x""#), Some(Challenge::Basic));
        for other in ["", "Bearer", r#"Bearer service="r""#, "Negotiate", "\"", "Digest a=b"] {
            assert_eq!(Challenge::read(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "(Bearer |Basic )?.{0,60}") {
            let _ = Challenge::read(&text);
        }
    }
}
