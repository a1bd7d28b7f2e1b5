//! Answers `Quote`, asked by other actors: what so many of an article cost. Sign it with the call
//! alias `prices`.
//!
//! **Deliberately absent:** who asks: the claims of the caller say whether it may.

use serde::{Deserialize, Serialize};
use trellis_actor::prelude::*;

#[derive(Deserialize)]
struct Question {
    article: String,
    count: u32,
}

#[derive(Serialize)]
struct Quote {
    cents: u64,
}

#[handler("Quote")]
fn quote(payload: &[u8]) -> Result<Vec<u8>> {
    let Question { article, count } = serde_json::from_slice(payload)?;
    let each = match article.as_str() {
        "tea" => 450,
        "coffee" => 620,
        _ => return Err(Error::new(format!("there is no article `{article}`"))),
    };
    Ok(serde_json::to_vec(&Quote { cents: each * u64::from(count) })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_for_all_of_them() {
        let reply = quote(br#"{"article": "tea", "count": 4294967295}"#).expect("answers");
        assert_eq!(reply, br#"{"cents":1932735282750}"#);
    }

    #[test]
    fn an_unknown_article_has_no_price() {
        let error = quote(br#"{"article": "soap", "count": 1}"#).expect_err("none");
        assert_eq!(error.text(), "there is no article `soap`");
    }
}
