//! How WIT names become Rust names and wire names. WIT names are words joined by `-`.

use proc_macro2::Span;
use syn::Ident;

/// `list-item-delete` -> `ListItemDelete`: types, cases and operations.
pub(crate) fn pascal(name: &str) -> String {
    name.split('-').map(capitalized).collect()
}

/// `status-code` -> `statusCode`: keys and cases on the wire.
pub(crate) fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_ascii_lowercase();
    first + &words.map(capitalized).collect::<String>()
}

/// `status-code` -> `status_code`: Rust fields and functions, and the old spelling of keys.
pub(crate) fn snake(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// The identifier in snake case; raw when it is a Rust keyword.
pub(crate) fn field(name: &str) -> Ident {
    let text = snake(name);
    let plain = syn::parse_str::<Ident>(&text).is_ok();
    if plain {
        Ident::new(&text, Span::call_site())
    } else if matches!(text.as_str(), "self" | "super" | "crate") {
        Ident::new(&format!("{text}_"), Span::call_site())
    } else {
        Ident::new_raw(&text, Span::call_site())
    }
}

/// The identifier in Pascal case.
pub(crate) fn type_name(name: &str) -> Ident {
    let text = pascal(name);
    let text = if text == "Self" { "Self_".to_owned() } else { text };
    Ident::new(&text, Span::call_site())
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + &letters.as_str().to_ascii_lowercase()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_wire() {
        assert_eq!(pascal("list-item-delete"), "ListItemDelete");
        assert_eq!(camel("status-code"), "statusCode");
        assert_eq!(camel("HTTP-status2"), "httpStatus2");
        assert_eq!(snake("query-string"), "query_string");
        assert_eq!(field("type").to_string(), "r#type");
    }
}
