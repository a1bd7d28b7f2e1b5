//! Yes and no as people write them.

/// Reads `true`, `yes`, `on` and `false`, `no`, `off`, in any case. Where a path or a name may
/// stand as well, such a word is nearly never one.
#[must_use]
pub fn parse_switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_are_switches() {
        for (text, switch) in [
            ("on", Some(true)),
            ("Yes", Some(true)),
            (" TRUE ", Some(true)),
            ("off", Some(false)),
            ("No", Some(false)),
            ("false", Some(false)),
            ("./off", None),
            ("offline", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(parse_switch(text), switch, "{text}");
        }
    }
}
