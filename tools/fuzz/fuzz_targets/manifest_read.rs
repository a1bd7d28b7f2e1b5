//! Manifests: no panic, every refusal says why, and reading twice gives the same.
//!
//! Of a wrong text, what it revokes lies in it.
//! Each text is taken as YAML and as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_manifest::{Format, SourceText, read, readable_trust};

fn env(name: &str) -> Option<String> {
    (name == "SET").then(|| "a: ${SET}, [*b".to_owned())
}

fuzz_target!(|text: &str| {
    for format in [Format::Yaml, Format::Json] {
        let source = SourceText::new("fuzz", text, format);
        match read(&source, &env) {
            Ok(manifest) => assert_eq!(Ok(manifest), read(&source, &env)),
            Err(report) => {
                assert!(!report.problems().is_empty());
                assert!(!report.to_string().is_empty());
                assert!(report.to_json().is_object());
                for place in readable_trust(&source, &env).unread {
                    assert!(text.get(place.start..place.start + place.len).is_some());
                }
            }
        }
    }
});
