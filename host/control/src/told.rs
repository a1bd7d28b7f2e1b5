//! Texts for whoever reaches the admin address.

/// The same in one line, and without the user and the password of a URL.
#[must_use]
pub fn for_everybody(text: &str) -> String {
    let words = text.split_whitespace().map(without_secret);
    words.collect::<Vec<_>>().join(" ")
}

fn without_secret(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => word.to_owned(),
    }
}
